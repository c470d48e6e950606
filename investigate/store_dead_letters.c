/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_dead_letters.h"

#include "store_internal.h"
#include "store_sqlite.h"

/*
 * What it tells of was received since the sensor was complete, and is in no answer: that
 * is a gap, and stays one when the letter is dropped.
 */
static gboolean
note_gap(struct store *store, const char *tenant, const char *name, gint64 now_us, GError **error)
{
	gint64 tenant_id, sensor, complete_us;

	return store_make_tenant(store, tenant, &tenant_id, error) &&
	       store_make_sensor(store, tenant_id, name, &sensor, error) &&
	       sql_number(sql_bind(store->sql,
				   "SELECT iif(complete_us>0, complete_us, begun_us) FROM sensors"
				   " WHERE id=?1",
				   "i", sensor),
			  0, &complete_us, error) &&
	       store_add_interval(store, sensor, STORE_DEAD_LETTER_GAP, MIN(complete_us, now_us),
				  now_us, 1, error);
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
	       note_gap(store, tenant, sensor, now_us, error) &&
	       (!sequence || store_note_number(store, sensor, sequence, now_us, error));
	return store_end_change(store, done, error);
}

gboolean
store_dead_letter_each(struct store *store, const char *tenant, gint64 id,
		       store_dead_letter_fn each, void *data, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		store->sql,
		"SELECT id, tenant, sensor, epoch, n, time_us, reason, json FROM dead_letters"
		" WHERE tenant=?1 AND (?2=0 OR id=?2) ORDER BY id",
		"si", tenant, id);
	int more;

	while ((more = sql_next(row, error)) > 0) {
		struct store_dead_letter letter = {
			.id = sql_int(row, 0),
			.tenant = sql_text(row, 1),
			.sensor = sql_text(row, 2),
			.sequence = {sql_text(row, 3), (guint64)sql_int(row, 4)},
			.time_us = sql_int(row, 5),
			.reason = sql_text(row, 6),
		};

		letter.json = sql_blob(row, 7, &letter.length);
		if (!each(&letter, data))
			return TRUE;
	}
	return more == 0;
}

gboolean
store_dead_letter_remove(struct store *store, gint64 id, GError **error)
{
	return sql_run(sql_bind(store->sql, "DELETE FROM dead_letters WHERE id=?1", "i", id),
		       error);
}

gboolean
store_dead_letter_revived(struct store *store, const struct store_dead_letter *letter,
			  GError **error)
{
	return sql_run(sql_bind(store->sql,
				"UPDATE intervals SET messages=messages-1 WHERE id=(SELECT i.id"
				" FROM tenants t JOIN sensors s ON s.tenant=t.id AND s.name=?2"
				" JOIN intervals i INDEXED BY intervals_sensor ON i.sensor=s.id"
				" WHERE t.name=?1 AND i.reason=?4 AND i.from_us<=?3"
				" AND i.to_us>=?3 LIMIT 1)",
				"ssis", letter->tenant, letter->sensor, letter->time_us,
				STORE_DEAD_LETTER_GAP),
		       error) &&
	       sql_run(sql_bind(store->sql, "DELETE FROM intervals WHERE reason=?1 AND messages<=0",
				"s", STORE_DEAD_LETTER_GAP),
		       error) &&
	       store_dead_letter_remove(store, letter->id, error);
}
