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

/* Something that the collector tells, and the program keeps. */
struct publisher_topic {
	const char *name;
	/*
	 * Called by the thread; data is the source's.  bytes, borrowed, as they
	 * came; or NULL on each new connection.  Returns how far it has come
	 * now, to be told to the collector; the caller unrefs it.
	 */
	GBytes *(*told)(void *data, GBytes *bytes);
};

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
	/* What is kept of what the collector tells; static, ends with a NULL name, or NULL. */
	const struct publisher_topic *topics;
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
