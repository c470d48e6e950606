/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "password_labels.h"

#include <string.h>

#include "caps.h"

#define INFLECTED_BYTES 6 /* a label from here on may have letters before and behind it */
#define NO_SPACES 0x0e00  /* scripts from here on are written without, or with particles */

/* In small letters, composed (NFKC). */
static const struct label {
	const char *text;
	gboolean weak; /* of daily use: counts before a colon only */
} labels[] = {
	{"password", FALSE},	  {"pasword", FALSE},
	{"passwd", FALSE},	  {"pass-word", FALSE},
	{"pass word", FALSE},	  {"passphrase", FALSE},
	{"passcode", FALSE},	  {"pass-code", FALSE},
	{"pwd", FALSE},		  {"pswd", FALSE},
	{"psw", FALSE},		  {"pass", FALSE},
	{"p/w", FALSE},		  {"pw", FALSE},
	{"pin", FALSE},		  {"key", TRUE},
	{"code", TRUE},		  {"passwort", FALSE},
	{"kennwort", FALSE},	  {"mot de passe", FALSE},
	{"mdp", FALSE},		  {"contraseña", FALSE},
	{"contrasena", FALSE},	  {"clave", FALSE},
	{"senha", FALSE},	  {"palavra-passe", FALSE},
	{"palavra passe", FALSE}, {"chave", TRUE},
	{"código", TRUE},	  {"codice", TRUE},
	{"wachtwoord", FALSE},	  {"lösenord", FALSE},
	{"passord", FALSE},	  {"adgangskode", FALSE},
	{"kodeord", FALSE},	  {"kode", TRUE},
	{"salasana", FALSE},	  {"hasło", FALSE},
	{"haslo", FALSE},	  {"heslo", FALSE},
	{"jelszó", FALSE},	  {"jelszava", FALSE},
	{"parola", FALSE},	  {"parolă", FALSE},
	{"şifre", FALSE},	  {"şİfre", FALSE},
	{"sifre", FALSE},	  {"lozinka", FALSE},
	{"geslo", FALSE},	  {"kata sandi", FALSE},
	{"mật khẩu", FALSE},	  {"mat khau", FALSE},
	{"пароль", FALSE},	  {"парола", FALSE},
	{"лозинка", FALSE},	  {"код", TRUE},
	{"κωδικός", FALSE},	  {"κωδικοσ", FALSE},
	{"كلمة المرور", FALSE},	  {"كلمة مرور", FALSE},
	{"كلمة السر", FALSE},	  {"الرقم السري", FALSE},
	{"رمز عبور", FALSE},	  {"סיסמה", FALSE},
	{"סיסמא", FALSE},	  {"הסיסמה", FALSE},
	{"รหัสผ่าน", FALSE},	  {"पासवर्ड", FALSE},
	{"パスワード", FALSE},	  {"パスコード", FALSE},
	{"パスフレーズ", FALSE},  {"パス", FALSE},
	{"解凍", FALSE},	  {"暗証番号", FALSE},
	{"合言葉", FALSE},	  {"キー", TRUE},
	{"密码", FALSE},	  {"密碼", FALSE},
	{"口令", FALSE},	  {"提取码", FALSE},
	{"提取碼", FALSE},	  {"비밀번호", FALSE},
	{"암호", FALSE},	  {"패스워드", FALSE},
	{"비번", FALSE},
};

/* Words that stand between a label and the password. */
static const char *const verbs[] = {
	"is", "are", "was", "will be", "ist", "lautet", "est",	 "es", "è",  "é",  "e'", "jest",
	"to", "je",  "är",  "er",      "on",  "este",	"είναι", "là", "هي", "هو", "คือ",
};

/* Marks and particles of the same use; closing ones, since a label too stands in brackets. */
static const char *const separators[] = {
	":",  "=",  "：", "＝", "→",  "⇒", "➡", "は", "が", "是", "为",
	"為", "는", "은", "、", "，", "|", ">", "＞", "]",  "］", "】",
	"」", "』", "〉", "》", "■",  "□", "●", "◆",  "▼",  "★",  "…",
};

static const char *const openers[] = {
	"\"", "'", "(", "[", "<", "（", "［", "＜", "「", "『", "【", "〈",
	"《", "“", "”", "‘", "„", "‚",	"«",  "‹",  "»",  "`",	"*",  "_",
};

static const char *const dashes[] = {"-", "–", "—"};

static const char *const blanks[] = {" ", "\t", "　"};

/* Marks that end a word where people quote it or end a sentence with it. */
static const char *const closers[] = {"」", "』", "】", "）", "］", "〉", "》", "。", "、", "，",
				      "”",  "“",  "’",	"‘",  "»",  "«",  "›",	")",  "]",  ">",
				      "\"", "'",  "`",	"*",  ".",  ",",  ";",	":",  "!",  "?"};

/* ---- labels ---- */

/* The labels by their first bytes, as lists of places, -1 at the end of each. */
struct places {
	gint8 first[256];
	gint8 next[G_N_ELEMENTS(labels)];
};

static gpointer
places_fill(gpointer unused)
{
	struct places *places = g_new(struct places, 1);

	G_STATIC_ASSERT(G_N_ELEMENTS(labels) < 128);
	memset(places, -1, sizeof(*places));
	for (gsize i = 0; i < G_N_ELEMENTS(labels); i++) {
		guchar first = (guchar)labels[i].text[0];

		places->next[i] = places->first[first];
		places->first[first] = (gint8)i;
	}
	return places;
}

static gboolean
is_letter(gunichar c)
{
	return c < NO_SPACES && (c < 0x80 ? g_ascii_isalpha(c) : g_unichar_isalpha(c));
}

/* Returns the bytes of the letters that a text begins with. */
static gsize
ending_length(const char *text)
{
	const char *end = text;

	while (is_letter(g_utf8_get_char(end)))
		end = g_utf8_next_char(end);
	return (gsize)(end - text);
}

static gboolean
is_before_colon(const char *text)
{
	text += strspn(text, " \t");
	return *text == ':' || *text == '=' || g_str_has_prefix(text, "：");
}

/* Returns the bytes of a label with its ending at a place of a line, or 0. */
static gsize
match_label(const struct label *label, const char *line, const char *at)
{
	gsize length = strlen(label->text);
	const char *behind = at + length;

	if (strncmp(at, label->text, length) != 0 || (label->weak && !is_before_colon(behind)))
		return 0;
	if (length >= INFLECTED_BYTES && !g_ascii_isdigit(*behind))
		return length + ending_length(behind);
	if (g_ascii_isdigit(*behind) || is_letter(g_utf8_get_char(behind)))
		return 0;
	if (at > line &&
	    (g_ascii_isdigit(at[-1]) || is_letter(g_utf8_get_char(g_utf8_prev_char(at)))))
		return 0;
	return length;
}

gsize
password_label(const char *line, const char *at, gboolean *ret_weak)
{
	static GOnce once = G_ONCE_INIT;
	const struct places *places = g_once(&once, places_fill, NULL);
	gsize best = 0;

	for (int i = places->first[(guchar)*at]; i >= 0; i = places->next[i]) {
		gsize length = match_label(&labels[i], line, at);

		if (length > best) {
			best = length;
			*ret_weak = labels[i].weak;
		}
	}
	return best;
}

/* ---- what stands before the word ---- */

/* Returns the bytes of the first of some marks that a text begins with, or 0. */
static gsize
prefix_of(const char *text, const char *const *marks, gsize count)
{
	for (gsize i = 0; i < count; i++)
		if (g_str_has_prefix(text, marks[i]))
			return strlen(marks[i]);
	return 0;
}

/* Returns the bytes of a verb that a text begins with and that ends there, or 0. */
static gsize
verb_length(const char *text)
{
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		gsize length = strlen(verbs[i]);

		if (g_ascii_strncasecmp(text, verbs[i], length) == 0 &&
		    (!text[length] || strchr(" \t:", text[length])))
			return length;
	}
	return 0;
}

const char *
password_skip_filler(const char *text, gboolean *ret_separated)
{
	const char *at = text;
	gsize length;

	*ret_separated = FALSE;
	for (;; at += length) {
		gboolean begins = at == text || strchr(" \t:", at[-1]);

		if ((length = prefix_of(at, blanks, G_N_ELEMENTS(blanks))) ||
		    (length = prefix_of(at, openers, G_N_ELEMENTS(openers))))
			continue;
		if ((length = prefix_of(at, separators, G_N_ELEMENTS(separators))) ||
		    (begins && (length = verb_length(at)))) {
			*ret_separated = TRUE;
			continue;
		}
		length = prefix_of(at, dashes, G_N_ELEMENTS(dashes));
		if (!length)
			return at;
		/* "password-protected" says no password. */
		*ret_separated |= at[length] && strchr(" \t>", at[length]);
	}
}

const char *
password_behind_verb(const char *text)
{
	static const char *const colons[] = {":", "=", "：", "＝"};

	for (const char *at = text; *at; at = g_utf8_next_char(at)) {
		gsize length = prefix_of(at, colons, G_N_ELEMENTS(colons));

		if (!length && at > text && strchr(" \t", at[-1]))
			length = verb_length(at);
		if (length && !g_str_has_prefix(at + length, "//"))
			return at + length;
	}
	return NULL;
}

/* ---- what stands behind and around it ---- */

gsize
password_trimmed_length(const char *word, gsize length)
{
	gsize i = 0;

	while (i < G_N_ELEMENTS(closers)) {
		gsize mark = strlen(closers[i]);

		if (length > mark && memcmp(word + length - mark, closers[i], mark) == 0) {
			length -= mark;
			i = 0;
		} else {
			i++;
		}
	}
	return length;
}

gsize
password_quoted_length(const char *word, gsize length)
{
	static const char *const ends[] = {"」", "』", "】", "）", "］", "〉", "》", "”", "“", "’",
					   "‘",	 "»",  "«",  "\"", "'",	 "`",  ")",  "]", ">"};

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		const char *end = g_strstr_len(word, (gssize)length, ends[i]);

		if (end && end > word)
			length = (gsize)(end - word);
	}
	return length;
}

/* Returns the length up to the mark that ends a quotation, within the bytes of a password; or 0. */
static gsize
length_to(const char *text, const char *mark)
{
	gsize most = strnlen(text, CAP_PASSWORD_BYTES + strlen(mark));
	const char *end = memmem(text, most, mark, strlen(mark));

	return end ? (gsize)(end - text) : 0;
}

const char *
password_next_quoted(const char *line, gsize *ret_length)
{
	static const struct {
		const char *open, *close;
	} pairs[] = {
		{"\"", "\""}, {"'", "'"},   {"`", "`"},	  {"[", "]"},	{"(", ")"},   {"“", "”"},
		{"„", "“"},   {"„", "”"},   {"‘", "’"},	  {"‚", "‘"},	{"«", "»"},   {"»", "«"},
		{"‹", "›"},   {"「", "」"}, {"『", "』"}, {"【", "】"}, {"（", "）"}, {"［", "］"},
	};
	static const char begins[] = "\"'`[(\xe2\xc2\xe3\xef";

	for (const char *at = line; *(at += strcspn(at, begins)); at = g_utf8_next_char(at)) {
		if (at > line && g_ascii_isalnum(at[-1]))
			continue; /* an apostrophe */
		for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
			gsize open = strlen(pairs[i].open);

			if (!g_str_has_prefix(at, pairs[i].open))
				continue;
			*ret_length = length_to(at + open, pairs[i].close);
			if (*ret_length)
				return at + open;
		}
	}
	return NULL;
}
