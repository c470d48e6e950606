/* SPDX-License-Identifier: BSD-2-Clause */
/* A person taken out of the lines of the logs. */
#include <string.h>

#include "store_erase_internal.h"
#include "store_holds.h"
#include "text.h"

/* The rewritten columns of a delivery; each NULL where it stays. */
struct line {
	char *recipient, *original, *detail;
};

static void
line_clear(struct line *line)
{
	g_free(line->recipient);
	g_free(line->original);
	g_free(line->detail);
}

static gboolean
write_line(struct erasing *erasing, gint64 id, GBytes *json, const struct line *line,
	   GError **error)
{
	g_autofree char *recipient_key =
		line->recipient ? address_search_key(line->recipient) : NULL;
	g_autofree char *original_key = line->original ? address_search_key(line->original) : NULL;
	g_auto(packed_json_t) packed = {0};

	store_pack(erasing->store, json, &packed);
	return sql_run(
		sql_bind(
			erasing->store->sql,
			"UPDATE deliveries SET recipient=coalesce(?2, recipient),"
			" recipient_key=iif(recipient_key IS NULL, NULL,"
			"  coalesce(?3, recipient_key)), original=coalesce(?4, original),"
			" original_key=iif(original_key IS NULL, NULL, coalesce(?5, original_key)),"
			" detail=coalesce(?6, detail), packed=?7, json=?8, digest=?9 WHERE id=?1",
			"isssssibb", id, line->recipient, recipient_key, line->original,
			original_key, line->detail, (gint64)packed.is_packed, packed.bytes,
			packed.length, packed.digest, (gsize)SHA256_BYTES),
		error);
}

gboolean
erase_delivery(struct erasing *erasing, gint64 id, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		erasing->store->sql,
		"SELECT d.recipient, d.original, d.detail, coalesce(e.chain, e.event_id,"
		" d.delivery_id), d.event IS NOT NULL AND " IS_HELD(
			"d.event") ", d.packed, d.json,"
				   " d.digest FROM deliveries d LEFT JOIN events e ON e.id=d.event WHERE d.id=?1",
		"i", id);
	g_autoptr(GBytes) json = NULL, now = NULL;
	guint8 scope[ERASE_SCOPE_BYTES] = {0};
	struct line line;
	int more = sql_next(row, error);
	gboolean done;
	gsize length;
	const void *root;

	if (more <= 0)
		return more == 0;
	json = store_read_whole(row, 5);
	if (!json)
		return erasing_refuse_damage("a delivery", error);
	root = sql_blob(row, 3, &length);
	memcpy(scope, root, MIN(length, sizeof(scope)));
	now = erasing->eraser->record(json, scope, erasing->eraser->data);
	if (now && sql_int(row, 4)) {
		erasing->erasure.held++;
		return TRUE;
	}
	if (!now)
		return TRUE;
	line = (struct line){erasing_without(erasing, sql_text(row, 0), scope),
			     erasing_without(erasing, sql_text(row, 1), scope),
			     erasing_without(erasing, sql_text(row, 2), scope)};
	sql_done(row);
	done = write_line(erasing, id, now, &line, error);
	line_clear(&line);
	erasing->erasure.deliveries += done;
	return done;
}

gboolean
erase_lines(struct erasing *erasing, gint64 event, GError **error)
{
	g_autoptr(GArray) ids = NULL;

	if (!store_read_ids(sql_bind(erasing->store->sql,
				     "SELECT id FROM deliveries WHERE event=?1", "i", event),
			    &ids, error))
		return FALSE;
	for (guint i = 0; i < ids->len; i++) {
		if (!erase_delivery(erasing, g_array_index(ids, gint64, i), error))
			return FALSE;
	}
	return TRUE;
}
