/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bus_live.h"

#include <string.h>

#define CLOSING_MS 200 /* given to a socket to close */
#define REBIND_MS 20   /* between attempts, while the old socket is still closing */

struct bus_live {
	struct bus_context *context; /* borrowed */
	const struct bus_zap *zap;   /* borrowed */
	struct bus_socket *socket;   /* NULL while it is being bound anew */
	gint64 rebind_us;
	struct key_pair pair;
	char *endpoint; /* as bound */
};

/* Makes and binds the socket.  FALSE leaves none. */
static gboolean
open_stream(struct bus_live *live, const char *endpoint, GError **error)
{
	char *bound = NULL;

	live->socket = bus_socket_new(live->context, BUS_SOCKET_LIVE, error);
	if (!live->socket)
		return FALSE;
	if (bus_socket_serve(live->socket, &live->pair, BUS_DOMAIN_LIVE, error))
		bound = bus_socket_bind(live->socket, endpoint, error);
	if (!bound) {
		bus_socket_close(&live->socket);
		return FALSE;
	}
	g_free(live->endpoint);
	live->endpoint = bound;
	return TRUE;
}

struct bus_live *
bus_live_new(struct bus_context *context, const char *endpoint, const struct key_pair *pair,
	     const struct bus_zap *zap, GError **error)
{
	struct bus_live *live = g_new0(struct bus_live, 1);

	live->context = context;
	live->zap = zap;
	live->pair = *pair;
	if (open_stream(live, endpoint, error))
		return live;
	bus_live_free(live);
	return NULL;
}

void
bus_live_free(struct bus_live *live)
{
	if (!live)
		return;
	bus_socket_close(&live->socket);
	key_pair_clear(&live->pair);
	g_free(live->endpoint);
	g_free(live);
}

const char *
bus_live_endpoint(const struct bus_live *live)
{
	return live->endpoint;
}

struct bus_socket *
bus_live_socket(struct bus_live *live)
{
	return live->socket;
}

void
bus_live_interrupt(struct bus_live *live)
{
	/* libzmq cannot end one connection of a socket: it ends all, and the rest come again. */
	bus_socket_close(&live->socket);
	live->rebind_us = g_get_monotonic_time() + CLOSING_MS * 1000;
}

/*
 * The old socket is closed in libzmq's own thread: until then a TCP port is taken,
 * and some versions of libzmq remove the file of an ipc: path as late as that.
 */
void
bus_live_restore(struct bus_live *live)
{
	gint64 now = g_get_monotonic_time();
	g_autofree char *endpoint = NULL;

	if (live->socket || now < live->rebind_us)
		return;
	live->rebind_us = now + REBIND_MS * 1000;
	endpoint = g_strdup(live->endpoint);
	open_stream(live, endpoint, NULL);
}

guint
bus_live_timeout(const struct bus_live *live, guint timeout_ms)
{
	return live->socket ? timeout_ms : MIN(timeout_ms, REBIND_MS);
}

/*
 * Returns the topic that a request to subscribe stands for, or NULL if it is
 * refused.  A reader gets its tenant's events whatever shorter prefix it asks
 * for, or one sensor's of its tenant; nothing else, so that the table of
 * subscriptions is bounded by authorized_keys.
 */
static char *
grant_topic(const struct bus_live *live, const struct authorized_key *entry, const char *asked)
{
	g_autofree char *own = g_strconcat(entry->tenant, "/", NULL);

	if (g_str_has_prefix(own, asked))
		return g_steal_pointer(&own);
	if (g_str_has_prefix(asked, own) && bus_zap_knows(live->zap, asked + strlen(own)))
		return g_strdup(asked);
	return NULL;
}

void
bus_live_vet(struct bus_live *live)
{
	const struct authorized_key *entry;
	struct bus_received request;

	if (bus_socket_receive(live->socket, 1, BUS_SUBSCRIPTION_BYTES, &request) &&
	    request.frames->len == 1 && g_bytes_get_size(request.frames->pdata[0]) > 0) {
		gsize size;
		const char *bytes = g_bytes_get_data(request.frames->pdata[0], &size);
		g_autofree char *asked = g_strndup(bytes + 1, size - 1);
		g_autofree char *topic = NULL;

		entry = bus_zap_entry(live->zap, &request, ROLE_SUBSCRIBE);
		if (entry)
			topic = grant_topic(live, entry, asked);
		if (topic)
			bus_socket_subscribe(live->socket, bytes[0] != 0, topic, NULL);
	}
	bus_received_clear(&request);
}

void
bus_live_publish(struct bus_live *live, const char *tenant, const char *sensor, GBytes *event)
{
	g_autofree char *topic = g_strconcat(tenant, "/", sensor, NULL);
	gsize size;
	const void *bytes = g_bytes_get_data(event, &size);

	if (live->socket && bus_socket_send(live->socket, topic, strlen(topic), TRUE))
		bus_socket_send(live->socket, bytes, size, FALSE);
}
