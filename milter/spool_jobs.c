/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "spool_private.h"

#define REASON_BYTES 1024 /* of a dead letter */

static const char *const statement_text[STATEMENTS] = {
	[INSERT_ENTRY] = "INSERT INTO entry (at_us, digest, event) VALUES (?1, ?2, ?3)",
	[SIZE_THROUGH] =
		"SELECT count(*), total(length(event)) FROM entry WHERE n BETWEEN ?1 AND ?2",
	[DELETE_THROUGH] = "DELETE FROM entry WHERE n <= ?1",
	[BURY_ENTRY] =
		("INSERT OR IGNORE INTO dead (n, epoch, at_us, refused_us, reason, digest, event)"
		 " SELECT n, ?2, at_us, ?3, ?4, digest, event FROM entry WHERE n = ?1"),
	[DELETE_ENTRY] = "DELETE FROM entry WHERE n = ?1",
	[OLDEST_ENTRY] = "SELECT at_us FROM entry ORDER BY n LIMIT 1",
	[NEXT_ENTRY] = "SELECT n FROM entry WHERE n > ?1 ORDER BY n LIMIT 1",
	[MOVE_ENTRY] = "UPDATE entry SET n = ?2 WHERE n = ?1",
	[SET_LAST] = "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'entry'",
	[SAVE_STATE] = "UPDATE state SET epoch = ?1, entries = ?2, bytes = ?3, acknowledged = ?4",
};

gboolean
spool_prepare_jobs(struct spool *spool, GError **error)
{
	for (guint i = 0; i < STATEMENTS; i++)
		if (!spool_db_prepare(spool->writer_db, statement_text[i], &spool->statements[i],
				      error))
			return FALSE;
	return TRUE;
}

static gboolean
write_append(struct spool *spool, struct job *job, struct tally *tally, gboolean *changed)
{
	sqlite3_stmt *insert = spool->statements[INSERT_ENTRY];
	gsize size = g_bytes_get_size(job->event);
	gint64 now_us = g_get_real_time();

	if (!spool->reserved) {
		g_set_error(&job->error, SPOOL_ERROR, SPOOL_ERROR_FULL,
			    "the disk is full: what is left is kept for clearing the spool");
		return TRUE;
	}
	if (tally->bytes + tally->dead_bytes + size > spool->max_bytes) {
		g_set_error(&job->error, SPOOL_ERROR, SPOOL_ERROR_FULL,
			    "the spool is full: %" G_GUINT64_FORMAT
			    " entries wait, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
			    tally->entries, tally->bytes + tally->dead_bytes, spool->max_bytes);
		return TRUE;
	}
	sqlite3_bind_int64(insert, 1, now_us);
	sqlite3_bind_blob(insert, 2, job->digest, sizeof job->digest, SQLITE_STATIC);
	/* A NULL pointer would be bound as NULL; zeroblob stands for an empty event. */
	if (size > 0)
		sqlite3_bind_blob64(insert, 3, g_bytes_get_data(job->event, NULL), size,
				    SQLITE_STATIC);
	else
		sqlite3_bind_zeroblob(insert, 3, 0);
	if (!spool_db_finish(insert))
		return FALSE;
	job->n = (guint64)sqlite3_last_insert_rowid(spool->writer_db);
	tally->last = job->n;
	tally->entries++;
	tally->bytes += size;
	if (tally->oldest_us == 0)
		tally->oldest_us = now_us;
	*changed = TRUE;
	return TRUE;
}

/* How many entries, and of how many bytes, are numbered from first to last. */
static gboolean
size_of(struct spool *spool, guint64 first, guint64 last, guint64 *ret_entries, guint64 *ret_bytes)
{
	sqlite3_stmt *size = spool->statements[SIZE_THROUGH];
	gboolean ok;

	sqlite3_bind_int64(size, 1, (sqlite3_int64)first);
	sqlite3_bind_int64(size, 2, (sqlite3_int64)last);
	ok = sqlite3_step(size) == SQLITE_ROW;
	if (ok) {
		*ret_entries = (guint64)sqlite3_column_int64(size, 0);
		*ret_bytes = (guint64)sqlite3_column_int64(size, 1);
	}
	return sqlite3_reset(size) == SQLITE_OK && ok;
}

gboolean
spool_find_oldest(struct spool *spool, struct tally *tally)
{
	sqlite3_stmt *oldest = spool->statements[OLDEST_ENTRY];
	int code = sqlite3_step(oldest);

	tally->oldest_us = code == SQLITE_ROW ? sqlite3_column_int64(oldest, 0) : 0;
	return sqlite3_reset(oldest) == SQLITE_OK && (code == SQLITE_ROW || code == SQLITE_DONE);
}

/* A count that was damaged at rest is never carried below nothing. */
static void
count_removed(struct tally *tally, guint64 entries, guint64 bytes)
{
	tally->entries -= MIN(tally->entries, entries);
	tally->bytes = tally->entries == 0 ? 0 : tally->bytes - MIN(tally->bytes, bytes);
}

static gboolean
write_acknowledge(struct spool *spool, struct job *job, struct tally *tally, gboolean *changed)
{
	sqlite3_stmt *delete = spool->statements[DELETE_THROUGH];
	guint64 entries = 0, bytes = 0;

	if (job->n > tally->last) {
		g_set_error(&job->error, SPOOL_ERROR, SPOOL_ERROR_NUMBER,
			    "entry %" G_GUINT64_FORMAT
			    " is acknowledged, but the newest is %" G_GUINT64_FORMAT,
			    job->n, tally->last);
		return TRUE;
	}
	if (job->n <= tally->acknowledged)
		return TRUE;
	if (!size_of(spool, 0, job->n, &entries, &bytes))
		return FALSE;
	sqlite3_bind_int64(delete, 1, (sqlite3_int64)job->n);
	if (!spool_db_finish(delete))
		return FALSE;
	count_removed(tally, entries, bytes);
	tally->acknowledged = job->n;
	*changed = TRUE;
	return spool_find_oldest(spool, tally);
}

static gboolean
bury(struct spool *spool, const struct job *job, const struct tally *tally)
{
	sqlite3_stmt *insert = spool->statements[BURY_ENTRY];
	g_autofree char *reason = g_utf8_make_valid(job->reason, -1);
	g_autofree char *cut = g_strndup(reason, REASON_BYTES);
	const char *end;

	g_utf8_validate(cut, -1, &end);
	sqlite3_bind_int64(insert, 1, (sqlite3_int64)job->n);
	sqlite3_bind_text(insert, 2, tally->epoch, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 3, g_get_real_time());
	sqlite3_bind_text(insert, 4, cut, (int)(end - cut), SQLITE_TRANSIENT);
	return spool_db_finish(insert);
}

static gboolean
write_refuse(struct spool *spool, struct job *job, struct tally *tally, gboolean *changed)
{
	sqlite3_stmt *delete = spool->statements[DELETE_ENTRY];
	guint64 entries = 0, bytes = 0;

	if (!size_of(spool, job->n, job->n, &entries, &bytes))
		return FALSE;
	if (entries == 0)
		return TRUE; /* refused before, or acknowledged */
	sqlite3_bind_int64(delete, 1, (sqlite3_int64)job->n);
	if (!bury(spool, job, tally) || !spool_db_finish(delete))
		return FALSE;
	count_removed(tally, entries, bytes);
	tally->dead++;
	tally->dead_bytes += bytes;
	*changed = TRUE;
	return spool_find_oldest(spool, tally);
}

/* Finds the first entry after n; 0 for none. */
static gboolean
next_entry(struct spool *spool, guint64 n, guint64 *ret_next)
{
	sqlite3_stmt *next = spool->statements[NEXT_ENTRY];
	int code;

	sqlite3_bind_int64(next, 1, (sqlite3_int64)n);
	code = sqlite3_step(next);
	*ret_next = code == SQLITE_ROW ? (guint64)sqlite3_column_int64(next, 0) : 0;
	return sqlite3_reset(next) == SQLITE_OK && (code == SQLITE_ROW || code == SQLITE_DONE);
}

/*
 * Numbers the entries anew from 1 without a gap, since the collector counts an
 * epoch as complete from 1 on.  None is moved up, so that no number is met
 * twice.
 */
static gboolean
renumber(struct spool *spool, guint64 *ret_last)
{
	sqlite3_stmt *move = spool->statements[MOVE_ENTRY], *last = spool->statements[SET_LAST];
	guint64 from = 0, to = 0;

	while (next_entry(spool, from, &from)) {
		if (from == 0) {
			*ret_last = to;
			sqlite3_bind_int64(last, 1, (sqlite3_int64)to);
			return spool_db_finish(last);
		}
		sqlite3_bind_int64(move, 1, (sqlite3_int64)from);
		sqlite3_bind_int64(move, 2, (sqlite3_int64)++to);
		if (to != from && !spool_db_finish(move))
			return FALSE;
	}
	return FALSE;
}

gboolean
spool_renew(struct spool *spool, struct tally *tally)
{
	g_autofree char *epoch = g_uuid_string_random();

	/* Whether the commit comes to pass or not, the mark of the former epoch means nothing. */
	spool_mark_clear(spool->mark_fd);
	g_strlcpy(tally->epoch, epoch, sizeof tally->epoch);
	tally->acknowledged = 0;
	return renumber(spool, &tally->last);
}

/* Does one job within the transaction.  FALSE: the database failed, and all jobs with it. */
gboolean
spool_write_job(struct spool *spool, struct job *job, struct tally *tally, gboolean *changed)
{
	switch (job->kind) {
	case JOB_ACKNOWLEDGE:
		return write_acknowledge(spool, job, tally, changed);
	case JOB_REFUSE:
		return write_refuse(spool, job, tally, changed);
	case JOB_RENEW:
		*changed = TRUE;
		return spool_renew(spool, tally);
	case JOB_APPEND:
	default:
		return write_append(spool, job, tally, changed);
	}
}

gboolean
spool_save_state(struct spool *spool, const struct tally *tally)
{
	sqlite3_stmt *save = spool->statements[SAVE_STATE];

	sqlite3_bind_text(save, 1, tally->epoch, -1, SQLITE_STATIC);
	sqlite3_bind_int64(save, 2, (sqlite3_int64)tally->entries);
	sqlite3_bind_int64(save, 3, (sqlite3_int64)tally->bytes);
	sqlite3_bind_int64(save, 4, (sqlite3_int64)tally->acknowledged);
	return spool_db_finish(save);
}
