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
		CASE("!!-lh5-", "text/plain"),
		CASE("070701\0", "application/x-cpio"),
		CASE("070701 is a number", "text/plain"),
		CASE("\xc7\x71\0", "application/x-cpio"),
		CASE("xar!\0\x1c\0\1", "application/x-xar"),
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

Test(magic, bytes_beyond_those_it_looks_at_do_not_matter)
{
	g_autofree char *text = g_strnfill(MAGIC_BYTES + 1, 'a');

	text[MAGIC_BYTES] = 1;
	cr_assert_str_eq(magic_type(text, MAGIC_BYTES + 1), "text/plain");
	text[MAGIC_BYTES - 1] = 1;
	cr_assert_null(magic_type(text, MAGIC_BYTES + 1));
}
