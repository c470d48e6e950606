/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "charset.h"

static void
preload(void)
{
	g_autoptr(GError) error = NULL;

	cr_assert(charset_preload(&error), "%s", error ? error->message : "");
}

TestSuite(charset, .init = preload);

struct conversion {
	const char *charset;
	const char *bytes;
	const char *text; /* NULL: not of this set */
};

Test(charset, converts_what_mailers_mean_by_a_name)
{
	static const struct conversion cases[] = {
		{"utf-8", "\xe3\x81\x82", "あ"},
		{"UTF8", "\xff", NULL},
		{"us-ascii", "abc", "abc"},
		{"us-ascii", "\xe9", NULL},
		{"ISO-2022-JP", "\x1b$B$\"\x1b(B.txt", "あ.txt"},
		{"iso-2022-jp", "\x1b(J~\x1b(B", "~"},
		{"iso-2022-jp", "\x1b(I\x43\x3d\x44\x1b(B", "ﾃｽﾄ"},
		{"iso-2022-jp", "\xc3\xbd\xc4", "ﾃｽﾄ"},
		{"iso-2022-jp", "\x1b$B\x2d\x21\x1b(B", "①"},
		{"iso-2022-jp", "\x1b$(D\x30\x21\x1b(B", "丂"},
		{"iso-2022-jp", "\x1b$B$\"\n$\"", "あ\n$\""},
		{"iso-2022-jp", "\x1b$B$", NULL},
		{"Shift_JIS", "\x95\x5c", "表"},
		{"x-sjis", "\x87\x40", "①"},
		{"windows-31j", "\xfb\xfc", "髙"},
		{"sjis", "\x81", NULL},
		{"EUC-JP", "\xa4\xa2", "あ"},
		{"x-euc-jp", "\x8e\xc3", "ﾃ"},
		{"iso-8859-1", "\xe9\x80", "é€"},
		{"ISO_8859-15", "\xa4", "€"},
		{"windows-1251", "\xcf\xf0", "Пр"},
		{"koi8-r", "\xf0\xd2", "Пр"},
		{"gb2312", "\xd6\xd0\x81\x40", "中丂"},
		{"GB18030", "\x81\x30\x81\x30", "\xc2\x80"},
		{"big5", "\xa4\xa4", "中"},
		{"ks_c_5601-1987", "\xc7\xd1", "한"},
		{"utf-7", "+MEI-", "あ"},
		{"utf-16be", "0B0D", "あい"},
		{"iso-8859-1*en", "a", "a"},
		{"", "a", NULL},
		{"x-klingon", "a", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text =
			charset_convert(cases[i].charset, cases[i].bytes, strlen(cases[i].bytes));

		if (!cases[i].text)
			cr_expect_null(text, "%s gave %s", cases[i].charset, text);
		else
			cr_expect(g_strcmp0(text, cases[i].text) == 0, "%s gave %s, not %s",
				  cases[i].charset, text ? text : "(none)", cases[i].text);
	}
}

Test(charset, nothing_converts_to_text_with_a_nul)
{
	cr_assert_null(charset_convert("utf-8", "a\0b", 3));
	cr_assert_null(charset_convert("shift_jis", "a\0b", 3));
	cr_assert_null(charset_convert("iso-2022-jp", "a\0b", 3));
	cr_assert_null(charset_convert("us-ascii", "\0", 1));
}

Test(charset, long_text_survives_the_converters_buffer)
{
	g_autofree char *bytes = g_strnfill(100001, 'x');
	g_autofree char *text = NULL;

	memcpy(bytes + 1021, "\x95\x5c", 2);
	text = charset_convert("shift_jis", bytes, 100001);
	cr_assert_eq(strlen(text), 100002);
	cr_assert_arr_eq(text + 1021, "表", 3);
}

struct guess {
	const char *bytes;
	const char *hint;
	const char *name;
	const char *text;
};

Test(charset, guesses_what_unlabelled_bytes_are)
{
	static const struct guess cases[] = {
		{"plain", NULL, "UTF-8", "plain"},
		{"\xc3\xa9", NULL, "UTF-8", "é"},
		{"\x1b$B$\"\x1b(B", NULL, "ISO-2022-JP", "あ"},
		{"\x90\xbf\x8b\x81\x8f\x91.pdf", NULL, "Shift_JIS", "請求書.pdf"},
		{"\x95\x5c\x8e\xa6", NULL, "Shift_JIS", "表示"},
		{"\xc3\xbd\xc4\xb6\xc5.txt", NULL, "Shift_JIS", "ﾃｽﾄｶﾅ.txt"},
		{"\xc0\xc1\xb5\xe1\xbd\xf1.pdf", NULL, "EUC-JP", "請求書.pdf"},
		{"\xa5\xc6\xa5\xb9\xa5\xc8", NULL, "EUC-JP", "テスト"},
		{"caf\xe9.pdf", NULL, "Windows-1252", "café.pdf"},
		{"it\x92s", NULL, "Windows-1252", "it\xe2\x80\x99s"},
		{"\xc4rger", NULL, "Windows-1252", "Ärger"},
		{"ann\xe9"
		 "e",
		 NULL, "Windows-1252", "année"},
		{"\x93quoted\x94", NULL, "Windows-1252", "\xe2\x80\x9cquoted\xe2\x80\x9d"},
		{"\xcf\xf0", "windows-1251", "Windows-1251", "Пр"},
		{"\xc3\xa9", "windows-1251", "UTF-8", "é"},
		{"\x81", NULL, "Windows-1252", "\\x81"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *name = NULL;
		g_autofree char *text =
			charset_guess(cases[i].bytes, strlen(cases[i].bytes), cases[i].hint, &name);

		cr_expect_str_eq(text, cases[i].text, "%s, not %s", text, cases[i].text);
		cr_expect_str_eq(name, cases[i].name, "%s: %s", cases[i].text, name);
	}
}

Test(charset, a_guess_of_any_bytes_is_valid_text)
{
	guint32 state = 1;

	for (int round = 0; round < 5000; round++) {
		guint8 bytes[64];
		g_autofree char *text = NULL;

		for (gsize i = 0; i < sizeof(bytes); i++) {
			state = state * 1664525u + 1013904223u;
			bytes[i] = (guint8)(state >> 24);
		}
		bytes[0] = round % 3 ? bytes[0] : 0x1b;
		text = charset_guess(bytes, (gsize)round % sizeof(bytes), NULL, NULL);
		cr_assert(g_utf8_validate(text, -1, NULL));
	}
}

Test(charset, sets_without_a_converter_are_not_known)
{
	cr_assert(charset_known("cp932"));
	cr_assert_not(charset_known("x-none"));
}

Test(charset, writes_the_sets_of_archives)
{
	static const struct conversion cases[] = {
		{"Windows-1252", "gr\xfcn", "grün"},
		{"IBM437", "gr\x81n", "grün"},
		{"Shift_JIS", "\x95\x5c", "表"},
		{"EUC-KR", "\xc7\xd1", "한"},
		{"Windows-1251", "\xcf\xf0", "Пр"},
		{"IBM866", "\x8f\xe0", "Пр"},
		{"GBK", "\xd6\xd0", "中"},
		{"Windows-1252", NULL, "表"},
		{"x-klingon", NULL, "a"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *bytes = charset_encode(cases[i].charset, cases[i].text);

		if (cases[i].bytes)
			cr_expect_str_eq(bytes, cases[i].bytes);
		else
			cr_expect_null(bytes);
	}
}
