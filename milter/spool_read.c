/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "spool_private.h"

#define MISSING_MAX 1000 /* more numbers than this are not taken for lost one by one */

static GBytes *
column_bytes(sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_blob(statement, column);

	return g_bytes_new(bytes, (gsize)sqlite3_column_bytes(statement, column));
}

GBytes *
spool_sound_event(sqlite3_stmt *row, int column)
{
	g_autoptr(GBytes) digest = column_bytes(row, column);
	g_autoptr(GBytes) event = column_bytes(row, column + 1);
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
		event = spool_sound_event(read, 1);
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

/* The next start looks at all of the file. */
static void
suspect(struct spool *spool)
{
	g_mutex_lock(&spool->mutex);
	spool->suspect = TRUE;
	spool_mark(spool);
	g_mutex_unlock(&spool->mutex);
}

static gboolean
set_hidden(struct spool *spool, GError **error)
{
	spool->unsound = TRUE;
	suspect(spool);
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
	if (next <= n || missing > MISSING_MAX || !spool_db_is_sound(spool->reader_db))
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
	if (spool_db_is_damaged(spool->reader_db))
		suspect(spool);
	return spool_db_set_error(error, SPOOL_ERROR_READ, spool->reader_db, "read");
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
