/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "block_feed.h"
#include "store_fixture.h"

/* A feed, and the chunk that it sent last. */
struct site {
	struct store_fixture fixture;
	struct block_feed *feed;
	guint sent;
	char *peer;
	GBytes *chunk;
};

static void
note_sent(void *data, GBytes *peer, const char *epoch, GBytes *chunk)
{
	struct site *site = data;

	site->sent++;
	g_free(site->peer);
	site->peer = g_strndup(g_bytes_get_data(peer, NULL), g_bytes_get_size(peer));
	g_clear_pointer(&site->chunk, g_bytes_unref);
	site->chunk = g_bytes_ref(chunk);
}

static void
site_init(struct site *site)
{
	*site = (struct site){0};
	store_fixture_init(&site->fixture);
	site->feed = block_feed_new(site->fixture.store, note_sent, site);
}

static void
site_clear(struct site *site)
{
	block_feed_free(site->feed);
	g_clear_pointer(&site->chunk, g_bytes_unref);
	g_free(site->peer);
	store_fixture_clear(&site->fixture);
}

static void
say(struct site *site, const char *sensor, const char *peer, GBytes *state)
{
	struct bus_collector_news news = {
		.event = BUS_COLLECTOR_HAVE,
		.sensor = (char *)sensor,
		.tenant = (char *)"a",
		.peer = g_bytes_new(peer, strlen(peer)),
		.topic = (char *)BLOCK_TOPIC,
		.state = state,
	};
	GError *error = NULL;

	expect_ok(block_feed_have(site->feed, &news, &error), error);
	g_bytes_unref(news.peer);
}

static void
have(struct site *site, const char *sensor, const char *peer, struct block_state state)
{
	g_autoptr(GBytes) bytes = block_state_format(&state);

	say(site, sensor, peer, bytes);
}

/* What the sensor has once it has taken the chunk that was sent last. */
static struct block_state
taken(const struct site *site)
{
	struct block_state state = {{0}};
	struct block_chunk chunk;

	cr_assert_null(block_chunk_parse(g_bytes_get_data(site->chunk, NULL),
					 g_bytes_get_size(site->chunk), &chunk));
	memcpy(state.list, chunk.list, sizeof(state.list));
	state.version = chunk.to;
	block_chunk_clear(&chunk);
	return state;
}

/* Blocks so many files. */
static void
block(struct site *site, guint first, guint count)
{
	GError *error = NULL;

	expect_ok(store_begin(site->fixture.store, &error), error);
	for (guint i = first; i < first + count; i++) {
		g_autofree char *hex = g_strdup_printf("%032x", i);
		struct store_block block = {.what = hex, .mode = BLOCK_REJECT};
		struct block_key key;
		struct digest digest;
		gboolean is_new;

		digest_from_hex(hex, &digest);
		block_key_of_digest(&digest, &key);
		expect_ok(
			store_block_add(site->fixture.store, "a", &block, &key, 1, &is_new, &error),
			error);
	}
	expect_ok(store_commit(site->fixture.store, &error), error);
	expect_ok(block_feed_changed(site->feed, &error), error);
}

/* Returns how many of the tenant's sensors have the newest version, of *ret_all. */
static guint
current(struct site *site, guint *ret_all)
{
	static const char *const expected[] = {"mx1", "mx2", NULL};
	struct block_state state;
	g_autoptr(GArray) sensors = NULL;
	guint count = 0;

	cr_assert(store_block_state(site->fixture.store, &state, NULL));
	sensors = block_feed_sensors(site->feed, "a", state.version, expected);
	for (guint i = 0; i < sensors->len; i++)
		count += g_array_index(sensors, struct block_feed_sensor, i).current;
	*ret_all = sensors->len;
	return count;
}

Test(block_feed, new_sensor_gets_the_list_and_is_current_when_it_has_it)
{
	struct site site;
	guint all;

	site_init(&site);
	block(&site, 0, 3);
	cr_assert_eq(current(&site, &all), 0);
	cr_assert_eq(all, 2, "expected sensors count before they come");
	have(&site, "mx1", "p1", (struct block_state){{0}});
	cr_assert_eq(site.sent, 1);
	cr_assert_eq(current(&site, &all), 0);
	have(&site, "mx1", "p1", taken(&site));
	cr_assert_eq(site.sent, 1, "nothing more to tell");
	cr_assert_eq(current(&site, &all), 1);
	cr_assert_eq(all, 2);
	site_clear(&site);
}

Test(block_feed, change_is_sent_at_once_and_the_next_after_the_answer)
{
	struct site site;

	site_init(&site);
	have(&site, "mx1", "p1", (struct block_state){{0}});
	have(&site, "mx1", "p1", taken(&site));
	site.sent = 0;
	block(&site, 0, 1);
	cr_assert_eq(site.sent, 1);
	block(&site, 1, 1);
	cr_assert_eq(site.sent, 1, "one is under way");
	have(&site, "mx1", "p1", taken(&site));
	cr_assert_eq(site.sent, 2);
	site_clear(&site);
}

Test(block_feed, long_list_goes_chunk_by_chunk)
{
	struct site site;
	guint all;

	site_init(&site);
	block(&site, 0, BLOCK_CHUNK_ENTRIES + 1);
	have(&site, "mx1", "p1", (struct block_state){{0}});
	have(&site, "mx1", "p1", taken(&site));
	cr_assert_eq(site.sent, 2);
	cr_assert_eq(current(&site, &all), 0);
	have(&site, "mx1", "p1", taken(&site));
	cr_assert_eq(site.sent, 2);
	cr_assert_eq(current(&site, &all), 1);
	site_clear(&site);
}

Test(block_feed, new_connection_is_told_again)
{
	struct site site;

	site_init(&site);
	block(&site, 0, 1);
	have(&site, "mx1", "p1", (struct block_state){{0}});
	have(&site, "mx1", "p2", (struct block_state){{0}});
	cr_assert_eq(site.sent, 2);
	cr_assert_str_eq(site.peer, "p2");
	site_clear(&site);
}

/* A sensor whose disk is full says what it had: told again at once it would be so for ever. */
Test(block_feed, sensor_that_has_not_moved_is_left_for_a_while)
{
	struct site site;

	site_init(&site);
	block(&site, 0, 1);
	have(&site, "mx1", "p1", (struct block_state){{0}});
	have(&site, "mx1", "p1", (struct block_state){{0}});
	cr_assert_eq(site.sent, 1);
	site_clear(&site);
}

/* The store was put back from a copy: its versions would mean something else to the sensor. */
Test(block_feed, version_that_was_never_given_out_renews_the_list)
{
	struct block_state state, renewed;
	struct site site;

	site_init(&site);
	block(&site, 0, 2);
	cr_assert(store_block_state(site.fixture.store, &state, NULL));
	state.version += 5;
	have(&site, "mx1", "p1", state);
	cr_assert(store_block_state(site.fixture.store, &renewed, NULL));
	cr_assert_neq(memcmp(state.list, renewed.list, sizeof(state.list)), 0);
	cr_assert_eq(site.sent, 1);
	cr_assert_eq(taken(&site).version, renewed.version);
	cr_assert_arr_eq(taken(&site).list, renewed.list, sizeof(renewed.list));
	site_clear(&site);
}

Test(block_feed, garbage_for_a_state_is_passed_over)
{
	g_autoptr(GBytes) garbage = g_bytes_new_static("garbage", 7);
	struct site site;

	site_init(&site);
	block(&site, 0, 1);
	say(&site, "mx1", "p1", garbage);
	cr_assert_eq(site.sent, 0);
	site_clear(&site);
}

Test(block_feed, block_whose_time_is_up_ends_and_is_told)
{
	struct store_block soon = {.what = (char *)"x", .mode = BLOCK_HOLD, .expires_us = 1};
	struct block_key key = {.kind = BLOCK_MD5};
	struct site site;
	gboolean is_new;
	guint all;

	site_init(&site);
	cr_assert(store_begin(site.fixture.store, NULL));
	cr_assert(store_block_add(site.fixture.store, "a", &soon, &key, 1, &is_new, NULL));
	cr_assert(store_commit(site.fixture.store, NULL));
	have(&site, "mx1", "p1", (struct block_state){{0}});
	have(&site, "mx1", "p1", taken(&site));
	site.sent = 0;
	cr_assert(block_feed_tick(site.feed, NULL));
	cr_assert_eq(site.sent, 1);
	have(&site, "mx1", "p1", taken(&site));
	cr_assert(block_feed_tick(site.feed, NULL));
	cr_assert_eq(site.sent, 1);
	cr_assert_eq(current(&site, &all), 1);
	site_clear(&site);
}
