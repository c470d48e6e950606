/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <unistd.h>

/* Readers meet a lock only while the schema changes or the log is recovered. */
#define BUSY_TIMEOUT_MS 10000
/* Steps of SQLite's machine between two calls of progress: about a millisecond. */
#define PROGRESS_STEPS 20000

struct sql_stmt {
	struct sql *sql;
	sqlite3_stmt *handle; /* NULL when it could not be prepared */
	int bind_status;
};

struct sql {
	sqlite3 *handle;
	GHashTable *statements; /* by the address of their text */
	store_progress_fn progress;
	void *progress_data;
};

static int
store_error_code(int status)
{
	switch (status & 0xff) {
	case SQLITE_INTERRUPT:
		return STORE_ERROR_STOPPED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STORE_ERROR_DAMAGED;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return STORE_ERROR_OPEN;
	default:
		return STORE_ERROR_WRITE;
	}
}

static void
set_error(struct sql *sql, int status, GError **error)
{
	if (store_error_code(status) == STORE_ERROR_STOPPED)
		g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
	else if (store_error_code(status) == STORE_ERROR_DAMAGED)
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "the store is damaged (%s): see mailtrace verify, put back a backup",
			    sqlite3_errmsg(sql->handle));
	else
		g_set_error(error, STORE_ERROR, store_error_code(status), "the store: %s",
			    sqlite3_errmsg(sql->handle));
}

static void
stmt_free(void *data)
{
	struct sql_stmt *stmt = data;

	sqlite3_finalize(stmt->handle);
	g_free(stmt);
}

static gboolean
open_error(const char *path, gboolean writable, sqlite3 *handle, GError **error)
{
	gboolean there = access(path, F_OK) == 0;
	int status = sqlite3_errcode(handle) & 0xff;

	if (!there && !writable)
		g_set_error(error, STORE_ERROR, STORE_ERROR_ABSENT, "there is no store at %s",
			    path);
	else if (status == SQLITE_CORRUPT || status == SQLITE_NOTADB)
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "%s is no store or a damaged one (%s): keep it aside and put back a "
			    "backup",
			    path, sqlite3_errmsg(handle));
	else if (!writable)
		g_set_error(
			error, STORE_ERROR, STORE_ERROR_OPEN,
			"cannot read the store %s: %s; while no collector runs, its owner alone "
			"can ask",
			path, sqlite3_errmsg(handle));
	else
		g_set_error(error, STORE_ERROR, STORE_ERROR_OPEN, "cannot open the store %s: %s",
			    path, sqlite3_errmsg(handle));
	return FALSE;
}

/*
 * Makes the file with the right mode, since SQLite would ask the umask; it
 * gives the files beside it the same.  The group may read while the collector
 * runs, and can change nothing, the journal least of all.
 */
static void
make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);

	if (fd >= 0)
		close(fd);
}

static gboolean
open_handle(struct sql *sql, const char *path, gboolean writable, GError **error)
{
	static const char common[] = "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
				     "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-65536;";
	static const char writer[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				     "PRAGMA journal_size_limit=67108864;"
				     /* What goes is overwritten. */
				     "PRAGMA secure_delete=ON;"
				     "PRAGMA wal_autocheckpoint=16000;"
				     /* Most of an index of a big store: each message goes into
				      * some twenty-five places of them. */
				     "PRAGMA cache_size=-262144;";
	int flags = writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

	if (writable)
		make_file(path);
	if (sqlite3_open_v2(path, &sql->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return open_error(path, writable, sql->handle, error);
	sqlite3_extended_result_codes(sql->handle, 1);
	sqlite3_busy_timeout(sql->handle, BUSY_TIMEOUT_MS);
	sqlite3_db_config(sql->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(sql->handle, common, NULL, NULL, NULL) != SQLITE_OK ||
	    (writable && sqlite3_exec(sql->handle, writer, NULL, NULL, NULL) != SQLITE_OK) ||
	    sqlite3_exec(sql->handle, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
		    SQLITE_OK)
		return open_error(path, writable, sql->handle, error);
	return TRUE;
}

struct sql *
sql_open(const char *path, gboolean writable, GError **error)
{
	g_autoptr(sql_t) sql = g_new0(struct sql, 1);

	sql->statements = g_hash_table_new_full(NULL, NULL, NULL, stmt_free);
	if (!open_handle(sql, path, writable, error))
		return NULL;
	return g_steal_pointer(&sql);
}

void
sql_close(struct sql *sql)
{
	if (!sql)
		return;
	g_hash_table_unref(sql->statements);
	sqlite3_close(sql->handle);
	g_free(sql);
}

void
sql_checkpoint(struct sql *sql)
{
	sqlite3_busy_timeout(sql->handle, 0);
	sqlite3_wal_checkpoint_v2(sql->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(sql->handle, BUSY_TIMEOUT_MS);
}

gboolean
sql_script(struct sql *sql, const char *script, GError **error)
{
	int status = sqlite3_exec(sql->handle, script, NULL, NULL, NULL);

	if (status == SQLITE_OK)
		return TRUE;
	set_error(sql, status, error);
	return FALSE;
}

static struct sql_stmt *
prepared(struct sql *sql, const char *text)
{
	struct sql_stmt *stmt = g_hash_table_lookup(sql->statements, text);

	if (!stmt) {
		stmt = g_new0(struct sql_stmt, 1);
		stmt->sql = sql;
		g_hash_table_insert(sql->statements, (void *)text, stmt);
	}
	if (!stmt->handle)
		stmt->bind_status = sqlite3_prepare_v3(
			sql->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
	/* Statements are ours and constant: a table or column that is missing was damaged. */
	if (stmt->bind_status == SQLITE_ERROR)
		stmt->bind_status = SQLITE_CORRUPT;
	return stmt;
}

static int
bind_one(struct sql_stmt *stmt, int at, char type, va_list *values)
{
	const void *bytes;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(stmt->handle, at, va_arg(*values, gint64));
	case 's':
		return sqlite3_bind_text(stmt->handle, at, va_arg(*values, const char *), -1,
					 SQLITE_STATIC);
	case 'b':
		bytes = va_arg(*values, const void *);
		return sqlite3_bind_blob64(stmt->handle, at, bytes, va_arg(*values, gsize),
					   SQLITE_STATIC);
	default:
		g_assert_not_reached();
	}
}

struct sql_stmt *
sql_bind(struct sql *sql, const char *text, const char *types, ...)
{
	struct sql_stmt *stmt = prepared(sql, text);
	va_list values;

	if (!stmt->handle)
		return stmt;
	g_assert(!sqlite3_stmt_busy(stmt->handle));
	stmt->bind_status = SQLITE_OK;
	sqlite3_reset(stmt->handle);
	va_start(values, types);
	for (int i = 0; types[i]; i++) {
		int status = bind_one(stmt, i + 1, types[i], &values);

		if (status != SQLITE_OK)
			stmt->bind_status = status;
	}
	va_end(values);
	return stmt;
}

int
sql_next(struct sql_stmt *stmt, GError **error)
{
	int status = stmt->bind_status;

	if (status == SQLITE_OK)
		status = sqlite3_step(stmt->handle);
	if (status == SQLITE_ROW)
		return 1;
	if (status != SQLITE_DONE)
		set_error(stmt->sql, status, error);
	sql_done(stmt);
	return status == SQLITE_DONE ? 0 : -1;
}

gboolean
sql_run(struct sql_stmt *stmt, GError **error)
{
	int more;

	do {
		more = sql_next(stmt, error);
	} while (more > 0);
	return more == 0;
}

gint64
sql_int(struct sql_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt->handle, column);
}

const char *
sql_text(struct sql_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt->handle, column);
}

const void *
sql_blob(struct sql_stmt *stmt, int column, gsize *ret_length)
{
	const void *bytes = sqlite3_column_blob(stmt->handle, column);

	*ret_length = sqlite3_column_bytes(stmt->handle, column);
	return bytes;
}

gboolean
sql_is_null(struct sql_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

void
sql_done(struct sql_stmt *stmt)
{
	if (stmt && stmt->handle)
		sqlite3_reset(stmt->handle);
}

gboolean
sql_number(struct sql_stmt *stmt, gint64 fallback, gint64 *ret_number, GError **error)
{
	int more = sql_next(stmt, error);

	if (more < 0)
		return FALSE;
	*ret_number = more > 0 && !sql_is_null(stmt, 0) ? sql_int(stmt, 0) : fallback;
	sql_done(stmt);
	return TRUE;
}

gint64
sql_last_id(struct sql *sql)
{
	return sqlite3_last_insert_rowid(sql->handle);
}

gint64
sql_changes(struct sql *sql)
{
	return sqlite3_changes64(sql->handle);
}

gboolean
sql_in_transaction(struct sql *sql)
{
	return !sqlite3_get_autocommit(sql->handle);
}

static int
on_progress(void *data)
{
	struct sql *sql = data;

	return !sql->progress(-1, sql->progress_data);
}

void
sql_set_progress(struct sql *sql, store_progress_fn progress, void *data)
{
	sql->progress = progress;
	sql->progress_data = data;
	sqlite3_progress_handler(sql->handle, progress ? PROGRESS_STEPS : 0,
				 progress ? on_progress : NULL, sql);
}

/* A step copies 16 MiB, so that progress is told often enough. */
#define BACKUP_PAGES 4096

static gboolean
copy_pages(struct sql *sql, sqlite3_backup *backup, store_progress_fn progress, void *data,
	   GError **error)
{
	int status;

	while ((status = sqlite3_backup_step(backup, BACKUP_PAGES)) == SQLITE_OK) {
		int total = sqlite3_backup_pagecount(backup);
		int left = sqlite3_backup_remaining(backup);

		if (progress && total && !progress((double)(total - left) / total, data)) {
			set_error(sql, SQLITE_INTERRUPT, error);
			return FALSE;
		}
	}
	if (status == SQLITE_DONE)
		return TRUE;
	g_set_error(error, STORE_ERROR, store_error_code(status), "%s", sqlite3_errstr(status));
	return FALSE;
}

gboolean
sql_copy(struct sql *sql, const char *path, store_progress_fn progress, void *data, GError **error)
{
	sqlite3_backup *backup = NULL;
	sqlite3 *copy = NULL;
	gboolean done = FALSE;

	if (sqlite3_open_v2(path, &copy,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			    NULL) == SQLITE_OK)
		backup = sqlite3_backup_init(copy, "main", sql->handle, "main");
	if (!backup) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_WRITE, "%s", sqlite3_errmsg(copy));
	} else {
		done = copy_pages(sql, backup, progress, data, error);
		sqlite3_backup_finish(backup);
	}
	sqlite3_close(copy);
	return done;
}
