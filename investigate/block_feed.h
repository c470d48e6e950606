/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_feed.h - has every connected sensor know the block list.
 *
 * A sensor says how far its copy has come (HAVE), and gets one chunk after the
 * other until it has the newest version; each HAVE is the acknowledgement of
 * the chunk before.  So a change reaches all in one round trip, and a sensor
 * that comes back is caught up.  Knows who has what, no SQL and no socket.
 * The collector's thread.
 */
#ifndef MAILTRACE_BLOCK_FEED_H
#define MAILTRACE_BLOCK_FEED_H

#include <glib.h>

#include "bus.h"
#include "store_blocks.h"

#define BLOCK_FEED_PATIENCE_MS 10000 /* for a HAVE; then the chunk is sent again */

struct block_feed;

/* Sends a chunk to a connection; data is block_feed_new()'s. */
typedef void (*block_feed_send_fn)(void *data, GBytes *peer, const char *epoch, GBytes *chunk);

/* Returns a feed of a store's list.  store: borrowed.  Free with block_feed_free(). */
struct block_feed *block_feed_new(struct store *store, block_feed_send_fn send, void *data);

/* A sensor said HAVE on this connection; state: its bytes, hostile.  FALSE with a STORE_ERROR. */
gboolean block_feed_have(struct block_feed *feed, const struct bus_collector_news *news,
			 GError **error);

/* The list has changed: tells all sensors that wait for nothing.  FALSE with a STORE_ERROR. */
gboolean block_feed_changed(struct block_feed *feed, GError **error);

/*
 * To be called about once a second: ends blocks whose time is up, sends again
 * what was not answered.  FALSE with a STORE_ERROR.
 */
gboolean block_feed_tick(struct block_feed *feed, GError **error);

/* Which version a sensor has. */
struct block_feed_sensor {
	const char *sensor; /* borrowed from the feed until it is called again */
	gboolean current;   /* it has this version of the list, or a later one */
};

/*
 * Tells which sensors of a tenant have version in force: those that take block
 * lists and have spoken since the collector started, and expected ones
 * (NULL-terminated) that have not.  Returns an array of struct block_feed_sensor.
 */
GArray *block_feed_sensors(struct block_feed *feed, const char *tenant, guint64 version,
			   const char *const *expected);

/* Frees a feed.  NULL is allowed. */
void block_feed_free(struct block_feed *feed);
#endif
