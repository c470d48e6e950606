/* SPDX-License-Identifier: BSD-2-Clause */
#include "passwords.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "password_words.h"

/* The site's own, set before the first message is read. */
static const char *const *listed;

/* A text that is not read yet. */
struct text {
	char *bytes; /* UTF-8 */
	gboolean html;
	gboolean name; /* of a file: labels alone speak for its words */
};

struct passwords {
	GPtrArray *texts; /* of struct text *, not read yet */
	struct password_words words;
	GPtrArray *encoded; /* of char *: what order has of them in other sets than UTF-8 */
	GPtrArray *order;   /* the words to try, borrowed; NULL when it is to be made */
	gsize text_bytes;
	gboolean words_left; /* those that have no place in the order */
	gboolean text_left;
};

void
passwords_use_list(const char *const *list)
{
	listed = list;
}

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
	password_words_init(&passwords->words);
	passwords->encoded = g_ptr_array_new_with_free_func(password_wipe);
	return passwords;
}

void
passwords_free(struct passwords *passwords)
{
	if (!passwords)
		return;
	g_clear_pointer(&passwords->order, g_ptr_array_unref);
	password_words_clear(&passwords->words);
	g_ptr_array_unref(passwords->encoded);
	g_ptr_array_unref(passwords->texts);
	g_free(passwords);
}

/* ---- texts ---- */

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
	if (g_ptr_array_find_with_equal_func(passwords->order, word, g_str_equal, NULL))
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
order_rank(struct passwords *passwords, enum password_rank rank)
{
	for (guint i = 0; i < passwords->words.of_rank[rank]->len; i++)
		order_word(passwords, passwords->words.of_rank[rank]->pdata[i]);
}

static void
order_rank_encoded(struct passwords *passwords, enum password_rank rank)
{
	for (guint i = 0; i < passwords->words.of_rank[rank]->len; i++)
		order_encodings(passwords, passwords->words.of_rank[rank]->pdata[i]);
}

/* What other sets make of a word that is hardly one must not take the place of the others. */
static void
order_all(struct passwords *passwords)
{
	order_rank(passwords, PASSWORD_SURE);
	order_rank(passwords, PASSWORD_FORM);
	order_rank_encoded(passwords, PASSWORD_SURE);
	order_rank(passwords, PASSWORD_LIKELY);
	order_rank(passwords, PASSWORD_MADE_UP);
	order_rank(passwords, PASSWORD_GUESS);
	for (gsize i = 0; listed && listed[i]; i++)
		order_word(passwords, listed[i]);
	order_rank(passwords, PASSWORD_ALONE);
	order_rank(passwords, PASSWORD_QUOTED);
	order_rank_encoded(passwords, PASSWORD_LIKELY);
}

static const GPtrArray *
order_get(struct passwords *passwords)
{
	if (passwords->order)
		return passwords->order;
	for (guint i = 0; i < passwords->texts->len; i++) {
		const struct text *text = passwords->texts->pdata[i];

		password_words_read(&passwords->words, text->bytes, text->html, text->name);
	}
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
	return passwords->words_left || passwords->words.left;
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
