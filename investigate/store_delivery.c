/* SPDX-License-Identifier: BSD-2-Clause */
/* What the MTA's log says of messages: kept, and joined to their events. */
#include <string.h>

#include "digest.h"
#include "queue_id.h"
#include "store_internal.h"
#include "text.h"

/* Kinds stand in the store's files, and as numbers in its statements. */
G_STATIC_ASSERT(DELIVERY_QUEUED == 0 && DELIVERY_REFUSED == 1 && DELIVERY_HELD == 2);
G_STATIC_ASSERT(DELIVERY_SENT == 3 && DELIVERY_DEFERRED == 4 && DELIVERY_BOUNCED == 5);
G_STATIC_ASSERT(DELIVERY_DONE == 6 && DELIVERY_REQUEUED == 7 && DELIVERY_RELEASED == 8);
G_STATIC_ASSERT(DELIVERY_DELETED == 9 && DELIVERY_EXPIRED == 10 && DELIVERY_STORED == 11);
G_STATIC_ASSERT(DELIVERY_FORWARDED == 13 && DELIVERY_FETCHED == 15 && DELIVERY_DOWNLOADED == 16);
G_STATIC_ASSERT(DELIVERY_EXPUNGED == 18 && DELIVERY_ALIASED == 19 && DELIVERY_LOGIN == 20);
G_STATIC_ASSERT(DELIVERY_OPENED == 21 && DELIVERY_RENAMED == 22 && DELIVERY_EXEMPT == 23);

/* A log has whole seconds, and its host's clock. */
#define LATE_US (60 * (gint64)G_USEC_PER_SEC)
/* And, in the worst case, another time zone; further off it is of another with that id. */
#define ASTRAY_US (24 * HOUR_US)

/* A delivery on its way into the tables. */
struct arrival {
	struct store *store;
	const struct delivery *delivery;
	gint64 tenant, sensor, event; /* event: 0 if it is not here */
	guint8 id[UUID_BYTES];
	char *host;	     /* in lower case */
	char *recipient_key; /* NULL if the line is of the whole message */
	char *original_key;
	char *message_key; /* of a mailbox's line */
};

static void
arrival_clear(struct arrival *arrival)
{
	g_free(arrival->host);
	g_free(arrival->recipient_key);
	g_free(arrival->original_key);
	g_free(arrival->message_key);
}

/* ---- joining ---- */

/* Chooses the event of a line, 0 for none; store.h says which. */
static gboolean
choose_event(struct store *store, gint64 tenant, const char *queue_id, gint64 time_us,
	     const char *host, gint64 *ret_event, GError **error)
{
	gint64 latest_us = queue_id_is_unique(queue_id) ? G_MAXINT64 : time_us + ASTRAY_US;

	return sql_number(
		sql_bind(
			store->sql,
			"SELECT id FROM events INDEXED BY events_queue"
			" WHERE tenant=?1 AND queue_id=?2 AND origin=0 AND received_at_us<=?5"
			" ORDER BY host IS NOT NULL AND (host=?3"
			"  OR substr(host, 1, length(?3)+1)=?3 || '.') DESC,"
			" received_at_us>?4,"
			" CASE WHEN received_at_us>?4 THEN received_at_us ELSE -received_at_us END,"
			" id LIMIT 1",
			"issii", tenant, queue_id, host, time_us + LATE_US, latest_us),
		0, ret_event, error);
}

/* A delivery of the queue id, and the event it belongs to. */
struct belonging {
	gint64 delivery, before, now;
};

/* Finds the deliveries that a new event takes over. */
static gboolean
find_moves(struct store *store, gint64 tenant, gint64 event, const char *queue_id, GArray *moves,
	   GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT id, coalesce(event, 0), time_us, log_host FROM deliveries"
			 " WHERE tenant=?1 AND queue_id=?2 AND kind<>23",
			 "is", tenant, queue_id);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct belonging move = {sql_int(rows, 0), sql_int(rows, 1), 0};

		if (!choose_event(store, tenant, queue_id, sql_int(rows, 2), sql_text(rows, 3),
				  &move.now, error))
			return FALSE;
		if (move.now == event)
			g_array_append_val(moves, move);
	}
	return more == 0;
}

/* Settles each event that lost a delivery to another of the same queue id. */
static gboolean
settle_losers(struct store *store, gint64 tenant, const GArray *moves, GError **error)
{
	g_autoptr(GHashTable) settled = g_hash_table_new(g_int64_hash, g_int64_equal);

	for (guint i = 0; i < moves->len; i++) {
		gint64 *loser = &g_array_index(moves, struct belonging, i).before;

		if (*loser && g_hash_table_add(settled, loser) &&
		    !store_settle(store, tenant, *loser, NULL, 0, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
store_join_deliveries(struct store *store, gint64 tenant, gint64 event, const char *queue_id,
		      GError **error)
{
	g_autoptr(GArray) moves = g_array_new(FALSE, FALSE, sizeof(struct belonging));

	if (!queue_id)
		return TRUE;
	if (!find_moves(store, tenant, event, queue_id, moves, error))
		return FALSE;
	for (guint i = 0; i < moves->len; i++) {
		const struct belonging *move = &g_array_index(moves, struct belonging, i);

		if (!sql_run(sql_bind(store->sql, "UPDATE deliveries SET event=?2 WHERE id=?1",
				      "ii", move->delivery, event),
			     error))
			return FALSE;
	}
	return moves->len == 0 || (store_settle(store, tenant, event, NULL, 0, error) &&
				   settle_losers(store, tenant, moves, error));
}

/* ---- adding ---- */

/*
 * Returns what a Message-ID of a mailbox's log is found by: its beginning, since the log cuts
 * long ones.  Free with g_free().
 */
static char *
mailbox_key(const char *message_id)
{
	return g_strndup(message_id, MESSAGE_KEY_BYTES);
}

static gboolean
is_of_message(enum delivery_kind kind)
{
	return kind != DELIVERY_SENT && kind != DELIVERY_DEFERRED && kind != DELIVERY_BOUNCED &&
	       kind != DELIVERY_REFUSED && kind != DELIVERY_ALIASED &&
	       !delivery_is_of_mailbox(kind);
}

static gboolean
begin_arrival(struct arrival *arrival, GError **error)
{
	const struct delivery *delivery = arrival->delivery;

	if (!delivery->tenant || !delivery->sensor || !delivery->queue_id || !*delivery->queue_id ||
	    !store_uuid(delivery->event_id, arrival->id)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the delivery has no valid id, tenant, sensor or queue id");
		return FALSE;
	}
	arrival->host = g_ascii_strdown(delivery->log_host ? delivery->log_host : "", -1);
	if (delivery->recipient && !is_of_message(delivery->kind)) {
		arrival->recipient_key = address_search_key(delivery->recipient);
		if (delivery->original)
			arrival->original_key = address_search_key(delivery->original);
	}
	if (delivery->message_id)
		arrival->message_key = mailbox_key(delivery->message_id);
	return store_make_tenant(arrival->store, delivery->tenant, &arrival->tenant, error) &&
	       store_make_sensor(arrival->store, arrival->tenant, delivery->sensor,
				 &arrival->sensor, error);
}

static gboolean
insert_delivery(struct arrival *arrival, GBytes *json, GError **error)
{
	static const char insert[] =
		"INSERT INTO deliveries (tenant, delivery_id, sensor, event, log_host, queue_id,"
		" time_us, kind, recipient, recipient_key, original, original_key, dsn, relay,"
		" detail, next_queue_id, recipients, packed, json, digest, folder, from_folder,"
		" storage_id, message_key, uid, uid_last, number, number_last) VALUES (?1, ?2, ?3, nullif(?4, 0), ?5,"
		" ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,"
		" ?23, ?24, ?25, ?26, ?27, ?28)";
	const struct delivery *delivery = arrival->delivery;
	g_auto(packed_json_t) packed = {0};

	store_pack(arrival->store, json, &packed);
	return sql_run(sql_bind(arrival->store->sql, insert, "ibiissiissssssssiibbssssiiii",
				arrival->tenant, arrival->id, (gsize)UUID_BYTES, arrival->sensor,
				arrival->event, arrival->host, delivery->queue_id,
				delivery->time_us, (gint64)delivery->kind, delivery->recipient,
				arrival->recipient_key, delivery->original, arrival->original_key,
				delivery->dsn, delivery->relay, delivery->detail,
				delivery->next_queue_id, (gint64)delivery->recipients,
				(gint64)packed.is_packed, packed.bytes, packed.length,
				packed.digest, (gsize)SHA256_BYTES, delivery->folder,
				delivery->from_folder, delivery->storage_id, arrival->message_key,
				(gint64)delivery->uid, (gint64)delivery->uid_last,
				(gint64)delivery->number, (gint64)delivery->number_last),
		       error);
}

/* A line of a mailbox is of the one copy that its LMTP session is named for. */
static gboolean
settle_mailbox(struct arrival *arrival, GError **error)
{
	enum delivery_kind kind = arrival->delivery->kind;

	return kind > DELIVERY_FORWARDED ||
	       store_settle_upstream(arrival->store, arrival->tenant, arrival->delivery->queue_id,
				     NULL, NULL, error);
}

static gboolean
note_exempt(struct arrival *arrival, GError **error)
{
	enum delivery_kind kind = arrival->delivery->kind;

	return arrival->event || (kind != DELIVERY_QUEUED && kind != DELIVERY_EXEMPT) ||
	       store_note_exempt(arrival->store, arrival->tenant, arrival->delivery->queue_id,
				 error);
}

static gboolean
settle_arrival(struct arrival *arrival, GError **error)
{
	const char *keys[] = {arrival->recipient_key, arrival->original_key};
	gsize count = arrival->original_key ? 2 : 1;

	if (arrival->delivery->kind == DELIVERY_EXEMPT)
		return note_exempt(arrival, error);
	if (delivery_is_of_mailbox(arrival->delivery->kind))
		return settle_mailbox(arrival, error);
	if (arrival->event && !store_settle(arrival->store, arrival->tenant, arrival->event,
					    arrival->recipient_key ? keys : NULL,
					    arrival->recipient_key ? count : 0, error))
		return FALSE;
	return note_exempt(arrival, error) &&
	       store_settle_upstream(arrival->store, arrival->tenant, arrival->delivery->queue_id,
				     arrival->recipient_key, arrival->original_key, error);
}

static gboolean
is_of_no_event(enum delivery_kind kind)
{
	return delivery_is_of_mailbox(kind) || kind == DELIVERY_EXEMPT;
}

static gboolean
store_arrival(struct arrival *arrival, GBytes *json, GError **error)
{
	const struct delivery *delivery = arrival->delivery;

	return (is_of_no_event(delivery->kind) ||
		choose_event(arrival->store, arrival->tenant, delivery->queue_id, delivery->time_us,
			     arrival->host, &arrival->event, error)) &&
	       insert_delivery(arrival, json, error) && settle_arrival(arrival, error);
}

static gboolean
add_once(struct arrival *arrival, GBytes *json, gboolean *ret_added, GError **error)
{
	gint64 known;

	if (!begin_arrival(arrival, error) ||
	    !sql_number(sql_bind(arrival->store->sql,
				 "SELECT id FROM deliveries WHERE tenant=?1 AND delivery_id=?2",
				 "ib", arrival->tenant, arrival->id, (gsize)UUID_BYTES),
			0, &known, error))
		return FALSE;
	*ret_added = !known;
	return known || store_arrival(arrival, json, error);
}

gboolean
store_add_delivery(struct store *store, const struct delivery *delivery, GBytes *json,
		   const struct store_sequence *sequence, gboolean *ret_added, GError **error)
{
	struct arrival arrival = {.store = store, .delivery = delivery};
	gboolean added = FALSE;
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = add_once(&arrival, json, &added, error) &&
	       (!sequence ||
		store_note_number(store, delivery->sensor, sequence, delivery->time_us, error));
	arrival_clear(&arrival);
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	return TRUE;
}
