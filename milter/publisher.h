/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publisher.h - the thread that carries the spool's entries to the collector.
 *
 * Sole user of the sensor's end of the bus and of the spool's reading verbs.
 * Sends batches with a window, removes what is acknowledged, makes the
 * connection anew after BUS_ACK_DEADLINE_MS without an answer, and sends a
 * BEAT every BUS_HEARTBEAT_MS with the program's counters and the spool's fill.
 * An entry that is damaged at rest is sent as an empty event, so that the
 * collector notes it, and then put among the dead letters.  Logs for the
 * program: the connection, refusals, damage, and 50 and 80 % of the spool.
 */
#ifndef MAILTRACE_PUBLISHER_H
#define MAILTRACE_PUBLISHER_H

#include <glib.h>

#include "spool.h"

struct publisher;

/* Whose entries are carried, and where to.  Texts are copied; the rest outlives the publisher. */
struct publisher_source {
	const char *collector;		  /* endpoint; "" for none */
	const char *sensor_key;		  /* file of the secret key */
	const char *collector_public_key; /* file */
	struct spool *spool;
	/*
	 * Called by the thread.  counters: a JSON object, for g_free().
	 * settled_us: the time, UTC, before which all there was is in the
	 * spool; 0 if that is not known.
	 */
	char *(*counters)(void *data);
	gint64 (*settled_us)(void *data);
	/*
	 * Keeps what the collector tells; NULL for a program that keeps nothing.
	 * Called by the thread: bytes, borrowed, as they came; or NULL on each
	 * new connection.  Returns how far it has come now, to be told to the
	 * collector; the caller unrefs it.
	 */
	GBytes *(*told)(void *data, GBytes *bytes);
	const char *topic; /* what is kept; static; NULL like told */
	void *data;
};

/*
 * Starts the thread.  Reads the keys; with collector "" there is nobody to send
 * to and NULL is returned without an error.  Returns NULL with an error if a key
 * cannot be read.
 */
struct publisher *publisher_start(const struct publisher_source *source, GError **error);

/* Stops after at most drain_ms of sending what is left, and frees.  NULL is allowed. */
void publisher_stop(struct publisher *publisher, guint drain_ms);
#endif
