/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - what all sessions of the milter process share.
 *
 * Holds the current settings (swapped at a reload), the scanner's client, the
 * spool, the site's key, the counters and the cap on bytes in flight.  Any
 * thread.
 */
#ifndef MAILTRACE_ENGINE_H
#define MAILTRACE_ENGINE_H

#include <glib.h>

#include "block_list.h"
#include "keys.h"
#include "scanner_client.h"
#include "settings.h"
#include "spool.h"

struct engine;

#define ENGINE_FILE_FACTOR 4 /* temporary files may hold this times the cap on memory */

/* Counters since the start; see engine_counters_json() for their names. */
enum engine_counter {
	COUNT_CONNECTIONS,
	COUNT_REFUSED_CONNECTIONS, /* above max_connections */
	COUNT_EXEMPT,
	COUNT_SEEN,		/* messages that reached their end */
	COUNT_RECORDED,		/* in the spool */
	COUNT_UNRECORDED,	/* accepted without a record */
	COUNT_UNREAD,		/* recorded, files not read */
	COUNT_UNREAD_FAILED,	/* of them: no worker could */
	COUNT_UNREAD_NO_ROOM,	/* their bytes were not kept */
	COUNT_UNREAD_TOO_LARGE, /* above the cap on a message */
	COUNT_TEMPFAIL,
	COUNT_HELD,
	COUNT_REJECTED,
	COUNT_DISCARDED,
	COUNT_BLOCKED, /* messages with a file of the block list, whatever became of them */
	COUNT_ABORTED,
	COUNT_SPILLED, /* messages kept in temporary files */
	ENGINE_COUNTERS,
};

/*
 * Makes an engine.  settings: a reference is taken.  spool, scanner: borrowed,
 * outlive it.  Reads the site's key.  Returns NULL with a KEYS_ERROR.
 */
struct engine *engine_new(struct settings *settings, struct spool *spool,
			  struct scanner_client *scanner, GError **error);

/* Swaps the settings; sessions under way keep theirs.  FALSE (old ones kept) if a key cannot be
 * read. */
gboolean engine_set_settings(struct engine *engine, struct settings *settings, GError **error);

/* Returns the current settings with a reference of the caller's. */
struct settings *engine_settings(struct engine *engine);

/* Returns the spool, borrowed. */
struct spool *engine_spool(struct engine *engine);

/* Returns the scanner's client, borrowed. */
struct scanner_client *engine_scanner(struct engine *engine);

struct later;

/* Sets what opens archives later, before the first session.  Borrowed. */
void engine_set_later(struct engine *engine, struct later *later);

/* Returns it, borrowed, or NULL. */
struct later *engine_later(struct engine *engine);

/* Sets the block list, before the first session.  Borrowed, outlives the engine. */
void engine_set_block_list(struct engine *engine, struct block_list *list);

/* Returns the block list, borrowed, or NULL if there is none. */
struct block_list *engine_block_list(struct engine *engine);

/* Copies the site's key into ret_key; FALSE if the site has none. */
gboolean engine_site_key(struct engine *engine, guint8 ret_key[SITE_KEY_BYTES]);

/* Takes one connection's place; FALSE when max are taken. */
gboolean engine_enter(struct engine *engine, guint max);

/* Gives the place back. */
void engine_leave(struct engine *engine);

/*
 * Asks for bytes of memory for messages in flight.  Returns FALSE when cap
 * would be passed; the caller then spills to a file (engine_take_file_bytes()).
 */
gboolean engine_take_bytes(struct engine *engine, guint64 bytes, guint64 cap);

/* Gives them back. */
void engine_give_bytes(struct engine *engine, guint64 bytes);

/*
 * Asks for bytes of temporary files.  Returns FALSE when ENGINE_FILE_FACTOR
 * times cap would be passed: there is no room for the message.
 */
gboolean engine_take_file_bytes(struct engine *engine, guint64 bytes, guint64 cap);

/* Gives them back. */
void engine_give_file_bytes(struct engine *engine, guint64 bytes);

/* Returns the cap on bytes in flight that the settings mean: 0 there is a quarter of the memory. */
guint64 engine_in_flight_cap(const struct settings *settings);

/* Returns how many connections have entered and not left. */
guint engine_connections(struct engine *engine);

#define ENGINE_LATENCY_BOUNDS 14
/* Upper bounds of the buckets that latencies are counted in, in seconds. */
extern const double engine_latency_bounds[ENGINE_LATENCY_BOUNDS];

/* Counts how long a message waited for its verdict. */
void engine_note_latency(struct engine *engine, gint64 latency_us);

/* Tells how many fell into each bucket, the last for what is above, and their sum in seconds. */
void engine_latency(struct engine *engine, guint64 ret_counts[ENGINE_LATENCY_BOUNDS + 1],
		    double *ret_sum_s);

/* Adds to a counter. */
void engine_count(struct engine *engine, enum engine_counter counter, guint64 n);

/* Returns a counter's value. */
guint64 engine_counted(struct engine *engine, enum engine_counter counter);

/*
 * Begins the end of a message: returns its receive time, microseconds UTC.  Until
 * engine_end_message() is given the same time, nothing received since is settled.
 */
gint64 engine_begin_message(struct engine *engine);

/* The message with this receive time is in the spool, or will never be. */
void engine_end_message(struct engine *engine, gint64 received_at_us);

/*
 * Returns the time, microseconds UTC, before which every message received has
 * ended: what is in the spool after this call is all there is of the time before.
 * Said with each heartbeat, it is the sensor's part of "complete until".
 */
gint64 engine_settled_us(struct engine *engine);

/* Returns the counters as a JSON object, for heartbeats.  Free with g_free(). */
char *engine_counters_json(struct engine *engine);

/* Frees the engine.  NULL is allowed. */
void engine_free(struct engine *engine);
#endif
