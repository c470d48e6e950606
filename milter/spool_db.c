/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "spool_private.h"

#define BUSY_MS 5000 /* an administrator's sqlite3 may hold the lock */

/*
 * What a failure of SQLite means.  A full disk or quota passes when room
 * returns.  Anything else that the system reports of the file does not: after
 * a failed fsync(2) the kernel may call pages clean that never reached the
 * disk, so a later success would prove nothing.
 */
enum spool_error
spool_db_classify(sqlite3 *db)
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
gboolean
spool_db_is_damaged(sqlite3 *db)
{
	int code = sqlite3_errcode(db) & 0xff;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

gboolean
spool_db_set_error(GError **error, int code, sqlite3 *db, const char *what)
{
	g_set_error(error, SPOOL_ERROR, code, "cannot %s the spool: %s%s", what, sqlite3_errmsg(db),
		    spool_db_is_damaged(db) ? "; " REMEDY_OF_DAMAGE : "");
	return FALSE;
}

gboolean
spool_db_run(sqlite3 *db, const char *sql, int code, GError **error)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return TRUE;
	return spool_db_set_error(error, code, db, "set up");
}

/* Steps a statement that answers nothing, and resets it. */
gboolean
spool_db_finish(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	return sqlite3_reset(statement) == SQLITE_OK && code == SQLITE_DONE;
}

/* Reads one number, 0 on failure: what hangs on it is only tidiness. */
gint64
spool_db_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	gint64 number = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

gboolean
spool_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement, GError **error)
{
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL) ==
	    SQLITE_OK)
		return TRUE;
	return spool_db_set_error(error, SPOOL_ERROR_OPEN, db, "read the tables of");
}

/* Whether the file's structure is as it should be: reads all of it. */
gboolean
spool_db_is_sound(sqlite3 *db)
{
	sqlite3_stmt *check = NULL;
	gboolean sound;

	sound = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &check, NULL) == SQLITE_OK &&
		sqlite3_step(check) == SQLITE_ROW &&
		g_strcmp0((const char *)sqlite3_column_text(check, 0), "ok") == 0;
	sqlite3_finalize(check);
	return sound;
}

gboolean
spool_db_open(const char *path, sqlite3 **ret_db, GError **error)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	if (sqlite3_open_v2(path, ret_db, flags, NULL) != SQLITE_OK) {
		g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN, "cannot open %s: %s", path,
			    *ret_db ? sqlite3_errmsg(*ret_db) : "out of memory");
		return FALSE;
	}
	sqlite3_busy_timeout(*ret_db, BUSY_MS);
	sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return spool_db_run(*ret_db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
			    SPOOL_ERROR_OPEN, error);
}
