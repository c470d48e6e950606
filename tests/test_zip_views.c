/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "unpack.h"
#include "zip_end.h"
#include "zip_views.h"

static void
preload(void)
{
	cr_assert(charset_preload(NULL) && digest_preload());
	unpack_preload();
}

#define END_BYTES 22 /* of an end record without a comment */

/* A size or offset that stands in an extra field of Zip64's. */
#define UNSET32 0xffffffffu

TestSuite(zip_views, .init = preload);

/* ---- zips, made by hand ---- */

static void
put(GByteArray *out, guint64 value, guint bytes)
{
	for (; bytes--; value >>= 8) {
		guint8 byte = (guint8)value;

		g_byte_array_append(out, &byte, 1);
	}
}

static guint32
crc32_of(const char *text)
{
	guint32 crc = ~0u;

	for (; *text; text++) {
		crc ^= (guint8)*text;
		for (guint bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* A local header and a stored content; returns where it begins. */
static gsize
put_local(GByteArray *out, const char *name, const char *text)
{
	gsize begin = out->len;

	put(out, 0x04034b50, 4);
	put(out, 10, 2);
	put(out, 0, 8); /* flags, method, time, date */
	put(out, crc32_of(text), 4);
	put(out, strlen(text), 4);
	put(out, strlen(text), 4);
	put(out, strlen(name), 2);
	put(out, 0, 2);
	g_byte_array_append(out, (const guint8 *)name, (guint)strlen(name));
	g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
	return begin;
}

/* An entry of the directory, for a content of which it says the first size bytes. */
static void
put_central(GByteArray *out, const char *name, const char *text, gsize size, gsize offset)
{
	g_autofree char *part = g_strndup(text, size);

	put(out, 0x02014b50, 4);
	put(out, 10, 2);
	put(out, 10, 2);
	put(out, 0, 8);
	put(out, crc32_of(part), 4);
	put(out, size, 4);
	put(out, size, 4);
	put(out, strlen(name), 2);
	put(out, 0, 8); /* extra, comment, disk, inner attributes */
	put(out, 0, 4); /* outer ones */
	put(out, offset, 4);
	g_byte_array_append(out, (const guint8 *)name, (guint)strlen(name));
}

/* The directory's end; base: what its offsets count from. */
static void
put_end(GByteArray *out, guint entries, gsize begin, gsize base)
{
	gsize size = out->len - begin;

	put(out, 0x06054b50, 4);
	put(out, 0, 4);
	put(out, entries, 2);
	put(out, entries, 2);
	put(out, size, 4);
	put(out, begin - base, 4);
	put(out, 0, 2);
}

/* Makes a comment of the zip that ends here, and puts its bytes there. */
static void
put_comment(GByteArray *out, const void *bytes, guint length)
{
	out->data[out->len - 2] = (guint8)length;
	out->data[out->len - 1] = (guint8)(length >> 8);
	g_byte_array_append(out, bytes, length);
}

/* Appends a whole zip of one member, as if nothing stood before it. */
static void
put_zip(GByteArray *out, const char *name, const char *text)
{
	gsize base = out->len;
	gsize begin;

	put_local(out, name, text);
	begin = out->len;
	put_central(out, name, text, strlen(text), 0);
	put_end(out, 1, begin, base);
}

/* ---- what is found ---- */

static gboolean
collect(const struct zip_view *view, gpointer user)
{
	const guint8 *header = view->bytes;

	g_string_append_printf(user, "%s %.*s;", view->reading + strlen("zip-"),
			       header[26] | header[27] << 8, (const char *)header + 30);
	return TRUE;
}

static void
assert_views(const GByteArray *zip, const char *wanted)
{
	g_autoptr(GString) found = g_string_new(NULL);

	zip_views(zip->data, zip->len, FALSE, collect, found);
	cr_assert_str_eq(found->str, wanted, "%s, not %s", found->str, wanted);
}

/* Reads a zip as a part of a message; returns "path reading size name,name;" of each member. */
static char *
members_of(const GByteArray *zip)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
	struct file *file = record_add_file(record, "1", -1);
	GString *members = g_string_new(NULL);

	file->size = zip->len;
	file->detected_type = g_strdup(unpack_type(zip->data, zip->len));
	unpack_file(unpacker, 0, zip->data, zip->len, 1);
	unpack_finish(unpacker);
	for (guint i = 1; i < record->files->len; i++) {
		file = g_ptr_array_index(record->files, i);
		g_string_append_printf(members, "%s %s %u", file->path,
				       file->readings->len ? (char *)file->readings->pdata[0] : "-",
				       (guint)file->size);
		for (guint n = 0; n < file->names->len; n++)
			g_string_append_printf(members, "%s%s", n ? "," : " ",
					       ((struct file_name *)file->names->pdata[n])->text);
		g_string_append_c(members, ';');
	}
	return g_string_free(members, FALSE);
}

static void
assert_members(const GByteArray *zip, const char *wanted)
{
	g_autofree char *members = members_of(zip);

	cr_assert_str_eq(members, wanted, "%s, not %s", members, wanted);
}

Test(zip_views, an_honest_zip_has_none_also_behind_something_else)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	put_zip(zip, "a.txt", "hello");
	assert_views(zip, "");
	assert_members(zip, "1!/a.txt - 5 a.txt;");
	g_byte_array_prepend(zip, (const guint8 *)"#!/bin/sh\n", 10);
	assert_views(zip, "");
}

/* Puts bytes into a zip's local header and its directory's entry as the extra field. */
static GByteArray *
zip_with_extra(const char *name, const char *text, const char *extra, guint length,
	       guint attributes)
{
	GByteArray *zip = g_byte_array_new();
	gsize begin;

	put_local(zip, name, text);
	zip->data[28] = (guint8)length;
	g_byte_array_append(zip, (const guint8 *)extra, length);
	memmove(zip->data + 30 + strlen(name) + length, zip->data + 30 + strlen(name),
		strlen(text));
	memcpy(zip->data + 30 + strlen(name), extra, length);
	begin = zip->len;
	put_central(zip, name, text, strlen(text), 0);
	zip->data[begin + 5] = 3;
	zip->data[begin + 40] = (guint8)attributes;
	zip->data[begin + 41] = (guint8)(attributes >> 8);
	put_end(zip, 1, begin, 0);
	return zip;
}

/* "xl" of libarchive: system, attributes, by which it is a link. */
#define XL "\x78\x6c\x09\0\x07\x14\x03\0\0\0\0\xff\xa1"

Test(zip_views, what_is_called_no_file_is_one)
{
	static const struct {
		const char *extra;
		guint length, attributes;
	} cases[] = {{XL, 13, 0},
		     {"", 0, 0120777},
		     {"", 0, 0040755},
		     {"", 0, 0020644},
		     {XL, 13, 0120777}};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) zip = zip_with_extra("a.js", "alert(1)", cases[i].extra,
							   cases[i].length, cases[i].attributes);
		g_autoptr(GByteArray) program = g_byte_array_new();
		g_autofree void *files = zip_as_files(zip->data, zip->len);

		cr_assert(files != NULL);
		cr_assert_eq(zip_as_files(files, zip->len), NULL);
		assert_members(zip, "1!/a.js - 8 a.js;");
		/* Behind a program, too. */
		g_byte_array_append(program, (const guint8 *)"MZ", 2);
		g_byte_array_set_size(program, 600);
		memset(program->data + 2, 0, 598);
		g_byte_array_append(program, zip->data, zip->len);
		assert_members(program, "1!/a.js - 8 a.js;");
	}
}

Test(zip_views, what_is_called_no_file_and_is_in_no_directory_is_one)
{
	g_autoptr(GByteArray) zip = zip_with_extra("a.js", "alert(1)", XL, 13, 0);

	put_zip(zip, "b.txt", "hello");
	assert_members(zip, "1!/b.txt - 5 b.txt;1!/a.js zip-local-header 8 a.js;");
}

Test(zip_views, a_content_whose_name_is_a_folder_s_is_a_file)
{
	static const struct {
		const char *name, *text, *members;
	} cases[] = {
		{"d/", "", ""},
		{"d\\", "", ""},
		{"a.js/", "alert(1)", "1!/a.js zip-central-directory 8 a.js;"},
		{"d/a.js//", "alert(1)", "1!/d/a.js zip-central-directory 8 a.js;"},
		{"a.js\\", "alert(1)", "1!/a.js\\ zip-local-header 8 a.js\\,a.js;"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) zip = zip_with_extra(cases[i].name, cases[i].text, "", 0, 0);

		zip->data[zip->len - 22 - 46 - strlen(cases[i].name) + 5] = 0; /* of DOS */
		assert_members(zip, cases[i].members);
	}
}

Test(zip_views, strong_encryption_without_encryption_is_none)
{
	g_autoptr(GByteArray) zip = zip_with_extra("a.js", "alert(1)", "", 0, 0);

	zip->data[6] = 1 << 6;
	zip->data[30 + 4 + 8 + 8] = 1 << 6;
	assert_members(zip, "1!/a.js - 8 a.js;1!/a.js#2 zip-local-header 8 a.js;");
}

/* "up" of Info-ZIP: version, CRC-32 of "a.js", and the name that it has to those who know it. */
#define UP(crc, name) "\x75\x70\x0a\0\x01" crc name
#define UP_BYTES 14
#define A_JS_CRC "\x3b\x87\x13\xc6"

Test(zip_views, a_member_has_its_name_and_that_of_a_field)
{
	static const struct {
		const char *extra, *members;
	} cases[] = {
		{UP(A_JS_CRC, "b.txt"), "1!/b.txt - 8 b.txt,a.js;"},
		/* Of another name. */
		{UP("\1\2\3\4", "b.txt"), "1!/a.js - 8 a.js;"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) zip =
			zip_with_extra("a.js", "alert(1)", cases[i].extra, UP_BYTES, 0);

		assert_members(zip, cases[i].members);
	}
}

static const struct file *
member_named(const struct record *record, const char *path)
{
	for (guint i = 0; i < record->files->len; i++)
		if (g_str_equal(((struct file *)record->files->pdata[i])->path, path))
			return record->files->pdata[i];
	return NULL;
}

/* What is cleared in one member's header is the content of another. */
Test(zip_views, a_member_in_another_leaves_its_content_as_it_is)
{
	g_autoptr(GByteArray) inner = zip_with_extra("b.js", "alert(1)", XL, 13, 0);
	g_autoptr(GByteArray) zip = g_byte_array_new();
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
	struct file *file = record_add_file(record, "1", -1);
	guint8 wanted[SHA256_BYTES];
	gsize content, begin;

	/* Sizes of one byte, at 18 and 22 of the header and 20 and 24 of the entry. */
	cr_assert_lt(inner->len, 256u);
	put_local(zip, "a.bin", "");
	content = zip->len;
	zip->data[18] = zip->data[22] = (guint8)inner->len;
	g_byte_array_append(zip, inner->data, inner->len);
	begin = zip->len;
	put_central(zip, "b.js", "alert(1)", 8, content);
	put_central(zip, "a.bin", "", 0, 0);
	zip->data[begin + 50 + 20] = zip->data[begin + 50 + 24] = (guint8)inner->len;
	put_end(zip, 2, begin, 0);
	digest_sha256(zip->data + content, inner->len, wanted);
	cr_assert_eq(zip_as_files(zip->data, zip->len), NULL);
	file->size = zip->len;
	file->detected_type = g_strdup("application/zip");
	unpack_file(unpacker, 0, zip->data, zip->len, 1);
	unpack_finish(unpacker);
	cr_assert(member_named(record, "1!/a.bin") != NULL);
	cr_assert_arr_eq(member_named(record, "1!/a.bin")->digests.sha256, wanted, SHA256_BYTES);
	cr_assert(member_named(record, "1!/b.js") != NULL);
}

Test(zip_views, an_honest_zip_is_no_copy)
{
	g_autoptr(GByteArray) zip = zip_with_extra("a.js", "alert(1)", "", 0, 0100644);
	g_autoptr(GByteArray) folder = zip_with_extra("d/", "", "", 0, 0040755);

	cr_assert_eq(zip_as_files(zip->data, zip->len), NULL);
	cr_assert_eq(zip_as_files(folder->data, folder->len), NULL);
}

Test(zip_views, of_one_that_a_reader_gives_up_each_member_is_shown)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	put_zip(zip, "a.txt", "hello");
	zip_views(zip->data, zip->len, TRUE, collect, found);
	cr_assert_str_eq(found->str, "central-directory a.txt;");
}

Test(zip_views, a_member_without_an_entry_of_the_directory_is_found)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize begin;

	put_local(zip, "a.txt", "hello");
	put_local(zip, "evil.exe", "payload");
	put_local(zip, "folder/", "");
	begin = zip->len;
	put_central(zip, "a.txt", "hello", 5, 0);
	put_end(zip, 1, begin, 0);
	assert_views(zip, "local-header evil.exe;");
	assert_members(zip, "1!/a.txt - 5 a.txt;1!/evil.exe zip-local-header 7 evil.exe;");
}

Test(zip_views, a_member_is_found_in_one_that_is_longer_in_the_directory_alone)
{
	for (guint descriptor = 0; descriptor <= 1; descriptor++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		g_autoptr(GString) found = g_string_new(NULL);
		gsize begin;

		put_local(zip, "a.txt", "hello");
		if (descriptor) {
			zip->data[6] = 1 << 3;
			memset(zip->data + 14, 0, 12);
			put(zip, 0x08074b50, 4);
			put(zip, crc32_of("hello"), 4);
			put(zip, 5, 4);
			put(zip, 5, 4);
		}
		put_local(zip, "b.txt", "world");
		begin = zip->len;
		put_central(zip, "a.txt", "hello", 5, 0);
		put_end(zip, 1, begin, 0);
		zip->data[begin + 20] = 80;
		zip_views(zip->data, zip->len, FALSE, collect, found);
		cr_assert(strstr(found->str, "local-header b.txt;"), "%s", found->str);
	}
}

Test(zip_views, members_of_an_empty_directory_are_found)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	put_local(zip, "evil.exe", "payload");
	put_end(zip, 0, zip->len, 0);
	assert_views(zip, "local-header evil.exe;");
	assert_members(zip, "1!/evil.exe zip-local-header 7 evil.exe;");
}

Test(zip_views, both_of_two_zips_in_a_row_are_read)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	put_zip(zip, "evil.exe", "payload");
	put_zip(zip, "a.txt", "hello");
	assert_views(zip, "local-header evil.exe;");
	assert_members(zip, "1!/a.txt - 5 a.txt;1!/evil.exe zip-local-header 7 evil.exe;");
}

Test(zip_views, a_directory_may_be_at_two_places)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize first, begin;

	put_local(zip, "a.txt", "hello");
	first = zip->len;
	put_central(zip, "b.txt", "hello", 5, 0);
	begin = zip->len;
	put_central(zip, "a.txt", "hello", 5, 0);
	put_end(zip, 1, begin, begin - first);
	assert_members(zip, "1!/a.txt zip-central-directory 5 a.txt,b.txt;");
}

Test(zip_views, offsets_may_count_from_two_places)
{
	for (guint absolute = 0; absolute <= 1; absolute++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		gsize begin;

		g_byte_array_append(zip, (const guint8 *)"hello, hello", 12);
		put_local(zip, "a.txt", "hello");
		put_local(zip, "b.txt", "world");
		begin = zip->len;
		/* Of a header that says another name, which is shown if it is found. */
		put_central(zip, "c.txt", "hello", 5, absolute ? 12 : 0);
		put_end(zip, 1, begin, absolute ? 12 : 0);
		assert_views(zip, "local-header a.txt;central-directory c.txt;local-header b.txt;");
	}
}

/* The directory's offset leads there because nothing is where it should. */
Test(zip_views, a_header_of_another_hides_none_behind_it)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize begin;

	put_local(zip, "\5", "");
	put_local(zip, "a.txt", "hello");
	begin = zip->len;
	put_central(zip, "b.zip", "hello, hello", 40, 0);
	put_end(zip, 1, begin, 4);
	assert_views(zip, "local-header \5;central-directory b.zip;local-header a.txt;");
}

Test(zip_views, behind_a_program_what_a_reader_gives_up_hides_no_other)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize begin;

	g_byte_array_append(zip, (const guint8 *)"MZ", 2);
	g_byte_array_set_size(zip, 600);
	memset(zip->data + 2, 0, 598);
	put_local(zip, "a.txt", "hello");
	put_local(zip, "b.txt", "world!");
	begin = zip->len;
	put_central(zip, "c.txt", "world!", 6, 600 + 35 + 5);
	put_central(zip, "a.txt", "hello", 5, 600);
	put_central(zip, "a.txt", "hello", 5, 5); /* where nothing begins */
	put_end(zip, 3, begin, 0);
	zip->data[begin + 8] = 1 << 3; /* unlike the header */
	assert_members(zip, "1!/b.txt zip-local-header 6 b.txt,c.txt;"
			    "1!/a.txt zip-central-directory 5 a.txt;");
}

Test(zip_views, a_header_that_is_next_may_have_any_name)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	put_local(zip, "", "hello");
	put_local(zip, "aQb", "hello");
	zip->data[zip->len - strlen("Qbhello")] = '\0';
	put_end(zip, 0, zip->len, 0);
	/* The first has none. */
	assert_members(zip, "1!/data zip-local-header 5 data,a;");
}

Test(zip_views, what_is_left_of_a_header_hides_no_other)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	put_local(zip, "", "hello");
	zip->data[20] = 1; /* 64 KiB */
	put_local(zip, "a.txt", "world!");
	put_end(zip, 0, zip->len, 0);
	assert_views(zip, "local-header ;local-header a.txt;");
}

Test(zip_views, a_member_with_two_names_has_both)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize begin;

	put_local(zip, "a.txt", "payload");
	begin = zip->len;
	put_central(zip, "evil.exe", "payload", 7, 0);
	put_end(zip, 1, begin, 0);
	assert_views(zip, "local-header a.txt;central-directory evil.exe;");
	assert_members(zip, "1!/a.txt - 7 a.txt,evil.exe;");
}

Test(zip_views, a_member_with_two_sizes_has_both_contents)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	g_autofree char *members = NULL;
	gsize begin;

	put_local(zip, "a.exe", "payload and more");
	begin = zip->len;
	put_central(zip, "a.exe", "payload and more", 7, 0);
	put_end(zip, 1, begin, 0);
	assert_views(zip, "local-header a.exe;central-directory a.exe;");
	members = members_of(zip);
	cr_assert(strstr(members, " 16 ") != NULL, "%s", members);
	cr_assert(strstr(members, " 7 ") != NULL, "%s", members);
}

Test(zip_views, a_zip_ends_what_has_its_directory_whatever_is_before)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	g_autoptr(GByteArray) behind = g_byte_array_new();

	put_zip(zip, "a.txt", "hello");
	g_byte_array_append(behind, (const guint8 *)"garbage\n", 8);
	g_byte_array_append(behind, zip->data, zip->len);
	cr_assert_eq(zip_ends(zip->data, zip->len), zip->len);
	cr_assert_eq(zip_ends(behind->data, behind->len), behind->len);
	g_byte_array_append(behind, (const guint8 *)"PK\5\7 bytes \6", 13);
	cr_assert_eq(zip_ends(behind->data, behind->len), zip->len + 8);
	for (guint length = 0; length < zip->len; length++) {
		g_autofree guint8 *copy = g_memdup2(zip->data, length);

		cr_expect(!zip_ends(copy, length), "%u", length);
	}
	cr_assert(!zip_ends("words about PK\5\6, and so on", 28));
}

/* End records that have no directory: of an empty zip, and of one that lies elsewhere. */
static const char *const false_ends[] = {
	"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	"PK\5\6\0\0\0\0\1\0\1\0\x2e\0\0\0\1\0\0\0\0\0",
	"PK\5\6\0\0\0\0\1\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0",
};

/* Puts a zip's end, and before it Zip64's own; unset: the other's values are to be found there. */
static void
put_wide_end(GByteArray *out, gsize begin, gsize base, gboolean unset)
{
	gsize size = out->len - begin, end = out->len;

	put(out, 0x06064b50, 4);
	put(out, 44, 8);
	put(out, 45, 4); /* versions */
	put(out, 0, 8);	 /* disks */
	put(out, 1, 8);
	put(out, 1, 8);
	put(out, size, 8);
	put(out, begin - base, 8);
	put(out, 0x07064b50, 4);
	put(out, 0, 4);
	put(out, end - base, 8);
	put(out, 1, 4);
	put_end(out, 1, begin, base);
	if (unset)
		memset(out->data + out->len - 10, 0xff, 8);
}

/* In one or the other way, with something before the zip. */
static void
check_wide_end(gboolean unset, const char *before, const char *members)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	gsize base = strlen(before), begin;

	g_byte_array_append(zip, (const guint8 *)before, (guint)base);
	put_local(zip, "a.txt", "hello");
	begin = zip->len;
	put_central(zip, "a.txt", "hello", 5, 0);
	put_wide_end(zip, begin, base, unset);
	cr_assert_eq(zip_ends(zip->data, zip->len), zip->len);
	assert_views(zip, "");
	assert_members(zip, members);
}

Test(zip_views, zip64_s_own_end_is_passed_whatever_stands_before_the_zip)
{
	check_wide_end(FALSE, "", "1!/a.txt - 5 a.txt;");
	check_wide_end(TRUE, "", "1!/a.txt - 5 a.txt;");
	check_wide_end(FALSE, "hello, hello", "1!/a.txt - 5 a.txt;");
	check_wide_end(TRUE, "hello, hello", "1!/a.txt zip-central-directory 5 a.txt;");
}

Test(zip_views, end_records_in_the_comment_are_passed)
{
	static const char *const heads[] = {"", "only words\n", "\xff\xd8\xff\xe0 and more", "MZ"};

	for (gsize i = 0; i < G_N_ELEMENTS(heads) * G_N_ELEMENTS(false_ends); i++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		g_autoptr(GArray) offsets = NULL;
		const char *head = heads[i % G_N_ELEMENTS(heads)];
		gsize begin;
		guint end;

		g_byte_array_append(zip, (const guint8 *)head, (guint)strlen(head));
		put_zip(zip, "evil.exe", "payload");
		end = zip->len;
		cr_expect_eq(zip_record_ends(zip->data, zip->len), zip->len);
		put_comment(zip, false_ends[i / G_N_ELEMENTS(heads)], END_BYTES);
		cr_expect_eq(zip_ends(zip->data, zip->len), zip->len);
		cr_expect_eq(zip_record_ends(zip->data, zip->len), end);
		offsets = zip_offsets(zip->data, zip->len, &begin);
		cr_expect_eq(offsets->len, 1u);
		cr_expect_eq(begin, strlen(head));
		assert_views(zip, "");
		assert_members(zip, "1!/evil.exe - 7 evil.exe;");
	}
}

Test(zip_views, end_records_are_looked_for_as_far_as_a_comment_reaches)
{
	for (guint more = 0; more < 2; more++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		guint end, length = 65535 + more;

		put_zip(zip, "a.txt", "hello");
		end = zip->len;
		for (guint i = 0; i < length / END_BYTES; i++)
			g_byte_array_append(zip, (const guint8 *)false_ends[1], END_BYTES);
		g_byte_array_set_size(zip, end + length);
		cr_expect_eq(zip_ends(zip->data, zip->len), more ? 0 : end, "%u", more);
	}
}

Test(zip_views, the_last_bytes_tell_in_whatever_pieces_they_come)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();

	g_byte_array_set_size(zip, 1000);
	memset(zip->data, 0, zip->len);
	put_zip(zip, "a.txt", "hello");
	for (guint piece = 1; piece <= zip->len; piece++) {
		struct zip_tail tail = {.length = 0};

		for (guint at = 0; at < zip->len; at += piece) {
			cr_assert(at >= 1000 || !zip_tail_may_end(&tail));
			zip_tail_add(&tail, zip->data + at, MIN(piece, zip->len - at));
		}
		cr_assert(zip_tail_may_end(&tail), "%u", piece);
	}
}

Test(zip_views, a_comment_of_any_length_does_not_hide_where_a_zip_ends)
{
	static const guint rests[] = {4, 22, 255, 256, 300, 65556, 65557, 65558, 70000};

	for (gsize i = 0; i < G_N_ELEMENTS(rests); i++) {
		struct zip_tail tail = {0};
		g_autofree guint8 *zeros = g_malloc0(rests[i]);

		zip_tail_add(&tail, "some bytes PK", 13);
		zip_tail_add(&tail, "\5\6", 2);
		zip_tail_add(&tail, zeros, rests[i] - 4);
		cr_expect_eq(zip_tail_may_end(&tail), rests[i] <= END_BYTES + 65535, "%u",
			     rests[i]);
	}
}

/* What no record can be any more, so near to the end, does not hide one before it. */
Test(zip_views, the_last_bytes_tell_whatever_the_comment_ends_with)
{
	for (guint rest = 4; rest <= END_BYTES + 1; rest++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		g_autofree char *comment = g_strnfill(rest, 'x');
		struct zip_tail tail = {0};

		memcpy(comment, "PK\5\6", 4);
		put_zip(zip, "a.txt", "hello");
		put_comment(zip, comment, rest);
		zip_tail_add(&tail, zip->data, zip->len);
		cr_expect_eq(zip_ends(zip->data, zip->len), zip->len, "%u", rest);
		cr_expect(zip_tail_may_end(&tail), "%u", rest);
	}
}

Test(zip_views, what_is_cut_or_none_has_none)
{
	g_autoptr(GByteArray) zip = g_byte_array_new();
	g_autoptr(GString) found = g_string_new(NULL);

	put_zip(zip, "a.txt", "hello");
	for (guint length = 0; length < zip->len; length++)
		zip_views(zip->data, length, FALSE, collect, found);
	cr_assert_str_eq(found->str, "");
}

/* A zip of so many members and an empty directory. */
static GByteArray *
stray_zip(guint count)
{
	GByteArray *zip = g_byte_array_new();

	for (guint i = 0; i < count; i++)
		put_local(zip, "a", "");
	put_end(zip, 0, zip->len, 0);
	return zip;
}

/* With the sanitizers this fails for a pointer that is made of an offset before it is checked. */
Test(zip_views, a_member_of_any_offset_is_looked_for_within_alone)
{
	static const guint64 offsets[] = {G_MAXUINT64, G_MAXUINT64 - 29, G_MAXINT64, 1000000};

	for (gsize i = 0; i < G_N_ELEMENTS(offsets); i++) {
		g_autoptr(GByteArray) zip = g_byte_array_new();
		gsize begin;

		put_local(zip, "a.txt", "hello");
		begin = zip->len;
		put_central(zip, "a.txt", "hello", 5, UNSET32);
		zip->data[begin + 30] = 12; /* of the extra field: Zip64's */
		put(zip, 1, 2);
		put(zip, 8, 2);
		put(zip, offsets[i], 8);
		put_end(zip, 1, begin, 0);
		assert_views(zip, "local-header a.txt;");
	}
}

static gboolean
count_view(const struct zip_view *view, gpointer user)
{
	++*(guint *)user;
	return TRUE;
}

Test(zip_views, they_are_shown_to_the_cap)
{
	for (guint count = 2 * CAP_MEMBERS - 1; count <= 2 * CAP_MEMBERS + 1; count++) {
		g_autoptr(GByteArray) zip = stray_zip(count);
		guint shown = 0;

		zip_views(zip->data, zip->len, FALSE, count_view, &shown);
		cr_expect_eq(shown, MIN(count, 2 * CAP_MEMBERS), "%u of %u", shown, count);
	}
}
