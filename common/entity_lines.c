/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of a message that delimit its parts, and notes of where readers part ways. */
#include "entity_splitter.h"

#include <string.h>

#include "caps.h"

void
splitter_note_cap(struct splitter *splitter, const char *name)
{
	if (!g_ptr_array_find(splitter->out->caps, name, NULL))
		g_ptr_array_add(splitter->out->caps, (gpointer)name);
}

void
splitter_note_departure(struct splitter *splitter, const char *name, gsize offset)
{
	struct departure departure = {.name = name, .offset = offset};

	if (splitter->out->departures->len < CAP_ANOMALIES)
		g_array_append_val(splitter->out->departures, departure);
	else
		splitter_note_cap(splitter, CAP_ANOMALIES_NAME);
}

/* Notes where readers part ways, with the first place of each kind as a departure. */
READING_CHECK void
splitter_note_doubt(struct splitter *splitter, enum doubt doubt, const char *name, gsize offset)
{
	if (splitter->out->doubts & doubt)
		return;
	splitter->out->doubts |= doubt;
	splitter_note_departure(splitter, name, offset);
}

struct entity *
splitter_entity(struct splitter *splitter, int index)
{
	return &g_array_index(splitter->out->list, struct entity, index);
}

/* Returns the LF that ends the line at from, or NULL. */
static const char *
line_feed(const struct splitter *splitter, const char *from)
{
	const char *end = splitter->bytes + splitter->length, *at = from, *feed;

	while ((feed = memchr(at, '\n', (gsize)(end - at))) != NULL) {
		if (!splitter->options->strict_lines || (feed > from && feed[-1] == '\r'))
			return feed;
		at = feed + 1;
	}
	return NULL;
}

struct line
splitter_line_at(const struct splitter *splitter, gsize begin)
{
	const char *feed = line_feed(splitter, splitter->bytes + begin);
	struct line line = {.begin = begin, .end = splitter->length, .next = splitter->length};

	if (!feed)
		return line;
	line.end = (gsize)(feed - splitter->bytes);
	line.next = line.end + 1;
	if (line.end > begin && splitter->bytes[line.end - 1] == '\r')
		line.end--;
	return line;
}

/* Notes how a line that matters ends; readers part ways where both ends are in use. */
void
splitter_note_line_end(struct splitter *splitter, gsize end)
{
	if (end == 0 || splitter->bytes[end - 1] != '\n')
		return;
	if (end > 1 && splitter->bytes[end - 2] == '\r')
		splitter->crlf = TRUE;
	else
		splitter->lf = TRUE;
	if (splitter->crlf && splitter->lf)
		splitter_note_doubt(splitter, DOUBT_BARE_LF, "bare-lf", end - 1);
}

/* So many open multiparts are compared to a line for nothing: real mail has fewer. */
#define ORDINARY_LEVELS 16

/* How a line stands to the open multiparts: the innermost level of each way, or -1. */
struct standing {
	int delimits; /* a delimiter (RFC 2046 5.1.1); trailing blanks are ignored */
	gboolean closes;
	int with_tail;	   /* one, but for text after it */
	int in_other_case; /* one, but for capitals and small letters */
};

/* Whether nothing but blanks is left of a delimiter; *ret_closes: whether dashes were before. */
static gboolean
ends_delimiter(const char *text, gsize length, gboolean *ret_closes)
{
	gboolean closes = length >= 2 && text[0] == '-' && text[1] == '-';

	for (gsize i = closes ? 2 : 0; i < length; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return FALSE;
		else if (text[i] == '\r' && i + 1 < length && g_ascii_isgraph(text[i + 1]))
			return FALSE;
	*ret_closes = closes;
	return TRUE;
}

/* Whether a text begins as a boundary does, but perhaps for its case. */
static gboolean
may_begin(const char *text, gsize length, const struct boundary *boundary)
{
	return length >= boundary->size &&
	       (!boundary->size || !((text[0] ^ boundary->bytes[0]) & ~('a' ^ 'A')));
}

static void
stand_to(struct splitter *splitter, const char *text, gsize length, int level,
	 struct standing *standing)
{
	const struct boundary *boundary =
		&g_array_index(splitter->boundaries, struct boundary, level);
	gboolean same, closes;

	if (!may_begin(text, length, boundary))
		return;
	same = !boundary->size || memcmp(text, boundary->bytes, boundary->size) == 0;
	if (!same && g_ascii_strncasecmp(text, boundary->bytes, boundary->size) != 0)
		return;
	if (level >= ORDINARY_LEVELS)
		splitter->out->compared += length;
	if (!ends_delimiter(text + boundary->size, length - boundary->size, &closes)) {
		if (standing->with_tail < 0 && (same || splitter->options->delimiter_any_case))
			standing->with_tail = level;
	} else if (same || splitter->options->delimiter_any_case) {
		standing->delimits = level;
		standing->closes = closes;
	} else if (standing->in_other_case < 0) {
		standing->in_other_case = level;
	}
}

/* Compares a line behind so many dashes with each open multipart's boundary. */
static struct standing
line_stands(struct splitter *splitter, struct line line, gsize dashes)
{
	struct standing standing = {-1, FALSE, -1, -1};
	const char *text = splitter->bytes + line.begin + dashes;
	gsize length = line.end - line.begin - dashes;

	if (splitter->boundaries->len > ORDINARY_LEVELS)
		splitter->out->compared += splitter->boundaries->len;
	for (int level = (int)splitter->boundaries->len; standing.delimits < 0 && level-- > 0;)
		stand_to(splitter, text, length, level, &standing);
	return standing;
}

/* Makes a delimiter of a line that stands so; returns FALSE when it is none. */
static gboolean
make_delimiter(struct line line, int level, gboolean closes, struct delimiter *ret_delimiter)
{
	if (level < 0)
		return FALSE;
	ret_delimiter->line = line;
	ret_delimiter->level = (guint)level;
	ret_delimiter->closes = closes;
	return TRUE;
}

static gboolean
delimits_behind(struct splitter *splitter, struct line line, gsize dashes,
		struct delimiter *ret_delimiter)
{
	struct standing standing = line_stands(splitter, line, dashes);

	return make_delimiter(line, standing.delimits, standing.closes, ret_delimiter);
}

/* Whether a line is a delimiter without its dashes, or with one of them. */
static gboolean
undashed_delimits(struct splitter *splitter, struct line line, struct delimiter *ret_delimiter)
{
	if (!splitter->options->delimiter_undashed || line.end == line.begin)
		return FALSE;
	return delimits_behind(splitter, line, 0, ret_delimiter) ||
	       (splitter->bytes[line.begin] == '-' &&
		delimits_behind(splitter, line, 1, ret_delimiter));
}

gboolean
splitter_line_delimits(struct splitter *splitter, struct line line, struct delimiter *ret_delimiter)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;
	struct standing standing;

	if (length < 2 || text[0] != '-' || text[1] != '-')
		return undashed_delimits(splitter, line, ret_delimiter);
	standing = line_stands(splitter, line, 2);
	if (make_delimiter(line, standing.delimits, standing.closes, ret_delimiter))
		return TRUE;
	if (standing.with_tail < 0) {
		if (standing.in_other_case >= 0)
			splitter_note_doubt(splitter, DOUBT_DELIMITER_CASE,
					    "delimiter-in-other-case", line.begin);
		splitter->last_dashes = line.begin;
		return undashed_delimits(splitter, line, ret_delimiter);
	}
	splitter_note_doubt(splitter, DOUBT_DELIMITER_TAIL, "text-after-delimiter", line.begin);
	if (memchr(text, '\r', length))
		splitter_note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", line.begin);
	return splitter->options->delimiter_prefix &&
	       make_delimiter(line, standing.with_tail, FALSE, ret_delimiter);
}

/* Notes a delimiter that begins within a line, at two dashes. */
READING_CHECK static void
note_place(struct splitter *splitter, const char *dash)
{
	gsize begin = (gsize)(dash - splitter->bytes);
	struct line line = {.begin = begin, .end = splitter->length, .next = splitter->length};
	gboolean carriage = begin && dash[-1] == '\r';
	struct standing standing;

	if (splitter->out->doubts & (carriage ? DOUBT_BARE_CR : DOUBT_DELIMITER_PLACE))
		return;
	standing = line_stands(splitter, line, 2);
	if (standing.delimits < 0 && standing.with_tail < 0)
		return;
	if (carriage)
		splitter_note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", begin);
	else
		splitter_note_doubt(splitter, DOUBT_DELIMITER_PLACE, "delimiter-within-line",
				    begin);
}

/* Whether a line begins at a place that is not the first. */
static gboolean
begins_line(const struct splitter *splitter, const char *at)
{
	if (at[-1] != '\n')
		return FALSE;
	return !splitter->options->strict_lines || (at - splitter->bytes > 1 && at[-2] == '\r');
}

/*
 * Returns where "--" next begins a line from at on, or end.  Most of a large
 * message is base64, which has no dash: the search is for that, not for line
 * breaks, of which it has many.
 */
static const char *
next_dashed_line(struct splitter *splitter, const char *at, const char *end)
{
	gboolean anywhere = splitter->options->delimiter_anywhere;
	const char *dash = at;

	while ((dash = memchr(dash, '-', (gsize)(end - dash))) != NULL) {
		const char *first = dash;

		while (dash < end && *dash == '-')
			dash++;
		if (dash - first < 2)
			continue;
		if (first > at && (begins_line(splitter, first) || anywhere))
			return first;
		if (first > at)
			note_place(splitter, first);
		/* Of a longer run the last two may be a delimiter's. */
		if (dash - first > 2 && anywhere)
			return dash - 2;
		if (dash - first > 2)
			note_place(splitter, dash - 2);
	}
	return end;
}

/* So many bytes tell whether a delimiter begins: boundaries have 70 at most. */
#define NEAR_BYTES 4096

/* The line at begin, or its first bytes where delimiters are tried anywhere in a line. */
static struct line
line_near(const struct splitter *splitter, gsize begin)
{
	struct splitter near = *splitter;

	if (splitter->options->delimiter_anywhere)
		near.length = MIN(near.length, begin + NEAR_BYTES);
	return splitter_line_at(&near, begin);
}

/* Finds the next delimiter line at or after the line that begins at from. */
gboolean
splitter_find_delimiter(struct splitter *splitter, gsize from, struct delimiter *ret_delimiter)
{
	const char *at = splitter->bytes + from;
	const char *end = splitter->bytes + splitter->length;

	if (!splitter->boundaries->len)
		return FALSE;
	while (at < end) {
		gsize begin = (gsize)(at - splitter->bytes);

		if (splitter_line_delimits(splitter, line_near(splitter, begin), ret_delimiter)) {
			ret_delimiter->line = splitter_line_at(splitter, begin);
			return TRUE;
		}
		at = splitter->options->delimiter_undashed
			     ? splitter->bytes + splitter_line_at(splitter, begin).next
			     : next_dashed_line(splitter, at, end);
	}
	return FALSE;
}
