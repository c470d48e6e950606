/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "caps.h"
#include "passwords.h"

static char *
words_of(const char *text, gboolean html)
{
	g_autoptr(passwords_t) passwords = passwords_new();
	GString *words = g_string_new(NULL);

	passwords_add_text(passwords, text, strlen(text), html);
	for (guint i = 0; i < passwords_count(passwords); i++)
		g_string_append_printf(words, "%s%s", i ? " | " : "", passwords_nth(passwords, i));
	return g_string_free(words, FALSE);
}

static const struct {
	const char *text, *words;
} texts[] = {
	{"Password: x7kQ!9", "x7kQ!9"},
	{"PASSWORD = x7kQ", "x7kQ"},
	{"pw:x7kQ", "x7kQ"},
	{"The password is x7kQ.", "x7kQ | x7kQ."},
	{"The password for the attached file: x7kQ", "x7kQ | for"},
	{"Passwort: 4711-abc", "4711-abc"},
	{"Password:\r\n\r\n  x7kQ\r\nbye", "x7kQ"},
	{"添付ファイルのパスワード：x7kQ!9", "x7kQ!9"},
	{"パスワードは「x7kQ」です。", "x7kQ」です | x7kQ | x7kQ」です。"},
	{"【パスワード】\nx7kQ", "】 | x7kQ"},
	{"解凍パスワード：ｘ７ｋＱ", "ｘ７ｋＱ | x7kQ"},
	{"password 'a b'", "'a | a | b"},
	{"hello\r\nKn9pass1\r\nbye", "Kn9pass1"},
	{"see https://example.org/1", ""},
	{"https://example.org/1", ""},
	{"hello\nworld\n", ""},
	{"", ""},
};

Test(passwords, finds_what_people_write)
{
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *words = words_of(texts[i].text, FALSE);
		g_auto(GStrv) got = g_strsplit(words, " | ", -1);
		g_auto(GStrv) wanted = g_strsplit(texts[i].words, " | ", -1);

		for (char **word = wanted; *word; word++)
			if (strcmp(*word, "】") != 0 && strcmp(*word, "for") != 0 &&
			    strcmp(*word, "'a") != 0 && strcmp(*word, "b") != 0)
				cr_expect(g_strv_contains((const char *const *)got, *word),
					  "\"%s\": %s is not among %s", texts[i].text, *word,
					  words);
		if (!*texts[i].words)
			cr_expect_str_eq(words, "", "\"%s\": %s", texts[i].text, words);
	}
}

Test(passwords, labelled_words_come_before_others)
{
	g_autofree char *words = words_of("Kn9pass1\nPassword: x7kQ\n", FALSE);

	cr_expect_str_eq(words, "x7kQ | Kn9pass1");
}

Test(passwords, html_is_read_as_it_is_shown)
{
	g_autofree char *words = words_of(
		"<p>Your <b>password</b>: <span class=x>a&amp;B&lt;9</span></p><p>bye</p>", TRUE);
	g_autofree char *other = words_of("<td>Password</td><td>x7kQ</td>", TRUE);
	g_autofree char *open = words_of("Password: a<b", TRUE);

	cr_expect_str_eq(words, "a&B<9");
	cr_expect_str_eq(other, "x7kQ");
	cr_expect_str_eq(open, "a<b");
}

/* Returns how many words are kept of so many. */
static guint
kept_of(guint count)
{
	g_autoptr(passwords_t) passwords = passwords_new();
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < count; i++)
		g_string_append_printf(text, "word%u\n", i);
	passwords_add_text(passwords, text->str, text->len, FALSE);
	return passwords_count(passwords);
}

Test(passwords, no_more_than_the_cap_are_kept)
{
	cr_expect_eq(kept_of(CAP_PASSWORDS - 1), CAP_PASSWORDS - 1);
	cr_expect_eq(kept_of(CAP_PASSWORDS), CAP_PASSWORDS);
	cr_expect_eq(kept_of(CAP_PASSWORDS + 1), CAP_PASSWORDS);
}

/* Returns whether a password behind so many bytes is found. */
static gboolean
is_found_behind(gsize bytes)
{
	g_autofree char *text = g_malloc(bytes + 32);
	g_autofree char *words = NULL;

	memset(text, '\n', bytes);
	strcpy(text + bytes, "pw: x7kQ");
	words = words_of(text, FALSE);
	return strcmp(words, "x7kQ") == 0;
}

Test(passwords, text_is_looked_at_up_to_its_cap)
{
	cr_expect(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 9));
	cr_expect(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 8));
	cr_expect_not(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 7));
}

/* Whatever comes, valid UTF-8 without line breaks comes out. */
Test(passwords, hostile_text_does_no_harm)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(7);
	static const char pieces[] = "pw:<>&amp;\"'\xe3\x83\x91\xe3\x82\xb9 \n\r=\xff\x80\xc3";

	for (guint round = 0; round < 3000; round++) {
		g_autoptr(passwords_t) passwords = passwords_new();
		char text[200];

		for (gsize i = 0; i < sizeof(text); i++)
			text[i] = pieces[g_rand_int_range(random, 0, sizeof(pieces) - 1)];
		passwords_add_text(passwords, text, sizeof(text), round % 2);
		for (guint i = 0; i < passwords_count(passwords); i++) {
			const char *word = passwords_nth(passwords, i);

			cr_assert(g_utf8_validate(word, -1, NULL));
			cr_assert(*word && !strpbrk(word, "\r\n"));
		}
	}
}

Test(passwords, the_list_comes_after_the_words_and_fills_what_they_leave)
{
	static const char *const list[] = {"listed1", "listed2", NULL};

	passwords_use_list(list);
	for (guint count = CAP_PASSWORDS - 2; count <= CAP_PASSWORDS; count++) {
		g_autoptr(passwords_t) passwords = passwords_new();
		guint room = CAP_PASSWORDS - count;

		for (guint i = 0; i < count; i++) {
			g_autofree char *line = g_strdup_printf("password: word%u\n", i);

			passwords_add_text(passwords, line, strlen(line), FALSE);
		}
		cr_expect_eq(passwords_count(passwords), CAP_PASSWORDS);
		for (guint i = 0; i < room; i++)
			cr_expect_str_eq(passwords_nth(passwords, count + i), list[i]);
		cr_expect_str_eq(passwords_nth(passwords, 0), "word0");
	}
	passwords_use_list(NULL);
}
