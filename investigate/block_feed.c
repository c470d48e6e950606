/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_feed.h"

#include <string.h>

#define EXPIRE_AT_ONCE 1000 /* blocks; the rest in the next second */

/* A sensor's copy, as it said last. */
struct copy {
	char *sensor, *tenant;
	GBytes *peer; /* its newest connection */
	char epoch[37];
	struct block_state state;
	gint64 sent_us; /* when a chunk was sent that no HAVE has answered yet; 0: none */
};

struct block_feed {
	struct store *store;
	block_feed_send_fn send;
	void *data;
	GHashTable *copies; /* of struct copy, by sensor */
};

static void
copy_free(struct copy *copy)
{
	g_clear_pointer(&copy->peer, g_bytes_unref);
	g_free(copy->sensor);
	g_free(copy->tenant);
	g_free(copy);
}

struct block_feed *
block_feed_new(struct store *store, block_feed_send_fn send, void *data)
{
	struct block_feed *feed = g_new0(struct block_feed, 1);

	feed->store = store;
	feed->send = send;
	feed->data = data;
	feed->copies =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)copy_free);
	return feed;
}

void
block_feed_free(struct block_feed *feed)
{
	if (!feed)
		return;
	g_hash_table_unref(feed->copies);
	g_free(feed);
}

static gboolean
same_list(const struct block_state *a, const struct block_state *b)
{
	return memcmp(a->list, b->list, BLOCK_LIST_ID_BYTES) == 0;
}

/* Sends the next chunk, unless one is under way or there is nothing to tell. */
static gboolean
push(struct block_feed *feed, struct copy *copy, const struct block_state *newest, GError **error)
{
	gboolean same = same_list(&copy->state, newest);
	g_autoptr(GBytes) bytes = NULL;
	struct block_chunk chunk;
	gboolean read;

	if (copy->sent_us || (same && copy->state.version == newest->version))
		return TRUE;
	block_chunk_init(&chunk);
	read = store_block_changes(feed->store, copy->tenant, same ? copy->state.version : 0,
				   &chunk, error);
	if (read) {
		bytes = block_chunk_format(&chunk);
		feed->send(feed->data, copy->peer, copy->epoch, bytes);
		copy->sent_us = g_get_monotonic_time();
	}
	block_chunk_clear(&chunk);
	return read;
}

/* The newest state; a new list if a sensor has a version that was never given out. */
static gboolean
newest_state(struct block_feed *feed, const struct copy *copy, struct block_state *ret_newest,
	     GError **error)
{
	if (!store_block_state(feed->store, ret_newest, error))
		return FALSE;
	if (!copy || !same_list(&copy->state, ret_newest) ||
	    copy->state.version <= ret_newest->version)
		return TRUE;
	return store_block_renew(feed->store, error) &&
	       store_block_state(feed->store, ret_newest, error);
}

static struct copy *
copy_of(struct block_feed *feed, const struct bus_collector_news *news)
{
	struct copy *copy = g_hash_table_lookup(feed->copies, news->sensor);

	if (!copy) {
		copy = g_new0(struct copy, 1);
		copy->sensor = g_strdup(news->sensor);
		g_hash_table_insert(feed->copies, copy->sensor, copy);
	}
	/* What was sent on another connection may be lost with it. */
	if (copy->peer && !g_bytes_equal(copy->peer, news->peer))
		copy->sent_us = 0;
	g_free(copy->tenant);
	copy->tenant = g_strdup(news->tenant);
	g_clear_pointer(&copy->peer, g_bytes_unref);
	copy->peer = g_bytes_ref(news->peer);
	g_strlcpy(copy->epoch, news->epoch, sizeof(copy->epoch));
	return copy;
}

gboolean
block_feed_have(struct block_feed *feed, const struct bus_collector_news *news, GError **error)
{
	struct block_state state, newest;
	struct copy *copy;
	gsize length;
	const void *bytes = g_bytes_get_data(news->state, &length);

	if (g_strcmp0(news->topic, BLOCK_TOPIC) != 0 || !block_state_parse(bytes, length, &state))
		return TRUE;
	copy = copy_of(feed, news);
	/*
	 * One that has not moved could not write what it was sent; it gets it
	 * again after a while, and not at once for ever.
	 */
	if (!same_list(&copy->state, &state) || copy->state.version != state.version)
		copy->sent_us = 0;
	copy->state = state;
	return newest_state(feed, copy, &newest, error) && push(feed, copy, &newest, error);
}

static gboolean
push_all(struct block_feed *feed, GError **error)
{
	struct block_state newest;
	GHashTableIter iter;
	gpointer copy;

	if (!newest_state(feed, NULL, &newest, error))
		return FALSE;
	g_hash_table_iter_init(&iter, feed->copies);
	while (g_hash_table_iter_next(&iter, NULL, &copy))
		if (!push(feed, copy, &newest, error))
			return FALSE;
	return TRUE;
}

gboolean
block_feed_changed(struct block_feed *feed, GError **error)
{
	return push_all(feed, error);
}

gboolean
block_feed_tick(struct block_feed *feed, GError **error)
{
	gint64 now = g_get_monotonic_time();
	GHashTableIter iter;
	gpointer value;
	guint ended;

	if (!store_block_expire(feed->store, g_get_real_time(), EXPIRE_AT_ONCE, &ended, error))
		return FALSE;
	g_hash_table_iter_init(&iter, feed->copies);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct copy *copy = value;

		if (copy->sent_us &&
		    now - copy->sent_us > BLOCK_FEED_PATIENCE_MS * G_TIME_SPAN_MILLISECOND)
			copy->sent_us = 0;
	}
	return push_all(feed, error);
}

GArray *
block_feed_sensors(struct block_feed *feed, const char *tenant, guint64 version,
		   const char *const *expected)
{
	GArray *sensors = g_array_new(FALSE, TRUE, sizeof(struct block_feed_sensor));
	struct block_state newest = {0};
	GHashTableIter iter;
	gpointer value;

	store_block_state(feed->store, &newest, NULL);
	g_hash_table_iter_init(&iter, feed->copies);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct copy *copy = value;
		const struct block_feed_sensor sensor = {copy->sensor,
							 same_list(&copy->state, &newest) &&
								 copy->state.version >= version};

		if (g_str_equal(copy->tenant, tenant))
			g_array_append_val(sensors, sensor);
	}
	for (; *expected; expected++) {
		const struct block_feed_sensor sensor = {*expected, FALSE};

		if (!g_hash_table_contains(feed->copies, *expected))
			g_array_append_val(sensors, sensor);
	}
	return sensors;
}
