/* SPDX-License-Identifier: BSD-2-Clause */
#include "password_words.h"

#include <string.h>

#include "caps.h"
#include "password_labels.h"
#include "password_text.h"

#define ALONE_CHARS_MIN 4 /* of a word that stands alone on its line without any label */
#define ALONE_CHARS_MAX 64
#define PHRASE_BYTES 256 /* looked at behind a label: a sentence */
#define LABELS_MAX 500	 /* looked at in a message: who writes more means none of them */
#define AWAITED_LINES 2	 /* behind one with a label, in which the word may stand alone */
#define PHRASE_WORDS 4	 /* of a password with blanks */

void
password_wipe(gpointer word)
{
	explicit_bzero(word, strlen(word));
	g_free(word);
}

void
password_words_init(struct password_words *words)
{
	*words = (struct password_words){.labels_left = LABELS_MAX};
	for (guint rank = 0; rank < PASSWORD_RANKS; rank++)
		words->of_rank[rank] = g_ptr_array_new_with_free_func(password_wipe);
}

void
password_words_clear(struct password_words *words)
{
	for (guint rank = 0; rank < PASSWORD_RANKS; rank++)
		g_clear_pointer(&words->of_rank[rank], g_ptr_array_unref);
}

static void
add_word(struct password_words *words, enum password_rank rank, const char *word, gsize length)
{
	GPtrArray *same = words->of_rank[rank];
	g_autofree char *text = NULL;

	if (length == 0 || length > CAP_PASSWORD_BYTES)
		return;
	text = g_strndup(word, length);
	if (g_ptr_array_find_with_equal_func(same, text, g_str_equal, NULL))
		return;
	if (same->len < CAP_PASSWORDS)
		g_ptr_array_add(same, g_steal_pointer(&text));
	else
		words->left = TRUE;
}

/*
 * Returns the length of the ASCII that a word begins with, where what follows it is of a
 * script written without blanks, "x7kQです", or nothing; else 0.
 */
static gsize
ascii_length(const char *word, gsize length)
{
	gsize ascii = 0;

	while (ascii < length && (guchar)word[ascii] < 0x80)
		ascii++;
	return ascii < length && g_utf8_get_char(word + ascii) < 0x0e00 ? 0 : ascii;
}

/* Whether a word is no more than the end of a sentence. */
static gboolean
is_mark(const char *word, gsize length)
{
	return length == 1 && g_ascii_ispunct(*word);
}

/* A word without closing marks and what is written on to it, and then as it stands. */
static void
add_forms(struct password_words *words, enum password_rank rank, const char *word, gsize length)
{
	enum password_rank other = rank == PASSWORD_SURE ? PASSWORD_FORM : rank;
	gsize ascii;

	if (length > PHRASE_BYTES || is_mark(word, length))
		return;
	ascii = ascii_length(word, length);
	if (ascii)
		add_word(words, rank, word, password_trimmed_length(word, ascii));
	add_word(words, rank, word, password_trimmed_length(word, length));
	add_word(words, other, word, password_quoted_length(word, length));
	add_word(words, other, word, length);
}

static gsize
word_length(const char *at)
{
	return strcspn(at, " \t");
}

static void
add_first(struct password_words *words, enum password_rank rank, const char *at)
{
	add_forms(words, rank, at, word_length(at));
}

/* ---- behind a label ---- */

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

static void
take_quoted(struct password_words *words, enum password_rank rank, const char *text,
	    gboolean blanks)
{
	gsize length;

	for (const char *at = text; (at = password_next_quoted(at, &length)); at += length + 1) {
		const char *word = at;
		gsize size = length;

		while (size && *word == ' ')
			word++, size--;
		while (size && word[size - 1] == ' ')
			size--;
		if (blanks || !memchr(word, ' ', size))
			add_word(words, rank, word, size);
		if (!at[length])
			return;
	}
}

/* The first Latin word or number of a phrase in another script. */
static void
take_ascii(struct password_words *words, enum password_rank rank, const char *phrase)
{
	const char *at = phrase;

	while (*at && !g_ascii_isalnum(*at))
		at++;
	while (at > phrase && g_ascii_ispunct(at[-1]) && !strchr("\"'([<-=:>|", at[-1]))
		at--;
	add_first(words, rank, at);
}

/* A password with blanks in it: all of a short phrase. */
static void
take_several(struct password_words *words, enum password_rank rank, const char *phrase)
{
	guint blanks = 0;

	for (const char *at = phrase; *at; at++)
		blanks += *at == ' ' || *at == '\t';
	if (blanks && blanks < PHRASE_WORDS)
		add_forms(words, rank, phrase, strlen(phrase));
}

/* The word that follows a verb or colon further on; TRUE where there is one. */
static gboolean
take_behind(struct password_words *words, const char *phrase)
{
	const char *behind = password_behind_verb(phrase);
	gboolean separated;

	if (!behind)
		return FALSE;
	behind = password_skip_filler(behind, &separated);
	add_first(words, PASSWORD_SURE, behind);
	take_several(words, PASSWORD_GUESS, behind);
	return *behind != '\0';
}

/* What is less likely than the word right behind the label, if there is one, but may be it. */
static void
take_rest(struct password_words *words, const char *phrase, const char *word, gboolean separated)
{
	const char *colon = behind_colon(phrase);

	take_quoted(words, separated ? PASSWORD_LIKELY : PASSWORD_SURE, phrase, TRUE);
	add_first(words, PASSWORD_LIKELY, word);
	if (separated)
		take_several(words, PASSWORD_LIKELY, word);
	if (!colon)
		return;
	colon += strspn(colon, " \t");
	add_first(words, PASSWORD_LIKELY, colon);
	colon = password_skip_filler(colon, &separated);
	add_first(words, PASSWORD_LIKELY, colon);
}

/*
 * What follows a label: the word at once, or behind a colon or "is", or in one of the
 * next lines.  foreign: the label is of another script than the word is likely to be.
 */
static void
take_phrase(struct password_words *words, const char *phrase, gboolean foreign)
{
	gboolean separated;
	const char *word = password_skip_filler(phrase, &separated);
	gboolean ascii = *word && (guchar)*word < 0x80;

	words->awaited = AWAITED_LINES;
	words->at_once = *word == '\0';
	if (separated && (ascii || !foreign))
		add_first(words, PASSWORD_SURE, word);
	else if (foreign)
		take_ascii(words, ascii || separated ? PASSWORD_SURE : PASSWORD_LIKELY, word);
	if (!separated && *word)
		words->at_once = !take_behind(words, word) && password_behind_verb(word);
	take_rest(words, phrase, word, separated);
}

static void
take_labelled(struct password_words *words, const char *rest, gsize length, gboolean foreign)
{
	const char *end = rest + MIN(length, PHRASE_BYTES);
	g_autofree char *phrase = NULL;

	while (end > rest && ((guchar)*end & 0xc0) == 0x80)
		end--; /* not within a character */
	phrase = g_strndup(rest, (gsize)(end - rest));
	take_phrase(words, g_strstrip(phrase), foreign);
}

/* "Use x7kQ as the password": the word before a label. */
static void
take_before(struct password_words *words, const char *line, const char *label)
{
	static const char *const as[] = {" as ", " als ", " comme ", " como ", " come ", " jako "};
	const char *begin = line + MAX(label - line - PHRASE_BYTES / 2, 0);
	g_autofree char *part = NULL;
	const char *word;

	while (((guchar)*begin & 0xc0) == 0x80)
		begin++;
	part = g_strndup(begin, (gsize)(label - begin));
	for (gsize i = 0; i < G_N_ELEMENTS(as); i++) {
		char *at = g_strrstr(part, as[i]);
		gboolean separated;

		if (!at)
			continue;
		*at = '\0';
		word = strrchr(part, ' ');
		word = password_skip_filler(word ? word : part, &separated);
		add_first(words, PASSWORD_GUESS, word);
	}
}

/* ---- a line ---- */

/*
 * Reads what follows and precedes each label of a line; folded: it in small letters.
 * Returns whether there is a label.
 */
static gboolean
take_labels(struct password_words *words, const char *line, const char *folded)
{
	gsize length = strlen(line);
	gboolean found = FALSE, weak = FALSE;
	gsize at = 0, label;

	while (at < length && words->labels_left) {
		label = password_label(folded, folded + at, &weak);
		if (!label) {
			at++;
			continue;
		}
		words->labels_left--;
		found = TRUE;
		take_before(words, line, line + at);
		take_labelled(words, line + at + label, length - at - label,
			      (guchar)folded[at] >= 0xd0);
		at += label;
	}
	return found;
}

/* A word alone on its line that does not look like one of a language. */
static gboolean
looks_made_up(const char *word, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (g_ascii_isdigit(word[i]) || g_ascii_ispunct(word[i]))
			return TRUE;
	return FALSE;
}

/* Whether a line is one word that may be a password: no link, no greeting, no sentence. */
static gboolean
is_single(const char *line, gsize length)
{
	glong chars;

	if (line[length] || length > 4 * ALONE_CHARS_MAX)
		return FALSE;
	chars = g_utf8_strlen(line, (gssize)length);
	return chars >= ALONE_CHARS_MIN && chars <= ALONE_CHARS_MAX && !strstr(line, "://") &&
	       line[length - 1] != ',' && !g_str_has_suffix(line, "。") &&
	       !g_str_has_suffix(line, "、");
}

static void
take_alone(struct password_words *words, const char *line)
{
	gsize length = word_length(line);

	if (is_single(line, length))
		add_forms(words, looks_made_up(line, length) ? PASSWORD_MADE_UP : PASSWORD_ALONE,
			  line, length);
}

/* A line after one with a label. */
static void
take_awaited(struct password_words *words, const char *line)
{
	gboolean separated;
	const char *word = password_skip_filler(line, &separated);
	gsize length = word_length(word);

	words->awaited--;
	if (words->at_once) {
		add_forms(words, PASSWORD_SURE, word, length);
		add_first(words, PASSWORD_LIKELY, line);
		take_several(words, PASSWORD_LIKELY, word);
	} else if (is_single(word, length)) {
		add_forms(words, PASSWORD_LIKELY, word, length);
	}
	words->at_once = FALSE;
}

/* Whether a line is a ruler, as "-----", or empty. */
static gboolean
is_ruler(const char *line)
{
	gunichar first = g_utf8_get_char(line);
	const char *at = line;

	while (*at && g_utf8_get_char(at) == first)
		at = g_utf8_next_char(at);
	return !*at && (!first || !g_unichar_isalnum(first));
}

/* Returns a line without the marks of a quoted mail and the blanks around it. */
static char *
strip_line(char *line)
{
	g_strstrip(line);
	while (*line == '>' && (line[1] == ' ' || line[1] == '>'))
		line = g_strchug(line + 1);
	return line;
}

static void
take_line(struct password_words *words, char *line, const char *folded)
{
	char *text;

	if (take_labels(words, line, folded))
		return;
	text = strip_line(line);
	if (is_ruler(text))
		return;
	if (words->awaited)
		take_awaited(words, text);
	else
		take_alone(words, text);
	if (words->of_rank[PASSWORD_QUOTED]->len < CAP_PASSWORDS)
		take_quoted(words, PASSWORD_QUOTED, text, FALSE);
}

static void
take_lines(struct password_words *words, char *text, gboolean name)
{
	g_autofree char *folded = password_text_fold(text);
	char *lower = folded;
	char *end;

	for (char *line = text; line; line = end) {
		end = strchr(line, '\n');
		if (end) {
			lower[end - line] = '\0';
			*end++ = '\0';
		}
		if (name)
			take_labels(words, line, lower);
		else
			take_line(words, line, lower);
		lower += end ? end - line : 0;
	}
	words->awaited = 0;
	words->at_once = FALSE;
}

/* ---- a text ---- */

/* As people mean its characters, and then as they are, where that is not the same. */
void
password_words_read(struct password_words *words, const char *text, gboolean html, gboolean name)
{
	g_autofree char *shown = html ? password_text_of_html(text) : NULL;
	const char *lines = shown ? shown : text;
	g_autofree char *plain = password_text_clean(lines, TRUE);
	g_autofree char *clean = password_text_clean(lines, FALSE);
	gboolean same = g_str_equal(clean, plain);

	take_lines(words, plain, name);
	if (!same)
		take_lines(words, clean, name);
}
