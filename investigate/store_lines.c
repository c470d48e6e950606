/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_lines.h"

#include <string.h>

/* Two hosts' clocks, and whole seconds, between a hand-over and what it hands over to. */
#define EARLY_US (60 * (gint64)G_USEC_PER_SEC)

void
place_clear(struct place *place)
{
	g_free(place->queue_id);
	g_free(place->host);
}

void
line_free(void *data)
{
	struct line *line = data;

	g_free(line->recipient);
	g_free(line->recipient_key);
	g_free(line->original_key);
	g_free(line->relay);
	g_free(line->dsn);
	g_free(line->next_queue_id);
	g_free(line->host);
	g_free(line->queue_id);
	g_free(line->folder);
	g_free(line->storage_id);
	g_free(line->message_key);
	g_free(line);
}

/* ---- reading ---- */

#define LINE_COLUMNS                                                                    \
	"SELECT id, recipient, recipient_key, original_key, kind, time_us, relay, dsn," \
	" next_queue_id, log_host, queue_id, folder, storage_id, message_key, uid FROM deliveries"

static const char own_lines[] = LINE_COLUMNS
	" INDEXED BY deliveries_recipient WHERE event=?1 AND recipient_key=?2 UNION " LINE_COLUMNS
	" INDEXED BY deliveries_original WHERE event=?1 AND original_key=?2"
	" ORDER BY time_us, kind, id LIMIT ?3";
static const char lines_of_key[] = LINE_COLUMNS
	" INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?2 AND recipient_key=?3"
	" AND log_host=?4 AND time_us BETWEEN ?5 AND ?6 UNION " LINE_COLUMNS
	" INDEXED BY deliveries_queue_original WHERE tenant=?1 AND queue_id=?2 AND original_key=?3"
	" AND log_host=?4 AND time_us BETWEEN ?5 AND ?6 ORDER BY time_us, kind, id LIMIT ?7";
static const char all_lines[] = LINE_COLUMNS
	" INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?2 AND recipient_key IS NOT NULL"
	" AND log_host=?3 AND time_us BETWEEN ?4 AND ?5 ORDER BY time_us, kind, id LIMIT ?6";

/* Adds the rows of a statement, but those that are there, to lines. */
static gboolean
take_lines(struct sql_stmt *rows, GPtrArray *lines, GHashTable *known, GError **error)
{
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct line *line = g_new0(struct line, 1);

		line->id = sql_int(rows, 0);
		line->recipient = g_strdup(sql_text(rows, 1));
		line->recipient_key = g_strdup(sql_text(rows, 2));
		line->original_key = g_strdup(sql_text(rows, 3));
		line->kind = (enum delivery_kind)sql_int(rows, 4);
		line->time_us = sql_int(rows, 5);
		line->relay = g_strdup(sql_text(rows, 6));
		line->dsn = g_strdup(sql_text(rows, 7));
		line->next_queue_id = g_strdup(sql_text(rows, 8));
		line->host = g_strdup(sql_text(rows, 9));
		line->queue_id = g_strdup(sql_text(rows, 10));
		line->folder = g_strdup(sql_text(rows, 11));
		line->storage_id = g_strdup(sql_text(rows, 12));
		line->message_key = g_strdup(sql_text(rows, 13));
		line->uid = (guint)sql_int(rows, 14);
		if (line->recipient && !g_hash_table_contains(known, &line->id)) {
			g_hash_table_add(known, &line->id);
			g_ptr_array_add(lines, line);
		} else {
			line_free(line);
		}
	}
	return more == 0;
}

gboolean
lines_read(struct store *store, gint64 tenant, const struct place *place, const GPtrArray *keys,
	   guint max, GPtrArray *lines, GError **error)
{
	g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);
	struct sql *sql = store->sql;

	if (!keys)
		return take_lines(sql_bind(sql, all_lines, "issiii", tenant, place->queue_id,
					   place->host, place->from_us, place->until_us,
					   (gint64)max),
				  lines, known, error);
	for (guint i = 0; i < keys->len; i++) {
		const char *key = g_ptr_array_index(keys, i);
		struct sql_stmt *rows =
			place->event
				? sql_bind(sql, own_lines, "isi", place->event, key, (gint64)max)
				: sql_bind(sql, lines_of_key, "isssiii", tenant, place->queue_id,
					   key, place->host, place->from_us, place->until_us,
					   (gint64)max);

		if (!take_lines(rows, lines, known, error))
			return FALSE;
	}
	return TRUE;
}

/* What is said of a message as a whole: kind and time. */
static const char own_life[] =
	"SELECT kind, time_us FROM deliveries INDEXED BY deliveries_recipient"
	" WHERE event=?1 AND recipient_key IS NULL ORDER BY time_us, id";
static const char life_of_place[] =
	"SELECT kind, time_us FROM deliveries INDEXED BY deliveries_queue WHERE tenant=?1"
	" AND queue_id=?2 AND recipient_key IS NULL AND log_host=?3"
	" AND time_us BETWEEN ?4 AND ?5 ORDER BY time_us, id";

static void
note_life(struct queue_life *life, enum delivery_kind kind, gint64 time_us)
{
	switch (kind) {
	case DELIVERY_QUEUED:
		life->queued_us = time_us;
		break;
	case DELIVERY_HELD:
		life->held_us = time_us;
		life->released = FALSE;
		break;
	case DELIVERY_RELEASED:
		life->released_us = time_us;
		life->released = TRUE;
		break;
	case DELIVERY_DELETED:
		life->deleted_us = time_us;
		break;
	case DELIVERY_EXPIRED:
		life->expired_us = time_us;
		break;
	case DELIVERY_DONE:
		life->done_us = time_us;
		break;
	default:
		break;
	}
}

gboolean
lines_read_life(struct store *store, gint64 tenant, const struct place *place,
		struct queue_life *ret_life, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		place->event ? sql_bind(store->sql, own_life, "i", place->event)
			     : sql_bind(store->sql, life_of_place, "issii", tenant, place->queue_id,
					place->host, place->from_us, place->until_us);
	struct queue_life life = {0};
	int more;

	while ((more = sql_next(rows, error)) > 0)
		note_life(&life, (enum delivery_kind)sql_int(rows, 0), sql_int(rows, 1));
	if (more == 0)
		*ret_life = life;
	return more == 0;
}

gboolean
lines_find_place(struct store *store, gint64 tenant, const char *queue_id, const char *host,
		 gint64 time_us, struct place *ret_place, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		store->sql,
		"SELECT log_host, kind BETWEEN 11 AND 18 FROM deliveries INDEXED BY deliveries_queue WHERE tenant=?1"
		" AND queue_id=?2 AND time_us>=?3 AND (?4 IS NULL OR log_host=?4)"
		" ORDER BY time_us, id LIMIT 1",
		"isis", tenant, queue_id, time_us - EARLY_US, host);
	int more = sql_next(row, error);
	struct place place = {.from_us = time_us - EARLY_US, .until_us = G_MAXINT64};

	if (more <= 0)
		return more == 0;
	place.host = g_strdup(sql_text(row, 0));
	place.mailbox = sql_int(row, 1) != 0;
	place.queue_id = g_strdup(queue_id);
	*ret_place = place;
	/* A long id, which has a "z", is never used again. */
	return strchr(queue_id, 'z') ||
	       sql_number(sql_bind(store->sql,
				   "SELECT min(time_us) FROM deliveries INDEXED BY deliveries_queue"
				   " WHERE tenant=?1 AND queue_id=?2 AND recipient_key IS NULL"
				   " AND kind=6 AND log_host=?3 AND time_us>=?4",
				   "issi", tenant, queue_id, place.host, time_us),
			  G_MAXINT64, &ret_place->until_us, error);
}

void
onward_free(void *data)
{
	struct onward *onward = data;

	g_free(onward->queue_id);
	g_free(onward->host);
	g_free(onward);
}

gboolean
lines_read_onwards(struct store *store, gint64 tenant, const struct place *place,
		   GPtrArray *onwards, GError **error)
{
	struct sql *sql = store->sql;
	g_autoptr(sql_stmt_t) rows =
		place->event
			? sql_bind(sql,
				   "SELECT next_queue_id, log_host, time_us FROM deliveries"
				   " INDEXED BY deliveries_recipient WHERE event=?1"
				   " AND recipient_key IS NULL AND kind=7 ORDER BY time_us, id",
				   "i", place->event)
			: sql_bind(sql,
				   "SELECT next_queue_id, log_host, time_us FROM deliveries"
				   " INDEXED BY deliveries_queue WHERE tenant=?1 AND"
				   " queue_id=?2 AND recipient_key IS NULL AND kind=7 AND"
				   " log_host=?3 AND time_us BETWEEN ?4 AND ?5"
				   " ORDER BY time_us, id",
				   "issii", tenant, place->queue_id, place->host, place->from_us,
				   place->until_us);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct onward *onward = g_new0(struct onward, 1);

		onward->queue_id = g_strdup(sql_text(rows, 0));
		onward->host = g_strdup(sql_text(rows, 1));
		onward->time_us = sql_int(rows, 2);
		g_ptr_array_add(onwards, onward);
	}
	return more == 0;
}
