/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <criterion/criterion.h>
#include <string.h>

struct bytes_case {
	const char *bytes;
	gsize length;
	const char *text;
};

Test(text, invalid_bytes_and_nul_are_escaped_and_all_else_is_kept)
{
	static const struct bytes_case cases[] = {
		{"", 0, ""},
		{"plain \\x41", 10, "plain \\x41"},
		{"a\0b", 3, "a\\x00b"},
		{"\xff\xfe", 2, "\\xff\\xfe"},
		{"\xe6\x97\xa5\xe6", 4, "日\\xe6"},
		{"\xc0\xaf", 2, "\\xc0\\xaf"},		/* overlong */
		{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"}, /* a surrogate */
		{"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"},
		{"\x1b[31m\r\n", 7, "\x1b[31m\r\n"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gboolean cut = TRUE;
		g_autofree char *text =
			text_from_bytes(cases[i].bytes, cases[i].length, 1000, &cut);

		cr_assert_str_eq(text, cases[i].text);
		cr_assert_not(cut);
	}
}

Test(text, cut_is_at_a_character_and_told)
{
	static const char bytes[] = "ab\xe6\x97\xa5\xffz";
	static const char *const expected[] = {"",     "a",	    "ab",	 "ab",
					       "ab",   "ab日",	    "ab日",	 "ab日",
					       "ab日", "ab日\\xff", "ab日\\xffz"};

	for (gsize max = 0; max < G_N_ELEMENTS(expected); max++) {
		gboolean cut = FALSE;
		g_autofree char *text = text_from_bytes(bytes, sizeof(bytes) - 1, max, &cut);

		cr_assert_str_eq(text, expected[max], "%zu: %s", max, text);
		cr_assert_eq(cut, max < G_N_ELEMENTS(expected) - 1);
	}
}

Test(text, of_any_bytes_is_valid)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);

	for (int i = 0; i < 5000; i++) {
		guint8 bytes[40];
		gsize length = (gsize)g_rand_int_range(rand, 0, sizeof(bytes) + 1);
		gsize max = (gsize)g_rand_int_range(rand, 0, 60);
		g_autofree char *text = NULL;

		for (gsize n = 0; n < length; n++)
			bytes[n] = (guint8)g_rand_int(rand);
		text = text_from_bytes(bytes, length, max, NULL);
		cr_assert(g_utf8_validate(text, -1, NULL));
		cr_assert_leq(strlen(text), max);
	}
}

struct text_case {
	const char *text, *expected;
};

Test(text, for_terminal_shows_what_would_act)
{
	static const struct text_case cases[] = {
		{"請求書 42 é", "請求書 42 é"},
		{"\x1b[2J\x1b]0;t\x07", "\\x1b[2J\\x1b]0;t\\x07"},
		{"a\tb\nc\x7f", "a\\x09b\\x0ac\\x7f"},
		{"\xc2\x9b"
		 "31m",
		 "\\x9b31m"}, /* C1 CSI */
		{"exe\xe2\x80\xaegpj", "exe\\u202egpj"},
		{"\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c",
		 "\\u2066\\u2069\\u200e\\u200f\\u061c"},
		{"a\xe2\x80\x8b"
		 "b\xef\xbb\xbf",
		 "a\\u200bb\\ufeff"},
		{"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
		{"\xee\x80\x80\xf3\xb0\x80\x80", "\\ue000\\U000f0000"},
		{"\xf3\xa0\x80\xa1", "\\U000e0021"},
		{"👨‍👩‍👧 ❤️ 👍🏽", "👨‍👩‍👧 ❤️ 👍🏽"},
		{"שלום مرحبا", "שלום مرحبا"},
		{"e\xcc\x81", "e\xcc\x81"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *safe = text_for_terminal(cases[i].text);
		g_autofree char *again = text_for_terminal(safe);

		cr_assert_str_eq(safe, cases[i].expected, "%zu: %s", i, safe);
		cr_assert_str_eq(again, safe);
	}
}

Test(text, for_log_is_one_value)
{
	static const struct text_case cases[] = {
		{"plain", "plain"},
		{"", "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\""},
		{"x\n queue=forged", "\"x\\\\x0a queue=forged\""},
		{"全角　空白", "\"全角　空白\""},
		{"\x1b[0m", "\\x1b[0m"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *value = text_for_log(cases[i].text);

		cr_assert_str_eq(value, cases[i].expected, "%zu: %s", i, value);
	}
}

Test(text, for_log_is_cut_at_256_characters)
{
	g_autofree char *at = g_strnfill(256, 'x'), *over = g_strnfill(257, 'x');
	g_autofree char *kept = text_for_log(at), *cut = text_for_log(over);

	cr_assert_str_eq(kept, at);
	cr_assert_eq(g_utf8_strlen(cut, -1), 256);
	cr_assert(g_str_has_suffix(cut, "x…"));
}

struct width_case {
	const char *text;
	int width;
};

Test(text, width_is_that_of_the_screen)
{
	static const struct width_case cases[] = {
		{"", 0},
		{"abc", 3},
		{"請求書", 6},
		{"ｱｲｳ", 3},  /* half-width katakana */
		{"ＡＢ", 4}, /* full-width */
		{"が", 2},
		{"か\xe3\x82\x99", 2}, /* NFD, as macOS sends it */
		{"e\xcc\x81\xcc\xa3", 1},
		{"한국", 4},
		{"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 2}, /* conjoining jamo */
		{"😀", 2},
		{"👍🏽", 2},
		{"🏽", 2}, /* a modifier on nothing */
		{"👨‍👩‍👧‍👦", 2},
		{"👩🏽‍💻", 2},
		{"❤", 1},
		{"❤️", 2},
		{"1️⃣", 2},
		{"🇯🇵", 2},
		{"🇯🇵🇺🇸", 4},
		{"🇯", 1},
		{"🏳️‍🌈", 2},
		{"a\xe2\x80\x8d"
		 "b",
		 2}, /* ZWJ joins no letters */
		{"שלום", 4},
		{"नि", 2}, /* a spacing vowel sign */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_assert_eq(text_width(cases[i].text), cases[i].width, "%s is %d", cases[i].text,
			     text_width(cases[i].text));
}

struct fit_case {
	const char *text;
	int width;
	const char *expected;
};

Test(text, fit_pads_and_cuts_between_graphemes)
{
	static const struct fit_case cases[] = {
		{"abc", 5, "abc  "},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"請求書", 6, "請求書"},
		{"請求書", 5, "請求…"},
		{"請求書", 4, "請… "},
		{"👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 3,
		 "👨‍👩‍👧‍👦…"},
		{"👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 2, "… "},
		{"🇯🇵🇺🇸", 3, "🇯🇵…"},
		{"e\xcc\x81"
		 "e\xcc\x81"
		 "e\xcc\x81",
		 2, "e\xcc\x81…"},
		{"", 2, "  "},
		{"abc", 1, "…"},
		{"abc", 0, ""},
		{"", 0, ""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *fitted = text_fit(cases[i].text, cases[i].width);

		cr_assert_str_eq(fitted, cases[i].expected, "%zu: [%s]", i, fitted);
	}
}

/* A string of characters that meet each other's rules. */
static char *
random_text(GRand *rand)
{
	static const gunichar picks[] = {'a',	  0x301,  0x200d, 0xfe0f, 0x1f468, 0x1f3fd,
					 0x1f1ef, 0x3042, 0x3099, 0x20e3, '1',	   0x2764,
					 0x1112,  0x1161, 0x13a0, 0xab70, 0x345,   0x3b1,
					 0xdf,	  0x130,  0x200b, 0xff21, 0x3164,  0x915};
	GString *text = g_string_new(NULL);

	for (int n = g_rand_int_range(rand, 0, 12); n > 0; n--)
		g_string_append_unichar(text,
					picks[g_rand_int_range(rand, 0, G_N_ELEMENTS(picks))]);
	return g_string_free(text, FALSE);
}

Test(text, fit_gives_exactly_the_width)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);

	for (int i = 0; i < 20000; i++) {
		g_autofree char *text = random_text(rand);
		int width = g_rand_int_range(rand, 0, 16);
		g_autofree char *fitted = text_fit(text, width);

		cr_assert_eq(text_width(fitted), width, "[%s] to %d is [%s]", text, width, fitted);
	}
}

Test(text, search_key_is_the_same_for_what_looks_the_same)
{
	static const struct text_case cases[] = {
		{"Invoice", "INVOICE"}, {"がぎ", "か\xe3\x82\x99き\xe3\x82\x99"},
		{"ｶﾞ", "ガ"},		{"Ａ１", "a1"},
		{"Straße", "STRASSE"},	{"In\xe2\x80\x8bvo\xc2\xadice", "invoice"},
		{"é", "E\xcc\x81"},	{"①", "1"},
		{"ᎠᎡ", "ꭰꭱ"},	{"Ω", "\xe2\x84\xa6"}, /* the ohm sign */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *one = text_search_key(cases[i].text);
		g_autofree char *other = text_search_key(cases[i].expected);

		cr_assert_str_eq(one, other, "%zu: %s, %s", i, one, other);
	}
}

Test(text, search_key_tells_different_words_apart)
{
	static const struct text_case cases[] = {
		{"は", "ば"}, {"e", "é"}, {"a b", "ab"}, {"l", "1"}};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *one = text_search_key(cases[i].text);
		g_autofree char *other = text_search_key(cases[i].expected);

		cr_assert_str_neq(one, other);
	}
}

static void
assert_key_is_its_own(const char *text)
{
	g_autofree char *key = text_search_key(text), *again = text_search_key(key);

	cr_assert_str_eq(again, key, "of %s", text);
}

Test(text, search_key_of_a_key_is_itself)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);

	for (gunichar c = 1; c < 0x110000; c++) {
		char text[7] = {0};

		if (c >= 0xd800 && c < 0xe000)
			continue;
		g_unichar_to_utf8(c, text);
		assert_key_is_its_own(text);
	}
	for (int i = 0; i < 20000; i++) {
		g_autofree char *text = random_text(rand);

		assert_key_is_its_own(text);
	}
}

Test(text, address_key_folds_both_halves_and_reads_a_labels)
{
	static const struct text_case cases[] = {
		{"Root@EXAMPLE.org", "root@example.org"},
		{"root", "root"},
		{"", ""},
		{"a@xn--wgv71a.jp", "a@日本.jp"},
		{"a@日本.JP.", "a@日本.jp"},
		{"\"a@b\"@c.example", "\"a@b\"@c.example"},
		{"a@", "a@"},
		{"a@xn--\xff", "a@xn--\\xff"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *key = address_search_key(cases[i].text);

		cr_assert_str_eq(key, cases[i].expected, "%zu: %s", i, key);
	}
}

Test(text, a_word_has_its_place_in_a_table_or_none)
{
	static const char *const words[] = {"deny", "allow", "contain"};

	cr_expect_eq(text_place("deny", words, 3), 0);
	cr_expect_eq(text_place("contain", words, 3), 2);
	cr_expect_eq(text_place("contain", words, 2), -1, "behind the table");
	cr_expect_eq(text_place("Contain", words, 3), -1);
	cr_expect_eq(text_place("", words, 3), -1);
	cr_expect_eq(text_place(NULL, words, 3), -1);
}

Test(text, plain_text_is_utf8_of_a_length_without_control_characters)
{
	static const struct {
		const char *text;
		gboolean plain;
	} cases[] = {
		{"", TRUE},	 {"abcd", TRUE},   {"abcde", FALSE},  {"日", TRUE},
		{"日本", FALSE}, {"a\nb", FALSE},  {"\x1b[m", FALSE}, {"a\xc2\x85", FALSE},
		{"\xff", FALSE}, {"a\x7f", FALSE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(text_is_plain(cases[i].text, 4), cases[i].plain, "%zu", i);
}
