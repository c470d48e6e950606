/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "caps.h"
#include "cpu_fixture.h"
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
	{"hello world\nsee you,\n", ""},
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

/* How people say it, as it was sent to us and others. */
static const struct {
	const char *word, *text;
} phrases[] = {
	{"Secret99", "The password for the attachment is Secret99."},
	{"Secret99", "Password-protected zip attached; the password is Secret99"},
	{"infected", "The attached file is encrypted with the password infected."},
	{"infected", "infected"},
	{"infected", "Password (all lowercase): infected"},
	{"Winter", "Use Winter as the password."},
	{"Secret99", "You can open it with \"Secret99\"."},
	{"1234", "PW 1234"},
	{"1234", "pwd:1234"},
	{"1234", "code: 1234"},
	{"correct horse", "Password: correct horse"},
	{"hello", "Your password to open the document: hello"},
	{"hello", "Archive password\n\n   hello\n"},
	{"Ab(c)1", "Password: Ab(c)1"},
	{"abc!", "Password: abc!"},
	{"hello", "Pass-code = hello"},
	{"a,b", "Password: a,b"},
	{"hello", "Password: \"hello\" (without quotes)"},
	{"hello", "Passwords: hello"},
	{"hello", "PASSWORD - hello"},
	{"hello", "P/W: hello"},
	{"hello", "Password is:\n> hello"},
	{"hello", "> Password: hello"},
	{"hello", "key: hello"},
	{"hello", "Zip-Password\thello"},
	{"geheim", "Das Passwort lautet geheim."},
	{"geheim", "Das Passwort lautet: geheim"},
	{"geheim", "Das Passwort für die ZIP-Datei ist geheim."},
	{"geheim", "Kennwort: geheim"},
	{"geheim", "Das Archiv-Passwort: geheim"},
	{"geheim", "Zip-Kennwort ist „geheim“."},
	{"secret", "Le mot de passe est secret"},
	{"secret", "Le mot de passe est : secret"},
	{"secret", "Mot de passe : « secret »"},
	{"secret", "Mot de passe :\u00a0secret"},
	{"secret", "Voici le mot de passe de l’archive\u00a0: secret"},
	{"secreto", "La contraseña es secreto"},
	{"secreto", "Contraseña: secreto"},
	{"secreto", "Clave: secreto"},
	{"segreto", "La password è segreto"},
	{"segreto", "Parola d'ordine: segreto"},
	{"segredo", "A senha é segredo"},
	{"segredo", "Senha do arquivo: segredo"},
	{"segredo", "Palavra-passe: segredo"},
	{"geheim", "Het wachtwoord is geheim"},
	{"sekret", "Пароль: sekret"},
	{"sekret", "Пароль от архива: sekret"},
	{"sekret", "Пароль до архіву - sekret"},
	{"tajne", "Hasło: tajne"},
	{"tajne", "Hasło do archiwum: tajne"},
	{"tajne", "Heslo: tajne"},
	{"hemligt", "Lösenord: hemligt"},
	{"hemmelig", "Adgangskode: hemmelig"},
	{"hemmelig", "Passord: hemmelig"},
	{"salainen", "Salasana: salainen"},
	{"gizli", "Şifre: gizli"},
	{"gizli", "Parola: gizli"},
	{"titkos", "Jelszó: titkos"},
	{"mystiko", "Κωδικός: mystiko"},
	{"secret", "Parola: secret"},
	{"abc", "パスワードは abc です。"},
	{"abc", "パスワード：abc"},
	{"abcdef", "パスワードは以下の通りです。\n\nabcdef\n\nよろしく"},
	{"abc", "解凍パスワード【abc】"},
	{"abcd", "添付ファイルのパスワードをお送りします。\n\nabcd\n"},
	{"abcd", "パスワードは「abcd」となります。"},
	{"abcd", "PW：abcd"},
	{"abcd", "ＰＷ：ａｂｃｄ"},
	{"abcd", "パスワード　abcd"},
	{"abcd", "■パスワード■\nabcd"},
	{"abcd", "パスワードは、abcdです。"},
	{"abcd", "パスワードはabcdです。"},
	{"abcd", "ＺＩＰパスワード　：　abcd"},
	{"abcd", "［パスワード］abcd"},
	{"abcd", "<パスワード> abcd"},
	{"abcd", "解凍用パスワード: abcd"},
	{"abcd", "複合化キー：abcd"},
	{"abcd", "復号パスワード ⇒ abcd"},
	{"abcd", "ﾊﾟｽﾜｰﾄﾞ：abcd"},
	{"abcd", "開封パスワードは\"abcd\"です"},
	{"abcd", "パスワード\n----------\nabcd\n----------"},
	{"abc", "密码：abc"},
	{"abc", "解压密码是abc"},
	{"abc", "密码为：abc"},
	{"abc", "密碼: abc"},
	{"abc", "提取码：abc"},
	{"abc", "비밀번호: abc"},
	{"abc", "비밀번호는 abc 입니다."},
	{"abc", "암호: abc"},
	{"abc", "패스워드: abc"},
	{"abc", "Mật khẩu: abc"},
	{"abc", "كلمة المرور: abc"},
	{"abc", "סיסמה: abc"},
	{"abc", "รหัสผ่าน: abc"},
	{"x7kQ", "> > The password is\n> >\n> > x7kQ"},
	{"x7kQ.", "The password is x7kQ."},
	{"Ab-1", "Kata sandi: Ab-1"},
	{"abcd", "解凍パスワードを別途お送りします。\n\n【abcd】\n"},
	{"abcd", "パスワードは「ａｂｃｄ」です"},
	{"ａｂｃｄ", "パスワードは「ａｂｃｄ」です"},
	{"ひらけごま", "パスワードは「ひらけごま」です。"},
	{"x7kQ", "Das Zugangspasswort der Datei lautet „x7kQ“."},
	{"x7kQ", "Lösenordet är x7kQ"},
	{"x7kQ", "Parolanız: x7kQ"},
	{"x7kQ", "ŞİFRE\u00a0: x7kQ"},
	{"x7kQ", "Passw\u200bord:\u200b x7kQ"},
	{"-x7kQ", "Password: -x7kQ"},
	{"correct horse", "The password is \"correct horse\"."},
	{"für-7", "Passwort: für-7"},
	{"x7kQ", "The password for https://example.org/a is x7kQ"},
};

static const struct {
	const char *word, *text;
} html_phrases[] = {
	{"Secret", "<p>Password: <b>Secret</b></p>"},
	{"Secret", "<table><tr><td>Password</td><td>Secret</td></tr></table>"},
	{"Secret", "<p>Pass<span style=\"color:red\">word</span>:&nbsp;Secret</p>"},
	{"p@ss", "<p>Password: p&#64;ss</p>"},
	{"p@ss", "<p>Password: p&#x40;ss</p>"},
	{"it's", "<p>Password: it&apos;s</p>"},
	{"Secret", "<p>Password: <b style=\"x\">Secret</b></p>"},
	{"Secret", "<style>b{c:d}</style><p>The password is<br>\n<br>\nSecret</p>"},
	{"Secret", "<p>Password:<img src=\"x\"> Secret</p>"},
	{"Sec<ret", "<p>Password: Sec&lt;ret</p>"},
	{"Secret", "<p>Password: Sec<!-- x -->ret</p>"},
	{"Secret", "<p>Pass<wbr>word:&#8203;Secret</p>"},
	{"SecretXY", "<p>Password:&#32;Secret<b>XY</b></p>"},
	{"Secret", "<p>Password:\u200bSecret</p>"},
	{"Secret", "<p>The <i>password</i> is <mark>Secret</mark>.</p>"},
	{"Secret", "<dl><dt>Password<dd>Secret</dl>"},
	{"Secret", "<p>Pass&shy;word: Secret</p>"},
	{"Secret", "<p>パスワード&#65306;Secret</p>"},
	{"Secret", "<p>&#12497;&#12473;&#12527;&#12540;&#12489;：Secret</p>"},
	{"x7kQ", "<p>La contrase&ntilde;a es&nbsp;: &laquo;&nbsp;x7kQ&nbsp;&raquo;</p>"},
	{"x7kQ", "<p>The password of\nthe file\nis x7kQ</p>"},
	{"x7kQ", "<pre>Password:\nx7kQ\nbye</pre>"},
	{"x7kQ", "<!--[if mso]><p>Password: x7kQ</p><![endif]-->"},
	{"x7kQ", "Password: x7kQ<!-- never closed"},
};

static void
expect_word(const char *word, const char *text, gboolean html)
{
	g_autofree char *words = words_of(text, html);
	g_auto(GStrv) got = g_strsplit(words, " | ", -1);

	cr_expect(g_strv_contains((const char *const *)got, word), "\"%s\": %s is not among %s",
		  text, word, words);
}

Test(passwords, the_word_is_found_in_ordinary_phrases)
{
	for (gsize i = 0; i < G_N_ELEMENTS(phrases); i++)
		expect_word(phrases[i].word, phrases[i].text, FALSE);
}

Test(passwords, the_word_is_found_in_ordinary_html)
{
	for (gsize i = 0; i < G_N_ELEMENTS(html_phrases); i++)
		expect_word(html_phrases[i].word, html_phrases[i].text, TRUE);
}

/* What is right behind the label, or alone where it was announced, is tried before all else. */
Test(passwords, the_likeliest_word_comes_first)
{
	static const struct {
		const char *first, *text;
	} cases[] = {
		{"x7kQ", "Dear all,\nregards\nThe password for the attachment is x7kQ.\nnumber2"},
		{"x7kQ", "Password (all lowercase): x7kQ"},
		{"x7kQ", "Password-protected file.\nThe password is x7kQ"},
		{"x7kQ", "お世話になります。\nパスワードはx7kQです。\nよろしく"},
		{"x7kQ", "비밀번호는 x7kQ 입니다."},
		{"x7kQ", "パスワード付きZIPです。パスワードは別途お送りします。\nパスワード：x7kQ"},
		{"x7kQ", "Die Datei ist passwortgeschützt. Das Passwort lautet: x7kQ"},
		{"x7kQ", "Mot de passe : « x7kQ »"},
		{"x7kQ", "4711-0815\nThe password is:\n\n> x7kQ\n"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *words = words_of(cases[i].text, FALSE);
		gsize length = strcspn(words, " ");

		cr_expect(length == strlen(cases[i].first) &&
				  strncmp(words, cases[i].first, length) == 0,
			  "\"%s\": %s", cases[i].text, words);
	}
}

Test(passwords, words_of_daily_use_are_labels_before_a_colon_alone)
{
	g_autofree char *words = words_of("the key to the code of it", FALSE);
	g_autofree char *within = words_of("monkey: x7kQ", FALSE);

	cr_expect_str_eq(words, "");
	cr_expect_str_eq(within, "");
}

/* Archivers of Windows take a password in the code page of the country. */
Test(passwords, letters_that_are_not_ascii_are_tried_in_the_sets_of_archives_too)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"Passwort: grün", "grün | gr\xfcn | gr\x81n"},
		{"Пароль: лес", "лес | \xeb\xe5\xf1 | \xab\xa5\xe1"},
		{"パスワード：ひみつ", "ひみつ | \x82\xd0\x82\xdd\x82\xc2"},
		{"비밀번호: 비밀", "비밀 | \xba\xf1\xb9\xd0"},
		{"Password: ☃", "☃"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *words = words_of(cases[i].text, FALSE);

		cr_expect_str_eq(words, cases[i].words);
	}
}

Test(passwords, words_that_only_their_place_speaks_for_come_behind_the_list)
{
	static const char *const list[] = {"listed1", NULL};
	g_autofree char *words = NULL;

	passwords_use_list(list);
	words = words_of("infected\nopen it with \"Secret\"\nKn9pass1\n", FALSE);
	passwords_use_list(NULL);
	cr_expect_str_eq(words, "Kn9pass1 | listed1 | infected | Secret");
}

/* An end that is not there must not be sought from every place. */
Test(passwords, a_text_is_read_in_linear_time, .init = limit_cpu)
{
	static const char *const pieces[] = {
		"<",	  "<a",		  "<!--", "<!",	  "pw:", "pw ",	    "\"",
		"(\"",	  "password is ", ">",	  "=",	  "&#",	 "a\u0301", "\u0301\u0323",
		"\ufdfa", "<script>",	  "</",	  "パス", ": ",	 ".",	    " as pw",
		"pass",	  "「",		  "-",	  "a b\n"};

	for (guint i = 0; i < 2 * G_N_ELEMENTS(pieces); i++) {
		g_autoptr(passwords_t) passwords = passwords_new();
		g_autoptr(GString) text = g_string_new("pw: a ");

		while (text->len < CAP_PASSWORD_TEXT_BYTES)
			g_string_append(text, pieces[i / 2]);
		passwords_add_text(passwords, text->str, text->len, i % 2);
		cr_expect_leq(passwords_count(passwords), CAP_PASSWORDS);
	}
}

Test(passwords, a_name_has_words_by_a_label_alone)
{
	static const struct {
		const char *name, *word;
	} names[] = {
		{"offer_pass-1234.zip", "1234"},
		{"invoice pw 1234.zip", "1234"},
		{"docs (password=x7kQ).7z", "x7kQ"},
		{"Rechnung_Passwort_x7kQ.zip", "x7kQ"},
		{"invoice-4711.zip", NULL},
		{"x7kQ.zip", NULL},
		{"pw:", NULL},
		{"", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(passwords_t) passwords = passwords_new();
		const char *word = names[i].word;

		passwords_add_name(passwords, names[i].name);
		cr_expect_eq(passwords_count(passwords) > 0, word != NULL, "%s", names[i].name);
		if (word && passwords_count(passwords))
			cr_expect_str_eq(passwords_nth(passwords, 0), word, "%s", names[i].name);
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

/* Whether a collection with so many words of each kind, and a list, has more than is tried. */
static gboolean
words_left_of(guint labelled, guint alone, const char *const *list)
{
	g_autoptr(passwords_t) passwords = passwords_new();
	g_autoptr(GString) text = g_string_new(NULL);
	gboolean left;

	for (guint i = 0; i < labelled; i++)
		g_string_append_printf(text, "pw: word%u\n", i);
	for (guint i = 0; i < alone; i++)
		g_string_append_printf(text, "alone%u\nalone%u\n", i, i);
	passwords_add_text(passwords, text->str, text->len, FALSE);
	passwords_use_list(list);
	left = passwords_words_left(passwords);
	passwords_use_list(NULL);
	return left;
}

Test(passwords, words_beyond_the_cap_are_known_of_whatever_their_kind)
{
	static const char *const list[] = {"listed1", "listed2", NULL};

	for (int over = 0; over < 2; over++) {
		cr_expect_eq(words_left_of(CAP_PASSWORDS + over, 0, NULL), over);
		cr_expect_eq(words_left_of(0, CAP_PASSWORDS + over, NULL), over);
		cr_expect_eq(words_left_of(5 + over, CAP_PASSWORDS - 5, NULL), over);
		cr_expect_eq(words_left_of(5, CAP_PASSWORDS - 7 + over, list), over);
	}
}

Test(passwords, text_beyond_the_cap_is_known_of)
{
	g_autofree char *text = g_strnfill(CAP_PASSWORD_TEXT_BYTES, '\n');
	g_autoptr(passwords_t) passwords = passwords_new();

	passwords_add_text(passwords, text, CAP_PASSWORD_TEXT_BYTES - 1, FALSE);
	cr_expect_not(passwords_text_left(passwords));
	passwords_add_text(passwords, text, 1, FALSE);
	cr_expect_not(passwords_text_left(passwords));
	passwords_add_text(passwords, text, 1, FALSE);
	cr_expect(passwords_text_left(passwords));
}

Test(passwords, text_is_looked_at_up_to_its_cap)
{
	cr_expect(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 9));
	cr_expect(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 8));
	cr_expect_not(is_found_behind(CAP_PASSWORD_TEXT_BYTES - 7));
}

/* Whatever comes, words without line breaks come out. */
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

			cr_assert_leq(strlen(word), CAP_PASSWORD_BYTES);
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
