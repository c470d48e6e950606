/* SPDX-License-Identifier: BSD-2-Clause */
/* An event that is added, among the others of its mail: hops, and imports. */
#include <string.h>

#include "store_add.h"

static gboolean
uncount_all(struct addition *add, GArray *ids, GError **error)
{
	for (guint i = 0; i < ids->len; i++) {
		if (!store_uncount(add->store, add->tenant, g_array_index(ids, gint64, i), error))
			return FALSE;
	}
	return TRUE;
}

/* Finds the root of the event's chain: that of its parent, if we have it, or the parent. */
static gboolean
find_chain(struct addition *add, GError **error)
{
	guint8 parent[UUID_BYTES];
	g_autoptr(sql_stmt_t) row = NULL;
	int more;

	memcpy(add->chain, add->event_id, UUID_BYTES);
	if (!store_uuid(add->event->parent_event, parent))
		return TRUE;
	memcpy(add->chain, parent, UUID_BYTES);
	row = sql_bind(add->store->sql, "SELECT chain FROM events WHERE tenant=?1 AND event_id=?2",
		       "ib", add->tenant, parent, (gsize)UUID_BYTES);
	more = sql_next(row, error);
	if (more < 0)
		return FALSE;
	if (more > 0 && !sql_is_null(row, 0)) {
		gsize length;
		const void *root = sql_blob(row, 0, &length);

		if (length == UUID_BYTES)
			memcpy(add->chain, root, UUID_BYTES);
	}
	add->chained = memcmp(add->chain, add->event_id, UUID_BYTES) != 0;
	return TRUE;
}

/*
 * Later hops may have come before us, and have us for their root.  They get
 * ours, and since a chain is one message, only one of all its events counts:
 * the first that came.
 */
static gboolean
join_members(struct addition *add, GError **error)
{
	g_autoptr(GArray) later = NULL;
	gint64 members = 0;

	if (add->chained &&
	    !store_count_chain(add->store, add->tenant, add->chain, &members, error))
		return FALSE;
	if (!store_read_ids(
		    sql_bind(add->store->sql,
			     "SELECT id FROM events WHERE tenant=?1 AND chain=?2 AND counted", "ib",
			     add->tenant, add->event_id, (gsize)UUID_BYTES),
		    &later, error))
		return FALSE;
	add->counted = members == 0 && later->len == 0;
	if (!add->chained)
		return TRUE;
	if (members > 0 && !uncount_all(add, later, error))
		return FALSE;
	return sql_run(sql_bind(add->store->sql,
				"UPDATE events SET chain=?3 WHERE tenant=?1 AND chain=?2", "ibb",
				add->tenant, add->event_id, (gsize)UUID_BYTES, add->chain,
				(gsize)UUID_BYTES),
		       error);
}

gboolean
addition_join_chain(struct addition *add, GError **error)
{
	return find_chain(add, error) && join_members(add, error);
}

gboolean
addition_supersede_imports(struct addition *add, GError **error)
{
	g_autoptr(GArray) imports = NULL;

	if (add->imported || !add->joinable)
		return TRUE;
	if (!store_read_ids(sql_bind(add->store->sql,
				     "SELECT id FROM events WHERE tenant=?1 AND message_key=?2"
				     " AND content=?3 AND origin=1 AND id<>?4",
				     "iibi", add->tenant, add->message_key, add->content,
				     (gsize)SHA256_BYTES, add->id),
			    &imports, error))
		return FALSE;
	for (guint i = 0; i < imports->len; i++) {
		gint64 id = g_array_index(imports, gint64, i);

		if (!sql_run(sql_bind(add->store->sql,
				      "DELETE FROM recipients WHERE event=?1 AND EXISTS ("
				      "SELECT 1 FROM texts a CROSS JOIN recipients r"
				      " CROSS JOIN texts b ON b.id=r.address"
				      " WHERE a.id=recipients.address AND r.event=?2 AND r.state<>3"
				      " AND coalesce(a.key, a.text)=coalesce(b.key, b.text))",
				      "ii", id, add->id),
			     error))
			return FALSE;
		if (sql_changes(add->store->sql) > 0 &&
		    (!store_uncount(add->store, add->tenant, id, error) ||
		     !sql_run(sql_bind(add->store->sql, "UPDATE events SET joined=?2 WHERE id=?1",
				       "ii", id, add->id),
			      error)))
			return FALSE;
	}
	return TRUE;
}
