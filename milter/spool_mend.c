/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "spool_private.h"

#define CHECK_BYTES (256 * 1024 * 1024) /* a larger file is read whole only under suspicion */
#define LOST_MAX 100000			/* of the lost that are noted one by one */

/* What the rows say. */
struct rows {
	guint64 lowest, highest; /* 0 for none */
	guint64 entries;
	guint64 bytes;
};

/* Reads the numbers of a row.  FALSE: it cannot be read. */
static gboolean
read_numbers(sqlite3 *db, const char *sql, guint64 *ret_numbers, guint count)
{
	sqlite3_stmt *row = NULL;
	gboolean ok = sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK &&
		      sqlite3_step(row) == SQLITE_ROW;

	for (guint i = 0; ok && i < count; i++)
		ret_numbers[i] = (guint64)sqlite3_column_int64(row, (int)i);
	sqlite3_finalize(row);
	return ok;
}

/* Counts what is there: reads all pages by which entries are found. */
static gboolean
count_rows(sqlite3 *db, struct rows *ret_rows)
{
	guint64 numbers[4];

	if (!read_numbers(db,
			  "SELECT coalesce(min(n), 0), coalesce(max(n), 0), count(*),"
			  " coalesce(sum(length(event)), 0) FROM entry",
			  numbers, G_N_ELEMENTS(numbers)))
		return FALSE;
	*ret_rows = (struct rows){numbers[0], numbers[1], numbers[2], numbers[3]};
	return TRUE;
}

/* How many entries the mark knows that are not in the file. */
static guint64
count_lost(const struct spool *spool, const struct rows *rows)
{
	const struct spool_mark *mark = &spool->mark;
	guint64 last = spool->tally.last, lost;

	if (!spool->marked)
		return 0;
	lost = mark->entries > rows->entries ? mark->entries - rows->entries : 0;
	if (strcmp(mark->epoch, spool->tally.epoch) == 0 && mark->last > last)
		lost = MAX(lost, MIN(mark->last - last, mark->entries));
	return lost;
}

/*
 * Whether the numbers fit together: the newest entry waits, or was refused or
 * acknowledged, none that was acknowledged waits, and the mark, which is
 * written after the file, knows of nothing newer.
 */
static gboolean
numbers_fit(const struct spool *spool, const struct rows *rows)
{
	const struct tally *tally = &spool->tally;
	guint64 refused = 0;

	if (spool->salvaged || !g_uuid_string_is_valid(tally->epoch))
		return FALSE;
	if (rows->entries > 0 && rows->lowest <= tally->acknowledged)
		return FALSE;
	if (spool->marked &&
	    (strcmp(spool->mark.epoch, tally->epoch) != 0 || spool->mark.last > tally->last))
		return FALSE;
	read_numbers(spool->writer_db,
		     "SELECT coalesce(max(n), 0) FROM dead WHERE epoch = (SELECT epoch FROM state)",
		     &refused, 1);
	return tally->last == MAX(MAX(rows->highest, refused), tally->acknowledged);
}

/* An entry without an event, which no digest fits: whoever reads it tells that it is damaged. */
static gboolean
note_lost(sqlite3 *db, guint64 lost)
{
	gboolean ok = TRUE;

	for (guint64 i = 0; ok && i < MIN(lost, LOST_MAX); i++)
		ok = sqlite3_exec(db,
				  "INSERT INTO entry (at_us, digest, event)"
				  " VALUES (CAST(strftime('%s', 'now') AS INTEGER) * 1000000,"
				  " x'', x'')",
				  NULL, NULL, NULL) == SQLITE_OK;
	return ok;
}

/* Gives a new epoch and new numbers, counts what is there, and notes so many as lost. */
static gboolean
count_anew(struct spool *spool, guint64 lost, GError **error)
{
	sqlite3 *db = spool->writer_db;
	struct tally tally = spool->tally;
	struct rows rows;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
	    spool_renew(spool, &tally) && note_lost(db, lost) && count_rows(db, &rows)) {
		tally.entries = rows.entries;
		tally.bytes = rows.bytes;
		tally.last = rows.highest;
		if (spool_save_state(spool, &tally) && spool_find_oldest(spool, &tally) &&
		    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
			spool->tally = tally;
			memcpy(spool->epoch, tally.epoch, sizeof spool->epoch);
			return TRUE;
		}
	}
	spool_db_set_error(error, SPOOL_ERROR_OPEN, db, "mend");
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return FALSE;
}

/* Remembers what spool_mended() is to tell. */
static void
note_mended(struct spool *spool, guint64 saved, guint64 lost)
{
	g_autofree char *count = spool->marked
					 ? g_strdup_printf("%" G_GUINT64_FORMAT " are lost", lost)
					 : g_strdup("how many are lost is not known");

	spool->mended = g_strdup_printf(
		"%s; %" G_GUINT64_FORMAT " entries were saved and are sent anew, %s",
		spool->salvaged ? "the file was damaged, and is kept as spool.db.damaged"
				: "the file is older than it was, or its numbers were damaged",
		saved, count);
}

/* Whether all of the file is read: it is small, or there is a suspicion. */
static gboolean
is_read_whole(const struct spool *spool)
{
	gint64 bytes = spool_db_number(spool->writer_db, "PRAGMA page_count") *
		       spool_db_number(spool->writer_db, "PRAGMA page_size");

	return bytes <= CHECK_BYTES || (spool->marked && spool->mark.suspect);
}

/* Says how the rows stand, without reading all of a large file. */
static gboolean
look_at_rows(const struct spool *spool, gboolean whole, struct rows *ret_rows)
{
	if (whole)
		return count_rows(spool->writer_db, ret_rows);
	ret_rows->entries = spool->tally.entries;
	ret_rows->bytes = spool->tally.bytes;
	return read_numbers(spool->writer_db, "SELECT coalesce(min(n), 0) FROM entry",
			    &ret_rows->lowest, 1) &&
	       read_numbers(spool->writer_db, "SELECT coalesce(max(n), 0) FROM entry",
			    &ret_rows->highest, 1);
}

static gboolean
set_damaged(struct spool *spool, GError **error)
{
	spool->damaged = TRUE;
	g_set_error(error, SPOOL_ERROR, SPOOL_ERROR_OPEN,
		    "the spool's file is damaged; " REMEDY_OF_DAMAGE);
	return FALSE;
}

gboolean
spool_check(struct spool *spool, GError **error)
{
	struct tally *tally = &spool->tally;
	gboolean whole = is_read_whole(spool);
	struct rows rows = {0};
	guint64 lost;

	if (sqlite3_db_readonly(spool->writer_db, "main") ||
	    (whole && !spool_db_is_sound(spool->writer_db)) || !look_at_rows(spool, whole, &rows))
		return set_damaged(spool, error);
	if (numbers_fit(spool, &rows)) {
		/* What is only counted needs no words when it was counted wrongly. */
		tally->entries = rows.entries;
		tally->bytes = rows.bytes;
		return TRUE;
	}
	lost = count_lost(spool, &rows);
	if (!count_anew(spool, lost, error))
		return FALSE;
	note_mended(spool, rows.entries, lost);
	return TRUE;
}
