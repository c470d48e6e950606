/* SPDX-License-Identifier: BSD-2-Clause */
/* What came from which sensor, and its signs of life. */
#include "store_internal.h"

static gboolean
make_epoch(struct store *store, const char *sensor, const char *epoch, gint64 *ret_id,
	   GError **error)
{
	if (!sql_number(sql_bind(store->sql, "SELECT id FROM epochs WHERE sensor=?1 AND epoch=?2",
				 "ss", sensor, epoch),
			0, ret_id, error))
		return FALSE;
	if (*ret_id)
		return TRUE;
	if (!sql_run(sql_bind(store->sql, "INSERT INTO epochs (sensor, epoch) VALUES (?1, ?2)",
			      "ss", sensor, epoch),
		     error))
		return FALSE;
	*ret_id = sql_last_id(store->sql);
	return TRUE;
}

/* A hole has been filled: two stretches that touch become one. */
static gboolean
merge_ranges(struct store *store, gint64 epoch, gint64 n, GError **error)
{
	if (!sql_run(
		    sql_bind(
			    store->sql,
			    "UPDATE ranges SET"
			    " last=(SELECT r.last FROM ranges r WHERE r.epoch=?1 AND r.first=?2+1),"
			    " last_us=(SELECT r.last_us FROM ranges r"
			    "  WHERE r.epoch=?1 AND r.first=?2+1)"
			    " WHERE epoch=?1 AND last=?2"
			    " AND EXISTS (SELECT 1 FROM ranges WHERE epoch=?1 AND first=?2+1)",
			    "ii", epoch, n),
		    error))
		return FALSE;
	return sql_changes(store->sql) == 0 ||
	       sql_run(sql_bind(store->sql, "DELETE FROM ranges WHERE epoch=?1 AND first=?2+1",
				"ii", epoch, n),
		       error);
}

gboolean
store_note_number(struct store *store, const char *sensor, const struct store_sequence *sequence,
		  gint64 time_us, GError **error)
{
	gint64 n = (gint64)MIN(sequence->n, (guint64)G_MAXINT64 - 1);
	gint64 epoch, known;

	if (!make_epoch(store, sensor, sequence->epoch, &epoch, error) ||
	    !sql_number(sql_bind(store->sql,
				 "SELECT last>=?2 FROM ranges WHERE epoch=?1 AND first<=?2"
				 " ORDER BY first DESC LIMIT 1",
				 "ii", epoch, n),
			0, &known, error))
		return FALSE;
	if (known)
		return TRUE;
	if (!sql_run(sql_bind(store->sql,
			      "UPDATE ranges SET last=?2, last_us=?3 WHERE epoch=?1 AND first="
			      "(SELECT max(first) FROM ranges WHERE epoch=?1 AND first<=?2)"
			      " AND last=?2-1",
			      "iii", epoch, n, time_us),
		     error))
		return FALSE;
	if (sql_changes(store->sql) == 0 &&
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO ranges (epoch, first, last, first_us, last_us)"
			      " VALUES (?1, ?2, ?2, ?3, ?3)",
			      "iii", epoch, n, time_us),
		     error))
		return FALSE;
	return merge_ranges(store, epoch, n, error);
}

gboolean
store_sequence_through(struct store *store, const char *sensor, const char *epoch,
		       guint64 *ret_through, GError **error)
{
	gint64 through;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT r.last FROM epochs e CROSS JOIN ranges r ON r.epoch=e.id"
				 " WHERE e.sensor=?1 AND e.epoch=?2 AND r.first<=1"
				 " ORDER BY r.first DESC LIMIT 1",
				 "ss", sensor, epoch),
			0, &through, error))
		return FALSE;
	*ret_through = through;
	return TRUE;
}

gboolean
store_add_dead_letter(struct store *store, const char *tenant, const char *sensor,
		      const struct store_sequence *sequence, GBytes *json, const char *reason,
		      GError **error)
{
	gsize length;
	const void *bytes = g_bytes_get_data(json, &length);
	gint64 now_us = g_get_real_time();
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = sql_run(sql_bind(
			       store->sql,
			       "INSERT INTO dead_letters (tenant, sensor, epoch, n, time_us, reason,"
			       " json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			       "sssiisb", tenant, sensor, sequence ? sequence->epoch : NULL,
			       (gint64)(sequence ? sequence->n : 0), now_us, reason,
			       length ? bytes : "", length),
		       error) &&
	       (!sequence || store_note_number(store, sensor, sequence, now_us, error));
	return store_end_change(store, done, error);
}

/* A beat that came when everything given out was stored says: complete until here. */
static gboolean
note_contact(struct store *store, gint64 sensor, const char *epoch, gint64 time_us,
	     gint64 complete_us, const char *counters, GError **error)
{
	return sql_run(sql_bind(store->sql,
				"UPDATE sensors SET epoch=?2, last_seen_us=max(last_seen_us, ?3),"
				" complete_us=max(complete_us, ?4), counters=coalesce(?5, counters)"
				" WHERE id=?1",
				"isiis", sensor, epoch, time_us, complete_us, counters),
		       error);
}

static gboolean
note_sensor(struct store *store, const char *tenant_name, const char *sensor_name,
	    const char *epoch, gint64 time_us, gint64 complete_us, guint64 last,
	    const char *counters, GError **error)
{
	gint64 tenant, sensor, epoch_id;
	guint64 through;

	return store_make_tenant(store, tenant_name, &tenant, error) &&
	       store_make_sensor(store, tenant, sensor_name, &sensor, error) &&
	       make_epoch(store, sensor_name, epoch, &epoch_id, error) &&
	       sql_run(sql_bind(store->sql, "UPDATE epochs SET last=max(last, ?2) WHERE id=?1",
				"ii", epoch_id, (gint64)MIN(last, (guint64)G_MAXINT64)),
		       error) &&
	       store_sequence_through(store, sensor_name, epoch, &through, error) &&
	       note_contact(store, sensor, epoch, time_us, through >= last ? complete_us : 0,
			    counters, error);
}

gboolean
store_note_sensor(struct store *store, const char *tenant, const char *sensor, const char *epoch,
		  gint64 time_us, gint64 complete_us, guint64 last, const char *counters,
		  GError **error)
{
	if (!store_begin_change(store, error))
		return FALSE;
	return store_end_change(store,
				note_sensor(store, tenant, sensor, epoch, time_us, complete_us,
					    last, counters, error),
				error);
}
