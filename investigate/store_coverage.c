/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer covers, and what it did not see. */
#include <string.h>

#include "store_internal.h"

/* Twelve beats (bus.h) without a sign of life are silence. */
#define SILENT_US (60 * (gint64)G_USEC_PER_SEC)

/* ---- coverage ---- */

/* What a coverage is made for. */
struct covering {
	struct store *store;
	gint64 tenant;
	gint64 since_us, until_us; /* until_us exclusive, never 0 */
	gint64 known_us;	   /* since_us, or later if what came before has expired */
	const struct store_expected *expected;
	struct store_coverage *coverage;
};

static const char *const nobody[] = {NULL};

static const char *const *
names(const char *const *list)
{
	return list ? list : nobody;
}

static void
gap_free(void *data)
{
	struct store_gap *gap = data;

	g_free(gap->sensor);
	g_free(gap->reason);
	g_free(gap);
}

static void
clock_free(void *data)
{
	struct store_clock *clock = data;

	g_free(clock->sensor);
	g_free(clock);
}

/* Adds a gap that touches the time asked.  to_us 0: still open. */
static void
add_gap(struct covering *covering, const char *sensor, gint64 from_us, gint64 to_us,
	const char *reason, guint64 messages)
{
	struct store_gap *gap;

	if (from_us >= covering->until_us || (to_us && to_us < covering->known_us))
		return;
	gap = g_new0(struct store_gap, 1);
	gap->sensor = g_strdup(sensor);
	gap->from_us = from_us;
	gap->to_us = to_us;
	gap->reason = g_strdup(reason);
	gap->messages = messages;
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
list_sensors(struct covering *covering, GError **error)
{
	const char *const *expected = names(covering->expected->sensors);
	GPtrArray *sensors = covering->coverage->sensors;
	struct sql_stmt *rows = sql_bind(covering->store->sql,
					 "SELECT name FROM sensors WHERE tenant=?1"
					 " AND last_event_us>0 ORDER BY name",
					 "i", covering->tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0)
		g_ptr_array_add(sensors, g_strdup(sql_text(rows, 0)));
	for (; *expected; expected++) {
		if (!g_ptr_array_find_with_equal_func(sensors, *expected, g_str_equal, NULL))
			g_ptr_array_add(sensors, g_strdup(*expected));
	}
	return more == 0;
}

/*
 * Numbers that never came, between those that did, and after the last of them
 * while there may still be more of that epoch; else its end is an interval.
 */
static gboolean
find_missing(struct covering *covering, GError **error)
{
	struct sql_stmt *rows = sql_bind(
		covering->store->sql,
		"SELECT s.name, r.last_us, coalesce(min(later.first_us), 0), e.last, r.last"
		" FROM sensors s JOIN epochs e ON e.sensor=s.name JOIN ranges r ON r.epoch=e.id"
		" LEFT JOIN ranges later ON later.epoch=e.id AND later.first>r.last"
		" WHERE s.tenant=?1 GROUP BY e.id, r.first"
		" HAVING count(later.first)>0 OR (e.last>r.last AND s.epoch=e.epoch)"
		" ORDER BY s.name, r.last_us",
		"i", covering->tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0)
		add_gap(covering, sql_text(rows, 0), sql_int(rows, 1), sql_int(rows, 2), "missing",
			0);
	return more == 0;
}

static gboolean
find_intervals(struct covering *covering, GError **error)
{
	struct sql_stmt *rows =
		sql_bind(covering->store->sql,
			 "SELECT s.name, i.from_us, i.to_us, i.reason, i.messages FROM sensors s"
			 " JOIN intervals i INDEXED BY intervals_sensor ON i.sensor=s.id"
			 " WHERE s.tenant=?1 AND i.to_us>=?2 AND i.from_us<?3"
			 " ORDER BY s.name, i.from_us, i.id",
			 "iii", covering->tenant, covering->known_us, covering->until_us);
	int more;

	while ((more = sql_next(rows, error)) > 0)
		add_gap(covering, sql_text(rows, 0), sql_int(rows, 1), sql_int(rows, 2),
			sql_text(rows, 3), (guint64)sql_int(rows, 4));
	return more == 0;
}

/* A gap of the site's own choice, of each sensor that had such messages. */
static gboolean
count_exempt(struct covering *covering, GError **error)
{
	struct sql_stmt *rows = store_exempt_counts(covering->store, covering->tenant,
						    covering->known_us, covering->until_us);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		guint64 count = (guint64)sql_int(rows, 1);

		covering->coverage->exempt += count;
		add_gap(covering, sql_text(rows, 0), sql_int(rows, 2), sql_int(rows, 3), "exempt",
			count);
	}
	return more == 0;
}

static gboolean
list_clocks(struct covering *covering, GError **error)
{
	struct sql_stmt *rows = sql_bind(covering->store->sql,
					 "SELECT name, offset_us FROM sensors WHERE tenant=?1"
					 " AND offset_us IS NOT NULL ORDER BY name",
					 "i", covering->tenant);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct store_clock *clock = g_new0(struct store_clock, 1);

		clock->sensor = g_strdup(sql_text(rows, 0));
		clock->offset_us = sql_int(rows, 1);
		g_ptr_array_add(covering->coverage->clocks, clock);
	}
	return more == 0;
}

/* How an expected sensor stands: all is 0 if this tenant has none of that name. */
struct standing {
	gint64 begun_us, complete_us; /* it has recorded from then on, and until then */
	gint64 seen_us;		      /* when it was heard last; 0: never */
};

static gboolean
read_standing(struct covering *covering, const char *sensor, struct standing *ret_standing,
	      GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(covering->store->sql,
			 "SELECT last_seen_us, complete_us-"
			 "iif(complete_us>0, max(coalesce(offset_us, 0), 0), 0),"
			 " begun_us FROM sensors"
			 " WHERE tenant=?1 AND name=?2 AND last_seen_us>0",
			 "is", covering->tenant, sensor);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_standing = (struct standing){0};
	if (more > 0)
		*ret_standing =
			(struct standing){sql_int(row, 2), sql_int(row, 1), sql_int(row, 0)};
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

/* From when and until when all expected sensors recorded. */
struct extent {
	gint64 from_us, to_us;
};

/* Who names no beginning asks for all that is recorded, and is told since when. */
static void
cover_known(struct covering *covering, const char *sensor, const struct standing *standing)
{
	gint64 asked_us = MIN(covering->until_us, g_get_real_time());

	if (covering->since_us > 0 && standing->begun_us > covering->since_us)
		add_gap(covering, sensor, covering->since_us, standing->begun_us, "not-begun", 0);
	if (standing->seen_us < asked_us - SILENT_US)
		add_gap(covering, sensor, standing->seen_us, 0, "silent", 0);
}

static gboolean
cover_sensor(struct covering *covering, const char *sensor, struct extent *extent, GError **error)
{
	struct standing standing;
	gboolean anothers = FALSE;

	if (!read_standing(covering, sensor, &standing, error) ||
	    (!standing.seen_us && !is_anothers(covering, sensor, &anothers, error)))
		return FALSE;
	if (anothers)
		return TRUE;
	extent->to_us = MIN(extent->to_us, standing.complete_us);
	if (standing.seen_us) {
		extent->from_us = MAX(extent->from_us, standing.begun_us);
		cover_known(covering, sensor, &standing);
	} else {
		extent->from_us = G_MAXINT64;
		add_gap(covering, sensor, 0, 0, "never-seen", 0);
	}
	return TRUE;
}

static gboolean
cover_sensors(struct covering *covering, GError **error)
{
	const char *const *expected = names(covering->expected->sensors);
	struct extent extent = {0, G_MAXINT64};

	for (; *expected; expected++) {
		if (!cover_sensor(covering, *expected, &extent, error))
			return FALSE;
	}
	if (*names(covering->expected->sensors) && extent.from_us != G_MAXINT64)
		covering->coverage->recorded_since_us =
			MAX(extent.from_us, covering->coverage->expired_before_us);
	covering->coverage->complete_until_us = extent.to_us == G_MAXINT64 ? 0 : extent.to_us;
	return TRUE;
}

/* ---- reconciliation with the MTA's log ---- */

/* Lines of before here can be held against events: a log has whole seconds. */
#define LOG_SECOND_US (2 * (gint64)G_USEC_PER_SEC)

static gint64
unseen_until(const struct covering *covering)
{
	return MIN(covering->until_us, covering->coverage->complete_until_us - LOG_SECOND_US);
}

/* Each follower of the log has its own gap. */
static gboolean
count_unseen(struct covering *covering, GError **error)
{
	struct sql_stmt *rows = store_unseen_counts(covering->store, covering->tenant,
						    covering->known_us, unseen_until(covering));
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		guint64 count = (guint64)sql_int(rows, 1);

		covering->coverage->unseen += count;
		add_gap(covering, sql_text(rows, 0), sql_int(rows, 2), sql_int(rows, 3), "unseen",
			count);
	}
	return more == 0;
}

/* TRUE if the follower lost its place, or what it sent, in the time asked. */
static gboolean
lost_its_place(const struct covering *covering, const char *follower)
{
	const GPtrArray *gaps = covering->coverage->gaps;

	for (guint i = 0; i < gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(gaps, i);

		if (strcmp(gap->sensor, follower) == 0 && strcmp(gap->reason, "unseen") != 0)
			return TRUE;
	}
	return FALSE;
}

static gboolean
reconcile(struct covering *covering, GError **error)
{
	struct store_coverage *coverage = covering->coverage;
	const char *const *follower = names(covering->expected->followers);
	gint64 read_us = *follower ? G_MAXINT64 : 0;
	gboolean whole = TRUE;

	if (!count_unseen(covering, error))
		return FALSE;
	for (; *follower; follower++) {
		struct standing standing;

		if (!read_standing(covering, *follower, &standing, error))
			return FALSE;
		read_us = MIN(read_us, standing.complete_us);
		whole = whole && standing.seen_us && !lost_its_place(covering, *follower);
	}
	coverage->reconciled_until_us = read_us;
	coverage->reconciled =
		whole && read_us > 0 && coverage->unseen == 0 && coverage->complete_until_us > 0 &&
		read_us + STORE_LAG_US >= MIN(coverage->complete_until_us, covering->until_us);
	return TRUE;
}

/* ---- the whole ---- */

/* Of what may be gone nothing is known, of gaps neither. */
static gboolean
read_expiry(struct covering *covering, GError **error)
{
	gint64 before_us;

	if (!sql_number(sql_bind(covering->store->sql,
				 "SELECT before_us FROM expiry WHERE tenant=?1", "i",
				 covering->tenant),
			0, &before_us, error))
		return FALSE;
	if (before_us <= covering->since_us)
		return TRUE;
	covering->known_us = before_us;
	covering->coverage->expired_before_us = before_us;
	return TRUE;
}

static gboolean
count_erased(struct covering *covering, GError **error)
{
	gint64 end = covering->until_us / HOUR_US + (covering->until_us % HOUR_US != 0);
	gint64 messages;

	if (!sql_number(sql_bind(covering->store->sql,
				 "SELECT sum(messages) FROM erased WHERE tenant=?1 AND hour>=?2"
				 " AND hour<?3",
				 "iii", covering->tenant, covering->known_us / HOUR_US, end),
			0, &messages, error))
		return FALSE;
	covering->coverage->erased = (guint64)messages;
	return TRUE;
}

static gboolean
cover(struct covering *covering, GError **error)
{
	return read_expiry(covering, error) && count_messages(covering, error) &&
	       count_erased(covering, error) && list_sensors(covering, error) &&
	       list_clocks(covering, error) && find_missing(covering, error) &&
	       find_intervals(covering, error) && count_exempt(covering, error) &&
	       cover_sensors(covering, error) && reconcile(covering, error);
}

static struct covering
covering_of(struct store *store, const struct query *query, const struct store_expected *expected,
	    struct store_coverage *coverage)
{
	static const struct store_expected none = {NULL, NULL};

	*coverage = (struct store_coverage){
		.sensors = g_ptr_array_new_with_free_func(g_free),
		.gaps = g_ptr_array_new_with_free_func(gap_free),
		.clocks = g_ptr_array_new_with_free_func(clock_free),
	};
	return (struct covering){
		.store = store,
		.since_us = query->since_us,
		.known_us = query->since_us,
		.until_us = query->until_us ? query->until_us : G_MAXINT64,
		.expected = expected ? expected : &none,
		.coverage = coverage,
	};
}

gboolean
store_coverage(struct store *store, const struct query *query,
	       const struct store_expected *expected, struct store_coverage *ret_coverage,
	       GError **error)
{
	struct store_coverage coverage;
	struct covering covering = covering_of(store, query, expected, &coverage);
	gboolean own, done;

	if (!store_begin_question(store, &own, error)) {
		store_coverage_clear(&coverage);
		return FALSE;
	}
	done = store_find_tenant(store, query->tenant, &covering.tenant, error) &&
	       cover(&covering, error);
	store_end_question(store, own);
	if (done)
		*ret_coverage = coverage;
	else
		store_coverage_clear(&coverage);
	return done;
}

static gboolean
give_unseen(struct covering *covering, store_unseen_fn unseen, void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows = NULL;
	int more;

	if (!read_expiry(covering, error) || !cover_sensors(covering, error))
		return FALSE;
	rows = store_unseen_rows(covering->store, covering->tenant, covering->known_us,
				 unseen_until(covering));
	while ((more = sql_next(rows, error)) > 0) {
		const struct store_unseen row = {sql_int(rows, 0), sql_text(rows, 1),
						 sql_text(rows, 2), sql_text(rows, 3)};

		if (!unseen(&row, data))
			return TRUE;
	}
	return more == 0;
}

gboolean
store_unseen(struct store *store, const struct query *query, const struct store_expected *expected,
	     store_unseen_fn unseen, void *data, GError **error)
{
	struct store_coverage coverage;
	struct covering covering = covering_of(store, query, expected, &coverage);
	gboolean own, done;

	done = store_begin_question(store, &own, error);
	if (done) {
		done = store_find_tenant(store, query->tenant, &covering.tenant, error) &&
		       give_unseen(&covering, unseen, data, error);
		store_end_question(store, own);
	}
	store_coverage_clear(&coverage);
	return done;
}

gboolean
store_unread(struct store *store, const struct query *query, store_unread_fn unread, void *data,
	     GError **error)
{
	g_autoptr(sql_stmt_t) rows = NULL;
	gint64 tenant;
	int more;

	if (!store_find_tenant(store, query->tenant, &tenant, error))
		return FALSE;
	rows = sql_bind(store->sql,
			"SELECT event_id FROM events INDEXED BY events_time WHERE tenant=?1"
			" AND received_at_us>=?2 AND received_at_us<?3 AND counted AND unread"
			" ORDER BY received_at_us, id",
			"iii", tenant, query->since_us,
			query->until_us ? query->until_us : G_MAXINT64);
	while ((more = sql_next(rows, error)) > 0) {
		gsize length;
		const void *id = sql_blob(rows, 0, &length);
		g_autofree char *text = length == UUID_BYTES ? store_uuid_text(id) : g_strdup("");

		if (!unread(text, data))
			return TRUE;
	}
	return more == 0;
}

void
store_coverage_clear(struct store_coverage *coverage)
{
	g_clear_pointer(&coverage->sensors, g_ptr_array_unref);
	g_clear_pointer(&coverage->gaps, g_ptr_array_unref);
	g_clear_pointer(&coverage->clocks, g_ptr_array_unref);
}
