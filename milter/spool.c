/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "caps.h"
#include "digest.h"
#include "spool_alarm.h"

#define SPOOL_VERSION 1
#define SPOOL_APPLICATION_ID 0x6d747370	  /* "mtsp", in the header of the file */
#define COMMIT_BYTES (64LL * 1024 * 1024) /* of one commit, lest the WAL grow with the burst */
#define BUSY_MS 5000			  /* an administrator's sqlite3 may hold the lock */
#define WAL_LIMIT_BYTES 67108864	  /* 64 MiB: the WAL is cut to it after a burst */
#define FREE_PAGES_KEPT 16384		  /* 64 MiB of free pages stay for the next burst */
#define FREE_PAGES_RETURNED 1024	  /* more are given back, so many a commit */
#define DEFAULT_MAX_BYTES (10LL * 1000 * 1000 * 1000)
#define DEFAULT_DISK_SHARE 5		 /* a fifth: 20 % */
#define RESERVE_BYTES (16 * 1024 * 1024) /* kept on disk: see release_reserve() */
#define REASON_BYTES 1024		 /* of a dead letter */
#define MISSING_MAX 1000 /* more numbers than this are not taken for lost one by one */
#define REMEDY_OF_DAMAGE                                                                 \
	"check the disk, keep spool.db and spool.db-wal aside and restart: a new spool " \
	"is made, and the answers tell the gap"

static const char schema[] =
	"CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), epoch TEXT NOT NULL,"
	" entries INTEGER NOT NULL, bytes INTEGER NOT NULL, acknowledged INTEGER NOT NULL);"
	"CREATE TABLE entry (n INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL,"
	" digest BLOB NOT NULL, event BLOB NOT NULL);"
	"CREATE TABLE dead (n INTEGER NOT NULL, epoch TEXT NOT NULL, at_us INTEGER NOT NULL,"
	" refused_us INTEGER NOT NULL, reason TEXT NOT NULL, digest BLOB NOT NULL,"
	" event BLOB NOT NULL, PRIMARY KEY (epoch, n));";

enum statement {
	INSERT_ENTRY,
	SIZE_THROUGH,
	DELETE_THROUGH,
	BURY_ENTRY,
	DELETE_ENTRY,
	OLDEST_ENTRY,
	NEXT_ENTRY,
	MOVE_ENTRY,
	SET_LAST,
	SAVE_STATE,
	STATEMENTS,
};

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

static const char read_text[] =
	"SELECT n, digest, event FROM entry WHERE n > ?1 ORDER BY n LIMIT ?2";
static const char refused_text[] =
	"SELECT count(*) FROM dead WHERE epoch = ?1 AND n BETWEEN ?2 AND ?3";

/* What is known of the entries; a copy is changed with a commit and then kept, or dropped. */
struct tally {
	char epoch[37];
	guint64 entries;
	guint64 bytes;
	guint64 last;
	guint64 acknowledged;
	guint64 dead;
	guint64 dead_bytes;
	gint64 oldest_us;
};

enum job_kind { JOB_ACKNOWLEDGE, JOB_REFUSE, JOB_RENEW, JOB_APPEND };

/* What a caller wants written; on its stack, for it waits. */
struct job {
	enum job_kind kind;
	GBytes *event;		     /* of JOB_APPEND */
	guint8 digest[SHA256_BYTES]; /* of JOB_APPEND */
	guint64 n;		     /* in: acknowledged or refused; out: appended */
	const char *reason;	     /* of JOB_REFUSE */
	GError *error;		     /* out */
	gboolean done;
	GCond finished;
};

struct spool {
	int lock_fd;
	int wake_fd;
	int reserve_fd;
	gboolean reserved; /* of the writer thread, from its start on */
	guint64 max_bytes;
	sqlite3 *writer_db; /* of the writer thread, from its start on */
	gboolean relaxed;   /* likewise: its commits are not synced at once */
	gboolean damaged;   /* likewise: why it is broken */
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3 *reader_db; /* of the publisher's thread */
	sqlite3_stmt *read, *refused;
	gboolean unsound; /* of the publisher's thread: entries cannot be found */
	GThread *writer;

	GMutex mutex; /* of what follows */
	GCond work;
	GQueue waiting; /* of struct job, borrowed */
	gboolean stopping;
	gboolean broken; /* the disk failed once */
	struct tally tally;
	guint64 commits;
	guint alarm;	/* as last asked for */
	char epoch[37]; /* what spool_epoch() lends; of the publisher's thread */
};

GQuark
spool_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-spool-error");
}

/* ---- errors ---- */

/*
 * What a failure of SQLite means.  A full disk or quota passes when room
 * returns.  Anything else that the system reports of the file does not: after
 * a failed fsync(2) the kernel may call pages clean that never reached the
 * disk, so a later success would prove nothing.
 */
static enum spool_error
classify(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return SPOOL_ERROR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SPOOL_ERROR_BUSY;
	case SQLITE_IOERR:
		if (code == SQLITE_IOERR_WRITE && sqlite3_system_errno(db) == EDQUOT)
			return SPOOL_ERROR_FULL;
		return SPOOL_ERROR_WRITE;
	default:
		return SPOOL_ERROR_WRITE;
	}
}

/* Whether the last failure was the file's, whose bytes are not what was written. */
static gboolean
is_damaged(sqlite3 *db)
{
	int code = sqlite3_errcode(db) & 0xff;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static gboolean
set_db_error(GError **error, int code, sqlite3 *db, const char *what)
{
	g_set_error(error, SPOOL_ERROR, code, "cannot %s the spool: %s%s", what, sqlite3_errmsg(db),
		    is_damaged(db) ? "; " REMEDY_OF_DAMAGE : "");
	return FALSE;
}

static gboolean
run(sqlite3 *db, const char *sql, int code, GError **error)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return TRUE;
	return set_db_error(error, code, db, "set up");
}

/* ---- the writer's side ---- */

/* Steps a statement that answers nothing, and resets it. */
static gboolean
finish_step(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	return sqlite3_reset(statement) == SQLITE_OK && code == SQLITE_DONE;
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
	if (!finish_step(insert))
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

static gboolean
find_oldest(struct spool *spool, struct tally *tally)
{
	sqlite3_stmt *oldest = spool->statements[OLDEST_ENTRY];
	int code = sqlite3_step(oldest);

	tally->oldest_us = code == SQLITE_ROW ? sqlite3_column_int64(oldest, 0) : 0;
	return sqlite3_reset(oldest) == SQLITE_OK && (code == SQLITE_ROW || code == SQLITE_DONE);
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
	if (!finish_step(delete))
		return FALSE;
	tally->entries -= entries;
	tally->bytes -= bytes;
	tally->acknowledged = job->n;
	*changed = TRUE;
	return find_oldest(spool, tally);
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
	return finish_step(insert);
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
	if (!bury(spool, job, tally) || !finish_step(delete))
		return FALSE;
	tally->entries--;
	tally->bytes -= bytes;
	tally->dead++;
	tally->dead_bytes += bytes;
	*changed = TRUE;
	return find_oldest(spool, tally);
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
			return finish_step(last);
		}
		sqlite3_bind_int64(move, 1, (sqlite3_int64)from);
		sqlite3_bind_int64(move, 2, (sqlite3_int64)++to);
		if (to != from && !finish_step(move))
			return FALSE;
	}
	return FALSE;
}

static gboolean
write_renewal(struct spool *spool, struct tally *tally, gboolean *changed)
{
	g_autofree char *epoch = g_uuid_string_random();

	g_strlcpy(tally->epoch, epoch, sizeof tally->epoch);
	tally->acknowledged = 0;
	*changed = TRUE;
	return renumber(spool, &tally->last);
}

/* Does one job within the transaction.  FALSE: the database failed, and all jobs with it. */
static gboolean
write_job(struct spool *spool, struct job *job, struct tally *tally, gboolean *changed)
{
	switch (job->kind) {
	case JOB_ACKNOWLEDGE:
		return write_acknowledge(spool, job, tally, changed);
	case JOB_REFUSE:
		return write_refuse(spool, job, tally, changed);
	case JOB_RENEW:
		return write_renewal(spool, tally, changed);
	case JOB_APPEND:
	default:
		return write_append(spool, job, tally, changed);
	}
}

static gboolean
save_state(struct spool *spool, const struct tally *tally)
{
	sqlite3_stmt *save = spool->statements[SAVE_STATE];

	sqlite3_bind_text(save, 1, tally->epoch, -1, SQLITE_STATIC);
	sqlite3_bind_int64(save, 2, (sqlite3_int64)tally->entries);
	sqlite3_bind_int64(save, 3, (sqlite3_int64)tally->bytes);
	sqlite3_bind_int64(save, 4, (sqlite3_int64)tally->acknowledged);
	return finish_step(save);
}

/* Reads one number, 0 on failure: what hangs on it is only tidiness. */
static gint64
pragma_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	gint64 number = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

/*
 * Gives pages back to the file system, a few with each commit that removes
 * entries, so that a spool that once held an outage becomes small again
 * without one long pause.
 */
static void
return_pages(struct spool *spool)
{
	if (pragma_number(spool->writer_db, "PRAGMA freelist_count") > FREE_PAGES_KEPT)
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
		if (!write_job(spool, job, tally, &changed))
			return FALSE;
	}
	*ret_changed = changed;
	if (!changed)
		return sqlite3_exec(spool->writer_db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
	if (!save_state(spool, tally))
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
static void
take_reserve(struct spool *spool)
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
	if (classify(spool->writer_db) != SPOOL_ERROR_FULL || !spool->reserved)
		return FALSE;
	roll_back(spool);
	*tally = spool->tally;
	for (guint i = 0; i < batch->len; i++)
		g_clear_error(&((struct job *)batch->pdata[i])->error);
	return release_reserve(spool) && write_batch(spool, batch, tally, ret_changed);
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
		enum spool_error code = classify(spool->writer_db);
		spool->damaged = is_damaged(spool->writer_db);
		set_db_error(&error, code, spool->writer_db, "write to");
		fail_batch(spool, batch, error);
		g_mutex_lock(&spool->mutex);
		spool->broken = code == SPOOL_ERROR_WRITE;
		g_mutex_unlock(&spool->mutex);
		return;
	}
	take_reserve(spool);
	appended = tally.last != spool->tally.last;
	g_mutex_lock(&spool->mutex);
	spool->tally = tally;
	spool->commits += changed;
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

static gpointer
writer_main(gpointer data)
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

/* Hands jobs to the writer and waits until all are done; the first error is told. */
static gboolean
submit_all(struct spool *spool, struct job *jobs, guint count, GError **error)
{
	gboolean good = TRUE;

	g_mutex_lock(&spool->mutex);
	for (guint i = 0; i < count; i++) {
		g_cond_init(&jobs[i].finished);
		g_queue_push_tail(&spool->waiting, &jobs[i]);
	}
	g_cond_signal(&spool->work);
	for (guint i = 0; i < count; i++)
		while (!jobs[i].done)
			g_cond_wait(&jobs[i].finished, &spool->mutex);
	g_mutex_unlock(&spool->mutex);
	for (guint i = 0; i < count; i++) {
		g_cond_clear(&jobs[i].finished);
		if (!jobs[i].error)
			continue;
		if (good)
			g_propagate_error(error, jobs[i].error);
		else
			g_error_free(jobs[i].error);
		good = FALSE;
	}
	return good;
}

static gboolean
submit(struct spool *spool, struct job *job, GError **error)
{
	return submit_all(spool, job, 1, error);
}

static gboolean
prepare_append(GBytes *event, struct job *job, GError **error)
{
	gsize size;
	const void *bytes = g_bytes_get_data(event, &size);

	if (size > CAP_EVENT_BYTES) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_SIZE,
			    "an event of %" G_GSIZE_FORMAT " bytes is over the cap of %d", size,
			    CAP_EVENT_BYTES);
		return FALSE;
	}
	job->kind = JOB_APPEND;
	job->event = event;
	digest_sha256(bytes, size, job->digest);
	return TRUE;
}

gboolean
spool_append(struct spool *spool, GBytes *event, guint64 *ret_n, GError **error)
{
	struct job job = {0};

	if (!prepare_append(event, &job, error) || !submit(spool, &job, error))
		return FALSE;
	if (ret_n)
		*ret_n = job.n;
	return TRUE;
}

gboolean
spool_append_all(struct spool *spool, GPtrArray *events, GError **error)
{
	g_autofree struct job *jobs = g_new0(struct job, events->len);

	for (guint i = 0; i < events->len; i++)
		if (!prepare_append(events->pdata[i], &jobs[i], error))
			return FALSE;
	return submit_all(spool, jobs, events->len, error);
}

gboolean
spool_acknowledge(struct spool *spool, guint64 through, GError **error)
{
	struct job job = {.kind = JOB_ACKNOWLEDGE, .n = through};

	return submit(spool, &job, error);
}

gboolean
spool_refuse(struct spool *spool, guint64 n, const char *reason, GError **error)
{
	struct job job = {.kind = JOB_REFUSE, .n = n, .reason = reason};

	return submit(spool, &job, error);
}

gboolean
spool_renew_epoch(struct spool *spool, GError **error)
{
	struct job job = {.kind = JOB_RENEW};

	if (!submit(spool, &job, error))
		return FALSE;
	g_mutex_lock(&spool->mutex);
	memcpy(spool->epoch, spool->tally.epoch, sizeof spool->epoch);
	g_mutex_unlock(&spool->mutex);
	return TRUE;
}

/* ---- the reader's side ---- */

static GBytes *
column_bytes(sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_blob(statement, column);

	return g_bytes_new(bytes, (gsize)sqlite3_column_bytes(statement, column));
}

/* Takes the event of the current row; NULL when it does not match its digest. */
static GBytes *
sound_event(sqlite3_stmt *row)
{
	g_autoptr(GBytes) digest = column_bytes(row, 1);
	g_autoptr(GBytes) event = column_bytes(row, 2);
	guint8 sha256[SHA256_BYTES];
	gsize size;
	const void *bytes = g_bytes_get_data(event, &size);

	digest_sha256(bytes, size, sha256);
	if (g_bytes_get_size(digest) != SHA256_BYTES ||
	    memcmp(g_bytes_get_data(digest, NULL), sha256, SHA256_BYTES) != 0)
		return NULL;
	return g_steal_pointer(&event);
}

/*
 * Reads rows into events until one is damaged, the numbers jump or max_bytes
 * are passed.  Returns SQLITE_DONE for that and for the end.
 */
static int
read_rows(sqlite3_stmt *read, gsize max_bytes, GPtrArray *events, guint64 *ret_first,
	  gboolean *ret_damaged)
{
	guint64 next = 0;
	gsize total = 0;
	int code;

	while ((code = sqlite3_step(read)) == SQLITE_ROW) {
		guint64 n = (guint64)sqlite3_column_int64(read, 0);
		g_autoptr(GBytes) event = NULL;

		if (events->len > 0 && n != next)
			return SQLITE_DONE;
		event = sound_event(read);
		if (events->len == 0)
			*ret_first = n;
		*ret_damaged = !event && events->len == 0;
		if (!event)
			return SQLITE_DONE;
		total += g_bytes_get_size(event);
		if (events->len > 0 && total > max_bytes)
			return SQLITE_DONE;
		g_ptr_array_add(events, g_steal_pointer(&event));
		next = n + 1;
	}
	return code;
}

/* How many entries numbered from first to last were refused. */
static guint64
count_refused(struct spool *spool, guint64 first, guint64 last)
{
	guint64 count = 0;

	sqlite3_bind_text(spool->refused, 1, spool->epoch, -1, SQLITE_STATIC);
	sqlite3_bind_int64(spool->refused, 2, (sqlite3_int64)first);
	sqlite3_bind_int64(spool->refused, 3, (sqlite3_int64)last);
	if (sqlite3_step(spool->refused) == SQLITE_ROW)
		count = (guint64)sqlite3_column_int64(spool->refused, 0);
	sqlite3_reset(spool->refused);
	return count;
}

/* Whether the file's structure is as it should be: reads all of it. */
static gboolean
is_sound(sqlite3 *db)
{
	sqlite3_stmt *check = NULL;
	gboolean sound;

	sound = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &check, NULL) == SQLITE_OK &&
		sqlite3_step(check) == SQLITE_ROW &&
		g_strcmp0((const char *)sqlite3_column_text(check, 0), "ok") == 0;
	sqlite3_finalize(check);
	return sound;
}

static gboolean
set_hidden(struct spool *spool, GError **error)
{
	spool->unsound = TRUE;
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_READ,
		    "cannot read the spool: entries cannot be found in it; " REMEDY_OF_DAMAGE);
	return FALSE;
}

/*
 * Numbers follow each other but for entries that were refused.  What else is
 * missing between n and next is hidden by damage to the file, which may give it
 * back to whoever looks with other tools; or the row itself is gone, and then
 * those behind it need not wait.  So does one before n come from damage.
 */
static gboolean
check_numbers(struct spool *spool, guint64 n, guint64 next, guint64 *ret_first, GError **error)
{
	guint64 missing = next - n - 1;

	if (next > n && (missing == 0 || count_refused(spool, n + 1, next - 1) == missing))
		return TRUE;
	if (next <= n || missing > MISSING_MAX || !is_sound(spool->reader_db))
		return set_hidden(spool, error);
	do {
		n++;
	} while (count_refused(spool, n, n) > 0);
	*ret_first = n;
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_DAMAGED,
		    "entry %" G_GUINT64_FORMAT " of the spool is missing", n);
	return FALSE;
}

/* Reads rows behind n into events, as read_rows() does. */
static gboolean
read_behind(struct spool *spool, guint64 n, guint max_events, gsize max_bytes, GPtrArray *events,
	    guint64 *ret_first, gboolean *ret_damaged, GError **error)
{
	int code;

	sqlite3_bind_int64(spool->read, 1, (sqlite3_int64)MIN(n, (guint64)G_MAXINT64));
	sqlite3_bind_int64(spool->read, 2, MAX(max_events, 1));
	code = read_rows(spool->read, max_bytes, events, ret_first, ret_damaged);
	if (sqlite3_reset(spool->read) == SQLITE_OK && code == SQLITE_DONE)
		return TRUE;
	return set_db_error(error, SPOOL_ERROR_READ, spool->reader_db, "read");
}

GPtrArray *
spool_read(struct spool *spool, guint64 n, guint max_events, gsize max_bytes, guint64 *ret_first,
	   GError **error)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	struct spool_status status;
	gboolean damaged = FALSE;
	guint64 first = 0;

	/* Before the rows are read: those up to its last are there to be seen. */
	spool_status(spool, &status);
	n = MAX(n, status.acknowledged);
	if (spool->unsound) {
		set_hidden(spool, error);
		return NULL;
	}
	if (!read_behind(spool, n, max_events, max_bytes, events, &first, &damaged, error) ||
	    !check_numbers(spool, n, first ? first : MAX(n, status.last) + 1, ret_first, error))
		return NULL;
	if (first)
		*ret_first = first;
	if (damaged) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_DAMAGED,
			    "entry %" G_GUINT64_FORMAT " of the spool does not match its digest",
			    first);
		return NULL;
	}
	return g_steal_pointer(&events);
}

const char *
spool_epoch(const struct spool *spool)
{
	return spool->epoch;
}

int
spool_wake_fd(const struct spool *spool)
{
	return spool->wake_fd;
}

void
spool_status(struct spool *spool, struct spool_status *ret_status)
{
	g_mutex_lock(&spool->mutex);
	spool->alarm = spool_alarm_next(spool->alarm, spool->tally.bytes + spool->tally.dead_bytes,
					spool->max_bytes);
	*ret_status = (struct spool_status){
		.entries = spool->tally.entries,
		.bytes = spool->tally.bytes,
		.max_bytes = spool->max_bytes,
		.last = spool->tally.last,
		.acknowledged = spool->tally.acknowledged,
		.oldest_us = spool->tally.oldest_us,
		.commits = spool->commits,
		.writable = !spool->broken,
		.dead = spool->tally.dead,
		.dead_bytes = spool->tally.dead_bytes,
		.alarm = spool->alarm,
	};
	g_mutex_unlock(&spool->mutex);
}

/* ---- opening ---- */

/* Locks against another process; the lock goes with the descriptor, even by SIGKILL. */
static gboolean
take_lock(struct spool *spool, const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, "spool.lock", NULL);

	spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (spool->lock_fd < 0) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    g_strerror(errno));
		return FALSE;
	}
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN,
		    "the spool in %s is in use by another process", directory);
	return FALSE;
}

static gboolean
open_reserve(struct spool *spool, const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, "spool.reserve", NULL);

	spool->reserve_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (spool->reserve_fd < 0) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    g_strerror(errno));
		return FALSE;
	}
	take_reserve(spool);
	return TRUE;
}

/* Makes the file with its mode (SQLite's own files follow it) and syncs its name. */
static gboolean
make_file(const char *directory, const char *path, GError **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gboolean ok = fd >= 0 && dir >= 0 && fsync(dir) == 0;

	if (!ok)
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    g_strerror(errno));
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return ok;
}

static gboolean
open_db(const char *path, sqlite3 **ret_db, GError **error)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (sqlite3_open_v2(path, ret_db, flags, NULL) != SQLITE_OK) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    *ret_db ? sqlite3_errmsg(*ret_db) : "out of memory");
		return FALSE;
	}
	sqlite3_busy_timeout(*ret_db, BUSY_MS);
	sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return run(*ret_db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		   SPOOL_ERROR_OPEN, error);
}

/* Refuses a file that is not a spool of a version known here; an empty one is to be filled. */
static gboolean
check_kind(sqlite3 *db, const char *path, gboolean *ret_empty, GError **error)
{
	gint64 id, version, tables;

	/* The first look at the file; it fails for one that is no database. */
	if (!run(db, "SELECT count(*) FROM sqlite_schema", SPOOL_ERROR_OPEN, error)) {
		g_prefix_error(error, "%s: ", path);
		return FALSE;
	}
	id = pragma_number(db, "PRAGMA application_id");
	version = pragma_number(db, "PRAGMA user_version");
	tables = pragma_number(db, "SELECT count(*) FROM sqlite_schema");
	*ret_empty = tables == 0 && id == 0;
	if (*ret_empty)
		return TRUE;
	if (id != SPOOL_APPLICATION_ID) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "%s is not a mailtrace spool",
			    path);
		return FALSE;
	}
	if (version > SPOOL_VERSION) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_VERSION,
			    "%s is of version %" G_GINT64_FORMAT
			    ", made by a newer mailtrace; this one reads up to %d",
			    path, version, SPOOL_VERSION);
		return FALSE;
	}
	return TRUE;
}

/* Fills an empty file, as a whole or not at all. */
static gboolean
make_tables(sqlite3 *db, GError **error)
{
	g_autofree char *epoch = g_uuid_string_random();
	g_autofree char *sql =
		g_strdup_printf("BEGIN EXCLUSIVE; %s"
				"INSERT INTO state VALUES (1, '%s', 0, 0, 0);"
				"PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
				schema, epoch, SPOOL_APPLICATION_ID, SPOOL_VERSION);

	/* Must come before the first table, and the first table before WAL. */
	return run(db, "PRAGMA auto_vacuum = INCREMENTAL;", SPOOL_ERROR_OPEN, error) &&
	       run(db, sql, SPOOL_ERROR_OPEN, error);
}

static gboolean
load_tally(struct spool *spool, GError **error)
{
	sqlite3 *db = spool->writer_db;
	sqlite3_stmt *state = NULL;
	struct tally *tally = &spool->tally;
	gboolean ok;

	ok = sqlite3_prepare_v2(db, "SELECT epoch, entries, bytes, acknowledged FROM state", -1,
				&state, NULL) == SQLITE_OK &&
	     sqlite3_step(state) == SQLITE_ROW && sqlite3_column_bytes(state, 0) == 36;
	if (ok) {
		memcpy(tally->epoch, sqlite3_column_text(state, 0), sizeof tally->epoch);
		tally->entries = (guint64)sqlite3_column_int64(state, 1);
		tally->bytes = (guint64)sqlite3_column_int64(state, 2);
		tally->acknowledged = (guint64)sqlite3_column_int64(state, 3);
	}
	sqlite3_finalize(state);
	if (!ok || !find_oldest(spool, tally))
		return set_db_error(error, SPOOL_ERROR_OPEN, db, "read the state of");
	memcpy(spool->epoch, tally->epoch, sizeof spool->epoch);
	tally->last = (guint64)pragma_number(
		db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entry'");
	tally->dead = (guint64)pragma_number(db, "SELECT count(*) FROM dead");
	tally->dead_bytes =
		(guint64)pragma_number(db, "SELECT coalesce(sum(length(event)), 0) FROM dead");
	return TRUE;
}

static gboolean
prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement, GError **error)
{
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL) ==
	    SQLITE_OK)
		return TRUE;
	return set_db_error(error, SPOOL_ERROR_OPEN, db, "read the tables of");
}

static gboolean
open_writer(struct spool *spool, const char *path, GError **error)
{
	gboolean empty = FALSE;

	if (!open_db(path, &spool->writer_db, error) ||
	    !check_kind(spool->writer_db, path, &empty, error) ||
	    (empty && !make_tables(spool->writer_db, error)) ||
	    !run(spool->writer_db,
		 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		 /* Debian's default writes zeros over all that is removed: twice the I/O. */
		 "PRAGMA secure_delete = FAST;"
		 "PRAGMA journal_size_limit = " G_STRINGIFY(WAL_LIMIT_BYTES) ";",
		 SPOOL_ERROR_OPEN, error))
		return FALSE;
	for (guint i = 0; i < STATEMENTS; i++)
		if (!prepare(spool->writer_db, statement_text[i], &spool->statements[i], error))
			return FALSE;
	return load_tally(spool, error);
}

/* 10 GB or 20 % of the disk, the smaller. */
static guint64
default_max_bytes(const char *directory)
{
	struct statvfs fs;

	if (statvfs(directory, &fs) != 0)
		return DEFAULT_MAX_BYTES;
	return MIN((guint64)DEFAULT_MAX_BYTES,
		   (guint64)fs.f_blocks * fs.f_frsize / DEFAULT_DISK_SHARE);
}

static gboolean
open_all(struct spool *spool, const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, "spool.db", NULL);

	if (!take_lock(spool, directory, error) || !make_file(directory, path, error) ||
	    !open_writer(spool, path, error) || !open_reserve(spool, directory, error) ||
	    !open_db(path, &spool->reader_db, error) ||
	    !prepare(spool->reader_db, read_text, &spool->read, error) ||
	    !prepare(spool->reader_db, refused_text, &spool->refused, error))
		return FALSE;
	spool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spool->wake_fd < 0) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot make an eventfd: %s",
			    g_strerror(errno));
		return FALSE;
	}
	spool->writer = g_thread_try_new("spool-writer", writer_main, spool, error);
	return spool->writer != NULL;
}

struct spool *
spool_open(const char *directory, guint64 max_bytes, GError **error)
{
	struct spool *spool = g_new0(struct spool, 1);

	spool->lock_fd = spool->wake_fd = spool->reserve_fd = -1;
	spool->max_bytes = max_bytes ? max_bytes : default_max_bytes(directory);
	g_mutex_init(&spool->mutex);
	g_cond_init(&spool->work);
	g_queue_init(&spool->waiting);
	if (open_all(spool, directory, error))
		return spool;
	spool_close(spool);
	return NULL;
}

static void
stop_writer(struct spool *spool)
{
	if (!spool->writer)
		return;
	g_mutex_lock(&spool->mutex);
	spool->stopping = TRUE;
	g_cond_signal(&spool->work);
	g_mutex_unlock(&spool->mutex);
	g_thread_join(spool->writer);
}

void
spool_close(struct spool *spool)
{
	if (!spool)
		return;
	stop_writer(spool);
	for (guint i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(spool->statements[i]);
	sqlite3_finalize(spool->read);
	sqlite3_finalize(spool->refused);
	sqlite3_close(spool->reader_db);
	sqlite3_close(spool->writer_db);
	if (spool->wake_fd >= 0)
		close(spool->wake_fd);
	if (spool->reserve_fd >= 0)
		close(spool->reserve_fd);
	/* Last, when nothing of ours touches the file any more. */
	if (spool->lock_fd >= 0)
		close(spool->lock_fd);
	g_mutex_clear(&spool->mutex);
	g_cond_clear(&spool->work);
	g_free(spool);
}
