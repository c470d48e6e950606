/* SPDX-License-Identifier: BSD-2-Clause */
#include "archive_behind.h"
#include "archive_members.h"
#include "archive_stream.h"
#include "compressed_end.h"
#include "caps.h"
#include "self_extracting.h"
#include "xar_contents.h"

#include <criterion/criterion.h>
#include <gio/gio.h>
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

Test(archive, a_rar_in_a_program_is_found_by_its_first_header)
{
	/* Its signature alone, as the program has it to look for, then with the header. */
	static const char
		four[] = "MZ Rar!\x1a\7\0, code, code, Rar!\x1a\7\0__\x73\0\0\x0d\0______",
		five[] = "MZ Rar!\x1a\7\1\0, code, code Rar!\x1a\7\1\0____\x0b\1__\0\0\0\0";
	static const struct {
		const char *bytes;
		gsize length;
	} programs[] = {{four, sizeof(four) - 1}, {five, sizeof(five) - 1}};

	for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
		gsize length = programs[i].length;

		cr_expect_eq((const char *)self_extracting_rar(programs[i].bytes, length),
			     programs[i].bytes + length - 20);
		for (gsize cut = 0; cut < length; cut++) {
			g_autofree char *copy = g_memdup2(programs[i].bytes, cut);

			cr_expect_null(self_extracting_rar(copy ? copy : "", cut), "%zu", cut);
		}
	}
}

/* First headers, and what follows as far as they say it; behind each 0 to 1 of others' bytes. */
static const struct {
	const char *type, *bytes;
	gsize length;
	gsize least; /* bytes of it that tell */
	gsize own;   /* how long it is by itself, or 0 */
} begins[] = {
	{"application/x-7z-compressed",
	 "7z\xbc\xaf\x27\x1c\0\4____\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0____pphxx", 37, 35, 35},
	{"application/vnd.rar", "Rar!\x1a\7\0__\x73\0\0\x0d\0__________________", 32, 32, 0},
	{"application/vnd.rar", "Rar!\x1a\7\1\0____\x0b\1__________________", 32, 32, 0},
	/* Whatever its reserved fields and its version are, and with 32 bytes missing. */
	{"application/vnd.ms-cab-compressed",
	 "MSCF____\x4c\0\0\0____\x2c\0\0\0______\1\0\1\0\4\0____________xx", 46, 44, 0},
	{"application/x-lzh-compressed", "\x18\x7a-lh5-____________ \0\2ab________", 32, 32, 0},
	{"application/x-lzh-compressed", "\x1a\0-lh5-\2\0\0\0_________\2___________", 32, 32, 0},
};

Test(archive, one_behind_anything_is_found_by_its_first_header)
{
	for (gsize i = 0; i < 3 * G_N_ELEMENTS(begins); i++) {
		gsize kind = i / 3, before = i % 3 * 65;
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		struct archive_behind found;

		for (gsize n = 0; n < before; n++)
			g_byte_array_append(bytes, (const guint8 *)"S-C!lh" + n % 5, 2);
		before = bytes->len;
		g_byte_array_append(bytes, (const guint8 *)begins[kind].bytes,
				    (guint)begins[kind].length);
		cr_assert(archive_behind_next(bytes->data, bytes->len, 0, &found), "%zu", kind);
		cr_expect_str_eq(found.type, begins[kind].type);
		cr_expect_eq(found.begin, before);
		cr_expect_eq(found.end, begins[kind].own ? before + begins[kind].own : bytes->len);
		cr_expect_not(archive_behind_next(bytes->data, bytes->len, before + 1, &found));
		for (gsize cut = 0; cut < before + begins[kind].least; cut++) {
			g_autofree guint8 *copy = g_memdup2(bytes->data, cut);

			cr_expect_not(archive_behind_next(copy, cut, 0, &found), "%zu: %zu", kind,
				      cut);
		}
	}
}

/* Signatures alone, as the programs have them that look for them, and texts about them. */
Test(archive, signatures_alone_are_no_archives)
{
	static const char words[] =
		"7z\xbc\xaf\x27\x1c\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"Rar!\x1a\7\0 and Rar!\x1a\7\1\0 are two signatures of a rar; those of others:"
		"MSCF\0\0\0\0\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\1\1\0\1\0\0\0\0\0\0\0"
		"MSCF, and of what lha packs: x -lh5- and x -lh0-, which stands at its third byte.";
	struct archive_behind found;

	cr_expect_not(archive_behind_next(words, sizeof(words), 0, &found));
}

Test(archive, one_behind_anything_is_found_in_whatever_pieces_it_comes)
{
	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();

		g_byte_array_set_size(bytes, 300);
		memset(bytes->data, 'x', bytes->len);
		g_byte_array_append(bytes, (const guint8 *)begins[i].bytes,
				    (guint)begins[i].length);
		for (guint piece = 1; piece <= bytes->len; piece++) {
			struct archive_mark mark = {FALSE};

			for (guint at = 0; at < bytes->len; at += piece)
				archive_mark_add(&mark, bytes->data + at,
						 MIN(piece, bytes->len - at));
			cr_assert(mark.found, "%zu: %u", i, piece);
		}
	}
}

/* Whether a table of contents is to be read that has so many times a piece in it. */
static gboolean
is_bearable(const char *before, const char *piece, guint times)
{
	g_autoptr(GString) xml = g_string_new(before);
	g_autoptr(GZlibCompressor) zlib = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 1);
	g_autoptr(GByteArray) xar = g_byte_array_new();
	gsize taken, made;
	guint64 packed;

	while (times--)
		g_string_append(xml, piece);
	g_byte_array_set_size(xar, (guint)(28 + xml->len + 1000));
	cr_assert_eq(g_converter_convert(G_CONVERTER(zlib), xml->str, xml->len, xar->data + 28,
					 xar->len - 28, G_CONVERTER_INPUT_AT_END, &taken, &made,
					 NULL),
		     G_CONVERTER_FINISHED);
	packed = GUINT64_TO_BE(made);
	memcpy(xar->data + 8, &packed, sizeof(packed));
	return xar_contents_are_bearable(xar->data, 28 + made);
}

Test(archive, a_xar_is_not_read_whose_contents_take_time_without_end)
{
	cr_expect(is_bearable("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<a/>", 10));
	cr_expect(is_bearable("<xar>", "<a/>", 10));
	cr_expect(is_bearable("<xar ", "a='' ", 64));
	cr_expect_not(is_bearable("<xar ", "a='' ", 65));
	cr_expect(is_bearable("<xar>", "<a link='1'/>", CAP_MEMBERS));
	cr_expect_not(is_bearable("<xar>", "<a link='1'/>", CAP_MEMBERS + 1));
	cr_expect(is_bearable("<xar>", "<file/>", 8 * CAP_MEMBERS));
	cr_expect_not(is_bearable("<xar>", "<a>xx</a>", 100 * CAP_MEMBERS));
	cr_expect_not(is_bearable("<?xml version='1.0' encoding='IBM037'?>", "<a/>", 1));
	cr_expect_not(is_bearable("\x4c\x6f\xa7", "<a/>", 1));
	cr_expect_not(is_bearable("<!DOCTYPE xar [", "<a/>", 1));
}

static gboolean
count(gsize length, gpointer user)
{
	*(gsize *)user += length;
	return TRUE;
}

static gboolean
stop(gsize length, gpointer user)
{
	return FALSE;
}

/* Reads the one member, as far as it goes; FALSE on an error. */
static gboolean
read_pieces(struct archive_members *members, GString *content)
{
	g_autoptr(GError) error = NULL;
	struct archive_member member;
	const void *piece;
	gsize got;

	g_string_truncate(content, 0);
	if (!archive_members_next(members, &member, &error))
		return FALSE;
	while (archive_members_read(members, &piece, &got, &error))
		g_string_append_len(content, piece, (gssize)got);
	return error == NULL;
}

/* Likewise, and what is whole of it on an error; NULL if nothing is. */
static char *
read_single(const char *type, const void *bytes, gsize length, gboolean *ret_damaged)
{
	g_autoptr(archive_members_t) members = archive_members_open(type, bytes, length, NULL);
	g_autoptr(GString) content = g_string_new(NULL);
	gsize dropped = 0;

	archive_members_watch(members, count, &dropped);
	if (!read_pieces(members, content) &&
	    !(archive_members_begin_again(members) && read_pieces(members, content))) {
		cr_expect_not(read_pieces(members, content));
		cr_expect_not(archive_members_begin_again(members));
		return NULL;
	}
	*ret_damaged = archive_members_damaged(members);
	return g_string_free(g_steal_pointer(&content), FALSE);
}

/* Compressed contents of which more can stand one behind the other, and what follows that. */
static const struct {
	const char *type, *bytes;
	gsize length;
} streams[] = {
	{"application/zstd", zstd, sizeof(zstd) - 1},
	{"application/x-xz", xz, sizeof(xz) - 1},
};

/* What looks like more of them: a footer, a header, a frame, one to be skipped. */
static const struct {
	const char *bytes;
	gsize length;
} junk[] = {
	{"j", 1},
	{"\0\0\0\0\0", 5},
	{"junk\0\0\0\0\0\0\0\0CRC4\1\0\0\0\0\1YZ", 24},
	{"\xfd\x37\x7a\x58\x5a\0junkjunkjunk", 18},
	{"\x28\xb5\x2f\xfdjunkjunkjunkjunk", 20},
	{"\x50\x2a\x4d\x18\xff\xff\0\0junk", 12},
	/* A frame whose one block is a literal that is longer than it. */
	{"\x28\xb5\x2f\xfd\x00\x58\x25\0\0\xff\xff\xff\xff", 13},
};

static void
check_followed(const char *type, const GString *bytes, const char *wanted)
{
	gboolean damaged = FALSE;
	g_autofree char *content = read_single(type, bytes->str, bytes->len, &damaged);

	cr_expect_str_eq(content ? content : "", wanted, "%s, %zu bytes", type, bytes->len);
	cr_expect(damaged, "%s, %zu bytes", type, bytes->len);
}

Test(archive, a_compressed_content_is_read_though_other_bytes_follow_and_that_is_told)
{
	for (gsize i = 0; i < G_N_ELEMENTS(streams) * G_N_ELEMENTS(junk); i++) {
		gsize kind = i / G_N_ELEMENTS(junk), behind = i % G_N_ELEMENTS(junk);
		g_autoptr(GString) bytes =
			g_string_new_len(streams[kind].bytes, (gssize)streams[kind].length);

		g_string_append_len(bytes, junk[behind].bytes, (gssize)junk[behind].length);
		check_followed(streams[kind].type, bytes, "mail\n");
		/* A whole one behind these is not looked for, as tools do not. */
		g_string_append_len(bytes, streams[kind].bytes, (gssize)streams[kind].length);
		check_followed(streams[kind].type, bytes, "mail\n");
		g_string_prepend_len(bytes, streams[kind].bytes, (gssize)streams[kind].length);
		check_followed(streams[kind].type, bytes, "mail\nmail\n");
	}
}

Test(archive, of_a_compressed_content_that_is_cut_anywhere_the_whole_part_is_read)
{
	for (gsize i = 0; i < G_N_ELEMENTS(streams); i++) {
		gsize length = streams[i].length;
		g_autoptr(GString) both = g_string_new_len(streams[i].bytes, (gssize)length);

		g_string_append_len(both, streams[i].bytes, (gssize)length);
		for (gsize cut = 1; cut <= both->len; cut++) {
			g_autofree char *copy = g_memdup2(both->str, cut);
			gboolean damaged = FALSE;
			g_autofree char *content =
				read_single(streams[i].type, copy, cut, &damaged);
			const char *wanted = cut < length	? ""
					     : cut < 2 * length ? "mail\n"
								: "mail\nmail\n";

			cr_expect_str_eq(content ? content : "", wanted, "%zu", cut);
			cr_expect_eq(damaged, cut > length && cut < 2 * length, "%zu", cut);
			cr_expect_eq(content != NULL, cut >= length, "%zu", cut);
		}
	}
}

Test(archive, frames_to_be_skipped_and_zeros_behind_a_stream_are_no_other_bytes)
{
	g_autoptr(GString) frames = g_string_new_len("\x57\x2a\x4d\x18\3\0\0\0...", 11);
	g_autoptr(GString) padded = g_string_new_len(xz, sizeof(xz) - 1);
	gsize dropped = 0;

	/* Frames to be skipped alone are no content. */
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len, frames->len), 0u);
	g_string_append_len(frames, zstd, sizeof(zstd) - 1);
	g_string_append_len(frames, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len, frames->len), frames->len);
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len - 1, frames->len - 1),
		     frames->len - 8);
	cr_expect_eq(compressed_end_zstd(frames->str, frames->len, frames->len - 9), 0u);
	g_string_append_len(padded, "\0\0\0\0", 4);
	g_string_append_len(padded, xz, sizeof(xz) - 1);
	cr_expect_eq(compressed_end_xz(padded->str, padded->len, count, &dropped), padded->len);
	cr_expect_eq(dropped, 10u);
	cr_expect_eq(compressed_end_xz(padded->str, padded->len - 1, count, &dropped),
		     sizeof(xz) - 1);
	cr_expect_eq(compressed_end_xz(padded->str, padded->len, stop, NULL), 0u);
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
