/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the copies of a recipient went, told to others. */
#include <string.h>

#include "store_mailbox.h"
#include "text.h"

static void
final_free(void *data)
{
	struct store_final *final = data;

	g_free(final->address);
	g_free(final->state);
	g_free(final->relay);
	g_free(final->dsn);
	g_free(final->host);
	g_free(final->queue_id);
	g_free(final->user);
	g_free(final->stored_in);
	g_free(final->folder);
	g_free(final->storage_id);
	g_ptr_array_unref(final->acts);
	g_clear_pointer(&final->devices, g_ptr_array_unref);
	g_free(final);
}

static gboolean
add_final(struct store *store, gint64 tenant, gint64 event, struct trace_final *from,
	  GPtrArray *finals, GError **error)
{
	struct store_final *final = g_new0(struct store_final, 1);

	g_ptr_array_add(finals, final);
	final->address = g_steal_pointer(&from->address);
	final->state = g_strdup(store_state_name(from->state));
	final->at_us = from->at_us;
	final->relay = g_steal_pointer(&from->relay);
	final->dsn = g_steal_pointer(&from->dsn);
	final->host = g_steal_pointer(&from->host);
	final->queue_id = g_steal_pointer(&from->queue_id);
	final->user = g_strdup(from->user);
	final->storage_id = g_strdup(from->storage_id);
	if (from->places->len)
		final->stored_in = g_strdup(
			((struct trace_place *)g_ptr_array_index(from->places, 0))->folder);
	return mailbox_acts(store, tenant, event, from, &final->folder, &final->acts, error);
}

gboolean
store_finals_of(struct store *store, gint64 tenant, gint64 event, const char *key,
		GPtrArray **ret_finals, GError **error)
{
	g_autoptr(GPtrArray) finals = g_ptr_array_new_with_free_func(final_free);
	struct trace trace;
	gboolean done = TRUE;

	if (!trace_recipient(store, tenant, event, key, &trace, error))
		return FALSE;
	for (guint i = 0; done && i < trace.finals->len; i++) {
		struct trace_final *final = g_ptr_array_index(trace.finals, i);

		done = !final->address || add_final(store, tenant, event, final, finals, error);
	}
	trace_clear(&trace);
	if (done)
		*ret_finals = g_steal_pointer(&finals);
	return done;
}

gboolean
store_act_departs(const struct store_act *act)
{
	return strcmp(act->what, "downloaded") == 0 || strcmp(act->what, "forwarded") == 0;
}

static gboolean
has_departed(const struct store_final *final)
{
	for (guint i = 0; i < final->acts->len; i++)
		if (store_act_departs(g_ptr_array_index(final->acts, i)))
			return TRUE;
	return strcmp(final->state, "forwarded") == 0;
}

gboolean
store_departed(struct store *store, gint64 tenant, gint64 event, const char *key,
	       gboolean *ret_departed, GError **error)
{
	g_autoptr(GPtrArray) finals = NULL;
	gboolean departed = FALSE;

	if (!store_finals_of(store, tenant, event, key, &finals, error))
		return FALSE;
	for (guint i = 0; !departed && i < finals->len; i++)
		departed = has_departed(g_ptr_array_index(finals, i));
	*ret_departed = departed;
	return TRUE;
}

gboolean
store_newest_hop(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES], const char *key,
		 gint64 *ret_event, gint64 *ret_state, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT e.id, r.state FROM (SELECT id, received_at_us FROM events"
			 " WHERE tenant=?1 AND event_id=?2 UNION ALL SELECT id, received_at_us"
			 " FROM events WHERE tenant=?1 AND chain=?2) e"
			 " CROSS JOIN recipients r ON r.event=e.id"
			 " CROSS JOIN texts t ON t.id=r.address"
			 " WHERE coalesce(t.key, t.text)=?3"
			 " ORDER BY r.state=3, e.received_at_us DESC, e.id DESC LIMIT 1",
			 "ibs", tenant, root, (gsize)UUID_BYTES, key);
	int more = sql_next(row, error);

	if (more <= 0)
		return more == 0;
	*ret_event = sql_int(row, 0);
	*ret_state = sql_int(row, 1);
	return TRUE;
}

/* Reads the root of an event's chain; *ret_found: FALSE if there is no such event. */
static gboolean
read_root(struct store *store, gint64 tenant, const char *event_id, guint8 ret_root[UUID_BYTES],
	  gboolean *ret_found, GError **error)
{
	guint8 uuid[UUID_BYTES];
	g_autoptr(sql_stmt_t) row = NULL;
	const void *root;
	gsize length;
	int more;

	*ret_found = FALSE;
	if (!store_uuid(event_id, uuid))
		return TRUE;
	row = sql_bind(store->sql,
		       "SELECT coalesce(chain, event_id) FROM events WHERE tenant=?1 AND"
		       " event_id=?2",
		       "ib", tenant, uuid, (gsize)UUID_BYTES);
	more = sql_next(row, error);
	if (more <= 0)
		return more == 0;
	root = sql_blob(row, 0, &length);
	*ret_found = root && length == UUID_BYTES;
	if (*ret_found)
		memcpy(ret_root, root, UUID_BYTES);
	return TRUE;
}

static gboolean
ask_finals(struct store *store, const char *tenant, const char *event_id, const char *key,
	   GPtrArray **ret_finals, GError **error)
{
	guint8 root[UUID_BYTES];
	gint64 id, event = 0, state;
	gboolean found = FALSE;

	if (!store_find_tenant(store, tenant, &id, error) ||
	    (id && !read_root(store, id, event_id, root, &found, error)) ||
	    (found && !store_newest_hop(store, id, root, key, &event, &state, error)))
		return FALSE;
	if (event)
		return store_finals_of(store, id, event, key, ret_finals, error);
	*ret_finals = g_ptr_array_new();
	return TRUE;
}

GPtrArray *
store_finals(struct store *store, const char *tenant, const char *event_id, const char *recipient,
	     GError **error)
{
	g_autofree char *key = address_search_key(recipient);
	GPtrArray *finals = NULL;
	gboolean own;

	if (!store_begin_question(store, &own, error))
		return NULL;
	if (!ask_finals(store, tenant, event_id, key, &finals, error))
		finals = NULL;
	store_end_question(store, own);
	return finals;
}
