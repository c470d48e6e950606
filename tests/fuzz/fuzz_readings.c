/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message of any bytes, split by a reading or by two joined, keeps what entity.h and
 * readings.h promise.  The first two bytes choose the rows of the table; the same row
 * twice is that row alone.
 */
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "readings.h"

#define MAX_ENTITIES 200 /* small, so that it is met */

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void
need(gboolean promise)
{
	if (!promise)
		abort();
}

/* Chooses the reading; where two rows exclude each other, the first of them. */
static struct reading
choose(const guint8 *data, char *name)
{
	gsize count;
	const struct reading *table = readings_table(&count);
	const struct reading *first = &table[data[0] % count], *second = &table[data[1] % count];
	struct reading joined = *first;

	if (first != second && readings_join(first, second, name, &joined))
		need(joined.name && strlen(joined.name) < READING_NAME_BYTES);
	return joined;
}

static void
need_carriage_lines(const GByteArray *lines, const char *message, gsize size)
{
	gsize carriages = 0;

	for (guint i = 0; i < lines->len; i++) {
		if (lines->data[i] != '\r')
			continue;
		carriages++;
		need(i + 1 < lines->len && lines->data[i + 1] == '\n');
	}
	for (gsize i = 0; i < size; i++)
		carriages -= message[i] == '\r';
	need(carriages == 0 && lines->len >= size && lines->len <= 2 * size);
}

static void
need_span(const struct span *span, gsize size)
{
	need(span->begin <= size && span->length <= size - span->begin);
}

static void
need_entity(const struct entities *entities, guint index, gsize size)
{
	const struct entity *entity = &g_array_index(entities->list, struct entity, index);
	const struct entity *parent;

	need(entity->type && entity->depth <= CAP_NESTING && entity->break_bytes <= 2);
	need_span(&entity->body, size);
	for (guint i = 0; i < ENTITY_FIELD_KINDS; i++)
		need_span(&entity->fields[i], size);
	need(entity->parent < (int)index && (index == 0) == (entity->parent < 0));
	if (index == 0)
		return;
	parent = &g_array_index(entities->list, struct entity, (guint)entity->parent);
	need(parent->kind != ENTITY_LEAF && entity->depth == parent->depth + 1);
	/* What is empty may stand before the line break that a delimiter takes from a header. */
	need(entity->body.length == 0 || parent->body.begin <= entity->body.begin);
}

static void
need_entities(const struct entities *entities, gsize size)
{
	need(entities->list->len >= 1 && entities->list->len <= MAX_ENTITIES);
	for (guint i = 0; i < entities->list->len; i++)
		need_entity(entities, i, size);
	need(entities->departures->len <= CAP_ANOMALIES);
	for (guint i = 0; i < entities->departures->len; i++)
		need(g_array_index(entities->departures, struct departure, i).offset <= size);
	need(entities->fields->len <= CAP_FIELDS);
	for (guint i = 0; i < entities->fields->len; i++)
		need_span(&g_array_index(entities->fields, struct field, i).value, size);
}

/* A record of the contents as they stand, undecoded. */
static struct record *
record_of(const struct entities *entities, const char *message)
{
	struct record *record = record_new();

	for (guint i = 0; i < entities->list->len; i++) {
		const struct entity *entity = &g_array_index(entities->list, struct entity, i);
		g_autofree char *path = g_strdup_printf("%u", i + 1);
		struct file *file = record_add_file(record, path, entity->parent);

		file->size = entity->body.length;
		if (entity->kind != ENTITY_LEAF)
			file->flags |= FILE_MULTIPART;
		else
			digests_of(message + entity->body.begin, entity->body.length,
				   &file->digests);
	}
	return record;
}

/* The union has each content of the other reading once, and names it. */
static void
need_union(const struct record *record, guint before, const char *name)
{
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);

	need(record->files->len <= before + CAP_READING_OBJECTS);
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		need(file->parent < (int)i && g_hash_table_add(paths, file->path));
		need((file->readings->len > 0) == (i >= before));
		if (i < before)
			continue;
		need(strcmp(file->readings->pdata[0], name) == 0 && file->size > 0);
		for (guint j = 0; j < i; j++) {
			const struct file *other = g_ptr_array_index(record->files, j);

			need(memcmp(other->digests.sha256, file->digests.sha256, SHA256_BYTES) !=
			     0);
		}
	}
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	const char *message = (const char *)data + 2;
	char name[READING_NAME_BYTES];
	g_autoptr(entities_t) plain = NULL, other = NULL;
	g_autoptr(record_t) record = NULL, shown = NULL;
	g_autoptr(GByteArray) lines = NULL;
	struct reading reading;
	guint before;

	if (size < 2)
		return 0;
	size -= 2;
	reading = choose(data, name);
	plain = entities_split(NULL, message, size, 0, MAX_ENTITIES);
	need_entities(plain, size);
	record = record_of(plain, message);
	if (reading.carriage_lines) {
		lines = readings_carriage_lines(message, size);
		need_carriage_lines(lines, message, size);
		message = (const char *)lines->data;
		size = lines->len;
	}
	other = entities_split(&reading.options, message, size, 0, MAX_ENTITIES);
	need_entities(other, size);
	shown = record_of(other, message);
	before = record->files->len;
	readings_merge(record, shown, -1, reading.name);
	need_union(record, before, reading.name);
	return 0;
}
