/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_chunk.h"

#include <string.h>

#define HEAD_BYTES (BLOCK_LIST_ID_BYTES + 8 + 8 + 4 + 4)
#define ENTRY_BYTES (4 + 4 + 8 + BLOCK_KEY_BYTES)
#define FLAG_LAST 1u
#define ENTRY_REMOVED 1u

void
block_chunk_init(struct block_chunk *chunk)
{
	*chunk = (struct block_chunk){.entries =
					      g_array_new(FALSE, TRUE, sizeof(struct block_entry))};
}

void
block_chunk_clear(struct block_chunk *chunk)
{
	g_clear_pointer(&chunk->entries, g_array_unref);
}

static void
write_number(GByteArray *bytes, guint64 number, guint width)
{
	guint64 big = GUINT64_TO_BE(number);

	g_byte_array_append(bytes, (const guint8 *)&big + sizeof(big) - width, width);
}

static guint64
read_number(const guint8 *bytes, guint width)
{
	guint64 number = 0;

	for (guint i = 0; i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void
write_entry(GByteArray *bytes, const struct block_entry *entry)
{
	write_number(bytes, (guint64)entry->key.kind, 1);
	write_number(bytes, (guint64)entry->mode, 1);
	write_number(bytes, entry->removed ? ENTRY_REMOVED : 0, 1);
	write_number(bytes, 0, 1);
	write_number(bytes, entry->number, 4);
	write_number(bytes, (guint64)((entry->expires_us + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC),
		     8);
	g_byte_array_append(bytes, entry->key.bytes, BLOCK_KEY_BYTES);
}

GBytes *
block_chunk_format(const struct block_chunk *chunk)
{
	GByteArray *bytes =
		g_byte_array_sized_new((guint)(HEAD_BYTES + ENTRY_BYTES * chunk->entries->len));

	g_assert(chunk->entries->len <= BLOCK_CHUNK_ENTRIES);
	g_byte_array_append(bytes, chunk->list, BLOCK_LIST_ID_BYTES);
	write_number(bytes, chunk->from, 8);
	write_number(bytes, chunk->to, 8);
	write_number(bytes, chunk->last ? FLAG_LAST : 0, 4);
	write_number(bytes, chunk->entries->len, 4);
	for (guint i = 0; i < chunk->entries->len; i++)
		write_entry(bytes, &g_array_index(chunk->entries, struct block_entry, i));
	return g_byte_array_free_to_bytes(bytes);
}

/* Candidates may only observe or hold: CRC-32 and size can be made to agree. */
static gboolean
read_entry(const guint8 *bytes, struct block_entry *ret_entry)
{
	guint64 seconds = read_number(bytes + 8, 8);

	if (bytes[0] >= BLOCK_KINDS || bytes[1] >= BLOCK_MODES ||
	    seconds > (guint64)(G_MAXINT64 / G_USEC_PER_SEC))
		return FALSE;
	if (bytes[0] == BLOCK_CANDIDATE && bytes[1] > BLOCK_HOLD)
		return FALSE;
	*ret_entry = (struct block_entry){
		.key.kind = (enum block_kind)bytes[0],
		.mode = (enum block_mode)bytes[1],
		.removed = (bytes[2] & ENTRY_REMOVED) != 0,
		.number = (guint32)read_number(bytes + 4, 4),
		.expires_us = (gint64)seconds * G_USEC_PER_SEC,
	};
	memcpy(ret_entry->key.bytes, bytes + 16, BLOCK_KEY_BYTES);
	return TRUE;
}

static const char *
read_entries(const guint8 *bytes, gsize count, struct block_chunk *chunk)
{
	for (gsize i = 0; i < count; i++) {
		struct block_entry entry;

		if (!read_entry(bytes + i * ENTRY_BYTES, &entry))
			return "an entry has a value that is none";
		g_array_append_val(chunk->entries, entry);
	}
	return NULL;
}

const char *
block_chunk_parse(const void *bytes, gsize length, struct block_chunk *ret_chunk)
{
	const guint8 *at = bytes;
	struct block_chunk chunk;
	const char *fault;
	guint64 count;

	if (length < HEAD_BYTES)
		return "shorter than its head";
	count = read_number(at + HEAD_BYTES - 4, 4);
	if (count > BLOCK_CHUNK_ENTRIES || length != HEAD_BYTES + count * ENTRY_BYTES)
		return "count is not the number of entries";
	block_chunk_init(&chunk);
	memcpy(chunk.list, at, BLOCK_LIST_ID_BYTES);
	chunk.from = read_number(at + BLOCK_LIST_ID_BYTES, 8);
	chunk.to = read_number(at + BLOCK_LIST_ID_BYTES + 8, 8);
	chunk.last = (read_number(at + BLOCK_LIST_ID_BYTES + 16, 4) & FLAG_LAST) != 0;
	fault = chunk.from > chunk.to || chunk.to > G_MAXINT64
			? "versions do not rise"
			: read_entries(at + HEAD_BYTES, (gsize)count, &chunk);
	if (fault)
		block_chunk_clear(&chunk);
	else
		*ret_chunk = chunk;
	return fault;
}

GBytes *
block_state_format(const struct block_state *state)
{
	GByteArray *bytes = g_byte_array_sized_new(BLOCK_STATE_BYTES);

	g_byte_array_append(bytes, state->list, BLOCK_LIST_ID_BYTES);
	write_number(bytes, state->version, 8);
	return g_byte_array_free_to_bytes(bytes);
}

gboolean
block_state_parse(const void *bytes, gsize length, struct block_state *ret_state)
{
	const guint8 *at = bytes;
	guint64 version;

	if (length != BLOCK_STATE_BYTES)
		return FALSE;
	version = read_number(at + BLOCK_LIST_ID_BYTES, 8);
	if (version > G_MAXINT64)
		return FALSE;
	memcpy(ret_state->list, at, BLOCK_LIST_ID_BYTES);
	ret_state->version = version;
	return TRUE;
}

gboolean
block_state_takes(const struct block_state *state, const struct block_chunk *chunk)
{
	return chunk->from == 0 || (chunk->from == state->version &&
				    memcmp(chunk->list, state->list, BLOCK_LIST_ID_BYTES) == 0);
}
