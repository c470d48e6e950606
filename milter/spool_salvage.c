/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "spool_private.h"

/* What is moved when a new file takes the damaged one's place, in this order. */
static const char *const moves[][2] = {
	{"spool.db-wal", "spool.db.damaged-wal"},
	{"spool.db-shm", "spool.db.damaged-shm"},
	{"spool.db", "spool.db.damaged"},
	{"spool.db.new", "spool.db"},
};

static gboolean
set_file_error(GError **error, const char *what, const char *path)
{
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot %s %s: %s", what, path,
		    g_strerror(errno));
	return FALSE;
}

static gboolean
exists(const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean
sync_directory(const char *directory, GError **error)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gboolean ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		set_file_error(error, "sync", directory);
	if (fd >= 0)
		close(fd);
	return ok;
}

gboolean
spool_finish_salvage(const char *directory, GError **error)
{
	if (!exists(directory, "spool.db.new"))
		return TRUE;
	for (guint i = 0; i < G_N_ELEMENTS(moves); i++) {
		g_autofree char *from = g_build_filename(directory, moves[i][0], NULL);
		g_autofree char *to = g_build_filename(directory, moves[i][1], NULL);

		if (rename(from, to) != 0 && errno != ENOENT)
			return set_file_error(error, "move", from);
	}
	return sync_directory(directory, error);
}

/* ---- from the damaged file into the new one ---- */

/* A table, and how its rows are read from both ends; the first column is what they are sorted by.
 */
struct copied {
	const char *insert, *ascending, *descending;
	int columns;
	int digest; /* the column; behind it is the event */
};

static const struct copied tables[] = {
	{"INSERT OR IGNORE INTO entry (n, at_us, digest, event) VALUES (?1, ?2, ?3, ?4)",
	 "SELECT n, at_us, digest, event FROM entry ORDER BY n",
	 "SELECT n, at_us, digest, event FROM entry ORDER BY n DESC", 4, 2},
	{"INSERT OR IGNORE INTO dead (rowid, n, epoch, at_us, refused_us, reason, digest, event)"
	 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	 "SELECT rowid, n, epoch, at_us, refused_us, reason, digest, event FROM dead"
	 " ORDER BY rowid",
	 "SELECT rowid, n, epoch, at_us, refused_us, reason, digest, event FROM dead"
	 " ORDER BY rowid DESC",
	 8, 6},
};

/* Copies the current row if its event is what its digest says; one that is there is left. */
static gboolean
copy_row(sqlite3_stmt *row, const struct copied *table, sqlite3_stmt *insert)
{
	g_autoptr(GBytes) event = spool_sound_event(row, table->digest);

	if (!event)
		return TRUE;
	for (int i = 0; i < table->columns; i++)
		sqlite3_bind_value(insert, i + 1, sqlite3_column_value(row, i));
	return spool_db_finish(insert);
}

/*
 * Copies rows in one direction, for as long as they can be read and their
 * numbers go that way: damage can lead in a circle.
 */
static gboolean
copy_rows(sqlite3 *old, const struct copied *table, gboolean ascending, sqlite3_stmt *insert)
{
	const char *sql = ascending ? table->ascending : table->descending;
	gint64 former = ascending ? G_MININT64 : G_MAXINT64;
	sqlite3_stmt *row = NULL;
	gboolean ok = TRUE;

	if (sqlite3_prepare_v2(old, sql, -1, &row, NULL) == SQLITE_OK)
		while (ok && sqlite3_step(row) == SQLITE_ROW) {
			gint64 n = sqlite3_column_int64(row, 0);

			if (ascending ? n <= former : n >= former)
				break;
			former = n;
			ok = copy_row(row, table, insert);
		}
	sqlite3_finalize(row);
	return ok;
}

/* Copies what can be read, from both ends.  FALSE: the new file cannot be written. */
static gboolean
copy_table(sqlite3 *old, sqlite3 *db, const struct copied *table)
{
	sqlite3_stmt *insert = NULL;
	gboolean ok;

	ok = sqlite3_prepare_v2(db, table->insert, -1, &insert, NULL) == SQLITE_OK &&
	     copy_rows(old, table, TRUE, insert) && copy_rows(old, table, FALSE, insert);
	sqlite3_finalize(insert);
	return ok;
}

static gboolean
fill_new(sqlite3 *db, const char *damaged, GError **error)
{
	sqlite3 *old = NULL;
	gboolean ok;

	/* One that cannot be opened has nothing to give. */
	if (spool_db_open(damaged, &old, NULL))
		/* What was not checkpointed is to stay as it is found. */
		sqlite3_db_config(old, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ok = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
	     copy_table(old, db, &tables[0]) && copy_table(old, db, &tables[1]) &&
	     sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	sqlite3_close(old);
	if (!ok)
		spool_db_set_error(error, SPOOL_ERROR_OPEN, db, "save the entries of");
	return ok;
}

static gboolean
make_new(const char *directory, const char *path, GError **error)
{
	g_autofree char *damaged = g_build_filename(directory, "spool.db", NULL);
	sqlite3 *db = NULL;
	gboolean ok;

	ok = spool_make_file(directory, path, error) && spool_db_open(path, &db, error) &&
	     spool_make_tables(db, error) && fill_new(db, damaged, error);
	sqlite3_close(db);
	return ok;
}

gboolean
spool_salvage(const char *directory, GError **error)
{
	g_autofree char *part = g_build_filename(directory, "spool.db.part", NULL);
	g_autofree char *made = g_build_filename(directory, "spool.db.new", NULL);

	if (exists(directory, "spool.db.damaged")) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN,
			    "the spool's file is damaged, and so was one before; check the disk, "
			    "take spool.db.damaged away and restart");
		return FALSE;
	}
	g_unlink(part);
	if (!make_new(directory, part, error))
		return FALSE;
	/* From here on it is complete, and is put in place even after a crash. */
	if (rename(part, made) != 0)
		return set_file_error(error, "move", part);
	return sync_directory(directory, error) && spool_finish_salvage(directory, error);
}
