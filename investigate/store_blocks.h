/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_blocks.h - the site's block list, as the collector keeps it.
 *
 * A block is a file that the gateways are to observe, hold, discard or reject,
 * with who wanted it, why, and until when.  It is known by what: a digest in
 * hexadecimal, or "crc32=…,size=…" for a candidate; one block a tenant and what.
 * Its keys are what the sensors look up (block_list.h): several for a file whose
 * line ends may have changed on the way.  Where blocks share a key the gravest
 * counts.  Every change of a key gets the next version of the list, and
 * store_block_changes() tells them from any version on.
 *
 * Part of the store (store.h): the same thread and transactions.
 */
#ifndef MAILTRACE_STORE_BLOCKS_H
#define MAILTRACE_STORE_BLOCKS_H

#include <glib.h>

#include "block_chunk.h"
#include "store.h"

/* A block; text is UTF-8 and may be NULL but for what. */
struct store_block {
	guint32 number; /* the store's to give */
	char *what;
	char *name; /* of the file, for people */
	enum block_mode mode;
	gint64 created_us; /* or changed last */
	gint64 expires_us; /* 0: never */
	gint64 ended_us;   /* removed or expired; 0: in force */
	char *actor;	   /* who added it, "uid=1000(name)" */
	char *case_id, *reason;
	guint64 hits; /* messages */
	gint64 last_hit_us;
};

/*
 * Adds a block, or changes mode, expiry, name and the reasons of the one in
 * force with its what.  Fills in number.  *ret_new: whether it was added.  To be
 * called in a transaction.
 */
gboolean store_block_add(struct store *store, const char *tenant, struct store_block *block,
			 const struct block_key *keys, gsize count, gboolean *ret_new,
			 GError **error);

/* Ends the block in force with this what.  *ret_removed: whether there was one.  In a transaction.
 */
gboolean store_block_remove(struct store *store, const char *tenant, const char *what,
			    gint64 now_us, gboolean *ret_removed, GError **error);

/*
 * Finds the block in force with this what: *ret_number 0 if there is none, else its
 * number and mode.
 */
gboolean store_block_find(struct store *store, const char *tenant, const char *what,
			  guint32 *ret_number, enum block_mode *ret_mode, GError **error);

/*
 * Ends all blocks whose time is up, at most max of them: their keys may be those of others that
 * go on.  *ret_count: how many.  A transaction of its own where there is anything to do.
 */
gboolean store_block_expire(struct store *store, gint64 now_us, guint max, guint *ret_count,
			    GError **error);

/* Called for each block; FALSE stops.  block: borrowed. */
typedef gboolean (*store_block_fn)(const struct store_block *block, void *data);

/* Walks over a tenant's blocks in order of their numbers; ended: also those that are over. */
gboolean store_block_each(struct store *store, const char *tenant, gboolean ended,
			  store_block_fn each, void *data, GError **error);

/* Tells the list's id and newest version. */
gboolean store_block_state(struct store *store, struct block_state *ret_state, GError **error);

/*
 * Fills a chunk, initialised, with a tenant's changes behind a version, at most
 * BLOCK_CHUNK_ENTRIES; 0 begins anew.
 */
gboolean store_block_changes(struct store *store, const char *tenant, guint64 version,
			     struct block_chunk *ret_chunk, GError **error);

/*
 * Gives the list a new id: a sensor has a version that this store never gave
 * out, so it was put back from a copy.  A transaction of its own.
 */
gboolean store_block_renew(struct store *store, GError **error);
#endif
