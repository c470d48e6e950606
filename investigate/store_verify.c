/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the store still has what was put into it. */
#include "digest.h"
#include "store_internal.h"

#define PROGRESS_RECORDS 256

struct verification {
	struct store *store;
	store_flaw_fn flaw;
	void *data;
	store_progress_fn progress;
	void *progress_data;
	guint64 total, done, flaws;
};

static void
note_flaw(struct verification *verification, const char *kind, const char *id, const char *detail)
{
	const struct store_flaw flaw = {kind, id, detail};

	verification->flaws++;
	if (verification->flaw)
		verification->flaw(&flaw, verification->data);
}

/*
 * Where the file cannot even be read, that is a flaw like another, and the rest
 * is looked at.  Takes the trouble over.
 */
static gboolean
forgive(struct verification *verification, GError *trouble, GError **error)
{
	if (!g_error_matches(trouble, STORE_ERROR, STORE_ERROR_DAMAGED)) {
		g_propagate_error(error, trouble);
		return FALSE;
	}
	note_flaw(verification, "file", NULL, trouble->message);
	g_error_free(trouble);
	return TRUE;
}

static gboolean
step(struct verification *verification, GError **error)
{
	if (++verification->done % PROGRESS_RECORDS || !verification->progress)
		return TRUE;
	if (verification->progress((double)verification->done /
					   MAX(verification->total, verification->done),
				   verification->progress_data))
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
	return FALSE;
}

/* The pages, the order of each index, and that it has what its table has. */
static gboolean
verify_file(struct verification *verification, GError **error)
{
	struct sql *sql = verification->store->sql;
	g_autoptr(sql_stmt_t) rows = NULL;
	int more;

	if (verification->progress)
		sql_set_progress(sql, verification->progress, verification->progress_data);
	rows = sql_bind(sql, "PRAGMA integrity_check", "");
	while ((more = sql_next(rows, error)) > 0) {
		const char *said = sql_text(rows, 0);

		if (g_strcmp0(said, "ok") != 0)
			note_flaw(verification, "file", NULL, said ? said : "");
	}
	sql_set_progress(sql, NULL, NULL);
	return more == 0;
}

/* A row without its JSON, or JSON of no row, is as bad as a flipped byte. */
static gboolean
verify_records(struct verification *verification, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(verification->store->sql,
			 "SELECT 'event', e.event_id, j.packed, j.json, e.digest FROM events e"
			 " LEFT JOIN event_json j ON j.event=e.id UNION ALL"
			 " SELECT 'delivery', delivery_id, packed, json, digest FROM deliveries"
			 " UNION ALL"
			 " SELECT 'supplement', event_id, packed, json, digest FROM supplements",
			 "");
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		g_autoptr(GBytes) json = store_read_whole(rows, 2);
		gsize id_bytes;
		const void *id = sql_blob(rows, 1, &id_bytes);
		g_autofree char *text =
			id && id_bytes == UUID_BYTES ? store_uuid_text(id) : g_strdup("");

		if (!json)
			note_flaw(verification, sql_text(rows, 0), text,
				  "it is not what its digest says");
		if (!step(verification, error))
			return FALSE;
	}
	return more == 0;
}

static gboolean
is_indexed(struct store *store, gint64 tenant, gint64 file, const void *digest, gboolean *ret_is,
	   GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT count(*) FROM digests WHERE tenant=?1 AND key=?2"
				 " AND file=?3",
				 "iii", tenant, store_digest_key(digest), file),
			0, &count, error))
		return FALSE;
	*ret_is = count == 1;
	return TRUE;
}

/* A file that its hash does not find is the one that a "nobody" would be wrong about. */
static gboolean
verify_digests(struct verification *verification, GError **error)
{
	static const gsize sizes[] = {SHA256_BYTES, SHA1_BYTES, MD5_BYTES};
	g_autoptr(sql_stmt_t) rows = sql_bind(
		verification->store->sql, "SELECT tenant, id, sha256, sha1, md5 FROM files", "");
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		gboolean found = TRUE;

		for (guint i = 0; found && i < G_N_ELEMENTS(sizes); i++) {
			gsize length;
			const void *digest = sql_blob(rows, 2 + (int)i, &length);

			found = digest && length == sizes[i];
			if (found && !is_indexed(verification->store, sql_int(rows, 0),
						 sql_int(rows, 1), digest, &found, error))
				return FALSE;
		}
		if (!found)
			note_flaw(verification, "digest", NULL,
				  "a file is not found by one of its hashes");
		if (!step(verification, error))
			return FALSE;
	}
	return more == 0;
}

static gboolean
count_records(struct verification *verification, GError **error)
{
	gint64 total;

	if (!sql_number(sql_bind(verification->store->sql,
				 "SELECT (SELECT count(*) FROM events) +"
				 " (SELECT count(*) FROM deliveries) +"
				 " (SELECT count(*) FROM supplements) +"
				 " (SELECT count(*) FROM files)",
				 ""),
			0, &total, error))
		return FALSE;
	verification->total = (guint64)total;
	return TRUE;
}

gboolean
store_verify(struct store *store, store_flaw_fn flaw, void *data, store_progress_fn progress,
	     void *progress_data, guint64 *ret_flaws, GError **error)
{
	static gboolean (*const steps[])(struct verification *, GError **) = {
		verify_file, count_records, verify_records, verify_digests};
	struct verification verification = {store, flaw, data, progress, progress_data, 0, 0, 0};
	gboolean own, done = TRUE;

	if (!store_begin_question(store, &own, error))
		return FALSE;
	for (guint i = 0; done && i < G_N_ELEMENTS(steps); i++) {
		GError *trouble = NULL;

		done = steps[i](&verification, &trouble) || forgive(&verification, trouble, error);
	}
	store_end_question(store, own);
	if (done)
		*ret_flaws = verification.flaws;
	return done;
}
