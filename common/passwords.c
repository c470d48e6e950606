/* SPDX-License-Identifier: BSD-2-Clause */
#include "passwords.h"

#include <string.h>

#include "caps.h"

#define ALONE_CHARS_MIN 4 /* of a word that stands alone on its line without any label */
#define ALONE_CHARS_MAX 64

/* What people write before a password, case-folded; longer ones before their beginnings. */
static const char *const labels[] = {
	"password",   "passwort",   "passphrase", "passcode",	"passwd", "mot de passe",
	"contraseña", "contrasena", "wachtwoord", "kennwort",	"senha",  "pwd",
	"pass",	      "pw",	    "pin",	  "パスワード", "パス",	  "解凍キー",
	"解凍",	      "暗証番号",   "密码",	  "密碼",	"口令",	  "비밀번호",
};

/* Marks that end a word where people quote it or end a sentence with it. */
static const char *const closers[] = {"」", "』", "】", "）", "。", "、", "”", "’", ")", "]",
				      ">",  "\"", "'",	".",  ",",  ";",  ":", "!", "?"};

/* The site's own, set before the first message is read. */
static const char *const *listed;

struct passwords {
	GPtrArray *labelled; /* of char *, in order of appearance */
	GPtrArray *alone;
	gsize text_bytes;
	gboolean awaited; /* a label ended the line before */
};

void
passwords_use_list(const char *const *list)
{
	listed = list;
}

static void
wipe(gpointer word)
{
	explicit_bzero(word, strlen(word));
	g_free(word);
}

struct passwords *
passwords_new(void)
{
	struct passwords *passwords = g_new0(struct passwords, 1);

	passwords->labelled = g_ptr_array_new_with_free_func(wipe);
	passwords->alone = g_ptr_array_new_with_free_func(wipe);
	return passwords;
}

void
passwords_free(struct passwords *passwords)
{
	if (!passwords)
		return;
	g_ptr_array_unref(passwords->labelled);
	g_ptr_array_unref(passwords->alone);
	g_free(passwords);
}

/* ---- words ---- */

static gboolean
has_word(const GPtrArray *words, const char *word)
{
	return g_ptr_array_find_with_equal_func((GPtrArray *)words, word, g_str_equal, NULL);
}

static void
add_word(struct passwords *passwords, GPtrArray *words, const char *word, gsize length)
{
	g_autofree char *text = NULL;

	if (length == 0 || length > CAP_PASSWORD_BYTES)
		return;
	text = g_strndup(word, length);
	if (has_word(passwords->labelled, text) || has_word(words, text))
		return;
	if (words->len < CAP_PASSWORDS)
		g_ptr_array_add(words, g_steal_pointer(&text));
}

/* Returns the length of a word without the closing marks behind it. */
static gsize
trimmed_length(const char *word, gsize length)
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

/* Returns the length up to a mark that closes a quotation, which need not be at the end. */
static gsize
quoted_length(const char *word, gsize length)
{
	static const char *const ends[] = {"」", "』", "】", "）", "”", "’", "\"", "'", ")", "]"};

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		const char *end = g_strstr_len(word, (gssize)length, ends[i]);

		if (end && end > word)
			length = (gsize)(end - word);
	}
	return length;
}

/* A word as it stands, without closing marks, and in half-width letters where it has others. */
static void
add_forms(struct passwords *passwords, GPtrArray *words, const char *word, gsize length)
{
	gsize trimmed = trimmed_length(word, length);
	g_autofree char *plain = NULL;

	add_word(passwords, words, word, trimmed);
	add_word(passwords, words, word, quoted_length(word, length));
	add_word(passwords, words, word, length);
	plain = g_utf8_normalize(word, (gssize)trimmed, G_NORMALIZE_NFKC);
	if (plain)
		add_word(passwords, words, plain, strlen(plain));
}

/* ---- a line ---- */

/* Returns what stands behind a character that is no part of a word, or at. */
static const char *
skip_filler(const char *at)
{
	static const char *const fillers[] = {
		" ",  "\t", ":", "=", "-", ">",	 "\"", "'",  "(", "[", "：",  "＝",  "「",   "『",
		"【", "（", "“", "‘", "→", "　", "は", "が", "*", "_", "is ", "IS ", "ist ", "est ",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(fillers);) {
		if (g_str_has_prefix(at, fillers[i])) {
			at += strlen(fillers[i]);
			i = 0;
		} else {
			i++;
		}
	}
	return at;
}

static gsize
word_length(const char *at)
{
	const char *end = at;

	while (*end && !g_unichar_isspace(g_utf8_get_char(end)))
		end = g_utf8_next_char(end);
	return (gsize)(end - at);
}

/* Returns what follows the last colon or the like of a text, or NULL. */
static const char *
behind_colon(const char *text)
{
	static const char *const colons[] = {":", "：", "=", "＝"};
	const char *found = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(colons); i++) {
		const char *at = g_strrstr(text, colons[i]);

		if (at && at + strlen(colons[i]) > found)
			found = at + strlen(colons[i]);
	}
	return found;
}

/* What follows a label: the word at once, or behind the line's colon, or on the next line. */
static void
take_labelled(struct passwords *passwords, const char *rest)
{
	const char *colon = behind_colon(rest);
	const char *word = skip_filler(rest);

	passwords->awaited = *word == '\0';
	if (colon) {
		colon = skip_filler(colon);
		add_forms(passwords, passwords->labelled, colon, word_length(colon));
		passwords->awaited |= *colon == '\0';
	}
	add_forms(passwords, passwords->labelled, word, word_length(word));
}

/* Whether a label stands by itself at a place of a text, and not within a word of letters. */
static gboolean
is_apart(const char *text, const char *at, gsize length)
{
	return (at == text || !g_ascii_isalnum(at[-1])) && !g_ascii_isalnum(at[length]);
}

/*
 * Finds a label in a line and its case-folded form, which are as long as each
 * other, or there is none.
 */
static const char *
find_label(const char *line, const char *folded)
{
	for (gsize i = 0; i < G_N_ELEMENTS(labels); i++) {
		gsize length = strlen(labels[i]);

		for (const char *at = folded; (at = strstr(at, labels[i])); at++)
			if (is_apart(folded, at, length))
				return line + (at - folded) + length;
	}
	return NULL;
}

/* A word alone on its line that does not look like one of a language. */
static gboolean
looks_made_up(const char *word, gsize length)
{
	glong chars = g_utf8_strlen(word, (gssize)length);

	if (chars < ALONE_CHARS_MIN || chars > ALONE_CHARS_MAX)
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (g_ascii_isdigit(word[i]) || g_ascii_ispunct(word[i]))
			return strstr(word, "://") == NULL;
	return FALSE;
}

/* line: stripped, NUL-terminated UTF-8. */
static void
take_line(struct passwords *passwords, const char *line)
{
	g_autofree char *folded = g_utf8_strdown(line, -1);
	gsize length = word_length(line);
	gboolean awaited = passwords->awaited;
	const char *rest;

	if (!*line)
		return;
	passwords->awaited = FALSE;
	rest = strlen(folded) == strlen(line) ? find_label(line, folded) : NULL;
	if (rest)
		take_labelled(passwords, rest);
	else if (awaited)
		add_forms(passwords, passwords->labelled, line, length);
	else if (!line[length] && looks_made_up(line, length))
		add_forms(passwords, passwords->alone, line, length);
}

static void
take_lines(struct passwords *passwords, char *text)
{
	char *end;

	for (char *line = text; line; line = end) {
		end = strpbrk(line, "\r\n");
		if (end)
			*end++ = '\0';
		take_line(passwords, g_strstrip(line));
	}
}

/* ---- HTML ---- */

/* The few character references that stand in passwords. */
static gsize
take_reference(const char *at, GString *out)
{
	static const struct {
		const char *reference;
		char character;
	} references[] = {
		{"&amp;", '&'},	 {"&lt;", '<'},	  {"&gt;", '>'},
		{"&quot;", '"'}, {"&#39;", '\''}, {"&nbsp;", ' '},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(references); i++) {
		if (g_str_has_prefix(at, references[i].reference)) {
			g_string_append_c(out, references[i].character);
			return strlen(references[i].reference);
		}
	}
	g_string_append_c(out, *at);
	return 1;
}

/* Tags that stand within a line; any other ends it. */
static gboolean
is_inline(const char *tag)
{
	static const char *const names[] = {
		"b>", "/b>", "strong", "/strong", "span", "/span", "font", "/font", "i>", "/i>",
		"em", "/em", "code",   "/code",	  "u>",	  "/u>",   "wbr",  "a ",    "/a>"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strncasecmp(tag, names[i], strlen(names[i])) == 0)
			return TRUE;
	return FALSE;
}

static char *
text_of_html(const char *html)
{
	GString *out = g_string_new(NULL);

	while (*html) {
		const char *end = *html == '<' ? strchr(html, '>') : NULL;

		if (end) {
			if (!is_inline(html + 1))
				g_string_append_c(out, '\n');
			html = end + 1;
		} else {
			html += take_reference(html, out);
		}
	}
	return g_string_free(out, FALSE);
}

void
passwords_add_text(struct passwords *passwords, const char *text, gsize length, gboolean html)
{
	gsize room = CAP_PASSWORD_TEXT_BYTES - passwords->text_bytes;
	g_autofree char *part = NULL;
	g_autofree char *valid = NULL;

	length = MIN(length, room);
	passwords->text_bytes += length;
	part = g_strndup(text, length);
	valid = g_utf8_make_valid(part, -1);
	if (html) {
		g_autofree char *plain = text_of_html(valid);

		take_lines(passwords, plain);
	} else {
		take_lines(passwords, valid);
	}
	passwords->awaited = FALSE;
}

/* ---- what came of it ---- */

static guint
listed_count(void)
{
	return listed ? g_strv_length((char **)listed) : 0;
}

guint
passwords_count(const struct passwords *passwords)
{
	return MIN(passwords->labelled->len + passwords->alone->len + listed_count(),
		   CAP_PASSWORDS);
}

const char *
passwords_nth(const struct passwords *passwords, guint n)
{
	if (n < passwords->labelled->len)
		return passwords->labelled->pdata[n];
	n -= passwords->labelled->len;
	if (n < passwords->alone->len)
		return passwords->alone->pdata[n];
	return listed[n - passwords->alone->len];
}
