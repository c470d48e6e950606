/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_erase.h"

#include "store_erase_internal.h"
#include "store_holds.h"

#define STEP_US (30 * G_TIME_SPAN_MILLISECOND)
#define STEP_ROWS 64

char *
erasing_without(const struct erasing *erasing, const char *text, const guint8 *scope)
{
	return text ? erasing->eraser->text(text, scope, erasing->eraser->data) : NULL;
}

gboolean
erasing_refuse_damage(const char *what, GError **error)
{
	g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
		    "%s does not match its digest, and cannot be erased: see mailtrace verify",
		    what);
	return FALSE;
}

static gboolean
erase_dead_letter(struct erasing *erasing, gint64 id, GError **error)
{
	struct sql *sql = erasing->store->sql;
	g_autoptr(sql_stmt_t) row =
		sql_bind(sql, "SELECT json FROM dead_letters WHERE id=?1", "i", id);
	int more = sql_next(row, error);
	gsize length;
	const void *bytes;

	if (more <= 0)
		return more == 0;
	bytes = sql_blob(row, 0, &length);
	if (!bytes || !erasing->eraser->bytes(bytes, length, erasing->eraser->data))
		return TRUE;
	sql_done(row);
	erasing->erasure.dead_letters++;
	return sql_run(sql_bind(sql, "DELETE FROM dead_letters WHERE id=?1", "i", id), error);
}

/* What a person's logins tell is of nobody else: they go. */
static gboolean
erase_login(struct erasing *erasing, gint64 id, GError **error)
{
	static const guint8 scope[ERASE_SCOPE_BYTES] = {0};
	struct sql *sql = erasing->store->sql;
	g_autoptr(sql_stmt_t) row = sql_bind(
		sql, "SELECT coalesce(user, user_key), length(entries)/12 FROM logins WHERE id=?1",
		"i", id);
	int more = sql_next(row, error);
	g_autofree char *now = NULL;

	if (more <= 0)
		return more == 0;
	now = erasing_without(erasing, sql_text(row, 0), scope);
	if (!now)
		return TRUE;
	erasing->erasure.deliveries += (guint64)sql_int(row, 1);
	sql_done(row);
	return sql_run(sql_bind(sql, "DELETE FROM logins WHERE id=?1", "i", id), error);
}

/* What is walked over, one after the other. */
static const struct stage {
	const char *ids, *last;
	gboolean (*erase)(struct erasing *erasing, gint64 id, GError **error);
} stages[] = {
	{"SELECT id FROM events WHERE id>?2 AND +tenant=?1 ORDER BY id LIMIT ?3",
	 "SELECT max(id) FROM events", erase_event},
	{"SELECT id FROM supplements WHERE id>?2 AND +tenant=?1 ORDER BY id LIMIT ?3",
	 "SELECT max(id) FROM supplements", erase_supplement},
	{"SELECT id FROM deliveries WHERE id>?2 AND +tenant=?1 ORDER BY id LIMIT ?3",
	 "SELECT max(id) FROM deliveries", erase_delivery},
	{"SELECT id FROM logins WHERE id>?2 AND +tenant=?1 ORDER BY id LIMIT ?3",
	 "SELECT max(id) FROM logins", erase_login},
	{"SELECT d.id FROM tenants t CROSS JOIN dead_letters d ON d.tenant=t.name"
	 " WHERE t.id=?1 AND d.id>?2 ORDER BY d.id LIMIT ?3",
	 "SELECT max(id) FROM dead_letters", erase_dead_letter},
};

double
store_erasure_share(const struct store_erasure *erasure)
{
	double stage = erasure->last ? (double)erasure->at / (double)erasure->last : 0;

	if (erasure->done)
		return 1;
	return (erasure->stage + CLAMP(stage, 0, 1)) / G_N_ELEMENTS(stages);
}

static gboolean
walk(struct erasing *erasing, const GArray *ids, GError **error)
{
	struct store_erasure *erasure = &erasing->erasure;
	guint i = 0;

	while (i < ids->len && !(i > 0 && g_get_monotonic_time() - erasing->started_us > STEP_US)) {
		gint64 id = g_array_index(ids, gint64, i++);

		if (!stages[erasure->stage].erase(erasing, id, error))
			return FALSE;
		erasure->at = id;
	}
	if (i == ids->len && ids->len < STEP_ROWS) {
		erasure->stage++;
		erasure->at = erasure->last = 0;
		erasure->done = erasure->stage == G_N_ELEMENTS(stages);
	}
	return TRUE;
}

static gboolean
take_step(struct erasing *erasing, GError **error)
{
	const struct stage *stage = &stages[erasing->erasure.stage];
	struct sql *sql = erasing->store->sql;
	g_autoptr(GArray) ids = NULL;
	gboolean done;

	if (!store_holds_settle(erasing->store, g_get_real_time(), error) ||
	    !sql_number(sql_bind(sql, stage->last, ""), 0, &erasing->erasure.last, error) ||
	    !store_read_ids(sql_bind(sql, stage->ids, "iii", erasing->tenant, erasing->erasure.at,
				     (gint64)STEP_ROWS),
			    &ids, error))
		return FALSE;
	removal_init(&erasing->removal, erasing->store, erasing->tenant);
	done = walk(erasing, ids, error) && removal_end(&erasing->removal, error);
	erasing->erasure.removed += erasing->removal.messages;
	erasing->erasure.deliveries += erasing->removal.deliveries;
	removal_clear(&erasing->removal);
	return done;
}

gboolean
store_erase(struct store *store, const char *tenant, const struct store_eraser *eraser,
	    struct store_erasure *erasure, GError **error)
{
	struct erasing erasing = {
		.store = store,
		.eraser = eraser,
		.started_us = g_get_monotonic_time(),
		.erasure = *erasure,
	};
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = store_find_tenant(store, tenant, &erasing.tenant, error);
	if (done && erasing.tenant)
		done = take_step(&erasing, error);
	else
		erasing.erasure.done = TRUE;
	if (!store_end_change(store, done, error))
		return FALSE;
	*erasure = erasing.erasure;
	return TRUE;
}

void
store_erase_end(struct store *store)
{
	sql_checkpoint(store->sql);
}
