/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "spool_private.h"

#define SPOOL_APPLICATION_ID 0x6d747370 /* "mtsp", in the header of the file */
#define WAL_LIMIT_BYTES 67108864	/* 64 MiB: the WAL is cut to it after a burst */
#define DEFAULT_MAX_BYTES (10LL * 1000 * 1000 * 1000)
#define DEFAULT_DISK_SHARE 5 /* a fifth: 20 % */

static const char schema[] =
	"CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), epoch TEXT NOT NULL,"
	" entries INTEGER NOT NULL, bytes INTEGER NOT NULL, acknowledged INTEGER NOT NULL);"
	"CREATE TABLE entry (n INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL,"
	" digest BLOB NOT NULL, event BLOB NOT NULL);"
	"CREATE TABLE dead (n INTEGER NOT NULL, epoch TEXT NOT NULL, at_us INTEGER NOT NULL,"
	" refused_us INTEGER NOT NULL, reason TEXT NOT NULL, digest BLOB NOT NULL,"
	" event BLOB NOT NULL, PRIMARY KEY (epoch, n));";

static const char read_text[] =
	"SELECT n, digest, event FROM entry WHERE n > ?1 ORDER BY n LIMIT ?2";
static const char refused_text[] =
	"SELECT count(*) FROM dead WHERE epoch = ?1 AND n BETWEEN ?2 AND ?3";

/* Opens a file beside the database, which is made if it is missing. */
static gboolean
open_beside(const char *directory, const char *name, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		*ret_fd = fd;
	else
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    g_strerror(errno));
	return fd >= 0;
}

/* Locks against another process; the lock goes with the descriptor, even by SIGKILL. */
static gboolean
take_lock(struct spool *spool, const char *directory, GError **error)
{
	if (!open_beside(directory, "spool.lock", &spool->lock_fd, error))
		return FALSE;
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_IN_USE,
		    "the spool in %s is in use by another process", directory);
	return FALSE;
}

static gboolean
open_mark(struct spool *spool, const char *directory, GError **error)
{
	if (!open_beside(directory, "spool.mark", &spool->mark_fd, error))
		return FALSE;
	/* One of a newer mailtrace is not for us to judge by. */
	spool->marked = spool_mark_read(spool->mark_fd, &spool->mark) &&
			spool->mark.version == SPOOL_VERSION;
	return TRUE;
}

static gboolean
open_reserve(struct spool *spool, const char *directory, GError **error)
{
	if (!open_beside(directory, "spool.reserve", &spool->reserve_fd, error))
		return FALSE;
	spool_take_reserve(spool);
	return TRUE;
}

/* Makes the file with its mode (SQLite's own files follow it) and syncs its name. */
gboolean
spool_make_file(const char *directory, const char *path, GError **error)
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

/* Refuses a file that is not a spool of a version known here; an empty one is to be filled. */
static gboolean
check_kind(struct spool *spool, const char *path, gboolean *ret_empty, GError **error)
{
	sqlite3 *db = spool->writer_db;
	gint64 id, version, tables;

	/* The first look at the file; it fails for one that is no database. */
	if (!spool_db_run(db, "SELECT count(*) FROM sqlite_schema", SPOOL_ERROR_OPEN, error)) {
		g_prefix_error(error, "%s: ", path);
		return FALSE;
	}
	id = spool_db_number(db, "PRAGMA application_id");
	version = spool_db_number(db, "PRAGMA user_version");
	tables = spool_db_number(db, "SELECT count(*) FROM sqlite_schema");
	*ret_empty = tables == 0 && id == 0;
	if (*ret_empty)
		return TRUE;
	if (id != SPOOL_APPLICATION_ID) {
		spool->foreign = TRUE;
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
gboolean
spool_make_tables(sqlite3 *db, GError **error)
{
	g_autofree char *epoch = g_uuid_string_random();
	g_autofree char *sql =
		g_strdup_printf("BEGIN EXCLUSIVE; %s"
				"INSERT INTO state VALUES (1, '%s', 0, 0, 0);"
				"PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
				schema, epoch, SPOOL_APPLICATION_ID, SPOOL_VERSION);

	/* Must come before the first table, and the first table before WAL. */
	return spool_db_run(db, "PRAGMA auto_vacuum = INCREMENTAL;", SPOOL_ERROR_OPEN, error) &&
	       spool_db_run(db, sql, SPOOL_ERROR_OPEN, error);
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
	if (!ok || !spool_find_oldest(spool, tally)) {
		/* What SQLite finds nothing wrong with, and is not what we wrote. */
		spool->damaged = spool_db_is_damaged(db) || sqlite3_errcode(db) == SQLITE_OK;
		return spool_db_set_error(error, SPOOL_ERROR_OPEN, db, "read the state of");
	}
	memcpy(spool->epoch, tally->epoch, sizeof spool->epoch);
	tally->last = (guint64)spool_db_number(
		db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entry'");
	tally->dead = (guint64)spool_db_number(db, "SELECT count(*) FROM dead");
	tally->dead_bytes =
		(guint64)spool_db_number(db, "SELECT coalesce(sum(length(event)), 0) FROM dead");
	return TRUE;
}

static gboolean
open_writer(struct spool *spool, const char *path, GError **error)
{
	gboolean empty = FALSE;

	if (!spool_db_open(path, &spool->writer_db, error) ||
	    !check_kind(spool, path, &empty, error) ||
	    (empty && !spool_make_tables(spool->writer_db, error)) ||
	    !spool_db_run(
		    spool->writer_db,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    /* Debian's default writes zeros over all that is removed: twice the I/O. */
		    "PRAGMA secure_delete = FAST;"
		    "PRAGMA journal_size_limit = " G_STRINGIFY(WAL_LIMIT_BYTES) ";",
		    SPOOL_ERROR_OPEN, error))
		return FALSE;
	return spool_prepare_jobs(spool, error) && load_tally(spool, error) &&
	       spool_check(spool, error);
}

static void
close_writer(struct spool *spool)
{
	for (guint i = 0; i < STATEMENTS; i++)
		g_clear_pointer(&spool->statements[i], sqlite3_finalize);
	g_clear_pointer(&spool->writer_db, sqlite3_close);
}

/*
 * Whether it is damage that keeps the file from being opened.  Where the mark
 * says that a spool of ours was there, whatever SQLite does not understand is.
 */
static gboolean
is_damage(struct spool *spool, const GError *why)
{
	int code = spool->writer_db ? sqlite3_errcode(spool->writer_db) & 0xff : SQLITE_OK;

	if (spool->damaged)
		return TRUE;
	if (!spool->marked)
		return FALSE;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
	       code == SQLITE_READONLY || code == SQLITE_SCHEMA || spool->foreign ||
	       g_error_matches(why, SPOOL_ERROR, SPOOL_ERROR_VERSION);
}

/* Opens the file for writing; a damaged one is replaced by what can be read of it. */
static gboolean
open_or_salvage(struct spool *spool, const char *directory, const char *path, GError **error)
{
	g_autoptr(GError) why = NULL;

	if (open_writer(spool, path, &why))
		return TRUE;
	if (!is_damage(spool, why)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	close_writer(spool);
	spool->damaged = FALSE;
	spool->salvaged = TRUE;
	return spool_salvage(directory, error) && open_writer(spool, path, error);
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

	if (!take_lock(spool, directory, error) || !open_mark(spool, directory, error) ||
	    !spool_finish_salvage(directory, error) || !spool_make_file(directory, path, error) ||
	    !open_or_salvage(spool, directory, path, error) ||
	    !open_reserve(spool, directory, error) ||
	    !spool_db_open(path, &spool->reader_db, error) ||
	    !spool_db_prepare(spool->reader_db, read_text, &spool->read, error) ||
	    !spool_db_prepare(spool->reader_db, refused_text, &spool->refused, error))
		return FALSE;
	spool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spool->wake_fd < 0) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot make an eventfd: %s",
			    g_strerror(errno));
		return FALSE;
	}
	spool_mark(spool);
	spool->writer = g_thread_try_new("spool-writer", spool_writer_main, spool, error);
	return spool->writer != NULL;
}

struct spool *
spool_open(const char *directory, guint64 max_bytes, GError **error)
{
	struct spool *spool = g_new0(struct spool, 1);

	spool->lock_fd = spool->wake_fd = spool->reserve_fd = spool->mark_fd = -1;
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
	sqlite3_finalize(spool->read);
	sqlite3_finalize(spool->refused);
	sqlite3_close(spool->reader_db);
	close_writer(spool);
	if (spool->wake_fd >= 0)
		close(spool->wake_fd);
	if (spool->reserve_fd >= 0)
		close(spool->reserve_fd);
	if (spool->mark_fd >= 0)
		close(spool->mark_fd);
	g_free(spool->mended);
	/* Last, when nothing of ours touches the file any more. */
	if (spool->lock_fd >= 0)
		close(spool->lock_fd);
	g_mutex_clear(&spool->mutex);
	g_cond_clear(&spool->work);
	g_free(spool);
}
