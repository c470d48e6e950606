/* SPDX-License-Identifier: BSD-2-Clause */
/* What is older than a border goes, a little at a time. */
#include "store_holds.h"
#include "store_removal.h"
#include "store_retention.h"

/* A step ends after so long, and never has more than so many of a kind. */
#define STEP_US (30 * G_TIME_SPAN_MILLISECOND)
#define STEP_EVENTS 128
#define STEP_ROWS 256

/* A step under way. */
struct expiring {
	struct store *store;
	gint64 tenant;
	gint64 started_us; /* g_get_monotonic_time() */
	struct store_expiry expiry;
};

static gboolean
is_spent(const struct expiring *expiring)
{
	return g_get_monotonic_time() - expiring->started_us > STEP_US;
}

struct old_event {
	gint64 id, received_at_us;
};

static gboolean
find_events(struct expiring *expiring, GArray *events, GError **error)
{
	struct sql_stmt *rows =
		sql_bind(expiring->store->sql,
			 "SELECT id, received_at_us FROM events INDEXED BY events_time"
			 " WHERE tenant=?1 AND received_at_us>=?2 AND received_at_us<?3"
			 " AND NOT " IS_HELD("events.id") " ORDER BY received_at_us LIMIT ?4",
			 "iiii", expiring->tenant, expiring->expiry.from_us,
			 expiring->expiry.before_us, (gint64)STEP_EVENTS);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct old_event event = {sql_int(rows, 0), sql_int(rows, 1)};

		g_array_append_val(events, event);
	}
	return more == 0;
}

static gboolean
remove_events(struct expiring *expiring, struct removal *removal, const GArray *events,
	      gboolean *ret_all, GError **error)
{
	guint i = 0;

	while (i < events->len && !(i > 0 && is_spent(expiring))) {
		const struct old_event *event = &g_array_index(events, struct old_event, i++);

		if (!removal_event(removal, event->id, error))
			return FALSE;
		expiring->expiry.from_us = event->received_at_us;
	}
	*ret_all = i == events->len && events->len < STEP_EVENTS;
	if (*ret_all)
		expiring->expiry.from_us = expiring->expiry.before_us;
	return removal_end(removal, error);
}

static gboolean
expire_events(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct old_event));
	struct removal removal;
	gboolean done;

	if (!find_events(expiring, events, error))
		return FALSE;
	removal_init(&removal, expiring->store, expiring->tenant);
	done = remove_events(expiring, &removal, events, ret_all, error);
	expiring->expiry.gone.messages += removal.messages;
	expiring->expiry.gone.deliveries += removal.deliveries;
	removal_clear(&removal);
	return done;
}

/* Runs a deletion of at most STEP_ROWS; *ret_all: nothing is left of its kind. */
static gboolean
expire_rows(struct expiring *expiring, struct sql_stmt *deletion, guint64 *count, gboolean *ret_all,
	    GError **error)
{
	gint64 changes;

	if (!sql_run(deletion, error))
		return FALSE;
	changes = sql_changes(expiring->store->sql);
	*count += (guint64)changes;
	*ret_all = changes < STEP_ROWS;
	return TRUE;
}

/* What an event was sent on as, if that has no event, is told of that event, and stays with it. */
#define SENT_ON(condition)                                              \
	"EXISTS (SELECT 1 FROM deliveries p INDEXED BY deliveries_next" \
	" WHERE p.tenant=d.tenant AND p.next_queue_id=d.queue_id AND " condition ")"

static gboolean
expire_deliveries(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	return expire_rows(
		expiring,
		sql_bind(expiring->store->sql,
			 "DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d"
			 " INDEXED BY deliveries_orphan WHERE d.tenant=?1 AND d.event IS NULL"
			 " AND d.time_us<?2 AND NOT " SENT_ON("p.event IS NOT NULL") " LIMIT ?3)",
			 "iii", expiring->tenant, expiring->expiry.before_us, (gint64)STEP_ROWS),
		&expiring->expiry.gone.deliveries, ret_all, error);
}

/* Stretches of logins that have ended; each of them is as many lines. */
#define OLD_LOGINS                                                                          \
	"FROM logins INDEXED BY logins_time WHERE tenant=?1 AND first_us<?2 AND last_us<?2" \
	" ORDER BY first_us LIMIT ?3"

static gboolean
expire_logins(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	struct sql *sql = expiring->store->sql;
	guint64 stretches = 0;
	gint64 lines;

	if (!sql_number(sql_bind(sql,
				 "SELECT sum(length(entries)/12) FROM (SELECT entries " OLD_LOGINS
				 ")",
				 "iii", expiring->tenant, expiring->expiry.before_us,
				 (gint64)STEP_ROWS),
			0, &lines, error))
		return FALSE;
	expiring->expiry.gone.deliveries += (guint64)lines;
	return expire_rows(
		expiring,
		sql_bind(sql, "DELETE FROM logins WHERE id IN (SELECT id " OLD_LOGINS ")", "iii",
			 expiring->tenant, expiring->expiry.before_us, (gint64)STEP_ROWS),
		&stretches, ret_all, error);
}

static gboolean
expire_assets(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	guint64 count = 0;

	return expire_rows(expiring,
			   sql_bind(expiring->store->sql,
				    "DELETE FROM assets WHERE id IN (SELECT id FROM assets"
				    " INDEXED BY assets_until WHERE tenant=?1 AND until_us<=?2"
				    " LIMIT ?3)",
				    "iii", expiring->tenant, expiring->expiry.before_us,
				    (gint64)STEP_ROWS),
			   &count, ret_all, error);
}

static gboolean
expire_dead_letters(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	return expire_rows(expiring,
			   sql_bind(expiring->store->sql,
				    "DELETE FROM dead_letters WHERE id IN (SELECT d.id"
				    " FROM tenants t JOIN dead_letters d ON d.tenant=t.name"
				    " WHERE t.id=?1 AND d.time_us<?2 LIMIT ?3)",
				    "iii", expiring->tenant, expiring->expiry.before_us,
				    (gint64)STEP_ROWS),
			   &expiring->expiry.gone.dead_letters, ret_all, error);
}

static gboolean
expire_intervals(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	return expire_rows(expiring,
			   sql_bind(expiring->store->sql,
				    "DELETE FROM intervals WHERE id IN (SELECT i.id FROM sensors s"
				    " JOIN intervals i INDEXED BY intervals_sensor ON i.sensor=s.id"
				    " WHERE s.tenant=?1 AND i.to_us<?2 LIMIT ?3)",
				    "iii", expiring->tenant, expiring->expiry.before_us,
				    (gint64)STEP_ROWS),
			   &expiring->expiry.gone.intervals, ret_all, error);
}

static gboolean
expire_hours(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	guint64 count = 0;

	return expire_rows(expiring,
			   sql_bind(expiring->store->sql,
				    "DELETE FROM hours WHERE tenant=?1 AND hour IN (SELECT hour"
				    " FROM hours WHERE tenant=?1 AND hour<?2 AND messages=0"
				    " AND unread=0 LIMIT ?3)",
				    "iii", expiring->tenant, expiring->expiry.before_us / HOUR_US,
				    (gint64)STEP_ROWS),
			   &count, ret_all, error);
}

static gboolean
expire_erased(struct expiring *expiring, gboolean *ret_all, GError **error)
{
	guint64 count = 0;

	return expire_rows(expiring,
			   sql_bind(expiring->store->sql,
				    "DELETE FROM erased WHERE tenant=?1 AND hour<?2", "ii",
				    expiring->tenant, expiring->expiry.before_us / HOUR_US),
			   &count, ret_all, error);
}

static guint64
count_gone(const struct store_expired *gone)
{
	return gone->messages + gone->deliveries + gone->dead_letters + gone->intervals;
}

/* The border is that of the last time that something went: before it, no later one matters. */
static gboolean
note_border(struct expiring *expiring, const struct store_expired *before, GError **error)
{
	if (count_gone(&expiring->expiry.gone) == count_gone(before))
		return TRUE;
	return sql_run(sql_bind(expiring->store->sql,
				"INSERT INTO expiry (tenant, before_us) VALUES (?1, ?2)"
				" ON CONFLICT (tenant) DO UPDATE"
				" SET before_us=max(before_us, excluded.before_us)",
				"ii", expiring->tenant, expiring->expiry.before_us),
		       error);
}

/* One kind after the other: the lines of an event go with it, and are no orphans before. */
static gboolean
take_step(struct expiring *expiring, GError **error)
{
	static gboolean (*const kinds[])(struct expiring *, gboolean *, GError **) = {
		expire_events,	     expire_deliveries, expire_logins, expire_assets,
		expire_dead_letters, expire_intervals,	expire_hours,  expire_erased};
	const struct store_expired before = expiring->expiry.gone;
	gboolean all = TRUE;

	for (gsize i = 0; all && i < G_N_ELEMENTS(kinds); i++) {
		if (is_spent(expiring))
			all = FALSE;
		else if (!kinds[i](expiring, &all, error))
			return FALSE;
	}
	expiring->expiry.done = all;
	return note_border(expiring, &before, error);
}

gboolean
store_expire(struct store *store, const char *tenant, struct store_expiry *expiry, GError **error)
{
	struct expiring expiring = {
		.store = store,
		.started_us = g_get_monotonic_time(),
		.expiry = *expiry,
	};
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = store_holds_settle(store, g_get_real_time(), error) &&
	       store_find_tenant(store, tenant, &expiring.tenant, error);
	if (done && expiring.tenant)
		done = take_step(&expiring, error);
	else
		expiring.expiry.done = TRUE;
	if (!store_end_change(store, done, error))
		return FALSE;
	*expiry = expiring.expiry;
	return TRUE;
}

/* ---- counting ---- */

gboolean
store_count_expirable(struct store *store, const char *tenant, gint64 before_us,
		      struct store_expired *ret_expired, GError **error)
{
	static const char counts[] =
		"SELECT (SELECT count(*) FROM events e WHERE e.tenant=t.id AND e.received_at_us<?2"
		"  AND NOT " IS_HELD(
			"e.id") "),"
				" (SELECT count(*) FROM deliveries WHERE tenant=t.id AND event IS NULL"
				"  AND time_us<?2) +"
				" (SELECT count(*) FROM events e INDEXED BY events_time CROSS JOIN deliveries d"
				"  ON d.event=e.id WHERE e.tenant=t.id AND e.received_at_us<?2"
				"  AND NOT " IS_HELD(
					"e.id") "),"
						" (SELECT count(*) FROM dead_letters WHERE tenant=t.name AND time_us<?2),"
						" (SELECT count(*) FROM sensors s JOIN intervals i ON i.sensor=s.id"
						"  WHERE s.tenant=t.id AND i.to_us<?2),"
						" (SELECT coalesce(sum(length(entries)/12), 0) FROM logins"
						"  WHERE tenant=t.id AND first_us<?2 AND last_us<?2)"
						" FROM tenants t WHERE t.name=?1";
	g_autoptr(sql_stmt_t) row = sql_bind(store->sql, counts, "si", tenant, before_us);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_expired = (struct store_expired){0};
	if (more > 0)
		*ret_expired = (struct store_expired){
			(guint64)sql_int(row, 0), (guint64)(sql_int(row, 1) + sql_int(row, 4)),
			(guint64)sql_int(row, 2), (guint64)sql_int(row, 3)};
	return TRUE;
}

gboolean
store_free_bytes(struct store *store, guint64 *ret_bytes, GError **error)
{
	gint64 bytes;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT freelist_count * page_size FROM pragma_freelist_count,"
				 " pragma_page_size",
				 ""),
			0, &bytes, error))
		return FALSE;
	*ret_bytes = (guint64)bytes;
	return TRUE;
}

gboolean
store_tenants(struct store *store, GPtrArray **ret_names, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct sql_stmt *rows = sql_bind(store->sql, "SELECT name FROM tenants ORDER BY name", "");
	int more;

	while ((more = sql_next(rows, error)) > 0)
		g_ptr_array_add(names, g_strdup(sql_text(rows, 0)));
	if (more < 0)
		return FALSE;
	*ret_names = g_steal_pointer(&names);
	return TRUE;
}
