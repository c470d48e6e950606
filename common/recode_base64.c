/* SPDX-License-Identifier: BSD-2-Clause */
/* base64 as strict and lenient decoders have it. */
#include <config.h>

#include <string.h>

#include "base64.h"
#include "recode_forms.h"

/*
 * What counts as base64 in disguise has at least so many characters: where the
 * header leaves the encoding open, and where it says that there is none.
 */
#define BASE64_LEAST_OPEN 8
#define BASE64_LEAST 24

/* So many characters at the begin tell whether base64 holds base64. */
#define TWICE_PROBE 64

/* How padding within base64, and lines with other characters, are taken. */
enum base64_way {
	BASE64_STREAMS,		 /* padding ends a stream, another follows */
	BASE64_NO_PADDING,	 /* padding is passed over */
	BASE64_TO_PADDING,	 /* padding ends it all */
	BASE64_LINES_TO_PADDING, /* padding ends its line, and a stream */
	BASE64_CLEAN_LINES,	 /* lines with other characters are passed over */
	BASE64_WHOLE_LINES,	 /* so are those that are not of fours */
	BASE64_URL_SAFE,	 /* "-" and "_" are characters (RFC 4648 5) */
	/* Those that drop characters at the end which make no four, and show no words. */
	BASE64_WHOLE_FOURS,	 /* padding is none where it makes no four */
	BASE64_TO_WHOLE_PADDING, /* and where it does, it ends it all */
	BASE64_PAD_IS_ZERO,	 /* padding is a character, of no bits */
	BASE64_TO_STRANGER,	 /* any other character than a line break ends it all */
};

struct base64 {
	GByteArray *out;
	guint32 bits;
	guint count;   /* characters of the last four */
	guint padding; /* characters of padding after them */
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
		if (base64_value(at[i]) < 0 && at[i] != '=' && !recode_is_space(at[i]))
			return FALSE;
	return TRUE;
}

/* Takes padding as GLib does: six bits of zero, and a byte less of the four that it ends. */
static void
base64_put_zero(struct base64 *state)
{
	base64_put(state, 0);
	if (state->count)
		return;
	g_byte_array_set_size(state->out, state->out->len - MIN(state->padding, 2));
	state->padding = 0;
}

/* Whether padding is none where it makes no four. */
static gboolean
is_of_fours(enum base64_way way)
{
	return way == BASE64_WHOLE_FOURS || way == BASE64_TO_WHOLE_PADDING;
}

/* Takes a character of padding; returns FALSE when it ends all. */
static gboolean
base64_pad(struct base64 *state, enum base64_way way)
{
	if (way == BASE64_NO_PADDING)
		return TRUE;
	state->padding++;
	if (way == BASE64_PAD_IS_ZERO) {
		base64_put_zero(state);
		return TRUE;
	}
	if (is_of_fours(way) && (state->count < 2 || state->count + state->padding < 4))
		return TRUE;
	base64_end(state);
	return way != BASE64_TO_PADDING && way != BASE64_LINES_TO_PADDING &&
	       way != BASE64_TO_WHOLE_PADDING;
}

/* Decodes the beginning of a line in which nothing is amiss; returns its length. */
static gsize
base64_clean(struct base64 *state, const char *at, gsize length)
{
	guint before = state->out->len;
	gsize taken = 0, done;

	if (state->count)
		return 0;
	g_byte_array_set_size(state->out, before + (guint)(length / 4 * 3));
	done = base64_decode_clean(at, length, state->out->data + before, &taken);
	g_byte_array_set_size(state->out, before + (guint)done);
	if (done)
		state->padding = 0;
	return taken;
}

/* Takes a character of a line; returns FALSE when it ends all. */
static gboolean
base64_take(struct base64 *state, char byte, enum base64_way way)
{
	int six = base64_value(byte);

	if (way == BASE64_URL_SAFE && (byte == '-' || byte == '_'))
		six = byte == '-' ? 62 : 63;
	if (six < 0 && byte == '=')
		return base64_pad(state, way);
	if (six < 0)
		return way != BASE64_TO_STRANGER || recode_is_break(byte);
	base64_put(state, six);
	state->padding = 0;
	return TRUE;
}

/* Decodes a line; returns FALSE when something in it ends all. */
static gboolean
base64_line(struct base64 *state, const char *at, gsize length, enum base64_way way)
{
	gsize i = 0;

	while ((i += base64_clean(state, at + i, length - i)) < length)
		if (!base64_take(state, at[i++], way))
			return FALSE;
	return TRUE;
}

/* Whether a line is passed over as a whole. */
static gboolean
passes_line(const char *at, gsize length, enum base64_way way)
{
	if (way != BASE64_CLEAN_LINES && way != BASE64_WHOLE_LINES)
		return FALSE;
	while (length && recode_is_space(at[length - 1]))
		length--;
	return !line_is_clean(at, length) || (way == BASE64_WHOLE_LINES && length % 4);
}

/* What is shorter may be a word: of a text the first is base64, too, or one in a line by itself. */
static guint
least_content(enum base64_way way)
{
	if (way >= BASE64_WHOLE_FOURS)
		return BASE64_LEAST * 3 / 4;
	return way == BASE64_CLEAN_LINES || way == BASE64_WHOLE_LINES ? BASE64_LEAST_OPEN * 3 / 4
								      : 0;
}

static GByteArray *
base64_decode(const char *bytes, gsize length, enum base64_way way)
{
	struct base64 state = {.out = g_byte_array_sized_new((guint)(length / 4 * 3 + 3))};
	const char *end = bytes + length;
	gsize line;

	for (const char *at = bytes; at < end; at += line) {
		line = recode_line_length(at, end);
		if (passes_line(at, line, way))
			continue;
		if (!base64_line(&state, at, line, way) && way != BASE64_LINES_TO_PADDING)
			break;
	}
	if (way >= BASE64_WHOLE_FOURS)
		state.count = 0;
	base64_end(&state);
	if (state.out->len < least_content(way))
		g_byte_array_set_size(state.out, 0);
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
gboolean
recode_base64_is_regular(const struct encoded *encoded)
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
	return (characters + padding) % 4 == 0 && encoded->decoded_size == characters * 3 / 4;
}

/*
 * Of so many characters of damaged base64 at most one is padding, of which quoted-printable
 * has more, and of so many one is a stranger, of which a text has more, and a line of a header
 * or of mail's syntax more than of so many.
 */
#define PADDING_PART 16
#define STRANGER_PART 8
#define STRANGER_LINE_PART 12

/* Whether bytes may be base64, damaged, rather than something else that is called so. */
static gboolean
resembles_base64(const char *bytes, gsize length)
{
	gsize padding = 0, strangers = 0;

	for (gsize i = 0; i < length; i++) {
		padding += bytes[i] == '=';
		strangers +=
			base64_value(bytes[i]) < 0 && bytes[i] != '=' && !recode_is_break(bytes[i]);
	}
	return padding * PADDING_PART <= length + 2 * PADDING_PART &&
	       strangers * STRANGER_PART <= length + STRANGER_PART;
}

/* Whether a line is none of base64, not even a damaged one, but a header's or of words. */
static gboolean
is_other_line(const char *at, gsize length)
{
	gsize strangers = 0;

	strip(&at, &length);
	if (line_is_clean(at, length))
		return FALSE;
	for (gsize i = 0; i < length; i++)
		strangers += base64_value(at[i]) < 0 && at[i] != '=';
	return strangers * STRANGER_LINE_PART > length;
}

/* Lines of base64 without another one between them. */
struct run {
	gsize characters;
	gsize padding;
	gboolean damaged; /* a character is none of it, or stands behind padding */
};

static void
run_add_line(struct run *run, const char *at, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		if (recode_is_space(at[i]))
			continue;
		run->padding += at[i] == '=';
		run->characters++;
		if (at[i] != '=' && (run->padding || base64_value(at[i]) < 0))
			run->damaged = TRUE;
	}
}

/* Whether the longest run of base64 is in fours, with padding at its end alone. */
static gboolean
has_whole_run(const struct encoded *encoded)
{
	const char *end = encoded->bytes + encoded->length;
	struct run run = {0}, longest = {0};
	gsize line;

	for (const char *at = encoded->bytes; at < end; at += line) {
		line = recode_line_length(at, end);
		if (is_other_line(at, line))
			run = (struct run){0};
		else
			run_add_line(&run, at, line);
		if (run.characters > longest.characters)
			longest = run;
	}
	return !longest.damaged && longest.padding <= 2 && longest.characters % 4 == 0;
}

/*
 * Whether base64 is damaged within its lines, so that it matters how a reader mends them.  What
 * each makes of lines that are none of base64 is no part of a file, and one form of it is enough.
 */
gboolean
recode_base64_is_damaged(const struct encoded *encoded)
{
	return encoded->irregular && resembles_base64(encoded->bytes, encoded->length) &&
	       !has_whole_run(encoded);
}

gboolean
recode_is_damaged_base64(const struct encoded *encoded)
{
	return encoded->damaged;
}

gboolean
recode_is_irregular_base64(const struct encoded *encoded)
{
	return encoded->irregular;
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
		if (base64_value(bytes[i]) < 0)
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

gboolean
recode_is_hidden_base64(const struct encoded *encoded)
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

GByteArray *
recode_base64_streams(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_STREAMS);
}

GByteArray *
recode_base64_unpadded(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_NO_PADDING);
}

GByteArray *
recode_base64_to_padding(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_TO_PADDING);
}

/* Whether padding is in a line, and characters behind it. */
static gboolean
is_padded_within(const char *at, gsize length)
{
	const char *end = at + length, *sign = memchr(at, '=', length);

	while (sign && sign < end && base64_value(*sign) < 0)
		sign++;
	return sign && sign < end;
}

/* Most lines are so: one or two are of something else, as a header behind what was damaged. */
gboolean
recode_is_base64_behind_padding(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;
	guint within = 0, other = 0;
	gsize line;

	if (!recode_is_irregular_base64(encoded))
		return FALSE;
	for (; at < end; at += line) {
		line = recode_line_length(at, end);
		if (is_padded_within(at, line))
			within++;
		else
			other++;
	}
	return within > other;
}

GByteArray *
recode_base64_lines_to_padding(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_LINES_TO_PADDING);
}

GByteArray *
recode_base64_clean_lines(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_CLEAN_LINES);
}

GByteArray *
recode_base64_whole_lines(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_WHOLE_LINES);
}

GByteArray *
recode_base64_whole_fours(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_WHOLE_FOURS);
}

GByteArray *
recode_base64_to_whole_padding(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_TO_WHOLE_PADDING);
}

GByteArray *
recode_base64_pad_is_zero(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_PAD_IS_ZERO);
}

GByteArray *
recode_base64_to_stranger(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_TO_STRANGER);
}

/* Whether the other alphabet's characters are there, and those for which they stand are not. */
gboolean
recode_is_url_safe_base64(const struct encoded *encoded)
{
	return encoded->irregular &&
	       (memchr(encoded->bytes, '-', encoded->length) ||
		memchr(encoded->bytes, '_', encoded->length)) &&
	       !memchr(encoded->bytes, '+', encoded->length) &&
	       !memchr(encoded->bytes, '/', encoded->length);
}

GByteArray *
recode_base64_url_safe(const struct encoded *encoded)
{
	return base64_decode(encoded->bytes, encoded->length, BASE64_URL_SAFE);
}

/* Whether base64 begins with what is base64 again. */
gboolean
recode_is_base64_twice(const struct encoded *encoded)
{
	const char *bytes = encoded->bytes;
	gsize length = encoded->length;
	g_autoptr(GByteArray) probe = NULL;

	if (encoded->declared != ENCODING_BASE64)
		return FALSE;
	strip(&bytes, &length);
	probe = base64_decode(bytes, MIN(length, TWICE_PROBE), BASE64_STREAMS);
	for (guint i = 0; i < probe->len; i++)
		if (base64_value((char)probe->data[i]) < 0 && probe->data[i] != '=' &&
		    !recode_is_break((char)probe->data[i]))
			return FALSE;
	return probe->len > 0;
}

GByteArray *
recode_base64_twice(const struct encoded *encoded)
{
	g_autoptr(GByteArray) once = base64_decode(encoded->bytes, encoded->length, BASE64_STREAMS);

	/* A line break or padding tells it from a word of letters and digits. */
	if (!looks_base64((const char *)once->data, once->len, TRUE) ||
	    !(memchr(once->data, '\n', once->len) || memchr(once->data, '=', once->len)))
		return g_byte_array_new();
	return base64_decode((const char *)once->data, once->len, BASE64_STREAMS);
}
