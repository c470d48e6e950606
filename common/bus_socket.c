/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "bus_frames.h"
#include "caps.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01" /* ZeroMQ RFC 27 */

/* libzmq cuts a peer off for it without a word: a wall behind the check of CAP_EVENT_BYTES. */
#define WALL_BYTES (2 * CAP_EVENT_BYTES)
#define BATCHES_QUEUED 8    /* of a connection, at either side; each up to CAP_BATCH_BYTES */
#define ANSWERS_QUEUED 1000 /* of a connection; they are small */
#define LIVE_QUEUED 200	    /* of a reader; a slower one loses events */
#define HEARTBEAT_TIMEOUT_MS (3 * BUS_HEARTBEAT_MS)
#define CONNECT_TIMEOUT_MS 10000
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 5000
#define SOCKET_FILE_MODE 0660 /* of ipc:; the directory decides who comes near it */
#define IPC_PREFIX "ipc://"
#define TCP_PREFIX "tcp://"

/* What is special to a kind of socket; 0 leaves what libzmq has. */
static const struct kind {
	int type;
	gint64 max_frame_bytes;
	int receive_queue, send_queue;
	int special; /* an option to set to 1 */
} kinds[] = {
	[BUS_SOCKET_SENSOR] = {ZMQ_DEALER, BUS_ANSWER_BYTES, ANSWERS_QUEUED, BATCHES_QUEUED,
			       ZMQ_IMMEDIATE},
	[BUS_SOCKET_ROUTER] = {ZMQ_ROUTER, WALL_BYTES, BATCHES_QUEUED, ANSWERS_QUEUED, 0},
	[BUS_SOCKET_LIVE] = {ZMQ_XPUB, BUS_SUBSCRIPTION_BYTES, 0, LIVE_QUEUED, ZMQ_XPUB_MANUAL},
	[BUS_SOCKET_WATCH] = {ZMQ_SUB, WALL_BYTES, LIVE_QUEUED, 0, 0},
};

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

struct bus_context *
bus_context_new(GError **error)
{
	void *context = zmq_ctx_new();

	if (!context)
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a context");
	return context;
}

void
bus_context_free(struct bus_context *context)
{
	if (context)
		zmq_ctx_term(context);
}

/* What is alike in all kinds. */
static void
set_common(void *socket)
{
	set_int(socket, ZMQ_LINGER, 0);
	set_int(socket, ZMQ_IPV6, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
	set_int(socket, ZMQ_HEARTBEAT_IVL, BUS_HEARTBEAT_MS);
	set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
	set_int(socket, ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS);
	set_int(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS);
	set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
	set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

static void
set_special(void *socket, const struct kind *kind)
{
	set_max_frame(socket, kind->max_frame_bytes);
	if (kind->receive_queue)
		set_int(socket, ZMQ_RCVHWM, kind->receive_queue);
	if (kind->send_queue)
		set_int(socket, ZMQ_SNDHWM, kind->send_queue);
	if (kind->special)
		set_int(socket, kind->special, 1);
}

struct bus_socket *
bus_socket_new(struct bus_context *context, enum bus_socket_kind kind, GError **error)
{
	void *socket = zmq_socket(context, kinds[kind].type);

	if (!socket) {
		set_zmq_error(error, BUS_ERROR_SYSTEM, "make", "a socket");
		return NULL;
	}
	set_common(socket);
	set_special(socket, &kinds[kind]);
	return socket;
}

struct bus_socket *
bus_socket_new_zap(struct bus_context *context, GError **error)
{
	struct bus_socket *socket = zmq_socket(context, ZMQ_REP);

	if (socket && zmq_bind(socket, ZAP_ENDPOINT) == 0) {
		set_int(socket, ZMQ_LINGER, 0);
		return socket;
	}
	set_zmq_error(error, BUS_ERROR_SYSTEM, "start", "the ZAP handler");
	bus_socket_close(&socket);
	return NULL;
}

void
bus_socket_close(struct bus_socket **socket)
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

gboolean
bus_socket_serve(struct bus_socket *socket, const struct key_pair *pair, const char *domain,
		 GError **error)
{
	set_int(socket, ZMQ_CURVE_SERVER, 1);
	/* With a domain, libzmq lets nobody in unless the ZAP handler says so. */
	if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) != 0)
		return set_zmq_error(error, BUS_ERROR_SYSTEM, "set the ZAP domain", domain);
	return set_key(socket, ZMQ_CURVE_SECRETKEY, pair->secret_key, error);
}

gboolean
bus_socket_be_client(struct bus_socket *socket, const struct key_pair *pair, const char *server_key,
		     GError **error)
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

gboolean
bus_socket_connect(struct bus_socket *socket, const char *endpoint, GError **error)
{
	if (!check_endpoint(endpoint, error))
		return FALSE;
	if (zmq_connect(socket, endpoint) == 0)
		return TRUE;
	return set_zmq_error(error, BUS_ERROR_ENDPOINT, "connect to", endpoint);
}

char *
bus_socket_bind(struct bus_socket *socket, const char *endpoint, GError **error)
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

gboolean
bus_socket_subscribe(struct bus_socket *socket, gboolean on, const char *topic, GError **error)
{
	if (zmq_setsockopt(socket, on ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, topic, strlen(topic)) == 0)
		return TRUE;
	return set_zmq_error(error, BUS_ERROR_SYSTEM, "subscribe to", topic);
}

/* ---- messages ---- */

void
bus_received_clear(struct bus_received *received)
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
keep_frame(struct bus_received *received, zmq_msg_t *frame, guint max_frames, gsize max_bytes,
	   gsize *total)
{
	note_property(frame, "User-Id", &received->user);
	note_property(frame, BUS_KEY_PROPERTY, &received->key);
	note_property(frame, "Peer-Address", &received->address);
	*total += zmq_msg_size(frame);
	if (received->frames->len >= max_frames || *total > max_bytes)
		received->cut = TRUE;
	if (!received->cut)
		g_ptr_array_add(received->frames,
				g_bytes_new(zmq_msg_data(frame), zmq_msg_size(frame)));
}

gboolean
bus_socket_receive(struct bus_socket *socket, guint max_frames, gsize max_bytes,
		   struct bus_received *received)
{
	gboolean more = TRUE, any = FALSE;
	gsize total = 0;

	*received = (struct bus_received){
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

gboolean
bus_socket_send(struct bus_socket *socket, const void *bytes, gsize size, gboolean more)
{
	return zmq_send(socket, size ? bytes : "", size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >=
	       0;
}

gboolean
bus_socket_send_frames(struct bus_socket *socket, const GPtrArray *frames)
{
	for (guint i = 0; i < frames->len; i++) {
		gsize size;
		const void *bytes = g_bytes_get_data(frames->pdata[i], &size);
		if (!bus_socket_send(socket, bytes, size, i + 1 < frames->len) && i == 0)
			return FALSE;
	}
	return TRUE;
}

/* ---- a socket's monitor: what became of its connection ---- */

#define HANDSHAKE_FAILED                                                         \
	(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | \
	 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define MONITORED (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | HANDSHAKE_FAILED | ZMQ_EVENT_DISCONNECTED)

struct bus_socket *
bus_monitor_new(struct bus_context *context, struct bus_socket *socket, guint number,
		GError **error)
{
	g_autofree char *address = g_strdup_printf("inproc://monitor-%u", number);
	struct bus_socket *monitor;

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
	bus_socket_close(&monitor);
	return NULL;
}

/* Returns the next of MONITORED, or 0. */
static int
monitored_event(struct bus_socket *monitor)
{
	struct bus_received received;
	guint16 event = 0;

	if (bus_socket_receive(monitor, 2, BUS_ANSWER_BYTES, &received) &&
	    received.frames->len > 0 && g_bytes_get_size(received.frames->pdata[0]) >= sizeof event)
		memcpy(&event, g_bytes_get_data(received.frames->pdata[0], NULL), sizeof event);
	bus_received_clear(&received);
	return event;
}

enum bus_link
bus_monitor_next(struct bus_socket *monitor)
{
	int event = monitored_event(monitor);

	if (event == 0)
		return BUS_LINK_SAME;
	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
		return BUS_LINK_UP;
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
		return BUS_LINK_DENIED;
	return event & HANDSHAKE_FAILED ? BUS_LINK_FAILED : BUS_LINK_DOWN;
}

void
bus_monitor_close(struct bus_socket **monitor, struct bus_socket **socket)
{
	if (*socket)
		zmq_socket_monitor(*socket, NULL, 0);
	bus_socket_close(monitor);
	bus_socket_close(socket);
}

/* ---- waiting ---- */

gboolean
bus_wait(struct bus_wait *waits, guint count, guint timeout_ms)
{
	zmq_pollitem_t *items = g_new0(zmq_pollitem_t, count);
	int ready, failed;

	for (guint i = 0; i < count; i++)
		items[i] = (zmq_pollitem_t){
			waits[i].socket, waits[i].fd,
			(short)(ZMQ_POLLIN | (waits[i].to_send ? ZMQ_POLLOUT : 0)), 0};
	ready = zmq_poll(items, (int)count, timeout_ms);
	failed = errno;
	for (guint i = 0; i < count; i++)
		waits[i].readable = ready >= 0 && (items[i].revents & ~ZMQ_POLLOUT) != 0;
	g_free(items);
	errno = failed;
	return ready >= 0;
}

guint
bus_milliseconds_until(gint64 deadline_us)
{
	gint64 left_us = deadline_us - g_get_monotonic_time();

	return left_us > 0 ? (guint)((left_us + 999) / 1000) : 0;
}
