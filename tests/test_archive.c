/* SPDX-License-Identifier: BSD-2-Clause */
#include "archive_members.h"
#include "archive_stream.h"
#include "compressed_end.h"
#include "self_extracting.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* "mail\n", as gzip, bzip2, xz and zstd write it */
static const char gzip[] =
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x4d\xcc\xcc\xe1\x02\x00\x9d"
	"\xe9\x81\x4a\x05\x00\x00\x00";
static const char bzip2[] = "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xb1\xe7\x7e\x51\x00\x00\x02"
			    "\x41\x00\x00\x10\x20\x26\x20\x00\x30\xcd\x00\xc1\xa6\x30\x71\x77\x24"
			    "\x53\x85\x09\x0b\x1e\x77\xe5\x10";
static const char xz[] = "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00"
			 "\x00\x00\x74\x2f\xe5\xa3\x01\x00\x04\x6d\x61\x69\x6c\x0a\x00\x00\x00\x00"
			 "\xea\x9f\x9f\x61\xb6\x74\xbf\xc6\x00\x01\x1d\x05\xb8\x2d\x80\xaf\x1f\xb6"
			 "\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
static const char zstd[] = "\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00\x6d\x61\x69\x6c\x0a\xba\x84\x72"
			   "\xc4";

static const struct {
	const char *name, *bytes;
	gsize length;
} kinds[] = {
	{"gzip", gzip, sizeof(gzip) - 1},
	{"bzip2", bzip2, sizeof(bzip2) - 1},
	{"xz", xz, sizeof(xz) - 1},
	{"zstd", zstd, sizeof(zstd) - 1},
};

static gboolean
collect(const void *bytes, gsize length, void *data)
{
	cr_assert_leq(length, ARCHIVE_STREAM_BLOCK_BYTES);
	g_string_append_len(data, bytes, (gssize)length);
	return TRUE;
}

static gboolean
refuse(const void *bytes, gsize length, void *data)
{
	return FALSE;
}

Test(archive, each_kind_becomes_plain)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GString) plain = g_string_new(NULL);
		g_autoptr(GError) error = NULL;

		cr_assert(archive_stream_read(kinds[i].bytes, kinds[i].length, collect, plain,
					      &error),
			  "%s: %s", kinds[i].name, error ? error->message : "");
		cr_assert_str_eq(plain->str, "mail\n", "%s", kinds[i].name);
	}
}

Test(archive, what_ends_early_is_told_at_every_length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		for (gsize length = 0; length < kinds[i].length; length++) {
			g_autoptr(GString) plain = g_string_new(NULL);
			g_autoptr(GError) error = NULL;
			gboolean ok =
				archive_stream_read(kinds[i].bytes, length, collect, plain, &error);

			cr_assert_not(ok, "%s cut to %zu", kinds[i].name, length);
			cr_assert(g_error_matches(error, ARCHIVE_STREAM_ERROR,
						  ARCHIVE_STREAM_ERROR_FORM));
		}
	}
}

Test(archive, plain_bytes_are_not_taken_for_compressed)
{
	g_autoptr(GString) plain = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	cr_assert_not(archive_stream_read("Subject: x\n\n", 12, collect, plain, &error));
	cr_assert(g_error_matches(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_FORM));
	cr_assert_eq(plain->len, 0);
}

Test(archive, members_of_gzip_follow_each_other)
{
	g_autoptr(GString) both = g_string_new_len(gzip, sizeof(gzip) - 1);
	g_autoptr(GString) plain = g_string_new(NULL);

	g_string_append_len(both, gzip, sizeof(gzip) - 1);
	cr_assert(archive_stream_read(both->str, both->len, collect, plain, NULL));
	cr_assert_str_eq(plain->str, "mail\nmail\n");
}

Test(archive, writer_ends_the_work)
{
	g_autoptr(GError) error = NULL;

	cr_assert_not(archive_stream_read(gzip, sizeof(gzip) - 1, refuse, NULL, &error));
	cr_assert(g_error_matches(error, ARCHIVE_STREAM_ERROR, ARCHIVE_STREAM_ERROR_WRITE));
}

Test(archive, a_flipped_bit_never_gives_another_text)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		for (gsize bit = 0; bit < 8 * kinds[i].length; bit++) {
			g_autofree char *bytes = g_memdup2(kinds[i].bytes, kinds[i].length);
			g_autoptr(GString) plain = g_string_new(NULL);

			bytes[bit / 8] ^= (char)(1 << bit % 8);
			if (archive_stream_read(bytes, kinds[i].length, collect, plain, NULL))
				cr_assert_str_eq(plain->str, "mail\n", "%s, bit %zu", kinds[i].name,
						 bit);
		}
	}
}

Test(archive, a_7z_in_a_program_is_found_by_a_header_that_lies_within)
{
	/* Its signature alone, then with an end that lies beyond, then whole. */
	static const char program[] =
		"MZ 7z\xbc\xaf\x27\x1c\0 code, "
		"7z\xbc\xaf\x27\x1c\0\4____\xff\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0____"
		"7z\xbc\xaf\x27\x1c\0\4____\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0____pph";
	const gsize length = sizeof(program) - 1, begin = length - 35;

	cr_assert_eq((const char *)self_extracting_7z(program, length), program + begin);
	for (gsize cut = 0; cut < length; cut++) {
		g_autofree char *copy = g_memdup2(program, cut);

		cr_expect_null(self_extracting_7z(copy ? copy : "", cut), "%zu", cut);
	}
}

/* Reads the one member; *ret_damaged: what is told of it at its end. */
static char *
read_single(const char *type, const void *bytes, gsize length, gboolean *ret_damaged)
{
	g_autoptr(archive_members_t) members = archive_members_open(type, bytes, length, NULL);
	g_autoptr(GString) content = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	struct archive_member member;
	const void *piece;
	gsize got;

	if (!archive_members_next(members, &member, &error))
		return NULL;
	while (archive_members_read(members, &piece, &got, &error))
		g_string_append_len(content, piece, (gssize)got);
	*ret_damaged = archive_members_damaged(members);
	return error ? NULL : g_string_free(g_steal_pointer(&content), FALSE);
}

typedef gsize (*end_function)(const void *bytes, gsize length);

/* The rest of two contents that are cut must not be taken for other bytes behind them. */
static void
check_end(end_function find_end, const char *type, const char *bytes, gsize length)
{
	g_autoptr(GString) more = g_string_new_len(bytes, (gssize)length);

	g_string_append_len(more, bytes, (gssize)length);
	for (gsize cut = 0; cut <= more->len; cut++) {
		g_autofree char *copy = g_memdup2(more->str, cut);

		cr_expect(find_end(copy ? copy : "", cut) == cut || cut > length, "%zu", cut);
	}
	cr_expect_eq(find_end(more->str, more->len), more->len);
	for (gsize behind = 0; behind < 40; behind++) {
		g_autofree char *content = NULL;
		gboolean damaged = FALSE;

		cr_expect_eq(find_end(more->str, more->len), 2 * length, "%zu", behind);
		content = read_single(type, more->str, more->len, &damaged);
		cr_expect_str_eq(content ? content : "", "mail\nmail\n", "%zu", behind);
		cr_expect_eq(damaged, behind > 0);
		g_string_append_c(more, 'j');
	}
}

Test(archive, a_compressed_content_is_read_though_other_bytes_follow_and_that_is_told)
{
	check_end(compressed_end_zstd, "application/zstd", zstd, sizeof(zstd) - 1);
	check_end(compressed_end_xz, "application/x-xz", xz, sizeof(xz) - 1);
}

Test(archive, frames_to_be_skipped_and_zeros_behind_a_stream_are_no_other_bytes)
{
	g_autoptr(GString) frames = g_string_new_len("\x57\x2a\x4d\x18\3\0\0\0...", 11);
	g_autoptr(GString) padded = g_string_new_len(xz, sizeof(xz) - 1);

	g_string_append_len(frames, zstd, sizeof(zstd) - 1);
	g_string_append_len(frames, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len), frames->len);
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len - 1), frames->len - 1);
	g_string_append_len(padded, "\0\0\0\0", 4);
	cr_expect_eq(compressed_end_xz(padded->str, padded->len), padded->len);
	cr_expect_eq(compressed_end_xz(padded->str, padded->len - 1), sizeof(xz) - 1);
}

Test(archive, want_of_memory_before_does_not_end_who_reads_an_odd_name)
{
	/* The header of a member that is stored, a name that is no UTF-8, and a byte. */
	static const char zip[] = "PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\xc0\x4b\x62\x5d"
				  "\x5d\x0e\x5e\x01\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00"
				  "a.j\xf3x";
	struct archive_member member;

	/* The first finds the locale that names are read in, and changes errno by that. */
	for (int i = 0; i < 2; i++) {
		g_autoptr(archive_members_t) members =
			archive_members_open_local(zip, sizeof(zip) - 1);

		errno = ENOMEM;
		cr_assert(archive_members_next(members, &member, NULL));
		cr_assert_str_eq(member.name, "a.j\xf3");
	}
}
