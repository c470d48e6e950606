/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anchor_feed.h - has where the journal stands kept elsewhere.
 *
 * Once a minute, if the journal has grown, its head is signed and becomes an
 * anchor (anchor.h), which the store keeps, the program logs, and every connected
 * sensor gets; a sensor's HAVE is the last that it keeps, and acknowledges.  A
 * sensor that comes back gets the newest.  Knows no socket.  The collector's
 * thread.
 */
#ifndef MAILTRACE_ANCHOR_FEED_H
#define MAILTRACE_ANCHOR_FEED_H

#include <glib.h>

#include "anchor.h"
#include "bus.h"
#include "store.h"

#define ANCHOR_FEED_PACE_US (60 * G_USEC_PER_SEC)
#define ANCHOR_FEED_PATIENCE_US (10 * G_USEC_PER_SEC) /* for a HAVE; then it is sent again */

struct anchor_feed;

/* Sends an anchor to a connection; data is anchor_feed_new()'s. */
typedef void (*anchor_feed_send_fn)(void *data, GBytes *peer, const char *epoch, GBytes *anchor);

/*
 * Returns a feed of a store's journal.  store: borrowed.  key: owned from here
 * on; NULL: anchors are not signed.  Free with anchor_feed_free().
 */
struct anchor_feed *anchor_feed_new(struct store *store, struct signing_key *key,
				    anchor_feed_send_fn send, void *data);

/* A sensor said HAVE on this connection; state: its bytes, hostile.  now_us: monotonic. */
void anchor_feed_have(struct anchor_feed *feed, const struct bus_collector_news *news,
		      gint64 now_us);

/*
 * To be called about once a second, and with force at the end: makes a new
 * anchor when a minute has passed (or at once, with force) and the journal has
 * grown, and sends what was not answered.  now_us: monotonic.  *ret_new: whether
 * there is a new one.  FALSE with a STORE_ERROR.
 */
gboolean anchor_feed_tick(struct anchor_feed *feed, gint64 now_us, gboolean force,
			  gboolean *ret_new, GError **error);

/* Returns the newest anchor, borrowed until the next tick; "" if there is none yet. */
const char *anchor_feed_last(const struct anchor_feed *feed);

/* Tells how many sensors keep anchors, and how many of them kept the one before the newest. */
void anchor_feed_kept(const struct anchor_feed *feed, guint *ret_sensors, guint *ret_kept);

/* Frees a feed.  NULL is allowed. */
void anchor_feed_free(struct anchor_feed *feed);
#endif
