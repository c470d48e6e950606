/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus_socket.h"
#include "caps.h"

struct bus_watch {
	struct bus_context *context;
	struct bus_socket *socket;
	struct bus_socket *monitor;
	gboolean denied;
};

static gboolean
watch_connect(struct bus_watch *watch, const char *endpoint, const struct key_pair *pair,
	      const char *server_key, const char *topic, GError **error)
{
	watch->socket = bus_socket_new(watch->context, BUS_SOCKET_WATCH, error);
	if (!watch->socket)
		return FALSE;
	if (!bus_socket_be_client(watch->socket, pair, server_key, error) ||
	    !bus_socket_subscribe(watch->socket, TRUE, topic, error))
		return FALSE;
	watch->monitor = bus_monitor_new(watch->context, watch->socket, 0, error);
	return watch->monitor && bus_socket_connect(watch->socket, endpoint, error);
}

struct bus_watch *
bus_watch_new(const char *endpoint, const struct key_pair *pair, const char *server_key,
	      const char *tenant, GError **error)
{
	struct bus_watch *watch = g_new0(struct bus_watch, 1);
	g_autofree char *topic = tenant ? g_strconcat(tenant, "/", NULL) : g_strdup("");

	watch->context = bus_context_new(error);
	if (watch->context && watch_connect(watch, endpoint, pair, server_key, topic, error))
		return watch;
	bus_watch_free(watch);
	return NULL;
}

static void
watch_connection(struct bus_watch *watch)
{
	enum bus_link link;

	while ((link = bus_monitor_next(watch->monitor)) != BUS_LINK_SAME)
		watch->denied = link == BUS_LINK_DENIED || (watch->denied && link == BUS_LINK_DOWN);
}

/* Takes one event, or NULL: nothing came, or something that is not topic and event. */
static GBytes *
watch_receive(struct bus_watch *watch)
{
	struct bus_received received;
	GBytes *event = NULL;

	if (bus_socket_receive(watch->socket, 2, BUS_MESSAGE_BYTES, &received) && !received.cut &&
	    received.frames->len == 2 &&
	    g_bytes_get_size(received.frames->pdata[1]) <= CAP_EVENT_BYTES)
		event = g_bytes_ref(received.frames->pdata[1]);
	bus_received_clear(&received);
	return event;
}

GBytes *
bus_watch_next(struct bus_watch *watch, guint timeout_ms)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	GBytes *event = NULL;
	guint left_ms;

	do {
		struct bus_wait waits[] = {{.socket = watch->socket}, {.socket = watch->monitor}};

		left_ms = bus_milliseconds_until(deadline);
		if (!bus_wait(waits, G_N_ELEMENTS(waits), left_ms))
			break; /* a signal: the caller looks why */
		if (waits[1].readable)
			watch_connection(watch);
		if (waits[0].readable)
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
	bus_monitor_close(&watch->monitor, &watch->socket);
	bus_context_free(watch->context);
	g_free(watch);
}
