/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_removal.h"

#include <string.h>

void
removal_init(struct removal *removal, struct store *store, gint64 tenant)
{
	*removal = (struct removal){
		.store = store,
		.tenant = tenant,
		.texts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
		.files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
	};
}

void
removal_clear(struct removal *removal)
{
	g_clear_pointer(&removal->texts, g_hash_table_unref);
	g_clear_pointer(&removal->files, g_hash_table_unref);
}

/* Adds the ids (first column) of a statement to a set. */
static gboolean
gather(GHashTable *set, struct sql_stmt *stmt, GError **error)
{
	int more;

	while ((more = sql_next(stmt, error)) > 0) {
		gint64 id = sql_int(stmt, 0);

		g_hash_table_add(set, g_memdup2(&id, sizeof(id)));
	}
	return more == 0;
}

static gboolean
gather_links(struct removal *removal, gint64 event, GError **error)
{
	struct sql *sql = removal->store->sql;

	return gather(removal->texts,
		      sql_bind(sql,
			       "SELECT text FROM event_texts WHERE event=?1"
			       " UNION ALL SELECT text FROM part_texts WHERE event=?1"
			       " UNION ALL SELECT address FROM recipients WHERE event=?1",
			       "i", event),
		      error) &&
	       gather(removal->files,
		      sql_bind(sql, "SELECT file FROM part_files WHERE event=?1", "i", event),
		      error);
}

/*
 * The lines of the event go with it, and those of messages without an event that
 * it was sent on as: without the line that says so they would seem to have passed
 * unseen.
 */
static gboolean
remove_deliveries(struct removal *removal, gint64 event, GError **error)
{
	struct sql *sql = removal->store->sql;

	if (!sql_run(sql_bind(sql,
			      "DELETE FROM deliveries WHERE event IS NULL AND tenant=?2"
			      " AND queue_id IN (SELECT next_queue_id FROM deliveries"
			      "  INDEXED BY deliveries_recipient"
			      "  WHERE event=?1 AND next_queue_id IS NOT NULL)",
			      "ii", event, removal->tenant),
		     error))
		return FALSE;
	removal->deliveries += (guint64)sql_changes(sql);
	if (!sql_run(sql_bind(sql, "DELETE FROM deliveries WHERE event=?1", "i", event), error))
		return FALSE;
	removal->deliveries += (guint64)sql_changes(sql);
	return TRUE;
}

/* What an event is to others. */
struct ties {
	guint8 root[UUID_BYTES]; /* of its chain */
	gboolean has_content;
	gint64 message_key;
	guint8 content[SHA256_BYTES];
};

static gboolean
copy_blob(struct sql_stmt *row, int column, guint8 *ret_bytes, gsize wanted)
{
	gsize length;
	const void *bytes = sql_blob(row, column, &length);

	if (!bytes || length != wanted)
		return FALSE;
	memcpy(ret_bytes, bytes, wanted);
	return TRUE;
}

/* Returns 1 if the event is there, 0 if not, -1 with an error. */
static int
read_ties(struct removal *removal, gint64 event, struct ties *ties, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(removal->store->sql,
			 "SELECT coalesce(chain, event_id), message_key, content FROM events"
			 " WHERE id=?1",
			 "i", event);
	int more = sql_next(row, error);

	if (more <= 0)
		return more;
	copy_blob(row, 0, ties->root, UUID_BYTES);
	ties->message_key = sql_int(row, 1);
	ties->has_content = copy_blob(row, 2, ties->content, SHA256_BYTES);
	return 1;
}

/* Their recipients are told by the event: without it they would be of nobody. */
static gboolean
remove_joined(struct removal *removal, gint64 event, const struct ties *ties, GError **error)
{
	g_autoptr(GArray) joined = NULL;

	if (!ties->has_content)
		return TRUE;
	if (!store_read_ids(sql_bind(removal->store->sql,
				     "SELECT id FROM events WHERE tenant=?1 AND message_key=?2"
				     " AND content=?3 AND joined=?4 AND NOT " IS_HELD("events.id"),
				     "iibi", removal->tenant, ties->message_key, ties->content,
				     (gsize)SHA256_BYTES, event),
			    &joined, error))
		return FALSE;
	for (guint i = 0; i < joined->len; i++) {
		gint64 import = g_array_index(joined, gint64, i);

		if (import != event && !removal_event(removal, import, error))
			return FALSE;
	}
	return TRUE;
}

/* Of holds that have ended; another would refuse that the event goes. */
static gboolean
remove_from_holds(struct removal *removal, gint64 event, GError **error)
{
	return sql_run(sql_bind(removal->store->sql,
				"DELETE FROM held WHERE event=?1 AND hold IN"
				" (SELECT number FROM holds WHERE ended_us<>0)",
				"i", event),
		       error);
}

gboolean
removal_event(struct removal *removal, gint64 event, GError **error)
{
	struct ties ties = {0};
	int there = read_ties(removal, event, &ties, error);

	if (there <= 0)
		return there == 0;
	if (!gather_links(removal, event, error) || !remove_deliveries(removal, event, error) ||
	    !remove_joined(removal, event, &ties, error) ||
	    !remove_from_holds(removal, event, error) ||
	    !store_uncount(removal->store, removal->tenant, event, error) ||
	    !sql_run(sql_bind(removal->store->sql, "DELETE FROM events WHERE id=?1", "i", event),
		     error))
		return FALSE;
	removal->messages++;
	return store_elect(removal->store, removal->tenant, ties.root, error);
}

static gboolean
drop_file(struct sql *sql, gint64 file, GError **error)
{
	guint8 sha256[SHA256_BYTES], sha1[SHA1_BYTES], md5[MD5_BYTES];
	const guint8 *each[] = {sha256, sha1, md5};
	g_autoptr(sql_stmt_t) row =
		sql_bind(sql,
			 "SELECT tenant, sha256, sha1, md5 FROM files f WHERE id=?1"
			 " AND NOT EXISTS (SELECT 1 FROM part_files WHERE file=f.id)",
			 "i", file);
	int more = sql_next(row, error);
	gint64 tenant;

	if (more <= 0)
		return more == 0;
	tenant = sql_int(row, 0);
	if (!copy_blob(row, 1, sha256, SHA256_BYTES) || !copy_blob(row, 2, sha1, SHA1_BYTES) ||
	    !copy_blob(row, 3, md5, MD5_BYTES)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "a file's hashes are damaged: see mailtrace verify");
		return FALSE;
	}
	sql_done(row);
	for (gsize i = 0; i < G_N_ELEMENTS(each); i++) {
		if (!sql_run(sql_bind(sql,
				      "DELETE FROM digests WHERE tenant=?1 AND key=?2 AND file=?3",
				      "iii", tenant, store_digest_key(each[i]), file),
			     error))
			return FALSE;
	}
	return sql_run(sql_bind(sql, "DELETE FROM files WHERE id=?1", "i", file), error);
}

static gboolean
drop_each(GHashTable *set, struct sql *sql,
	  gboolean (*drop)(struct sql *sql, gint64 id, GError **error), GError **error)
{
	GHashTableIter iter;
	void *id;

	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		if (!drop(sql, *(const gint64 *)id, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
removal_end(struct removal *removal, GError **error)
{
	return drop_each(removal->texts, removal->store->sql, store_text_drop, error) &&
	       drop_each(removal->files, removal->store->sql, drop_file, error);
}
