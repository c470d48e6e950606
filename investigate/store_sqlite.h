/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_sqlite.h - SQLite, as the store's other files see it.
 *
 * Owner of SQLite in this folder: connections, prepared statements, values and
 * errors.  Knows nothing of events.  Every statement is a static string, which
 * is prepared once and kept by its address; data are only ever bound.  One
 * thread a connection.
 */
#ifndef MAILTRACE_STORE_SQLITE_H
#define MAILTRACE_STORE_SQLITE_H

#include <glib.h>

#include "store.h"

struct sql;	 /* a connection */
struct sql_stmt; /* a prepared statement; owned by its connection */

/*
 * Opens a database file.  writable: makes it (0640) if it is missing, and uses
 * WAL with synchronous=FULL, so that a commit is on disk when it returns; else
 * it must exist and is only read.  Returns NULL with STORE_ERROR_OPEN, or
 * STORE_ERROR_ABSENT when there is nothing to read.  Free with sql_close().
 */
struct sql *sql_open(const char *path, gboolean writable, GError **error);

/* Finalises all statements and closes.  NULL is allowed. */
void sql_close(struct sql *sql);

/*
 * Moves what is in the write-ahead log into the file and empties the log, unless
 * another connection is at it just now; waits for nobody.
 */
void sql_checkpoint(struct sql *sql);

/* Runs a script of several statements without values.  script: static. */
gboolean sql_script(struct sql *sql, const char *script, GError **error);

/*
 * Binds values to a statement.  text: static.  types: a letter for each value
 * that follows: 'i' gint64, 's' const char * (NULL is NULL), 'b' const void *
 * and gsize (NULL is NULL); text and blobs are borrowed until sql_done().
 * Returns a statement at its start; what goes wrong shows in the next call.
 */
struct sql_stmt *sql_bind(struct sql *sql, const char *text, const char *types, ...);

/* Runs a statement to its end.  FALSE with a STORE_ERROR. */
gboolean sql_run(struct sql_stmt *stmt, GError **error);

/* Goes to the next row: 1 if there is one, 0 at the end, -1 with a STORE_ERROR. */
int sql_next(struct sql_stmt *stmt, GError **error);

/* Returns a number of the current row, 0 for NULL. */
gint64 sql_int(struct sql_stmt *stmt, int column);

/* Returns a text of the current row, UTF-8, or NULL; lives until the next call on the statement. */
const char *sql_text(struct sql_stmt *stmt, int column);

/* Returns *ret_length bytes of the current row, or NULL; live as long as a text. */
const void *sql_blob(struct sql_stmt *stmt, int column, gsize *ret_length);

/* Returns TRUE if a column of the current row is NULL. */
gboolean sql_is_null(struct sql_stmt *stmt, int column);

/* Ends a statement before its last row, and lets go of what it reads.  NULL is allowed. */
void sql_done(struct sql_stmt *stmt);

/*
 * Reads one number: that of the first column of the first row, or fallback
 * when there is no row or it is NULL.  Ends the statement.
 */
gboolean sql_number(struct sql_stmt *stmt, gint64 fallback, gint64 *ret_number, GError **error);

/* Returns the row id of the last insertion. */
gint64 sql_last_id(struct sql *sql);

/* Returns how many rows the last change touched. */
gint64 sql_changes(struct sql *sql);

/* Returns TRUE between BEGIN and its end. */
gboolean sql_in_transaction(struct sql *sql);

/*
 * Copies the database into a file, which must be there and empty, and syncs it.
 * Inside a transaction the copy is what that sees, however much is written
 * meanwhile; outside, each write of another process begins it anew.
 */
gboolean sql_copy(struct sql *sql, const char *path, store_progress_fn progress, void *data,
		  GError **error);

/* Calls progress now and then while statements run; FALSE from it ends them.  NULL for none. */
void sql_set_progress(struct sql *sql, store_progress_fn progress, void *data);

typedef struct sql sql_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sql_t, sql_close)
typedef struct sql_stmt sql_stmt_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sql_stmt_t, sql_done)
#endif
