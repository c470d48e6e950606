/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>

#include "charset.h"
#include "magic.h"
#include "rar_headers.h"
#include "self_extracting.h"
#include "unpack.h"

#define PASSWORD 0x0004
#define CONTENT "sixteen bytes or more"

static void
preload(void)
{
	cr_assert(charset_preload(NULL) && digest_preload());
	unpack_preload();
}

TestSuite(rar_headers, .init = preload);

static void
put(GByteArray *out, guint64 value, guint bytes)
{
	for (; bytes--; value >>= 8) {
		guint8 byte = (guint8)value;

		g_byte_array_append(out, &byte, 1);
	}
}

static guint32
crc32_of(const void *bytes, gsize length)
{
	guint32 crc = ~0u;

	for (const guint8 *at = bytes; length--; at++) {
		crc ^= *at;
		for (guint bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* Appends a block: its checksum, then what stands in its header from the type on. */
static void
put_block(GByteArray *out, guint type, guint flags, const GByteArray *rest)
{
	g_autoptr(GByteArray) header = g_byte_array_new();

	put(header, type, 1);
	put(header, flags, 2);
	put(header, 7 + rest->len, 2);
	g_byte_array_append(header, rest->data, rest->len);
	put(out, crc32_of(header->data, header->len) & 0xffff, 2);
	g_byte_array_append(out, header->data, header->len);
}

/* Begins a rar of version 4. */
static GByteArray *
rar_new(guint flags)
{
	GByteArray *rar = g_byte_array_new();
	g_autoptr(GByteArray) rest = g_byte_array_new();

	g_byte_array_append(rar, (const guint8 *)"Rar!\x1a\x07", 7);
	put(rest, 0, 6);
	put_block(rar, 0x73, flags, rest);
	return rar;
}

/* Appends a stored member with CONTENT's CRC-32; what stands there is another text as long. */
static void
put_file(GByteArray *rar, const char *name, guint flags)
{
	g_autoptr(GByteArray) rest = g_byte_array_new();
	gsize size = strlen(CONTENT);
	g_autofree char *sealed = g_strnfill(size, '?');

	put(rest, size, 4);
	put(rest, size, 4);
	put(rest, 3, 1); /* Unix */
	put(rest, crc32_of(CONTENT, size), 4);
	put(rest, 0, 4);
	put(rest, 29, 1);
	put(rest, 0x30, 1);
	put(rest, strlen(name), 2);
	put(rest, 0100644, 4);
	g_byte_array_append(rest, (const guint8 *)name, (guint)strlen(name));
	put_block(rar, 0x74, 0x8000 | flags, rest);
	g_byte_array_append(rar, (const guint8 *)(flags & PASSWORD ? sealed : CONTENT),
			    (guint)size);
}

static void
put_end(GByteArray *rar)
{
	g_autoptr(GByteArray) rest = g_byte_array_new();

	put_block(rar, 0x7b, 0x4000, rest);
}

/* ---- version 5 ---- */

/* Appends a number as version 5 has it. */
static void
put_number(GByteArray *out, guint64 number)
{
	for (; number >= 0x80; number >>= 7)
		put(out, (number & 0x7f) | 0x80, 1);
	put(out, number, 1);
}

static void
put_head(GByteArray *out, const GByteArray *rest)
{
	g_autoptr(GByteArray) header = g_byte_array_new();

	put_number(header, rest->len);
	g_byte_array_append(header, rest->data, rest->len);
	put(out, crc32_of(header->data, header->len), 4);
	g_byte_array_append(out, header->data, header->len);
}

/* Begins a rar of version 5; with hides, its headers would be encrypted from here on. */
static GByteArray *
rar5_new(gboolean hides)
{
	GByteArray *rar = g_byte_array_new();
	g_autoptr(GByteArray) rest = g_byte_array_new();

	g_byte_array_append(rar, (const guint8 *)"Rar!\x1a\x07\x01", 8);
	put_number(rest, hides ? 4 : 1);
	put_number(rest, 0);
	put(rest, 0, hides ? 19 : 1);
	put_head(rar, rest);
	return rar;
}

#define PLAIN (-1)
#define TWEAKED 2
#define FOLDER 1
#define SPLIT 0x10

/* Appends a member with CONTENT's CRC-32; encryption: its flags, or PLAIN. */
static void
put_file5(GByteArray *rar, const char *name, int encryption, guint entry, guint split)
{
	g_autoptr(GByteArray) rest = g_byte_array_new(), record = g_byte_array_new();
	gsize size = strlen(CONTENT);
	g_autofree char *sealed = g_strnfill(size, '?');

	put_number(record, 1);
	put_number(record, 0);
	put_number(record, (guint64)MAX(encryption, 0));
	put(record, 4, 1);
	put(record, 0, 8);
	put(record, 0, 8);
	put(record, 0, 8);
	put(record, 0, 8);
	put_number(rest, 2);
	put_number(rest, 2 | split | (encryption != PLAIN));
	if (encryption != PLAIN)
		put_number(rest, record->len + 4); /* with a record of another kind before it */
	put_number(rest, size);
	put_number(rest, 4 | entry);
	put_number(rest, size);
	put_number(rest, 0100644);
	put(rest, crc32_of(CONTENT, size), 4);
	put_number(rest, 0);
	put_number(rest, 1);
	put_number(rest, strlen(name));
	g_byte_array_append(rest, (const guint8 *)name, (guint)strlen(name));
	if (encryption != PLAIN) {
		put_number(rest, 2);
		put(rest, 9, 2);
		put_number(rest, record->len);
		g_byte_array_append(rest, record->data, record->len);
	}
	put_head(rar, rest);
	g_byte_array_append(rar, (const guint8 *)(encryption == PLAIN ? CONTENT : sealed),
			    (guint)size);
}

static void
put_end5(GByteArray *rar)
{
	g_autoptr(GByteArray) rest = g_byte_array_new();

	put_number(rest, 5);
	put(rest, 0, 2);
	put_head(rar, rest);
}

/* ---- what is told ---- */

/* Returns "name:flags name:flags": e encrypted, c with a CRC-32; a "hidden" at the end. */
static char *
told(const GByteArray *rar, gsize length)
{
	GString *text = g_string_new(NULL);
	struct rar_headers headers;
	struct rar_member member;

	rar_headers_init(&headers, rar->data, length);
	while (rar_headers_next(&headers, &member)) {
		g_string_append_printf(text, "%.*s:%s%s ", (int)member.name_length, member.name,
				       member.encrypted ? "e" : "", member.has_crc32 ? "c" : "");
		cr_assert_eq(member.size, strlen(CONTENT));
		cr_assert(!member.has_crc32 || member.crc32 == crc32_of(CONTENT, strlen(CONTENT)));
	}
	return g_string_free(g_string_append(text, headers.hidden ? "hidden" : ""), FALSE);
}

static void
assert_told(const GByteArray *rar, const char *wanted)
{
	g_autofree char *text = told(rar, rar->len);

	cr_assert_str_eq(text, wanted, "%s", text);
}

Test(rar_headers, members_are_told_and_folders_are_not)
{
	g_autoptr(GByteArray) rar = rar_new(0);

	put_file(rar, "a.exe", PASSWORD);
	put_file(rar, "b.txt", 0);
	put_file(rar, "folder", PASSWORD | 0xe0);
	put_file(rar, "half", PASSWORD | 2);
	put_file(rar, "c.exe", PASSWORD);
	put_end(rar);
	assert_told(rar, "a.exe:ec b.txt:c half:e c.exe:ec ");
}

Test(rar_headers, members_of_version_5_are_told_with_the_crc32_that_has_no_password_in_it)
{
	g_autoptr(GByteArray) rar = rar5_new(FALSE);

	put_file5(rar, "a.exe", 0, 0, 0);
	put_file5(rar, "b.txt", PLAIN, 0, 0);
	put_file5(rar, "folder", 0, FOLDER, 0);
	put_file5(rar, "tweaked", TWEAKED, 0, 0);
	put_file5(rar, "half", 0, 0, SPLIT);
	put_file5(rar, "c.exe", 0, 0, 0);
	put_end5(rar);
	assert_told(rar, "a.exe:ec b.txt:c tweaked:e half:e c.exe:ec ");
}

/* As libarchive's own test file has it, which whoever looks at the bytes alone can read. */
Test(rar_headers, what_is_said_to_be_encrypted_and_is_not_is_read)
{
	g_autoptr(GByteArray) rar = rar5_new(FALSE);
	gsize size = strlen(CONTENT);

	put_file5(rar, "a.exe", 0, 0, 0);
	memcpy(rar->data + rar->len - size, CONTENT, size);
	assert_told(rar, "a.exe:c ");
	rar->data[rar->len - 1] ^= 1;
	assert_told(rar, "a.exe:ec ");
}

Test(rar_headers, what_is_hidden_is_told_and_none_of_it)
{
	g_autoptr(GByteArray) four = rar_new(0x80), five = rar5_new(TRUE);

	put_file(four, "a.exe", PASSWORD);
	put_file5(five, "a.exe", 0, 0, 0);
	assert_told(four, "hidden");
	assert_told(five, "hidden");
}

Test(rar_headers, a_rar_behind_a_program_is_found_to_the_end_of_its_bytes)
{
	for (int more = -1; more <= 1; more++) {
		g_autoptr(GByteArray) rar = rar5_new(FALSE), whole = g_byte_array_new();
		g_autofree char *text = NULL;

		put_file5(rar, "a.exe", 0, 0, 0);
		g_byte_array_set_size(whole, (guint)(RAR_PROGRAM_BYTES - 6 + more));
		memset(whole->data, 'M', whole->len);
		g_byte_array_append(whole, rar->data, rar->len);
		text = told(whole, whole->len);
		cr_expect_str_eq(text, more <= 0 ? "a.exe:ec " : "", "%d: %s", more, text);
	}
}

Test(rar_headers, what_is_cut_tells_nothing)
{
	g_autoptr(GByteArray) four = rar_new(0), five = rar5_new(FALSE);
	gsize four_head = four->len + 32 + strlen("a.exe"), five_head;

	put_file(four, "a.exe", PASSWORD);
	put_file5(five, "a.exe", 0, 0, 0);
	five_head = five->len - strlen(CONTENT);
	for (gsize length = 0; length < five_head; length++) {
		g_autofree char *of_four = told(four, MIN(length, four_head - 1));
		g_autofree char *of_five = told(five, length);

		cr_expect_str_eq(of_four, "", "%zu", length);
		cr_expect_str_eq(of_five, "", "%zu", length);
	}
	memcpy(four->data, "Rar!\x1a\x07\x02", 7);
	assert_told(four, "");
}

/* Reads a rar of b.txt, plain, and a.exe, encrypted. */
static void
assert_candidate(const GByteArray *rar, const char *method)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
	struct file *file = record_add_file(record, "1", -1);
	static const struct digests none;

	file->size = rar->len;
	file->detected_type = g_strdup(magic_type(rar->data, rar->len));
	unpack_file(unpacker, 0, rar->data, rar->len, 1);
	unpack_finish(unpacker);
	cr_assert_eq(record->files->len, 3);
	cr_assert(((struct file *)record->files->pdata[0])->flags & FILE_ENCRYPTED);
	file = record->files->pdata[1];
	cr_assert(!(file->flags & FILE_ENCRYPTED));
	cr_assert(memcmp(&file->digests, &none, sizeof(none)) != 0);
	file = record->files->pdata[2];
	cr_assert_str_eq(file->path, "1!/a.exe");
	cr_assert(file->flags & FILE_ENCRYPTED);
	cr_assert(memcmp(&file->digests, &none, sizeof(none)) == 0, "of what is no content");
	cr_assert_eq(file->size, strlen(CONTENT));
	cr_assert(file->has_crc32);
	cr_assert_eq(file->crc32, crc32_of(CONTENT, strlen(CONTENT)));
	cr_assert_str_eq(file->method, method);
}

Test(rar_headers, a_member_is_a_candidate)
{
	g_autoptr(GByteArray) four = rar_new(0), five = rar5_new(FALSE);

	put_file(four, "b.txt", 0);
	put_file(four, "a.exe", PASSWORD);
	put_end(four);
	assert_candidate(four, "rar4");
	put_file5(five, "b.txt", PLAIN, 0, 0);
	put_file5(five, "a.exe", 0, 0, 0);
	put_end5(five);
	assert_candidate(five, "rar5");
}

/* One of two members of one name is encrypted: the other one is read all the same. */
Test(rar_headers, a_name_twice_hides_nothing)
{
	for (guint first = 0; first < 2; first++) {
		g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
		g_autoptr(record_t) record = record_new();
		struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
		struct file *file = record_add_file(record, "1", -1);
		g_autoptr(GByteArray) rar = rar5_new(FALSE);
		struct digests wanted;

		put_file5(rar, "a.exe", first ? 0 : PLAIN, 0, 0);
		put_file5(rar, "a.exe", first ? PLAIN : 0, 0, 0);
		put_end5(rar);
		file->size = rar->len;
		file->detected_type = g_strdup(magic_type(rar->data, rar->len));
		unpack_file(unpacker, 0, rar->data, rar->len, 1);
		unpack_finish(unpacker);
		cr_assert_eq(record->files->len, 3);
		file = record->files->pdata[first ? 2 : 1];
		digests_of(CONTENT, strlen(CONTENT), &wanted);
		cr_expect(memcmp(&file->digests, &wanted, sizeof(wanted)) == 0);
		file = record->files->pdata[first ? 1 : 2];
		cr_expect(file->flags & FILE_ENCRYPTED);
	}
}
