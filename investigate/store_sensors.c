/* SPDX-License-Identifier: BSD-2-Clause */
/* What came from which sensor, and its signs of life. */
#include <string.h>

#include "store_internal.h"

static gboolean
make_epoch(struct store *store, const char *sensor, const char *epoch, gint64 *ret_id,
	   GError **error)
{
	if (!sql_number(sql_bind(store->sql, "SELECT id FROM epochs WHERE sensor=?1 AND epoch=?2",
				 "ss", sensor, epoch),
			0, ret_id, error))
		return FALSE;
	if (*ret_id)
		return TRUE;
	if (!sql_run(sql_bind(store->sql, "INSERT INTO epochs (sensor, epoch) VALUES (?1, ?2)",
			      "ss", sensor, epoch),
		     error))
		return FALSE;
	*ret_id = sql_last_id(store->sql);
	return TRUE;
}

/* A hole has been filled: two stretches that touch become one. */
static gboolean
merge_ranges(struct store *store, gint64 epoch, gint64 n, GError **error)
{
	if (!sql_run(
		    sql_bind(
			    store->sql,
			    "UPDATE ranges SET"
			    " last=(SELECT r.last FROM ranges r WHERE r.epoch=?1 AND r.first=?2+1),"
			    " last_us=(SELECT r.last_us FROM ranges r"
			    "  WHERE r.epoch=?1 AND r.first=?2+1)"
			    " WHERE epoch=?1 AND last=?2"
			    " AND EXISTS (SELECT 1 FROM ranges WHERE epoch=?1 AND first=?2+1)",
			    "ii", epoch, n),
		    error))
		return FALSE;
	return sql_changes(store->sql) == 0 ||
	       sql_run(sql_bind(store->sql, "DELETE FROM ranges WHERE epoch=?1 AND first=?2+1",
				"ii", epoch, n),
		       error);
}

gboolean
store_note_number(struct store *store, const char *sensor, const struct store_sequence *sequence,
		  gint64 time_us, GError **error)
{
	gint64 n = (gint64)MIN(sequence->n, (guint64)G_MAXINT64 - 1);
	gint64 epoch, known;

	if (!make_epoch(store, sensor, sequence->epoch, &epoch, error) ||
	    !sql_number(sql_bind(store->sql,
				 "SELECT last>=?2 FROM ranges WHERE epoch=?1 AND first<=?2"
				 " ORDER BY first DESC LIMIT 1",
				 "ii", epoch, n),
			0, &known, error))
		return FALSE;
	if (known)
		return TRUE;
	if (!sql_run(sql_bind(store->sql,
			      "UPDATE ranges SET last=?2, last_us=?3 WHERE epoch=?1 AND first="
			      "(SELECT max(first) FROM ranges WHERE epoch=?1 AND first<=?2)"
			      " AND last=?2-1",
			      "iii", epoch, n, time_us),
		     error))
		return FALSE;
	if (sql_changes(store->sql) == 0 &&
	    !sql_run(sql_bind(store->sql,
			      "INSERT INTO ranges (epoch, first, last, first_us, last_us)"
			      " VALUES (?1, ?2, ?2, ?3, ?3)",
			      "iii", epoch, n, time_us),
		     error))
		return FALSE;
	return merge_ranges(store, epoch, n, error);
}

gboolean
store_sequence_through(struct store *store, const char *sensor, const char *epoch,
		       guint64 *ret_through, GError **error)
{
	gint64 through;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT r.last FROM epochs e CROSS JOIN ranges r ON r.epoch=e.id"
				 " WHERE e.sensor=?1 AND e.epoch=?2 AND r.first<=1"
				 " ORDER BY r.first DESC LIMIT 1",
				 "ss", sensor, epoch),
			0, &through, error))
		return FALSE;
	*ret_through = through;
	return TRUE;
}

/* ---- heartbeats ---- */

/* A sensor as the beat before left it. */
struct contact {
	gint64 tenant, sensor;
	char *epoch; /* NULL before the first beat */
	gint64 complete_us, started_us;
	guint64 unrecorded, log_gaps;
};

static gboolean
read_contact(struct store *store, struct contact *contact, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(store->sql,
			 "SELECT epoch, complete_us, started_us, unrecorded, log_gaps"
			 " FROM sensors WHERE id=?1",
			 "i", contact->sensor);

	if (sql_next(row, error) < 0)
		return FALSE;
	contact->epoch = g_strdup(sql_text(row, 0));
	contact->complete_us = sql_int(row, 1);
	contact->started_us = sql_int(row, 2);
	contact->unrecorded = (guint64)sql_int(row, 3);
	contact->log_gaps = (guint64)sql_int(row, 4);
	return TRUE;
}

gboolean
store_add_interval(struct store *store, gint64 sensor, const char *reason, gint64 from_us,
		   gint64 to_us, guint64 messages, GError **error)
{
	if (!sql_run(sql_bind(store->sql,
			      "UPDATE intervals SET to_us=max(to_us, ?4), messages=messages+?5"
			      " WHERE id=(SELECT id FROM intervals WHERE sensor=?1 AND to_us>=?3"
			      "  AND reason=?2 AND from_us<=?3 ORDER BY to_us DESC LIMIT 1)",
			      "isiii", sensor, reason, from_us, to_us, (gint64)messages),
		     error))
		return FALSE;
	return sql_changes(store->sql) > 0 ||
	       sql_run(sql_bind(store->sql,
				"INSERT INTO intervals (sensor, reason, from_us, to_us, messages)"
				" VALUES (?1, ?2, ?3, ?4, ?5)",
				"isiii", sensor, reason, from_us, to_us, (gint64)messages),
		       error);
}

/* What was counted since the beat before; a program that began anew counts from 0. */
static guint64
counted(guint64 before, guint64 now, gboolean anew)
{
	if (anew || now < before)
		return now;
	return now - before;
}

/* Notes what happened between two beats, of which the first said complete until complete_us. */
static gboolean
note_intervals(struct store *store, const struct contact *contact, const struct store_beat *beat,
	       GError **error)
{
	gint64 from_us = contact->complete_us;
	gint64 to_us = MAX(beat->time_us, from_us);
	gboolean other_epoch = contact->epoch && strcmp(contact->epoch, beat->epoch) != 0;
	gboolean anew = contact->started_us != beat->started_us;
	gboolean was_down = anew && contact->started_us > 0 && beat->started_us > from_us;
	guint64 unrecorded = counted(contact->unrecorded, beat->unrecorded, anew);
	guint64 log_gaps = counted(contact->log_gaps, beat->log_gaps, anew || other_epoch);

	return (!other_epoch ||
		store_add_interval(store, contact->sensor, "epoch", from_us, to_us, 0, error)) &&
	       (!was_down || store_add_interval(store, contact->sensor, "down", from_us,
						beat->started_us, 0, error)) &&
	       (unrecorded == 0 || store_add_interval(store, contact->sensor, "unrecorded", from_us,
						      to_us, unrecorded, error)) &&
	       (log_gaps == 0 ||
		store_add_interval(store, contact->sensor, "log-gap", from_us, to_us, 0, error));
}

/* A beat that came when everything given out was stored says: complete until here. */
static gboolean
write_contact(struct store *store, gint64 sensor, const struct store_beat *beat, gboolean stored,
	      GError **error)
{
	return sql_run(
		sql_bind(store->sql,
			 "UPDATE sensors SET epoch=?2, last_seen_us=max(last_seen_us, ?3),"
			 " complete_us=max(complete_us, ?4), counters=coalesce(?5, counters),"
			 " started_us=?6, unrecorded=?7, log_gaps=?8,"
			 " offset_us=iif(?9, ?10, offset_us),"
			 " begun_us=iif(begun_us>0, begun_us, ?11) WHERE id=?1",
			 "isiisiiiiii", sensor, beat->epoch, beat->time_us,
			 stored ? beat->complete_us : 0, beat->counters, beat->started_us,
			 (gint64)beat->unrecorded, (gint64)beat->log_gaps, (gint64)beat->has_offset,
			 beat->offset_us, beat->started_us ? beat->started_us : beat->time_us),
		error);
}

static gboolean
note_beat(struct store *store, const char *tenant, const char *sensor,
	  const struct store_beat *beat, struct contact *contact, GError **error)
{
	gint64 last = (gint64)MIN(beat->last, (guint64)G_MAXINT64);
	gint64 epoch;
	guint64 through;

	return store_make_tenant(store, tenant, &contact->tenant, error) &&
	       store_make_sensor(store, contact->tenant, sensor, &contact->sensor, error) &&
	       read_contact(store, contact, error) &&
	       make_epoch(store, sensor, beat->epoch, &epoch, error) &&
	       sql_run(sql_bind(store->sql, "UPDATE epochs SET last=max(last, ?2) WHERE id=?1",
				"ii", epoch, last),
		       error) &&
	       store_sequence_through(store, sensor, beat->epoch, &through, error) &&
	       note_intervals(store, contact, beat, error) &&
	       write_contact(store, contact->sensor, beat, through >= beat->last, error);
}

gboolean
store_note_beat(struct store *store, const char *tenant, const char *sensor,
		const struct store_beat *beat, GError **error)
{
	struct contact contact = {0};
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = note_beat(store, tenant, sensor, beat, &contact, error);
	g_free(contact.epoch);
	return store_end_change(store, done, error);
}

gboolean
store_count_intervals(struct store *store, const char *tenant, const char *sensor,
		      guint64 *ret_count, GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(store->sql,
				 "SELECT count(*) FROM tenants t JOIN sensors s ON s.tenant=t.id"
				 " AND s.name=?2 JOIN intervals i ON i.sensor=s.id WHERE t.name=?1",
				 "ss", tenant, sensor),
			0, &count, error))
		return FALSE;
	*ret_count = (guint64)count;
	return TRUE;
}
