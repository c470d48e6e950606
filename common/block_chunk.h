/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_chunk.h - changes of the block list as bytes: on the bus and in the
 * sensor's file.
 *
 * The site's list has an id, made with the store, and a version, which each
 * change raises by one.  A chunk leads a sensor's copy from one version to a
 * later one.  Its form, numbers big-endian (mailtrace-event(7)):
 *
 *   list id 16, from 8, to 8, flags 4, count 4; then count entries of
 *   kind 1, mode 1, flags 1 (bit 0: removed), 0, number 4, expiry 8, key 16
 *
 * Expiry is seconds since 1970 UTC, 0 for never.  Pure; any thread.  What is
 * parsed is hostile: a peer's whose key is known, or a file's.
 */
#ifndef MAILTRACE_BLOCK_CHUNK_H
#define MAILTRACE_BLOCK_CHUNK_H

#include <glib.h>

#include "block_list.h"

#define BLOCK_LIST_ID_BYTES 16
#define BLOCK_CHUNK_ENTRIES 2000 /* at most; its chunk stays below 64 KiB */
#define BLOCK_STATE_BYTES (BLOCK_LIST_ID_BYTES + 8)
#define BLOCK_TOPIC "blocks" /* of TELL and HAVE, on the bus */

/* Which version of which list a copy has; all zero: nothing yet. */
struct block_state {
	guint8 list[BLOCK_LIST_ID_BYTES];
	guint64 version;
};

/* Changes. */
struct block_chunk {
	guint8 list[BLOCK_LIST_ID_BYTES];
	guint64 from, to; /* versions; from 0 begins the copy anew */
	gboolean last;	  /* version to is the newest there is */
	GArray *entries;  /* of struct block_entry, in order of their changes */
};

/* Returns an empty chunk.  Clear with block_chunk_clear(). */
void block_chunk_init(struct block_chunk *chunk);

/* Writes a chunk of at most BLOCK_CHUNK_ENTRIES entries. */
GBytes *block_chunk_format(const struct block_chunk *chunk);

/*
 * Reads a chunk: length bytes and no more.  Returns NULL and fills *ret_chunk, or
 * says what is wrong (static text) and leaves it alone.
 */
const char *block_chunk_parse(const void *bytes, gsize length, struct block_chunk *ret_chunk);

/* Frees what a chunk owns. */
void block_chunk_clear(struct block_chunk *chunk);

/* Writes a state as HAVE carries it. */
GBytes *block_state_format(const struct block_state *state);

/* Reads a state; FALSE, with *ret_state untouched, if it is none. */
gboolean block_state_parse(const void *bytes, gsize length, struct block_state *ret_state);

/* Returns TRUE if a chunk begins where this state ends, or begins anew. */
gboolean block_state_takes(const struct block_state *state, const struct block_chunk *chunk);
#endif
