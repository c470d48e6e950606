/* SPDX-License-Identifier: BSD-2-Clause */
/* An entity's header: its fields, and where it ends. */
#include "entity_splitter.h"

#include <string.h>

#include "caps.h"

#define UNCLOSED_COMMENTS 4 /* in a field's name that is mended; with more it is none */

static const struct {
	const char *name;
	enum field_kind kind;
} field_names[] = {
	{"content-type", FIELD_CONTENT_TYPE},
	{"content-disposition", FIELD_CONTENT_DISPOSITION},
	{"content-transfer-encoding", FIELD_CONTENT_TRANSFER_ENCODING},
	{"content-id", FIELD_CONTENT_ID},
	{"content-location", FIELD_CONTENT_LOCATION},
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
gboolean
splitter_begins_content_field(const struct splitter *splitter, gsize at)
{
	const char *text = splitter->bytes + at;
	struct line line;

	if (splitter->length - at < 8 || g_ascii_strncasecmp(text, "Content-", 8) != 0)
		return FALSE;
	line = splitter_line_at(splitter, at);
	return name_length(text, line.end - line.begin) > 0;
}

/* So many lines of a header are looked at for a field of MIME's, those before it included. */
#define HEADER_LINES 32

gboolean
splitter_begins_content_header(const struct splitter *splitter, gsize at)
{
	for (guint i = 0; i < HEADER_LINES && at < splitter->length; i++) {
		struct line line = splitter_line_at(splitter, at);
		const char *text = splitter->bytes + at;
		gboolean folded = i && line.end > at && (*text == ' ' || *text == '\t');

		if (splitter_begins_content_field(splitter, at))
			return TRUE;
		if (!folded && !name_length(text, line.end - at))
			return FALSE;
		at = line.next;
	}
	return FALSE;
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
	splitter_note_departure(splitter, "duplicate-header", offset);
	splitter->out->doubts |= doubt;
	entity->doubts |= doubt;
	return (splitter->options->last_fields & 1u << kind) != 0;
}

/* Keeps a field that is of use.  value: after the colon. */
static void
keep_field(struct splitter *splitter, int index, enum field_kind kind, struct span value)
{
	struct entity *entity = splitter_entity(splitter, index);
	struct field field = {.kind = kind, .value = value};

	if (kind < ENTITY_FIELD_KINDS) {
		struct span *first = &entity->fields[kind];
		gboolean twice = first->begin > 0;
		gboolean last = twice && takes_last(splitter, entity, kind, value.begin);

		if (twice && kind <= FIELD_CONTENT_DISPOSITION)
			entity->again[kind] = last ? *first : value;
		if (!twice || last)
			*first = value;
	} else if (index == 0 && splitter->out->fields->len < CAP_FIELDS) {
		g_array_append_val(splitter->out->fields, field);
	} else if (index == 0) {
		splitter_note_cap(splitter, CAP_FIELDS_NAME);
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

/* Returns where the comment that begins at i ends, with those in it, or i. */
static gsize
comment_end(const char *text, gsize length, gsize i)
{
	guint depth = 0;

	for (gsize at = i; at < length; at++) {
		if (text[at] == '(')
			depth++;
		else if (text[at] == ')' && --depth == 0)
			return at;
	}
	return i;
}

/*
 * Returns the kind of a field of MIME whose name readers mend: they pass over
 * NULs, 8-bit bytes, blanks, folds, comments and punctuation, and take "_" for "-".
 */
static gboolean
mended_kind(const char *text, gsize length, enum field_kind *ret_kind)
{
	char name[32];
	gsize used = 0;
	guint unclosed = 0;

	for (gsize i = 0; i < length && text[i] != ':'; i++) {
		if (text[i] == '(')
			i = comment_end(text, length, i);
		/* Each was looked for to the end of the line. */
		if (text[i] == '(' && ++unclosed > UNCLOSED_COMMENTS)
			return FALSE;
		if (i == length || !(g_ascii_isalnum(text[i]) || strchr("-_", text[i])) || !text[i])
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
	splitter_note_doubt(splitter, DOUBT_FIELD_NAME, "odd-field-name", line.begin);
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
		splitter_note_doubt(splitter, DOUBT_BLANK_LINE, "blank-line-in-header", line.begin);
	} else if (splitter_begins_content_field(splitter, rest.begin)) {
		splitter_note_doubt(splitter, DOUBT_FIELD_BLANK, "blank-before-field", line.begin);
		if (splitter->options->blank_fields &&
		    field_kind_of(text, name_length(text, rest.end - rest.begin), &kind)) {
			begin_field(splitter, index, rest, TRUE, kind, field);
			return;
		}
	}
	field->value.length = line.end - field->value.begin;
}

/*
 * Whether nothing is to be seen in a line: blanks, C's too, and NULs; Sylpheed takes one for
 * that as soon as it begins with CR.
 */
static gboolean
is_blank_line(const struct splitter *splitter, struct line line)
{
	if (line.begin < line.end && splitter->bytes[line.begin] == '\r')
		return TRUE;
	for (gsize i = line.begin; i < line.end; i++)
		if (splitter->bytes[i] && !strchr(" \t\v\f", splitter->bytes[i]))
			return FALSE;
	return TRUE;
}

/* Whether a line is a field but for its name, and passed over as one by the reading in hand. */
static gboolean
is_nameless_field(struct splitter *splitter, struct line line)
{
	if (splitter->bytes[line.begin] != ':')
		return FALSE;
	splitter_note_doubt(splitter, DOUBT_NAMELESS, "field-without-name", line.begin);
	return splitter->options->nameless_fields;
}

/* Takes a line that is no field; returns FALSE when the header ends before it. */
static gboolean
garbage_line(struct splitter *splitter, int index, struct line line, gboolean first,
	     struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	struct delimiter unused;

	if (first && is_mbox_separator(text, line.end - line.begin))
		return TRUE;
	if (is_nameless_field(splitter, line))
		return TRUE;
	if (splitter->options->header_is_whole && splitter_line_delimits(splitter, line, &unused))
		return TRUE;
	if (mended_line(splitter, index, line, field))
		return TRUE;
	if (first && (*text == ' ' || *text == '\t'))
		folded_line(splitter, index, line, field);
	if (is_blank_line(splitter, line))
		splitter_note_doubt(splitter, DOUBT_BLANK_LINE, "blank-line-in-header", line.begin);
	splitter_note_departure(splitter, "header-without-colon", line.begin);
	splitter->out->doubts |= DOUBT_HEADER_LINE;
	if (splitter->options->garbage == GARBAGE_FOLDS && !first)
		field->value.length = line.end - field->value.begin;
	return splitter->options->garbage != GARBAGE_ENDS || (first && field->wanted);
}

/* Whether a field's name is of letters, digits and "-". */
static gboolean
is_usual_name(const char *name, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isalnum(name[i]) && name[i] != '-')
			return FALSE;
	return TRUE;
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
		splitter_note_doubt(splitter, DOUBT_BARE_CR, "bare-cr", line.begin);
	if (length && text[length - 1] == '\r')
		splitter_note_doubt(splitter, DOUBT_CR_CR_LF, "cr-cr-lf", line.begin);
	if (line.begin && length > 1 && text[0] == '\r' && g_ascii_isalpha(text[1]))
		splitter_note_doubt(splitter, DOUBT_LF_CR, "lf-cr", line.begin);
	if (!first && (*text == ' ' || *text == '\t')) {
		folded_line(splitter, index, line, field);
		return TRUE;
	}
	if (!name)
		return garbage_line(splitter, index, line, first, field);
	wanted = field_kind_of(text, name, &kind);
	if (!wanted && !is_usual_name(text, name) && mended_line(splitter, index, line, field))
		return TRUE;
	begin_field(splitter, index, line, wanted, kind, field);
	return TRUE;
}

/* So many more empty lines are passed over before a header that goes on. */
#define EMPTY_LINES 4

/* Returns where a field may begin behind an empty line: behind more of them, and blanks. */
static gsize
after_empty_lines(const struct splitter *splitter, gsize next)
{
	for (guint i = 0; i < EMPTY_LINES && next < splitter->length; i++) {
		struct line line = splitter_line_at(splitter, next);

		if (line.end > line.begin)
			break;
		next = line.next;
	}
	while (next < splitter->length && strchr(" \t", splitter->bytes[next]) &&
	       splitter->bytes[next])
		next++;
	return next;
}

/* Whether the empty line that ends at next is followed by more header, in some reading. */
static gboolean
header_goes_on(struct splitter *splitter, gsize next)
{
	gsize field = next;

	/* Most bodies begin with a letter. */
	if (next < splitter->length && !g_ascii_isalpha(splitter->bytes[next]))
		field = after_empty_lines(splitter, next);
	if (!splitter_begins_content_field(splitter, field))
		return FALSE;
	splitter_note_doubt(splitter, DOUBT_HEADER_END, "field-after-header", next);
	splitter_note_line_end(splitter, splitter_line_at(splitter, field).next);
	return splitter->options->header_goes_on;
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
	if (!splitter_line_delimits(splitter, line, &unused))
		return FALSE;
	if (!first)
		splitter_note_doubt(splitter, DOUBT_HEADER_CUT, "delimiter-in-header", line.begin);
	return first || !splitter->options->header_is_whole;
}

/* A field's name may be folded before its colon for readers that mend names. */
static struct line
header_line_at(const struct splitter *splitter, gsize at)
{
	struct line line = splitter_line_at(splitter, at);
	const char *next = splitter->bytes + line.next;

	if (splitter->options->mend_names && splitter->length - line.next > 2 &&
	    (*next == ' ' || *next == '\t') && next[1] == ':')
		return (struct line){at, splitter_line_at(splitter, line.next).end,
				     splitter_line_at(splitter, line.next).next};
	return line;
}

/* Reads a header from begin on; returns where the body begins. */
gsize
splitter_read_header(struct splitter *splitter, int index, gsize begin)
{
	struct open_field field = {0};
	gsize at = begin;

	while (at < splitter->length) {
		struct line line = header_line_at(splitter, at);
		gsize next;

		if (ends_header(splitter, line, at == begin, &next)) {
			splitter_note_line_end(splitter, next);
			at = next;
			break;
		}
		splitter_note_line_end(splitter, line.next);
		if (line.end - begin > CAP_HEADER_BYTES) {
			splitter_note_cap(splitter, CAP_HEADER_BYTES_NAME);
			splitter_entity(splitter, index)->cut = TRUE;
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
