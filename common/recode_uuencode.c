/* SPDX-License-Identifier: BSD-2-Clause */
/* uuencode whose lines are not as long as they say. */
#include <config.h>

#include <string.h>

#include "recode_forms.h"

/* The bytes of a line, by its first character; the rest of it are theirs, four for three. */
static gsize
line_bytes(const char *line)
{
	return ((guint8)*line - (gsize)' ') & 63;
}

static gsize
line_characters(const char *line)
{
	return (line_bytes(line) + 2) / 3 * 4;
}

/* Returns the line at *at without its break and moves behind it; NULL at the end. */
static const char *
next_line(const char **at, const char *end, gsize *ret_length)
{
	const char *line = *at;
	gsize length;

	if (line >= end)
		return NULL;
	length = recode_line_length(line, end);
	*at = line + length;
	while (length && recode_is_break(line[length - 1]))
		length--;
	*ret_length = length;
	return length >= 3 && memcmp(line, "end", 3) == 0 ? NULL : line;
}

/* Returns where the lines begin, behind that of "begin", or NULL without one. */
static const char *
behind_begin(const char *bytes, const char *end)
{
	const char *at = bytes, *line;
	gsize length;

	while ((line = next_line(&at, end, &length)) != NULL)
		if (length > 6 && memcmp(line, "begin ", 6) == 0)
			return at;
	return NULL;
}

/* The same; without that line, where the content begins. */
static const char *
first_line(const char *bytes, const char *end)
{
	const char *lines = behind_begin(bytes, end);

	return lines ? lines : bytes;
}

/* Whether a line has the length and the characters that uuencode gives it. */
static gboolean
fits(const char *line, gsize length)
{
	if (!length || (line_characters(line) != length - 1 && line_bytes(line)))
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '`')
			return FALSE;
	return TRUE;
}

gboolean
recode_is_irregular_uuencode(const struct encoded *encoded)
{
	const char *end = encoded->bytes + encoded->length, *line, *at;
	gsize length;

	if (encoded->declared != ENCODING_UUENCODE)
		return FALSE;
	at = first_line(encoded->bytes, end);
	while ((line = next_line(&at, end, &length)) != NULL)
		if (length && !fits(line, length))
			return TRUE;
	return behind_begin(encoded->bytes, end) == NULL;
}

static guint32
six_bits(const char *line, gsize length, gsize i)
{
	return i < length ? ((guint32)(guint8)line[i] - ' ') & 63 : 0;
}

/* Decodes a line: as many bytes as it says; characters that are missing are blanks. */
static void
decode_line(const char *line, gsize length, GByteArray *out)
{
	guint wanted = out->len + (guint)line_bytes(line);

	for (gsize i = 1; i <= line_characters(line); i += 4) {
		guint32 bits = six_bits(line, length, i) << 18 |
			       six_bits(line, length, i + 1) << 12 |
			       six_bits(line, length, i + 2) << 6 | six_bits(line, length, i + 3);
		const guint8 three[] = {(guint8)(bits >> 16), (guint8)(bits >> 8), (guint8)bits};

		g_byte_array_append(out, three, sizeof(three));
	}
	g_byte_array_set_size(out, wanted);
}

/* Lines that say more than they have give no more in all than the content has bytes. */
static GByteArray *
decode(const struct encoded *encoded, gboolean fitting)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);
	const char *end = encoded->bytes + encoded->length, *line;
	const char *at = first_line(encoded->bytes, end);
	gsize length;

	while ((line = next_line(&at, end, &length)) != NULL) {
		if (!length || (fitting && !fits(line, length)))
			continue;
		if (out->len + line_bytes(line) > encoded->length)
			break;
		decode_line(line, length, out);
	}
	return out;
}

GByteArray *
recode_uuencode_by_lines(const struct encoded *encoded)
{
	return decode(encoded, FALSE);
}

GByteArray *
recode_uuencode_fitting_lines(const struct encoded *encoded)
{
	return decode(encoded, TRUE);
}
