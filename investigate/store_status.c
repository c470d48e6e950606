/* SPDX-License-Identifier: BSD-2-Clause */
/* How the store and its sensors stand. */
#include "store_internal.h"

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
		" (SELECT count(*) FROM journal WHERE ?1 IS NULL OR tenant=?1),"
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
	status->journal_entries = sql_int(row, 5);
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
