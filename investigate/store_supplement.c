/* SPDX-License-Identifier: BSD-2-Clause */
/* What is found in the files of an event later than it was recorded. */
#include "store_add.h"

/* Finds the event that is supplemented: its row, or 0. */
static gboolean
find_earlier(struct addition *add, GError **error)
{
	guint8 earlier[UUID_BYTES];

	if (!store_uuid(add->event->supplements, earlier)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "the event says no valid id of an earlier one");
		return FALSE;
	}
	return sql_number(sql_bind(add->store->sql,
				   "SELECT id FROM events WHERE tenant=?1 AND event_id=?2", "ib",
				   add->tenant, earlier, (gsize)UUID_BYTES),
			  0, &add->id, error);
}

/* Whether the event has a file of this path already, and not as something encrypted. */
static gboolean
has_part(struct addition *add, const struct file *file, gboolean *ret_has, GError **error)
{
	gint64 count;

	if (!sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM parts WHERE event=?1 AND path=?2"
				 " AND flags & ?3 = 0",
				 "isi", add->id, file->path, (gint64)FILE_ENCRYPTED),
			0, &count, error))
		return FALSE;
	*ret_has = count > 0;
	return TRUE;
}

/* Adds the files that can be read now, behind those that are there. */
static gboolean
add_new_parts(struct addition *add, GError **error)
{
	const GPtrArray *files = add->event->record->files;
	gint64 next;

	if (!sql_number(sql_bind(add->store->sql,
				 "SELECT coalesce(max(n), -1) + 1 FROM parts WHERE event=?1", "i",
				 add->id),
			0, &next, error))
		return FALSE;
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);
		gboolean has;

		if (!file_is_member(file) || (file->flags & (FILE_ENCRYPTED | FILE_MULTIPART)))
			continue;
		if (!has_part(add, file, &has, error) ||
		    (!has && !addition_add_part(add, (guint)next++, file, error)))
			return FALSE;
	}
	return TRUE;
}

static gboolean
insert_supplement(struct addition *add, GBytes *json, GError **error)
{
	g_auto(packed_json_t) packed = {0};

	store_pack(add->store, json, &packed);
	return sql_run(sql_bind(add->store->sql,
				"INSERT INTO supplements (event, tenant, event_id, packed, json,"
				" digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				"iibibb", add->id, add->tenant, add->event_id, (gsize)UUID_BYTES,
				(gint64)packed.is_packed, packed.bytes, packed.length,
				packed.digest, (gsize)SHA256_BYTES),
		       error);
}

static gboolean
supplement_once(struct addition *add, GBytes *json, gboolean *ret_added, gboolean *ret_known,
		GError **error)
{
	gint64 before;

	if (!addition_begin(add, error) || !find_earlier(add, error) ||
	    !sql_number(sql_bind(add->store->sql,
				 "SELECT count(*) FROM supplements WHERE tenant=?1 AND event_id=?2",
				 "ib", add->tenant, add->event_id, (gsize)UUID_BYTES),
			0, &before, error))
		return FALSE;
	*ret_known = add->id != 0;
	*ret_added = add->id != 0 && !before;
	return !*ret_added || (insert_supplement(add, json, error) && add_new_parts(add, error) &&
			       store_block_count(add->store, add->tenant, add->event, error));
}

gboolean
store_add_supplement(struct store *store, const struct event *event, GBytes *json,
		     const struct store_sequence *sequence, gboolean *ret_added,
		     gboolean *ret_known, GError **error)
{
	struct addition add = {.store = store, .event = event};
	gboolean added = FALSE, known = FALSE, done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = supplement_once(&add, json, &added, &known, error) &&
	       (!sequence || !known ||
		store_note_number(store, event->sensor, sequence, event->received_at_us, error));
	if (!store_end_change(store, done, error))
		return FALSE;
	*ret_added = added;
	*ret_known = known;
	return TRUE;
}
