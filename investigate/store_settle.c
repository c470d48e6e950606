/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of recipients, and which messages count: worked out anew from an
 * event and all deliveries joined to it whenever one of them comes, so that the
 * order in which they come changes nothing.  store.h has the rules.
 */
#include <string.h>

#include "caps.h"
#include "store_trace.h"

/* An event being settled. */
struct settling {
	struct store *store;
	gint64 tenant, event;
	enum verdict verdict;
	gboolean was_refused;	  /* as it stands in the store */
	gboolean refused;	  /* the MTA refused the whole message */
	gint64 expected;	  /* addresses in the queue, as QUEUED said */
	gboolean done;		  /* it left the queue */
	gboolean unnamed_refused; /* those of whom no line spoke were refused */
};

/* A recipient of its envelope. */
struct envelope_row {
	gint64 n;
	enum recipient_state state;
	gboolean refused; /* before us */
	char *key;
};

/* What the lines that speak of one recipient come to. */
struct outcome {
	gboolean refused;
	gboolean has[STATE_COUNT]; /* states of final addresses */
};

static void
envelope_row_clear(void *data)
{
	g_free(((struct envelope_row *)data)->key);
}

/* ---- what is known of the message ---- */

static gboolean
read_event(struct settling *settling, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(settling->store->sql, "SELECT verdict, refused FROM events WHERE id=?1",
			 "i", settling->event);

	int more = sql_next(row, error);

	if (more <= 0)
		return more == 0;
	settling->verdict = (enum verdict)sql_int(row, 0);
	settling->was_refused = sql_int(row, 1) != 0;
	return TRUE;
}

static gboolean
has_outcome(struct settling *settling, gboolean *ret_has, GError **error)
{
	gint64 has;

	if (!sql_number(sql_bind(settling->store->sql,
				 "SELECT 1 FROM deliveries INDEXED BY deliveries_recipient"
				 " WHERE event=?1 AND kind IN (3, 4, 5) LIMIT 1",
				 "i", settling->event),
			0, &has, error))
		return FALSE;
	*ret_has = has != 0;
	return TRUE;
}

/* Reads the lines that are about the message as a whole. */
static gboolean
read_message_lines(struct settling *settling, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(settling->store->sql,
			 "SELECT max(kind=1), max(iif(kind=0, recipients, 0)), max(kind=6)"
			 " FROM deliveries INDEXED BY deliveries_recipient"
			 " WHERE event=?1 AND recipient_key IS NULL",
			 "i", settling->event);
	gboolean contradicted = FALSE;

	if (sql_next(row, error) < 0)
		return FALSE;
	settling->refused = sql_int(row, 0) != 0;
	settling->expected = sql_int(row, 1);
	settling->done = sql_int(row, 2) != 0;
	if (settling->refused && !has_outcome(settling, &contradicted, error))
		return FALSE;
	settling->refused = settling->refused && !contradicted;
	return TRUE;
}

/* ---- recipients of whom no line spoke ---- */

/*
 * Counts the addresses, before aliases, that an outcome was told of; -1 if one
 * is of nobody of ours.
 */
static gboolean
count_named(struct settling *settling, GHashTable *envelope, gint64 *ret_named, GError **error)
{
	g_autoptr(sql_stmt_t) rows = sql_bind(
		settling->store->sql,
		"SELECT coalesce(original_key, recipient_key), recipient_key FROM deliveries"
		" INDEXED BY deliveries_recipient"
		" WHERE event=?1 AND recipient_key IS NOT NULL AND kind IN (3, 4, 5)",
		"i", settling->event);
	g_autoptr(GHashTable) named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		const char *original = sql_text(rows, 0);

		if (!g_hash_table_contains(envelope, original) &&
		    !g_hash_table_contains(envelope, sql_text(rows, 1))) {
			*ret_named = -1;
			return TRUE;
		}
		g_hash_table_add(named, g_strdup(original));
	}
	if (more < 0)
		return FALSE;
	*ret_named = g_hash_table_size(named);
	return TRUE;
}

static gboolean
judge_unnamed(struct settling *settling, const GArray *rows, GError **error)
{
	g_autoptr(GHashTable) envelope = g_hash_table_new(g_str_hash, g_str_equal);
	gint64 named;

	if (!settling->done || settling->expected == 0)
		return TRUE;
	for (guint i = 0; i < rows->len; i++)
		g_hash_table_add(envelope, g_array_index(rows, struct envelope_row, i).key);
	if (!count_named(settling, envelope, &named, error))
		return FALSE;
	settling->unnamed_refused = named == settling->expected;
	return TRUE;
}

/* ---- one recipient ---- */

static gboolean
was_refused(const struct settling *settling, const struct envelope_row *row,
	    const struct outcome *outcome)
{
	return settling->refused || outcome->refused || row->refused ||
	       (settling->verdict != VERDICT_ACCEPT && settling->verdict != VERDICT_HOLD) ||
	       settling->unnamed_refused;
}

/* A copy that waits, or nobody knows where it is.  What we held ourselves is active once released.
 */
static enum recipient_state
state_in_queue(const struct settling *settling, const struct queue_life *life)
{
	if (settling->verdict == VERDICT_HOLD && !life->held_us && !life->queued_us &&
	    !life->released_us && !life->deleted_us && !life->expired_us)
		return STATE_HELD;
	return trace_waiting_state(life, STATE_ACCEPTED, 0);
}

static enum recipient_state
state_by(const struct settling *settling, const struct envelope_row *row,
	 const struct outcome *outcome, const struct queue_life *life)
{
	static const struct {
		enum recipient_state final, state;
	} order[] = {
		{STATE_DELIVERED, STATE_DELIVERED}, {STATE_FORWARDED, STATE_DELIVERED},
		{STATE_DEFERRED, STATE_DEFERRED},   {STATE_HELD, STATE_HELD},
		{STATE_RELEASED, STATE_RELEASED},   {STATE_ACCEPTED, STATE_ACCEPTED},
		{STATE_BOUNCED, STATE_BOUNCED},	    {STATE_EXPIRED, STATE_EXPIRED},
		{STATE_DELETED, STATE_DELETED},	    {STATE_DISCARDED, STATE_DISCARDED},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(order); i++)
		if (outcome->has[order[i].final])
			return order[i].state;
	return was_refused(settling, row, outcome) ? STATE_REJECTED
						   : state_in_queue(settling, life);
}

/* What we did to a mailbox copy since is known better than by the MTA. */
static gboolean
is_beyond_log(enum recipient_state state)
{
	return state == STATE_RETRACTED || state == STATE_RESTORED;
}

static gboolean
settle_row(struct settling *settling, const struct envelope_row *row, GError **error)
{
	struct trace trace;
	struct outcome outcome = {0};
	enum recipient_state state;

	if (is_beyond_log(row->state))
		return TRUE;
	if (!trace_recipient(settling->store, settling->tenant, settling->event, row->key, &trace,
			     error))
		return FALSE;
	outcome.refused = trace.refused;
	for (guint i = 0; i < trace.finals->len; i++)
		outcome.has[((struct trace_final *)g_ptr_array_index(trace.finals, i))->state] =
			TRUE;
	state = state_by(settling, row, &outcome, &trace.life);
	trace_clear(&trace);
	return state == row->state ||
	       sql_run(sql_bind(settling->store->sql,
				"UPDATE recipients SET state=?3 WHERE event=?1 AND n=?2", "iii",
				settling->event, row->n, (gint64)state),
		       error);
}

/* ---- the recipients ---- */

/* Reads the recipients (n, state, refused, key) of a statement. */
static gboolean
read_rows(struct sql_stmt *stmt, GArray *rows, GError **error)
{
	int more;

	while ((more = sql_next(stmt, error)) > 0) {
		struct envelope_row row = {
			.n = sql_int(stmt, 0),
			.state = (enum recipient_state)sql_int(stmt, 1),
			.refused = sql_int(stmt, 2) != 0,
			.key = g_strdup(sql_text(stmt, 3)),
		};

		g_array_append_val(rows, row);
	}
	return more == 0;
}

static gboolean
read_all_rows(struct settling *settling, GArray *rows, GError **error)
{
	return read_rows(sql_bind(settling->store->sql,
				  "SELECT r.n, r.state, r.refused, coalesce(t.key, t.text)"
				  " FROM recipients r CROSS JOIN texts t ON t.id=r.address"
				  " WHERE r.event=?1",
				  "i", settling->event),
			 rows, error);
}

/* Through the text and not the event, whose recipients may be thousands. */
static gboolean
read_rows_of(struct settling *settling, const char *key, GArray *rows, GError **error)
{
	return read_rows(sql_bind(settling->store->sql,
				  "SELECT r.n, r.state, r.refused, coalesce(t.key, t.text)"
				  " FROM texts t INDEXED BY texts_hash CROSS JOIN recipients r"
				  " INDEXED BY recipients_address ON r.address=t.id"
				  " WHERE t.tenant=?1 AND t.kind=4 AND t.hash=?2"
				  " AND coalesce(t.key, t.text)=?3 AND r.event=?4",
				  "iisi", settling->tenant, store_text_hash(key), key,
				  settling->event),
			 rows, error);
}

/* Adds the aliases that stand for keys[0], keys[1]… to them. */
static gboolean
add_aliases(struct settling *settling, GPtrArray *keys, GError **error)
{
	for (guint i = 0; i < keys->len && keys->len < CAP_TRACE_LINES; i++) {
		g_autoptr(sql_stmt_t) rows =
			sql_bind(settling->store->sql,
				 "SELECT original_key FROM deliveries"
				 " INDEXED BY deliveries_recipient"
				 " WHERE event=?1 AND recipient_key=?2 AND kind=19",
				 "is", settling->event, g_ptr_array_index(keys, i));
		int more;

		while ((more = sql_next(rows, error)) > 0) {
			const char *key = sql_text(rows, 0);

			if (key && !g_ptr_array_find_with_equal_func(keys, key, g_str_equal, NULL))
				g_ptr_array_add(keys, g_strdup(key));
		}
		if (more < 0)
			return FALSE;
	}
	return TRUE;
}

static gboolean
settle_rows(struct settling *settling, const char *const *keys, gsize count, GError **error)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct envelope_row));
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
	gboolean done = TRUE;

	g_array_set_clear_func(rows, envelope_row_clear);
	for (gsize i = 0; keys && i < count; i++)
		g_ptr_array_add(all, g_strdup(keys[i]));
	if (!add_aliases(settling, all, error))
		return FALSE;
	if (!keys)
		done = read_all_rows(settling, rows, error) && judge_unnamed(settling, rows, error);
	for (guint i = 0; done && i < all->len; i++)
		done = read_rows_of(settling, g_ptr_array_index(all, i), rows, error);
	for (guint i = 0; done && i < rows->len; i++)
		done = settle_row(settling, &g_array_index(rows, struct envelope_row, i), error);
	return done;
}

/* ---- counting ---- */

gboolean
store_count_hour(struct store *store, gint64 tenant, gint64 time_us, int messages, int unread,
		 GError **error)
{
	return sql_run(
		sql_bind(store->sql,
			 "INSERT INTO hours (tenant, hour, messages, unread)"
			 " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant, hour) DO UPDATE SET"
			 " messages=messages+excluded.messages, unread=unread+excluded.unread",
			 "iiii", tenant, time_us / HOUR_US, (gint64)messages, (gint64)unread),
		error);
}

/* Sets whether an event counts, unless it does already. */
static gboolean
set_counted(struct store *store, gint64 tenant, gint64 event, gboolean counted, GError **error)
{
	gint64 time_us, unread;
	g_autoptr(sql_stmt_t) row = sql_bind(
		store->sql, "SELECT received_at_us, unread FROM events WHERE id=?1 AND counted<>?2",
		"ii", event, (gint64)counted);
	int more = sql_next(row, error);
	int sign = counted ? 1 : -1;

	if (more <= 0)
		return more == 0;
	time_us = sql_int(row, 0);
	unread = sql_int(row, 1);
	sql_done(row);
	return store_count_hour(store, tenant, time_us, sign, unread ? sign : 0, error) &&
	       sql_run(sql_bind(store->sql, "UPDATE events SET counted=?2 WHERE id=?1", "ii", event,
				(gint64)counted),
		       error);
}

gboolean
store_uncount(struct store *store, gint64 tenant, gint64 event, GError **error)
{
	return set_counted(store, tenant, event, FALSE, error);
}

gboolean
store_count_chain(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES],
		  gint64 *ret_counted, GError **error)
{
	return sql_number(
		sql_bind(store->sql,
			 "SELECT (SELECT count(*) FROM events WHERE tenant=?1 AND chain=?2"
			 " AND counted) + (SELECT count(*) FROM events WHERE tenant=?1"
			 " AND event_id=?2 AND counted)",
			 "ib", tenant, root, (gsize)UUID_BYTES),
		0, ret_counted, error);
}

/* The events of one chain; the first has the root as ?2. */
#define OF_CHAIN                                                                               \
	"(SELECT * FROM events WHERE tenant=?1 AND event_id=?2 UNION ALL SELECT * FROM events" \
	" WHERE tenant=?1 AND chain=?2)"

gboolean
store_elect(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES], GError **error)
{
	gint64 counted = 0, elected = 0;

	if (!store_count_chain(store, tenant, root, &counted, error))
		return FALSE;
	if (counted)
		return TRUE;
	return sql_number(sql_bind(store->sql,
				   "SELECT id FROM " OF_CHAIN " WHERE NOT refused"
				   " AND verdict IN (0, 1) AND joined IS NULL"
				   " ORDER BY received_at_us, id LIMIT 1",
				   "ib", tenant, root, (gsize)UUID_BYTES),
			  0, &elected, error) &&
	       (!elected || set_counted(store, tenant, elected, TRUE, error));
}

static gboolean
elect(struct settling *settling, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(settling->store->sql,
					     "SELECT coalesce(chain, event_id) FROM events"
					     " WHERE id=?1",
					     "i", settling->event);
	guint8 root[UUID_BYTES];
	int more = sql_next(row, error);
	gsize length;
	const void *bytes;

	if (more <= 0)
		return more == 0;
	bytes = sql_blob(row, 0, &length);
	if (!bytes || length != UUID_BYTES)
		return TRUE;
	memcpy(root, bytes, UUID_BYTES);
	sql_done(row);
	return store_elect(settling->store, settling->tenant, root, error);
}

/* Notes whether the MTA refused the message; one that it did not have does not count. */
static gboolean
settle_count(struct settling *settling, GError **error)
{
	return sql_run(sql_bind(settling->store->sql, "UPDATE events SET refused=?2 WHERE id=?1",
				"ii", settling->event, (gint64)settling->refused),
		       error) &&
	       (!settling->refused ||
		store_uncount(settling->store, settling->tenant, settling->event, error)) &&
	       elect(settling, error);
}

/* What is known of all changes what is known of each, unless this is about some alone. */
static gboolean
settle(struct settling *settling, const char *const *keys, gsize count, gboolean alone,
       GError **error)
{
	gboolean changed;

	if (!read_event(settling, error) || !read_message_lines(settling, error))
		return FALSE;
	changed = settling->refused != settling->was_refused;
	if (changed && !settle_count(settling, error))
		return FALSE;
	if (changed || (settling->done && !alone))
		keys = NULL;
	return settle_rows(settling, keys, count, error);
}

gboolean
store_settle(struct store *store, gint64 tenant, gint64 event, const char *const *keys, gsize count,
	     GError **error)
{
	struct settling settling = {.store = store, .tenant = tenant, .event = event};

	return settle(&settling, keys, count, FALSE, error);
}

gboolean
store_settle_some(struct store *store, gint64 tenant, gint64 event, const char *const *keys,
		  gsize count, GError **error)
{
	struct settling settling = {.store = store, .tenant = tenant, .event = event};

	return settle(&settling, keys, count, TRUE, error);
}
