/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mailbox.h"

/* What a splitter or a walk gave. */
struct found {
	GPtrArray *messages; /* of char * */
	GPtrArray *paths;    /* of char *: "path#number" */
	GArray *times;	     /* of gint64 */
	GPtrArray *troubles; /* of char *: "path: message" */
	guint stop_after;    /* 0: never */
};

static void
found_init(struct found *found)
{
	found->messages = g_ptr_array_new_with_free_func(g_free);
	found->paths = g_ptr_array_new_with_free_func(g_free);
	found->times = g_array_new(FALSE, FALSE, sizeof(gint64));
	found->troubles = g_ptr_array_new_with_free_func(g_free);
	found->stop_after = 0;
}

static void
found_clear(struct found *found)
{
	g_ptr_array_unref(found->messages);
	g_ptr_array_unref(found->paths);
	g_array_unref(found->times);
	g_ptr_array_unref(found->troubles);
}

static const char *
text_at(const struct found *found, guint i)
{
	cr_assert_lt(i, found->messages->len);
	return g_ptr_array_index(found->messages, i);
}

static gboolean
on_split(const guint8 *bytes, gsize length, guint number, gint64 received_at_us, void *data)
{
	struct found *found = data;

	g_ptr_array_add(found->messages, g_strndup((const char *)bytes, length));
	g_ptr_array_add(found->paths, g_strdup_printf("#%u", number));
	g_array_append_val(found->times, received_at_us);
	return found->messages->len != found->stop_after;
}

static gboolean
on_message(const struct mailbox_message *message, void *data)
{
	struct found *found = data;

	g_ptr_array_add(found->messages, g_strndup((const char *)message->bytes, message->length));
	g_ptr_array_add(found->paths, g_strdup_printf("%s#%u", message->path, message->number));
	g_array_append_val(found->times, message->received_at_us);
	return found->messages->len != found->stop_after;
}

static gboolean
on_trouble(const char *path, const GError *error, void *data)
{
	g_ptr_array_add(((struct found *)data)->troubles,
			g_strdup_printf("%s: %s", path, error->message));
	return TRUE;
}

/* Splits a text given in pieces of so many bytes. */
static gboolean
split(const char *text, gsize length, gsize piece, gboolean single, struct found *found,
      GError **error)
{
	struct mailbox_splitter *splitter = mailbox_splitter_new(single, on_split, found);
	gboolean ok = TRUE;

	for (gsize at = 0; ok && at < length; at += piece)
		ok = mailbox_splitter_add(splitter, text + at, MIN(piece, length - at), error);
	ok = ok && mailbox_splitter_end(splitter, error);
	mailbox_splitter_free(splitter);
	return ok;
}

static const char *const mbox = "From a@example.net Mon Nov 23 10:00:00 2026\n"
				"Subject: one\n"
				"\n"
				"body\n"
				">From the quoted\n"
				">>From the twice quoted\n"
				"> From is not quoted\n"
				"From within a paragraph Mon Nov 23 10:00:00 2026\n"
				"\n"
				"From here on there is no time\n"
				"\n"
				"From b@example.net Tue Nov 24 11:30:00 +0900 2026\n"
				"Subject: two\n"
				"\n"
				"second\n"
				"\n";

static const char *const first = "Subject: one\r\n"
				 "\r\n"
				 "body\r\n"
				 "From the quoted\r\n"
				 ">From the twice quoted\r\n"
				 "> From is not quoted\r\n"
				 "From within a paragraph Mon Nov 23 10:00:00 2026\r\n"
				 "\r\n"
				 "From here on there is no time\r\n";

Test(mailbox, mbox_is_split_at_separators_alone_however_it_is_cut)
{
	for (gsize piece = 1; piece <= strlen(mbox); piece += piece < 8 ? 1 : 61) {
		struct found found;

		found_init(&found);
		cr_assert(split(mbox, strlen(mbox), piece, FALSE, &found, NULL));
		cr_assert_eq(found.messages->len, 2, "pieces of %zu", piece);
		cr_assert_str_eq(text_at(&found, 0), first);
		cr_assert_str_eq(text_at(&found, 1), "Subject: two\r\n\r\nsecond\r\n");
		cr_assert_str_eq(g_ptr_array_index(found.paths, 1), "#2");
		cr_assert_eq(g_array_index(found.times, gint64, 0),
			     G_GINT64_CONSTANT(1795428000) * G_USEC_PER_SEC);
		cr_assert_eq(g_array_index(found.times, gint64, 1),
			     G_GINT64_CONSTANT(1795487400) * G_USEC_PER_SEC);
		found_clear(&found);
	}
}

struct line_ends {
	const char *given, *wanted;
};

Test(mailbox, line_ends_become_those_of_smtp)
{
	static const struct line_ends rows[] = {
		{"A: b\n\nx\n", "A: b\r\n\r\nx\r\n"},
		{"A: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n"},
		{"A: b\n\nx", "A: b\r\n\r\nx\r\n"},
		{"A: b\r\n\nx\r", "A: b\r\n\r\nx\r\n"},
		{"A: b\n\nx\ry\n", "A: b\r\n\r\nx\ry\r\n"},
		{"A: b\n\nx\r\r\n", "A: b\r\n\r\nx\r\r\n"},
		{"\nno header\n", "\r\nno header\r\n"},
		{"A: b\n\n\n\n", "A: b\r\n\r\n\r\n\r\n"},
		{"A : b\n", "A : b\r\n"},
		{"From x\n", ""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct line_ends *row = &rows[i];
		struct found found;

		found_init(&found);
		cr_assert(split(row->given, strlen(row->given), 3, TRUE, &found, NULL));
		cr_assert_eq(found.messages->len, 1);
		cr_assert_str_eq(text_at(&found, 0), row->wanted);
		found_clear(&found);
	}
}

Test(mailbox, what_is_no_message_is_said_so)
{
	static const struct line_ends rows[] = {
		{"", "is empty"},
		{"hello world\n", "header field"},
		{"\x7f"
		 "ELF\x02\x01\x01\n",
		 "header field"},
		{"PK\x03\x04:\n", "header field"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct line_ends *row = &rows[i];
		g_autoptr(GError) error = NULL;
		struct found found;

		found_init(&found);
		cr_assert_not(split(row->given, strlen(row->given), 64, FALSE, &found, &error));
		cr_assert(g_error_matches(error, MAILBOX_ERROR, MAILBOX_ERROR_FORM));
		cr_assert_not_null(strstr(error->message, row->wanted));
		cr_assert_eq(found.messages->len, 0);
		found_clear(&found);
	}
}

Test(mailbox, long_lines_come_whole_at_cap_and_around)
{
	for (gsize length = MAILBOX_LINE_BYTES - 1; length <= MAILBOX_LINE_BYTES + 1; length++) {
		g_autofree char *line = g_strnfill(length, 'x');
		g_autofree char *given = g_strdup_printf("A: b\n\n%s\r\n%s", line, line);
		g_autofree char *wanted = g_strdup_printf("A: b\r\n\r\n%s\r\n%s\r\n", line, line);
		struct found found;

		found_init(&found);
		cr_assert(split(given, strlen(given), 5000, FALSE, &found, NULL));
		cr_assert_str_eq(text_at(&found, 0), wanted);
		found_clear(&found);
	}
}

Test(mailbox, a_from_line_of_a_maildir_splits_nothing)
{
	struct found found;

	found_init(&found);
	cr_assert(split(mbox, strlen(mbox), 100, TRUE, &found, NULL));
	cr_assert_eq(found.messages->len, 1);
	cr_assert(g_str_has_prefix(text_at(&found, 0), "Subject: one\r\n"));
	cr_assert_not_null(strstr(text_at(&found, 0), "\r\n>From the quoted\r\n"));
	found_clear(&found);
}

Test(mailbox, a_visitor_ends_the_splitting)
{
	g_autoptr(GError) error = NULL;
	struct found found;

	found_init(&found);
	found.stop_after = 1;
	cr_assert_not(split(mbox, strlen(mbox), 100, FALSE, &found, &error));
	cr_assert_null(error);
	cr_assert_eq(found.messages->len, 1);
	found_clear(&found);
}

struct from_line {
	const char *line;
	gint64 seconds;
};

Test(mailbox, from_lines_tell_their_time)
{
	static const struct from_line rows[] = {
		{"From a@b Mon Nov 23 10:00:00 2026", 1795428000},
		{"From a@b Mon Nov 23 10:00 2026", 1795428000},
		{"From MAILER-DAEMON Mon Nov  2 10:00:00 2026", 1793613600},
		{"From a@b Mon Nov 23 10:00:00 +0100 2026", 1795424400},
		{"From \"a b\"@c Thu Jan  1 00:00:01 1970\r", 1},
		{"From a@b", 0},
		{"From Nov on we meet", 0},
		{"From a@b Mon Nov 99 10:00:00 2026", 0},
		{"From a@b Mon Nov 23 10:00:00", 0},
		{"From a@b Mon Nov 23 10:00:00 +0100", 0},
		{"From a@b Mon Nov 23 25:61:00 2026", 0},
		{"From ", 0},
		{"", 0},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct from_line *row = &rows[i];
		cr_assert_eq(mailbox_from_line_time(row->line), row->seconds * G_USEC_PER_SEC, "%s",
			     row->line);
	}
}

/* ---- walks ---- */

static char *
folder_new(void)
{
	return g_dir_make_tmp("mailtrace-mailbox.XXXXXX", NULL);
}

static void
put_bytes(const char *folder, const char *name, const char *bytes, gssize length)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *parent = g_path_get_dirname(path);

	cr_assert_eq(g_mkdir_with_parents(parent, 0700), 0);
	cr_assert(g_file_set_contents(path, bytes, length, NULL));
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
	const char *name;

	while (folder && (name = g_dir_read_name(folder))) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
			remove_tree(inner);
		else
			g_unlink(inner);
	}
	g_rmdir(path);
}

static gboolean
walk(const char *path, struct found *found)
{
	const char *build = g_getenv("top_builddir");
	g_autofree char *helper =
		g_build_filename(build ? build : ".", "milter", "decompress", NULL);
	const struct mailbox_visitor visitor = {on_message, on_trouble, found};

	return mailbox_walk(path, helper, &visitor);
}

Test(mailbox, folder_gives_every_message_once_in_order)
{
	g_autofree char *folder = folder_new();
	struct found found;

	put_bytes(folder, "b.eml", "Subject: b\n\n", -1);
	put_bytes(folder, "a/z.mbox", mbox, -1);
	put_bytes(folder, "a/.hidden", "Subject: hidden\n\n", -1);
	put_bytes(folder, "c.bin", "\x01\x02\x03\n", -1);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.messages->len, 3);
	cr_assert_str_eq(text_at(&found, 0), first);
	cr_assert(g_str_has_suffix(g_ptr_array_index(found.paths, 1), "a/z.mbox#2"));
	cr_assert(g_str_has_suffix(g_ptr_array_index(found.paths, 2), "b.eml#0"));
	cr_assert_eq(found.troubles->len, 1);
	cr_assert_not_null(strstr(g_ptr_array_index(found.troubles, 0), "c.bin"));
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, maildir_gives_cur_and_new_of_it_and_its_subfolders)
{
	g_autofree char *folder = folder_new();
	struct found found;

	put_bytes(folder, "cur/1795428000.M1P1.host:2,S", "Subject: read\n\n", -1);
	put_bytes(folder, "new/1795428001.M1P1.host", "From a Mon Nov 23 10:00:00 2026\nA: b\n\n",
		  -1);
	put_bytes(folder, "tmp/1795428002.M1P1.host", "Subject: unfinished\n\n", -1);
	put_bytes(folder, "dovecot-uidlist", "3 V1 N2 G1\n", -1);
	put_bytes(folder, ".Sent/cur/1.M1P1.host", "Subject: sent\n\n", -1);
	put_bytes(folder, ".Sent/new/.keep", "", -1);
	put_bytes(folder, ".Sent/dovecot.index.log", "\x01", -1);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.troubles->len, 0, "%s",
		     (char *)(found.troubles->len ? g_ptr_array_index(found.troubles, 0) : ""));
	cr_assert_eq(found.messages->len, 3);
	cr_assert_str_eq(text_at(&found, 0), "Subject: sent\r\n\r\n");
	cr_assert_str_eq(text_at(&found, 1), "Subject: read\r\n\r\n");
	cr_assert_str_eq(text_at(&found, 2), "A: b\r\n\r\n");
	cr_assert_eq(g_array_index(found.times, gint64, 0), 0);
	cr_assert_eq(g_array_index(found.times, gint64, 1),
		     G_GINT64_CONSTANT(1795428000) * G_USEC_PER_SEC);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, links_are_not_followed_and_a_loop_ends)
{
	g_autofree char *folder = folder_new();
	g_autofree char *loop = g_build_filename(folder, "loop", NULL);
	g_autofree char *file = g_build_filename(folder, "link.eml", NULL);
	struct found found;

	put_bytes(folder, "a.eml", "Subject: a\n\n", -1);
	cr_assert_eq(symlink(folder, loop), 0);
	cr_assert_eq(symlink("/etc/passwd", file), 0);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.messages->len, 1);
	cr_assert_eq(found.troubles->len, 0);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, missing_and_special_files_are_troubles)
{
	g_autofree char *folder = folder_new();
	g_autofree char *pipe_path = g_build_filename(folder, "pipe", NULL);
	struct found found;

	cr_assert_eq(mkfifo(pipe_path, 0600), 0);
	found_init(&found);
	cr_assert(walk("/nonexistent/x.eml", &found));
	cr_assert(walk(pipe_path, &found));
	cr_assert(walk("/dev/null", &found));
	cr_assert_eq(found.messages->len, 0);
	cr_assert_eq(found.troubles->len, 3);
	found_clear(&found);
	remove_tree(folder);
}

static GBytes *
gzipped(const char *text, gsize length)
{
	g_autoptr(GZlibCompressor) compressor =
		g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 9);
	g_autoptr(GInputStream) plain =
		g_memory_input_stream_new_from_data(text, (gssize)length, NULL);
	g_autoptr(GInputStream) packed =
		g_converter_input_stream_new(plain, G_CONVERTER(compressor));
	g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();

	g_output_stream_splice(memory, packed, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, NULL);
	return g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory));
}

static void
put_gzipped(const char *folder, const char *name, const char *text, gsize cut)
{
	g_autoptr(GBytes) packed = gzipped(text, strlen(text));

	put_bytes(folder, name, g_bytes_get_data(packed, NULL),
		  (gssize)(g_bytes_get_size(packed) - cut));
}

Test(mailbox, compressed_files_give_what_plain_ones_do)
{
	/* "Subject: zstd\n\nbody\n" and the same of xz and bzip2 */
	static const char zstd[] = "\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00\x41\x3a\x20\x7a\x0a";
	g_autofree char *folder = folder_new();
	struct found found;

	put_gzipped(folder, "a.gz", mbox, 0);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.troubles->len, 0, "%s",
		     (char *)(found.troubles->len ? g_ptr_array_index(found.troubles, 0) : ""));
	cr_assert_eq(found.messages->len, 2);
	cr_assert_str_eq(text_at(&found, 0), first);
	/* without its checksum it is damaged, and must be told so */
	put_bytes(folder, "b.zst", zstd, sizeof(zstd) - 1);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.troubles->len, 1);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, a_cut_compressed_file_is_trouble_and_its_last_message_is_not_believed)
{
	g_autofree char *folder = folder_new();
	struct found found;

	put_gzipped(folder, "cut.gz", mbox, 9);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.troubles->len, 1);
	cr_assert_leq(found.messages->len, 1);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, a_walk_stopped_inside_a_compressed_file_leaves_no_helper)
{
	g_autofree char *folder = folder_new();
	g_autoptr(GString) many = g_string_new(NULL);
	struct found found;

	for (guint i = 0; i < 20000; i++)
		g_string_append(many, mbox);
	put_gzipped(folder, "many.gz", many->str, 0);
	found_init(&found);
	found.stop_after = 3;
	cr_assert_not(walk(folder, &found));
	cr_assert_eq(found.messages->len, 3);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, what_expands_within_reason_comes_whole)
{
	g_autofree char *folder = folder_new();
	g_autoptr(GString) large = g_string_new("Subject: large\n\n");
	gsize size = 64 * 1024 * 1024;
	struct found found;

	g_string_set_size(large, size);
	memset(large->str + 16, 'x', size - 16);
	put_gzipped(folder, "large.gz", large->str, 0);
	found_init(&found);
	cr_assert(walk(folder, &found));
	cr_assert_eq(found.messages->len, 1);
	cr_assert_eq(strlen(text_at(&found, 0)), size + 4);
	found_clear(&found);
	remove_tree(folder);
}

Test(mailbox, a_bomb_is_told_from_a_large_mailbox)
{
	guint64 size = 2 * MAILBOX_EXPANSION_FREE / MAILBOX_EXPANSION;
	guint64 cap = (size + 1) * MAILBOX_EXPANSION;

	cr_assert_not(mailbox_expands_too_far(1, MAILBOX_EXPANSION_FREE - 1));
	cr_assert_not(mailbox_expands_too_far(1, MAILBOX_EXPANSION_FREE));
	cr_assert(mailbox_expands_too_far(1, MAILBOX_EXPANSION_FREE + 1));
	cr_assert_not(mailbox_expands_too_far(size, cap - 1));
	cr_assert(mailbox_expands_too_far(size, cap));
	cr_assert(mailbox_expands_too_far(size, cap + 1));
	cr_assert_not(mailbox_expands_too_far(G_MAXUINT64, G_MAXUINT64));
}

Test(mailbox, bytes_are_those_of_the_files)
{
	g_autofree char *folder = folder_new();
	g_autofree char *file = g_build_filename(folder, "a.eml", NULL);

	put_bytes(folder, "a.eml", "Subject: a\n\n", -1);
	put_bytes(folder, "b/c.eml", "Subject: bc\n\n", -1);
	cr_assert_eq(mailbox_bytes(file), 12);
	cr_assert_eq(mailbox_bytes(folder), 25);
	remove_tree(folder);
}
