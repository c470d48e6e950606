/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "entity.h"

#include <string.h>

#include "caps.h"

/* A multipart whose closing delimiter has not come. */
struct boundary {
	int entity;
	GBytes *text;
	guint running;	/* entities that were running when it was opened, itself included */
	guint children; /* of it so far */
};

struct splitter {
	const char *bytes;
	gsize length;
	guint base_depth;
	guint max_entities;
	struct entities *out;
	GArray *boundaries; /* of struct boundary, outermost first */
	GArray *running;    /* of int: entities that have not ended, outermost first */
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

static struct entity *
entity_at(struct splitter *splitter, int index)
{
	return &g_array_index(splitter->out->list, struct entity, index);
}

static struct line
line_at(const struct splitter *splitter, gsize begin)
{
	const char *from = splitter->bytes + begin;
	const char *feed = memchr(from, '\n', splitter->length - begin);
	struct line line = {.begin = begin, .end = splitter->length, .next = splitter->length};

	if (!feed)
		return line;
	line.end = (gsize)(feed - splitter->bytes);
	line.next = line.end + 1;
	if (line.end > begin && splitter->bytes[line.end - 1] == '\r')
		line.end--;
	return line;
}

/* Whether text is a delimiter of this boundary (RFC 2046 5.1.1); trailing blanks are ignored. */
static gboolean
is_delimiter(const char *text, gsize length, const struct boundary *boundary, gboolean *ret_closes)
{
	gsize size;
	const char *wanted = g_bytes_get_data(boundary->text, &size);
	gboolean closes;

	if (length < size + 2 || memcmp(text + 2, wanted, size) != 0)
		return FALSE;
	text += size + 2;
	length -= size + 2;
	closes = length >= 2 && text[0] == '-' && text[1] == '-';
	for (gsize i = closes ? 2 : 0; i < length; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return FALSE;
	*ret_closes = closes;
	return TRUE;
}

/* Whether the line is a delimiter of an open multipart, the innermost first. */
static gboolean
line_delimits(const struct splitter *splitter, struct line line, struct delimiter *ret_delimiter)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;

	if (length < 3 || text[0] != '-' || text[1] != '-')
		return FALSE;
	for (guint level = splitter->boundaries->len; level-- > 0;) {
		const struct boundary *boundary =
			&g_array_index(splitter->boundaries, struct boundary, level);

		if (is_delimiter(text, length, boundary, &ret_delimiter->closes)) {
			ret_delimiter->line = line;
			ret_delimiter->level = level;
			return TRUE;
		}
	}
	return FALSE;
}

/*
 * Returns where "--" next begins a line from at on, or end.  Most of a large
 * message is base64, which has no dash: the search is for that, not for line
 * breaks, of which it has many.
 */
static const char *
next_dashed_line(const char *at, const char *end)
{
	const char *dash = at;

	while ((dash = memchr(dash, '-', (gsize)(end - dash))) != NULL) {
		if (dash > at && dash[-1] == '\n' && end - dash > 1 && dash[1] == '-')
			return dash;
		while (dash < end && *dash == '-')
			dash++;
	}
	return end;
}

/* Finds the next delimiter line at or after the line that begins at from. */
static gboolean
find_delimiter(const struct splitter *splitter, gsize from, struct delimiter *ret_delimiter)
{
	const char *at = splitter->bytes + from;
	const char *end = splitter->bytes + splitter->length;

	if (!splitter->boundaries->len)
		return FALSE;
	while (at < end) {
		struct line line = line_at(splitter, (gsize)(at - splitter->bytes));

		if (line_delimits(splitter, line, ret_delimiter))
			return TRUE;
		if (line.next == splitter->length)
			return FALSE;
		at = next_dashed_line(splitter->bytes + line.next - 1, end);
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

/* Keeps a field that is of use.  value: after the colon. */
static void
keep_field(struct splitter *splitter, int index, enum field_kind kind, struct span value)
{
	struct entity *entity = entity_at(splitter, index);
	struct field field = {.kind = kind, .value = value};

	if (kind < ENTITY_FIELD_KINDS) {
		if (entity->fields[kind].begin)
			note_departure(splitter, "duplicate-header", value.begin);
		else
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

/* Takes one line of a header; returns FALSE when it is none. */
static gboolean
header_line(struct splitter *splitter, int index, struct line line, gboolean first,
	    struct open_field *field)
{
	const char *text = splitter->bytes + line.begin;
	gsize length = line.end - line.begin;
	gsize name = name_length(text, length);
	const char *colon;

	if (!first && (*text == ' ' || *text == '\t')) {
		field->value.length = line.end - field->value.begin;
		return TRUE;
	}
	if (!name)
		return first && is_mbox_separator(text, length);
	finish_field(splitter, index, field);
	colon = memchr(text, ':', length);
	field->wanted = field_kind_of(text, name, &field->kind);
	field->value.begin = line.begin + (gsize)(colon + 1 - text);
	field->value.length = line.end - field->value.begin;
	return TRUE;
}

/* Reads a header from begin on; returns where the body begins. */
static gsize
read_header(struct splitter *splitter, int index, gsize begin)
{
	struct open_field field = {0};
	gsize at = begin;

	while (at < splitter->length) {
		struct line line = line_at(splitter, at);
		struct delimiter unused;

		if (line.end == line.begin) {
			at = line.next;
			break;
		}
		if (line_delimits(splitter, line, &unused))
			break;
		if (line.end - begin > CAP_HEADER_BYTES) {
			note_cap(splitter, CAP_HEADER_BYTES_NAME);
			entity_at(splitter, index)->cut = TRUE;
			finish_field(splitter, index, &field);
		} else if (!header_line(splitter, index, line, at == begin, &field)) {
			note_departure(splitter, "header-without-colon", at);
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

/* The boundary without the blanks that cannot end it, or NULL. */
static GBytes *
boundary_of(const struct entity *entity)
{
	const struct parameter *parameter = content_field_get(entity->type, "boundary", FALSE);
	const char *text;
	gsize length;

	if (!parameter)
		parameter = content_field_get(entity->type, "boundary", TRUE);
	if (!parameter)
		return NULL;
	text = g_bytes_get_data(parameter->value, &length);
	while (length && g_ascii_isspace(text[length - 1]))
		length--;
	return length ? g_bytes_new(text, length) : NULL;
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

static void
set_kind(struct splitter *splitter, int index)
{
	struct entity *entity = entity_at(splitter, index);
	g_autoptr(GBytes) text = NULL;
	gboolean message = entity_is_message(entity);

	if (g_str_has_prefix(entity->type->token, "multipart/")) {
		text = boundary_of(entity);
		if (!text)
			note_departure(splitter, "no-boundary", entity->body.begin);
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
		if (entity_at(splitter, index)->kind != ENTITY_MESSAGE)
			return begin;
		parent = index;
		number = 1;
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

/* Ends what a delimiter ends, and begins what it begins; returns where to read on. */
static gsize
take_delimiter(struct splitter *splitter, struct delimiter delimiter)
{
	struct boundary *boundary =
		&g_array_index(splitter->boundaries, struct boundary, delimiter.level);
	int parent = boundary->entity;
	guint number = ++boundary->children;
	gsize break_bytes = break_before(splitter, delimiter.line.begin);

	end_entities(splitter, boundary->running, delimiter.line.begin - break_bytes, break_bytes);
	g_array_set_size(splitter->boundaries, delimiter.level + (delimiter.closes ? 0 : 1));
	if (delimiter.closes)
		return delimiter.line.next;
	return open_entities(splitter, parent, number, delimiter.line.next);
}

struct entities *
entities_split(const void *bytes, gsize length, guint base_depth, guint max_entities)
{
	struct splitter splitter = {
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
