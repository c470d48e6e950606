/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "bus_frames.h"
#include "bus_live.h"
#include "caps.h"

/* What is waited for: our sockets, then the caller's descriptors. */
enum { WAIT_ZAP, WAIT_ROUTER, WAIT_LIVE, WAIT_OTHERS };

/* The connections that lately used one sensor's key. */
struct talker {
	GBytes *current;
	GBytes *previous; /* or NULL */
};

struct bus_collector {
	struct bus_context *context;
	struct bus_zap *zap;
	struct bus_socket *router;
	struct bus_live *live; /* NULL without a stream */
	GPtrArray *endpoints;  /* of char *, as bound */
	GHashTable *talkers;   /* name of a sensor → struct talker */
};

static void
talker_free(gpointer pointer)
{
	struct talker *talker = pointer;

	g_bytes_unref(talker->current);
	g_clear_pointer(&talker->previous, g_bytes_unref);
	g_free(talker);
}

static gboolean
open_router(struct bus_collector *bus, const char *const *listen, const struct key_pair *pair,
	    GError **error)
{
	bus->router = bus_socket_new(bus->context, BUS_SOCKET_ROUTER, error);
	if (!bus->router || !bus_socket_serve(bus->router, pair, BUS_DOMAIN_EVENTS, error))
		return FALSE;
	for (guint i = 0; listen[i]; i++) {
		char *bound = bus_socket_bind(bus->router, listen[i], error);
		if (!bound)
			return FALSE;
		g_ptr_array_add(bus->endpoints, bound);
	}
	return TRUE;
}

/* Opens the handler first: it must be there before a server socket is.  Takes keys. */
static gboolean
open_all(struct bus_collector *bus, const char *const *listen, const char *publish,
	 const struct key_pair *pair, struct authorized_keys *keys, GError **error)
{
	bus->context = bus_context_new(error);
	if (bus->context)
		bus->zap = bus_zap_new(bus->context, keys, error);
	if (!bus->zap) {
		authorized_keys_free(keys);
		return FALSE;
	}
	if (!open_router(bus, listen, pair, error))
		return FALSE;
	if (*publish)
		bus->live = bus_live_new(bus->context, publish, pair, bus->zap, error);
	return bus->live || !*publish;
}

struct bus_collector *
bus_collector_new(const char *const *listen, const char *publish, const struct key_pair *pair,
		  struct authorized_keys *keys, GError **error)
{
	struct bus_collector *bus = g_new0(struct bus_collector, 1);

	bus->endpoints = g_ptr_array_new_with_free_func(g_free);
	bus->talkers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, talker_free);
	if (open_all(bus, listen, publish, pair, keys, error))
		return bus;
	bus_collector_free(bus);
	return NULL;
}

void
bus_collector_free(struct bus_collector *bus)
{
	if (!bus)
		return;
	bus_live_free(bus->live);
	bus_socket_close(&bus->router);
	bus_zap_free(bus->zap);
	bus_context_free(bus->context);
	g_ptr_array_unref(bus->endpoints);
	g_hash_table_unref(bus->talkers);
	g_free(bus);
}

const char *
bus_collector_endpoint(struct bus_collector *bus, guint i)
{
	if (i < bus->endpoints->len)
		return bus->endpoints->pdata[i];
	return bus->live ? bus_live_endpoint(bus->live) : "";
}

void
bus_collector_set_keys(struct bus_collector *bus, struct authorized_keys *keys)
{
	g_hash_table_remove_all(bus->talkers);
	if (bus_zap_set_keys(bus->zap, keys) && bus->live)
		bus_live_interrupt(bus->live);
}

void
bus_collector_publish(struct bus_collector *bus, const char *tenant, const char *sensor,
		      GBytes *event)
{
	if (bus->live)
		bus_live_publish(bus->live, tenant, sensor, event);
}

static void
send_to(struct bus_collector *bus, GBytes *peer, const char *epoch, struct bus_message *message)
{
	g_autoptr(GPtrArray) frames = NULL;
	gsize size;
	const void *id = g_bytes_get_data(peer, &size);

	g_strlcpy(message->epoch, epoch, sizeof message->epoch);
	frames = bus_message_format(message);
	/* To a peer that has gone, a ROUTER takes the frames and drops them. */
	if (bus_socket_send(bus->router, id, size, TRUE))
		bus_socket_send_frames(bus->router, frames);
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
read_message(struct bus_collector *bus, const struct bus_received *received,
	     struct bus_collector_news *news)
{
	const struct authorized_key *entry = bus_zap_entry(bus->zap, received, ROLE_PUBLISH);
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
	struct bus_received received;
	gboolean any =
		bus_socket_receive(bus->router, 1 + BUS_MAX_FRAMES, BUS_MESSAGE_BYTES, &received);

	if (any && received.frames->len > 0) {
		news->peer = g_ptr_array_steal_index(received.frames, 0);
		news->sensor = g_strdup(received.user ? received.user : "");
		news->address = plain_address(received.address);
		news->garbage = read_message(bus, &received, news);
		if (news->garbage)
			news->event = BUS_COLLECTOR_GARBAGE;
	}
	bus_received_clear(&received);
	return news->event != BUS_COLLECTOR_NOTHING;
}

/* Waits once, serves ZAP and the stream.  FALSE: a message, a descriptor, or the time is up. */
static gboolean
poll_once(struct bus_collector *bus, struct bus_wait *waits, guint count, gint64 deadline,
	  struct bus_collector_news *news)
{
	guint timeout_ms = bus_milliseconds_until(deadline), wait_ms = timeout_ms;
	gboolean signalled = FALSE;

	if (bus->live) {
		bus_live_restore(bus->live);
		wait_ms = bus_live_timeout(bus->live, timeout_ms);
		waits[WAIT_LIVE].socket = bus_live_socket(bus->live);
	}
	if (!bus_wait(waits, count, wait_ms))
		return errno == EINTR && timeout_ms > 0;
	if (waits[WAIT_ZAP].readable)
		bus_zap_answer(bus->zap);
	if (waits[WAIT_LIVE].readable)
		bus_live_vet(bus->live);
	for (guint i = WAIT_OTHERS; i < count; i++)
		signalled |= waits[i].readable;
	if (waits[WAIT_ROUTER].readable && collector_receive(bus, news))
		return FALSE;
	return !signalled && timeout_ms > 0;
}

void
bus_collector_poll(struct bus_collector *bus, const int *fds, gsize n_fds, guint timeout_ms,
		   struct bus_collector_news *ret_news)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_autofree struct bus_wait *waits = g_new0(struct bus_wait, n_fds + WAIT_OTHERS);
	struct bus_collector_news news = {.event = BUS_COLLECTOR_NOTHING};

	waits[WAIT_ZAP].socket = bus_zap_socket(bus->zap);
	waits[WAIT_ROUTER].socket = bus->router;
	waits[WAIT_LIVE].fd = -1; /* while there is no stream */
	for (gsize i = 0; i < n_fds; i++)
		waits[WAIT_OTHERS + i].fd = fds[i];
	while (poll_once(bus, waits, (guint)n_fds + WAIT_OTHERS, deadline, &news))
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
