/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "block_chunk.h"

#define SECOND ((gint64)G_USEC_PER_SEC)

static struct block_entry
entry_of(guint n)
{
	struct block_entry entry = {
		.key.kind = (enum block_kind)(n % BLOCK_KINDS),
		.mode = n % BLOCK_KINDS == BLOCK_CANDIDATE ? BLOCK_HOLD
							   : (enum block_mode)(n % BLOCK_MODES),
		.removed = n % 5 == 0,
		.number = n * 1000003u,
		.expires_us = n % 7 == 0 ? 0 : (gint64)n * SECOND,
	};

	memset(entry.key.bytes, (int)n, BLOCK_KEY_BYTES);
	return entry;
}

/* Returns the bytes of a chunk of so many entries. */
static GBytes *
chunk_of(guint entries, guint64 from, guint64 to)
{
	struct block_chunk chunk;
	GBytes *bytes;

	block_chunk_init(&chunk);
	memset(chunk.list, 0xab, BLOCK_LIST_ID_BYTES);
	chunk.from = from;
	chunk.to = to;
	chunk.last = TRUE;
	for (guint i = 0; i < entries; i++) {
		struct block_entry entry = entry_of(i);

		g_array_append_val(chunk.entries, entry);
	}
	bytes = block_chunk_format(&chunk);
	block_chunk_clear(&chunk);
	return bytes;
}

static const char *
parse(const void *bytes, gsize length)
{
	struct block_chunk chunk = {.from = 99};
	const char *fault = block_chunk_parse(bytes, length, &chunk);

	if (fault)
		cr_assert_eq(chunk.from, 99, "untouched");
	else
		block_chunk_clear(&chunk);
	return fault;
}

Test(block_chunk, comes_back_as_it_was_up_to_its_cap)
{
	static const guint counts[] = {0, 1, BLOCK_CHUNK_ENTRIES - 1, BLOCK_CHUNK_ENTRIES};

	for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autoptr(GBytes) bytes = chunk_of(counts[i], 7, 5000);
		struct block_chunk chunk;
		const char *fault = block_chunk_parse(g_bytes_get_data(bytes, NULL),
						      g_bytes_get_size(bytes), &chunk);

		cr_assert_null(fault, "%s", fault);
		cr_assert_lt(g_bytes_get_size(bytes), 65536);
		cr_assert_eq(chunk.from, 7);
		cr_assert_eq(chunk.to, 5000);
		cr_assert(chunk.last);
		cr_assert_eq(chunk.list[0], 0xab);
		cr_assert_eq(chunk.entries->len, counts[i]);
		for (guint n = 0; n < counts[i]; n++) {
			struct block_entry wanted = entry_of(n);
			const struct block_entry *got =
				&g_array_index(chunk.entries, struct block_entry, n);

			cr_assert_eq(got->key.kind, wanted.key.kind);
			cr_assert_eq(got->mode, wanted.mode);
			cr_assert_eq(got->removed, wanted.removed);
			cr_assert_eq(got->number, wanted.number);
			cr_assert_eq(got->expires_us, wanted.expires_us);
			cr_assert_arr_eq(got->key.bytes, wanted.key.bytes, BLOCK_KEY_BYTES);
		}
		block_chunk_clear(&chunk);
	}
}

Test(block_chunk, every_cut_and_every_addition_is_refused)
{
	g_autoptr(GBytes) bytes = chunk_of(3, 0, 3);
	gsize length = g_bytes_get_size(bytes);
	g_autofree guint8 *copy = g_malloc0(length + 32);

	memcpy(copy, g_bytes_get_data(bytes, NULL), length);
	for (gsize cut = 0; cut < length; cut++)
		cr_assert_not_null(parse(copy, cut), "%zu", cut);
	cr_assert_null(parse(copy, length));
	cr_assert_not_null(parse(copy, length + 1));
	cr_assert_not_null(parse(copy, length + 32));
}

/* The count at the end of the head, and the first entry behind it. */
#define COUNT_AT 36
#define ENTRY_AT 40

static const char *
parse_changed(gsize offset, guint8 value)
{
	g_autoptr(GBytes) bytes = chunk_of(1, 1, 2);
	gsize length = g_bytes_get_size(bytes);
	g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), length);

	copy[offset] = value;
	return parse(copy, length);
}

Test(block_chunk, values_that_are_none_are_refused)
{
	cr_assert_not_null(parse_changed(COUNT_AT + 3, 2), "count");
	cr_assert_not_null(parse_changed(COUNT_AT, 0xff), "a count of four thousand million");
	cr_assert_not_null(parse_changed(ENTRY_AT, BLOCK_KINDS), "kind");
	cr_assert_not_null(parse_changed(ENTRY_AT + 1, BLOCK_MODES), "mode");
	cr_assert_not_null(parse_changed(ENTRY_AT + 8, 0xff), "expiry beyond the calendar");
	cr_assert_not_null(parse_changed(16, 0xff), "from above to");
}

/* CRC-32 and size can be made to agree with any file's. */
Test(block_chunk, candidates_that_reject_are_refused)
{
	g_autoptr(GBytes) bytes = chunk_of(1, 1, 2);
	gsize length = g_bytes_get_size(bytes);
	g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), length);

	copy[ENTRY_AT] = BLOCK_CANDIDATE;
	copy[ENTRY_AT + 1] = BLOCK_HOLD;
	cr_assert_null(parse(copy, length));
	copy[ENTRY_AT + 1] = BLOCK_DISCARD;
	cr_assert_not_null(parse(copy, length));
	copy[ENTRY_AT + 1] = BLOCK_REJECT;
	cr_assert_not_null(parse(copy, length));
}

Test(block_chunk, state_comes_back_as_it_was)
{
	struct block_state state = {.version = G_MAXINT64}, again = {{0}};
	g_autoptr(GBytes) bytes = NULL;

	memset(state.list, 0x5a, sizeof(state.list));
	bytes = block_state_format(&state);
	cr_assert_eq(g_bytes_get_size(bytes), BLOCK_STATE_BYTES);
	cr_assert(block_state_parse(g_bytes_get_data(bytes, NULL), BLOCK_STATE_BYTES, &again));
	cr_assert_arr_eq(again.list, state.list, sizeof(state.list));
	cr_assert_eq(again.version, state.version);
	cr_assert_not(
		block_state_parse(g_bytes_get_data(bytes, NULL), BLOCK_STATE_BYTES - 1, &again));
}

Test(block_chunk, state_takes_what_follows_it_or_begins_anew)
{
	struct block_state state = {.version = 10};
	struct block_chunk chunk;

	block_chunk_init(&chunk);
	chunk.from = 10;
	cr_assert(block_state_takes(&state, &chunk));
	chunk.from = 9;
	cr_assert_not(block_state_takes(&state, &chunk), "was taken already");
	chunk.from = 11;
	cr_assert_not(block_state_takes(&state, &chunk), "leaves a hole");
	chunk.from = 0;
	cr_assert(block_state_takes(&state, &chunk));
	chunk.from = 10;
	chunk.list[3] = 1;
	cr_assert_not(block_state_takes(&state, &chunk), "of another list");
	block_chunk_clear(&chunk);
}
