/* SPDX-License-Identifier: BSD-2-Clause */
#include "encoded_word.h"

#include <string.h>

#include "charset.h"

/* An encoded word (RFC 2047 section 2), as it stands in a field. */
struct word {
	char charset[64];
	gboolean base64;
	const char *text;
	gsize text_length;
	gsize length; /* of the whole, "=?" to "?=" */
};

/* Reads "=?charset?E?"; returns its length, 0 when it is none. */
static gsize
word_head(const char *at, gsize length, struct word *word)
{
	gsize i = 2, used = 0;

	if (length < 8 || at[0] != '=' || at[1] != '?')
		return 0;
	for (; i < length && at[i] != '?'; i++) {
		if (!g_ascii_isgraph(at[i]) || used + 1 >= sizeof(word->charset))
			return 0;
		word->charset[used++] = at[i];
	}
	word->charset[used] = '\0';
	if (!used || i + 3 > length || at[i + 2] != '?')
		return 0;
	word->base64 = at[i + 1] == 'B' || at[i + 1] == 'b';
	if (!word->base64 && at[i + 1] != 'Q' && at[i + 1] != 'q')
		return 0;
	return i + 3;
}

/*
 * Reads an encoded word at its "=?".  Blanks within are taken, as mailers write
 * them.  The text ends at the first "?=", and at another "=?" it never was a
 * word, so that each byte is looked at twice at most; but "=?=" is padding of
 * base64 before the end.
 */
static gboolean
word_read(const char *at, gsize length, struct word *ret_word)
{
	gsize i = word_head(at, length, ret_word);

	if (!i)
		return FALSE;
	ret_word->text = at + i;
	for (; i + 1 < length; i++) {
		if (at[i] == '?' && at[i + 1] == '=') {
			ret_word->text_length = (gsize)(at + i - ret_word->text);
			ret_word->length = i + 2;
			return TRUE;
		}
		/* "=?=" is base64's padding and the end. */
		if (at[i] == '=' && at[i + 1] == '?' && at + i > ret_word->text &&
		    (i + 2 == length || at[i + 2] != '='))
			return FALSE;
	}
	return FALSE;
}

gsize
encoded_word_length(const char *at, gsize length)
{
	struct word word;

	return word_read(at, length, &word) ? word.length : 0;
}

static void
decode_base64(GByteArray *out, const char *text, gsize length)
{
	gint state = 0;
	guint save = 0;
	gsize at = out->len, done;

	g_byte_array_set_size(out, (guint)(at + length / 4 * 3 + 6));
	done = g_base64_decode_step(text, length, out->data + at, &state, &save);
	/* Padding that a mailer left out. */
	if (ABS(state) >= 2)
		done += g_base64_decode_step("==", (gsize)(4 - ABS(state)), out->data + at + done,
					     &state, &save);
	g_byte_array_set_size(out, (guint)(at + done));
}

static void
decode_q(GByteArray *out, const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		guint8 byte = (guint8)text[i];

		if (byte == '_') {
			byte = ' ';
		} else if (byte == '=' && i + 2 < length && g_ascii_isxdigit(text[i + 1]) &&
			   g_ascii_isxdigit(text[i + 2])) {
			byte = (guint8)(g_ascii_xdigit_value(text[i + 1]) << 4 |
					g_ascii_xdigit_value(text[i + 2]));
			i += 2;
		}
		g_byte_array_append(out, &byte, 1);
	}
}

static void
word_bytes(const struct word *word, GByteArray *out)
{
	if (word->base64)
		decode_base64(out, word->text, word->text_length);
	else
		decode_q(out, word->text, word->text_length);
}

/* A field's text while it is decoded. */
struct decoding {
	GString *text;
	GByteArray *bytes; /* of adjacent words in one set */
	char charset[64];  /* theirs; empty when there are none */
	const char *from;  /* where they stand */
	gsize from_length;
	gboolean undecoded;
};

/* Appends unlabelled bytes. */
static void
append_raw(struct decoding *decoding, const char *bytes, gsize length)
{
	g_autofree char *text = NULL;

	if (!length)
		return;
	text = charset_guess(bytes, length, NULL, NULL);
	g_string_append(decoding->text, text);
}

/* Converts the words that are waiting. */
static void
flush_words(struct decoding *decoding)
{
	const GByteArray *bytes = decoding->bytes;
	g_autofree char *text = NULL;

	if (!decoding->charset[0])
		return;
	if (charset_known(decoding->charset)) {
		const char *data = bytes->len ? (const char *)bytes->data : "";

		text = charset_convert(decoding->charset, data, bytes->len);
		/* A wrong label is commoner than broken bytes. */
		if (!text)
			text = charset_guess(data, bytes->len, NULL, NULL);
	} else {
		decoding->undecoded = TRUE;
		text = charset_guess(decoding->from, decoding->from_length, NULL, NULL);
	}
	g_string_append(decoding->text, text);
	decoding->charset[0] = '\0';
	g_byte_array_set_size(decoding->bytes, 0);
}

static void
add_word(struct decoding *decoding, const struct word *word, const char *at)
{
	if (g_ascii_strcasecmp(decoding->charset, word->charset) != 0) {
		flush_words(decoding);
		g_strlcpy(decoding->charset, word->charset, sizeof(decoding->charset));
		decoding->from = at;
	}
	decoding->from_length = (gsize)(at - decoding->from) + word->length;
	word_bytes(word, decoding->bytes);
}

static gboolean
only_blanks(const char *at, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (at[i] != ' ' && at[i] != '\t')
			return FALSE;
	return TRUE;
}

/* Takes line breaks out (RFC 5322 2.2.3), and the blanks at either end. */
static GString *
unfold(const char *bytes, gsize length)
{
	GString *flat = g_string_sized_new(length);

	while (length && g_ascii_isspace(bytes[length - 1]))
		length--;
	for (gsize i = 0; i < length; i++)
		if (bytes[i] != '\r' && bytes[i] != '\n')
			g_string_append_c(flat, bytes[i]);
	while (flat->len && (flat->str[0] == ' ' || flat->str[0] == '\t'))
		g_string_erase(flat, 0, (gssize)strspn(flat->str, " \t"));
	return flat;
}

char *
header_decode(const void *bytes, gsize length, gboolean *ret_undecoded)
{
	g_autoptr(GString) flat = unfold(bytes, length);
	g_autoptr(GByteArray) words = g_byte_array_new();
	struct decoding decoding = {.text = g_string_sized_new(flat->len + 16), .bytes = words};
	const char *at = flat->str, *end = at + flat->len, *raw = at;

	while (at < end && (at = memchr(at, '=', (gsize)(end - at)))) {
		struct word word;

		if (!word_read(at, (gsize)(end - at), &word)) {
			at++;
			continue;
		}
		/* Blanks between words are none of the text (RFC 2047 6.2). */
		if (!decoding.charset[0] || !only_blanks(raw, (gsize)(at - raw))) {
			flush_words(&decoding);
			append_raw(&decoding, raw, (gsize)(at - raw));
		}
		add_word(&decoding, &word, at);
		at += word.length;
		raw = at;
	}
	flush_words(&decoding);
	append_raw(&decoding, raw, (gsize)(end - raw));
	if (decoding.undecoded && ret_undecoded)
		*ret_undecoded = TRUE;
	return g_string_free(decoding.text, FALSE);
}
