/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "spool_private.h"

#define COMMIT_BYTES (64LL * 1024 * 1024) /* of one commit, lest the WAL grow with the burst */
#define FREE_PAGES_KEPT 16384		  /* 64 MiB of free pages stay for the next burst */
#define FREE_PAGES_RETURNED 1024	  /* more are given back, so many a commit */
#define RESERVE_BYTES (16 * 1024 * 1024)  /* kept on disk: see release_reserve() */

/*
 * Gives pages back to the file system, a few with each commit that removes
 * entries, so that a spool that once held an outage becomes small again
 * without one long pause.
 */
static void
return_pages(struct spool *spool)
{
	if (spool_db_number(spool->writer_db, "PRAGMA freelist_count") > FREE_PAGES_KEPT)
		sqlite3_exec(spool->writer_db,
			     "PRAGMA incremental_vacuum(" G_STRINGIFY(FREE_PAGES_RETURNED) ")",
			     NULL, NULL, NULL);
}

/*
 * Whether the batch must be on disk when its commit returns.  Nobody waits for
 * the disk with an acknowledgement: if a power failure undoes it, the entries
 * are sent again and the collector knows them.
 */
static gboolean
must_be_synced(const GPtrArray *batch)
{
	for (guint i = 0; i < batch->len; i++)
		if (((const struct job *)batch->pdata[i])->kind != JOB_ACKNOWLEDGE)
			return TRUE;
	return FALSE;
}

/* Sets how the next commit is synced: at once, or with the next that is. */
static gboolean
set_relaxed(struct spool *spool, gboolean relaxed)
{
	if (spool->relaxed == relaxed)
		return TRUE;
	if (sqlite3_exec(spool->writer_db,
			 relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
			 NULL, NULL, NULL) != SQLITE_OK)
		return FALSE;
	spool->relaxed = relaxed;
	return TRUE;
}

/* Does all jobs in one transaction: one sync, at most, for all of them. */
static gboolean
write_batch(struct spool *spool, GPtrArray *batch, struct tally *tally, gboolean *ret_changed)
{
	gboolean removed = FALSE, changed = FALSE;

	if (!set_relaxed(spool, !must_be_synced(batch)))
		return FALSE;
	if (sqlite3_exec(spool->writer_db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return FALSE;
	for (guint i = 0; i < batch->len; i++) {
		struct job *job = batch->pdata[i];
		removed |= job->kind == JOB_ACKNOWLEDGE;
		if (!spool_write_job(spool, job, tally, &changed))
			return FALSE;
	}
	*ret_changed = changed;
	if (!changed)
		return sqlite3_exec(spool->writer_db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
	if (!spool_save_state(spool, tally))
		return FALSE;
	if (removed)
		return_pages(spool);
	return sqlite3_exec(spool->writer_db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static void
roll_back(struct spool *spool)
{
	if (!sqlite3_get_autocommit(spool->writer_db))
		sqlite3_exec(spool->writer_db, "ROLLBACK", NULL, NULL, NULL);
}

/*
 * Takes the reserve, if the disk has so much; a part of it is given back, or
 * held if even that fails.
 */
void
spool_take_reserve(struct spool *spool)
{
	if (spool->reserved)
		return;
	spool->reserved = posix_fallocate(spool->reserve_fd, 0, RESERVE_BYTES) == 0 ||
			  ftruncate(spool->reserve_fd, 0) != 0;
}

/*
 * Removing entries takes room too, for the WAL and for carrying it over: on a
 * full disk the spool could never be cleared.  So some room is kept, and given
 * up for that alone: no event is taken until it is back.
 */
static gboolean
release_reserve(struct spool *spool)
{
	if (!spool->reserved || ftruncate(spool->reserve_fd, 0) != 0)
		return FALSE;
	spool->reserved = FALSE;
	sqlite3_wal_checkpoint_v2(spool->writer_db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return TRUE;
}

/* After a failure: nothing of the batch holds.  Takes ownership of error. */
static void
fail_batch(struct spool *spool, GPtrArray *batch, GError *error)
{
	roll_back(spool);
	for (guint i = 0; i < batch->len; i++) {
		struct job *job = batch->pdata[i];
		if (!job->error)
			job->error = g_error_copy(error);
	}
	g_error_free(error);
}

static GError *
closed_error(const struct spool *spool)
{
	return g_error_new(SPOOL_ERROR, SPOOL_ERROR_WRITE,
			   "the spool is closed to writing, since %s",
			   spool->damaged ? "its file is damaged; " REMEDY_OF_DAMAGE
					  : "the disk failed; mend it and restart");
}

/* Writes a batch, on a full disk a second time with what was reserved. */
static gboolean
write_or_make_room(struct spool *spool, GPtrArray *batch, struct tally *tally,
		   gboolean *ret_changed)
{
	if (write_batch(spool, batch, tally, ret_changed))
		return TRUE;
	if (spool_db_classify(spool->writer_db) != SPOOL_ERROR_FULL || !spool->reserved)
		return FALSE;
	roll_back(spool);
	*tally = spool->tally;
	for (guint i = 0; i < batch->len; i++)
		g_clear_error(&((struct job *)batch->pdata[i])->error);
	return release_reserve(spool) && write_batch(spool, batch, tally, ret_changed);
}

void
spool_mark(struct spool *spool)
{
	struct spool_mark mark = {
		.version = SPOOL_VERSION,
		.last = spool->tally.last,
		.entries = spool->tally.entries,
		.suspect = spool->suspect,
	};

	memcpy(mark.epoch, spool->tally.epoch, sizeof mark.epoch);
	spool_mark_write(spool->mark_fd, &mark);
}

/* Commits a batch and remembers how the spool stands then. */
static void
commit_batch(struct spool *spool, GPtrArray *batch)
{
	/* Only this thread writes tally and broken, so it may read them without the mutex. */
	struct tally tally = spool->tally;
	gboolean appended, changed = FALSE;
	GError *error = NULL;

	if (spool->broken) {
		fail_batch(spool, batch, closed_error(spool));
		return;
	}
	if (!write_or_make_room(spool, batch, &tally, &changed)) {
		enum spool_error code = spool_db_classify(spool->writer_db);
		spool->damaged = spool_db_is_damaged(spool->writer_db);
		spool_db_set_error(&error, code, spool->writer_db, "write to");
		fail_batch(spool, batch, error);
		g_mutex_lock(&spool->mutex);
		spool->broken = code == SPOOL_ERROR_WRITE;
		spool->suspect |= spool->damaged;
		spool_mark(spool);
		g_mutex_unlock(&spool->mutex);
		return;
	}
	spool_take_reserve(spool);
	appended = tally.last != spool->tally.last;
	g_mutex_lock(&spool->mutex);
	spool->tally = tally;
	spool->commits += changed;
	if (changed)
		spool_mark(spool);
	g_mutex_unlock(&spool->mutex);
	if (appended)
		eventfd_write(spool->wake_fd, 1);
}

static int
compare_jobs(gconstpointer a, gconstpointer b)
{
	const struct job *left = *(struct job *const *)a, *right = *(struct job *const *)b;

	return (int)left->kind - (int)right->kind;
}

/* Takes what waits, up to COMMIT_BYTES; NULL when the spool is being closed and nothing does. */
static GPtrArray *
take_batch(struct spool *spool)
{
	GPtrArray *batch = g_ptr_array_new();
	guint64 bytes = 0;

	g_mutex_lock(&spool->mutex);
	while (g_queue_is_empty(&spool->waiting) && !spool->stopping)
		g_cond_wait(&spool->work, &spool->mutex);
	while (!g_queue_is_empty(&spool->waiting) && bytes < COMMIT_BYTES) {
		struct job *job = g_queue_pop_head(&spool->waiting);
		bytes += job->event ? g_bytes_get_size(job->event) : 0;
		g_ptr_array_add(batch, job);
	}
	g_mutex_unlock(&spool->mutex);
	if (batch->len == 0)
		g_clear_pointer(&batch, g_ptr_array_unref);
	else /* what makes room comes first; the sort is stable, so appends keep their order */
		g_ptr_array_sort(batch, compare_jobs);
	return batch;
}

gpointer
spool_writer_main(gpointer data)
{
	struct spool *spool = data;
	GPtrArray *batch;

	while ((batch = take_batch(spool))) {
		commit_batch(spool, batch);
		g_mutex_lock(&spool->mutex);
		for (guint i = 0; i < batch->len; i++) {
			struct job *job = batch->pdata[i];
			job->done = TRUE;
			g_cond_signal(&job->finished);
		}
		g_mutex_unlock(&spool->mutex);
		g_ptr_array_unref(batch);
	}
	return NULL;
}
