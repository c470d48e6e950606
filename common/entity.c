/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "entity.h"

#include <string.h>

#include "caps.h"
#include "wide.h"

/* A multipart whose closing delimiter has not come. */
struct boundary {
	int entity;
	GBytes *text;
	guint running; /* entities that were running when it was opened, itself included */
};

struct splitter {
	const struct split_options *options;
	const char *bytes;
	gsize length;
	guint base_depth;
	guint max_entities;
	struct entities *out;
	GArray *boundaries; /* of struct boundary, outermost first */
	GArray *running;    /* of int: entities that have not ended, outermost first */
	gboolean crlf;	    /* CR LF ended a line of a header, or was about a delimiter */
	gboolean lf;	    /* likewise a lone LF */
};

/* A line: [begin, end), its break and the begin of the next. */
struct line {
	gsize begin;
	gsize end;
	gsize next;
};

/* A delimiter line that was found. */
struct delimiter {
	struct line line;
	guint level; /* index in boundaries */
	gboolean closes;
};

static const struct {
	const char *name;
	enum field_kind kind;
} field_names[] = {
	{"content-type", FIELD_CONTENT_TYPE},
	{"content-disposition", FIELD_CONTENT_DISPOSITION},
	{"content-transfer-encoding", FIELD_CONTENT_TRANSFER_ENCODING},
	{"content-id", FIELD_CONTENT_ID},
	{"subject", FIELD_SUBJECT},
	{"message-id", FIELD_MESSAGE_ID},
	{"date", FIELD_DATE},
	{"from", FIELD_FROM},
	{"to", FIELD_TO},
	{"cc", FIELD_CC},
	{"reply-to", FIELD_REPLY_TO},
	{"list-id", FIELD_LIST_ID},
	{"delivered-to", FIELD_DELIVERED_TO},
	{"x-original-to", FIELD_ORIGINAL_TO},
	{"authentication-results", FIELD_AUTHENTICATION_RESULTS},
};

static void
entity_clear(gpointer data)
{
	struct entity *entity = data;

	content_field_free(entity->type);
}

static void
boundary_clear(gpointer data)
{
	struct boundary *boundary = data;

	g_bytes_unref(boundary->text);
}

static void
note_cap(struct splitter *splitter, const char *name)
{
	if (!g_ptr_array_find(splitter->out->caps, name, NULL))
		g_ptr_array_add(splitter->out->caps, (gpointer)name);
}

static void
note_departure(struct splitter *splitter, const char *name, gsize offset)
{
	struct departure departure = {.name = name, .offset = offset};

	if (splitter->out->departures->len < CAP_ANOMALIES)
		g_array_append_val(splitter->out->departures, departure);
	else
		note_cap(splitter, CAP_ANOMALIES_NAME);
}

/* Notes where readers part ways, with the first place of each kind as a departure. */
static void
note_doubt(struct splitter *splitter, enum doubt doubt, const char *name, gsize offset)
{
	if (splitter->out->doubts & doubt)
		return;
	splitter->out->doubts |= doubt;
	note_departure(splitter, name, offset);
}

static struct entity *
entity_at(struct splitter *splitter, int index)
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

static struct line
line_at(const struct splitter *splitter, gsize begin)
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
static void
note_line_end(struct splitter *splitter, gsize end)
{
	if (end == 0 || splitter->bytes[end - 1] != '\n')
		return;
	if (end > 1 && splitter->bytes[end - 2] == '\r')
		splitter->crlf = TRUE;
	else
		splitter->lf = TRUE;
	if (splitter->crlf && splitter->lf)
		note_doubt(splitter, DOUBT_BARE_LF, "bare-lf", end - 1);
}

/* How a line stands to a boundary. */
enum delimits {
	DELIMITS_NOT,
	DELIMITS,	    /* a delimiter (RFC 2046 5.1.1); trailing blanks are ignored */
	DELIMITS_WITH_TAIL, /* one, but for text after it */
};

static enum delimits
delimits(const char *text, gsize length, const struct boundary *boundary, gboolean *ret_closes)
{
	gsize size;
	const char *wanted = g_bytes_get_data(boundary->text, &size);
	gboolean closes;

	if (length < size || (size && memcmp(text, wanted, size) != 0))
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

		if (delimits(text, length, boundary, &closes) == way) {
			ret_delimiter->line = line;
			ret_delimiter->level = level;
			ret_delimiter->closes = closes;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean
line_delimits(struct splitter *splitter, struct line line, struct delimiter *ret_delimiter)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;
	struct delimiter with_tail;

	if (length < 2 || text[0] != '-' || text[1] != '-')
		return splitter->options->delimiter_undashed && length &&
		       line_delimits_in(splitter, line, DELIMITS, 0, ret_delimiter);
	if (line_delimits_in(splitter, line, DELIMITS, 2, ret_delimiter))
		return TRUE;
	if (!line_delimits_in(splitter, line, DELIMITS_WITH_TAIL, 2, &with_tail))
		return FALSE;
	note_doubt(splitter, DOUBT_DELIMITER_TAIL, "text-after-delimiter", line.begin);
	if (memchr(text, '\r', length))
		note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", line.begin);
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
		note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", begin);
	else
		note_doubt(splitter, DOUBT_DELIMITER_PLACE, "delimiter-within-line", begin);
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
	const char *dash = at;

	while ((dash = memchr(dash, '-', (gsize)(end - dash))) != NULL) {
		if (dash > at && end - dash > 1 && dash[1] == '-') {
			if (begins_line(splitter, dash) || splitter->options->delimiter_anywhere)
				return dash;
			note_place(splitter, dash);
		}
		while (dash < end && *dash == '-')
			dash++;
	}
	return end;
}

/* Finds the next delimiter line at or after the line that begins at from. */
static gboolean
find_delimiter(struct splitter *splitter, gsize from, struct delimiter *ret_delimiter)
{
	const char *at = splitter->bytes + from;
	const char *end = splitter->bytes + splitter->length;

	if (!splitter->boundaries->len)
		return FALSE;
	while (at < end) {
		struct line line = line_at(splitter, (gsize)(at - splitter->bytes));

		if (line_delimits(splitter, line, ret_delimiter))
			return TRUE;
		at = splitter->options->delimiter_undashed ? splitter->bytes + line.next
							   : next_dashed_line(splitter, at, end);
	}
	return FALSE;
}

/* ---- the header ---- */

/* Returns the length of a field's name (RFC 5322 2.2), 0 when the line is no field. */
static gsize
name_length(const char *text, gsize length)
{
	gsize i = 0, name;

	while (i < length && text[i] > ' ' && text[i] < 0x7f && text[i] != ':')
		i++;
	name = i;
	while (i < length && (text[i] == ' ' || text[i] == '\t'))
		i++; /* obsolete, and still read (RFC 5322 4.5) */
	return i < length && text[i] == ':' ? name : 0;
}

static gboolean
field_kind_of(const char *name, gsize length, enum field_kind *ret_kind)
{
	for (gsize i = 0; i < G_N_ELEMENTS(field_names); i++) {
		if (strlen(field_names[i].name) == length &&
		    g_ascii_strncasecmp(field_names[i].name, name, length) == 0) {
			*ret_kind = field_names[i].kind;
			return TRUE;
		}
	}
	return FALSE;
}

/* Returns whether a line begins with a field of MIME's own. */
static gboolean
begins_content_field(const struct splitter *splitter, gsize at)
{
	const char *text = splitter->bytes + at;
	struct line line;

	if (splitter->length - at < 8 || g_ascii_strncasecmp(text, "Content-", 8) != 0)
		return FALSE;
	line = line_at(splitter, at);
	return name_length(text, line.end - line.begin) > 0;
}

/* Notes a second field of a kind, and says whether it is the one that counts. */
static gboolean
takes_last(struct splitter *splitter, struct entity *entity, enum field_kind kind, gsize offset)
{
	enum doubt doubt = 0;

	if (kind == FIELD_CONTENT_TYPE)
		doubt = DOUBT_TYPE_TWICE;
	else if (kind == FIELD_CONTENT_TRANSFER_ENCODING)
		doubt = DOUBT_ENCODING_TWICE;
	note_departure(splitter, "duplicate-header", offset);
	splitter->out->doubts |= doubt;
	entity->doubts |= doubt;
	return (splitter->options->last_fields & 1u << kind) != 0;
}

/* Keeps a field that is of use.  value: after the colon. */
static void
keep_field(struct splitter *splitter, int index, enum field_kind kind, struct span value)
{
	struct entity *entity = entity_at(splitter, index);
	struct field field = {.kind = kind, .value = value};

	if (kind < ENTITY_FIELD_KINDS) {
		if (!entity->fields[kind].begin || takes_last(splitter, entity, kind, value.begin))
			entity->fields[kind] = value;
	} else if (index == 0 && splitter->out->fields->len < CAP_FIELDS) {
		g_array_append_val(splitter->out->fields, field);
	} else if (index == 0) {
		note_cap(splitter, CAP_FIELDS_NAME);
	}
}

/* The field that is being read, its folded lines to come. */
struct open_field {
	gboolean wanted;
	enum field_kind kind;
	struct span value;
};

static void
finish_field(struct splitter *splitter, int index, struct open_field *field)
{
	if (field->wanted)
		keep_field(splitter, index, field->kind, field->value);
	field->wanted = FALSE;
}

/* "From " or ">From ", which an mbox leaves above a message. */
static gboolean
is_mbox_separator(const char *text, gsize length)
{
	return (length >= 5 && memcmp(text, "From ", 5) == 0) ||
	       (length >= 6 && memcmp(text, ">From ", 6) == 0);
}

/*
 * Returns the kind of a field of MIME whose name readers mend: they pass over
 * NULs, 8-bit bytes, blanks and folds, and take "_" for "-".
 */
static gboolean
mended_kind(const char *text, gsize length, enum field_kind *ret_kind)
{
	char name[32];
	gsize used = 0;

	for (gsize i = 0; i < length && text[i] != ':'; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			continue;
		if (used == sizeof(name) - 1)
			return FALSE;
		name[used++] = text[i] == '_' ? '-' : text[i];
	}
	return field_kind_of(name, used, ret_kind) && *ret_kind < ENTITY_FIELD_KINDS;
}

/* Opens the field whose name stands on this line, before a colon. */
static void
begin_field(struct splitter *splitter, int index, struct line line, gboolean wanted,
	    enum field_kind kind, struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	const char *colon = memchr(text, ':', line.end - line.begin);

	finish_field(splitter, index, field);
	field->wanted = wanted && colon;
	field->kind = kind;
	if (!colon)
		return;
	field->value.begin = line.begin + (gsize)(colon + 1 - text);
	field->value.length = line.end - field->value.begin;
}

/* Takes a line whose name is no field's by the standard; returns FALSE if by no reading. */
static gboolean
mended_line(struct splitter *splitter, int index, struct line line, struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	enum field_kind kind;

	if (!mended_kind(text, line.end - line.begin, &kind))
		return FALSE;
	note_doubt(splitter, DOUBT_FIELD_NAME, "odd-field-name", line.begin);
	if (!splitter->options->mend_names)
		return FALSE;
	begin_field(splitter, index, line, TRUE, kind, field);
	return TRUE;
}

/* Takes a line that begins with blanks: the rest of a field, or a field for some readers. */
static void
folded_line(struct splitter *splitter, int index, struct line line, struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	struct line rest = line;
	enum field_kind kind;

	while (rest.begin < rest.end && (*text == ' ' || *text == '\t')) {
		rest.begin++;
		text++;
	}
	if (rest.begin == rest.end) {
		note_doubt(splitter, DOUBT_BLANK_LINE, "blank-line-in-header", line.begin);
	} else if (begins_content_field(splitter, rest.begin)) {
		note_doubt(splitter, DOUBT_FIELD_BLANK, "blank-before-field", line.begin);
		if (splitter->options->blank_fields &&
		    field_kind_of(text, name_length(text, rest.end - rest.begin), &kind)) {
			begin_field(splitter, index, rest, TRUE, kind, field);
			return;
		}
	}
	field->value.length = line.end - field->value.begin;
}

/* Takes a line that is no field; returns FALSE when the header ends before it. */
static gboolean
garbage_line(struct splitter *splitter, int index, struct line line, gboolean first,
	     struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;

	if (first && is_mbox_separator(text, line.end - line.begin))
		return TRUE;
	if (mended_line(splitter, index, line, field))
		return TRUE;
	if (first && (*text == ' ' || *text == '\t'))
		folded_line(splitter, index, line, field);
	note_departure(splitter, "header-without-colon", line.begin);
	splitter->out->doubts |= DOUBT_HEADER_LINE;
	if (splitter->options->garbage == GARBAGE_FOLDS && !first)
		field->value.length = line.end - field->value.begin;
	return splitter->options->garbage != GARBAGE_ENDS || (first && field->wanted);
}

/* Takes one line of a header; returns FALSE when it is none. */
static gboolean
header_line(struct splitter *splitter, int index, struct line line, gboolean first,
	    struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;
	gsize name = name_length(text, length);
	enum field_kind kind = 0;
	gboolean wanted;

	if (memchr(text, '\r', length))
		note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", line.begin);
	if (!first && (*text == ' ' || *text == '\t')) {
		folded_line(splitter, index, line, field);
		return TRUE;
	}
	if (!name)
		return garbage_line(splitter, index, line, first, field);
	wanted = field_kind_of(text, name, &kind);
	if (!wanted && memchr(text, '_', name) && mended_line(splitter, index, line, field))
		return TRUE;
	begin_field(splitter, index, line, wanted, kind, field);
	return TRUE;
}

/* Whether the empty line that ends at next is followed by more header, in some reading. */
static gboolean
header_goes_on(struct splitter *splitter, gsize next)
{
	gsize field = next;

	while (field < splitter->length && strchr(" \t", splitter->bytes[field]) &&
	       splitter->bytes[field])
		field++;
	if (!begins_content_field(splitter, field))
		return FALSE;
	note_doubt(splitter, DOUBT_HEADER_END, "field-after-header", next);
	return splitter->options->header_goes_on;
}

static gboolean
is_blank_line(const struct splitter *splitter, struct line line)
{
	for (gsize i = line.begin; i < line.end; i++)
		if (splitter->bytes[i] != ' ' && splitter->bytes[i] != '\t')
			return FALSE;
	return TRUE;
}

/* Whether a line ends the header; *ret_next is where the body begins then. */
static gboolean
ends_header(struct splitter *splitter, struct line line, gboolean first, gsize *ret_next)
{
	struct delimiter unused;

	if (line.end == line.begin ||
	    (splitter->options->blank_line_ends && !first && is_blank_line(splitter, line))) {
		*ret_next = line.next;
		return !header_goes_on(splitter, line.next);
	}
	*ret_next = line.begin;
	return line_delimits(splitter, line, &unused);
}

/* A field's name may be folded before its colon for readers that mend names. */
static struct line
header_line_at(const struct splitter *splitter, gsize at)
{
	struct line line = line_at(splitter, at);
	const char *next = splitter->bytes + line.next;

	if (splitter->options->mend_names && splitter->length - line.next > 2 &&
	    (*next == ' ' || *next == '\t') && next[1] == ':')
		return (struct line){at, line_at(splitter, line.next).end,
				     line_at(splitter, line.next).next};
	return line;
}

/* Reads a header from begin on; returns where the body begins. */
static gsize
read_header(struct splitter *splitter, int index, gsize begin)
{
	struct open_field field = {0};
	gsize at = begin;

	while (at < splitter->length) {
		struct line line = header_line_at(splitter, at);
		gsize next;

		if (ends_header(splitter, line, at == begin, &next)) {
			note_line_end(splitter, next);
			at = next;
			break;
		}
		note_line_end(splitter, line.next);
		if (line.end - begin > CAP_HEADER_BYTES) {
			note_cap(splitter, CAP_HEADER_BYTES_NAME);
			entity_at(splitter, index)->cut = TRUE;
			finish_field(splitter, index, &field);
		} else if (line.end > line.begin &&
			   !header_line(splitter, index, line, at == begin, &field)) {
			break;
		}
		at = line.next;
	}
	finish_field(splitter, index, &field);
	return at;
}

/* ---- entities ---- */

/* Whether the entity's content stands as it is, not base64 or quoted-printable. */
static gboolean
is_identity(struct splitter *splitter, const struct entity *entity)
{
	struct span span = entity->fields[FIELD_CONTENT_TRANSFER_ENCODING];
	g_autoptr(content_field_t) field =
		content_field_parse(splitter->bytes + span.begin, MIN(span.length, 256));

	return !g_str_equal(field->token, "base64") &&
	       !g_str_equal(field->token, "quoted-printable") &&
	       !g_str_equal(field->token, "x-uuencode") && !g_str_equal(field->token, "uuencode");
}

gboolean
entity_is_message(const struct entity *entity)
{
	const char *type = entity->type->token;

	return g_str_equal(type, "message/rfc822") || g_str_equal(type, "message/global") ||
	       g_str_equal(type, "message/news");
}

/* Whether what stands from an entity's body on is such a text. */
static gboolean
is_wide(const struct splitter *splitter, const struct entity *entity)
{
	gsize begin = entity->body.begin, end = splitter->length;

	/* The line break before it, if it is one of the wide text's own. */
	while (begin < end && (splitter->bytes[begin] == '\r' || splitter->bytes[begin] == '\n'))
		begin++;
	return wide_is(splitter->bytes + begin, end - begin);
}

/* The boundary by this reading's rule, or NULL. */
static GBytes *
boundary_of(struct splitter *splitter, const struct entity *entity)
{
	struct span type = entity->fields[FIELD_CONTENT_TYPE];
	const char *text = splitter->bytes + type.begin;
	gsize length = MIN(type.length, CAP_PARAMETER_BYTES);

	if (boundary_is_doubtful(text, length))
		note_doubt(splitter, DOUBT_BOUNDARY, "doubtful-boundary", type.begin);
	return boundary_find(splitter->options->boundary, entity->type, text, length,
			     splitter->bytes + entity->body.begin,
			     splitter->length - entity->body.begin);
}

static gboolean
has_boundary(const struct entity *entity)
{
	return entity->has_type && (content_field_get(entity->type, "boundary", FALSE) ||
				    content_field_get(entity->type, "boundary", TRUE));
}

/* Whether an entity is a multipart in this reading; others may see one in any with a boundary. */
static gboolean
is_multipart(struct splitter *splitter, const struct entity *entity)
{
	if (!g_str_has_prefix(entity->type->token, "multipart/") && has_boundary(entity))
		note_doubt(splitter, DOUBT_TYPE, "boundary-without-multipart",
			   entity->fields[FIELD_CONTENT_TYPE].begin);
	return g_str_has_prefix(entity->type->token, "multipart/") ||
	       (splitter->options->boundary_decides && has_boundary(entity));
}

/* Whether a multipart is decoded in this reading before it is split. */
static gboolean
is_wrapped(struct splitter *splitter, const struct entity *entity)
{
	return (splitter->options->decode_multiparts && !is_identity(splitter, entity)) ||
	       (splitter->options->wide_multiparts && is_wide(splitter, entity));
}

static void
set_type(struct splitter *splitter, struct entity *entity)
{
	struct span span = entity->fields[FIELD_CONTENT_TYPE];
	const char *fallback = "text/plain";

	entity->has_type = span.begin > 0;
	if (entity->has_type) {
		entity->type = content_field_parse(splitter->bytes + span.begin, span.length);
		if (entity->type->cut)
			note_cap(splitter, CAP_PARAMETERS_NAME);
		return;
	}
	if (entity->parent >= 0 &&
	    g_str_equal(entity_at(splitter, entity->parent)->type->token, "multipart/digest"))
		fallback = "message/rfc822"; /* RFC 2046 5.1.5 */
	entity->type = content_field_parse(fallback, strlen(fallback));
}

/* Notes of a multipart in which no part was found what may hide them. */
static void
note_form(struct splitter *splitter, const struct entity *entity)
{
	if (is_wide(splitter, entity))
		note_doubt(splitter, DOUBT_WIDE, "wide-text", entity->body.begin);
	if (!is_identity(splitter, entity))
		note_doubt(splitter, DOUBT_ENCODED, "encoded-multipart", entity->body.begin);
}

static void
set_kind(struct splitter *splitter, int index)
{
	struct entity *entity = entity_at(splitter, index);
	g_autoptr(GBytes) text = NULL;
	gboolean message = entity_is_message(entity);

	if (is_multipart(splitter, entity)) {
		entity->wrapped = is_wrapped(splitter, entity);
		if (entity->wrapped)
			return;
		text = boundary_of(splitter, entity);
		if (!text) {
			note_departure(splitter, "no-boundary", entity->body.begin);
			splitter->out->doubts |= DOUBT_NO_PARTS;
			note_form(splitter, entity);
		}
	}
	if (!text && !(message && is_identity(splitter, entity)))
		return;
	if (entity->depth >= CAP_NESTING) {
		note_cap(splitter, CAP_NESTING_NAME);
		entity->cut = TRUE;
		return;
	}
	entity->kind = text ? ENTITY_MULTIPART : ENTITY_MESSAGE;
	if (text) {
		struct boundary boundary = {.entity = index, .running = splitter->running->len};

		boundary.text = g_steal_pointer(&text);
		g_array_append_val(splitter->boundaries, boundary);
	}
}

/* Begins one entity; returns where its body begins. */
static gsize
open_entity(struct splitter *splitter, int parent, guint number, gsize begin)
{
	struct entity entity = {.parent = parent, .number = number};
	int index = (int)splitter->out->list->len;
	gsize body;

	entity.depth = parent < 0 ? splitter->base_depth : entity_at(splitter, parent)->depth + 1;
	g_array_append_val(splitter->out->list, entity);
	g_array_append_val(splitter->running, index);
	body = read_header(splitter, index, begin);
	entity_at(splitter, index)->body.begin = body;
	set_type(splitter, entity_at(splitter, index));
	set_kind(splitter, index);
	return body;
}

/* Begins an entity and the messages that it encloses. */
static gsize
open_entities(struct splitter *splitter, int parent, guint number, gsize begin)
{
	for (;;) {
		int index = (int)splitter->out->list->len;

		if (index >= (int)splitter->max_entities) {
			note_cap(splitter, CAP_PARTS_NAME);
			if (parent >= 0)
				entity_at(splitter, parent)->cut = TRUE;
			return begin;
		}
		begin = open_entity(splitter, parent, number, begin);
		if (entity_at(splitter, index)->kind == ENTITY_LEAF ||
		    (entity_at(splitter, index)->kind == ENTITY_MULTIPART &&
		     !splitter->options->preamble_is_part))
			return begin;
		parent = index;
		number = ++entity_at(splitter, index)->children;
	}
}

/* Ends the running entities from the given one on at end, before a line break. */
static void
end_entities(struct splitter *splitter, guint from, gsize end, gsize break_bytes)
{
	for (guint i = from; i < splitter->running->len; i++) {
		struct entity *entity =
			entity_at(splitter, g_array_index(splitter->running, int, i));

		/* An empty body: the break ends the header, the delimiter has none. */
		entity->break_bytes = end >= entity->body.begin ? break_bytes : 0;
		entity->body.begin = MIN(entity->body.begin, end);
		entity->body.length = end - entity->body.begin;
	}
	g_array_set_size(splitter->running, from);
}

static gsize
break_before(const struct splitter *splitter, gsize at)
{
	if (!at || splitter->bytes[at - 1] != '\n')
		return 0;
	return at > 1 && splitter->bytes[at - 2] == '\r' ? 2 : 1;
}

/* Notes what stands before a multipart's first delimiter, if it looks like a part. */
static void
note_preamble(struct splitter *splitter, const struct entity *entity, gsize end)
{
	gsize begin = entity->body.begin;
	const char *text = splitter->bytes + begin;
	gsize length = MIN(end - MIN(begin, end), CAP_PARAMETER_BYTES);

	if (!length)
		return;
	if (begins_content_field(splitter, begin) || memmem(text, length, "begin ", 6) ||
	    memmem(text, length, "\nContent-", 9))
		note_doubt(splitter, DOUBT_PREAMBLE, "part-in-preamble", begin);
}

/* Returns where a part begins after a closing delimiter, 0 when none does. */
static gsize
part_after_close(const struct splitter *splitter, gsize at)
{
	while (at < splitter->length && strchr("\r\n", splitter->bytes[at]) && splitter->bytes[at])
		at++;
	return begins_content_field(splitter, at) ? at : 0;
}

static void
note_epilogue(struct splitter *splitter, const struct boundary *boundary, gsize at)
{
	gsize size;
	const char *text = g_bytes_get_data(boundary->text, &size);
	const char *again = NULL;

	if (size)
		again = memmem(splitter->bytes + at, splitter->length - at, text, size);
	if (part_after_close(splitter, at) ||
	    (again && again - splitter->bytes > 2 && again[-1] == '-' && again[-2] == '-'))
		note_doubt(splitter, DOUBT_EPILOGUE, "part-in-epilogue", at);
}

/* Notes how a multipart ended. */
static void
note_end(struct splitter *splitter, const struct entity *entity)
{
	if (entity->kind != ENTITY_MULTIPART || entity->children > 1)
		return;
	splitter->out->doubts |= DOUBT_ONE_PART;
	if (entity->children)
		return;
	note_doubt(splitter, DOUBT_NO_PARTS, "no-parts", entity->body.begin);
	note_form(splitter, entity);
}

/* Takes the multiparts off that a delimiter ends. */
static void
close_boundaries(struct splitter *splitter, struct delimiter delimiter, gboolean closes)
{
	guint stay = delimiter.level + (closes ? 0 : 1);

	if (splitter->boundaries->len > delimiter.level + 1)
		note_doubt(splitter, DOUBT_UNCLOSED, "unclosed-multipart", delimiter.line.begin);
	if (!splitter->options->inner_goes_on || splitter->boundaries->len > CAP_NESTING)
		g_array_set_size(splitter->boundaries, stay);
	else if (closes)
		g_array_remove_index(splitter->boundaries, delimiter.level);
	/* What goes on has nothing running any more. */
	for (guint i = stay; i < splitter->boundaries->len; i++) {
		struct boundary *boundary =
			&g_array_index(splitter->boundaries, struct boundary, i);

		boundary->running = MIN(boundary->running, splitter->running->len);
	}
}

/* Ends what a delimiter ends, and begins what it begins; returns where to read on. */
static gsize
take_delimiter(struct splitter *splitter, struct delimiter delimiter)
{
	struct boundary *boundary =
		&g_array_index(splitter->boundaries, struct boundary, delimiter.level);
	int parent = boundary->entity;
	gsize break_bytes = break_before(splitter, delimiter.line.begin);
	gsize next = delimiter.line.next;
	gboolean ignored = delimiter.closes && splitter->options->close_is_ignored;

	note_line_end(splitter, delimiter.line.begin);
	note_line_end(splitter, next);
	if (!entity_at(splitter, parent)->children)
		note_preamble(splitter, entity_at(splitter, parent), delimiter.line.begin);
	if (delimiter.closes)
		note_epilogue(splitter, boundary, next);
	end_entities(splitter, boundary->running, delimiter.line.begin - break_bytes, break_bytes);
	close_boundaries(splitter, delimiter, delimiter.closes && !ignored);
	if (ignored)
		next = part_after_close(splitter, next);
	if (delimiter.closes && !(ignored && next))
		return delimiter.line.next;
	return open_entities(splitter, parent, ++entity_at(splitter, parent)->children, next);
}

struct entities *
entities_split(const void *bytes, gsize length, guint base_depth, guint max_entities)
{
	static const struct split_options plain;

	return entities_split_as(&plain, bytes, length, base_depth, max_entities);
}

struct entities *
entities_split_as(const struct split_options *options, const void *bytes, gsize length,
		  guint base_depth, guint max_entities)
{
	struct splitter splitter = {
		.options = options,
		.bytes = bytes,
		.length = length,
		.base_depth = base_depth,
		.max_entities = max_entities,
		.out = g_new0(struct entities, 1),
		.boundaries = g_array_new(FALSE, FALSE, sizeof(struct boundary)),
		.running = g_array_new(FALSE, FALSE, sizeof(int)),
	};
	struct delimiter delimiter;
	gsize at;

	splitter.out->list = g_array_new(FALSE, TRUE, sizeof(struct entity));
	g_array_set_clear_func(splitter.out->list, entity_clear);
	splitter.out->fields = g_array_new(FALSE, FALSE, sizeof(struct field));
	splitter.out->departures = g_array_new(FALSE, FALSE, sizeof(struct departure));
	splitter.out->caps = g_ptr_array_new();
	g_array_set_clear_func(splitter.boundaries, boundary_clear);

	at = open_entities(&splitter, -1, 1, 0);
	while (find_delimiter(&splitter, at, &delimiter))
		at = take_delimiter(&splitter, delimiter);
	end_entities(&splitter, 0, length, 0);
	for (guint i = 0; i < splitter.out->list->len; i++)
		note_end(&splitter, entity_at(&splitter, (int)i));
	g_array_unref(splitter.boundaries);
	g_array_unref(splitter.running);
	return splitter.out;
}

void
entities_free(struct entities *entities)
{
	if (!entities)
		return;
	g_array_unref(entities->list);
	g_array_unref(entities->fields);
	g_array_unref(entities->departures);
	g_ptr_array_unref(entities->caps);
	g_free(entities);
}
