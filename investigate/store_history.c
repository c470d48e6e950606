/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole history of a message: the lines joined to its event, and those under
 * the queue ids that it went on under.  store_trace.h has the rules.
 */
#include <string.h>

#include "caps.h"
#include "store_lines.h"

/* A line of the history. */
struct entry {
	gint64 id, time_us, kind;
	char *next_queue_id, *key,
		*host;	/* of one that hands over; next_queue_id NULL: it does not */
	gboolean whole; /* hands over all, not the copy of key alone */
};

/* A history being gathered. */
struct history {
	struct store *store;
	gint64 tenant;
	GPtrArray *entries;  /* of struct entry */
	GHashTable *known;   /* of gint64 *, their ids */
	GHashTable *visited; /* of "host queue-id key" */
};

static void
entry_free(void *data)
{
	struct entry *entry = data;

	g_free(entry->next_queue_id);
	g_free(entry->key);
	g_free(entry->host);
	g_free(entry);
}

#define ENTRY_COLUMNS                                                       \
	"SELECT id, time_us, kind, next_queue_id, recipient_key, log_host," \
	" recipient_key IS NULL OR coalesce(relay='local', 0) FROM deliveries"

static gboolean
take_entries(struct history *history, struct sql_stmt *rows, GError **error)
{
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct entry *entry = g_new0(struct entry, 1);

		entry->id = sql_int(rows, 0);
		entry->time_us = sql_int(rows, 1);
		entry->kind = sql_int(rows, 2);
		entry->next_queue_id = g_strdup(sql_text(rows, 3));
		entry->key = g_strdup(sql_text(rows, 4));
		entry->host = g_strdup(sql_text(rows, 5));
		entry->whole = sql_int(rows, 6) != 0;
		if (history->entries->len < CAP_TRACE_LINES &&
		    !g_hash_table_contains(history->known, &entry->id)) {
			g_ptr_array_add(history->entries, entry);
			g_hash_table_add(history->known, &entry->id);
		} else {
			entry_free(entry);
		}
	}
	return more == 0;
}

/* Adds what is said of a message as a whole in a place, and of one address or all (NULL). */
static gboolean
take_place(struct history *history, const struct place *place, const char *key, GError **error)
{
	return take_entries(
		history,
		sql_bind(history->store->sql,
			 ENTRY_COLUMNS
			 " INDEXED BY deliveries_queue WHERE tenant=?1 AND queue_id=?2 AND"
			 " log_host=?3 AND time_us BETWEEN ?4 AND ?5 AND"
			 " (?6 IS NULL OR recipient_key IS NULL OR recipient_key=?6"
			 "  OR original_key=?6) ORDER BY time_us, kind, id",
			 "issiis", history->tenant, place->queue_id, place->host, place->from_us,
			 place->until_us, key),
		error);
}

static gboolean
follow_entry(struct history *history, const struct entry *entry, GError **error)
{
	struct place place = {0};
	const char *key = entry->whole ? NULL : entry->key;
	gboolean done;

	if (!entry->next_queue_id)
		return TRUE;
	done = lines_find_place(history->store, history->tenant, entry->next_queue_id,
				entry->whole ? entry->host : NULL, entry->time_us, &place, error);
	if (place.mailbox) /* whose user goes by another name */
		key = NULL;
	if (done && place.queue_id && g_hash_table_size(history->visited) < CAP_TRACE_QUEUES &&
	    g_hash_table_add(history->visited, g_strdup_printf("%s %s %s", place.host,
							       place.queue_id, key ? key : "")))
		done = take_place(history, &place, key, error);
	place_clear(&place);
	return done;
}

static gboolean
gather(struct history *history, gint64 event, GError **error)
{
	if (!take_entries(history,
			  sql_bind(history->store->sql,
				   ENTRY_COLUMNS " INDEXED BY deliveries_recipient WHERE event=?1"
						 " ORDER BY time_us, kind, id",
				   "i", event),
			  error))
		return FALSE;
	for (guint i = 0; i < history->entries->len; i++)
		if (!follow_entry(history, g_ptr_array_index(history->entries, i), error))
			return FALSE;
	return TRUE;
}

static gint
compare_entries(gconstpointer first, gconstpointer second)
{
	const struct entry *a = *(const struct entry *const *)first;
	const struct entry *b = *(const struct entry *const *)second;

	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* Columns of a delivery's row. */
enum {
	COLUMN_ID,
	COLUMN_SENSOR,
	COLUMN_LOG_HOST,
	COLUMN_QUEUE_ID,
	COLUMN_TIME,
	COLUMN_KIND,
	COLUMN_RECIPIENT,
	COLUMN_ORIGINAL,
	COLUMN_DSN,
	COLUMN_RELAY,
	COLUMN_DETAIL,
	COLUMN_NEXT_QUEUE_ID,
	COLUMN_RECIPIENTS,
	COLUMN_FOLDER,
	COLUMN_FROM_FOLDER,
	COLUMN_STORAGE_ID,
	COLUMN_UID,
	COLUMN_UID_LAST,
	COLUMN_NUMBER,
	COLUMN_NUMBER_LAST,
	COLUMN_PACKED,
};

static const char read_delivery[] =
	"SELECT d.delivery_id, s.name, d.log_host, d.queue_id, d.time_us, d.kind, d.recipient,"
	" d.original, d.dsn, d.relay, d.detail, d.next_queue_id, d.recipients, d.folder,"
	" d.from_folder, d.storage_id, d.uid, d.uid_last, d.number, d.number_last, d.packed, d.json,"
	" d.digest FROM deliveries d CROSS JOIN sensors s ON s.id=d.sensor WHERE d.id=?1";

/* Gives a row to the caller; *ret_more: its answer. */
static gboolean
give_delivery(struct sql_stmt *row, const char *tenant, store_delivery_fn fn, void *data,
	      gboolean *ret_more, GError **error)
{
	gsize length;
	const void *id = sql_blob(row, COLUMN_ID, &length);
	g_autofree char *text = length == UUID_BYTES ? store_uuid_text(id) : g_strdup("");
	g_autoptr(GBytes) json = store_read_whole(row, COLUMN_PACKED);
	struct delivery delivery = {
		.event_id = text,
		.tenant = (char *)tenant,
		.sensor = (char *)sql_text(row, COLUMN_SENSOR),
		.log_host = (char *)sql_text(row, COLUMN_LOG_HOST),
		.queue_id = (char *)sql_text(row, COLUMN_QUEUE_ID),
		.time_us = sql_int(row, COLUMN_TIME),
		.kind = (enum delivery_kind)CLAMP(sql_int(row, COLUMN_KIND), 0,
						  DELIVERY_KIND_COUNT - 1),
		.recipient = (char *)sql_text(row, COLUMN_RECIPIENT),
		.original = (char *)sql_text(row, COLUMN_ORIGINAL),
		.dsn = (char *)sql_text(row, COLUMN_DSN),
		.relay = (char *)sql_text(row, COLUMN_RELAY),
		.detail = (char *)sql_text(row, COLUMN_DETAIL),
		.next_queue_id = (char *)sql_text(row, COLUMN_NEXT_QUEUE_ID),
		.recipients = (guint)sql_int(row, COLUMN_RECIPIENTS),
		.folder = (char *)sql_text(row, COLUMN_FOLDER),
		.from_folder = (char *)sql_text(row, COLUMN_FROM_FOLDER),
		.storage_id = (char *)sql_text(row, COLUMN_STORAGE_ID),
		.uid = (guint)sql_int(row, COLUMN_UID),
		.uid_last = (guint)sql_int(row, COLUMN_UID_LAST),
		.number = (guint)sql_int(row, COLUMN_NUMBER),
		.number_last = (guint)sql_int(row, COLUMN_NUMBER_LAST),
	};

	if (!json) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "delivery %s does not match its digest: the store was changed or "
			    "damaged",
			    text);
		return FALSE;
	}
	*ret_more = fn(&delivery, json, data);
	return TRUE;
}

static gboolean
give_entries(struct history *history, const char *tenant, store_delivery_fn fn, void *data,
	     GError **error)
{
	gboolean wanted = TRUE;

	g_ptr_array_sort(history->entries, compare_entries);
	for (guint i = 0; wanted && i < history->entries->len; i++) {
		const struct entry *entry = g_ptr_array_index(history->entries, i);
		g_autoptr(sql_stmt_t) row =
			sql_bind(history->store->sql, read_delivery, "i", entry->id);

		if (sql_next(row, error) <= 0 ||
		    !give_delivery(row, tenant, fn, data, &wanted, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
give_history(struct store *store, const char *tenant, gint64 tenant_id, gint64 event,
	     store_delivery_fn fn, void *data, GError **error)
{
	struct history history = {
		.store = store,
		.tenant = tenant_id,
		.entries = g_ptr_array_new_with_free_func(entry_free),
		.known = g_hash_table_new(g_int64_hash, g_int64_equal),
		.visited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	gboolean done =
		gather(&history, event, error) && give_entries(&history, tenant, fn, data, error);

	g_hash_table_unref(history.known);
	g_hash_table_unref(history.visited);
	g_ptr_array_unref(history.entries);
	return done;
}

gboolean
store_deliveries(struct store *store, const char *tenant, const char *event_id,
		 store_delivery_fn delivery, void *data, GError **error)
{
	guint8 uuid[UUID_BYTES];
	gint64 id, event = 0;
	gboolean own, done;

	if (!store_uuid(event_id, uuid))
		return TRUE;
	if (!store_begin_question(store, &own, error))
		return FALSE;
	done = store_find_tenant(store, tenant, &id, error) &&
	       sql_number(sql_bind(store->sql,
				   "SELECT id FROM events WHERE tenant=?1 AND event_id=?2", "ib",
				   id, uuid, (gsize)UUID_BYTES),
			  0, &event, error) &&
	       (!event || give_history(store, tenant, id, event, delivery, data, error));
	store_end_question(store, own);
	return done;
}
