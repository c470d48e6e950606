/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "magic.h"

#define CASE(bytes, type)                          \
	{                                          \
		(bytes), sizeof(bytes) - 1, (type) \
	}

Test(magic, tells_apart_what_an_investigator_asks_for)
{
	static const struct {
		const char *bytes;
		gsize length;
		const char *type;
	} cases[] = {
		CASE("MZ\x90\0\x03", "application/vnd.microsoft.portable-executable"),
		CASE("\177ELF\2\1\1", "application/x-elf"),
		CASE("%PDF-1.7", "application/pdf"),
		CASE("PK\3\4\x14\0\0\0\0\0", "application/zip"),
		CASE("PK\5\6\0\0", "application/zip"),
		CASE("PK\7\x8PK\3\4\x14\0\0\0\0\0", "application/zip"),
		CASE("PK00PK\3\4\x14\0\0\0\0\0", "application/zip"),
		CASE("PK\7\x8PK\3", NULL),
		CASE("PK\3\4\x14\0\6\0\x08\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x13\0\0\0"
		     "[Content_Types].xml",
		     "application/vnd.openxmlformats-officedocument"),
		CASE("PK\3\4\x14\0\0\0\x08\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0"
		     "META-INF/MANIFEST.MF",
		     "application/java-archive"),
		CASE("7z\xbc\xaf\x27\x1c\0\4", "application/x-7z-compressed"),
		CASE("Rar!\x1a\x07\1\0", "application/vnd.rar"),
		CASE("\x1f\x8b\x08", "application/gzip"),
		CASE("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
		CASE("\x19\0-lh5-", "application/x-lzh-compressed"),
		CASE("\x19\0-pm2-", "application/x-lzh-compressed"),
		CASE("!!-lh5-", "text/plain"),
		CASE("070701\0", "application/x-cpio"),
		CASE("070701 is a number", "text/plain"),
		CASE("\xc7\x71\0", "application/x-cpio"),
		CASE("xar!\0\x1c\0\1", "application/x-xar"),
		CASE("xar!\0\x20\0\1", "application/x-xar"),
		CASE("WARC/1.0\r\n", "application/warc"),
		CASE("BZh91AY&SY\x02", "application/x-bzip2"),
		CASE("BZhen is a town", "text/plain"),
		CASE("\x5d\0\0\x80\0", "application/x-lzma"),
		CASE("\x89PNG\r\n\x1a\n", "image/png"),
		CASE("\xff\xd8\xff\xe0", "image/jpeg"),
		CASE("{\\rtf1", "application/rtf"),
		CASE("L\0\0\0\x01\x14\x02\0\0", "application/x-ms-shortcut"),
		CASE("#!/bin/sh", "text/x-shellscript"),
		CASE("  <!DOCTYPE HTML>", "text/html"),
		CASE("\xef\xbb\xbf<html>", "text/html"),
		CASE("<?xml version", "application/xml"),
		CASE("plain \xe3\x81\x82\r\n\t", "text/plain"),
		CASE("\x1b$B$\"\x1b(B", "text/plain"),
		CASE("a\0b", NULL),
		CASE("\x01\x02", NULL),
		CASE("", NULL),
		CASE("%PD", "text/plain"),
		CASE("PK\3", NULL),
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *type = magic_type(cases[i].bytes, cases[i].length);

		cr_expect(g_strcmp0(type, cases[i].type) == 0, "case %zu: %s, not %s", i,
			  type ? type : "(none)", cases[i].type ? cases[i].type : "(none)");
	}
}

Test(magic, a_tar_is_known_by_bytes_far_in)
{
	char header[512] = {0};

	memcpy(header, "name", 4);
	memcpy(header + 257, "ustar", 5);
	cr_assert_str_eq(magic_type(header, sizeof(header)), "application/x-tar");
	cr_assert_null(magic_type(header, 261));
}

Test(magic, a_tar_from_before_posix_is_known_by_its_sum)
{
	guint8 header[512] = {0};
	guint sum = 8 * ' ';

	memcpy(header, "name", 4);
	memcpy(header + 124, "00000000017", 11);
	for (gsize i = 0; i < sizeof(header); i++)
		sum += header[i];
	g_snprintf((char *)header + 148, 8, "%06o", sum);
	cr_assert_str_eq(magic_type(header, sizeof(header)), "application/x-tar");
	cr_assert_null(magic_type(header, sizeof(header) - 1));
	header[0]++;
	cr_assert_null(magic_type(header, sizeof(header)));
}

Test(magic, a_tar_may_have_a_sum_of_signed_bytes)
{
	guint8 header[512] = {0};
	gint sum = 8 * ' ';

	memcpy(header, "n\xc3\xa4me", 5);
	memcpy(header + 124, "00000000017", 11);
	for (gsize i = 0; i < sizeof(header); i++)
		sum += (gint8)header[i];
	g_snprintf((char *)header + 148, 8, "%06o", (guint)sum);
	cr_assert_str_eq(magic_type(header, sizeof(header)), "application/x-tar");
	header[0]++;
	cr_assert_null(magic_type(header, sizeof(header)));
}

Test(magic, an_image_of_a_disc_is_known_whatever_starts_it)
{
	g_autofree char *image = g_malloc0(MAGIC_IMAGE_BYTES);

	memcpy(image + MAGIC_IMAGE_BYTES - 6, "\1CD001", 6);
	cr_assert_str_eq(magic_type(image, MAGIC_IMAGE_BYTES), "application/x-iso9660-image");
	memcpy(image, "MZ", 2);
	cr_assert_str_eq(magic_type(image, MAGIC_IMAGE_BYTES), "application/x-iso9660-image");
	cr_assert_neq(
		strcmp(magic_type(image, MAGIC_IMAGE_BYTES - 1), "application/x-iso9660-image"), 0);
}

/* Those of Zstandard and lz4 are the same: what follows them tells. */
Test(magic, what_stands_behind_frames_to_be_skipped_is_known)
{
	char bytes[3 * 8 + 2 + 4] = {0};

	for (guint nibble = 0; nibble < 16; nibble++) {
		for (gsize i = 0; i < 3; i++) {
			memcpy(bytes + i * 8, "\x50\x2a\x4d\x18", 4);
			bytes[i * 8] = (char)(bytes[i * 8] + (int)nibble);
		}
		bytes[2 * 8 + 4] = 2;
		memcpy(bytes + 26, "\x04\x22\x4d\x18", 4);
		cr_expect_str_eq(magic_type(bytes, sizeof(bytes)), "application/x-lz4");
		memcpy(bytes + 26, "\x28\xb5\x2f\xfd", 4);
		cr_expect_str_eq(magic_type(bytes, sizeof(bytes)), "application/zstd");
		cr_expect_str_eq(magic_type(bytes, sizeof(bytes) - 1), "application/zstd");
	}
	cr_expect_str_eq(magic_type("\x02\x21\x4c\x18", 4), "application/x-lz4");
}

Test(magic, an_lzma_is_known_by_sizes_that_one_may_have)
{
	static const struct {
		guint8 properties;
		guint32 dictionary;
		guint64 size;
		guint8 first;
		gboolean is;
	} cases[] = {
		{0x5d, 0x1000, G_MAXUINT64, 0, TRUE}, {0x5d, 0x1800, 2324, 0, TRUE},
		{0x5e, 0x100000, 1, 0, TRUE},	      {0, 0x800000, 2324, 0, TRUE},
		{224, 0x10000, 2324, 0, FALSE},	      {184, 0x10000, 2324, 0, TRUE},
		{225, 0x10000, 2324, 0, FALSE},	      {0x5d, 0x10001, 2324, 0, FALSE},
		{0x5d, 0x1400, 2324, 0, FALSE},	      {0x5d, 0x800, 2324, 0, FALSE},
		{0x5d, 0x1000, 0, 0, FALSE},	      {0x5d, 0x1000, 2324, 1, FALSE},
		{0x5d, 0x1000, 1ull << 38, 0, FALSE}, {0x5d, 0x1000, (1ull << 38) - 1, 0, TRUE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 bytes[20] = {cases[i].properties};
		guint32 dictionary = GUINT32_TO_LE(cases[i].dictionary);
		guint64 size = GUINT64_TO_LE(cases[i].size);

		memcpy(bytes + 1, &dictionary, sizeof(dictionary));
		memcpy(bytes + 5, &size, sizeof(size));
		bytes[13] = cases[i].first;
		memset(bytes + 14, 0xee, 6);
		cr_expect_eq(g_strcmp0(magic_type(bytes, sizeof(bytes)), "application/x-lzma") == 0,
			     cases[i].is, "%zu", i);
		cr_expect_eq(g_strcmp0(magic_type(bytes, 13), "application/x-lzma") == 0, FALSE);
	}
}

Test(magic, bytes_beyond_those_it_looks_at_do_not_matter)
{
	g_autofree char *text = g_strnfill(MAGIC_BYTES + 1, 'a');

	text[MAGIC_BYTES] = 1;
	cr_assert_str_eq(magic_type(text, MAGIC_BYTES + 1), "text/plain");
	text[MAGIC_BYTES - 1] = 1;
	cr_assert_null(magic_type(text, MAGIC_BYTES + 1));
}
