/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer covers, and how the store stands. */
#include "store_internal.h"

/* Twelve beats (bus.h) without a sign of life are silence. */
#define SILENT_US (60 * (gint64)G_USEC_PER_SEC)

/* ---- coverage ---- */

/* What a coverage is made for. */
struct covering {
	struct store *store;
	gint64 tenant;
	gint64 since_us, until_us; /* until_us exclusive, never 0 */
	struct store_coverage *coverage;
};

static void
gap_free(void *data)
{
	struct store_gap *gap = data;

	g_free(gap->sensor);
	g_free(gap->reason);
	g_free(gap);
}

/* Adds a gap that touches the time asked.  to_us 0: still open. */
static void
add_gap(struct covering *covering, const char *sensor, gint64 from_us, gint64 to_us,
	const char *reason)
{
	struct store_gap *gap;

	if (from_us >= covering->until_us || (to_us && to_us < covering->since_us))
		return;
	gap = g_new0(struct store_gap, 1);
	gap->sensor = g_strdup(sensor);
	gap->from_us = from_us;
	gap->to_us = to_us;
	gap->reason = g_strdup(reason);
	g_ptr_array_add(covering->coverage->gaps, gap);
}

/* Adds the messages of [from, to), counted one by one. */
static gboolean
count_events(struct covering *covering, gint64 from_us, gint64 to_us, GError **error)
{
	g_autoptr(sql_stmt_t) row = NULL;

	if (from_us >= to_us)
		return TRUE;
	row = sql_bind(
		covering->store->sql,
		"SELECT count(*), coalesce(sum(unread), 0) FROM events INDEXED BY events_time"
		" WHERE tenant=?1 AND received_at_us>=?2 AND received_at_us<?3 AND counted",
		"iii", covering->tenant, from_us, to_us);
	if (sql_next(row, error) < 0)
		return FALSE;
	covering->coverage->messages += sql_int(row, 0);
	covering->coverage->unread += sql_int(row, 1);
	return TRUE;
}

/* Adds the messages of whole hours, from their sums. */
static gboolean
count_hours(struct covering *covering, gint64 first, gint64 end, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(covering->store->sql,
			 "SELECT coalesce(sum(messages), 0), coalesce(sum(unread), 0) FROM hours"
			 " WHERE tenant=?1 AND hour>=?2 AND hour<?3",
			 "iii", covering->tenant, first, end);

	if (sql_next(row, error) < 0)
		return FALSE;
	covering->coverage->messages += sql_int(row, 0);
	covering->coverage->unread += sql_int(row, 1);
	return TRUE;
}

static gboolean
count_messages(struct covering *covering, GError **error)
{
	gint64 since_us = MAX(covering->since_us, 0);
	gint64 until_us = covering->until_us;
	gint64 first = (since_us + HOUR_US - 1) / HOUR_US;
	gint64 end = until_us / HOUR_US;

	if (first >= end)
		return count_events(covering, since_us, until_us, error);
	return count_events(covering, since_us, first * HOUR_US, error) &&
	       count_hours(covering, first, end, error) &&
	       (until_us == G_MAXINT64 || count_events(covering, end * HOUR_US, until_us, error));
}

static gboolean
list_sensors(struct covering *covering, const char *const *expected, GError **error)
{
	GPtrArray *sensors = covering->coverage->sensors;
	struct sql_stmt *rows = sql_bind(covering->store->sql,
					 "SELECT name FROM sensors WHERE tenant=?1"
					 " AND last_event_us>0 ORDER BY name",
					 "i", covering->tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0)
		g_ptr_array_add(sensors, g_strdup(sql_text(rows, 0)));
	for (; expected && *expected; expected++) {
		if (!g_ptr_array_find_with_equal_func(sensors, *expected, g_str_equal, NULL))
			g_ptr_array_add(sensors, g_strdup(*expected));
	}
	return more == 0;
}

/* Numbers that never came, between those that did, and after the last of them. */
static gboolean
find_missing(struct covering *covering, GError **error)
{
	struct sql_stmt *rows = sql_bind(
		covering->store->sql,
		"SELECT s.name, r.last_us, coalesce(min(later.first_us), 0), e.last, r.last"
		" FROM sensors s JOIN epochs e ON e.sensor=s.name JOIN ranges r ON r.epoch=e.id"
		" LEFT JOIN ranges later ON later.epoch=e.id AND later.first>r.last"
		" WHERE s.tenant=?1 GROUP BY e.id, r.first"
		" HAVING count(later.first)>0 OR e.last>r.last ORDER BY s.name, r.last_us",
		"i", covering->tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0)
		add_gap(covering, sql_text(rows, 0), sql_int(rows, 1), sql_int(rows, 2), "missing");
	return more == 0;
}

/* Reads how an expected sensor stands; *ret_known FALSE if this tenant has none of that name. */
static gboolean
read_contact(struct covering *covering, const char *sensor, gboolean *ret_known,
	     gint64 *ret_seen_us, gint64 *ret_complete_us, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(covering->store->sql,
					     "SELECT last_seen_us, complete_us FROM sensors"
					     " WHERE tenant=?1 AND name=?2 AND last_seen_us>0",
					     "is", covering->tenant, sensor);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_known = more > 0;
	*ret_seen_us = more > 0 ? sql_int(row, 0) : 0;
	*ret_complete_us = more > 0 ? sql_int(row, 1) : 0;
	return TRUE;
}

/* The list of expected sensors is the site's: those of other tenants are not ours to miss. */
static gboolean
is_anothers(struct covering *covering, const char *sensor, gboolean *ret_anothers, GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(covering->store->sql,
				 "SELECT count(*) FROM sensors WHERE name=?2 AND tenant<>?1", "is",
				 covering->tenant, sensor),
			0, &count, error))
		return FALSE;
	*ret_anothers = count > 0;
	return TRUE;
}

static gboolean
cover_sensor(struct covering *covering, const char *sensor, gint64 *complete_us, GError **error)
{
	gint64 asked_us = MIN(covering->until_us, g_get_real_time());
	gint64 seen_us, until_us;
	gboolean known, anothers = FALSE;

	if (!read_contact(covering, sensor, &known, &seen_us, &until_us, error) ||
	    (!known && !is_anothers(covering, sensor, &anothers, error)))
		return FALSE;
	if (anothers)
		return TRUE;
	*complete_us = MIN(*complete_us, until_us);
	if (!known)
		add_gap(covering, sensor, 0, 0, "never-seen");
	else if (seen_us < asked_us - SILENT_US)
		add_gap(covering, sensor, seen_us, 0, "silent");
	return TRUE;
}

static gboolean
cover(struct covering *covering, const char *const *expected, GError **error)
{
	gint64 complete_us = G_MAXINT64;

	if (!count_messages(covering, error) || !list_sensors(covering, expected, error) ||
	    !find_missing(covering, error))
		return FALSE;
	for (; expected && *expected; expected++) {
		if (!cover_sensor(covering, *expected, &complete_us, error))
			return FALSE;
	}
	covering->coverage->complete_until_us = complete_us == G_MAXINT64 ? 0 : complete_us;
	return TRUE;
}

gboolean
store_coverage(struct store *store, const struct query *query, const char *const *expected,
	       struct store_coverage *ret_coverage, GError **error)
{
	struct store_coverage coverage = {
		.sensors = g_ptr_array_new_with_free_func(g_free),
		.gaps = g_ptr_array_new_with_free_func(gap_free),
	};
	struct covering covering = {
		.store = store,
		.since_us = query->since_us,
		.until_us = query->until_us ? query->until_us : G_MAXINT64,
		.coverage = &coverage,
	};
	gboolean own, done;

	if (!store_begin_question(store, &own, error)) {
		store_coverage_clear(&coverage);
		return FALSE;
	}
	done = store_find_tenant(store, query->tenant, &covering.tenant, error) &&
	       cover(&covering, expected, error);
	store_end_question(store, own);
	if (done)
		*ret_coverage = coverage;
	else
		store_coverage_clear(&coverage);
	return done;
}

void
store_coverage_clear(struct store_coverage *coverage)
{
	g_clear_pointer(&coverage->sensors, g_ptr_array_unref);
	g_clear_pointer(&coverage->gaps, g_ptr_array_unref);
}

/* ---- status ---- */

static void
store_sensor_free(void *data)
{
	struct store_sensor *sensor = data;

	g_free(sensor->tenant);
	g_free(sensor->sensor);
	g_free(sensor->epoch);
	g_free(sensor->counters);
	g_free(sensor);
}

static gboolean
read_sensors(struct store *store, const char *tenant, GPtrArray *sensors, GError **error)
{
	struct sql_stmt *rows = sql_bind(
		store->sql,
		"SELECT t.name, s.name, s.epoch, s.last_seen_us, s.last_event_us, s.counters,"
		" coalesce((SELECT max(r.last) FROM epochs e JOIN ranges r ON r.epoch=e.id"
		"  WHERE e.sensor=s.name AND e.epoch=s.epoch AND r.first<=1), 0),"
		" coalesce((SELECT e.last FROM epochs e WHERE e.sensor=s.name"
		"  AND e.epoch=s.epoch), 0)"
		" FROM sensors s JOIN tenants t ON t.id=s.tenant"
		" WHERE ?1 IS NULL OR t.name=?1 ORDER BY t.name, s.name",
		"s", tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct store_sensor *sensor = g_new0(struct store_sensor, 1);

		sensor->tenant = g_strdup(sql_text(rows, 0));
		sensor->sensor = g_strdup(sql_text(rows, 1));
		sensor->epoch = g_strdup(sql_text(rows, 2));
		sensor->last_seen_us = sql_int(rows, 3);
		sensor->last_event_us = sql_int(rows, 4);
		sensor->counters = g_strdup(sql_text(rows, 5));
		sensor->through = sql_int(rows, 6);
		sensor->last = MAX(sensor->through, (guint64)sql_int(rows, 7));
		g_ptr_array_add(sensors, sensor);
	}
	return more == 0;
}

static gboolean
read_counts(struct store *store, const char *tenant, struct store_status *status, GError **error)
{
	static const char counts[] =
		"SELECT (SELECT user_version FROM pragma_user_version),"
		" (SELECT count(*) FROM events WHERE ?1 IS NULL OR tenant=?2),"
		" (SELECT count(*) FROM files WHERE ?1 IS NULL OR tenant=?2),"
		" (SELECT count(*) FROM recipients r WHERE ?1 IS NULL OR"
		"  (SELECT tenant FROM events WHERE id=r.event)=?2),"
		" (SELECT count(*) FROM dead_letters WHERE ?1 IS NULL OR tenant=?1),"
		" (SELECT count(*) FROM audit WHERE ?1 IS NULL OR tenant=?1),"
		" (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)";
	g_autoptr(sql_stmt_t) row = NULL;
	gint64 id = 0;

	if (tenant && !store_find_tenant(store, tenant, &id, error))
		return FALSE;
	row = sql_bind(store->sql, counts, "si", tenant, id);
	if (sql_next(row, error) < 0)
		return FALSE;
	status->schema = sql_int(row, 0);
	status->events = sql_int(row, 1);
	status->files = sql_int(row, 2);
	status->recipients = sql_int(row, 3);
	status->dead_letters = sql_int(row, 4);
	status->audit_entries = sql_int(row, 5);
	status->bytes = sql_int(row, 6);
	return TRUE;
}

gboolean
store_status(struct store *store, const char *tenant, struct store_status *ret_status,
	     GError **error)
{
	struct store_status status = {
		.sensors = g_ptr_array_new_with_free_func(store_sensor_free),
	};
	gboolean own, done;

	if (!store_begin_question(store, &own, error)) {
		store_status_clear(&status);
		return FALSE;
	}
	done = read_counts(store, tenant, &status, error) &&
	       read_sensors(store, tenant, status.sensors, error);
	store_end_question(store, own);
	if (done)
		*ret_status = status;
	else
		store_status_clear(&status);
	return done;
}

void
store_status_clear(struct store_status *status)
{
	g_clear_pointer(&status->sensors, g_ptr_array_unref);
}
