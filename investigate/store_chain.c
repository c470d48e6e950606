/* SPDX-License-Identifier: BSD-2-Clause */
/* The hops of one message. */
#include <string.h>

#include "store_internal.h"

/* Reads the root of an event's chain; *ret_known is FALSE if there is no such event. */
static gboolean
read_root(struct store *store, gint64 tenant, const guint8 uuid[UUID_BYTES],
	  guint8 ret_root[UUID_BYTES], gboolean *ret_known, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		store->sql,
		"SELECT coalesce(chain, event_id) FROM events WHERE tenant=?1 AND event_id=?2",
		"ib", tenant, uuid, (gsize)UUID_BYTES);
	int more = sql_next(row, error);
	const void *root;
	gsize length = 0;

	if (more < 0)
		return FALSE;
	root = more > 0 ? sql_blob(row, 0, &length) : NULL;
	*ret_known = length == UUID_BYTES;
	if (*ret_known)
		memcpy(ret_root, root, UUID_BYTES);
	return TRUE;
}

gboolean
store_chain(struct store *store, const char *tenant, const char *event_id, store_hop_fn hop,
	    void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows = NULL;
	guint8 uuid[UUID_BYTES], root[UUID_BYTES];
	gboolean known = FALSE;
	gint64 id;
	int more;

	if (!store_uuid(event_id, uuid))
		return TRUE;
	if (!store_find_tenant(store, tenant, &id, error) ||
	    !read_root(store, id, uuid, root, &known, error))
		return FALSE;
	if (!known)
		return TRUE;
	rows = sql_bind(store->sql,
			"SELECT event_id FROM (SELECT id, event_id, received_at_us FROM events"
			" WHERE tenant=?1 AND event_id=?2 UNION ALL SELECT id, event_id,"
			" received_at_us FROM events WHERE tenant=?1 AND chain=?2)"
			" ORDER BY received_at_us, id",
			"ib", id, root, (gsize)UUID_BYTES);
	while ((more = sql_next(rows, error)) > 0) {
		gsize length;
		const void *bytes = sql_blob(rows, 0, &length);
		g_autofree char *text = length == UUID_BYTES ? store_uuid_text(bytes) : NULL;

		if (text && !hop(text, data))
			return TRUE;
	}
	return more == 0;
}
