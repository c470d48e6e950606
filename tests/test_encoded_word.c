/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "charset.h"
#include "encoded_word.h"

static void
preload(void)
{
	cr_assert(charset_preload(NULL));
}

TestSuite(encoded_word, .init = preload);

struct decoding {
	const char *field;
	const char *text;
	gboolean undecoded;
};

Test(encoded_word, decodes_header_text)
{
	static const struct decoding cases[] = {
		{" plain text\r\n", "plain text", FALSE},
		{"folded\r\n here", "folded here", FALSE},
		{"=?utf-8?q?caf=C3=A9?=", "café", FALSE},
		{"=?UTF-8?B?44GC?=", "あ", FALSE},
		{"=?utf-8*ja?B?44GC?=", "あ", FALSE},
		{"=?utf-8?q?a_b?= =?utf-8?q?c?=", "a bc", FALSE},
		{"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab", FALSE},
		{"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", FALSE},
		{"x=?utf-8?q?a?=y", "xay", FALSE},
		{"\"=?utf-8?q?a?=\"", "\"a\"", FALSE},
		{"=?utf-8?q?=E3=81?= =?UTF-8?q?=82?=", "あ", FALSE},
		{"=?utf-8?b?4w?= =?utf-8?b?gYI?=", "あ", FALSE},
		{"=?utf-8?q?a b?=", "a b", FALSE},
		{"=?utf-8?q?\?=", "", FALSE},
		{"=?iso-8859-1?q?=E9?= =?utf-8?q?=C3=A9?=", "éé", FALSE},
		{"=?utf-8?q?=E9?=", "é", FALSE},
		{"=?us-ascii?q?=82=A0=82=A2?=", "あい", FALSE},
		{"=?x-none?q?abc?= d", "=?x-none?q?abc?= d", TRUE},
		{"=?utf-8?q?open", "=?utf-8?q?open", FALSE},
		{"=?utf-8?x?abc?=", "=?utf-8?x?abc?=", FALSE},
		{"=?=?utf-8?q?a?=", "=?a", FALSE},
		{"a=b?=c", "a=b?=c", FALSE},
		{"\x82\xa0\x82\xa2 =?utf-8?q?x?=", "あい x", FALSE},
		{"=?utf-8?q?=4?=", "=4", FALSE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gboolean undecoded = FALSE;
		g_autofree char *text =
			header_decode(cases[i].field, strlen(cases[i].field), &undecoded);

		cr_expect_str_eq(text, cases[i].text, "%s: %s", cases[i].field, text);
		cr_expect_eq(undecoded, cases[i].undecoded, "%s", cases[i].field);
	}
}

Test(encoded_word, undecoded_is_set_and_never_cleared)
{
	gboolean undecoded = TRUE;
	g_autofree char *text = header_decode("a", 1, &undecoded);

	cr_assert_str_eq(text, "a");
	cr_assert(undecoded);
}

Test(encoded_word, an_encoded_words_length_is_that_of_the_whole)
{
	cr_assert_eq(encoded_word_length("=?utf-8?q?a?= b", 15), 13);
	cr_assert_eq(encoded_word_length("=?utf-8?q?a?", 12), 0);
	cr_assert_eq(encoded_word_length("utf-8", 5), 0);
}
