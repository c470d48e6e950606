/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_socket.h - the sockets of the bus, and what is alike in all of them.
 *
 * ZeroMQ's owner: no other file includes <zmq.h>.  It knows keys, limits, queues
 * and time-outs of each kind of socket; of what is said over them it knows nothing
 * (bus_frames.h).  Used by bus_sensor.c, bus_collector.c, bus_zap.c, bus_live.c and
 * bus_watch.c alone.  A socket belongs to the thread that uses it, nothing lingers,
 * and nothing here waits but bus_wait().  Errors are of BUS_ERROR (bus.h).
 */
#ifndef MAILTRACE_BUS_SOCKET_H
#define MAILTRACE_BUS_SOCKET_H

#include "bus.h"

#define BUS_SUBSCRIPTION_BYTES \
	4096 /* a request to subscribe is 130 at most, CURVE's INITIATE more */
#define BUS_ANSWER_BYTES (BUS_TELL_BYTES + 4096)	      /* of a message from the collector */
#define BUS_MESSAGE_BYTES (CAP_BATCH_BYTES + CAP_EVENT_BYTES) /* what is kept of one message */

struct bus_context; /* libzmq's threads; one an end of the bus */
struct bus_socket;  /* libzmq's own */

enum bus_socket_kind {
	BUS_SOCKET_SENSOR, /* DEALER: connects to the router; queues nothing while there is no
			      connection, since the spool is the queue */
	BUS_SOCKET_ROUTER, /* ROUTER: takes sensors' messages */
	BUS_SOCKET_LIVE,   /* XPUB: the live stream; subscriptions are the caller's to grant */
	BUS_SOCKET_WATCH,  /* SUB: reads the live stream */
};

/* The ZAP domain in which a server socket asks who may come in (ZeroMQ RFC 27). */
#define BUS_DOMAIN_EVENTS "events"
#define BUS_DOMAIN_LIVE "live"
/* The property of a connection that has its key, since a name may be given another key. */
#define BUS_KEY_PROPERTY "X-Key"

/* Makes a context; NULL with BUS_ERROR_SYSTEM. */
struct bus_context *bus_context_new(GError **error);

/* Waits for libzmq's threads; all sockets must be closed.  NULL is allowed. */
void bus_context_free(struct bus_context *context);

/* Makes a socket that finds out by itself that its peer is gone; NULL with BUS_ERROR_SYSTEM. */
struct bus_socket *bus_socket_new(struct bus_context *context, enum bus_socket_kind kind,
				  GError **error);

/* Makes and binds the one socket on which libzmq asks who may come in; NULL with an error. */
struct bus_socket *bus_socket_new_zap(struct bus_context *context, GError **error);

/* Closes *socket and sets it to NULL, which it may be. */
void bus_socket_close(struct bus_socket **socket);

/* Makes it a server with pair's secret key that lets in whom the ZAP handler knows in domain. */
gboolean bus_socket_serve(struct bus_socket *socket, const struct key_pair *pair,
			  const char *domain, GError **error);

/* Makes it a client of the server that has server_key (Z85). */
gboolean bus_socket_be_client(struct bus_socket *socket, const struct key_pair *pair,
			      const char *server_key, GError **error);

/* Begins to connect to "ipc:///path" or "tcp://host:port". */
gboolean bus_socket_connect(struct bus_socket *socket, const char *endpoint, GError **error);

/* Returns the endpoint as bound, with its port; free with g_free(); or NULL. */
char *bus_socket_bind(struct bus_socket *socket, const char *endpoint, GError **error);

/*
 * Subscribes to a prefix of topics, or ends that.  On a BUS_SOCKET_LIVE it grants
 * that to the connection whose request was received last.
 */
gboolean bus_socket_subscribe(struct bus_socket *socket, gboolean on, const char *topic,
			      GError **error);

/* A message as it came, and who libzmq says that it is from. */
struct bus_received {
	GPtrArray *frames; /* of GBytes, those that fit the limits */
	gboolean cut;	   /* there were more */
	char *user;	   /* ZAP User-Id, or NULL */
	char *key;	   /* its public key, or NULL */
	char *address;	   /* or NULL */
};

/*
 * Receives one message without waiting; what is beyond max_frames or max_bytes is
 * read off the socket and dropped.  FALSE when there is none.  Clear it either way.
 */
gboolean bus_socket_receive(struct bus_socket *socket, guint max_frames, gsize max_bytes,
			    struct bus_received *ret_received);

/* Frees what it owns. */
void bus_received_clear(struct bus_received *received);

/* Sends one frame; more: another one of this message follows.  FALSE when it takes none now. */
gboolean bus_socket_send(struct bus_socket *socket, const void *bytes, gsize size, gboolean more);

/*
 * Sends frames (of GBytes) as one message.  FALSE when the socket takes none now; once
 * the first was taken, libzmq takes or drops the rest as a whole.
 */
gboolean bus_socket_send_frames(struct bus_socket *socket, const GPtrArray *frames);

/* What became of a client's connection. */
enum bus_link {
	BUS_LINK_SAME,	 /* nothing has happened */
	BUS_LINK_UP,	 /* the handshake is done */
	BUS_LINK_DENIED, /* the server does not know the key */
	BUS_LINK_FAILED, /* another failure of the handshake */
	BUS_LINK_DOWN,
};

/* Makes the monitor of a socket; number: another one each time, in one context. */
struct bus_socket *bus_monitor_new(struct bus_context *context, struct bus_socket *socket,
				   guint number, GError **error);

/* Returns the next thing that happened, in order. */
enum bus_link bus_monitor_next(struct bus_socket *monitor);

/* Ends monitoring, closes both, and sets both to NULL, which they may be. */
void bus_monitor_close(struct bus_socket **monitor, struct bus_socket **socket);

/* What to wait for: a socket, or, if that is NULL, a descriptor; -1 is passed over. */
struct bus_wait {
	struct bus_socket *socket;
	int fd;
	gboolean to_send;  /* wait also until the socket takes a message */
	gboolean readable; /* set by bus_wait() */
};

/* Waits at most timeout_ms; FALSE with errno set when it could not, for a signal say. */
gboolean bus_wait(struct bus_wait *waits, guint count, guint timeout_ms);

/* Returns how long it is from now to a time of g_get_monotonic_time(); 0 if it has passed. */
guint bus_milliseconds_until(gint64 deadline_us);
#endif
