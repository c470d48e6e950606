/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_holds.h"

#include <string.h>

#include "store_internal.h"

gboolean
store_hold_add(struct store *store, const struct store_hold *hold, gint64 *ret_number,
	       GError **error)
{
	gint64 tenant;

	if (!store_make_tenant(store, hold->tenant, &tenant, error) ||
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO holds (tenant, what, created_us, expires_us, actor,"
			      " case_id, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			      "isiisss", tenant, hold->what, hold->created_us, hold->expires_us,
			      hold->actor, hold->case_id, hold->reason),
		     error))
		return FALSE;
	*ret_number = sql_last_id(store->sql);
	return TRUE;
}

/* Finds the root of a message's chain: 1 if the event is there, 0 if not, -1 with an error. */
static int
read_root(struct store *store, gint64 tenant, const guint8 *uuid, guint8 ret_root[UUID_BYTES],
	  GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT coalesce(chain, event_id) FROM events WHERE tenant=?1"
			 " AND event_id=?2",
			 "ib", tenant, uuid, (gsize)UUID_BYTES);
	int more = sql_next(row, error);
	gsize length;
	const void *root;

	if (more <= 0)
		return more;
	root = sql_blob(row, 0, &length);
	if (!root || length != UUID_BYTES)
		return 0;
	memcpy(ret_root, root, UUID_BYTES);
	return 1;
}

gboolean
store_hold_put(struct store *store, gint64 number, const char *event_id, gboolean *ret_there,
	       GError **error)
{
	guint8 uuid[UUID_BYTES], root[UUID_BYTES];
	gint64 tenant;
	int there = 0;

	if (!sql_number(
		    sql_bind(store->sql, "SELECT tenant FROM holds WHERE number=?1", "i", number),
		    0, &tenant, error))
		return FALSE;
	if (tenant && store_uuid(event_id, uuid))
		there = read_root(store, tenant, uuid, root, error);
	if (there > 0 &&
	    !sql_run(sql_bind(store->sql,
			      "INSERT OR IGNORE INTO held (event, hold)"
			      " SELECT id, ?3 FROM events WHERE tenant=?1 AND event_id=?2"
			      " UNION SELECT id, ?3 FROM events WHERE tenant=?1 AND chain=?2",
			      "ibi", tenant, root, (gsize)UUID_BYTES, number),
		     error))
		return FALSE;
	*ret_there = there > 0;
	return there >= 0;
}

gboolean
store_hold_end(struct store *store, const char *tenant, gint64 number, gint64 now_us,
	       gboolean *ret_ended, GError **error)
{
	if (!sql_run(sql_bind(store->sql,
			      "UPDATE holds SET ended_us=?3 WHERE number=?2 AND ended_us=0"
			      " AND tenant=(SELECT id FROM tenants WHERE name=?1)",
			      "sii", tenant, number, now_us),
		     error))
		return FALSE;
	*ret_ended = sql_changes(store->sql) > 0;
	return TRUE;
}

gboolean
store_holds_settle(struct store *store, gint64 now_us, GError **error)
{
	gint64 due;

	/* Asked first, since an UPDATE of nothing wants to write all the same. */
	if (!sql_number(sql_bind(store->sql,
				 "SELECT count(*) FROM holds WHERE ended_us=0 AND expires_us>0"
				 " AND expires_us<=?1",
				 "i", now_us),
			0, &due, error))
		return FALSE;
	return due == 0 || sql_run(sql_bind(store->sql,
					    "UPDATE holds SET ended_us=expires_us WHERE ended_us=0"
					    " AND expires_us>0 AND expires_us<=?1",
					    "i", now_us),
				   error);
}

gboolean
store_hold_each(struct store *store, const char *tenant, gboolean with_ended, store_hold_fn each,
		void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT o.number, t.name, o.what, o.created_us, o.expires_us, o.ended_us,"
			 " o.actor, o.case_id, o.reason,"
			 " (SELECT count(*) FROM held WHERE hold=o.number)"
			 " FROM tenants t CROSS JOIN holds o ON o.tenant=t.id WHERE t.name=?1"
			 " AND (?2 OR o.ended_us=0) ORDER BY o.number",
			 "si", tenant, (gint64)with_ended);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		const struct store_hold hold = {
			.number = sql_int(rows, 0),
			.tenant = sql_text(rows, 1),
			.what = sql_text(rows, 2),
			.created_us = sql_int(rows, 3),
			.expires_us = sql_int(rows, 4),
			.ended_us = sql_int(rows, 5),
			.actor = sql_text(rows, 6),
			.case_id = sql_text(rows, 7),
			.reason = sql_text(rows, 8),
			.events = (guint64)sql_int(rows, 9),
		};

		if (!each(&hold, data))
			return TRUE;
	}
	return more == 0;
}

gboolean
store_count_held(struct store *store, const char *tenant, gint64 before_us, guint64 *ret_count,
		 GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT count(DISTINCT e.id) FROM tenants t CROSS JOIN holds o"
				 " ON o.tenant=t.id AND o.ended_us=0 CROSS JOIN held h"
				 " ON h.hold=o.number CROSS JOIN events e ON e.id=h.event"
				 " WHERE t.name=?1 AND e.received_at_us<?2",
				 "si", tenant, before_us),
			0, &count, error))
		return FALSE;
	*ret_count = (guint64)count;
	return TRUE;
}
