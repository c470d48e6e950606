/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.h - events from sensors to the collector, acknowledged; the live stream.
 *
 * bus_sensor.c, bus_collector.c and bus_watch.c are its three ends, bus_socket.c is
 * ZeroMQ's owner.  Everything is CURVE, on ipc: as on tcp:, and every server
 * asks its ZAP handler, which admits the keys of authorized_keys and nobody
 * else; the User-Id that it gives is the sensor's name, and the only identity
 * that counts.  The wire format is in mailtrace-event(7), version BUS_VERSION:
 *
 *   sensor -> collector (DEALER -> ROUTER), frames:
 *     "MT1" "HELLO" epoch                  on each new connection
 *     "MT1" "BATCH" epoch first count event…   count frames, numbered first…
 *     "MT1" "BEAT" epoch last counters     nothing to send; counters are JSON
 *     "MT1" "HAVE" epoch topic state       how far it has come with a topic
 *   collector -> sensor:
 *     "MT1" "WELCOME" epoch through        what is already in the store
 *     "MT1" "ACK" epoch through            everything up to it is in the store
 *     "MT1" "REFUSE" epoch n reason        this event is poison: dead letter
 *     "MT1" "TELL" epoch topic bytes       what the sensor is to have: block_chunk.h
 *   epoch is a UUID in text, numbers are 8 bytes big-endian.
 *   collector -> reader of the live stream (PUB -> SUB):
 *     "tenant/sensor" event
 *
 * A sequence is (sensor, epoch, n).  At least once on the wire, exactly once
 * in the store by event id.  One thread owns a bus object, the one that made
 * it or that was started with it; to wake it from another, signal its eventfd.
 */
#ifndef MAILTRACE_BUS_H
#define MAILTRACE_BUS_H

#include <glib.h>

#include "authorized_keys.h"

#define BUS_VERSION "MT1"
#define BUS_HEARTBEAT_MS 5000	  /* ZMTP heartbeats and BEAT */
#define BUS_ACK_DEADLINE_MS 30000 /* then the socket is made anew */

enum bus_error {
	BUS_ERROR_ENDPOINT, /* cannot bind or connect; message names it */
	BUS_ERROR_KEY,	    /* a key is not Z85 */
	BUS_ERROR_SYSTEM,   /* anything else of libzmq */
};
/* Given by what makes a socket alone; what fails later is tried again, or is news. */
#define BUS_ERROR (bus_error_quark())
GQuark bus_error_quark(void);

/* ---- the sensor's end ---- */

struct bus_sensor;

enum bus_sensor_event {
	BUS_SENSOR_NOTHING, /* the time ran out, or wake_fd was signalled */
	BUS_SENSOR_WELCOME, /* (re)connected; through says what is stored */
	BUS_SENSOR_ACK,	    /* through is in the store */
	BUS_SENSOR_REFUSE,  /* event n was put aside as poison; reason says why */
	BUS_SENSOR_DENIED,  /* the collector does not know our key, or it is revoked */
	BUS_SENSOR_TELL,    /* something to keep, under a topic */
};

/* What bus_sensor_poll() found; clear with bus_sensor_news_clear(). */
struct bus_sensor_news {
	enum bus_sensor_event event;
	guint64 through;  /* of WELCOME and ACK; n of REFUSE */
	char reason[256]; /* of REFUSE, UTF-8 */
	char topic[33];	  /* of TELL */
	GBytes *payload;  /* of TELL, at most 64 KiB; hostile but for the collector's key */
};

/*
 * Makes a sensor's end and begins to connect.  endpoint: "ipc:///path" or
 * "tcp://host:port".  pair: copied.  server_key: the collector's public key,
 * Z85.  epoch: the spool's, a UUID in text.  Returns NULL with a BUS_ERROR.
 */
struct bus_sensor *bus_sensor_new(const char *endpoint, const struct key_pair *pair,
				  const char *server_key, const char *epoch, GError **error);

/*
 * Sends events first, first+1, … as one batch.  events: of GBytes, 1 to
 * CAP_BATCH_EVENTS, each at most CAP_EVENT_BYTES: larger ones the caller puts
 * aside, they would never be taken.  Returns FALSE, having sent nothing, when
 * there is no connection or it takes no more for now (back-pressure).
 */
gboolean bus_sensor_send(struct bus_sensor *bus, guint64 first, GPtrArray *events);

/*
 * Sends a BEAT.  last: the newest number in the spool.  counters: JSON text of
 * at most 4 KB.  Returns FALSE as bus_sensor_send() does.
 */
gboolean bus_sensor_beat(struct bus_sensor *bus, guint64 last, const char *counters);

/*
 * Says how far we have come with a topic of TELL: on each new connection once we
 * are welcome, and after each TELL.  state: at most 256 bytes.  Returns FALSE
 * as bus_sensor_send() does.
 */
gboolean bus_sensor_have(struct bus_sensor *bus, const char *topic, GBytes *state);

/* Frees what the news owns, and empties it. */
void bus_sensor_news_clear(struct bus_sensor_news *news);

/*
 * Waits at most timeout_ms for news or until wake_fd (-1 for none) is
 * readable.  Frames that are not of the protocol are counted and dropped.
 */
void bus_sensor_poll(struct bus_sensor *bus, int wake_fd, guint timeout_ms,
		     struct bus_sensor_news *ret_news);

/* Closes the connection and makes it anew, after a deadline has passed. */
void bus_sensor_reconnect(struct bus_sensor *bus);

/* Closes without lingering.  NULL is allowed. */
void bus_sensor_free(struct bus_sensor *bus);

/* ---- the collector's end ---- */

struct bus_collector;
struct bus_peer; /* one connection of one sensor; lives until the next poll unless stored by id */

enum bus_collector_event {
	BUS_COLLECTOR_NOTHING,
	BUS_COLLECTOR_HELLO,
	BUS_COLLECTOR_BATCH,
	BUS_COLLECTOR_BEAT,
	BUS_COLLECTOR_HAVE,
	BUS_COLLECTOR_GARBAGE, /* not the protocol; counted, peer named */
};

/* What bus_collector_poll() received; everything is owned by it. */
struct bus_collector_news {
	enum bus_collector_event event;
	char *sensor; /* ZAP User-Id; the name in authorized_keys */
	char *tenant; /* likewise */
	GBytes *peer; /* routing id, to answer to */
	char epoch[37];
	guint64 first;	      /* of BATCH; last of BEAT */
	GPtrArray *events;    /* of GBytes; of BATCH */
	char *counters;	      /* of BEAT, at most 4 KB, UTF-8 */
	char *topic;	      /* of HAVE */
	GBytes *state;	      /* of HAVE, at most 256 bytes */
	const char *garbage;  /* why, static */
	char *address;	      /* the peer's, for the log; "" if unknown */
	gboolean second_peer; /* two live connections use this sensor's key in turn */
};

/*
 * Makes the collector's end, binds all endpoints and starts the ZAP handler.
 * listen: NULL-terminated.  publish: the live stream's endpoint or "".
 * pair: the collector's, copied.  keys: who may connect; owned from here on.
 */
struct bus_collector *bus_collector_new(const char *const *listen, const char *publish,
					const struct key_pair *pair, struct authorized_keys *keys,
					GError **error);

/*
 * Replaces the list of keys, after a reload.  Takes ownership.  From here on a
 * removed key is not let in again, what its open connection still sends is
 * dropped as garbage, and a reader of the live stream with it gets nothing
 * more: the stream is bound anew, and the other readers connect again.
 */
void bus_collector_set_keys(struct bus_collector *bus, struct authorized_keys *keys);

/*
 * Waits at most timeout_ms for one message, or until one of n_fds descriptors
 * is readable.  Clear the news with bus_collector_news_clear().  Keys are
 * looked up in here too: nobody is let in while it is not called.
 *
 * An event over CAP_EVENT_BYTES is refused by name, with its number, and is
 * an empty GBytes in the news; acknowledge past it as past any poison.
 */
void bus_collector_poll(struct bus_collector *bus, const int *fds, gsize n_fds, guint timeout_ms,
			struct bus_collector_news *ret_news);

/* Frees what the news owns, and empties it. */
void bus_collector_news_clear(struct bus_collector_news *news);

/*
 * Answers HELLO: everything up to through is in the store.  peer: of the news.
 * This and the two that follow are lost if the peer has gone, which is no
 * error: it learns the same from the next WELCOME.
 */
void bus_collector_welcome(struct bus_collector *bus, GBytes *peer, const char *epoch,
			   guint64 through);

/* Everything up to through is on disk: to be said after the commit, never before. */
void bus_collector_ack(struct bus_collector *bus, GBytes *peer, const char *epoch, guint64 through);

/* Event n is poison and has been put aside; before the ACK that covers it.  reason: UTF-8. */
void bus_collector_refuse(struct bus_collector *bus, GBytes *peer, const char *epoch, guint64 n,
			  const char *reason);

/* Tells a peer what to keep under a topic; it answers HAVE.  bytes: at most 64 KiB. */
void bus_collector_tell(struct bus_collector *bus, GBytes *peer, const char *epoch,
			const char *topic, GBytes *bytes);

/*
 * Returns the endpoint that was bound for the i-th of listen, with the port that
 * "tcp://127.0.0.1:*" was given; for i beyond them that of publish, or "".
 */
const char *bus_collector_endpoint(struct bus_collector *bus, guint i);

/* Publishes an event to the live stream under the topic "tenant/sensor"; drops for slow readers. */
void bus_collector_publish(struct bus_collector *bus, const char *tenant, const char *sensor,
			   GBytes *event);

/* Unbinds and closes without lingering.  NULL is allowed. */
void bus_collector_free(struct bus_collector *bus);

/* ---- a reader of the live stream ---- */

struct bus_watch;

/*
 * Subscribes.  A key sees its own tenant's events and no others.  tenant: its
 * name, or NULL for all that the key may see, which is the same.
 */
struct bus_watch *bus_watch_new(const char *endpoint, const struct key_pair *pair,
				const char *server_key, const char *tenant, GError **error);

/* Waits at most timeout_ms.  Returns an event's JSON, or NULL when none came. */
GBytes *bus_watch_next(struct bus_watch *watch, guint timeout_ms);

/* Returns TRUE when the collector has refused the key, which it does without a word. */
gboolean bus_watch_denied(struct bus_watch *watch);

/* Ends the subscription.  NULL is allowed. */
void bus_watch_free(struct bus_watch *watch);
#endif
