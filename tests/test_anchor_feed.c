/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "anchor_feed.h"
#include "store_fixture.h"
#include "store_journal.h"

#define SECOND ((gint64)G_USEC_PER_SEC)
#define MINUTE (60 * SECOND)

/* A feed, and what it sent last. */
struct site {
	struct store_fixture fixture;
	struct anchor_feed *feed;
	guint sent;
	char *peer, *word;
};

static void
note_sent(void *data, GBytes *peer, const char *epoch, GBytes *anchor)
{
	struct site *site = data;

	site->sent++;
	g_free(site->peer);
	site->peer = g_strndup(g_bytes_get_data(peer, NULL), g_bytes_get_size(peer));
	g_free(site->word);
	site->word = g_strndup(g_bytes_get_data(anchor, NULL), g_bytes_get_size(anchor));
}

static void
site_init(struct site *site, struct signing_key *key)
{
	*site = (struct site){0};
	store_fixture_init(&site->fixture);
	site->feed = anchor_feed_new(site->fixture.store, key, note_sent, site);
}

static void
site_clear(struct site *site)
{
	anchor_feed_free(site->feed);
	g_free(site->peer);
	g_free(site->word);
	store_fixture_clear(&site->fixture);
}

static void
add_entry(struct site *site)
{
	struct store_audit audit = {.time_us = AT(1),
				    .actor = (char *)"uid=1000(alice)",
				    .tenant = (char *)"a",
				    .verb = (char *)"who",
				    .arguments = (char *)"[]"};
	GError *error = NULL;

	expect_ok(store_add_audit(site->fixture.store, &audit, &error), error);
}

static gboolean
tick(struct site *site, gint64 now_us, gboolean force)
{
	gboolean is_new = FALSE;
	GError *error = NULL;

	expect_ok(anchor_feed_tick(site->feed, now_us, force, &is_new, &error), error);
	return is_new;
}

static void
have(struct site *site, const char *sensor, const char *peer, const char *word, gint64 now_us)
{
	struct bus_collector_news news = {
		.event = BUS_COLLECTOR_HAVE,
		.sensor = (char *)sensor,
		.peer = g_bytes_new(peer, strlen(peer)),
		.topic = (char *)ANCHOR_TOPIC,
		.state = g_bytes_new(word, strlen(word)),
	};

	anchor_feed_have(site->feed, &news, now_us);
	g_bytes_unref(news.peer);
	g_bytes_unref(news.state);
}

Test(anchor_feed, a_journal_that_has_grown_is_anchored_once_a_minute)
{
	struct site site;
	struct journal_head head;
	struct anchor anchor;
	const char *word;

	site_init(&site, NULL);
	cr_expect_not(tick(&site, SECOND, FALSE), "nothing is in it");
	add_entry(&site);
	cr_expect_not(tick(&site, 2 * SECOND, FALSE), "not before its time");
	cr_expect(tick(&site, SECOND + MINUTE, FALSE));
	cr_expect(store_journal_head(site.fixture.store, &head, NULL));
	word = anchor_feed_last(site.feed);
	cr_assert(anchor_parse(word, strlen(word), &anchor));
	cr_expect_eq(anchor.seq, 1);
	cr_expect_str_eq(anchor.chain, head.chain);
	cr_expect_eq(memcmp(anchor.hash, head.hash, sizeof(head.hash)), 0);
	cr_expect_not(anchor.is_signed);
	cr_expect_not(tick(&site, 5 * MINUTE, FALSE), "it has not grown");
	add_entry(&site);
	cr_expect_not(tick(&site, 5 * MINUTE + SECOND, FALSE));
	cr_expect(tick(&site, 5 * MINUTE + SECOND, TRUE), "at the end, at once");
	site_clear(&site);
}

Test(anchor_feed, goes_on_where_the_store_was_left)
{
	g_autoptr(signing_key_t) made = signing_key_generate(NULL);
	struct site site;
	g_autofree char *word = NULL;

	site_init(&site, NULL);
	add_entry(&site);
	cr_expect(tick(&site, SECOND, FALSE));
	word = g_strdup(anchor_feed_last(site.feed));
	anchor_feed_free(site.feed);
	site.feed = anchor_feed_new(site.fixture.store, NULL, note_sent, &site);
	cr_expect_not(tick(&site, 2 * SECOND, FALSE), "the same has been said");
	cr_expect_str_eq(anchor_feed_last(site.feed), word);
	/* but with a key there is more to say of it */
	anchor_feed_free(site.feed);
	site.feed = anchor_feed_new(site.fixture.store, g_steal_pointer(&made), note_sent, &site);
	cr_expect(tick(&site, 3 * SECOND, FALSE));
	cr_expect_str_neq(anchor_feed_last(site.feed), word);
	site_clear(&site);
}

Test(anchor_feed, each_sensor_gets_the_newest_until_it_has_it)
{
	struct site site;
	guint sensors, kept;

	site_init(&site, signing_key_generate(NULL));
	add_entry(&site);
	have(&site, "mx1", "p1", "", SECOND);
	cr_expect_eq(site.sent, 0, "there is none yet");
	tick(&site, SECOND, FALSE);
	cr_expect_eq(site.sent, 1);
	cr_expect_str_eq(site.peer, "p1");
	cr_expect_str_eq(site.word, anchor_feed_last(site.feed));
	tick(&site, 2 * SECOND, FALSE);
	cr_expect_eq(site.sent, 1, "it has time to answer");
	/* its disk is full: it says what it had */
	have(&site, "mx1", "p1", "", 3 * SECOND);
	cr_expect_eq(site.sent, 1);
	tick(&site, 12 * SECOND, FALSE);
	cr_expect_eq(site.sent, 2, "it did not have it");
	have(&site, "mx1", "p1", site.word, 13 * SECOND);
	tick(&site, 40 * SECOND, FALSE);
	cr_expect_eq(site.sent, 2);
	have(&site, "mx2", "p2", "", 41 * SECOND);
	cr_expect_eq(site.sent, 3, "one that comes gets it");
	/* on a new connection, at once */
	have(&site, "mx2", "p3", "", 42 * SECOND);
	cr_expect_eq(site.sent, 4);
	cr_expect_str_eq(site.peer, "p3");
	add_entry(&site);
	cr_expect(tick(&site, 2 * MINUTE, FALSE));
	cr_expect_eq(site.sent, 6);
	anchor_feed_kept(site.feed, &sensors, &kept);
	cr_expect_eq(sensors, 2);
	cr_expect_eq(kept, 1, "mx2 did not say that it had the one before");
	site_clear(&site);
}

Test(anchor_feed, what_is_no_state_of_ours_is_passed_over)
{
	struct site site;
	g_autofree char *lengthy = g_strnfill(ANCHOR_BYTES + 1, 'x');
	guint sensors, kept;

	site_init(&site, NULL);
	have(&site, "mx1", "p1", lengthy, SECOND);
	anchor_feed_kept(site.feed, &sensors, &kept);
	cr_expect_eq(sensors, 0);
	site_clear(&site);
}
