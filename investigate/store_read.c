/* SPDX-License-Identifier: BSD-2-Clause */
/* Single events, their integrity, and the audit log. */
#include <string.h>

#include "digest.h"
#include "store_internal.h"

/* Tells whether JSON is what was stored: its SHA-256 stands beside it. */
static gboolean
is_whole(const void *json, gsize length, const void *digest, gsize digest_bytes)
{
	struct digests digests;

	if (!digest || digest_bytes != SHA256_BYTES)
		return FALSE;
	digests_of(json, length, &digests);
	return memcmp(digests.sha256, digest, SHA256_BYTES) == 0;
}

GBytes *
store_event(struct store *store, const char *tenant, const char *event_id, GError **error)
{
	g_autoptr(sql_stmt_t) row = NULL;
	guint8 uuid[UUID_BYTES];
	gsize length, digest_bytes;
	const void *json, *digest;

	if (!store_uuid(event_id, uuid))
		return NULL;
	row = sql_bind(store->sql,
		       "SELECT j.json, e.digest FROM tenants t"
		       " CROSS JOIN events e ON e.tenant=t.id AND e.event_id=?2"
		       " CROSS JOIN event_json j ON j.event=e.id WHERE t.name=?1",
		       "sb", tenant, uuid, (gsize)UUID_BYTES);
	if (sql_next(row, error) <= 0)
		return NULL;
	json = sql_blob(row, 0, &length);
	digest = sql_blob(row, 1, &digest_bytes);
	if (!is_whole(json, length, digest, digest_bytes)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "event %s does not match its digest: the store was changed or damaged",
			    event_id);
		return NULL;
	}
	return g_bytes_new(json, length);
}

gboolean
store_verify(struct store *store, void (*bad)(const char *event_id, void *data), void *data,
	     guint64 *ret_bad, GError **error)
{
	/* A row without its JSON, or JSON of no row, is as bad as a flipped byte. */
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT e.event_id, e.digest, j.json FROM events e"
			 " LEFT JOIN event_json j ON j.event=e.id ORDER BY e.id",
			 "");
	guint64 count = 0;
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		gsize id_bytes, digest_bytes, length;
		const void *id = sql_blob(rows, 0, &id_bytes);
		const void *digest = sql_blob(rows, 1, &digest_bytes);
		const void *json = sql_blob(rows, 2, &length);
		g_autofree char *text = NULL;

		if (json && is_whole(json, length, digest, digest_bytes))
			continue;
		count++;
		text = id_bytes == UUID_BYTES ? store_uuid_text(id) : g_strdup("");
		if (bad)
			bad(text, data);
	}
	if (more < 0)
		return FALSE;
	*ret_bad = count;
	return TRUE;
}

gboolean
store_add_audit(struct store *store, const struct store_audit *audit, GError **error)
{
	return sql_run(
		sql_bind(store->sql,
			 "INSERT INTO audit (time_us, actor, tenant, verb, arguments, case_id,"
			 " reason, results) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			 "issssssi", audit->time_us, audit->actor, audit->tenant, audit->verb,
			 audit->arguments, audit->case_id, audit->reason, audit->results),
		error);
}

gboolean
store_read_audit(struct store *store, store_audit_fn entry, void *data, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(store->sql,
			 "SELECT time_us, actor, tenant, verb, arguments, case_id, reason, results"
			 " FROM audit ORDER BY id DESC",
			 "");
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct store_audit audit = {
			.time_us = sql_int(rows, 0),
			.actor = (char *)sql_text(rows, 1),
			.tenant = (char *)sql_text(rows, 2),
			.verb = (char *)sql_text(rows, 3),
			.arguments = (char *)sql_text(rows, 4),
			.case_id = (char *)sql_text(rows, 5),
			.reason = (char *)sql_text(rows, 6),
			.results = sql_int(rows, 7),
		};

		if (!entry(&audit, data))
			return TRUE;
	}
	return more == 0;
}
