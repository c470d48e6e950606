/* SPDX-License-Identifier: BSD-2-Clause */
#include "passwords.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "password_labels.h"
#include "password_text.h"

#define ALONE_CHARS_MIN 4 /* of a word that stands alone on its line without any label */
#define ALONE_CHARS_MAX 64
#define PHRASE_BYTES 256 /* looked at behind a label: a sentence */
#define LABELS_MAX 500	 /* looked at in a message: who writes more means none of them */
#define AWAITED_LINES 2	 /* behind one with a label, in which the word may stand alone */
#define PHRASE_WORDS 4	 /* of a password with blanks */

/* How likely a word is, the likeliest first. */
enum rank {
	RANK_SURE,    /* right behind a label and a colon or the like */
	RANK_FORM,    /* the same with the marks that were left out behind it */
	RANK_LIKELY,  /* elsewhere behind a label */
	RANK_MADE_UP, /* alone on a line, and no word of a language */
	RANK_GUESS,   /* before a label */
	RANK_ALONE,   /* alone on a line; from here on behind the site's list */
	RANK_QUOTED,
	RANKS
};

/* The site's own, set before the first message is read. */
static const char *const *listed;

struct passwords {
	GPtrArray *texts;	 /* of struct text *, not read yet */
	GPtrArray *words[RANKS]; /* of char *, in order of appearance */
	GPtrArray *encoded;	 /* of char *: what order has of them in other sets than UTF-8 */
	GPtrArray *order;	 /* the words to try, borrowed; NULL when it is to be made */
	gsize text_bytes;
	guint labels_left;
	guint awaited;	  /* lines in which the word of a label before may stand */
	gboolean at_once; /* the next of them must have it */
	gboolean words_left;
	gboolean text_left;
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

/* A text that is not read yet. */
struct text {
	char *bytes; /* UTF-8 */
	gboolean html;
	gboolean name; /* of a file: labels alone speak for its words */
};

static void
text_free(gpointer data)
{
	struct text *text = data;

	g_free(text->bytes);
	g_free(text);
}

struct passwords *
passwords_new(void)
{
	struct passwords *passwords = g_new0(struct passwords, 1);

	passwords->texts = g_ptr_array_new_with_free_func(text_free);
	for (guint rank = 0; rank < RANKS; rank++)
		passwords->words[rank] = g_ptr_array_new_with_free_func(wipe);
	passwords->encoded = g_ptr_array_new_with_free_func(wipe);
	passwords->labels_left = LABELS_MAX;
	return passwords;
}

void
passwords_free(struct passwords *passwords)
{
	if (!passwords)
		return;
	g_clear_pointer(&passwords->order, g_ptr_array_unref);
	for (guint rank = 0; rank < RANKS; rank++)
		g_ptr_array_unref(passwords->words[rank]);
	g_ptr_array_unref(passwords->encoded);
	g_ptr_array_unref(passwords->texts);
	g_free(passwords);
}

/* ---- words ---- */

static gboolean
has_word(const GPtrArray *words, const char *word)
{
	return g_ptr_array_find_with_equal_func((GPtrArray *)words, word, g_str_equal, NULL);
}

static void
add_word(struct passwords *passwords, enum rank rank, const char *word, gsize length)
{
	GPtrArray *words = passwords->words[rank];
	g_autofree char *text = NULL;

	if (length == 0 || length > CAP_PASSWORD_BYTES)
		return;
	text = g_strndup(word, length);
	if (has_word(words, text))
		return;
	if (words->len < CAP_PASSWORDS)
		g_ptr_array_add(words, g_steal_pointer(&text));
	else
		passwords->words_left = TRUE;
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
add_forms(struct passwords *passwords, enum rank rank, const char *word, gsize length)
{
	enum rank other = rank == RANK_SURE ? RANK_FORM : rank;
	gsize ascii;

	if (length > PHRASE_BYTES || is_mark(word, length))
		return;
	ascii = ascii_length(word, length);
	if (ascii)
		add_word(passwords, rank, word, password_trimmed_length(word, ascii));
	add_word(passwords, rank, word, password_trimmed_length(word, length));
	add_word(passwords, other, word, password_quoted_length(word, length));
	add_word(passwords, other, word, length);
}

static gsize
word_length(const char *at)
{
	return strcspn(at, " \t");
}

static void
add_first(struct passwords *passwords, enum rank rank, const char *at)
{
	add_forms(passwords, rank, at, word_length(at));
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
take_quoted(struct passwords *passwords, enum rank rank, const char *text, gboolean blanks)
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
			add_word(passwords, rank, word, size);
		if (!at[length])
			return;
	}
}

/* The first Latin word or number of a phrase in another script. */
static void
take_ascii(struct passwords *passwords, enum rank rank, const char *phrase)
{
	const char *at = phrase;

	while (*at && !g_ascii_isalnum(*at))
		at++;
	while (at > phrase && g_ascii_ispunct(at[-1]) && !strchr("\"'([<-=:>|", at[-1]))
		at--;
	add_first(passwords, rank, at);
}

/* A password with blanks in it: all of a short phrase. */
static void
take_several(struct passwords *passwords, enum rank rank, const char *phrase)
{
	guint blanks = 0;

	for (const char *at = phrase; *at; at++)
		blanks += *at == ' ' || *at == '\t';
	if (blanks && blanks < PHRASE_WORDS)
		add_forms(passwords, rank, phrase, strlen(phrase));
}

/* The word that follows a verb or colon further on; TRUE where there is one. */
static gboolean
take_behind(struct passwords *passwords, const char *phrase)
{
	const char *behind = password_behind_verb(phrase);
	gboolean separated;

	if (!behind)
		return FALSE;
	behind = password_skip_filler(behind, &separated);
	add_first(passwords, RANK_SURE, behind);
	take_several(passwords, RANK_GUESS, behind);
	return *behind != '\0';
}

/* What is less likely than the word right behind the label, if there is one, but may be it. */
static void
take_rest(struct passwords *passwords, const char *phrase, const char *word, gboolean separated)
{
	const char *colon = behind_colon(phrase);

	take_quoted(passwords, separated ? RANK_LIKELY : RANK_SURE, phrase, TRUE);
	add_first(passwords, RANK_LIKELY, word);
	if (separated)
		take_several(passwords, RANK_LIKELY, word);
	if (!colon)
		return;
	colon += strspn(colon, " \t");
	add_first(passwords, RANK_LIKELY, colon);
	colon = password_skip_filler(colon, &separated);
	add_first(passwords, RANK_LIKELY, colon);
}

/*
 * What follows a label: the word at once, or behind a colon or "is", or in one of the
 * next lines.  foreign: the label is of another script than the word is likely to be.
 */
static void
take_phrase(struct passwords *passwords, const char *phrase, gboolean foreign)
{
	gboolean separated;
	const char *word = password_skip_filler(phrase, &separated);
	gboolean ascii = *word && (guchar)*word < 0x80;

	passwords->awaited = AWAITED_LINES;
	passwords->at_once = *word == '\0';
	if (separated && (ascii || !foreign))
		add_first(passwords, RANK_SURE, word);
	else if (foreign)
		take_ascii(passwords, ascii || separated ? RANK_SURE : RANK_LIKELY, word);
	if (!separated && *word)
		passwords->at_once = !take_behind(passwords, word) && password_behind_verb(word);
	take_rest(passwords, phrase, word, separated);
}

static void
take_labelled(struct passwords *passwords, const char *rest, gsize length, gboolean foreign)
{
	const char *end = rest + MIN(length, PHRASE_BYTES);
	g_autofree char *phrase = NULL;

	while (end > rest && ((guchar)*end & 0xc0) == 0x80)
		end--; /* not within a character */
	phrase = g_strndup(rest, (gsize)(end - rest));
	take_phrase(passwords, g_strstrip(phrase), foreign);
}

/* "Use x7kQ as the password": the word before a label. */
static void
take_before(struct passwords *passwords, const char *line, const char *label)
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
		add_first(passwords, RANK_GUESS, word);
	}
}

/* ---- a line ---- */

/*
 * Reads what follows and precedes each label of a line; folded: it in small letters.
 * Returns whether there is a label.
 */
static gboolean
take_labels(struct passwords *passwords, const char *line, const char *folded)
{
	gsize length = strlen(line);
	gboolean found = FALSE, weak = FALSE;
	gsize at = 0, label;

	while (at < length && passwords->labels_left) {
		label = password_label(folded, folded + at, &weak);
		if (!label) {
			at++;
			continue;
		}
		passwords->labels_left--;
		found = TRUE;
		take_before(passwords, line, line + at);
		take_labelled(passwords, line + at + label, length - at - label,
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
take_alone(struct passwords *passwords, const char *line)
{
	gsize length = word_length(line);

	if (is_single(line, length))
		add_forms(passwords, looks_made_up(line, length) ? RANK_MADE_UP : RANK_ALONE, line,
			  length);
}

/* A line after one with a label. */
static void
take_awaited(struct passwords *passwords, const char *line)
{
	gboolean separated;
	const char *word = password_skip_filler(line, &separated);
	gsize length = word_length(word);

	passwords->awaited--;
	if (passwords->at_once) {
		add_forms(passwords, RANK_SURE, word, length);
		add_first(passwords, RANK_LIKELY, line);
		take_several(passwords, RANK_LIKELY, word);
	} else if (is_single(word, length)) {
		add_forms(passwords, RANK_LIKELY, word, length);
	}
	passwords->at_once = FALSE;
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
take_line(struct passwords *passwords, char *line, const char *folded)
{
	char *text;

	if (take_labels(passwords, line, folded))
		return;
	text = strip_line(line);
	if (is_ruler(text))
		return;
	if (passwords->awaited)
		take_awaited(passwords, text);
	else
		take_alone(passwords, text);
	if (passwords->words[RANK_QUOTED]->len < CAP_PASSWORDS)
		take_quoted(passwords, RANK_QUOTED, text, FALSE);
}

static void
take_lines(struct passwords *passwords, char *text, gboolean name)
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
			take_labels(passwords, line, lower);
		else
			take_line(passwords, line, lower);
		lower += end ? end - line : 0;
	}
	passwords->awaited = 0;
	passwords->at_once = FALSE;
}

/* ---- a text ---- */

/* As people mean its characters, and then as they are, where that is not the same. */
static void
take_text(struct passwords *passwords, const struct text *text)
{
	g_autofree char *shown = text->html ? password_text_of_html(text->bytes) : NULL;
	const char *lines = shown ? shown : text->bytes;
	g_autofree char *plain = password_text_clean(lines, TRUE);
	g_autofree char *clean = password_text_clean(lines, FALSE);
	gboolean same = g_str_equal(clean, plain);

	take_lines(passwords, plain, text->name);
	if (!same)
		take_lines(passwords, clean, text->name);
}

/* Most mails have nothing to open: their texts are kept, and read when they are to be. */
static struct text *
keep_text(struct passwords *passwords, const char *text, gsize length)
{
	struct text *kept = g_new0(struct text, 1);

	g_clear_pointer(&passwords->order, g_ptr_array_unref);
	kept->bytes = g_utf8_make_valid(text, (gssize)strnlen(text, length));
	g_ptr_array_add(passwords->texts, kept);
	return kept;
}

void
passwords_add_text(struct passwords *passwords, const char *text, gsize length, gboolean html)
{
	gsize room = CAP_PASSWORD_TEXT_BYTES - passwords->text_bytes;

	if (length > room)
		passwords->text_left = TRUE;
	length = MIN(length, room);
	if (!length)
		return;
	passwords->text_bytes += length;
	keep_text(passwords, text, length)->html = html;
}

void
passwords_add_name(struct passwords *passwords, const char *name)
{
	const char *extension = strrchr(name, '.');
	struct text *kept =
		keep_text(passwords, name, extension ? (gsize)(extension - name) : strlen(name));

	g_strdelimit(kept->bytes, "_", ' ');
	kept->name = TRUE;
}

/* ---- what came of it ---- */

/* The sets that people's archivers take a password in, by the script of its letters. */
static const struct {
	GUnicodeScript script;
	const char *sets[2];
} encodings[] = {
	{G_UNICODE_SCRIPT_LATIN, {"Windows-1252", "IBM437"}},
	{G_UNICODE_SCRIPT_CYRILLIC, {"Windows-1251", "IBM866"}},
	{G_UNICODE_SCRIPT_HIRAGANA, {"Shift_JIS", NULL}},
	{G_UNICODE_SCRIPT_KATAKANA, {"Shift_JIS", NULL}},
	{G_UNICODE_SCRIPT_HAN, {"Shift_JIS", "GBK"}},
	{G_UNICODE_SCRIPT_HANGUL, {"EUC-KR", NULL}},
};

static void
order_word(struct passwords *passwords, const char *word)
{
	if (has_word(passwords->order, word))
		return;
	if (passwords->order->len < CAP_PASSWORDS)
		g_ptr_array_add(passwords->order, (gpointer)word);
	else
		passwords->words_left = TRUE;
}

static void
order_encoded(struct passwords *passwords, const char *word, const char *set)
{
	char *bytes = set ? charset_encode(set, word) : NULL;

	if (!bytes)
		return;
	g_ptr_array_add(passwords->encoded, bytes);
	if (strlen(bytes) <= CAP_PASSWORD_BYTES)
		order_word(passwords, bytes);
}

/* Orders a word that is not ASCII in the sets of its first letter that is none. */
static void
order_encodings(struct passwords *passwords, const char *word)
{
	const char *at = word;
	GUnicodeScript script;

	while (*at && ((guchar)*at < 0x80 || !g_unichar_isalpha(g_utf8_get_char(at))))
		at = g_utf8_next_char(at);
	if (!*at)
		return;
	script = g_unichar_get_script(g_utf8_get_char(at));
	for (gsize i = 0; i < G_N_ELEMENTS(encodings); i++)
		if (encodings[i].script == script)
			for (gsize n = 0; n < G_N_ELEMENTS(encodings[i].sets); n++)
				order_encoded(passwords, word, encodings[i].sets[n]);
}

static void
order_rank(struct passwords *passwords, enum rank rank)
{
	for (guint i = 0; i < passwords->words[rank]->len; i++)
		order_word(passwords, passwords->words[rank]->pdata[i]);
}

static void
order_rank_encoded(struct passwords *passwords, enum rank rank)
{
	for (guint i = 0; i < passwords->words[rank]->len; i++)
		order_encodings(passwords, passwords->words[rank]->pdata[i]);
}

/* What other sets make of a word that is hardly one must not take the place of the others. */
static void
order_all(struct passwords *passwords)
{
	order_rank(passwords, RANK_SURE);
	order_rank(passwords, RANK_FORM);
	order_rank_encoded(passwords, RANK_SURE);
	order_rank(passwords, RANK_LIKELY);
	order_rank(passwords, RANK_MADE_UP);
	order_rank(passwords, RANK_GUESS);
	for (gsize i = 0; listed && listed[i]; i++)
		order_word(passwords, listed[i]);
	order_rank(passwords, RANK_ALONE);
	order_rank(passwords, RANK_QUOTED);
	order_rank_encoded(passwords, RANK_LIKELY);
}

static const GPtrArray *
order_get(struct passwords *passwords)
{
	if (passwords->order)
		return passwords->order;
	for (guint i = 0; i < passwords->texts->len; i++)
		take_text(passwords, passwords->texts->pdata[i]);
	g_ptr_array_set_size(passwords->texts, 0);
	passwords->order = g_ptr_array_new();
	g_ptr_array_set_size(passwords->encoded, 0);
	order_all(passwords);
	return passwords->order;
}

guint
passwords_count(struct passwords *passwords)
{
	return order_get(passwords)->len;
}

gboolean
passwords_words_left(struct passwords *passwords)
{
	order_get(passwords);
	return passwords->words_left;
}

gboolean
passwords_text_left(const struct passwords *passwords)
{
	return passwords->text_left;
}

const char *
passwords_nth(struct passwords *passwords, guint n)
{
	return order_get(passwords)->pdata[n];
}
