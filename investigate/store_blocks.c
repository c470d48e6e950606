/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_blocks.h"

#include <string.h>

#include "store_internal.h"

/* The block's columns, in the order of read_block(). */
#define COLUMNS                                                                        \
	"number, what, name, mode, created_us, expires_us, ended_us, actor, case_id, " \
	"reason, hits, last_hit_us"

/* ---- versions ---- */

/* Every change of a key is a version of its own, so that a chunk may end behind any. */
static gboolean
next_version(struct store *store, gint64 *ret_version, GError **error)
{
	return sql_run(sql_bind(store->sql, "UPDATE block_list SET version=version+1", ""),
		       error) &&
	       sql_number(sql_bind(store->sql, "SELECT version FROM block_list", ""), 0,
			  ret_version, error);
}

/* Reads a row of two columns: the list's id and its version. */
gboolean
store_block_state(struct store *store, struct block_state *ret_state, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(store->sql, "SELECT id, version FROM block_list", "");
	int more = sql_next(row, error);
	const void *id;
	gsize length = 0;

	if (more < 0)
		return FALSE;
	id = more > 0 ? sql_blob(row, 0, &length) : NULL;
	if (length != BLOCK_LIST_ID_BYTES) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "the store has lost the block list's id; restore it from a copy");
		return FALSE;
	}
	memcpy(ret_state->list, id, BLOCK_LIST_ID_BYTES);
	ret_state->version = (guint64)sql_int(row, 1);
	return TRUE;
}

gboolean
store_block_renew(struct store *store, GError **error)
{
	return sql_run(sql_bind(store->sql, "UPDATE block_list SET id=randomblob(16)", ""), error);
}

/* ---- keys ---- */

static gboolean
set_key(struct store *store, gint64 tenant, guint32 number, const struct block_key *key,
	GError **error)
{
	gint64 version;

	return next_version(store, &version, error) &&
	       sql_run(sql_bind(store->sql,
				"INSERT INTO block_keys (tenant, kind, key, number, version)"
				" VALUES (?1, ?2, ?3, ?4, ?5)"
				" ON CONFLICT (tenant, kind, key, number)"
				" DO UPDATE SET version=excluded.version",
				"iibii", tenant, (gint64)key->kind, key->bytes,
				(gsize)BLOCK_KEY_BYTES, (gint64)number, version),
		       error);
}

/* Reads the keys of a block. */
static gboolean
read_keys(struct store *store, gint64 tenant, guint32 number, GArray *ret_keys, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		store->sql, "SELECT kind, key FROM block_keys WHERE tenant=?1 AND number=?2", "ii",
		tenant, (gint64)number);
	int more;

	while ((more = sql_next(row, error)) > 0) {
		struct block_key key = {.kind = (enum block_kind)sql_int(row, 0)};
		gsize length;
		const void *bytes = sql_blob(row, 1, &length);

		if (length != BLOCK_KEY_BYTES)
			continue;
		memcpy(key.bytes, bytes, BLOCK_KEY_BYTES);
		g_array_append_val(ret_keys, key);
	}
	return more == 0;
}

/* Gives new versions to all keys of a block, since what they stand for has changed. */
static gboolean
touch_keys(struct store *store, gint64 tenant, guint32 number, GError **error)
{
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct block_key));

	if (!read_keys(store, tenant, number, keys, error))
		return FALSE;
	for (guint i = 0; i < keys->len; i++)
		if (!set_key(store, tenant, number, &g_array_index(keys, struct block_key, i),
			     error))
			return FALSE;
	return TRUE;
}

/* ---- blocks ---- */

static gboolean
find_block(struct store *store, gint64 tenant, const char *what, gint64 *ret_number, GError **error)
{
	return sql_number(sql_bind(store->sql,
				   "SELECT number FROM blocks WHERE tenant=?1 AND what=?2"
				   " AND ended_us=0",
				   "is", tenant, what),
			  0, ret_number, error);
}

gboolean
store_block_find(struct store *store, const char *tenant, const char *what, guint32 *ret_number,
		 enum block_mode *ret_mode, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT b.number, b.mode FROM tenants t CROSS JOIN blocks b"
			 " ON b.tenant=t.id AND b.what=?2 AND b.ended_us=0 WHERE t.name=?1",
			 "ss", tenant, what);
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_number = more > 0 ? (guint32)sql_int(row, 0) : 0;
	if (more > 0)
		*ret_mode = (enum block_mode)sql_int(row, 1);
	return TRUE;
}

static gboolean
insert_block(struct store *store, gint64 tenant, struct store_block *block, GError **error)
{
	if (!sql_run(sql_bind(store->sql,
			      "INSERT INTO blocks (tenant, what, name, mode, created_us,"
			      " expires_us, actor, case_id, reason)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
			      "issiiisss", tenant, block->what, block->name, (gint64)block->mode,
			      block->created_us, block->expires_us, block->actor, block->case_id,
			      block->reason),
		     error))
		return FALSE;
	block->number = (guint32)sql_last_id(store->sql);
	return TRUE;
}

static gboolean
change_block(struct store *store, gint64 number, struct store_block *block, GError **error)
{
	block->number = (guint32)number;
	return sql_run(sql_bind(store->sql,
				"UPDATE blocks SET name=coalesce(?2, name), mode=?3, created_us=?4,"
				" expires_us=?5, actor=?6, case_id=?7, reason=?8 WHERE number=?1",
				"isiiisss", number, block->name, (gint64)block->mode,
				block->created_us, block->expires_us, block->actor, block->case_id,
				block->reason),
		       error);
}

gboolean
store_block_add(struct store *store, const char *tenant, struct store_block *block,
		const struct block_key *keys, gsize count, gboolean *ret_new, GError **error)
{
	gint64 id, number;

	if (!store_make_tenant(store, tenant, &id, error) ||
	    !find_block(store, id, block->what, &number, error))
		return FALSE;
	if (number ? !change_block(store, number, block, error) ||
			     !touch_keys(store, id, (guint32)number, error)
		   : !insert_block(store, id, block, error))
		return FALSE;
	for (gsize i = 0; i < count; i++)
		if (!set_key(store, id, block->number, &keys[i], error))
			return FALSE;
	*ret_new = number == 0;
	return TRUE;
}

static gboolean
end_block(struct store *store, gint64 tenant, gint64 number, gint64 ended_us, GError **error)
{
	return sql_run(sql_bind(store->sql, "UPDATE blocks SET ended_us=?2 WHERE number=?1", "ii",
				number, ended_us),
		       error) &&
	       touch_keys(store, tenant, (guint32)number, error);
}

gboolean
store_block_remove(struct store *store, const char *tenant, const char *what, gint64 now_us,
		   gboolean *ret_removed, GError **error)
{
	gint64 id, number = 0;

	if (!store_find_tenant(store, tenant, &id, error) ||
	    !find_block(store, id, what, &number, error))
		return FALSE;
	*ret_removed = number != 0;
	return !number || end_block(store, id, number, now_us, error);
}

/* ---- expiry ---- */

/* A block whose time is up. */
struct ending {
	gint64 number, tenant, expires_us;
};

static gboolean
read_endings(struct store *store, gint64 now_us, guint max, GArray *ret_endings, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(store->sql,
					     "SELECT number, tenant, expires_us FROM blocks"
					     " WHERE ended_us=0 AND expires_us>0 AND expires_us<=?1"
					     " LIMIT ?2",
					     "ii", now_us, (gint64)max);
	int more;

	while ((more = sql_next(row, error)) > 0) {
		struct ending ending = {sql_int(row, 0), sql_int(row, 1), sql_int(row, 2)};

		g_array_append_val(ret_endings, ending);
	}
	return more == 0;
}

gboolean
store_block_expire(struct store *store, gint64 now_us, guint max, guint *ret_count, GError **error)
{
	g_autoptr(GArray) endings = g_array_new(FALSE, FALSE, sizeof(struct ending));
	gboolean done = TRUE;

	if (!read_endings(store, now_us, max, endings, error))
		return FALSE;
	*ret_count = endings->len;
	if (!endings->len)
		return TRUE;
	if (!store_begin_change(store, error))
		return FALSE;
	for (guint i = 0; i < endings->len && done; i++) {
		const struct ending *ending = &g_array_index(endings, struct ending, i);

		done = end_block(store, ending->tenant, ending->number, ending->expires_us, error);
	}
	return store_end_change(store, done, error);
}

/* ---- hits ---- */

static gboolean
was_met_before(const GPtrArray *blocks, guint index)
{
	const struct event_block *block = blocks->pdata[index];

	for (guint i = 0; i < index; i++)
		if (((const struct event_block *)blocks->pdata[i])->number == block->number)
			return TRUE;
	return FALSE;
}

gboolean
store_block_count(struct store *store, gint64 tenant, const struct event *event, GError **error)
{
	for (guint i = 0; i < event->blocks->len; i++) {
		const struct event_block *block = event->blocks->pdata[i];

		if (was_met_before(event->blocks, i))
			continue;
		if (!sql_run(sql_bind(store->sql,
				      "UPDATE blocks SET hits=hits+1,"
				      " last_hit_us=max(last_hit_us, ?3)"
				      " WHERE number=?1 AND tenant=?2",
				      "iii", (gint64)block->number, tenant, event->received_at_us),
			     error))
			return FALSE;
	}
	return TRUE;
}

/* ---- telling ---- */

static struct store_block
read_block(struct sql_stmt *row)
{
	return (struct store_block){
		.number = (guint32)sql_int(row, 0),
		.what = (char *)sql_text(row, 1),
		.name = (char *)sql_text(row, 2),
		.mode = (enum block_mode)sql_int(row, 3),
		.created_us = sql_int(row, 4),
		.expires_us = sql_int(row, 5),
		.ended_us = sql_int(row, 6),
		.actor = (char *)sql_text(row, 7),
		.case_id = (char *)sql_text(row, 8),
		.reason = (char *)sql_text(row, 9),
		.hits = (guint64)sql_int(row, 10),
		.last_hit_us = sql_int(row, 11),
	};
}

gboolean
store_block_each(struct store *store, const char *tenant, gboolean ended, store_block_fn each,
		 void *data, GError **error)
{
	g_autoptr(sql_stmt_t) row = NULL;
	gint64 id;
	int more;

	if (!store_find_tenant(store, tenant, &id, error))
		return FALSE;
	row = sql_bind(store->sql,
		       "SELECT " COLUMNS " FROM blocks WHERE tenant=?1 AND (ended_us=0 OR ?2)"
		       " ORDER BY number",
		       "ii", id, (gint64)ended);
	while ((more = sql_next(row, error)) > 0) {
		const struct store_block block = read_block(row);

		if (!each(&block, data))
			return TRUE;
	}
	return more == 0;
}

/*
 * What a key stands for now is the gravest of its blocks in force, that which
 * lasts longest among equals; none: it was removed.  A copy that begins anew
 * need not hear of those.
 */
static const char changes[] =
	"SELECT k.version, k.kind, k.key, b.number, b.mode, b.expires_us FROM block_keys k"
	" LEFT JOIN blocks b ON b.number=("
	"SELECT o.number FROM block_keys o JOIN blocks c ON c.number=o.number"
	" WHERE o.tenant=k.tenant AND o.kind=k.kind AND o.key=k.key AND c.ended_us=0"
	" ORDER BY c.mode DESC, c.expires_us=0 DESC, c.expires_us DESC LIMIT 1)"
	" WHERE k.tenant=?1 AND k.version>?2 AND (?2>0 OR b.number IS NOT NULL)"
	" ORDER BY k.version LIMIT ?3";

static gboolean
read_change(struct sql_stmt *row, struct block_entry *ret_entry)
{
	gsize length;
	const void *key = sql_blob(row, 2, &length);

	*ret_entry = (struct block_entry){
		.key.kind = (enum block_kind)sql_int(row, 1),
		.removed = sql_is_null(row, 3),
		.number = (guint32)sql_int(row, 3),
		.mode = (enum block_mode)sql_int(row, 4),
		.expires_us = sql_int(row, 5),
	};
	if (length != BLOCK_KEY_BYTES)
		return FALSE;
	memcpy(ret_entry->key.bytes, key, BLOCK_KEY_BYTES);
	return TRUE;
}

gboolean
store_block_changes(struct store *store, const char *tenant, guint64 version,
		    struct block_chunk *ret_chunk, GError **error)
{
	g_autoptr(sql_stmt_t) row = NULL;
	struct block_state state;
	gint64 id;
	int more;

	if (!store_find_tenant(store, tenant, &id, error) ||
	    !store_block_state(store, &state, error))
		return FALSE;
	memcpy(ret_chunk->list, state.list, BLOCK_LIST_ID_BYTES);
	ret_chunk->from = ret_chunk->to = version;
	row = sql_bind(store->sql, changes, "iii", id, (gint64)version,
		       (gint64)BLOCK_CHUNK_ENTRIES + 1);
	while ((more = sql_next(row, error)) > 0 && ret_chunk->entries->len < BLOCK_CHUNK_ENTRIES) {
		struct block_entry entry;

		if (read_change(row, &entry))
			g_array_append_val(ret_chunk->entries, entry);
		ret_chunk->to = (guint64)sql_int(row, 0);
	}
	ret_chunk->last = more == 0;
	if (ret_chunk->last)
		ret_chunk->to = state.version;
	return more >= 0;
}
