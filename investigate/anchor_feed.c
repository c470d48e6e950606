/* SPDX-License-Identifier: BSD-2-Clause */
#include "anchor_feed.h"

#include <string.h>

#include "store_journal.h"

/* What a sensor keeps, as it said last. */
struct keeper {
	GBytes *peer; /* its newest connection */
	char epoch[EVENT_ID_LENGTH + 1];
	char word[ANCHOR_BYTES + 1];
	gint64 sent_us; /* when the newest was sent; 0: not yet on this connection */
	gboolean kept;	/* the one before the newest, when that was made */
};

struct anchor_feed {
	struct store *store;
	struct signing_key *key;
	anchor_feed_send_fn send;
	void *data;
	GHashTable *keepers; /* of struct keeper, by sensor */
	char *last;	     /* "" before the first */
	gint64 due_us;
	gboolean begun;
};

static void
keeper_free(struct keeper *keeper)
{
	g_clear_pointer(&keeper->peer, g_bytes_unref);
	g_free(keeper);
}

struct anchor_feed *
anchor_feed_new(struct store *store, struct signing_key *key, anchor_feed_send_fn send, void *data)
{
	struct anchor_feed *feed = g_new0(struct anchor_feed, 1);

	feed->store = store;
	feed->key = key;
	feed->send = send;
	feed->data = data;
	feed->last = g_strdup("");
	feed->keepers =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)keeper_free);
	return feed;
}

void
anchor_feed_free(struct anchor_feed *feed)
{
	if (!feed)
		return;
	g_hash_table_unref(feed->keepers);
	signing_key_free(feed->key);
	g_free(feed->last);
	g_free(feed);
}

/* ---- sensors ---- */

static void
push(struct anchor_feed *feed, struct keeper *keeper, gint64 now_us)
{
	g_autoptr(GBytes) bytes = NULL;

	if (!*feed->last || strcmp(keeper->word, feed->last) == 0 ||
	    (keeper->sent_us && now_us - keeper->sent_us < ANCHOR_FEED_PATIENCE_US))
		return;
	bytes = g_bytes_new(feed->last, strlen(feed->last));
	feed->send(feed->data, keeper->peer, keeper->epoch, bytes);
	keeper->sent_us = now_us;
}

static void
push_all(struct anchor_feed *feed, gint64 now_us)
{
	GHashTableIter iter;
	gpointer keeper;

	g_hash_table_iter_init(&iter, feed->keepers);
	while (g_hash_table_iter_next(&iter, NULL, &keeper))
		push(feed, keeper, now_us);
}

static struct keeper *
keeper_of(struct anchor_feed *feed, const struct bus_collector_news *news)
{
	struct keeper *keeper = g_hash_table_lookup(feed->keepers, news->sensor);

	if (!keeper) {
		keeper = g_new0(struct keeper, 1);
		g_hash_table_insert(feed->keepers, g_strdup(news->sensor), keeper);
	}
	/* What was sent on another connection may be lost with it. */
	if (keeper->peer && !g_bytes_equal(keeper->peer, news->peer))
		keeper->sent_us = 0;
	g_clear_pointer(&keeper->peer, g_bytes_unref);
	keeper->peer = g_bytes_ref(news->peer);
	g_strlcpy(keeper->epoch, news->epoch, sizeof(keeper->epoch));
	return keeper;
}

void
anchor_feed_have(struct anchor_feed *feed, const struct bus_collector_news *news, gint64 now_us)
{
	gsize length;
	const char *bytes = g_bytes_get_data(news->state, &length);
	struct keeper *keeper;

	if (g_strcmp0(news->topic, ANCHOR_TOPIC) != 0 || length > ANCHOR_BYTES)
		return;
	keeper = keeper_of(feed, news);
	if (length)
		memcpy(keeper->word, bytes, length);
	keeper->word[length] = '\0';
	push(feed, keeper, now_us);
}

void
anchor_feed_kept(const struct anchor_feed *feed, guint *ret_sensors, guint *ret_kept)
{
	GHashTableIter iter;
	gpointer value;

	*ret_sensors = g_hash_table_size(feed->keepers);
	*ret_kept = 0;
	g_hash_table_iter_init(&iter, feed->keepers);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		*ret_kept += ((struct keeper *)value)->kept ? 1 : 0;
}

/* ---- anchors ---- */

const char *
anchor_feed_last(const struct anchor_feed *feed)
{
	return feed->last;
}

static void
set_last(struct anchor_feed *feed, char *word)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, feed->keepers);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct keeper *keeper = value;

		keeper->kept = strcmp(keeper->word, feed->last) == 0;
		keeper->sent_us = 0;
	}
	g_free(feed->last);
	feed->last = word;
}

/* Goes on where the store was left. */
static gboolean
begin(struct anchor_feed *feed, GError **error)
{
	g_autofree char *word = NULL;
	struct anchor anchor;

	if (feed->begun)
		return TRUE;
	if (!store_journal_anchor(feed->store, &word, error))
		return FALSE;
	if (word && anchor_parse(word, strlen(word), &anchor))
		set_last(feed, g_steal_pointer(&word));
	feed->begun = TRUE;
	return TRUE;
}

/* Whether the last anchor says all that there is to say of this head. */
static gboolean
is_anchored(const struct anchor_feed *feed, const struct journal_head *head)
{
	struct anchor anchor;

	return anchor_parse(feed->last, strlen(feed->last), &anchor) && anchor.seq == head->seq &&
	       strcmp(anchor.chain, head->chain) == 0 &&
	       memcmp(anchor.hash, head->hash, sizeof(anchor.hash)) == 0 &&
	       (feed->key ? anchor_verify(&anchor, feed->key) : !anchor.is_signed);
}

static gboolean
make_anchor(struct anchor_feed *feed, const struct journal_head *head, GError **error)
{
	struct anchor anchor = {.seq = head->seq, .time_us = g_get_real_time()};
	g_autofree char *word = NULL;

	g_strlcpy(anchor.chain, head->chain, sizeof(anchor.chain));
	memcpy(anchor.hash, head->hash, sizeof(anchor.hash));
	if (feed->key && !anchor_sign(&anchor, feed->key)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_WRITE, "libcrypto cannot sign");
		return FALSE;
	}
	word = anchor_format(&anchor);
	if (!store_journal_set_anchor(feed->store, word, error))
		return FALSE;
	set_last(feed, g_steal_pointer(&word));
	return TRUE;
}

gboolean
anchor_feed_tick(struct anchor_feed *feed, gint64 now_us, gboolean force, gboolean *ret_new,
		 GError **error)
{
	struct journal_head head;
	gboolean is_new = FALSE;

	if (now_us >= feed->due_us || force) {
		if (!begin(feed, error) || !store_journal_head(feed->store, &head, error))
			return FALSE;
		is_new = head.seq > 0 && !is_anchored(feed, &head);
		if (is_new && !make_anchor(feed, &head, error))
			return FALSE;
		feed->due_us = now_us + ANCHOR_FEED_PACE_US;
	}
	push_all(feed, now_us);
	*ret_new = is_new;
	return TRUE;
}
