/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>

#include "charset.h"
#include "magic.h"
#include "rar_headers.h"
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

static guint
count(const GByteArray *rar)
{
	struct rar_member member;
	gsize at = 0;
	guint members = 0;

	while (rar_headers_next(rar->data, rar->len, &at, &member)) {
		cr_assert_eq(member.size, strlen(CONTENT));
		cr_assert_eq(member.crc32, crc32_of(CONTENT, strlen(CONTENT)));
		members++;
	}
	return members;
}

Test(rar_headers, encrypted_members_are_told_and_no_others)
{
	g_autoptr(GByteArray) rar = rar_new(0);

	put_file(rar, "a.exe", PASSWORD);
	put_file(rar, "b.txt", 0);
	put_file(rar, "folder", PASSWORD | 0xe0);
	put_file(rar, "half", PASSWORD | 2);
	put_file(rar, "c.exe", PASSWORD);
	put_end(rar);
	cr_assert_eq(count(rar), 2);
}

Test(rar_headers, what_is_encrypted_whole_cut_or_none_tells_nothing)
{
	g_autoptr(GByteArray) hidden = rar_new(0x80);
	g_autoptr(GByteArray) rar = rar_new(0);
	struct rar_member member;

	put_file(hidden, "a.exe", PASSWORD);
	cr_assert_eq(count(hidden), 0);
	put_file(rar, "a.exe", PASSWORD);
	for (gsize length = 0; length < 20 + 32; length++) {
		gsize at = 0;

		cr_expect(!rar_headers_next(rar->data, length, &at, &member), "%zu", length);
	}
	memcpy(rar->data, "Rar!\x1a\x07\x01", 7);
	cr_assert_eq(count(rar), 0);
}

Test(rar_headers, a_member_is_a_candidate)
{
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpacker *unpacker = unpacker_new(record, fingerprint, NULL);
	struct file *file = record_add_file(record, "1", -1);
	g_autoptr(GByteArray) rar = rar_new(0);

	put_file(rar, "b.txt", 0);
	put_file(rar, "a.exe", PASSWORD);
	put_end(rar);
	file->size = rar->len;
	file->detected_type = g_strdup(magic_type(rar->data, rar->len));
	unpack_file(unpacker, 0, rar->data, rar->len, 1);
	unpack_finish(unpacker);
	cr_assert_eq(record->files->len, 3);
	cr_assert(((struct file *)record->files->pdata[0])->flags & FILE_ENCRYPTED);
	cr_assert(!(((struct file *)record->files->pdata[1])->flags & FILE_ENCRYPTED));
	file = record->files->pdata[2];
	cr_assert_str_eq(file->path, "1!/a.exe");
	cr_assert(file->flags & FILE_ENCRYPTED);
	cr_assert_eq(file->size, strlen(CONTENT));
	cr_assert(file->has_crc32);
	cr_assert_eq(file->crc32, crc32_of(CONTENT, strlen(CONTENT)));
	cr_assert_str_eq(file->method, "rar4");
}
