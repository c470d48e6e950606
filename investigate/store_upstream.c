/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a queue id back to the events that it follows from: a line under it may
 * tell what became of their recipients.  store_trace.h has the rules.
 */
#include "caps.h"
#include "store_internal.h"

/* A line that hands over to a queue id. */
struct parent {
	gint64 event;
	char *queue_id, *recipient_key, *original_key;
};

/* The events behind a queue id being settled. */
struct ascent {
	struct store *store;
	gint64 tenant;
	GHashTable *settled; /* of gint64 *, lines about one address: whoever answers with our own
				ids leads round in a circle */
	guint parents;
};

static void
parent_free(void *data)
{
	struct parent *parent = data;

	g_free(parent->queue_id);
	g_free(parent->recipient_key);
	g_free(parent->original_key);
	g_free(parent);
}

#define PARENT_COLUMNS \
	"SELECT id, coalesce(event, 0), queue_id, recipient_key, original_key FROM deliveries"

/* All lines that hand over to a queue id. */
static const char all_parents[] =
	PARENT_COLUMNS " INDEXED BY deliveries_next WHERE tenant=?1 AND next_queue_id=?2 LIMIT ?3";
/* Those that hand over the copy of an address, or all. */
static const char parents_of_key[] = PARENT_COLUMNS
	" INDEXED BY deliveries_next WHERE tenant=?1 AND next_queue_id=?2 AND recipient_key IS NULL"
	" UNION " PARENT_COLUMNS " INDEXED BY deliveries_next WHERE tenant=?1 AND next_queue_id=?2"
	" AND recipient_key=?4 UNION " PARENT_COLUMNS " INDEXED BY deliveries_forwarded"
	" WHERE tenant=?1 AND next_queue_id=?2 AND relay='local' LIMIT ?3";

static gboolean
read_parents(struct ascent *ascent, const char *queue_id, const char *key, GPtrArray *parents,
	     GError **error)
{
	gint64 left = MAX((gint64)CAP_TRACE_LINES - ascent->parents, 0);
	g_autoptr(sql_stmt_t) rows = key ? sql_bind(ascent->store->sql, parents_of_key, "isis",
						    ascent->tenant, queue_id, left, key)
					 : sql_bind(ascent->store->sql, all_parents, "isi",
						    ascent->tenant, queue_id, left);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		gint64 id = sql_int(rows, 0);
		struct parent *parent;

		ascent->parents++;
		if (!sql_is_null(rows, 3) &&
		    !g_hash_table_add(ascent->settled, g_memdup2(&id, sizeof(id))))
			continue;
		parent = g_new0(struct parent, 1);
		parent->event = sql_int(rows, 1);
		parent->queue_id = g_strdup(sql_text(rows, 2));
		parent->recipient_key = g_strdup(sql_text(rows, 3));
		parent->original_key = g_strdup(sql_text(rows, 4));
		g_ptr_array_add(parents, parent);
	}
	return more == 0;
}

static void
add_key(GPtrArray *keys, const char *key)
{
	if (key && !g_ptr_array_find_with_equal_func(keys, key, g_str_equal, NULL))
		g_ptr_array_add(keys, g_strdup(key));
}

/* The addresses that a message had before it was queued anew: these, and those they stand for. */
static gboolean
add_originals(struct ascent *ascent, const char *queue_id, const GPtrArray *before, GPtrArray *keys,
	      GError **error)
{
	for (guint i = 0; i < before->len; i++) {
		const char *key = g_ptr_array_index(before, i);
		g_autoptr(sql_stmt_t) rows = sql_bind(
			ascent->store->sql,
			"SELECT DISTINCT original_key FROM deliveries INDEXED BY deliveries_queue"
			" WHERE tenant=?1 AND queue_id=?2 AND recipient_key=?3"
			" AND original_key IS NOT NULL",
			"iss", ascent->tenant, queue_id, key);
		int more;

		add_key(keys, key);
		while ((more = sql_next(rows, error)) > 0)
			add_key(keys, sql_text(rows, 0));
		if (more < 0)
			return FALSE;
	}
	return TRUE;
}

static gboolean ascend(struct ascent *ascent, const char *queue_id, const GPtrArray *keys,
		       guint depth, GError **error);

/* keys: that the line below speaks of; NULL: of all. */
static gboolean
settle_parent(struct ascent *ascent, const struct parent *parent, const GPtrArray *keys,
	      guint depth, GError **error)
{
	g_autoptr(GPtrArray) ours = g_ptr_array_new_with_free_func(g_free);
	gboolean whole = !parent->recipient_key && !keys;

	add_key(ours, parent->recipient_key);
	add_key(ours, parent->original_key);
	if (!parent->recipient_key && keys &&
	    !add_originals(ascent, parent->queue_id, keys, ours, error))
		return FALSE;
	if (parent->event &&
	    !store_settle_some(ascent->store, ascent->tenant, parent->event,
			       whole ? NULL : (const char *const *)ours->pdata, ours->len, error))
		return FALSE;
	return ascend(ascent, parent->queue_id, whole ? NULL : ours, depth + 1, error);
}

static gboolean
ascend(struct ascent *ascent, const char *queue_id, const GPtrArray *keys, guint depth,
       GError **error)
{
	g_autoptr(GPtrArray) parents = g_ptr_array_new_with_free_func(parent_free);

	if (depth == CAP_TRACE_HOPS)
		return TRUE;
	if (!keys && !read_parents(ascent, queue_id, NULL, parents, error))
		return FALSE;
	for (guint i = 0; keys && i < keys->len; i++)
		if (!read_parents(ascent, queue_id, g_ptr_array_index(keys, i), parents, error))
			return FALSE;
	for (guint i = 0; i < parents->len; i++)
		if (!settle_parent(ascent, g_ptr_array_index(parents, i), keys, depth, error))
			return FALSE;
	return TRUE;
}

gboolean
store_settle_upstream(struct store *store, gint64 tenant, const char *queue_id,
		      const char *recipient, const char *original, GError **error)
{
	g_autoptr(GHashTable) settled =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	struct ascent ascent = {.store = store, .tenant = tenant, .settled = settled};
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);

	add_key(keys, recipient);
	add_key(keys, original);
	return ascend(&ascent, queue_id, recipient ? keys : NULL, 0, error);
}
