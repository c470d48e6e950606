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
void
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

/* How a line stands to a boundary. */
enum delimits {
	DELIMITS_NOT,
	DELIMITS,	    /* a delimiter (RFC 2046 5.1.1); trailing blanks are ignored */
	DELIMITS_WITH_TAIL, /* one, but for text after it */
};

static gboolean
begins_with(const char *text, gsize length, const struct boundary *boundary, gboolean any_case)
{
	gsize size;
	const char *wanted = g_bytes_get_data(boundary->text, &size);

	if (length < size)
		return FALSE;
	if (any_case)
		return g_ascii_strncasecmp(text, wanted ? wanted : "", size) == 0;
	return !size || memcmp(text, wanted, size) == 0;
}

static enum delimits
delimits(const char *text, gsize length, const struct boundary *boundary, gboolean any_case,
	 gboolean *ret_closes)
{
	gsize size = g_bytes_get_size(boundary->text);
	gboolean closes;

	if (!begins_with(text, length, boundary, any_case))
		return DELIMITS_NOT;
	text += size;
	length -= size;
	closes = length >= 2 && text[0] == '-' && text[1] == '-';
	*ret_closes = FALSE;
	for (gsize i = closes ? 2 : 0; i < length; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return DELIMITS_WITH_TAIL;
		else if (text[i] == '\r' && i + 1 < length && g_ascii_isgraph(text[i + 1]))
			return DELIMITS_WITH_TAIL;
	*ret_closes = closes;
	return DELIMITS;
}

/* Whether the line is a delimiter of an open multipart in a way, the innermost first. */
static gboolean
line_delimits_in(const struct splitter *splitter, struct line line, enum delimits way, gsize dashes,
		 struct delimiter *ret_delimiter)
{
	const char *text = splitter->bytes + line.begin + dashes;
	gsize length = line.end - line.begin - dashes;

	for (guint level = splitter->boundaries->len; level-- > 0;) {
		const struct boundary *boundary =
			&g_array_index(splitter->boundaries, struct boundary, level);
		gboolean closes;

		if (delimits(text, length, boundary, splitter->options->delimiter_any_case,
			     &closes) == way) {
			ret_delimiter->line = line;
			ret_delimiter->level = level;
			ret_delimiter->closes = closes;
			return TRUE;
		}
	}
	return FALSE;
}

/* Notes a line of two dashes that is no delimiter, and is one in another case. */
static void
note_case(struct splitter *splitter, struct line line)
{
	struct split_options any_case = {.delimiter_any_case = TRUE};
	struct splitter other = *splitter;
	struct delimiter unused;

	other.options = &any_case;
	if (!(splitter->out->doubts & DOUBT_DELIMITER_CASE) &&
	    line_delimits_in(&other, line, DELIMITS, 2, &unused))
		splitter_note_doubt(splitter, DOUBT_DELIMITER_CASE, "delimiter-in-other-case",
				    line.begin);
}

/* Whether a line is a delimiter without its dashes, or with one of them. */
static gboolean
undashed_delimits(const struct splitter *splitter, struct line line,
		  struct delimiter *ret_delimiter)
{
	if (!splitter->options->delimiter_undashed || line.end == line.begin)
		return FALSE;
	return line_delimits_in(splitter, line, DELIMITS, 0, ret_delimiter) ||
	       (splitter->bytes[line.begin] == '-' &&
		line_delimits_in(splitter, line, DELIMITS, 1, ret_delimiter));
}

gboolean
splitter_line_delimits(struct splitter *splitter, struct line line, struct delimiter *ret_delimiter)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;
	struct delimiter with_tail;

	if (length < 2 || text[0] != '-' || text[1] != '-')
		return undashed_delimits(splitter, line, ret_delimiter);
	if (line_delimits_in(splitter, line, DELIMITS, 2, ret_delimiter))
		return TRUE;
	if (!line_delimits_in(splitter, line, DELIMITS_WITH_TAIL, 2, &with_tail)) {
		note_case(splitter, line);
		splitter->last_dashes = line.begin;
		return undashed_delimits(splitter, line, ret_delimiter);
	}
	splitter_note_doubt(splitter, DOUBT_DELIMITER_TAIL, "text-after-delimiter", line.begin);
	if (memchr(text, '\r', length))
		splitter_note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", line.begin);
	if (!splitter->options->delimiter_prefix)
		return FALSE;
	*ret_delimiter = with_tail;
	return TRUE;
}

/* Notes a delimiter that begins within a line, at two dashes. */
static void
note_place(struct splitter *splitter, const char *dash)
{
	gsize begin = (gsize)(dash - splitter->bytes);
	struct line line = {.begin = begin, .end = splitter->length, .next = splitter->length};
	gboolean carriage = begin && dash[-1] == '\r';
	struct delimiter unused;

	if (splitter->out->doubts & (carriage ? DOUBT_BARE_CR : DOUBT_DELIMITER_PLACE))
		return;
	if (!line_delimits_in(splitter, line, DELIMITS, 2, &unused) &&
	    !line_delimits_in(splitter, line, DELIMITS_WITH_TAIL, 2, &unused))
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
