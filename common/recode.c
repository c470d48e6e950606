/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "recode.h"

#include <string.h>

#include "recode_forms.h"

/*
 * What counts as base64 in disguise has at least so many characters: where the
 * header leaves the encoding open, and where it says that there is none.
 */
#define BASE64_LEAST_OPEN 8
#define BASE64_LEAST 24

/* So many characters at the begin tell whether base64 holds base64. */
#define TWICE_PROBE 64

/* Returns the six bits of a base64 character (RFC 2045 6.8), or -1. */
static int
sextet(char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52;
	return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* ---- base64 ---- */

/* How padding within base64, and lines with other characters, are taken. */
enum base64_way {
	BASE64_STREAMS,	    /* padding ends a stream, another follows */
	BASE64_NO_PADDING,  /* padding is passed over */
	BASE64_TO_PADDING,  /* padding ends it all */
	BASE64_CLEAN_LINES, /* lines with other characters are passed over */
	BASE64_URL_SAFE,    /* "-" and "_" are characters (RFC 4648 5) */
};

struct base64 {
	GByteArray *out;
	guint32 bits;
	guint count; /* characters of the last four */
};

static void
base64_put(struct base64 *state, int six)
{
	guint8 bytes[3];

	state->bits = state->bits << 6 | (guint32)six;
	if (++state->count < 4)
		return;
	bytes[0] = (guint8)(state->bits >> 16);
	bytes[1] = (guint8)(state->bits >> 8);
	bytes[2] = (guint8)state->bits;
	g_byte_array_append(state->out, bytes, 3);
	state->count = 0;
	state->bits = 0;
}

/* Ends a stream: what is left of the last four characters is one byte or two. */
static void
base64_end(struct base64 *state)
{
	guint left = state->count;
	guint length = state->out->len + (left ? left - 1 : 0);

	while (state->count)
		base64_put(state, 0);
	g_byte_array_set_size(state->out, length);
}

static gboolean
line_is_clean(const char *at, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (sextet(at[i]) < 0 && at[i] != '=' && !recode_is_space(at[i]))
			return FALSE;
	return TRUE;
}

/* Decodes a line; returns FALSE when padding ends all. */
static gboolean
base64_line(struct base64 *state, const char *at, gsize length, enum base64_way way)
{
	for (gsize i = 0; i < length; i++) {
		int six = sextet(at[i]);

		if (way == BASE64_URL_SAFE && (at[i] == '-' || at[i] == '_'))
			six = at[i] == '-' ? 62 : 63;
		if (six >= 0)
			base64_put(state, six);
		if (at[i] != '=' || way == BASE64_NO_PADDING)
			continue;
		base64_end(state);
		if (way == BASE64_TO_PADDING)
			return FALSE;
	}
	return TRUE;
}

static GByteArray *
base64_decode(const char *bytes, gsize length, enum base64_way way)
{
	struct base64 state = {.out = g_byte_array_sized_new((guint)(length / 4 * 3 + 3))};
	const char *end = bytes + length;
	gsize line;

	for (const char *at = bytes; at < end; at += line) {
		line = recode_line_length(at, end);
		if (way == BASE64_CLEAN_LINES && !line_is_clean(at, line))
			continue;
		if (!base64_line(&state, at, line, way))
			break;
	}
	base64_end(&state);
	return state.out;
}

/* Takes line breaks and blanks off both ends. */
static void
strip(const char **bytes, gsize *length)
{
	while (*length && recode_is_space((*bytes)[0])) {
		(*bytes)++;
		(*length)--;
	}
	while (*length && recode_is_space((*bytes)[*length - 1]))
		(*length)--;
}

/*
 * Whether base64 is as all encoders write it: lines of one length but the last,
 * padding at the end alone, nothing else in it.  It looks at each line's end
 * only: a strange character makes the decoded content shorter.
 */
static gboolean
base64_is_regular(const struct encoded *encoded)
{
	const char *bytes = encoded->bytes;
	gsize length = encoded->length, padding = 0, breaks = 0, stride;
	guint64 characters;

	strip(&bytes, &length);
	stride = recode_line_length(bytes, bytes + length);
	for (gsize at = stride; at < length; at += stride) {
		if (bytes[at - 1] != '\n')
			return FALSE;
		breaks += at > 1 && bytes[at - 2] == '\r' ? 2 : 1;
	}
	while (padding < 2 && length && bytes[length - 1] == '=') {
		length--;
		padding++;
	}
	characters = length - MIN(breaks, length);
	return encoded->decoded_size == characters * 3 / 4;
}

static gboolean
is_irregular_base64(const struct encoded *encoded)
{
	return encoded->declared == ENCODING_BASE64 && !base64_is_regular(encoded);
}

/*
 * Whether bytes are base64 and nothing else: of its alphabet, in fours.  Where
 * no header spoke of it they must be like data rather than a word: long, with
 * capitals, small letters and digits or signs.
 */
static gboolean
looks_base64(const char *bytes, gsize length, gboolean demanding)
{
	gboolean upper = FALSE, lower = FALSE, other = FALSE;
	gsize count = 0;

	strip(&bytes, &length);
	while (length && bytes[length - 1] == '=') {
		length--;
		count++;
	}
	for (gsize i = 0; i < length; i++) {
		if (recode_is_break(bytes[i]))
			continue;
		if (sextet(bytes[i]) < 0)
			return FALSE;
		count++;
		upper = upper || g_ascii_isupper(bytes[i]);
		lower = lower || g_ascii_islower(bytes[i]);
		other = other || !g_ascii_isalpha(bytes[i]);
	}
	if (!demanding)
		return count >= BASE64_LEAST_OPEN && count % 4 == 0;
	return count >= BASE64_LEAST && count % 4 == 0 && upper && lower && other;
}

static gboolean
is_hidden_base64(const struct encoded *encoded)
{
	return encoded->declared != ENCODING_BASE64 &&
	       looks_base64(encoded->bytes, encoded->length, encoded->certain);
}

GByteArray *
recode_base64(const char *bytes, gsize length)
{
	return base64_decode(bytes, length, BASE64_STREAMS);
}

gboolean
recode_is_base64_line(const char *line, gsize length)
{
	return length && line_is_clean(line, length);
}

static GByteArray *
as_streams(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_STREAMS);
}

static GByteArray *
without_padding(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_NO_PADDING);
}

static GByteArray *
to_padding(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_TO_PADDING);
}

static GByteArray *
clean_lines(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_CLEAN_LINES);
}

/* Whether the other alphabet's characters are there, and those for which they stand are not. */
static gboolean
is_url_safe_base64(const struct encoded *encoded)
{
	return is_irregular_base64(encoded) &&
	       (memchr(encoded->bytes, '-', encoded->length) ||
		memchr(encoded->bytes, '_', encoded->length)) &&
	       !memchr(encoded->bytes, '+', encoded->length) &&
	       !memchr(encoded->bytes, '/', encoded->length);
}

static GByteArray *
url_safe(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_URL_SAFE);
}

/* Whether base64 begins with what is base64 again. */
static gboolean
is_base64_twice(const struct encoded *encoded)
{
	const char *bytes = encoded->bytes;
	gsize length = encoded->length;
	g_autoptr(GByteArray) probe = NULL;

	if (encoded->declared != ENCODING_BASE64)
		return FALSE;
	strip(&bytes, &length);
	probe = base64_decode(bytes, MIN(length, TWICE_PROBE), BASE64_STREAMS);
	for (guint i = 0; i < probe->len; i++)
		if (sextet((char)probe->data[i]) < 0 && probe->data[i] != '=' &&
		    !recode_is_break((char)probe->data[i]))
			return FALSE;
	return probe->len > 0;
}

static GByteArray *
twice(const struct encoded *encoded)
{
	g_autoptr(GByteArray) once = base64_decode(encoded->bytes, encoded->length, BASE64_STREAMS);

	/* A line break or padding tells it from a word of letters and digits. */
	if (!looks_base64((const char *)once->data, once->len, TRUE) ||
	    !(memchr(once->data, '\n', once->len) || memchr(once->data, '=', once->len)))
		return g_byte_array_new();
	return base64_decode((const char *)once->data, once->len, BASE64_STREAMS);
}

/* ---- none ---- */

static gboolean
is_maybe_identity(const struct encoded *encoded)
{
	return !encoded->certain && encoded->declared != ENCODING_IDENTITY;
}

static GByteArray *
identity(const struct encoded *encoded)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);

	g_byte_array_append(out, (const guint8 *)encoded->bytes, (guint)encoded->length);
	return out;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	gboolean (*applies)(const struct encoded *encoded);
	GByteArray *(*decode)(const struct encoded *encoded);
} decodings[] = {
	{"as-base64", is_hidden_base64, as_streams},
	{"as-quoted-printable", recode_is_hidden_quoted, recode_lenient_quoted},
	{"as-identity", is_maybe_identity, identity},
	{"base64-streams", is_irregular_base64, as_streams},
	{"base64-ignoring-padding", is_irregular_base64, without_padding},
	{"base64-to-padding", is_irregular_base64, to_padding},
	{"base64-clean-lines", is_irregular_base64, clean_lines},
	{"base64-url-safe", is_url_safe_base64, url_safe},
	{"base64-twice", is_base64_twice, twice},
	{"quoted-printable-lenient", recode_is_irregular_quoted, recode_lenient_quoted},
	{"quoted-printable-any-break", recode_is_oddly_broken_quoted, recode_oddly_broken_quoted},
	{"quoted-printable-trimmed", recode_is_trailing_quoted, recode_trimmed_quoted},
	{"quoted-printable-unfolded", recode_is_folded_quoted, recode_unfolded_quoted},
	{"quoted-printable-unbroken", recode_is_broken_quoted, recode_unbroken_quoted},
};

static void
try_each(const struct encoded *encoded,
	 void (*found)(const char *name, const GByteArray *bytes, gpointer user), gpointer user)
{
	for (gsize i = 0; i < G_N_ELEMENTS(decodings); i++) {
		g_autoptr(GByteArray) bytes = NULL;

		if (!decodings[i].applies(encoded))
			continue;
		bytes = decodings[i].decode(encoded);
		if (bytes->len)
			found(decodings[i].name, bytes, user);
	}
}

void
recode_each(const struct encoded *encoded,
	    void (*found)(const char *name, const GByteArray *bytes, gpointer user), gpointer user)
{
	struct encoded hinted = *encoded;

	try_each(encoded, found, user);
	if (encoded->certain || encoded->hinted == ENCODING_IDENTITY ||
	    encoded->hinted == encoded->declared)
		return;
	/* A reader that makes this out of the header meets the content's own oddities. */
	hinted.declared = encoded->hinted;
	hinted.certain = TRUE;
	if (encoded->hinted == ENCODING_BASE64) {
		g_autoptr(GByteArray) plain = as_streams(encoded);

		hinted.decoded_size = plain->len;
		if (plain->len && !is_hidden_base64(encoded))
			found("as-base64", plain, user);
	}
	try_each(&hinted, found, user);
}
