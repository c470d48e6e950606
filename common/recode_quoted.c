/* SPDX-License-Identifier: BSD-2-Clause */
/* Quoted-printable as lenient decoders have it. */
#include <config.h>

#include <string.h>

#include "recode_forms.h"

static gboolean
is_octet(const char *at, const char *end)
{
	return end - at >= 2 && g_ascii_isxdigit(at[0]) && g_ascii_isxdigit(at[1]);
}

static guint8
octet(const char *at)
{
	return (guint8)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
}

/* Whether there is an encoded octet, and no more than that is needed to call it encoded. */
gboolean
recode_is_hidden_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;

	if (encoded->certain || encoded->declared == ENCODING_QUOTED_PRINTABLE)
		return FALSE;
	while ((at = memchr(at, '=', (gsize)(end - at))) != NULL)
		if (is_octet(++at, end))
			return TRUE;
	return FALSE;
}

/* Whether an "=" stands where RFC 2045 6.7 allows none, or a NUL anywhere. */
gboolean
recode_is_irregular_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE)
		return FALSE;
	if (memchr(at, '\0', encoded->length))
		return TRUE;
	for (; (at = memchr(at, '=', (gsize)(end - at))) != NULL; at++)
		if (end - at > 1 && !recode_is_break(at[1]) && !is_octet(at + 1, end))
			return TRUE;
	/* A delimiter's line break may have been that of a soft one. */
	return encoded->length && end[-1] == '=' && !encoded->body;
}

/* Whether it is passed over after "=": a blank, of C's too, or a NUL. */
static gboolean
is_passed(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f' || byte == '\0';
}

/* Passes a soft line break, blanks before it included; returns NULL when none is there. */
static const char *
soft_break(const char *at, const char *end)
{
	while (at < end && is_passed(*at))
		at++;
	if (at < end && *at == '\r')
		at++;
	if (at < end && *at == '\n')
		return at + 1;
	return at == end ? at : NULL;
}

/* Decodes what stands after "=" as lenient readers do; returns where to go on. */
static const char *
lenient_escape(const char *at, const char *end, GByteArray *out)
{
	const char *after = soft_break(at, end);
	guint8 byte = '=';

	if (after)
		return after;
	while (at < end && is_passed(*at))
		at++;
	if (at < end && *at == '=')
		return at;
	if (is_octet(at, end)) {
		byte = octet(at);
		at += 2;
	}
	g_byte_array_append(out, &byte, 1);
	return at;
}

/* Blanks between "=" and what it means are passed over, and NULs; "= =" is one. */
GByteArray *
recode_lenient_quoted(const struct encoded *encoded)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length;

	while (at < end) {
		if (*at == '=') {
			at = lenient_escape(at + 1, end, out);
			continue;
		}
		if (*at)
			g_byte_array_append(out, (const guint8 *)at, 1);
		at++;
	}
	return out;
}

/*
 * Decodes octets and soft line breaks, and takes each other "=" for itself, at the end too.
 * soft: returns the end of the break that begins behind an "=", or NULL.
 */
static void
append_strictly(const char *at, const char *end,
		const char *(*soft)(const char *at, const char *end), GByteArray *out)
{
	const char *sign;

	while ((sign = memchr(at, '=', (gsize)(end - at))) != NULL) {
		const char *after = soft(sign + 1, end);
		guint8 byte = '=';

		g_byte_array_append(out, (const guint8 *)at, (guint)(sign - at));
		at = after ? after : sign + 1;
		if (after)
			continue;
		if (is_octet(at, end)) {
			byte = octet(at);
			at += 2;
		}
		g_byte_array_append(out, &byte, 1);
	}
	g_byte_array_append(out, (const guint8 *)at, (guint)(end - at));
}

static GByteArray *
decode_strictly(const struct encoded *encoded, const char *(*soft)(const char *at, const char *end))
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);

	append_strictly(encoded->bytes, encoded->bytes + encoded->length, soft, out);
	return out;
}

/* A soft line break; at the end of all there is none. */
static const char *
whole_soft_break(const char *at, const char *end)
{
	const char *after = soft_break(at, end);

	return after && recode_is_break(after[-1]) ? after : NULL;
}

GByteArray *
recode_literal_quoted(const struct encoded *encoded)
{
	return decode_strictly(encoded, whole_soft_break);
}

/* Returns the next CR that no LF follows, from at on, or NULL. */
static const char *
bare_carriage(const char *at, const char *end)
{
	for (; (at = memchr(at, '\r', (gsize)(end - at))) != NULL; at++)
		if (end - at < 2 || at[1] != '\n')
			return at;
	return NULL;
}

gboolean
recode_is_carriaged_quoted(const struct encoded *encoded)
{
	return encoded->declared == ENCODING_QUOTED_PRINTABLE &&
	       bare_carriage(encoded->bytes, encoded->bytes + encoded->length) != NULL;
}

/* Decodes bytes that another decoder would have seen so.  Takes them. */
static GByteArray *
literally(const struct encoded *encoded, GByteArray *seen)
{
	struct encoded other = *encoded;
	GByteArray *out;

	other.bytes = (const char *)seen->data;
	other.length = seen->len;
	out = seen->len ? recode_literal_quoted(&other) : g_byte_array_new();
	g_byte_array_unref(seen);
	return out;
}

/* A CR that no LF follows is passed over. */
GByteArray *
recode_uncarriaged_quoted(const struct encoded *encoded)
{
	GByteArray *seen = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length, *carriage;

	while ((carriage = bare_carriage(at, end)) != NULL) {
		g_byte_array_append(seen, (const guint8 *)at, (guint)(carriage - at));
		at = carriage + 1;
	}
	g_byte_array_append(seen, (const guint8 *)at, (guint)(end - at));
	return literally(encoded, seen);
}

/* A soft break goes on from CR to the next LF, whatever stands between. */
GByteArray *
recode_long_broken_quoted(const struct encoded *encoded)
{
	GByteArray *seen = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length, *carriage;
	const char *last_feed = memrchr(at, '\n', encoded->length);

	while ((carriage = bare_carriage(at, end)) != NULL) {
		gboolean soft = carriage > at && carriage[-1] == '=' && carriage < last_feed;
		const char *feed = soft ? memchr(carriage, '\n', (gsize)(end - carriage)) : NULL;

		g_byte_array_append(seen, (const guint8 *)at, (guint)(carriage + 1 - at));
		at = feed ? feed : carriage + 1;
	}
	g_byte_array_append(seen, (const guint8 *)at, (guint)(end - at));
	return literally(encoded, seen);
}

/* Returns the end of the line breaks that a soft one begins, blanks before it included, or NULL. */
static const char *
break_run(const char *at, const char *end)
{
	const char *begin;

	while (at < end && is_passed(*at))
		at++;
	for (begin = at; at < end && recode_is_break(*at);)
		at++;
	return at > begin ? at : NULL;
}

/* Whether line breaks are other than one or more CR LF or LF each. */
static gboolean
is_odd_run(const char *at, const char *end)
{
	gboolean crlf = FALSE, lf = FALSE, cr = FALSE;

	while (at < end && !recode_is_break(*at))
		at++;
	for (; at < end; at++) {
		if (*at == '\r' && end - at > 1 && at[1] == '\n') {
			crlf = TRUE;
			at++;
		} else {
			cr = cr || *at == '\r';
			lf = lf || *at == '\n';
		}
	}
	return cr || (crlf && lf);
}

gboolean
recode_is_oddly_broken_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE)
		return FALSE;
	while ((at = memchr(at, '=', (gsize)(end - at))) != NULL) {
		const char *after = break_run(++at, end);

		if (after && is_odd_run(at, after))
			return TRUE;
	}
	return FALSE;
}

/* The same, and one that the end of all cuts off, as a delimiter's line break is its own. */
static const char *
odd_soft_break(const char *at, const char *end)
{
	const char *after = break_run(at, end);

	while (!after && at < end && is_passed(*at))
		at++;
	return after ? after : at == end ? end : NULL;
}

/* A run of CR and LF in any order is one soft break: lone CR, CR CR LF, CR LF LF, LF CR. */
GByteArray *
recode_oddly_broken_quoted(const struct encoded *encoded)
{
	return decode_strictly(encoded, odd_soft_break);
}

/* Returns whether a soft line break is there, and where it ends. */
static const char *
doubled_soft_break(const char *at, const char *end)
{
	return at == end ? end : whole_soft_break(at, end);
}

gboolean
recode_is_doubled_quoted(const struct encoded *encoded)
{
	return encoded->declared == ENCODING_QUOTED_PRINTABLE &&
	       memmem(encoded->bytes, encoded->length, "==", 2) != NULL;
}

/* "==" is one "=", as Python and mime4j have it, whatever follows; one at the end is none. */
GByteArray *
recode_doubled_quoted(const struct encoded *encoded)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length, *twice;

	while ((twice = memmem(at, (gsize)(end - at), "==", 2)) != NULL) {
		append_strictly(at, twice, doubled_soft_break, out);
		g_byte_array_append(out, (const guint8 *)"=", 1);
		at = twice + 2;
	}
	append_strictly(at, end, doubled_soft_break, out);
	return out;
}

/* Whether a soft break that begins at sign cuts an octet, or what looks like one, in two. */
static gboolean
cuts_octet(const char *begin, const char *sign)
{
	return (sign > begin && sign[-1] == '=') ||
	       (sign - begin > 1 && sign[-2] == '=' && g_ascii_isxdigit(sign[-1]));
}

gboolean
recode_is_cut_quoted(const struct encoded *encoded)
{
	const char *begin = encoded->bytes, *at = begin, *end = at + encoded->length;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE)
		return FALSE;
	for (; (at = memchr(at, '=', (gsize)(end - at))) != NULL; at++)
		if (whole_soft_break(at + 1, end) && cuts_octet(begin, at))
			return TRUE;
	return FALSE;
}

/* Soft breaks are taken away first, as libqp does, so that octets go on behind them. */
GByteArray *
recode_joined_quoted(const struct encoded *encoded)
{
	GByteArray *seen = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length, *sign;

	while ((sign = memchr(at, '=', (gsize)(end - at))) != NULL) {
		const char *after = soft_break(sign + 1, end);

		g_byte_array_append(seen, (const guint8 *)at, (guint)(sign - at) + (after ? 0 : 1));
		at = after ? after : sign + 1;
	}
	g_byte_array_append(seen, (const guint8 *)at, (guint)(end - at));
	return literally(encoded, seen);
}

/* A soft break is of CR alone, or CR LF, or LF, and nothing more. */
static const char *
carriage_soft_break(const char *at, const char *end)
{
	const char *after = at;

	if (after < end && *after == '\r')
		after++;
	if (after < end && *after == '\n')
		after++;
	return after > at ? after : NULL;
}

GByteArray *
recode_carriage_broken_quoted(const struct encoded *encoded)
{
	return decode_strictly(encoded, carriage_soft_break);
}

/*
 * Whether quoted-printable is of bytes and not of text: one of its octets is a
 * control character.  Such a content has no line ends of its own (RFC 2045 6.7,
 * rule 4), and blanks and breaks in it come from the way.
 */
static gboolean
is_quoted_binary(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE || encoded->text)
		return FALSE;
	while ((at = memchr(at, '=', (gsize)(end - at))) != NULL) {
		guint8 byte = is_octet(++at, end) ? octet(at) : ' ';

		if (byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n')
			return TRUE;
	}
	return FALSE;
}

/* The line breaks that are looked at, one after another, and the run of blanks about the last. */
struct breaks {
	const char *begin, *end;
	const char *run_end; /* NULL before the first */
	gboolean hard;
};

/* Whether a line ends at feed that no soft break takes away, but the last. */
static gboolean
is_hard_break(struct breaks *breaks, const char *feed)
{
	const char *at = feed;

	/* All of one run are the same, and it is passed once. */
	if (breaks->run_end && feed < breaks->run_end)
		return breaks->hard;
	while (at > breaks->begin && recode_is_space(at[-1]))
		at--;
	while (feed < breaks->end && recode_is_space(*feed))
		feed++;
	breaks->run_end = feed;
	breaks->hard = feed < breaks->end && (at == breaks->begin || at[-1] != '=');
	return breaks->hard;
}

gboolean
recode_is_broken_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;
	struct breaks breaks = {.begin = at, .end = end};

	if (!is_quoted_binary(encoded))
		return FALSE;
	for (; (at = memchr(at, '\n', (gsize)(end - at))) != NULL; at++)
		if (is_hard_break(&breaks, at))
			return TRUE;
	return FALSE;
}

/* Soft breaks after which a text has to go on with blanks, each time, to be folded. */
#define FOLDS_LEAST 4

/* Whether every line that goes on after a soft break begins with a blank, or ends with one. */
gboolean
recode_is_folded_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;
	struct breaks breaks = {.begin = at, .end = end};
	guint folds = 0, blanks = 0;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE)
		return FALSE;
	for (; (at = memchr(at, '\n', (gsize)(end - at))) != NULL; at++) {
		if (is_hard_break(&breaks, at) || at + 1 == end)
			continue;
		folds++;
		blanks += at[1] == ' ' || at[1] == '\t';
	}
	return blanks && folds == blanks && (blanks >= FOLDS_LEAST || is_quoted_binary(encoded));
}

/* Whether blanks stand before a line's end, which the standard takes away (rule 3). */
gboolean
recode_is_trailing_quoted(const struct encoded *encoded)
{
	const char *at = encoded->bytes, *end = at + encoded->length;

	if (encoded->declared != ENCODING_QUOTED_PRINTABLE || encoded->body)
		return FALSE;
	for (; at < end; at += recode_line_length(at, end)) {
		gsize length = recode_line_length(at, end);

		while (length && recode_is_break(at[length - 1]))
			length--;
		if (length && recode_is_space(at[length - 1]))
			return TRUE;
	}
	return FALSE;
}

/* What is left out of quoted-printable beside the blanks at a line's end. */
enum quoted_way {
	QUOTED_TRIMMED,
	QUOTED_UNFOLDED, /* blanks after a soft line break */
	QUOTED_UNBROKEN, /* and any other line break */
};

/* Decodes a line without its break; returns whether a soft one ends it. */
static gboolean
quoted_line(const char *at, const char *end, GByteArray *out)
{
	while (end > at && recode_is_space(end[-1]))
		end--;
	while (at < end) {
		guint8 byte = (guint8)*at++;

		if (byte == '=' && at == end)
			return TRUE;
		if (byte == '=' && is_octet(at, end)) {
			byte = octet(at);
			at += 2;
		}
		g_byte_array_append(out, &byte, 1);
	}
	return FALSE;
}

static GByteArray *
quoted_by_lines(const struct encoded *encoded, enum quoted_way way)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);
	const char *at = encoded->bytes, *end = at + encoded->length, *next;
	gboolean soft = FALSE;

	for (; at < end; at = next) {
		const char *stop;

		next = stop = at + recode_line_length(at, end);
		while (stop > at && recode_is_break(stop[-1]))
			stop--;
		if (way == QUOTED_UNBROKEN || (way == QUOTED_UNFOLDED && soft))
			while (at < stop && recode_is_space(*at))
				at++;
		soft = quoted_line(at, stop, out);
		if (!soft && way != QUOTED_UNBROKEN)
			g_byte_array_append(out, (const guint8 *)stop, (guint)(next - stop));
	}
	return out;
}

GByteArray *
recode_trimmed_quoted(const struct encoded *encoded)
{
	return quoted_by_lines(encoded, QUOTED_TRIMMED);
}

GByteArray *
recode_unfolded_quoted(const struct encoded *encoded)
{
	return quoted_by_lines(encoded, QUOTED_UNFOLDED);
}

GByteArray *
recode_unbroken_quoted(const struct encoded *encoded)
{
	return quoted_by_lines(encoded, QUOTED_UNBROKEN);
}
