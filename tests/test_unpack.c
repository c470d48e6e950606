/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "mime.h"

#define ARCHIVE_BYTES (8 * 1024 * 1024)

struct content {
	const char *name;
	const void *bytes;
	gsize length;
};

#define CONTENT(name, text)                      \
	{                                        \
		(name), (text), sizeof(text) - 1 \
	}

static void
preload(void)
{
	unpack_preload();
	cr_assert(charset_preload(NULL));
}

TestSuite(unpack, .init = preload);

static struct archive *
writer_new(const char *format, const char *filter, const char *password)
{
	struct archive *archive = archive_write_new();

	cr_assert_eq(archive_write_set_format_by_name(archive, format), ARCHIVE_OK, "%s", format);
	if (filter)
		cr_assert_eq(archive_write_add_filter_by_name(archive, filter), ARCHIVE_OK, "%s",
			     filter);
	archive_write_set_bytes_per_block(archive, 0);
	if (password) {
		cr_assert_eq(archive_write_set_options(archive, "zip:encryption=traditional"),
			     ARCHIVE_OK);
		archive_write_set_passphrase(archive, password);
	}
	return archive;
}

/* Makes an archive. */
static GBytes *
pack(const char *format, const char *filter, const char *password, const struct content *contents,
     gsize count)
{
	struct archive *archive = writer_new(format, filter, password);
	g_autofree char *space = g_malloc(ARCHIVE_BYTES);
	size_t used;

	cr_assert_eq(archive_write_open_memory(archive, space, ARCHIVE_BYTES, &used), ARCHIVE_OK);
	for (gsize i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, contents[i].name);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (gint64)contents[i].length);
		cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK, "%s: %s", format,
			     archive_error_string(archive));
		archive_write_data(archive, contents[i].bytes, contents[i].length);
		archive_entry_free(entry);
	}
	cr_assert_eq(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return g_bytes_new(space, used);
}

static GBytes *
pack_one(const char *format, const char *filter, const char *name, const void *bytes, gsize length)
{
	struct content content = {name, bytes, length};

	return pack(format, filter, NULL, &content, 1);
}

/* Reads an archive as part "2" of a message with such a text, and so many levels above it. */
static struct record *
read_with(const char *text, const char *name, GBytes *bytes, const struct unpack_limits *limits,
	  guint depth)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	struct record *record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, limits);
	struct file *file;
	gsize length;
	const void *at = g_bytes_get_data(bytes, &length);

	record_add_file(record, "0", -1)->flags = FILE_MULTIPART;
	file = record_add_file(record, "2", 0);
	file_add_name(file, name, "filename", NULL);
	file->size = length;
	file->detected_type = g_strdup(unpack_type(at, length));
	if (text)
		unpacker_add_text(unpacker, text, strlen(text), FALSE);
	unpack_file(unpacker, 1, at, length, depth);
	unpack_finish(unpacker);
	return record;
}

static struct record *
read_at(const char *name, GBytes *bytes, const struct unpack_limits *limits, guint depth)
{
	return read_with(NULL, name, bytes, limits, depth);
}

static struct record *
read_archive(const char *name, GBytes *bytes)
{
	return read_at(name, bytes, NULL, 1);
}

static struct file *
find(const struct record *record, const char *path)
{
	for (guint i = 0; i < record->files->len; i++) {
		struct file *file = g_ptr_array_index(record->files, i);

		if (g_str_equal(file->path, path))
			return file;
	}
	cr_assert_fail("no %s", path);
	return NULL;
}

static void
assert_content(const struct file *file, const void *bytes, gsize length)
{
	guint8 sha256[SHA256_BYTES];

	digest_sha256(bytes, length, sha256);
	cr_assert_eq(file->size, (guint64)length, "%s", file->path);
	cr_assert_arr_eq(file->digests.sha256, sha256, sizeof(sha256), "%s", file->path);
}

static gboolean
has_digests(const struct file *file)
{
	static const struct digests none;

	return memcmp(&file->digests, &none, sizeof(none)) != 0;
}

static gboolean
met(const struct record *record, const char *cap)
{
	return g_ptr_array_find_with_equal_func(record->caps, cap, g_str_equal, NULL);
}

/* What no parser of answers would refuse. */
static void
assert_tree(const struct record *record)
{
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < record->files->len; i++) {
		struct file *file = g_ptr_array_index(record->files, i);

		cr_assert_lt(file->parent, (int)i);
		cr_assert_eq(i == 0, file->parent < 0);
		cr_assert(g_hash_table_add(paths, file->path), "%s is there twice", file->path);
		cr_assert(g_utf8_validate(file->path, -1, NULL));
	}
}

/* ---- kinds ---- */

Test(unpack, members_of_each_kind_are_recorded)
{
	static const struct content contents[] = {CONTENT("a.js", "alert(1)"),
						  CONTENT("dir/b.txt", "text")};
	static const char *const formats[] = {"zip",  "7zip", "ustar", "gnutar", "pax",
					      "cpio", "newc", "xar",   "iso9660"};

	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autoptr(GBytes) bytes =
			pack(formats[i], NULL, NULL, contents, G_N_ELEMENTS(contents));
		g_autoptr(record_t) record = read_archive("x", bytes);

		cr_assert_eq(record->files->len, 4u, "%s: %u", formats[i], record->files->len);
		assert_tree(record);
		assert_content(find(record, "2!/a.js"), "alert(1)", 8);
		assert_content(find(record, "2!/dir/b.txt"), "text", 4);
		cr_assert_str_eq(file_best_name(find(record, "2!/dir/b.txt")), "b.txt");
		cr_assert_eq(find(record, "2!/a.js")->parent, 1);
		cr_assert_eq(find(record, "2")->flags, 0u, "%s", formats[i]);
	}
}

/* Puts a program of so many bytes before an archive. */
static GBytes *
behind_program(const char *magic, GBytes *archive)
{
	GByteArray *bytes = g_byte_array_new();
	/* libarchive looks for a 7z behind the least that 7z's own programs have, 0x27000 bytes. */
	guint8 program[0x28000] = {0};

	memcpy(program, magic, strlen(magic));
	g_byte_array_append(bytes, program, sizeof(program));
	if (archive)
		g_byte_array_append(bytes, g_bytes_get_data(archive, NULL),
				    (guint)g_bytes_get_size(archive));
	return g_byte_array_free_to_bytes(bytes);
}

Test(unpack, an_archive_behind_a_program_is_read)
{
	static const struct content contents[] = {CONTENT("a.js", "alert(1)"),
						  CONTENT("dir/b.txt", "text")};
	static const char *const formats[] = {"zip", "7zip"};
	static const char *const programs[] = {"MZ", "\177ELF"};

	for (gsize i = 0; i < G_N_ELEMENTS(formats) * G_N_ELEMENTS(programs); i++) {
		g_autoptr(GBytes) archive =
			pack(formats[i / 2], NULL, NULL, contents, G_N_ELEMENTS(contents));
		g_autoptr(GBytes) bytes = behind_program(programs[i % 2], archive);
		g_autoptr(record_t) record = read_archive("setup.exe", bytes);

		cr_assert(
			unpack_is_archive(g_bytes_get_data(bytes, NULL), MAGIC_IMAGE_BYTES, TRUE));
		cr_assert_eq(record->files->len, 4u, "%s", formats[i / 2]);
		assert_content(find(record, "2!/a.js"), "alert(1)", 8);
		assert_content(find(record, "2!/dir/b.txt"), "text", 4);
		cr_assert_eq(find(record, "2")->flags, 0u);
		assert_tree(record);
	}
}

/* Puts an archive behind a text and as many zeros as make so many bytes. */
static GBytes *
behind(const char *text, gsize text_length, gsize length, GBytes *archive)
{
	GByteArray *bytes = g_byte_array_new();

	g_byte_array_append(bytes, (const guint8 *)text, (guint)text_length);
	while (bytes->len < length)
		g_byte_array_append(bytes, (const guint8 *)"", 1);
	g_byte_array_append(bytes, g_bytes_get_data(archive, NULL),
			    (guint)g_bytes_get_size(archive));
	return g_byte_array_free_to_bytes(bytes);
}

/* What a zip may stand behind: other kinds, also some that are opened themselves. */
static const struct content heads[] = {
	CONTENT("text", "only words\n"),
	CONTENT("nothing known", "\1\2\3\4"),
	CONTENT("JPEG", "\xff\xd8\xff\xe0 and more"),
	CONTENT("GIF", "GIF89a and more"),
	CONTENT("script", "#!/bin/sh\n"),
	CONTENT("XML", "<?xml version='1.0'?>"),
	CONTENT("shortcut", "L\0\0\0\x01\x14\x02\0"),
	CONTENT("PDF", "%PDF-1.4\n"),
	CONTENT("OLE", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
	CONTENT("no 7z", "7z\xbc\xaf\x27\x1c and no more"),
	CONTENT("no cabinet", "MSCF and no more"),
	CONTENT("ELF", "\177ELF"),
	/* One empty member, whole. */
	CONTENT("gzip", "\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0"),
};

Test(unpack, a_zip_behind_anything_is_opened_whatever_it_is_called)
{
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(heads); i++) {
		g_autoptr(GBytes) bytes = behind(heads[i].bytes, heads[i].length, 0, zip);
		g_autoptr(record_t) record = read_archive("a.docx", bytes);

		assert_content(find(record, "2!/a.js"), "alert(1)", 8);
		assert_tree(record);
	}
}

/* The first bytes of a large member are kept at first, which do not tell. */
Test(unpack, a_zip_behind_anything_is_opened_in_an_archive)
{
	static const gsize lengths[] = {0, MAGIC_IMAGE_BYTES, 1000000};
	static const char *const formats[] = {"zip", "7zip", "ustar"};
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(lengths) * 6; i++) {
		gsize length = lengths[i / 6];
		g_autoptr(GBytes) bytes =
			behind(heads[i % 6].bytes, heads[i % 6].length, length, zip);
		struct content contents[] = {
			CONTENT("before", "1"),
			{"b.bin", g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)},
			CONTENT("after", "2"),
			{"c.bin", g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)},
		};
		g_autoptr(GBytes) outer = pack(formats[i % G_N_ELEMENTS(formats)], NULL, NULL,
					       contents, G_N_ELEMENTS(contents));
		g_autoptr(record_t) record = read_archive("a", outer);

		cr_assert_eq(record->files->len, 8u, "%s, %zu: %u", heads[i % 6].name, length,
			     record->files->len);
		assert_content(find(record, "2!/b.bin!/a.js"), "alert(1)", 8);
		assert_content(find(record, "2!/c.bin!/a.js"), "alert(1)", 8);
		assert_content(find(record, "2!/b.bin"), contents[1].bytes, contents[1].length);
		cr_assert_eq(find(record, "2")->flags, 0u);
		assert_tree(record);
	}
}

/* Puts an archive between others' bytes, and zeros behind these to so many bytes. */
static GBytes *
between(const struct content *head, GBytes *archive, const struct content *trailer, gsize length)
{
	g_autoptr(GBytes) end = g_bytes_new(trailer->bytes, trailer->length);
	g_autoptr(GBytes) begin = behind(head->bytes, head->length, 0, archive);
	gsize begun;
	const void *at = g_bytes_get_data(begin, &begun);
	g_autoptr(GBytes) both = behind(at, begun, 0, end);
	g_autoptr(GBytes) none = g_bytes_new("", 0);

	return behind(g_bytes_get_data(both, NULL), g_bytes_get_size(both), length, none);
}

/* A JPEG with a zip behind it, and zeros behind that, which may be its comment. */
static GBytes *
jpeg_with_zip(GBytes *zip, gsize length, gboolean comment)
{
	guint8 said[] = {(guint8)length, (guint8)(length >> 8)};
	struct content size = {"size", said, sizeof(said)};
	g_autoptr(GBytes) begin = g_bytes_new_from_bytes(zip, 0, g_bytes_get_size(zip) - 2);
	g_autoptr(GBytes) none = g_bytes_new("", 0);
	g_autoptr(GBytes) jpeg = behind("\xff\xd8\xff\xe0", 4, 2 * MAGIC_IMAGE_BYTES, none);
	struct content head = {"JPEG", g_bytes_get_data(jpeg, NULL), g_bytes_get_size(jpeg)};

	if (!comment)
		size.bytes = "\0\0";
	return between(&head, begin, &size, head.length + g_bytes_get_size(zip) + length);
}

Test(unpack, a_zip_behind_anything_is_opened_in_an_archive_whatever_its_comment)
{
	static const gsize lengths[] = {0, 230, 300, 65535};
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(lengths) * 2; i++) {
		g_autoptr(GBytes) bytes = jpeg_with_zip(zip, lengths[i / 2], i % 2);
		g_autoptr(GBytes) outer =
			pack_one("zip", NULL, "b.jpg", g_bytes_get_data(bytes, NULL),
				 g_bytes_get_size(bytes));
		g_autoptr(record_t) record = read_archive("a", outer);

		assert_content(find(record, "2!/b.jpg!/a.js"), "alert(1)", 8);
		cr_assert_eq(find(record, "2")->flags, 0u);
		assert_tree(record);
	}
}

/* The first of two zips in a row is shown by its local headers alone. */
Test(unpack, a_zip_behind_anything_is_opened_in_a_member_that_few_readers_show)
{
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);
	g_autoptr(GBytes) jpeg = jpeg_with_zip(zip, 0, FALSE);
	g_autoptr(GBytes) first = pack_one("zip", NULL, "b.jpg", g_bytes_get_data(jpeg, NULL),
					   g_bytes_get_size(jpeg));
	g_autoptr(GBytes) bytes =
		behind(g_bytes_get_data(first, NULL), g_bytes_get_size(first), 0, zip);
	g_autoptr(record_t) record = read_archive("a.zip", bytes);

	assert_content(find(record, "2!/a.js"), "alert(1)", 8);
	cr_assert_eq(find(record, "2!/b.jpg")->readings->len, 1u);
	assert_content(find(record, "2!/b.jpg!/a.js"), "alert(1)", 8);
	assert_tree(record);
}

/* A file a.js of eight bytes, as gcab and jlha pack it, and by the rars' descriptions. */
static const struct content packed[] = {
	CONTENT("rar 4",
		"Rar!\x1a\x07\x00\xcf\x90s\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00&\x10t\x00"
		"\x80$\x00\x08\x00\x00\x00\x08\x00\x00\x00\x03\xd6\xcb\xb2\xb8\x00\x00\x00"
		"\x00\x1d\x30\x04\x00\xa4\x81\x00\x00\x61.jsalert(1)\xc4={\x00@\x07\x00"),
	CONTENT("rar 5",
		"Rar!\x1a\x07\x01\x00\xc5\x1a\x33\x32\x03\x01\x00\x00\x0c\xcf\xed\xb7\x13\x02"
		"\x02\x08\x04\x08\xa4\x83\x02\xd6\xcb\xb2\xb8\x00\x01\x04\x61.jsalert(1)\x19"
		"\xb2:5\x03\x05\x00\x00"),
	CONTENT("cab",
		"MSCF\x00\x00\x00\x00Q\x00\x00\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x00\x00"
		"\x00\x03\x01\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x41\x00\x00\x00\x01\x00"
		"\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00}]\xb9k \x00\x61.js\x00\x1d"
		"D\x5c[\x08\x00\x08\x00\x61lert(1)"),
	CONTENT("lzh of level 2",
		"&\x00-lh0-\x08\x00\x00\x00\x08\x00\x00\x00\xce(\x0ck \x02\x15\xaa\x00\x05"
		"\x00\x00\x8a\xf6\x07\x00\x01\x61.js\x00\x00\x61lert(1)\x00"),
	CONTENT("lzh of level 0",
		"\x1a\xbb-lh0-\x08\x00\x00\x00\x08\x00\x00\x00\xb9k}] \x00\x04\x61.js\x15\xaa"
		"alert(1)\x00"),
};

#define PACKED (G_N_ELEMENTS(packed) + 1)

/* These, and a 7z. */
static GBytes *
packed_nth(gsize nth)
{
	if (nth == G_N_ELEMENTS(packed))
		return pack_one("7zip", NULL, "a.js", "alert(1)", 8);
	return g_bytes_new_static(packed[nth].bytes, packed[nth].length);
}

/* What no archive that is not at an end may stand in: a program, a document, what is compressed. */
static gboolean
is_behind_nothing(const struct content *head)
{
	return strstr("OLE ELF gzip", head->name) != NULL;
}

Test(unpack, other_archives_behind_anything_are_opened)
{
	for (gsize i = 0; i < G_N_ELEMENTS(heads) * PACKED; i++) {
		const struct content *head = &heads[i / PACKED];
		g_autoptr(GBytes) archive = packed_nth(i % PACKED);
		g_autoptr(GBytes) bytes = behind(head->bytes, head->length, i % 3, archive);
		g_autoptr(record_t) record = NULL;

		if (is_behind_nothing(head))
			continue;
		record = read_archive("a.jpg", bytes);
		cr_assert_eq(record->files->len, 3u, "%s, %zu: %u", head->name, i % PACKED,
			     record->files->len);
		assert_content(find(record, "2!/a.js"), "alert(1)", 8);
		assert_tree(record);
	}
}

/* Few readers look at more than the first bytes of a member, where they do not tell. */
Test(unpack, other_archives_behind_anything_are_opened_in_an_archive)
{
	static const gsize lengths[] = {0, MAGIC_IMAGE_BYTES, 1000001};
	static const char *const formats[] = {"zip", "7zip", "ustar"};

	for (gsize i = 0; i < G_N_ELEMENTS(lengths) * PACKED; i++) {
		g_autoptr(GBytes) archive = packed_nth(i % PACKED);
		g_autoptr(GBytes) bytes =
			behind("\xff\xd8\xff\xe0", 4, lengths[i / PACKED], archive);
		g_autoptr(GBytes) outer =
			pack_one(formats[i % G_N_ELEMENTS(formats)], NULL, "b.jpg",
				 g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
		g_autoptr(record_t) record = read_archive("a", outer);

		cr_assert_eq(record->files->len, 4u, "%zu: %u", i, record->files->len);
		assert_content(find(record, "2!/b.jpg!/a.js"), "alert(1)", 8);
		cr_assert_eq(find(record, "2")->flags, 0u);
		assert_tree(record);
	}
}

/* One that says where it ends does not hide another behind it, nor does a zip at the end. */
Test(unpack, archives_that_stand_one_behind_the_other_are_opened)
{
	g_autoptr(GBytes) seven = packed_nth(G_N_ELEMENTS(packed));
	g_autoptr(GBytes) cab = packed_nth(2);
	g_autoptr(GBytes) rar = packed_nth(0);
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "b.js", "alert(2)", 8);
	GBytes *const rest[] = {cab, rar, zip};
	g_autoptr(GBytes) bytes = behind("\xff\xd8\xff\xe0", 4, 0, seven);
	g_autoptr(record_t) record = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(rest); i++) {
		GBytes *more =
			behind(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, rest[i]);

		g_bytes_unref(bytes);
		bytes = more;
	}
	record = read_archive("a.jpg", bytes);
	cr_assert_eq(record->files->len, 6u, "%u", record->files->len);
	assert_content(find(record, "2!/a.js"), "alert(1)", 8);
	assert_content(find(record, "2!/a.js#2"), "alert(1)", 8);
	assert_content(find(record, "2!/a.js#3"), "alert(1)", 8);
	assert_content(find(record, "2!/b.js"), "alert(2)", 8);
}

/* What is held as it stands in something else is opened by that alone. */
Test(unpack, other_archives_that_are_stored_are_not_opened_twice)
{
	static const char *const formats[] = {"zip", "ustar", "newc"};
	static const struct content pdf = CONTENT("PDF", "%PDF-1.4\n"),
				    end = CONTENT("end", "\nendstream\n%%EOF\n"),
				    ole = CONTENT("OLE", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
				    none = CONTENT("none", "");

	for (gsize i = 0; i < G_N_ELEMENTS(formats) * PACKED; i++) {
		g_autoptr(GBytes) archive = packed_nth(i % PACKED);
		g_autoptr(GBytes) outer =
			pack_one(formats[i / PACKED], NULL, "b", g_bytes_get_data(archive, NULL),
				 g_bytes_get_size(archive));
		g_autoptr(GBytes) in_pdf = between(&pdf, archive, &end, 0);
		g_autoptr(GBytes) in_ole = between(&ole, archive, &none, 1024);
		g_autoptr(GBytes) picture = behind("\xff\xd8\xff\xe0", 4, 0, outer);
		g_autoptr(record_t) record = read_archive("a", outer);
		g_autoptr(record_t) of_pdf = read_archive("a", in_pdf);
		g_autoptr(record_t) of_ole = read_archive("a", in_ole);

		cr_expect_eq(record->files->len, 4u, "%zu: %u", i, record->files->len);
		cr_expect_eq(of_pdf->files->len, 2u);
		cr_expect_eq(of_ole->files->len, 2u);
		if (i < PACKED) {
			g_autoptr(record_t) behind_it = read_archive("a", picture);

			cr_expect_eq(behind_it->files->len, 4u, "%zu", i);
		}
	}
}

/* A zip that is stored in an archive may end it too, and is not opened twice. */
Test(unpack, an_archive_that_ends_with_a_stored_zip_is_only_that)
{
	static const char *const formats[] = {"ustar", "newc", "ar", "7zip"};
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autoptr(GBytes) bytes =
			pack_one(formats[i], NULL, "a.zip", g_bytes_get_data(zip, NULL),
				 g_bytes_get_size(zip));
		g_autoptr(record_t) record = read_archive("a", bytes);

		cr_assert_eq(record->files->len, 4u, "%s: %u", formats[i], record->files->len);
		assert_content(find(record, "2!/a.zip!/a.js"), "alert(1)", 8);
	}
}

Test(unpack, a_zip_that_is_held_in_a_document_is_not_opened_by_its_end)
{
	static const struct content documents[] = {
		CONTENT("PDF", "%PDF-1.4\n"),
		CONTENT("OLE", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
		CONTENT("SQLite", "SQLite format 3"),
	};
	static const struct content trailers[] = {CONTENT("PDF", "\nendstream\n%%EOF\n"),
						  CONTENT("OLE", ""), CONTENT("SQLite", "")};
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(documents); i++) {
		g_autoptr(GBytes) whole = between(&documents[i], zip, &trailers[i], i ? 1024 : 0);
		g_autoptr(record_t) record = read_archive("a", whole);

		cr_assert_eq(record->files->len, 2u, "%s", documents[i].name);
		cr_assert_eq(find(record, "2")->flags, 0u);
	}
}

Test(unpack, blanks_behind_a_zip_that_stands_behind_anything_do_not_hide_it)
{
	static const struct content trailers[] = {CONTENT("a break", "\n"),
						  CONTENT("zeros", "\0\0\0\0\0\0\0\0"),
						  CONTENT("all", "\r\n \t\v\f\0")};
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(heads) * G_N_ELEMENTS(trailers); i++) {
		const struct content *head = &heads[i / G_N_ELEMENTS(trailers)];
		g_autoptr(GBytes) bytes =
			between(head, zip, &trailers[i % G_N_ELEMENTS(trailers)], 0);
		g_autoptr(record_t) record = read_archive("a.docx", bytes);

		assert_content(find(record, "2!/a.js"), "alert(1)", 8);
		assert_tree(record);
	}
}

/* What a PDF holds is followed by the end of a stream. */
Test(unpack, a_zip_behind_a_pdf_may_have_anything_behind_it_but_a_stream_s_end)
{
	static const struct content head = CONTENT("PDF", "%PDF-1.4\n");
	static const struct content trailer = CONTENT("junk", "PK\5\6");
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);
	g_autoptr(GBytes) bytes = between(&head, zip, &trailer, 0);
	g_autoptr(record_t) record = read_archive("a.zip", bytes);

	assert_content(find(record, "2!/a.js"), "alert(1)", 8);
}

/* A zip that LZ4 stores is followed by the four zeros that end a frame. */
Test(unpack, what_is_stored_in_lz4_is_not_opened_twice)
{
	static const struct content frame =
		CONTENT("LZ4", "\x04\x22\x4d\x18\x60\x40\x82\0\0\0\x80");
	static const struct content end = CONTENT("end", "\0\0\0\0");
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);
	g_autoptr(GByteArray) head = g_byte_array_new();
	struct content begin = {"LZ4", NULL, frame.length};
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(record_t) record = NULL;

	g_byte_array_append(head, frame.bytes, (guint)frame.length);
	head->data[7] = (guint8)g_bytes_get_size(zip);
	cr_assert_lt(g_bytes_get_size(zip), 256);
	begin.bytes = head->data;
	bytes = between(&begin, zip, &end, 0);
	record = read_archive("a.lz4", bytes);
	assert_content(find(record, "2!/a"), g_bytes_get_data(zip, NULL), g_bytes_get_size(zip));
	assert_content(find(record, "2!/a!/a.js"), "alert(1)", 8);
	cr_assert_eq(record->files->len, 4u);
}

Test(unpack, a_program_alone_is_no_damaged_archive)
{
	g_autoptr(GBytes) bytes = behind_program("MZ", NULL);
	g_autoptr(record_t) record = read_archive("a.exe", bytes);

	cr_assert_eq(record->files->len, 2u);
	cr_assert_eq(find(record, "2")->flags, 0u);
	cr_assert_eq(record->caps->len, 0u);
}

Test(unpack, what_is_compressed_by_itself_has_one_member_named_after_it)
{
	static const struct {
		const char *filter, *name, *path;
	} kinds[] = {
		{"gzip", "a.tgz", "2!/a.tar"},		 {"bzip2", "a.tar.bz2", "2!/a.tar"},
		{"xz", "a.tar.XZ", "2!/a.tar"},		 {"zstd", "a.tzst", "2!/a.tar"},
		{"lz4", "a.tar.lz4", "2!/a.tar"},	 {"compress", "a.tar.Z", "2!/a.tar"},
		{"lzip", "a.tlz", "2!/a.tar"},		 {"lzma", "a.tar.lzma", "2!/a.tar"},
		{"gzip", "nothing is known", "2!/data"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GBytes) bytes =
			pack_one("ustar", kinds[i].filter, "m.js", "MZ program", 10);
		g_autoptr(record_t) record = read_archive(kinds[i].name, bytes);
		g_autofree char *path = g_strconcat(kinds[i].path, "!/m.js", NULL);

		cr_assert_eq(record->files->len, 4u, "%s", kinds[i].filter);
		cr_assert_str_eq(find(record, kinds[i].path)->detected_type, "application/x-tar");
		assert_content(find(record, path), "MZ program", 10);
		cr_assert_str_eq(find(record, path)->detected_type,
				 "application/vnd.microsoft.portable-executable");
		assert_tree(record);
	}
}

Test(unpack, nothing_but_an_archive_is_read)
{
	static const char *const texts[] = {"", "plain", "BZhen is a town", "070701 is a number"};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GBytes) bytes = g_bytes_new_static(texts[i], strlen(texts[i]));
		g_autoptr(record_t) record = read_archive("a.zip", bytes);

		cr_assert_eq(record->files->len, 2u);
		cr_assert_eq(find(record, "2")->flags, 0u);
		cr_assert_not(unpack_is_archive(texts[i], strlen(texts[i]), TRUE));
	}
}

/* ---- depth ---- */

/* A zip in a zip, so many deep, around a script. */
static GBytes *
nest(guint levels)
{
	GBytes *bytes = g_bytes_new_static("#!", 2);

	for (guint i = 0; i < levels; i++) {
		g_autoptr(GBytes) inner = bytes;
		gsize length;
		const void *at = g_bytes_get_data(inner, &length);

		bytes = pack_one("zip", NULL, i ? "z" : "m.js", at, length);
	}
	return bytes;
}

Test(unpack, archives_in_archives_are_read)
{
	g_autoptr(GBytes) bytes = nest(3);
	g_autoptr(record_t) record = read_archive("z.zip", bytes);
	const struct file *deepest = find(record, "2!/z!/z!/m.js");

	assert_content(deepest, "#!", 2);
	cr_assert_str_eq(((struct file *)g_ptr_array_index(record->files, deepest->parent))->path,
			 "2!/z!/z");
	assert_tree(record);
}

Test(unpack, nesting_ends_at_its_cap)
{
	for (int past = -1; past <= 1; past++) {
		g_autoptr(GBytes) bytes = nest(4);
		g_autoptr(record_t) record =
			read_at("z", bytes, NULL, (guint)(CAP_NESTING - 4 + past));
		guint members = past == 1 ? 3 : 4;

		cr_assert_eq(record->files->len, 2 + members);
		cr_assert_eq(met(record, CAP_NESTING_NAME), past == 1);
		cr_assert_eq(find(record, "2!/z!/z!/z")->flags,
			     past == 1 ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

/* ---- wrappers ---- */

#define UU_HELLO "begin 644 dir/f.exe\n%:&5L;&\\ \n`\nend\n"
#define YENC_HELLO "=ybegin line=128 size=5 name=f.exe\r\n\x92\x8f\x96\x96\x99\r\n=yend size=5\r\n"
#define TNEF_HELLO                                     \
	"\x78\x9f\x3e\x22\1\0"                         \
	"\2\2\x90\6\0\1\0\0\0r\0\0"                    \
	"\2\x10\x80\1\0\6\0\0\0f.exe\0\0\0"            \
	"\2\x0f\x80\6\0\5\0\0\0hello\0\0"              \
	"\2\5\x90\6\0\x2c\0\0\0\2\0\0\0"               \
	"\x1f\0\x07\x37\1\0\0\0\6\0\0\0g\0h\0\0\0\0\0" \
	"\2\1\x01\x37\1\0\0\0\5\0\0\0hello\0\0\0\0\0"

Test(unpack, files_in_wrappers_in_archives_are_read)
{
	static const struct content contents[] = {
		CONTENT("d/a.txt", "Words.\n" UU_HELLO),
		CONTENT("b", YENC_HELLO),
		CONTENT("c", "begin-base64 644 f.exe\naGVsbG8=\n====\n"),
		CONTENT("d.hqx", "(This file must be converted with BinHex 4.0)\r\n\r\n"
				 ":\"@BZCAKP!!!!!!!!!!!!!!!!!!!&!!!!!!!!D'9XE'm!!!:"),
		CONTENT("winmail.dat", TNEF_HELLO),
		CONTENT("e.ICS", "ATTACH;FILENAME=f.exe;ENCODING=BASE64:aGVsbG8=\r\n"),
		CONTENT("f", "BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64:aGVsbG8=\r\n"),
		CONTENT("g.svg", "<a href='data:a/b;base64,aGVsbG8='>"),
		CONTENT("h", "<!doctype html><a href='data:a/b;base64,aGVsbG8='>"),
	};
	static const char *const paths[] = {
		"2!/d/a.txt!/dir/f.exe",
		"2!/b!/f.exe",
		"2!/c!/f.exe",
		"2!/d.hqx!/f.exe",
		"2!/winmail.dat!/f.exe",
		"2!/e.ICS!/f.exe",
		"2!/f!/data",
		"2!/g.svg!/data",
		"2!/h!/data",
	};
	g_autoptr(GBytes) zip = pack("zip", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.zip", zip);
	const struct file *file;

	assert_tree(record);
	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
		assert_content(find(record, paths[i]), "hello", 5);
	cr_assert_eq(record->files->len, 2 + 2 * G_N_ELEMENTS(contents));
	cr_assert_eq(record->caps->len, 0);
	file = find(record, "2!/d/a.txt!/dir/f.exe");
	cr_assert_str_eq(file_best_name(file), "f.exe");
	cr_assert_str_eq(file->detected_type, "text/plain");
	cr_assert_eq(file->readings->len, 0);
	cr_assert_str_eq(((struct file *)record->files->pdata[file->parent])->path, "2!/d/a.txt");
	file = find(record, "2!/winmail.dat!/f.exe");
	cr_assert_eq(file->names->len, 2);
	cr_assert_str_eq(((struct file_name *)file->names->pdata[1])->text, "gh");
}

Test(unpack, no_other_members_are_wrappers)
{
	static const struct content contents[] = {
		CONTENT("a.txt", "We begin 644 a\nx" UU_HELLO),
		CONTENT("b.txt", "<a href='data:a/b;base64,aGVsbG8='>"),
		CONTENT("c.html", "<img src='data:image/png;base64,aGVsbG8='>"),
		CONTENT("winmail.dat", "hello"), CONTENT("d.ics", "")};
	g_autoptr(GBytes) zip = pack("zip", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.zip", zip);

	cr_assert_eq(record->files->len, 2 + G_N_ELEMENTS(contents));
	cr_assert_eq(record->caps->len, 0);
	for (guint i = 1; i < record->files->len; i++)
		cr_assert_eq(((struct file *)record->files->pdata[i])->flags, 0u);
}

/* Returns a link of HTML with these bytes in it. */
static char *
in_html(GBytes *bytes)
{
	g_autofree char *text =
		g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

	return g_strdup_printf("<a href='data:a/b;base64,%s'>", text);
}

Test(unpack, archives_in_wrappers_in_archives_are_opened)
{
	g_autofree char *content = g_strnfill(3 * MAGIC_IMAGE_BYTES, 'x');
	g_autoptr(GBytes) inner = pack_one("ustar", NULL, "a.js", content, 3 * MAGIC_IMAGE_BYTES);
	g_autofree char *html = in_html(inner);
	g_autofree char *text = g_strconcat(html, "\n" UU_HELLO, NULL);
	g_autoptr(GBytes) gz = pack_one("raw", "gzip", "b.html", text, strlen(text));
	g_autoptr(record_t) record = read_archive("b.html.gz", gz);

	assert_tree(record);
	assert_content(find(record, "2!/b.html!/data!/a.js"), content, 3 * MAGIC_IMAGE_BYTES);
	cr_assert_eq(record->caps->len, 0);
}

/* ---- names ---- */

Test(unpack, names_without_a_character_set_are_guessed_and_their_bytes_kept)
{
	/* "表/漢.txt" in Shift_JIS, where a byte of a character is a backslash's */
	static const char name[] = "\x95\x5c\x2f\x8a\xbf.txt";
	g_autoptr(GBytes) bytes = pack_one("ustar", NULL, name, "x", 1);
	g_autoptr(record_t) record = read_archive("a.tar", bytes);
	const struct file *file = find(record, "2!/表/漢.txt");
	const struct file_name *best = g_ptr_array_index(file->names, 0);
	gsize length;

	cr_assert_str_eq(best->text, "漢.txt");
	cr_assert_str_eq(best->reading, "member");
	cr_assert_not_null(best->raw);
	cr_assert_arr_eq(g_bytes_get_data(best->raw, &length), name, sizeof(name) - 1);
	cr_assert_eq(length, sizeof(name) - 1);
}

Test(unpack, folders_of_either_slash_are_left_out_of_the_name)
{
	static const struct content contents[] = {
		CONTENT("a\\b\\c.exe", "1"), CONTENT("../../etc/x", "2"), CONTENT("end\\", "3")};
	g_autoptr(GBytes) bytes = pack("ustar", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.tar", bytes);

	cr_assert_str_eq(file_best_name(find(record, "2!/a\\b\\c.exe")), "c.exe");
	cr_assert_str_eq(file_best_name(find(record, "2!/../../etc/x")), "x");
	cr_assert_str_eq(file_best_name(find(record, "2!/end\\")), "end\\");
}

Test(unpack, members_of_one_name_have_paths_of_their_own)
{
	static const struct content contents[] = {CONTENT("a", "1"), CONTENT("a#2", "2"),
						  CONTENT("a", "3"), CONTENT("a", "4"),
						  CONTENT("a#3", "5")};
	g_autoptr(GBytes) bytes = pack("ustar", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.tar", bytes);

	assert_tree(record);
	assert_content(find(record, "2!/a"), "1", 1);
	assert_content(find(record, "2!/a#2"), "2", 1);
	assert_content(find(record, "2!/a#3"), "3", 1);
	assert_content(find(record, "2!/a#4"), "4", 1);
	assert_content(find(record, "2!/a#3#2"), "5", 1);
}

/* ---- what cannot be read ---- */

/* ---- mail in archives ---- */

/* Reads a message with an archive in it, as the worker does. */
static struct record *
read_mailed(const char *name, GBytes *archive, const char *body)
{
	gsize length;
	const guint8 *bytes = g_bytes_get_data(archive, &length);
	g_autofree char *encoded = g_base64_encode(bytes, length);
	g_autofree char *message = g_strdup_printf(
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%s\r\n--b\r\n"
		"Content-Type: application/octet-stream; name=%s\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n",
		body, name, encoded);

	return mime_read(message, strlen(message));
}

#define ATTACHED                                                                                 \
	"From: a@example.org\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" \
	"--c\r\n\r\nSee http://a.example/x\r\n--c\r\nContent-Type: a/b; name=f.exe\r\n"          \
	"Content-Transfer-Encoding: base64\r\n\r\ncGF5bG9hZA==\r\n--c--\r\n"

Test(unpack, a_message_in_an_archive_is_read_as_mail)
{
	static const struct content contents[] = {CONTENT("dir/A.EML", ATTACHED),
						  CONTENT("cur/123.S=4:2,S", ATTACHED "2"),
						  CONTENT("readme", "From: here\nthis is text\n")};
	g_autoptr(GBytes) zip = pack("zip", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_mailed("a.zip", zip, "Hello.");
	const struct file *file = find(record, "2!/dir/A.EML!/2");

	assert_tree(record);
	assert_content(file, "payload", 7);
	cr_assert_str_eq(file_best_name(file), "f.exe");
	cr_assert_eq(file->readings->len, 0);
	assert_content(find(record, "2!/cur/123.S=4:2,S!/2"), "payload", 7);
	file = find(record, "2!/dir/A.EML");
	assert_content(file, ATTACHED, strlen(ATTACHED));
	cr_assert(file->flags & FILE_MESSAGE);
	cr_assert(!(find(record, "2!/readme")->flags & FILE_MESSAGE));
	cr_assert_eq(record->urls->len, 1);
	cr_assert_null(record->subject);
	cr_assert_eq(record->caps->len, 0);
}

Test(unpack, an_archive_in_a_message_in_an_archive_is_opened)
{
	g_autoptr(GBytes) inner = pack_one("zip", NULL, "a.js", "alert(1)", 8);
	g_autofree char *encoded =
		g_base64_encode(g_bytes_get_data(inner, NULL), g_bytes_get_size(inner));
	g_autofree char *mail = g_strdup_printf("Content-Type: application/zip; name=i.zip\r\n"
						"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n",
						encoded);
	g_autoptr(GBytes) tar = pack_one("ustar", NULL, "m.eml", mail, strlen(mail));
	g_autoptr(record_t) record = read_mailed("a.tar", tar, "Hello.");

	assert_tree(record);
	assert_content(find(record, "2!/m.eml!/1!/a.js"), "alert(1)", 8);
}

Test(unpack, a_message_in_an_archive_is_read_in_every_way)
{
	const char *mail = "From: a@example.org\r\nContent-Transfer-Encoding: 7bit\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\ncGF5bG9hZA==\r\n";
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "m.eml", mail, strlen(mail));
	g_autoptr(record_t) record = read_mailed("a.zip", zip, "Hello.");

	assert_tree(record);
	assert_content(find(record, "2!/m.eml!/1@as-base64"), "payload", 7);
}

/* A zip with a message of so many parts. */
static struct record *
read_parts(guint count)
{
	g_autoptr(GString) mail = g_string_new("From: a@example.org\r\nContent-Type: "
					       "multipart/mixed; boundary=c\r\n\r\n");
	g_autoptr(GBytes) zip = NULL;

	for (guint i = 1; i < count; i++)
		g_string_append(mail, "--c\r\n\r\nx\r\n");
	zip = pack_one("zip", NULL, "m.eml", mail->str, mail->len);
	return read_mailed("a.zip", zip, "Hello.");
}

Test(unpack, parts_of_messages_in_archives_count_as_members)
{
	/* The message itself is one. */
	for (guint count = CAP_MEMBERS - 2; count <= CAP_MEMBERS; count++) {
		g_autoptr(record_t) record = read_parts(count);

		cr_expect_eq(record->files->len, 3 + MIN(count + 1, CAP_MEMBERS), "%u: %u", count,
			     record->files->len);
		cr_expect_eq(met(record, CAP_MEMBERS_NAME), count + 1 > CAP_MEMBERS, "%u", count);
		assert_tree(record);
	}
}

/* ---- links ---- */

#define RELATIONSHIPS                                                                          \
	"<Relationships><Relationship TargetMode=\"External\" Target=\"http://a.example/x\"/>" \
	"</Relationships>"

Test(unpack, links_of_documents_are_collected)
{
	static const struct content contents[] = {
		CONTENT("[Content_Types].xml", "<Types/>"),
		CONTENT("word/_rels/document.xml.rels", RELATIONSHIPS),
		CONTENT("word/document.xml", RELATIONSHIPS "no.rels"),
		CONTENT("b.pdf", "%PDF-1.4\n<< /S /URI /URI (http://b.example/y) >>\n"),
	};
	g_autoptr(GBytes) zip = pack("zip", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.docx", zip);

	cr_assert_eq(record->urls->len, 2);
	cr_assert_str_eq(record->urls->pdata[0], "http://a.example/x");
	cr_assert_str_eq(record->urls->pdata[1], "http://b.example/y");
	assert_content(find(record, "2!/word/_rels/document.xml.rels"), RELATIONSHIPS,
		       strlen(RELATIONSHIPS));
}

/* A docx with so many bytes of relationships, the link at their end. */
static struct record *
read_relationships(gsize bytes)
{
	g_autoptr(GString) xml = g_string_new(NULL);
	struct content content = {"_rels/a.rels", NULL, bytes};
	g_autoptr(GBytes) zip = NULL;

	while (xml->len < bytes - strlen(RELATIONSHIPS))
		g_string_append_c(xml, ' ');
	g_string_append(xml, RELATIONSHIPS);
	content.bytes = xml->str;
	zip = pack("zip", NULL, NULL, &content, 1);
	return read_archive("a.docx", zip);
}

Test(unpack, links_are_looked_for_to_the_cap_and_noted_beyond)
{
	for (gsize n = CAP_URL_SCAN_BYTES - 1; n <= CAP_URL_SCAN_BYTES + 1; n++) {
		g_autoptr(record_t) record = read_relationships(n);

		cr_expect_eq(record->urls->len, n <= CAP_URL_SCAN_BYTES, "%zu", n);
		cr_expect_eq(met(record, CAP_URL_SCAN_BYTES_NAME), n > CAP_URL_SCAN_BYTES);
	}
}

Test(unpack, encrypted_members_are_listed_and_have_no_digests)
{
	static const struct content contents[] = {CONTENT("secret.exe", "MZ secret"),
						  CONTENT("other.exe", "MZ other")};
	g_autoptr(GBytes) bytes = pack("zip", NULL, "pass", contents, G_N_ELEMENTS(contents));
	g_autoptr(record_t) record = read_archive("a.zip", bytes);
	const struct file *file = find(record, "2!/secret.exe");

	cr_assert_eq(record->files->len, 4u);
	cr_assert_eq(file->flags, (guint32)FILE_ENCRYPTED);
	cr_assert_eq(file->size, (guint64)9);
	cr_assert_not(has_digests(file));
	cr_assert_eq(find(record, "2")->flags, (guint32)FILE_ENCRYPTED);
}

/* A zip is one by its form, whatever its first member's name or the bytes before say that it is. */
Test(unpack, encrypted_members_of_any_zip_are_described_and_opened)
{
	static const char *const firsts[] = {"a.txt", "META-INF/MANIFEST.MF", "[Content_Types].xml",
					     "_rels/.rels"};

	for (gsize i = 0; i < G_N_ELEMENTS(firsts) * G_N_ELEMENTS(heads); i++) {
		const struct content contents[] = {{firsts[i % G_N_ELEMENTS(firsts)], "1", 1},
						   CONTENT("secret.exe", "MZ secret")};
		const struct content *head = &heads[i / G_N_ELEMENTS(firsts)];
		g_autoptr(GBytes) zip =
			pack("zip", NULL, "pass17", contents, G_N_ELEMENTS(contents));
		g_autoptr(GBytes) bytes = behind(head->bytes, i % 2 ? head->length : 0, 0, zip);
		g_autoptr(record_t) record = read_with("The password: pass17", "a", bytes, NULL, 1);
		const struct file *file = find(record, "2!/secret.exe");

		assert_content(file, "MZ secret", 9);
		cr_expect_str_eq(file->method, "zipcrypto+deflate+opened", "%s: %s", head->name,
				 file->method);
		cr_expect_eq(file->has_crc32, TRUE);
	}
}

/* Puts another text for one of its length, in headers and directory. */
static GBytes *
renamed(GBytes *zip, const char *name, const char *other)
{
	gsize length = 0;
	guint8 *bytes = g_bytes_unref_to_data(zip, &length);

	for (gsize i = 0; i + strlen(name) <= length; i++)
		if (memcmp(bytes + i, name, strlen(name)) == 0)
			memcpy(bytes + i, other, strlen(name));
	return g_bytes_new_take(bytes, length);
}

/* libarchive shows some names otherwise than they stand, so the place tells the members apart. */
Test(unpack, encrypted_members_are_described_whatever_their_names)
{
	static const struct content contents[] = {CONTENT("d~a.exe", "MZ secret"),
						  CONTENT("d~b.exe", "MZ other."),
						  CONTENT("d~c.exe", "MZ 3rd and longer")};
	static const guint32 sums[] = {0x2fef6f2a, 0x462e1d70, 0xf7c354f2};
	static const char *const others[] = {"\\", "\xff", "/", "~"};

	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autoptr(GBytes) bytes =
			renamed(pack("zip", NULL, "pass17", contents, G_N_ELEMENTS(contents)), "~",
				others[i]);
		g_autoptr(record_t) record = read_archive("a.zip", bytes);

		cr_assert_eq(record->files->len, 5u);
		for (guint k = 0; k < 3; k++) {
			const struct file *file = g_ptr_array_index(record->files, k + 2);

			cr_expect_str_eq(file->method ? file->method : "", "zipcrypto+deflate");
			cr_expect_eq(file->size, contents[k].length);
			cr_expect_eq(file->crc32, sums[k]);
		}
	}
}

Test(unpack, an_archive_cut_anywhere_never_gives_a_digest_of_what_was_not_read)
{
	static const char *const formats[] = {"zip", "7zip", "ustar", "newc"};

	for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autofree char *content = g_strnfill(3000, 'x');
		g_autoptr(GBytes) whole = pack_one(formats[i], NULL, "a", content, 3000);

		for (gsize length = 0; length < g_bytes_get_size(whole); length += 37) {
			g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(whole, 0, length);
			g_autoptr(record_t) record = read_archive("a", bytes);

			assert_tree(record);
			for (guint k = 2; k < record->files->len; k++) {
				const struct file *file = g_ptr_array_index(record->files, k);

				if (has_digests(file) && !(file->flags & FILE_INCOMPLETE))
					assert_content(file, content, 3000);
			}
		}
	}
}

/* One has the type of what Solaris keeps beside files, which libarchive passes and 7-Zip extracts.
 */
Test(unpack, a_file_of_a_tar_that_only_some_readers_show_is_read)
{
	static const struct content contents[] = {CONTENT("a", "content"), CONTENT("b", "other")};
	g_autoptr(GBytes) whole = pack("ustar", NULL, NULL, contents, G_N_ELEMENTS(contents));
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(GBytes) changed = NULL;
	g_autoptr(record_t) record = NULL;
	guint sum = 8 * ' ';

	g_byte_array_append(bytes, g_bytes_get_data(whole, NULL), (guint)g_bytes_get_size(whole));
	bytes->data[156] = 'A';
	for (gsize i = 0; i < 512; i++)
		sum += i < 148 || i >= 156 ? bytes->data[i] : 0;
	g_snprintf((char *)bytes->data + 148, 7, "%06o", sum);
	changed = g_bytes_new(bytes->data, bytes->len);
	record = read_archive("a.tar", changed);
	cr_assert_eq(record->files->len, 4);
	assert_content(find(record, "2!/a"), "content", 7);
	assert_content(find(record, "2!/b"), "other", 5);
	cr_assert_str_eq(find(record, "2!/a")->readings->pdata[0], "tar-header");
	cr_assert_eq(find(record, "2!/b")->readings->len, 0);
	cr_assert_eq(find(record, "2")->flags, 0);
}

/* The byte 0x81 is no character of Windows-1252, and is shown as "\\x81". */
Test(unpack, what_stands_for_a_byte_in_a_members_name_is_no_separator)
{
	static const char *const names[][2] = {
		{"dir/\x84\x94\x81.txt", "\xe2\x80\x9e\xe2\x80\x9d\\x81.txt"},
		{"dir\\\x81.txt", "x81.txt"}};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GBytes) bytes = pack_one("ustar", NULL, names[i][0], "text", 4);
		g_autoptr(record_t) record = read_archive("a.tar", bytes);

		cr_assert_eq(record->files->len, 3);
		cr_expect_str_eq(file_best_name(g_ptr_array_index(record->files, 2)), names[i][1]);
	}
}

/* ---- images of discs: Rock Ridge's list, Joliet's, and ISO 9660's own ---- */

#define SECTOR_BYTES 2048

static GByteArray *
disc(void)
{
	static const struct content contents[] = {CONTENT("a.txt", "text"),
						  CONTENT("z.exe", "payload")};
	g_autoptr(GBytes) whole = pack("iso9660", NULL, NULL, contents, G_N_ELEMENTS(contents));
	GByteArray *bytes = g_byte_array_new();

	g_byte_array_append(bytes, g_bytes_get_data(whole, NULL), (guint)g_bytes_get_size(whole));
	return bytes;
}

/* Returns the record of "z.exe" in the list that Unix and ISO 9660 have (9.1). */
static guint8 *
plain_record(const GByteArray *bytes)
{
	guint8 *name = memmem(bytes->data, bytes->len, "Z.EXE", 5);

	cr_assert(name);
	return name - 33;
}

Test(unpack, a_file_that_a_disc_hides_from_unix_is_read)
{
	GByteArray *bytes = disc();
	g_autoptr(GBytes) changed = NULL;
	g_autoptr(record_t) record = NULL;

	/* A length of none ends the list. */
	plain_record(bytes)[0] = 0;
	changed = g_byte_array_free_to_bytes(bytes);
	record = read_archive("a.iso", changed);
	cr_assert_eq(record->files->len, 4);
	assert_content(find(record, "2!/a.txt"), "text", 4);
	assert_content(find(record, "2!/z.exe"), "payload", 7);
	cr_assert_str_eq(find(record, "2!/z.exe")->readings->pdata[0], "iso-joliet");
	cr_assert_eq(find(record, "2!/a.txt")->readings->len, 0);
	cr_assert_eq(find(record, "2")->flags, 0);
}

Test(unpack, a_file_that_a_disc_calls_a_link_for_unix_is_read)
{
	GByteArray *bytes = disc();
	guint8 *record_at = plain_record(bytes);
	guint8 *mode = memmem(record_at, record_at[0], "PX", 2);
	g_autoptr(GBytes) changed = NULL;
	g_autoptr(record_t) record = NULL;

	cr_assert(mode);
	mode[4 + 1] = 0xa1; /* 0120777, by its low byte first */
	changed = g_byte_array_free_to_bytes(bytes);
	record = read_archive("a.iso", changed);
	assert_content(find(record, "2!/z.exe"), "payload", 7);
}

Test(unpack, files_of_a_disc_that_are_the_same_have_their_own_names_alone)
{
	char names[CAP_NAMES + 1][24];
	struct content contents[CAP_NAMES + 1];
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(record_t) record = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(contents); i++) {
		g_snprintf(names[i], sizeof(names[i]), "licence of the part %c", 'a' + i);
		contents[i] = (struct content){names[i], "same", 4};
	}
	bytes = pack("iso9660", NULL, NULL, contents, G_N_ELEMENTS(contents));
	record = read_archive("a.iso", bytes);
	cr_assert_eq(record->caps->len, 0);
	cr_assert_eq(record->files->len, 2 + G_N_ELEMENTS(contents));
	for (guint i = 0; i < G_N_ELEMENTS(contents); i++) {
		g_autofree char *path = g_strconcat("2!/", names[i], NULL);

		/* And that of ISO 9660. */
		cr_expect_eq(find(record, path)->names->len, 2);
	}
}

Test(unpack, a_list_by_udf_is_told_to_be_unread)
{
	for (int udf = 0; udf < 2; udf++) {
		GByteArray *bytes = disc();
		guint8 *mark = bytes->data + 16 * SECTOR_BYTES;
		g_autoptr(GBytes) changed = NULL;
		g_autoptr(record_t) record = NULL;

		while (memcmp(mark,
			      "\xff"
			      "CD001",
			      6) != 0)
			mark += SECTOR_BYTES;
		if (udf)
			memcpy(mark + SECTOR_BYTES, "\0NSR02\1", 7);
		changed = g_byte_array_free_to_bytes(bytes);
		record = read_archive("a.iso", changed);
		cr_assert_eq(record->files->len, 4);
		cr_assert_eq(find(record, "2")->flags, udf ? FILE_INCOMPLETE : 0);
	}
}

Test(unpack, damage_marks_the_archive)
{
	g_autoptr(GBytes) whole = pack_one("ustar", "gzip", "a", "content", 7);
	g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(whole, 0, g_bytes_get_size(whole) - 9);
	g_autoptr(record_t) record = read_archive("a.tgz", bytes);

	cr_assert_eq(find(record, "2")->flags, (guint32)FILE_INCOMPLETE);
	for (guint i = 2; i < record->files->len; i++)
		cr_assert_not(has_digests(g_ptr_array_index(record->files, i)));
}

/* An xz or a zstd with junk behind it that looks like more of it. */
static GBytes *
pack_followed(const char *filter, const char *text, gsize length)
{
	g_autoptr(GBytes) whole = pack_one("raw", filter, "a", text, length);
	g_autoptr(GBytes) junk = g_bytes_new_static("junk\0\0\0\0\0\0\0\0CRC4\1\0\0\0\0\1YZ", 24);

	return behind(g_bytes_get_data(whole, NULL), g_bytes_get_size(whole), 0, junk);
}

Test(unpack, what_is_whole_before_damage_is_read_and_told_to_be_incomplete)
{
	static const char *const filters[] = {"xz", "zstd"}, *const names[] = {"a.tar.xz",
									       "a.tar.zst"};
	g_autoptr(GBytes) tar = pack_one("ustar", NULL, "a.js", "alert(1)", 8);

	for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
		g_autoptr(GBytes) bytes = pack_followed(filters[i], g_bytes_get_data(tar, NULL),
							g_bytes_get_size(tar));
		g_autoptr(record_t) record = read_archive(names[i], bytes);

		cr_assert_eq(record->files->len, 4u);
		cr_assert_eq(find(record, "2")->flags, (guint32)FILE_INCOMPLETE);
		cr_assert_eq(find(record, "2!/a.tar")->flags, (guint32)FILE_INCOMPLETE);
		cr_assert(has_digests(find(record, "2!/a.tar")));
		assert_content(find(record, "2!/a.tar!/a.js"), "alert(1)", 8);
		assert_tree(record);
	}
}

/* What was read by then was of less than the whole part, and is not read twice. */
Test(unpack, a_large_content_before_damage_is_read_as_a_whole)
{
	static const char *const filters[] = {"xz", "zstd"}, *const names[] = {"a.xz", "a.zst"};
	gsize length = 3 * 1000 * 1000;
	g_autofree char *text = g_malloc(length);

	for (gsize i = 0; i < length; i++)
		text[i] = (char)(i * i >> 7);
	for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
		g_autoptr(GBytes) bytes = pack_followed(filters[i], text, length);
		g_autoptr(record_t) record = read_archive(names[i], bytes);

		cr_assert_eq(record->files->len, 3u);
		cr_assert_eq(find(record, "2!/a")->size, length);
		cr_assert(has_digests(find(record, "2!/a")));
	}
}

/* ---- caps ---- */

static const struct unpack_limits wide = {
	.members = 100,
	.bytes = 1 << 20,
	.ratio = 100,
	.free_bytes = 1 << 20,
	.kept_bytes = 1 << 20,
	.names_bytes = 1 << 20,
	.cpu_ms = 10000,
};

Test(unpack, members_end_at_their_cap)
{
	static const struct content contents[] = {CONTENT("a", "1"), CONTENT("b", "2"),
						  CONTENT("c", "3"), CONTENT("d", "4")};
	g_autoptr(GBytes) bytes = pack("zip", NULL, NULL, contents, G_N_ELEMENTS(contents));

	for (guint members = 3; members <= 5; members++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.members = members;
		record = read_at("a.zip", bytes, &limits, 1);
		cr_assert_eq(record->files->len, 2 + MIN(members, 4));
		cr_assert_eq(met(record, CAP_MEMBERS_NAME), members == 3);
		cr_assert_eq(find(record, "2")->flags & FILE_INCOMPLETE,
			     members == 3 ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

/* Reads a zip of one member of 1,000 bytes. */
static void
check_bytes(const struct unpack_limits *limits, const char *cap, gboolean past)
{
	g_autofree char *content = g_strnfill(1000, 'x');
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a", content, 1000);
	g_autoptr(record_t) record = read_at("a.zip", bytes, limits, 1);
	const struct file *file = find(record, "2!/a");

	cr_assert_eq(met(record, cap), past, "%s", cap);
	cr_assert_eq(has_digests(file), !past);
	cr_assert_eq(file->flags, past ? (guint32)FILE_INCOMPLETE : 0u);
	cr_assert_eq(find(record, "2")->flags, past ? (guint32)FILE_INCOMPLETE : 0u);
	cr_assert_eq(file->size, (guint64)1000);
}

Test(unpack, bytes_end_at_their_cap)
{
	for (guint64 most = 999; most <= 1001; most++) {
		struct unpack_limits limits = wide;

		limits.bytes = most;
		check_bytes(&limits, CAP_UNPACKED_BYTES_NAME, most < 1000);
	}
}

/* An xz with damage behind fails when most of it was read; it is read once more up to there. */
Test(unpack, bytes_that_are_read_again_count_once)
{
	const guint64 length = 300000;
	g_autofree char *content = g_strnfill(length, 'x');
	g_autoptr(GBytes) bytes = pack_followed("xz", content, length);

	for (guint64 most = length - 1; most <= length + 1; most++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.bytes = most;
		record = read_at("a.xz", bytes, &limits, 1);
		cr_assert_eq(met(record, CAP_UNPACKED_BYTES_NAME), most < length);
		cr_assert_eq(has_digests(find(record, "2!/a")), most >= length);
		cr_assert_eq(find(record, "2!/a")->flags, (guint32)FILE_INCOMPLETE);
	}
}

Test(unpack, a_ratio_counts_above_what_is_free)
{
	for (guint64 most = 999; most <= 1001; most++) {
		struct unpack_limits limits = wide;

		limits.ratio = 1;
		limits.free_bytes = most;
		check_bytes(&limits, CAP_UNPACK_RATIO_NAME, most < 1000);
	}
	for (guint ratio = 5; ratio <= 6; ratio++) {
		g_autofree char *content = g_strnfill(1000, 'x');
		g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a", content, 1000);
		struct unpack_limits limits = wide;

		limits.free_bytes = 0;
		limits.ratio = ratio;
		check_bytes(&limits, CAP_UNPACK_RATIO_NAME, ratio * g_bytes_get_size(bytes) < 1000);
	}
}

Test(unpack, no_time_left_ends_the_work)
{
	struct unpack_limits limits = wide;
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a", "x", 1);
	g_autoptr(record_t) record = NULL;

	limits.cpu_ms = 0;
	record = read_at("a.zip", bytes, &limits, 1);
	cr_assert(met(record, CAP_UNPACK_CPU_MS_NAME));
	cr_assert_eq(find(record, "2")->flags, (guint32)FILE_INCOMPLETE);
}

Test(unpack, names_end_at_their_cap)
{
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "abcd", "x", 1);

	/* "2!/abcd" and "abcd" */
	for (gsize most = 10; most <= 12; most++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.names_bytes = most;
		record = read_at("a.zip", bytes, &limits, 1);
		cr_assert_eq(record->files->len, most < 11 ? 2u : 3u);
		cr_assert_eq(met(record, CAP_NAMES_BYTES_NAME), most < 11);
	}
}

Test(unpack, an_archive_too_large_to_keep_is_read_as_far_as_it_is_kept)
{
	g_autofree char *content = g_strnfill(3 * MAGIC_IMAGE_BYTES, 'x');
	struct content contents[] = {CONTENT("first", "1"),
				     {"second", content, 3 * MAGIC_IMAGE_BYTES}};
	g_autoptr(GBytes) inner = pack("ustar", NULL, NULL, contents, G_N_ELEMENTS(contents));
	gsize length;
	const void *at = g_bytes_get_data(inner, &length);
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a.tar", at, length);

	for (int past = -1; past <= 1; past++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.kept_bytes = length - (gsize)past;
		record = read_at("a.zip", bytes, &limits, 1);
		assert_content(find(record, "2!/a.tar"), at, length);
		assert_content(find(record, "2!/a.tar!/first"), "1", 1);
		cr_assert_eq(met(record, CAP_KEPT_BYTES_NAME), past == 1);
		cr_assert_eq(find(record, "2!/a.tar")->flags & FILE_INCOMPLETE,
			     past == 1 ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

Test(unpack, a_zip_behind_a_member_too_large_to_keep_is_told_to_be_unread)
{
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);
	g_autoptr(GBytes) jpeg = jpeg_with_zip(zip, 0, FALSE);
	gsize length = g_bytes_get_size(jpeg);
	g_autoptr(GBytes) bytes =
		pack_one("zip", NULL, "b.jpg", g_bytes_get_data(jpeg, NULL), length);

	for (int past = -1; past <= 1; past++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.kept_bytes = length - (gsize)past;
		record = read_at("a.zip", bytes, &limits, 1);
		assert_content(find(record, "2!/b.jpg"), g_bytes_get_data(jpeg, NULL), length);
		cr_assert_eq(record->files->len, past == 1 ? 3u : 4u);
		cr_assert_eq(met(record, CAP_KEPT_BYTES_NAME), past == 1);
		cr_assert_eq(find(record, "2!/b.jpg")->flags,
			     past == 1 ? (guint32)FILE_INCOMPLETE : 0u);
		cr_assert_eq(find(record, "2")->flags, past == 1 ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

Test(unpack, a_zip_behind_an_attachment_too_large_to_keep_is_told_to_be_unread)
{
	static const char head[] = "Content-Type: image/jpeg; name=b.jpg\r\n"
				   "Content-Disposition: attachment\r\n"
				   "Content-Transfer-Encoding: binary\r\n\r\n\xff\xd8\xff\xe0";
	g_autoptr(GBytes) zip = pack_one("zip", NULL, "a.js", "alert(1)", 8);

	for (gsize past = 0; past <= 1; past++) {
		gsize jpeg = CAP_KEPT_BYTES - g_bytes_get_size(zip) + past;
		g_autoptr(GBytes) bytes =
			behind(head, sizeof(head) - 1, sizeof(head) - 1 - 4 + jpeg, zip);
		g_autoptr(record_t) record =
			mime_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
		const struct file *file = g_ptr_array_index(record->files, 0);

		cr_assert_eq(file->size, CAP_KEPT_BYTES + past);
		cr_assert(has_digests(file));
		cr_assert_eq(record->files->len, past ? 1u : 2u);
		cr_assert_eq(met(record, CAP_KEPT_BYTES_NAME), past > 0);
		cr_assert_eq(file->flags & FILE_INCOMPLETE, past ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

Test(unpack, a_wrapper_is_read_as_far_as_there_is_room)
{
	g_autofree char *words = g_strnfill(3 * MAGIC_IMAGE_BYTES, 'x');
	g_autofree char *text = g_strconcat(UU_HELLO, words, "\n" UU_HELLO, NULL);
	gsize length = strlen(text);
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a", text, length);

	for (int past = -1; past <= 1; past++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		/* It is kept once, and three times is decoded. */
		limits.kept_bytes = 4 * (length - (gsize)past);
		record = read_at("a.zip", bytes, &limits, 1);
		assert_content(find(record, "2!/a"), text, length);
		assert_content(find(record, "2!/a!/dir/f.exe"), "hello", 5);
		cr_assert_eq(met(record, CAP_KEPT_BYTES_NAME), past == 1);
		cr_assert_eq(find(record, "2!/a")->flags,
			     past == 1 ? (guint32)FILE_INCOMPLETE : 0u);
	}
}

Test(unpack, files_in_wrappers_are_within_the_account_of_members)
{
	static const char text[] = UU_HELLO "begin-base64 644 g\nYmFy\n====\n";
	static const char *const caps[] = {CAP_MEMBERS_NAME, CAP_UNPACKED_BYTES_NAME,
					   CAP_NAMES_BYTES_NAME, CAP_NESTING_NAME};
	g_autoptr(GBytes) bytes = pack_one("zip", NULL, "a", text, strlen(text));

	for (gsize i = 0; i < G_N_ELEMENTS(caps); i++) {
		struct unpack_limits limits = wide;
		g_autoptr(record_t) record = NULL;

		limits.members = i == 0 ? 2 : 100;
		limits.bytes = i == 1 ? strlen(text) + 7 : 1000;
		limits.names_bytes = i == 2 ? 42 : 1000;
		record = read_at("a.zip", bytes, &limits, i == 3 ? CAP_NESTING - 1 : 1);
		cr_assert(met(record, caps[i]), "%s", caps[i]);
		cr_assert_eq(record->caps->len, 1);
		cr_assert_eq(record->files->len, i == 3 ? 3u : 4u, "%s", caps[i]);
		cr_assert_eq(find(record, "2!/a")->flags, (guint32)FILE_INCOMPLETE);
		cr_assert_eq(find(record, "2")->flags, (guint32)FILE_INCOMPLETE);
	}
}

/* Reads a zip that is locked with "x7kQ!9" in a message with this text. */
static struct record *
read_locked(const char *text)
{
	static const struct content content = CONTENT("a.txt", "hello");
	g_autoptr(GBytes) bytes = pack("zip", NULL, "x7kQ!9", &content, 1);
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	struct record *record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
	gsize length;
	const void *at = g_bytes_get_data(bytes, &length);
	struct file *file = record_add_file(record, "0", -1);

	file->size = length;
	file->detected_type = g_strdup(magic_type(at, length));
	unpacker_add_text(unpacker, text, strlen(text), FALSE);
	unpack_file(unpacker, 0, at, length, 1);
	unpack_finish(unpacker);
	return record;
}

Test(unpack, words_left_untried_are_noted_where_a_zip_stays_shut)
{
	for (int over = -1; over <= 1; over++) {
		for (int first = 0; first < 2; first++) {
			g_autoptr(GString) text = g_string_new(first ? "pw: x7kQ!9\n" : "");
			g_autoptr(record_t) record = NULL;

			for (int i = 0; i < CAP_PASSWORDS + over - first; i++)
				g_string_append_printf(text, "pw: wrong%d\n", i);
			record = read_locked(text->str);
			cr_expect_eq(find(record, "0!/a.txt")->flags,
				     first ? 0u : (guint32)FILE_ENCRYPTED);
			cr_expect_eq(met(record, CAP_PASSWORDS_NAME), !first && over > 0, "%d %d",
				     over, first);
		}
	}
}

Test(unpack, text_left_unsearched_is_noted_where_a_zip_stays_shut)
{
	for (int over = -1; over <= 1; over++) {
		for (int first = 0; first < 2; first++) {
			g_autofree char *text =
				g_strnfill((gsize)(CAP_PASSWORD_TEXT_BYTES + over), '\n');
			g_autoptr(record_t) record = NULL;

			if (first)
				memcpy(text, "pw: x7kQ!9", strlen("pw: x7kQ!9"));
			record = read_locked(text);
			cr_expect_eq(find(record, "0!/a.txt")->flags,
				     first ? 0u : (guint32)FILE_ENCRYPTED);
			cr_expect_eq(met(record, CAP_PASSWORD_TEXT_BYTES_NAME), !first && over > 0,
				     "%d %d", over, first);
		}
	}
}

Test(unpack, a_bomb_in_one_part_leaves_the_next_part_its_own)
{
	g_autofree char *content = g_strnfill(100000, 'x');
	g_autoptr(GBytes) bomb = pack_one("zip", NULL, "a", content, 100000);
	g_autoptr(GBytes) plain = pack_one("zip", NULL, "b", "x", 1);
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpack_limits limits = wide;
	struct unpacker *unpacker;
	GBytes *parts[] = {bomb, plain};

	limits.free_bytes = 10;
	limits.ratio = 2;
	unpacker = unpacker_new(record, fingerprint, &limits);
	record_add_file(record, "0", -1)->flags = FILE_MULTIPART;
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		struct file *file = record_add_file(record, i ? "2" : "1", 0);
		const void *at = g_bytes_get_data(parts[i], NULL);

		file->size = g_bytes_get_size(parts[i]);
		file->detected_type = g_strdup(magic_type(at, file->size));
		unpack_file(unpacker, i + 1, at, file->size, 1);
	}
	unpack_finish(unpacker);
	cr_assert_eq(find(record, "1")->flags, (guint32)FILE_INCOMPLETE);
	cr_assert_eq(find(record, "2")->flags, 0u);
	assert_content(find(record, "2!/b"), "x", 1);
	assert_tree(record);
}
