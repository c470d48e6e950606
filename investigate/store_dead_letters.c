/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_dead_letters.h"

#include "store_internal.h"
#include "store_sqlite.h"

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
