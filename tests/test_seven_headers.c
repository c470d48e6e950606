/* SPDX-License-Identifier: BSD-2-Clause */
#include "seven_headers.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"

/* What 7-Zip made of one file of 480 bytes: 7z a -psecret. */
static const guint8 archive[] = {
	0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0x00, 0x04, 0x4c, 0x04, 0x68, 0x98, 0x30, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x6a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfe,
	0x1d, 0x74, 0x82, 0x3e, 0xb4, 0xa9, 0x5c, 0x65, 0xf9, 0x42, 0x5d, 0x16, 0xc1, 0x60, 0xa5,
	0x85, 0x79, 0xd5, 0xb2, 0xdd, 0x45, 0x9b, 0xe0, 0xe0, 0xbf, 0x5f, 0x13, 0xda, 0x51, 0x1b,
	0x90, 0xbf, 0x5b, 0x21, 0x76, 0x15, 0xd6, 0x69, 0xaa, 0xc5, 0xaa, 0xbb, 0x59, 0x0c, 0x12,
	0x4e, 0xb7, 0x50, 0x0c, 0xca, 0x01, 0x04, 0x06, 0x00, 0x01, 0x09, 0x30, 0x00, 0x07, 0x0b,
	0x01, 0x00, 0x02, 0x24, 0x06, 0xf1, 0x07, 0x01, 0x12, 0x53, 0x0f, 0xea, 0x64, 0xe5, 0x34,
	0x9d, 0xc1, 0x4a, 0xb0, 0x72, 0xc3, 0xd4, 0x4c, 0x66, 0xaf, 0xb2, 0xfd, 0x21, 0x21, 0x01,
	0x00, 0x01, 0x00, 0x0c, 0x29, 0x81, 0xe0, 0x00, 0x08, 0x0a, 0x01, 0x31, 0x57, 0x93, 0xfb,
	0x00, 0x00, 0x05, 0x01, 0x19, 0x00, 0x11, 0x13, 0x00, 0x65, 0x00, 0x76, 0x00, 0x69, 0x00,
	0x6c, 0x00, 0x2e, 0x00, 0x65, 0x00, 0x78, 0x00, 0x65, 0x00, 0x00, 0x00, 0x19, 0x00, 0x14,
	0x0a, 0x01, 0x00, 0xfe, 0xa4, 0xa5, 0xcf, 0x6c, 0x7f, 0xdd, 0x01, 0x15, 0x06, 0x01, 0x00,
	0x20, 0x80, 0xa4, 0x81, 0x00, 0x00};

#define SIZE 480
#define CRC32 0xfb935731

Test(seven_headers, the_member_of_an_archive_of_one_is_told)
{
	g_autoptr(GArray) members = seven_headers_read(archive, sizeof(archive));
	const struct seven_member *member = &g_array_index(members, struct seven_member, 0);

	cr_assert_eq(members->len, 1);
	cr_expect_eq(member->size, SIZE);
	cr_expect(member->has_crc32);
	cr_expect_eq(member->crc32, CRC32);
}

Test(seven_headers, what_is_cut_tells_nothing)
{
	for (gsize length = 0; length < sizeof(archive); length++) {
		g_autofree guint8 *cut = g_memdup2(archive, length);
		g_autoptr(GArray) members = seven_headers_read(cut, length);

		cr_assert_eq(members->len, 0, "%zu", length);
	}
}

/* Each byte of the header in turn: whatever that makes of it, nothing breaks. */
Test(seven_headers, damage_does_no_harm)
{
	for (gsize i = 0; i < 256 * sizeof(archive); i++) {
		g_autofree guint8 *copy = g_memdup2(archive, sizeof(archive));
		g_autoptr(GArray) members = NULL;

		copy[i / 256] = (guint8)i;
		members = seven_headers_read(copy, sizeof(archive));
		cr_assert_leq(members->len, CAP_MEMBERS);
	}
}

/* ---- an archive of many ---- */

static void
put(GByteArray *out, guint64 value, guint bytes)
{
	for (; bytes--; value >>= 8) {
		guint8 byte = (guint8)value;

		g_byte_array_append(out, &byte, 1);
	}
}

/* A number of two bytes after the first. */
static void
put_number(GByteArray *out, guint number)
{
	put(out, 0xc0, 1);
	put(out, number, 2);
}

/* An encrypted folder of so many members of one byte, whose CRC-32 are their numbers. */
static GByteArray *
archive_of(guint count)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(GByteArray) header = g_byte_array_new();
	static const guint8 begin[] = {1, 4, 7, 11, 1, 0, 1, 4, 6, 0xf1, 7, 1, 12},
			    counts[] = {0, 8, 13};

	g_byte_array_append(header, begin, sizeof(begin));
	put_number(header, count);
	g_byte_array_append(header, counts, sizeof(counts));
	put_number(header, count);
	put(header, 9, 1);
	for (guint i = 1; i < count; i++)
		put(header, 1, 1);
	put(header, 10, 1);
	put(header, 1, 1);
	for (guint i = 0; i < count; i++)
		put(header, i, 4);
	put(header, 0, 3);
	g_byte_array_append(out, (const guint8 *)"7z\xbc\xaf\x27\x1c\0\4\0\0\0\0", 12);
	put(out, 0, 8);
	put(out, header->len, 8);
	put(out, 0, 4);
	g_byte_array_append(out, header->data, header->len);
	return out;
}

Test(seven_headers, members_are_told_to_their_cap)
{
	for (guint count = CAP_MEMBERS - 1; count <= CAP_MEMBERS + 1; count++) {
		g_autoptr(GByteArray) bytes = archive_of(count);
		g_autoptr(GArray) members = seven_headers_read(bytes->data, bytes->len);

		cr_assert_eq(members->len, count <= CAP_MEMBERS ? count : 0, "%u: %u", count,
			     members->len);
		for (guint i = 0; i < members->len; i++) {
			const struct seven_member *member =
				&g_array_index(members, struct seven_member, i);

			cr_assert(member->size == 1 && member->has_crc32 && member->crc32 == i);
		}
	}
}
