/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "entity.h"

#include <string.h>

#include "caps.h"
#include "embedded.h"
#include "entity_splitter.h"
#include "wide.h"

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
		splitter_note_doubt(splitter, DOUBT_BOUNDARY, "doubtful-boundary", type.begin);
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
		splitter_note_doubt(splitter, DOUBT_TYPE, "boundary-without-multipart",
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
			splitter_note_cap(splitter, CAP_PARAMETERS_NAME);
		return;
	}
	if (entity->parent >= 0 &&
	    g_str_equal(splitter_entity(splitter, entity->parent)->type->token, "multipart/digest"))
		fallback = "message/rfc822"; /* RFC 2046 5.1.5 */
	entity->type = content_field_parse(fallback, strlen(fallback));
}

/* Notes of a multipart in which no part was found what may hide them. */
static void
note_form(struct splitter *splitter, const struct entity *entity)
{
	if (is_wide(splitter, entity))
		splitter_note_doubt(splitter, DOUBT_WIDE, "wide-text", entity->body.begin);
	if (!is_identity(splitter, entity))
		splitter_note_doubt(splitter, DOUBT_ENCODED, "encoded-multipart",
				    entity->body.begin);
}

static void
set_kind(struct splitter *splitter, int index)
{
	struct entity *entity = splitter_entity(splitter, index);
	g_autoptr(GBytes) text = NULL;
	gboolean message = entity_is_message(entity);

	if (is_multipart(splitter, entity)) {
		entity->wrapped = is_wrapped(splitter, entity);
		if (entity->wrapped)
			return;
		text = boundary_of(splitter, entity);
		if (!text) {
			splitter_note_departure(splitter, "no-boundary", entity->body.begin);
			splitter->out->doubts |= DOUBT_NO_PARTS;
			note_form(splitter, entity);
		}
	}
	if (!text && !(message && is_identity(splitter, entity)))
		return;
	if (entity->depth >= CAP_NESTING) {
		splitter_note_cap(splitter, CAP_NESTING_NAME);
		entity->cut = TRUE;
		return;
	}
	entity->kind = text ? ENTITY_MULTIPART : ENTITY_MESSAGE;
	if (text) {
		struct boundary boundary = {.entity = index, .running = splitter->running->len};

		boundary.text = g_steal_pointer(&text);
		boundary.bytes = g_bytes_get_data(boundary.text, &boundary.size);
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

	entity.depth =
		parent < 0 ? splitter->base_depth : splitter_entity(splitter, parent)->depth + 1;
	g_array_append_val(splitter->out->list, entity);
	g_array_append_val(splitter->running, index);
	body = splitter_read_header(splitter, index, begin);
	splitter_entity(splitter, index)->body.begin = body;
	set_type(splitter, splitter_entity(splitter, index));
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
			splitter_note_cap(splitter, CAP_PARTS_NAME);
			if (parent >= 0)
				splitter_entity(splitter, parent)->cut = TRUE;
			return begin;
		}
		begin = open_entity(splitter, parent, number, begin);
		if (splitter_entity(splitter, index)->kind == ENTITY_LEAF ||
		    (splitter_entity(splitter, index)->kind == ENTITY_MULTIPART &&
		     !splitter->options->preamble_is_part))
			return begin;
		parent = index;
		number = ++splitter_entity(splitter, index)->children;
	}
}

/* Ends the running entities from the given one on at end, before a line break. */
static void
end_entities(struct splitter *splitter, guint from, gsize end, gsize break_bytes)
{
	for (guint i = from; i < splitter->running->len; i++) {
		struct entity *entity =
			splitter_entity(splitter, g_array_index(splitter->running, int, i));

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

/*
 * What stands about the parts of multiparts is searched to so many times a message's
 * length in all; where that is over, nobody knows, and doubts it.
 */
#define SEARCHES 8

static gboolean
may_search(const struct splitter *splitter)
{
	return splitter->searched / SEARCHES <= splitter->length;
}

/* Notes what stands before a multipart's first delimiter, if it looks like a part. */
READING_CHECK static void
note_preamble(struct splitter *splitter, const struct entity *entity, gsize end)
{
	gsize begin = entity->body.begin;
	const char *text = splitter->bytes + begin;
	gsize length = MIN(end - MIN(begin, end), CAP_PARAMETER_BYTES);

	if (!length || splitter->out->doubts & DOUBT_PREAMBLE)
		return;
	splitter->searched += length;
	if (!may_search(splitter) || splitter_begins_content_field(splitter, begin) ||
	    memmem(text, length, "begin ", 6) || memmem(text, length, "\nContent-", 9))
		splitter_note_doubt(splitter, DOUBT_PREAMBLE, "part-in-preamble", begin);
}

/* Returns where a part begins after a closing delimiter, 0 when none does. */
static gsize
part_after_close(const struct splitter *splitter, gsize at)
{
	while (at < splitter->length && strchr("\r\n", splitter->bytes[at]) && splitter->bytes[at])
		at++;
	return splitter_begins_content_header(splitter, at) ? at : 0;
}

/* Whether a text after a closing delimiter has a file in it, as uuencode does. */
static gboolean
has_file(const struct splitter *splitter, gsize at)
{
	const char *text = splitter->bytes + at;
	gsize length = MIN(splitter->length - at, EMBEDDED_HEAD);

	return at < splitter->length && memmem(text, length, "begin ", 6) &&
	       embedded_begins(text, length);
}

/* Whether a multipart's delimiter stands again behind the closing one, or nobody knows. */
static gboolean
is_delimited_again(struct splitter *splitter, const struct boundary *boundary, gsize at)
{
	const char *begin = splitter->bytes + at, *end = splitter->bytes + splitter->length, *again;

	if (!boundary->size)
		return FALSE;
	if (!may_search(splitter))
		return TRUE;
	/* Without its dashes it may be a word of the epilogue, or the parameter of another message.
	 */
	while ((again = memmem(begin, (gsize)(end - begin), boundary->bytes, boundary->size)) !=
	       NULL) {
		if (again - splitter->bytes > 2 && again[-1] == '-' && again[-2] == '-')
			break;
		begin = again + 1;
	}
	splitter->searched += (gsize)((again ? again : end) - (splitter->bytes + at));
	return again != NULL;
}

READING_CHECK static void
note_epilogue(struct splitter *splitter, const struct boundary *boundary, gsize at)
{
	if (splitter->out->doubts & DOUBT_EPILOGUE)
		return;
	if (part_after_close(splitter, at) || has_file(splitter, at) ||
	    is_delimited_again(splitter, boundary, at))
		splitter_note_doubt(splitter, DOUBT_EPILOGUE, "part-in-epilogue", at);
}

/* Whether a boundary has blanks, which are allowed and at which some readers end it. */
static gboolean
has_blank_boundary(const struct entity *entity)
{
	const struct parameter *parameter = content_field_get(entity->type, "boundary", FALSE);
	const char *text;
	gsize length;

	if (!parameter)
		return FALSE;
	text = g_bytes_get_data(parameter->value, &length);
	return length && (memchr(text, ' ', length) || memchr(text, '\t', length));
}

/* Notes how a multipart ended. */
READING_CHECK static void
note_end(struct splitter *splitter, const struct entity *entity)
{
	if (entity->kind != ENTITY_MULTIPART || entity->children > 1)
		return;
	splitter->out->doubts |= DOUBT_ONE_PART;
	if (entity->children)
		return;
	splitter_note_doubt(splitter, DOUBT_NO_PARTS, "no-parts", entity->body.begin);
	if (has_blank_boundary(entity))
		splitter_note_doubt(splitter, DOUBT_BOUNDARY, "doubtful-boundary",
				    entity->fields[FIELD_CONTENT_TYPE].begin);
	if (part_after_close(splitter, entity->body.begin))
		splitter_note_doubt(splitter, DOUBT_PREAMBLE, "part-in-preamble",
				    entity->body.begin);
	note_form(splitter, entity);
}

/* Takes the multiparts off that a delimiter ends. */
static void
close_boundaries(struct splitter *splitter, struct delimiter delimiter, gboolean closes)
{
	guint stay = delimiter.level + (closes ? 0 : 1);

	if (splitter->boundaries->len > delimiter.level + 1)
		splitter_note_doubt(splitter, DOUBT_UNCLOSED, "unclosed-multipart",
				    delimiter.line.begin);
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

/* Returns where a header begins behind a delimiter: in its own line if a field stands there. */
static gsize
field_on_delimiter(const struct splitter *splitter, const struct boundary *boundary,
		   struct line line)
{
	gsize at = line.begin + 2 + boundary->size;

	return at < line.end && splitter_begins_content_field(splitter, at) ? at : line.next;
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

	splitter_note_line_end(splitter, delimiter.line.begin);
	splitter_note_line_end(splitter, next);
	if (break_bytes == 2 && delimiter.line.begin > 2 &&
	    splitter->bytes[delimiter.line.begin - 3] == '\r')
		splitter_note_doubt(splitter, DOUBT_CR_CR_LF, "cr-cr-lf", delimiter.line.begin);
	if (!splitter_entity(splitter, parent)->children)
		note_preamble(splitter, splitter_entity(splitter, parent), delimiter.line.begin);
	if (delimiter.closes)
		note_epilogue(splitter, boundary, next);
	else if (splitter->options->delimiter_prefix)
		next = field_on_delimiter(splitter, boundary, delimiter.line);
	end_entities(splitter, boundary->running, delimiter.line.begin - break_bytes, break_bytes);
	close_boundaries(splitter, delimiter, delimiter.closes && !ignored);
	if (ignored && !has_file(splitter, next))
		next = part_after_close(splitter, next);
	if (delimiter.closes && !(ignored && next))
		return delimiter.line.next;
	return open_entities(splitter, parent, ++splitter_entity(splitter, parent)->children, next);
}

/* Whether the innermost multipart that has no end has parts. */
static gboolean
has_open_part(struct splitter *splitter)
{
	const struct boundary *last;

	if (!splitter->boundaries->len)
		return FALSE;
	last = &g_array_index(splitter->boundaries, struct boundary, splitter->boundaries->len - 1);
	return splitter_entity(splitter, last->entity)->children > 0;
}

/* Ends what no delimiter ended.  at: behind the last one. */
static void
end_message(struct splitter *splitter, gsize at)
{
	gsize dashes = splitter->last_dashes;

	if (dashes > at && has_open_part(splitter)) {
		splitter_note_doubt(splitter, DOUBT_CLOSE, "misspelt-close", dashes);
		if (splitter->options->dashes_close)
			end_entities(splitter, 0, dashes - break_before(splitter, dashes),
				     break_before(splitter, dashes));
	}
	end_entities(splitter, 0, splitter->length, 0);
}

struct entities *
entities_split(const struct split_options *options, const void *bytes, gsize length,
	       guint base_depth, guint max_entities)
{
	static const struct split_options plain;
	struct splitter splitter = {
		.options = options ? options : &plain,
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
	while (splitter_find_delimiter(&splitter, at, &delimiter))
		at = take_delimiter(&splitter, delimiter);
	end_message(&splitter, at);
	for (guint i = 0; i < splitter.out->list->len; i++)
		note_end(&splitter, splitter_entity(&splitter, (int)i));
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
