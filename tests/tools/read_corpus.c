/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the messages named on standard input, one path a line, and prints what
 * the reader recorded, one line an item, fields parted by tabs:
 *
 *   message PATH CAPS                     (a comma between caps)
 *   file PATH-IN-MESSAGE SIZE SHA256 FLAGS TYPE NAME
 *   variant PATH-IN-MESSAGE SHA256 KIND
 *   reading PATH-IN-MESSAGE NAME          (of a file that only it shows)
 *   name PATH-IN-MESSAGE TEXT             (each that it has)
 *   anomaly OFFSET NAME
 *   text FIELD VALUE                      (subject and addresses)
 *   invalid WHAT                          (text that is no UTF-8: a bug)
 *
 * Lone LF become CR LF, as a milter would be given the message, unless
 * --as-is is given.  With --engine FOLDER the ClamAV engine opens what it can, without
 * signatures, and has its temporary files there.  Both may be given, in any order; what
 * is neither ends it with status 2.
 */
#include <stdio.h>
#include <string.h>

#include "mime.h"
#include "scan.h"
#include "text.h"

static GBytes *
as_sent(const char *bytes, gsize length)
{
	GByteArray *sent = g_byte_array_sized_new((guint)(length + length / 32 + 16));
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end;

		g_byte_array_append(sent, (const guint8 *)at, (guint)(stop - at));
		if (!feed)
			break;
		if (stop == bytes || stop[-1] != '\r')
			g_byte_array_append(sent, (const guint8 *)"\r", 1);
		g_byte_array_append(sent, (const guint8 *)"\n", 1);
		at = feed + 1;
	}
	return g_byte_array_free_to_bytes(sent);
}

/* Prints text as one field, or complains of it. */
static void
print_text(const char *what, const char *text)
{
	g_autofree char *safe = NULL;

	if (!text)
		return;
	if (!g_utf8_validate(text, -1, NULL))
		printf("invalid\t%s\n", what);
	safe = text_for_terminal(text);
	printf("text\t%s\t%s\n", what, safe);
}

static void
print_file(const struct file *file)
{
	g_autofree char *sha256 = hex_encode(file->digests.sha256, SHA256_BYTES);
	const char *name = file_best_name(file);
	g_autofree char *safe = text_for_terminal(name ? name : "");
	g_autoptr(GString) flags = g_string_new(NULL);

	for (guint bit = 0; bit < FILE_FLAG_COUNT; bit++)
		if (file->flags & 1u << bit)
			g_string_append_printf(flags, "%s%s", flags->len ? "," : "",
					       record_flag_name(bit));
	for (guint i = 0; i < file->names->len; i++)
		if (!g_utf8_validate(((struct file_name *)g_ptr_array_index(file->names, i))->text,
				     -1, NULL))
			printf("invalid\tname of %s\n", file->path);
	printf("file\t%s\t%" G_GUINT64_FORMAT "\t%s\t%s\t%s\t%s\n", file->path, file->size, sha256,
	       flags->str, file->declared_type ? file->declared_type : "", safe);
}

static void
print_variants(const struct file *file)
{
	for (guint i = 0; i < file->variants->len; i++) {
		const struct variant *variant = &g_array_index(file->variants, struct variant, i);
		g_autofree char *sha256 = hex_encode(variant->digests.sha256, SHA256_BYTES);

		printf("variant\t%s\t%s\t%s\n", file->path, sha256,
		       variant_kind_name(variant->kind));
	}
}

static void
print_readings(const struct file *file)
{
	for (guint i = 0; i < file->readings->len; i++)
		printf("reading\t%s\t%s\n", file->path,
		       (const char *)g_ptr_array_index(file->readings, i));
}

static void
print_names(const struct file *file)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);
		g_autofree char *safe = text_for_terminal(name->text);

		printf("name\t%s\t%s\n", file->path, safe);
	}
}

static void
print_addresses(const char *what, const GPtrArray *addresses)
{
	for (guint i = 0; i < addresses->len; i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		print_text(what, address->display);
		print_text(what, address->address);
	}
}

static void
print_record(const char *path, const struct record *record)
{
	g_autoptr(GString) caps = g_string_new(NULL);

	for (guint i = 0; i < record->caps->len; i++)
		g_string_append_printf(caps, "%s%s", i ? "," : "",
				       (char *)g_ptr_array_index(record->caps, i));
	printf("message\t%s\t%s\n", path, caps->str);
	for (guint i = 0; i < record->anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(record->anomalies, i);

		printf("anomaly\t%" G_GUINT64_FORMAT "\t%s\n", anomaly->offset, anomaly->name);
	}
	print_text("subject", record->subject);
	print_text("message-id", record->message_id);
	print_text("date", record->date);
	print_addresses("from", record->from);
	print_addresses("to", record->to);
	print_addresses("cc", record->cc);
	for (guint i = 0; i < record->urls->len; i++)
		print_text("url", g_ptr_array_index(record->urls, i));
	for (guint i = 0; i < record->files->len; i++) {
		print_file(g_ptr_array_index(record->files, i));
		print_variants(g_ptr_array_index(record->files, i));
		print_readings(g_ptr_array_index(record->files, i));
		print_names(g_ptr_array_index(record->files, i));
	}
}

static gboolean
read_one(const char *path, gboolean as_is)
{
	g_autofree char *contents = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(record_t) record = NULL;
	gsize length;

	if (!g_file_get_contents(path, &contents, &length, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return FALSE;
	}
	if (!as_is) {
		bytes = as_sent(contents, length);
		record = mime_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	} else {
		record = mime_read(contents, length);
	}
	print_record(path, record);
	return TRUE;
}

/* Makes ready what reads; folder: the engine's, or NULL for none. */
static gboolean
prepare(const char *folder, GError **error)
{
	if (!mime_preload(error) || (folder && !scan_preload(NULL, error)))
		return FALSE;
	if (folder)
		scan_use_folder(folder);
	return TRUE;
}

struct options {
	gboolean as_is;
	const char *folder; /* the engine's, or NULL for none */
};

/* Takes the command line; FALSE if it has something that is no option. */
static gboolean
take_options(int argc, char **argv, struct options *ret_options)
{
	for (int i = 1; i < argc; i++) {
		if (g_str_equal(argv[i], "--as-is"))
			ret_options->as_is = TRUE;
		else if (g_str_equal(argv[i], "--engine") && i + 1 < argc)
			ret_options->folder = argv[++i];
		else
			return FALSE;
	}
	return TRUE;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	g_autoptr(GError) error = NULL;
	char path[4096];
	gboolean good = TRUE;

	if (!take_options(argc, argv, &options)) {
		fprintf(stderr, "usage: read_corpus [--as-is] [--engine FOLDER]\n");
		return 2;
	}
	if (!prepare(options.folder, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		good = read_one(path, options.as_is) && good;
	}
	return good ? 0 : 1;
}
