/* SPDX-License-Identifier: BSD-2-Clause */
#include "anchor.h"

#include <string.h>

enum { PART_CHAIN, PART_SEQ, PART_TIME, PART_HASH, PART_SIGNATURE, PARTS };

/* What is signed. */
static char *
format_body(const struct anchor *anchor)
{
	g_autofree char *hash = hex_encode(anchor->hash, sizeof(anchor->hash));

	return g_strdup_printf(ANCHOR_PREFIX "%s.%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%s",
			       anchor->chain, anchor->seq, anchor->time_us, hash);
}

static char *
encode_signature(const guint8 signature[SIGNATURE_BYTES])
{
	char *text = g_base64_encode(signature, SIGNATURE_BYTES);

	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	*strchr(text, '=') = '\0';
	return text;
}

static gboolean
decode_signature(const char *text, guint8 ret_signature[SIGNATURE_BYTES])
{
	g_autofree char *padded = g_strconcat(text, "==", NULL);
	g_autofree guchar *bytes = NULL;
	g_autofree char *again = NULL;
	gsize length;

	g_strdelimit(padded, "-", '+');
	g_strdelimit(padded, "_", '/');
	bytes = g_base64_decode(padded, &length);
	if (length != SIGNATURE_BYTES)
		return FALSE;
	/* One way to write it, and no character that the decoder passes over. */
	again = encode_signature(bytes);
	if (strcmp(again, text) != 0)
		return FALSE;
	memcpy(ret_signature, bytes, SIGNATURE_BYTES);
	return TRUE;
}

gboolean
anchor_sign(struct anchor *anchor, const struct signing_key *key)
{
	g_autofree char *body = format_body(anchor);

	anchor->is_signed = signing_key_sign(key, body, strlen(body), anchor->signature);
	return anchor->is_signed;
}

char *
anchor_format(const struct anchor *anchor)
{
	g_autofree char *body = format_body(anchor);
	g_autofree char *signature =
		anchor->is_signed ? encode_signature(anchor->signature) : g_strdup("-");

	return g_strconcat(body, ".", signature, NULL);
}

/* Reads a number as it is written here: digits, no more. */
static gboolean
parse_number(const char *text, gint64 least, gint64 *ret_number)
{
	guint64 number;

	if (!g_ascii_isdigit(*text) || (*text == '0' && text[1]) ||
	    !g_ascii_string_to_unsigned(text, 10, (guint64)least, G_MAXINT64, &number, NULL))
		return FALSE;
	*ret_number = (gint64)number;
	return TRUE;
}

static gboolean
parse_parts(char **parts, struct anchor *ret_anchor)
{
	struct anchor anchor = {0};

	if (g_strv_length(parts) != PARTS || !event_id_is_valid(parts[PART_CHAIN]) ||
	    !parse_number(parts[PART_SEQ], 1, &anchor.seq) ||
	    !parse_number(parts[PART_TIME], 0, &anchor.time_us) ||
	    !hex_decode(parts[PART_HASH], anchor.hash, sizeof(anchor.hash)))
		return FALSE;
	anchor.is_signed = strcmp(parts[PART_SIGNATURE], "-") != 0;
	if (anchor.is_signed && !decode_signature(parts[PART_SIGNATURE], anchor.signature))
		return FALSE;
	g_strlcpy(anchor.chain, parts[PART_CHAIN], sizeof(anchor.chain));
	*ret_anchor = anchor;
	return TRUE;
}

gboolean
anchor_parse(const char *text, gsize length, struct anchor *ret_anchor)
{
	g_autofree char *copy = NULL;
	g_auto(GStrv) parts = NULL;

	if (length > ANCHOR_BYTES || length < sizeof(ANCHOR_PREFIX) ||
	    memcmp(text, ANCHOR_PREFIX, sizeof(ANCHOR_PREFIX) - 1) != 0 || memchr(text, 0, length))
		return FALSE;
	copy = g_strndup(text + sizeof(ANCHOR_PREFIX) - 1, length - sizeof(ANCHOR_PREFIX) + 1);
	parts = g_strsplit(copy, ".", PARTS + 1);
	return parse_parts(parts, ret_anchor);
}

gboolean
anchor_verify(const struct anchor *anchor, const struct signing_key *key)
{
	g_autofree char *body = format_body(anchor);

	return anchor->is_signed && signing_key_verify(key, body, strlen(body), anchor->signature);
}

static gboolean
is_of_word(char byte)
{
	return g_ascii_isalnum(byte) || byte == '.' || byte == '-' || byte == '_';
}

const char *
anchor_find(const char *text, gsize length, struct anchor *ret_anchor)
{
	const char *end = text + length;

	while ((text = g_strstr_len(text, end - text, ANCHOR_PREFIX)) != NULL) {
		const char *word = text;

		while (text < end && is_of_word(*text))
			text++;
		if (anchor_parse(word, (gsize)(text - word), ret_anchor))
			return text;
	}
	return NULL;
}
