/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_frames.h - the messages of the bus as frames, and back.
 *
 * The wire format of bus.h and mailtrace-event(7) in one place.  Pure
 * functions over byte strings: no socket, no library but GLib, any thread.
 * What is parsed comes from the network and is hostile, though from a peer
 * whose key is known.
 */
#ifndef MAILTRACE_BUS_FRAMES_H
#define MAILTRACE_BUS_FRAMES_H

#include <glib.h>

#include "caps.h"

#define BUS_EPOCH_LENGTH 36	/* a UUID in text */
#define BUS_REASON_BYTES 255	/* of REFUSE; longer ones are cut */
#define BUS_COUNTERS_BYTES 4096 /* of BEAT */
#define BUS_TOPIC_BYTES 32	/* of TELL and HAVE: lower-case letters */
#define BUS_TELL_BYTES 65536	/* of what TELL carries */
#define BUS_STATE_BYTES 256	/* of what HAVE carries */
#define BUS_HEAD_FRAMES 5	/* of a BATCH, before its events */
#define BUS_MAX_FRAMES (BUS_HEAD_FRAMES + CAP_BATCH_EVENTS)

enum bus_kind {
	BUS_KIND_HELLO,
	BUS_KIND_BATCH,
	BUS_KIND_BEAT,
	BUS_KIND_WELCOME,
	BUS_KIND_ACK,
	BUS_KIND_REFUSE,
	BUS_KIND_TELL,
	BUS_KIND_HAVE,
};

/* A message; which fields hold depends on its kind. */
struct bus_message {
	enum bus_kind kind;
	char epoch[BUS_EPOCH_LENGTH + 1]; /* lower case */
	guint64 n;	   /* first of BATCH, last of BEAT, through, or n of REFUSE */
	GPtrArray *events; /* of BATCH, of GBytes, 1 to CAP_BATCH_EVENTS; sizes are not checked */
	char *text;	   /* counters of BEAT, reason of REFUSE; UTF-8; topic of TELL and HAVE */
	GBytes *payload;   /* of TELL and HAVE; any bytes */
};

/*
 * Reads a message.  frames: of GBytes, as they came, without a routing id.
 * Returns NULL and fills ret_message, to be cleared with bus_message_clear();
 * or says what is wrong with it (static text) and leaves ret_message alone.
 */
const char *bus_message_parse(const GPtrArray *frames, struct bus_message *ret_message);

/*
 * Writes a message.  Events are referenced, not copied; a reason over
 * BUS_REASON_BYTES is cut at a character.  Returns frames, an array of GBytes;
 * g_ptr_array_unref() it.
 */
GPtrArray *bus_message_format(const struct bus_message *message);

/* Frees what the message owns. */
void bus_message_clear(struct bus_message *message);

#define BUS_CLOCK_TOPIC "clock" /* of TELL: the answer to a BEAT that has sent_us */

/* Returns what TELL carries of the clock: when a beat was sent, and when it came, UTC. */
GBytes *bus_clock_format(gint64 sent_us, gint64 came_us);

/* Reads it.  FALSE if it is something else. */
gboolean bus_clock_parse(GBytes *bytes, gint64 *ret_sent_us, gint64 *ret_came_us);

/* TRUE if a message of this kind goes from a sensor to the collector. */
gboolean bus_kind_is_of_sensor(enum bus_kind kind);
#endif
