/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <gmime/gmime.h>
#include <string.h>

#include "base64.h"

static void
assert_decodes(const char *text, const char *wanted, gsize wanted_taken)
{
	guint8 bytes[256];
	gsize taken = 0;
	gsize length = base64_decode_clean(text, strlen(text), bytes, &taken);

	cr_assert_eq(length, strlen(wanted), "%s: %zu bytes", text, length);
	cr_assert_arr_eq(bytes, wanted, length);
	cr_assert_eq(taken, wanted_taken, "%s: %zu taken", text, taken);
}

Test(base64, groups_and_line_breaks_between_them_are_read)
{
	assert_decodes("Zm9v", "foo", 4);
	assert_decodes("Zm9vYmFy", "foobar", 8);
	assert_decodes("Zm9v\r\nYmFy\nYmF6", "foobarbaz", 15);
	assert_decodes("\r\n\r\nZm9v", "foo", 8);
	assert_decodes("+/+/", "\xfb\xff\xbf", 4);
}

Test(base64, stops_before_what_readers_may_differ_on)
{
	assert_decodes("Zm9vYg==", "foo", 4);
	assert_decodes("Zm9vYm\r\nFy", "foo", 4);
	assert_decodes("Zm9v YmFy", "foo", 4);
	assert_decodes("Zm9vYm-y", "foo", 4);
	assert_decodes("=m9v", "", 0);
	assert_decodes("Zm9vYm\x80y", "foo", 4);
	assert_decodes("", "", 0);
}

Test(base64, a_group_that_the_end_cuts_off_is_left)
{
	assert_decodes("Zm9vYmF", "foo", 4);
	assert_decodes("Zm9", "", 0);
	/* Fewer than four bytes may be line breaks; they are left too. */
	assert_decodes("Zm9v\r\n", "foo", 4);
}

Test(base64, every_byte_is_of_the_alphabet_or_not_as_rfc_4648_says)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < 256; i++) {
		const char *place = i ? strchr(alphabet, i) : NULL;
		char text[4] = {'A', 'A', 'A', (char)i};
		guint8 bytes[3];
		gsize taken;
		gsize length = base64_decode_clean(text, 4, bytes, &taken);

		cr_assert_eq(length, place ? 3 : 0, "byte %d", i);
		if (place)
			cr_assert_eq(bytes[2], place - alphabet, "byte %d", i);
	}
}

/* Decodes with GMime from at on. */
static void
decode_rest(GByteArray *out, const char *text, gsize length)
{
	g_autofree char *room = g_malloc(length + 8);
	GMimeEncoding state;
	gsize done;

	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_BASE64);
	done = g_mime_encoding_step(&state, text, length, room);
	g_byte_array_append(out, (const guint8 *)room, (guint)done);
}

/* Base64 of random bytes with lines of a random length, damaged in a few places. */
static GString *
random_text(GRand *rand)
{
	static const char damage[] = "\r\n\t -_=AZ\x80";
	guint8 bytes[512];
	g_autofree char *text = NULL;
	GString *lines = g_string_new(NULL);
	gsize line = (gsize)g_rand_int_range(rand, 1, 20) * (g_rand_boolean(rand) ? 4 : 3);

	for (gsize i = 0; i < sizeof(bytes); i++)
		bytes[i] = (guint8)g_rand_int(rand);
	text = g_base64_encode(bytes, (gsize)g_rand_int_range(rand, 0, sizeof(bytes)));
	for (const char *at = text; *at; at += MIN(line, strlen(at))) {
		g_string_append_len(lines, at, (gssize)MIN(line, strlen(at)));
		g_string_append(lines, g_rand_boolean(rand) ? "\r\n" : "\n");
	}
	for (int n = g_rand_int_range(rand, 0, 4); n > 0 && lines->len; n--)
		lines->str[g_rand_int_range(rand, 0, (gint32)lines->len)] =
			damage[g_rand_int_range(rand, 0, sizeof(damage) - 1)];
	return lines;
}

Test(base64, with_gmime_for_the_rest_any_text_is_read_as_gmime_alone_reads_it)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(4648);

	g_mime_init();
	for (int round = 0; round < 20000; round++) {
		g_autoptr(GString) text = random_text(rand);
		g_autoptr(GByteArray) alone = g_byte_array_new();
		g_autoptr(GByteArray) both = g_byte_array_new();
		gsize taken;

		g_byte_array_set_size(both, (guint)text->len);
		g_byte_array_set_size(
			both, (guint)base64_decode_clean(text->str, text->len, both->data, &taken));
		decode_rest(both, text->str + taken, text->len - taken);
		decode_rest(alone, text->str, text->len);
		cr_assert_eq(both->len, alone->len, "round %d: %s", round, text->str);
		if (alone->len) /* an empty array has no data to point to */
			cr_assert_arr_eq(both->data, alone->data, alone->len);
	}
}
