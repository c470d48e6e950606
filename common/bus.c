/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "bus_frames.h"

#define DOMAIN_EVENTS "events" /* ZAP domains, one a server socket */
#define DOMAIN_LIVE "live"
#define ZAP_ENDPOINT "inproc://zeromq.zap.01" /* ZeroMQ RFC 27 */
#define ZAP_FRAMES 7
#define ZAP_FRAME_BYTES 1024
#define KEY_PROPERTY "X-Key" /* in the ZAP answer, since a name may be given another key */
#define CURVE_KEY_BYTES 32

/* libzmq cuts a peer off for it without a word: a wall behind the check of CAP_EVENT_BYTES. */
#define WALL_BYTES (2 * CAP_EVENT_BYTES)
#define MESSAGE_BYTES (CAP_BATCH_BYTES + CAP_EVENT_BYTES) /* what is kept of one message */
#define ANSWER_BYTES (BUS_TELL_BYTES + 4096)		  /* of a message from the collector */
#define SUBSCRIPTION_BYTES 4096 /* a request to subscribe is 130 at most, CURVE's INITIATE more */
#define BATCHES_QUEUED 8	/* of a connection, at either side; each up to CAP_BATCH_BYTES */
#define ANSWERS_QUEUED 1000	/* of a connection; they are small */
#define LIVE_QUEUED 200		/* of a reader; a slower one loses events */
#define HEARTBEAT_TIMEOUT_MS (3 * BUS_HEARTBEAT_MS)
#define CONNECT_TIMEOUT_MS 10000
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 5000
#define DENIED_RETRY_MS 2000  /* a session that was denied libzmq does not try again by itself */
#define CLOSING_MS 200	      /* given to a socket to close */
#define REBIND_MS 20	      /* between attempts, while the old socket is still closing */
#define SOCKET_FILE_MODE 0660 /* of ipc:; the directory decides who comes near it */
#define IPC_PREFIX "ipc://"
#define TCP_PREFIX "tcp://"

GQuark
bus_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-bus-error");
}

/* ---- what all sockets share ---- */

static gboolean
set_zmq_error(GError **error, int code, const char *what, const char *endpoint)
{
	g_set_error(error, BUS_ERROR, code, "cannot %s %s: %s", what, endpoint,
		    zmq_strerror(zmq_errno()));
	return FALSE;
}

static void
set_int(void *socket, int option, int value)
{
	int code = zmq_setsockopt(socket, option, &value, sizeof value);

	g_assert(code == 0); /* fails only for an option or value that libzmq does not know */
}

static void
set_max_frame(void *socket, gint64 bytes)
{
	int code = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes, sizeof bytes);

	g_assert(code == 0);
}

/* Makes a socket that never lingers and finds out by itself that its peer is gone. */
static void *
make_socket(void *context, int type, gint64 max_frame, GError **error)
{
	void *socket = zmq_socket(context, type);

	if (!socket) {
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a socket");
		return NULL;
	}
	set_int(socket, ZMQ_LINGER, 0);
	set_int(socket, ZMQ_IPV6, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
	set_int(socket, ZMQ_HEARTBEAT_IVL, BUS_HEARTBEAT_MS);
	set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
	set_int(socket, ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS);
	set_int(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS);
	set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
	set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
	set_max_frame(socket, max_frame);
	return socket;
}

static void
close_socket(void **socket)
{
	if (*socket)
		zmq_close(*socket);
	*socket = NULL;
}

static gboolean
set_key(void *socket, int option, const char *key, GError **error)
{
	/* 41: the text with its NUL; libzmq takes 32 for the bytes and 40 for an error. */
	if (strlen(key) == KEY_Z85_LENGTH &&
	    zmq_setsockopt(socket, option, key, KEY_Z85_LENGTH + 1) == 0)
		return TRUE;
	g_set_error(error, BUS_ERROR, BUS_ERROR_KEY, "not a key of 40 characters of Z85");
	return FALSE;
}

static gboolean
set_server(void *socket, const struct key_pair *pair, const char *domain, GError **error)
{
	set_int(socket, ZMQ_CURVE_SERVER, 1);
	/* With a domain, libzmq lets nobody in unless the ZAP handler says so. */
	if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) != 0)
		return set_zmq_error(error, BUS_ERROR_SYSTEM, "set the ZAP domain", domain);
	return set_key(socket, ZMQ_CURVE_SECRETKEY, pair->secret_key, error);
}

static gboolean
set_client(void *socket, const struct key_pair *pair, const char *server_key, GError **error)
{
	return set_key(socket, ZMQ_CURVE_SERVERKEY, server_key, error) &&
	       set_key(socket, ZMQ_CURVE_PUBLICKEY, pair->public_key, error) &&
	       set_key(socket, ZMQ_CURVE_SECRETKEY, pair->secret_key, error);
}

/* Other transports would go round CURVE (inproc:) or are not built for this (pgm:, tipc:). */
static gboolean
check_endpoint(const char *endpoint, GError **error)
{
	if (g_str_has_prefix(endpoint, IPC_PREFIX "/") || g_str_has_prefix(endpoint, TCP_PREFIX))
		return TRUE;
	g_set_error(error, BUS_ERROR, BUS_ERROR_ENDPOINT,
		    "\"%s\" is not \"ipc:///path\" or \"tcp://host:port\"", endpoint);
	return FALSE;
}

static gboolean
connect_to(void *socket, const char *endpoint, GError **error)
{
	if (!check_endpoint(endpoint, error))
		return FALSE;
	if (zmq_connect(socket, endpoint) == 0)
		return TRUE;
	return set_zmq_error(error, BUS_ERROR_ENDPOINT, "connect to", endpoint);
}

/* Returns the endpoint as bound; free with g_free(); or NULL. */
static char *
bind_to(void *socket, const char *endpoint, GError **error)
{
	char bound[1024];
	size_t length = sizeof bound;

	if (!check_endpoint(endpoint, error))
		return NULL;
	if (zmq_bind(socket, endpoint) != 0 ||
	    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &length) != 0) {
		set_zmq_error(error, BUS_ERROR_ENDPOINT, "listen on", endpoint);
		return NULL;
	}
	if (g_str_has_prefix(bound, IPC_PREFIX) &&
	    chmod(bound + strlen(IPC_PREFIX), SOCKET_FILE_MODE) != 0) {
		g_set_error(error, BUS_ERROR, BUS_ERROR_ENDPOINT, "cannot set the mode of %s: %s",
			    bound, g_strerror(errno));
		return NULL;
	}
	return g_strdup(bound);
}

/* A message as it came, and who libzmq says that it is from. */
struct received {
	GPtrArray *frames; /* of GBytes, those that fit the limits */
	gboolean cut;	   /* there were more */
	char *user;	   /* ZAP User-Id, or NULL */
	char *key;	   /* its public key, or NULL */
	char *address;	   /* or NULL */
};

static void
received_clear(struct received *received)
{
	g_clear_pointer(&received->frames, g_ptr_array_unref);
	g_clear_pointer(&received->user, g_free);
	g_clear_pointer(&received->key, g_free);
	g_clear_pointer(&received->address, g_free);
}

static void
note_property(zmq_msg_t *frame, const char *name, char **value)
{
	const char *found = *value ? NULL : zmq_msg_gets(frame, name);

	if (found)
		*value = g_strdup(found);
}

/* Keeps a frame unless it would pass max_frames or max_bytes. */
static void
keep_frame(struct received *received, zmq_msg_t *frame, guint max_frames, gsize max_bytes,
	   gsize *total)
{
	note_property(frame, "User-Id", &received->user);
	note_property(frame, KEY_PROPERTY, &received->key);
	note_property(frame, "Peer-Address", &received->address);
	*total += zmq_msg_size(frame);
	if (received->frames->len >= max_frames || *total > max_bytes)
		received->cut = TRUE;
	if (!received->cut)
		g_ptr_array_add(received->frames,
				g_bytes_new(zmq_msg_data(frame), zmq_msg_size(frame)));
}

/*
 * Receives one message without waiting; what is beyond the limits is read off
 * the socket and dropped.  FALSE when there is none.  Clear received either way.
 */
static gboolean
receive(void *socket, guint max_frames, gsize max_bytes, struct received *received)
{
	gboolean more = TRUE, any = FALSE;
	gsize total = 0;

	*received = (struct received){
		.frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref)};
	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		more = zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0;
		if (more) {
			any = TRUE;
			keep_frame(received, &frame, max_frames, max_bytes, &total);
			more = zmq_msg_more(&frame);
		}
		zmq_msg_close(&frame);
	}
	return any;
}

/* Sends one frame; FALSE when the socket takes none now. */
static gboolean
send_bytes(void *socket, const void *bytes, gsize size, gboolean more)
{
	return zmq_send(socket, size ? bytes : "", size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >=
	       0;
}

/*
 * Sends frames as one message.  FALSE when the socket takes none now; once the
 * first was taken, libzmq takes or drops the rest as a whole.
 */
static gboolean
send_frames(void *socket, const GPtrArray *frames, gboolean more)
{
	for (guint i = 0; i < frames->len; i++) {
		gsize size;
		const void *bytes = g_bytes_get_data(frames->pdata[i], &size);
		if (!send_bytes(socket, bytes, size, more || i + 1 < frames->len) && i == 0)
			return FALSE;
	}
	return TRUE;
}

static guint
milliseconds_until(gint64 deadline_us)
{
	gint64 left_us = deadline_us - g_get_monotonic_time();

	return left_us > 0 ? (guint)((left_us + 999) / 1000) : 0;
}

/* ---- a socket's monitor: what became of its connection ---- */

#define HANDSHAKE_FAILED                                                         \
	(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | \
	 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define MONITORED (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | HANDSHAKE_FAILED | ZMQ_EVENT_DISCONNECTED)

/* Makes the monitor of a socket; number: another one each time, in one context. */
static void *
make_monitor(void *context, void *socket, guint number, GError **error)
{
	g_autofree char *address = g_strdup_printf("inproc://monitor-%u", number);
	void *monitor;

	if (zmq_socket_monitor(socket, address, MONITORED) != 0) {
		set_zmq_error(error, BUS_ERROR_SYSTEM, "monitor", "a socket");
		return NULL;
	}
	monitor = zmq_socket(context, ZMQ_PAIR);
	if (monitor && zmq_connect(monitor, address) == 0) {
		set_int(monitor, ZMQ_LINGER, 0);
		return monitor;
	}
	set_zmq_error(error, BUS_ERROR_SYSTEM, "monitor", "a socket");
	close_socket(&monitor);
	return NULL;
}

/* Returns the next of MONITORED, or 0. */
static int
monitor_event(void *monitor)
{
	struct received received;
	guint16 event = 0;

	if (receive(monitor, 2, ANSWER_BYTES, &received) && received.frames->len > 0 &&
	    g_bytes_get_size(received.frames->pdata[0]) >= sizeof event)
		memcpy(&event, g_bytes_get_data(received.frames->pdata[0], NULL), sizeof event);
	received_clear(&received);
	return event;
}

/* ---- the sensor's end ---- */

struct bus_sensor {
	void *context;
	void *socket;
	void *monitor;
	guint sockets; /* made so far */
	char *endpoint;
	struct key_pair pair;
	char server_key[KEY_Z85_LENGTH + 1];
	char epoch[BUS_EPOCH_LENGTH + 1];
	gboolean connected; /* the handshake is done */
	gboolean greeted;   /* HELLO was sent on this connection */
	gint64 retry_us;    /* when the socket is to be made anew, 0 for never */
};

static gboolean
sensor_connect(struct bus_sensor *bus, GError **error)
{
	bus->connected = bus->greeted = FALSE;
	bus->retry_us = 0;
	bus->socket = make_socket(bus->context, ZMQ_DEALER, ANSWER_BYTES, error);
	if (!bus->socket)
		return FALSE;
	set_int(bus->socket, ZMQ_SNDHWM, BATCHES_QUEUED);
	set_int(bus->socket, ZMQ_RCVHWM, ANSWERS_QUEUED);
	/* Nothing is queued for a connection that is not there: the spool is the queue. */
	set_int(bus->socket, ZMQ_IMMEDIATE, 1);
	if (!set_client(bus->socket, &bus->pair, bus->server_key, error))
		return FALSE;
	bus->monitor = make_monitor(bus->context, bus->socket, bus->sockets++, error);
	return bus->monitor && connect_to(bus->socket, bus->endpoint, error);
}

static void
sensor_disconnect(struct bus_sensor *bus)
{
	if (bus->socket)
		zmq_socket_monitor(bus->socket, NULL, 0);
	close_socket(&bus->monitor);
	close_socket(&bus->socket);
}

struct bus_sensor *
bus_sensor_new(const char *endpoint, const struct key_pair *pair, const char *server_key,
	       const char *epoch, GError **error)
{
	struct bus_sensor *bus = g_new0(struct bus_sensor, 1);

	bus->endpoint = g_strdup(endpoint);
	bus->pair = *pair;
	g_strlcpy(bus->server_key, server_key, sizeof bus->server_key);
	g_strlcpy(bus->epoch, epoch, sizeof bus->epoch);
	bus->context = zmq_ctx_new();
	if (!bus->context)
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a context");
	if (bus->context && sensor_connect(bus, error))
		return bus;
	bus_sensor_free(bus);
	return NULL;
}

static void
sensor_retry_later(struct bus_sensor *bus)
{
	bus->retry_us = g_get_monotonic_time() + DENIED_RETRY_MS * 1000;
}

void
bus_sensor_reconnect(struct bus_sensor *bus)
{
	g_autoptr(GError) error = NULL;

	sensor_disconnect(bus);
	/* The same call succeeded with the same arguments; what fails it now is a lack of memory or
	 * descriptors, and the next deadline tries again. */
	if (!sensor_connect(bus, &error)) {
		sensor_disconnect(bus);
		sensor_retry_later(bus);
	}
}

static gboolean
sensor_send(struct bus_sensor *bus, const struct bus_message *message)
{
	g_autoptr(GPtrArray) frames = bus_message_format(message);

	return bus->socket && send_frames(bus->socket, frames, FALSE);
}

gboolean
bus_sensor_send(struct bus_sensor *bus, guint64 first, GPtrArray *events)
{
	struct bus_message message = {.kind = BUS_KIND_BATCH, .n = first, .events = events};

	g_return_val_if_fail(events->len > 0 && events->len <= CAP_BATCH_EVENTS, FALSE);
	g_strlcpy(message.epoch, bus->epoch, sizeof message.epoch);
	return bus->greeted && sensor_send(bus, &message);
}

gboolean
bus_sensor_beat(struct bus_sensor *bus, guint64 last, const char *counters)
{
	struct bus_message message = {.kind = BUS_KIND_BEAT, .n = last, .text = (char *)counters};

	g_strlcpy(message.epoch, bus->epoch, sizeof message.epoch);
	return bus->greeted && sensor_send(bus, &message);
}

gboolean
bus_sensor_have(struct bus_sensor *bus, const char *topic, GBytes *state)
{
	struct bus_message message = {
		.kind = BUS_KIND_HAVE, .text = (char *)topic, .payload = state};

	g_strlcpy(message.epoch, bus->epoch, sizeof message.epoch);
	return bus->greeted && sensor_send(bus, &message);
}

void
bus_sensor_news_clear(struct bus_sensor_news *news)
{
	g_clear_pointer(&news->payload, g_bytes_unref);
	*news = (struct bus_sensor_news){.event = BUS_SENSOR_NOTHING};
}

/* Says HELLO as soon as the new connection takes it. */
static void
sensor_greet(struct bus_sensor *bus)
{
	struct bus_message message = {.kind = BUS_KIND_HELLO};

	g_strlcpy(message.epoch, bus->epoch, sizeof message.epoch);
	if (bus->connected && !bus->greeted)
		bus->greeted = sensor_send(bus, &message);
}

/* Takes all that the monitor has to tell. */
static void
sensor_watch_connection(struct bus_sensor *bus, struct bus_sensor_news *news)
{
	int event;

	while ((event = monitor_event(bus->monitor))) {
		/* Succeeded, after a loss that was not noticed: a new connection all the same. */
		bus->greeted = FALSE;
		bus->connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
		if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
			news->event = BUS_SENSOR_DENIED;
		if (event & HANDSHAKE_FAILED)
			sensor_retry_later(bus);
	}
}

/* Turns a message of the collector into news; one that is not for us says nothing. */
static void
sensor_take(struct bus_sensor *bus, const struct bus_message *message, struct bus_sensor_news *news)
{
	if (bus_kind_is_of_sensor(message->kind) || !g_str_equal(message->epoch, bus->epoch))
		return;
	news->through = message->n;
	switch (message->kind) {
	case BUS_KIND_WELCOME:
		news->event = BUS_SENSOR_WELCOME;
		break;
	case BUS_KIND_ACK:
		news->event = BUS_SENSOR_ACK;
		break;
	case BUS_KIND_TELL:
		news->event = BUS_SENSOR_TELL;
		g_strlcpy(news->topic, message->text, sizeof news->topic);
		news->payload = g_bytes_ref(message->payload);
		break;
	default:
		news->event = BUS_SENSOR_REFUSE;
		g_strlcpy(news->reason, message->text, sizeof news->reason);
	}
}

/*
 * Receives one message of the collector.  What is not understood is passed over:
 * what it should have acknowledged is sent again, on a new connection.
 */
static void
sensor_receive(struct bus_sensor *bus, struct bus_sensor_news *news)
{
	struct bus_message message = {0};
	struct received received;

	if (receive(bus->socket, BUS_HEAD_FRAMES, ANSWER_BYTES, &received)) {
		if (!received.cut && !bus_message_parse(received.frames, &message))
			sensor_take(bus, &message, news);
		bus_message_clear(&message);
	}
	received_clear(&received);
}

/* Waits once.  Returns FALSE when wake_fd was signalled or the time is up. */
static gboolean
sensor_poll_once(struct bus_sensor *bus, int wake_fd, gint64 deadline, struct bus_sensor_news *news)
{
	guint left_ms = milliseconds_until(deadline), wait_ms = left_ms;
	gboolean greet = bus->connected && !bus->greeted;
	/* A fd of -1 is passed over by poll(2), beside a socket that could not be made. */
	zmq_pollitem_t items[] = {
		{bus->socket, -1, ZMQ_POLLIN | (greet ? ZMQ_POLLOUT : 0), 0},
		{bus->monitor, -1, ZMQ_POLLIN, 0},
		{NULL, wake_fd, ZMQ_POLLIN, 0},
	};

	if (bus->retry_us)
		wait_ms = MIN(left_ms, milliseconds_until(bus->retry_us));
	if (zmq_poll(items, G_N_ELEMENTS(items), wait_ms) < 0)
		return errno == EINTR && left_ms > 0;
	if (items[1].revents)
		sensor_watch_connection(bus, news);
	if (bus->socket)
		sensor_greet(bus);
	if (items[0].revents & ZMQ_POLLIN && news->event == BUS_SENSOR_NOTHING)
		sensor_receive(bus, news);
	if (bus->retry_us && milliseconds_until(bus->retry_us) == 0)
		bus_sensor_reconnect(bus);
	return !items[2].revents && left_ms > 0;
}

void
bus_sensor_poll(struct bus_sensor *bus, int wake_fd, guint timeout_ms,
		struct bus_sensor_news *ret_news)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	struct bus_sensor_news news = {.event = BUS_SENSOR_NOTHING};

	while (news.event == BUS_SENSOR_NOTHING && sensor_poll_once(bus, wake_fd, deadline, &news))
		;
	*ret_news = news;
}

void
bus_sensor_free(struct bus_sensor *bus)
{
	if (!bus)
		return;
	sensor_disconnect(bus);
	if (bus->context)
		zmq_ctx_term(bus->context);
	key_pair_clear(&bus->pair);
	g_free(bus->endpoint);
	g_free(bus);
}

/* ---- the collector's end ---- */

/* The connections that lately used one sensor's key. */
struct talker {
	GBytes *current;
	GBytes *previous; /* or NULL */
};

struct bus_collector {
	void *context;
	void *zap;
	void *router;
	void *live; /* NULL without a stream, or while it is being bound anew */
	gint64 rebind_us;
	struct key_pair pair;
	struct authorized_keys *keys;
	GPtrArray *endpoints; /* of char *, as bound */
	char *publish;	      /* as bound, or "" */
	GHashTable *readers;  /* key of a reader that was let in → its tenant */
	GHashTable *talkers;  /* name of a sensor → struct talker */
};

static void
talker_free(gpointer pointer)
{
	struct talker *talker = pointer;

	g_bytes_unref(talker->current);
	g_clear_pointer(&talker->previous, g_bytes_unref);
	g_free(talker);
}

/* Makes and binds the live stream's socket.  FALSE leaves none. */
static gboolean
open_live(struct bus_collector *bus, const char *endpoint, GError **error)
{
	char *bound = NULL;

	bus->live = make_socket(bus->context, ZMQ_XPUB, SUBSCRIPTION_BYTES, error);
	if (!bus->live)
		return FALSE;
	set_int(bus->live, ZMQ_SNDHWM, LIVE_QUEUED);
	/* Subscriptions are then ours to grant: see vet_subscription(). */
	set_int(bus->live, ZMQ_XPUB_MANUAL, 1);
	if (set_server(bus->live, &bus->pair, DOMAIN_LIVE, error))
		bound = bind_to(bus->live, endpoint, error);
	if (!bound) {
		close_socket(&bus->live);
		return FALSE;
	}
	g_free(bus->publish);
	bus->publish = bound;
	return TRUE;
}

static gboolean
open_router(struct bus_collector *bus, const char *const *listen, GError **error)
{
	bus->router = make_socket(bus->context, ZMQ_ROUTER, WALL_BYTES, error);
	if (!bus->router)
		return FALSE;
	set_int(bus->router, ZMQ_RCVHWM, BATCHES_QUEUED);
	set_int(bus->router, ZMQ_SNDHWM, ANSWERS_QUEUED);
	if (!set_server(bus->router, &bus->pair, DOMAIN_EVENTS, error))
		return FALSE;
	for (guint i = 0; listen[i]; i++) {
		char *bound = bind_to(bus->router, listen[i], error);
		if (!bound)
			return FALSE;
		g_ptr_array_add(bus->endpoints, bound);
	}
	return TRUE;
}

/* The handler must be there before a server socket is. */
static gboolean
open_zap(struct bus_collector *bus, GError **error)
{
	bus->zap = zmq_socket(bus->context, ZMQ_REP);
	if (bus->zap && zmq_bind(bus->zap, ZAP_ENDPOINT) == 0) {
		set_int(bus->zap, ZMQ_LINGER, 0);
		return TRUE;
	}
	return set_zmq_error(error, BUS_ERROR_SYSTEM, "start", "the ZAP handler");
}

struct bus_collector *
bus_collector_new(const char *const *listen, const char *publish, const struct key_pair *pair,
		  struct authorized_keys *keys, GError **error)
{
	struct bus_collector *bus = g_new0(struct bus_collector, 1);

	bus->pair = *pair;
	bus->keys = keys;
	bus->publish = g_strdup("");
	bus->endpoints = g_ptr_array_new_with_free_func(g_free);
	bus->readers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	bus->talkers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, talker_free);
	bus->context = zmq_ctx_new();
	if (!bus->context)
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a context");
	if (bus->context && open_zap(bus, error) && open_router(bus, listen, error) &&
	    (!*publish || open_live(bus, publish, error)))
		return bus;
	bus_collector_free(bus);
	return NULL;
}

void
bus_collector_free(struct bus_collector *bus)
{
	if (!bus)
		return;
	close_socket(&bus->live);
	close_socket(&bus->router);
	close_socket(&bus->zap);
	if (bus->context)
		zmq_ctx_term(bus->context);
	key_pair_clear(&bus->pair);
	authorized_keys_free(bus->keys);
	g_ptr_array_unref(bus->endpoints);
	g_hash_table_unref(bus->readers);
	g_hash_table_unref(bus->talkers);
	g_free(bus->publish);
	g_free(bus);
}

const char *
bus_collector_endpoint(struct bus_collector *bus, guint i)
{
	return i < bus->endpoints->len ? bus->endpoints->pdata[i] : bus->publish;
}

/* ---- ZAP: who is let in ---- */

static gboolean
frame_equals(GBytes *frame, const char *text)
{
	gsize size;
	const char *bytes = g_bytes_get_data(frame, &size);

	return size == strlen(text) && memcmp(bytes, text, size) == 0;
}

/* Returns the entry that a ZAP request may come in under, or NULL. */
static const struct authorized_key *
zap_decide(struct bus_collector *bus, const GPtrArray *request, gboolean *ret_live)
{
	const struct authorized_key *entry;
	char key[KEY_Z85_LENGTH + 1];
	GBytes *credentials;

	if (request->len != ZAP_FRAMES || !frame_equals(request->pdata[0], "1.0") ||
	    !frame_equals(request->pdata[5], "CURVE"))
		return NULL;
	credentials = request->pdata[6];
	if (g_bytes_get_size(credentials) != CURVE_KEY_BYTES ||
	    !zmq_z85_encode(key, g_bytes_get_data(credentials, NULL), CURVE_KEY_BYTES))
		return NULL;
	entry = authorized_keys_find(bus->keys, key);
	*ret_live = frame_equals(request->pdata[2], DOMAIN_LIVE);
	if (!entry || !(entry->roles & (*ret_live ? ROLE_SUBSCRIBE : ROLE_PUBLISH)))
		return NULL;
	return entry;
}

/* A property of ZMTP's metadata (ZeroMQ RFC 23): length and name, length and value. */
static void
add_property(GByteArray *metadata, const char *name, const char *value)
{
	guint8 name_length = (guint8)strlen(name);
	guint32 value_length = GUINT32_TO_BE((guint32)strlen(value));

	g_byte_array_append(metadata, &name_length, 1);
	g_byte_array_append(metadata, (const guint8 *)name, name_length);
	g_byte_array_append(metadata, (const guint8 *)&value_length, sizeof value_length);
	g_byte_array_append(metadata, (const guint8 *)value, (guint)strlen(value));
}

static void
zap_reply(void *zap, GBytes *id, const struct authorized_key *entry)
{
	const char *status = entry ? "200" : "400";
	const char *text = entry ? "OK" : "not in authorized_keys for this";
	const char *user = entry ? entry->name : "";
	g_autoptr(GByteArray) metadata = g_byte_array_new();
	gsize id_size = id ? g_bytes_get_size(id) : 0;

	if (entry)
		add_property(metadata, KEY_PROPERTY, entry->public_key);
	send_bytes(zap, "1.0", 3, TRUE);
	send_bytes(zap, id ? g_bytes_get_data(id, NULL) : "", id_size, TRUE);
	send_bytes(zap, status, 3, TRUE);
	send_bytes(zap, text, strlen(text), TRUE);
	send_bytes(zap, user, strlen(user), TRUE);
	send_bytes(zap, metadata->data, metadata->len, FALSE);
}

/* Answers one request of libzmq's own; a REP socket owes an answer to any. */
static void
zap_answer(struct bus_collector *bus)
{
	const struct authorized_key *entry;
	struct received request;
	gboolean live = FALSE;

	if (receive(bus->zap, ZAP_FRAMES, ZAP_FRAMES * ZAP_FRAME_BYTES, &request)) {
		entry = request.cut ? NULL : zap_decide(bus, request.frames, &live);
		if (entry && live)
			g_hash_table_replace(bus->readers, g_strdup(entry->public_key),
					     g_strdup(entry->tenant));
		zap_reply(bus->zap, request.frames->len > 1 ? request.frames->pdata[1] : NULL,
			  entry);
	}
	received_clear(&request);
}

/* Returns the entry of a connection, or NULL when its key was taken away or given to another. */
static const struct authorized_key *
entry_of(struct bus_collector *bus, const struct received *received, guint role)
{
	const struct authorized_key *entry =
		received->key ? authorized_keys_find(bus->keys, received->key) : NULL;

	if (!entry || !received->user || !g_str_equal(entry->name, received->user) ||
	    !(entry->roles & role))
		return NULL;
	return entry;
}

/* TRUE if a reader that was let in may no longer read what it could. */
static gboolean
reader_is_revoked(gpointer key, gpointer tenant, gpointer bus)
{
	const struct authorized_key *entry =
		authorized_keys_find(((struct bus_collector *)bus)->keys, key);

	return !entry || !(entry->roles & ROLE_SUBSCRIBE) || !g_str_equal(entry->tenant, tenant);
}

void
bus_collector_set_keys(struct bus_collector *bus, struct authorized_keys *keys)
{
	authorized_keys_free(bus->keys);
	bus->keys = keys;
	g_hash_table_remove_all(bus->talkers);
	if (!g_hash_table_find(bus->readers, reader_is_revoked, bus))
		return;
	/* libzmq cannot end one connection of a socket: it ends all, and the rest come again. */
	g_hash_table_remove_all(bus->readers);
	close_socket(&bus->live);
	bus->rebind_us = g_get_monotonic_time() + CLOSING_MS * 1000;
}

/*
 * Binds the live stream anew, once the old socket has been closed in libzmq's
 * own thread: until then a TCP port is taken, and some versions of libzmq
 * remove the file of an ipc: path as late as that.
 */
static void
restore_live(struct bus_collector *bus)
{
	gint64 now = g_get_monotonic_time();

	if (bus->live || !*bus->publish || now < bus->rebind_us)
		return;
	bus->rebind_us = now + REBIND_MS * 1000;
	open_live(bus, bus->publish, NULL);
}

/* ---- the live stream ---- */

/*
 * Returns the topic that a request to subscribe stands for, or NULL if it is
 * refused.  A reader gets its tenant's events whatever shorter prefix it asks
 * for, or one sensor's of its tenant; nothing else, so that the table of
 * subscriptions is bounded by authorized_keys.
 */
static char *
grant_topic(const struct bus_collector *bus, const struct authorized_key *entry, const char *asked)
{
	g_autofree char *own = g_strconcat(entry->tenant, "/", NULL);

	if (g_str_has_prefix(own, asked))
		return g_steal_pointer(&own);
	if (g_str_has_prefix(asked, own) &&
	    authorized_keys_find_name(bus->keys, asked + strlen(own)))
		return g_strdup(asked);
	return NULL;
}

/* Answers one request to subscribe or to end that; ZMQ_XPUB_MANUAL acts on who asked last. */
static void
vet_subscription(struct bus_collector *bus)
{
	const struct authorized_key *entry;
	struct received request;

	if (receive(bus->live, 1, SUBSCRIPTION_BYTES, &request) && request.frames->len == 1 &&
	    g_bytes_get_size(request.frames->pdata[0]) > 0) {
		gsize size;
		const char *bytes = g_bytes_get_data(request.frames->pdata[0], &size);
		g_autofree char *asked = g_strndup(bytes + 1, size - 1);
		g_autofree char *topic = NULL;

		entry = entry_of(bus, &request, ROLE_SUBSCRIBE);
		if (entry)
			topic = grant_topic(bus, entry, asked);
		if (topic)
			zmq_setsockopt(bus->live, bytes[0] ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, topic,
				       strlen(topic));
	}
	received_clear(&request);
}

void
bus_collector_publish(struct bus_collector *bus, const char *tenant, const char *sensor,
		      GBytes *event)
{
	g_autofree char *topic = g_strconcat(tenant, "/", sensor, NULL);
	gsize size;
	const void *bytes = g_bytes_get_data(event, &size);

	if (bus->live && send_bytes(bus->live, topic, strlen(topic), TRUE))
		send_bytes(bus->live, bytes, size, FALSE);
}

/* ---- the collector's messages ---- */

static void
send_to(struct bus_collector *bus, GBytes *peer, const char *epoch, struct bus_message *message)
{
	g_autoptr(GPtrArray) frames = NULL;
	gsize size;
	const void *id = g_bytes_get_data(peer, &size);

	g_strlcpy(message->epoch, epoch, sizeof message->epoch);
	frames = bus_message_format(message);
	/* To a peer that has gone, a ROUTER takes the frames and drops them. */
	if (send_bytes(bus->router, id, size, TRUE))
		send_frames(bus->router, frames, FALSE);
}

static void
answer(struct bus_collector *bus, GBytes *peer, const char *epoch, enum bus_kind kind, guint64 n,
       const char *text)
{
	struct bus_message message = {.kind = kind, .n = n, .text = (char *)text};

	send_to(bus, peer, epoch, &message);
}

void
bus_collector_tell(struct bus_collector *bus, GBytes *peer, const char *epoch, const char *topic,
		   GBytes *bytes)
{
	struct bus_message message = {
		.kind = BUS_KIND_TELL, .text = (char *)topic, .payload = bytes};

	send_to(bus, peer, epoch, &message);
}

void
bus_collector_welcome(struct bus_collector *bus, GBytes *peer, const char *epoch, guint64 through)
{
	answer(bus, peer, epoch, BUS_KIND_WELCOME, through, NULL);
}

void
bus_collector_ack(struct bus_collector *bus, GBytes *peer, const char *epoch, guint64 through)
{
	answer(bus, peer, epoch, BUS_KIND_ACK, through, NULL);
}

void
bus_collector_refuse(struct bus_collector *bus, GBytes *peer, const char *epoch, guint64 n,
		     const char *reason)
{
	answer(bus, peer, epoch, BUS_KIND_REFUSE, n, reason);
}

/*
 * Notes which connection speaks for a sensor.  One that comes again after
 * another has spoken shows that both live: a connection that was replaced
 * stays silent.
 */
static gboolean
note_talker(struct bus_collector *bus, const char *sensor, GBytes *peer)
{
	struct talker *talker = g_hash_table_lookup(bus->talkers, sensor);
	gboolean back;

	if (!talker) {
		talker = g_new0(struct talker, 1);
		talker->current = g_bytes_ref(peer);
		g_hash_table_insert(bus->talkers, g_strdup(sensor), talker);
		return FALSE;
	}
	if (g_bytes_equal(talker->current, peer))
		return FALSE;
	back = talker->previous && g_bytes_equal(talker->previous, peer);
	g_clear_pointer(&talker->previous, g_bytes_unref);
	talker->previous = talker->current;
	talker->current = g_bytes_ref(peer);
	return back;
}

/* Refuses events over the cap by their numbers and puts empty ones in their place. */
static void
refuse_oversized(struct bus_collector *bus, struct bus_collector_news *news)
{
	for (guint i = 0; i < news->events->len; i++) {
		GBytes *event = news->events->pdata[i];
		gsize size = g_bytes_get_size(event);
		g_autofree char *reason = NULL;

		if (size <= CAP_EVENT_BYTES)
			continue;
		reason = g_strdup_printf("event of %" G_GSIZE_FORMAT " bytes is over the cap of %d",
					 size, CAP_EVENT_BYTES);
		bus_collector_refuse(bus, news->peer, news->epoch, news->first + i, reason);
		g_bytes_unref(event);
		news->events->pdata[i] = g_bytes_new_static("", 0);
	}
}

/* Moves a sound message into the news. */
static void
take_message(struct bus_collector *bus, struct bus_message *message,
	     struct bus_collector_news *news)
{
	static const enum bus_collector_event events[] = {
		[BUS_KIND_HELLO] = BUS_COLLECTOR_HELLO,
		[BUS_KIND_BATCH] = BUS_COLLECTOR_BATCH,
		[BUS_KIND_BEAT] = BUS_COLLECTOR_BEAT,
		[BUS_KIND_HAVE] = BUS_COLLECTOR_HAVE,
	};

	news->event = events[message->kind];
	g_strlcpy(news->epoch, message->epoch, sizeof news->epoch);
	news->first = message->n;
	news->events = g_steal_pointer(&message->events);
	if (message->kind == BUS_KIND_HAVE)
		news->topic = g_steal_pointer(&message->text);
	else
		news->counters = g_steal_pointer(&message->text);
	news->state = g_steal_pointer(&message->payload);
	news->second_peer = note_talker(bus, news->sensor, news->peer);
	if (news->events)
		refuse_oversized(bus, news);
}

/* Reads the message into the news; returns why it is garbage, or NULL. */
static const char *
read_message(struct bus_collector *bus, const struct received *received,
	     struct bus_collector_news *news)
{
	const struct authorized_key *entry = entry_of(bus, received, ROLE_PUBLISH);
	struct bus_message message = {0};
	const char *fault;

	if (!entry)
		return "the key was removed from authorized_keys, or its role";
	news->tenant = g_strdup(entry->tenant);
	if (received->cut)
		return "more frames or bytes than a message may have";
	fault = bus_message_parse(received->frames, &message);
	if (!fault && !bus_kind_is_of_sensor(message.kind))
		fault = "a message that only the collector sends";
	if (!fault)
		take_message(bus, &message, news);
	bus_message_clear(&message);
	return fault;
}

/* Returns the address as people write it: IPv4 is IPv4, though the socket is IPv6's. */
static char *
plain_address(const char *address)
{
	const char *mapped = "::ffff:";

	if (!address)
		return g_strdup("");
	return g_strdup(address + (g_str_has_prefix(address, mapped) ? strlen(mapped) : 0));
}

/* Receives one message of a sensor.  FALSE when there is none. */
static gboolean
collector_receive(struct bus_collector *bus, struct bus_collector_news *news)
{
	struct received received;
	gboolean any = receive(bus->router, 1 + BUS_MAX_FRAMES, MESSAGE_BYTES, &received);

	if (any && received.frames->len > 0) {
		news->peer = g_ptr_array_steal_index(received.frames, 0);
		news->sensor = g_strdup(received.user ? received.user : "");
		news->address = plain_address(received.address);
		news->garbage = read_message(bus, &received, news);
		if (news->garbage)
			news->event = BUS_COLLECTOR_GARBAGE;
	}
	received_clear(&received);
	return news->event != BUS_COLLECTOR_NOTHING;
}

/* Waits once, serves ZAP and the stream.  FALSE: a message, a descriptor, or the time is up. */
static gboolean
collector_poll_once(struct bus_collector *bus, zmq_pollitem_t *items, guint n_items,
		    gint64 deadline, struct bus_collector_news *news)
{
	guint timeout_ms = milliseconds_until(deadline);
	gboolean signalled = FALSE, rebind;

	restore_live(bus);
	rebind = !bus->live && *bus->publish;
	/* A fd of -1 is passed over by poll(2), while there is no stream. */
	items[2] = (zmq_pollitem_t){.socket = bus->live, .fd = -1, .events = ZMQ_POLLIN};
	if (zmq_poll(items, (int)n_items, rebind ? MIN(timeout_ms, REBIND_MS) : timeout_ms) < 0)
		return errno == EINTR && timeout_ms > 0;
	if (items[0].revents)
		zap_answer(bus);
	if (bus->live && items[2].revents)
		vet_subscription(bus);
	for (guint i = 3; i < n_items; i++)
		signalled |= items[i].revents != 0;
	if (items[1].revents && collector_receive(bus, news))
		return FALSE;
	return !signalled && timeout_ms > 0;
}

void
bus_collector_poll(struct bus_collector *bus, const int *fds, gsize n_fds, guint timeout_ms,
		   struct bus_collector_news *ret_news)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_autofree zmq_pollitem_t *items = g_new0(zmq_pollitem_t, n_fds + 3);
	struct bus_collector_news news = {.event = BUS_COLLECTOR_NOTHING};

	items[0] = (zmq_pollitem_t){.socket = bus->zap, .events = ZMQ_POLLIN};
	items[1] = (zmq_pollitem_t){.socket = bus->router, .events = ZMQ_POLLIN};
	for (gsize i = 0; i < n_fds; i++)
		items[3 + i] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
	while (collector_poll_once(bus, items, (guint)n_fds + 3, deadline, &news))
		;
	*ret_news = news;
}

void
bus_collector_news_clear(struct bus_collector_news *news)
{
	g_free(news->sensor);
	g_free(news->tenant);
	g_free(news->address);
	g_free(news->counters);
	g_free(news->topic);
	g_clear_pointer(&news->peer, g_bytes_unref);
	g_clear_pointer(&news->events, g_ptr_array_unref);
	g_clear_pointer(&news->state, g_bytes_unref);
	*news = (struct bus_collector_news){.event = BUS_COLLECTOR_NOTHING};
}

/* ---- a reader of the live stream ---- */

struct bus_watch {
	void *context;
	void *socket;
	void *monitor;
	gboolean denied;
};

static gboolean
watch_connect(struct bus_watch *watch, const char *endpoint, const struct key_pair *pair,
	      const char *server_key, const char *topic, GError **error)
{
	watch->socket = make_socket(watch->context, ZMQ_SUB, WALL_BYTES, error);
	if (!watch->socket)
		return FALSE;
	set_int(watch->socket, ZMQ_RCVHWM, LIVE_QUEUED);
	if (!set_client(watch->socket, pair, server_key, error))
		return FALSE;
	if (zmq_setsockopt(watch->socket, ZMQ_SUBSCRIBE, topic, strlen(topic)) != 0)
		return set_zmq_error(error, BUS_ERROR_SYSTEM, "subscribe to", topic);
	watch->monitor = make_monitor(watch->context, watch->socket, 0, error);
	return watch->monitor && connect_to(watch->socket, endpoint, error);
}

struct bus_watch *
bus_watch_new(const char *endpoint, const struct key_pair *pair, const char *server_key,
	      const char *tenant, GError **error)
{
	struct bus_watch *watch = g_new0(struct bus_watch, 1);
	g_autofree char *topic = tenant ? g_strconcat(tenant, "/", NULL) : g_strdup("");

	watch->context = zmq_ctx_new();
	if (!watch->context)
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a context");
	if (watch->context && watch_connect(watch, endpoint, pair, server_key, topic, error))
		return watch;
	bus_watch_free(watch);
	return NULL;
}

static void
watch_connection(struct bus_watch *watch)
{
	int event;

	while ((event = monitor_event(watch->monitor)))
		watch->denied = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ||
				(watch->denied && event == ZMQ_EVENT_DISCONNECTED);
}

/* Takes one event, or NULL: nothing came, or something that is not topic and event. */
static GBytes *
watch_receive(struct bus_watch *watch)
{
	struct received received;
	GBytes *event = NULL;

	if (receive(watch->socket, 2, MESSAGE_BYTES, &received) && !received.cut &&
	    received.frames->len == 2 &&
	    g_bytes_get_size(received.frames->pdata[1]) <= CAP_EVENT_BYTES)
		event = g_bytes_ref(received.frames->pdata[1]);
	received_clear(&received);
	return event;
}

GBytes *
bus_watch_next(struct bus_watch *watch, guint timeout_ms)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	GBytes *event = NULL;
	guint left_ms;

	do {
		zmq_pollitem_t items[] = {
			{.socket = watch->socket, .events = ZMQ_POLLIN},
			{.socket = watch->monitor, .events = ZMQ_POLLIN},
		};

		left_ms = milliseconds_until(deadline);
		if (zmq_poll(items, G_N_ELEMENTS(items), left_ms) < 0)
			break; /* a signal: the caller looks why */
		if (items[1].revents)
			watch_connection(watch);
		if (items[0].revents)
			event = watch_receive(watch);
	} while (!event && left_ms > 0);
	return event;
}

gboolean
bus_watch_denied(struct bus_watch *watch)
{
	return watch->denied;
}

void
bus_watch_free(struct bus_watch *watch)
{
	if (!watch)
		return;
	if (watch->socket)
		zmq_socket_monitor(watch->socket, NULL, 0);
	close_socket(&watch->monitor);
	close_socket(&watch->socket);
	if (watch->context)
		zmq_ctx_term(watch->context);
	g_free(watch);
}
