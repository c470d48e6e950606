/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "bus_frames.h"
#include "bus_socket.h"
#include "caps.h"

#define DENIED_RETRY_MS 2000 /* a session that was denied libzmq does not try again by itself */

struct bus_sensor {
	struct bus_context *context;
	struct bus_socket *socket;
	struct bus_socket *monitor;
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
	bus->socket = bus_socket_new(bus->context, BUS_SOCKET_SENSOR, error);
	if (!bus->socket)
		return FALSE;
	if (!bus_socket_be_client(bus->socket, &bus->pair, bus->server_key, error))
		return FALSE;
	bus->monitor = bus_monitor_new(bus->context, bus->socket, bus->sockets++, error);
	return bus->monitor && bus_socket_connect(bus->socket, bus->endpoint, error);
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
	bus->context = bus_context_new(error);
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

	bus_monitor_close(&bus->monitor, &bus->socket);
	/* The same call succeeded with the same arguments; what fails it now is a lack of memory or
	 * descriptors, and the next deadline tries again. */
	if (!sensor_connect(bus, &error)) {
		bus_monitor_close(&bus->monitor, &bus->socket);
		sensor_retry_later(bus);
	}
}

static gboolean
sensor_send(struct bus_sensor *bus, const struct bus_message *message)
{
	g_autoptr(GPtrArray) frames = bus_message_format(message);

	return bus->socket && bus_socket_send_frames(bus->socket, frames);
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
	enum bus_link link;

	while ((link = bus_monitor_next(bus->monitor)) != BUS_LINK_SAME) {
		/* Succeeded, after a loss that was not noticed: a new connection all the same. */
		bus->greeted = FALSE;
		bus->connected = link == BUS_LINK_UP;
		if (link == BUS_LINK_DENIED)
			news->event = BUS_SENSOR_DENIED;
		if (link == BUS_LINK_DENIED || link == BUS_LINK_FAILED)
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
	struct bus_received received;

	if (bus_socket_receive(bus->socket, BUS_HEAD_FRAMES, BUS_ANSWER_BYTES, &received)) {
		if (!received.cut && !bus_message_parse(received.frames, &message))
			sensor_take(bus, &message, news);
		bus_message_clear(&message);
	}
	bus_received_clear(&received);
}

/* Waits once.  Returns FALSE when wake_fd was signalled or the time is up. */
static gboolean
sensor_poll_once(struct bus_sensor *bus, int wake_fd, gint64 deadline, struct bus_sensor_news *news)
{
	guint left_ms = bus_milliseconds_until(deadline), wait_ms = left_ms;
	/* A fd of -1 stands beside a socket that could not be made. */
	struct bus_wait waits[] = {
		{.socket = bus->socket, .fd = -1, .to_send = bus->connected && !bus->greeted},
		{.socket = bus->monitor, .fd = -1},
		{.fd = wake_fd},
	};

	if (bus->retry_us)
		wait_ms = MIN(left_ms, bus_milliseconds_until(bus->retry_us));
	if (!bus_wait(waits, G_N_ELEMENTS(waits), wait_ms))
		return errno == EINTR && left_ms > 0;
	if (waits[1].readable)
		sensor_watch_connection(bus, news);
	if (bus->socket)
		sensor_greet(bus);
	if (waits[0].readable && news->event == BUS_SENSOR_NOTHING)
		sensor_receive(bus, news);
	if (bus->retry_us && bus_milliseconds_until(bus->retry_us) == 0)
		bus_sensor_reconnect(bus);
	return !waits[2].readable && left_ms > 0;
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
	bus_monitor_close(&bus->monitor, &bus->socket);
	bus_context_free(bus->context);
	key_pair_clear(&bus->pair);
	g_free(bus->endpoint);
	g_free(bus);
}
