/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_erase.h"

#include <string.h>

#include "digest.h"
#include "store_holds.h"
#include "store_removal.h"
#include "text.h"

#define STEP_US (30 * G_TIME_SPAN_MILLISECOND)
#define STEP_ROWS 64

/* A step under way. */
struct erasing {
	struct store *store;
	gint64 tenant;
	const struct store_eraser *eraser;
	gint64 started_us;
	struct store_erasure erasure;
	struct removal removal; /* texts that lose a link, and whole events */
};

/* An event at hand. */
struct subject {
	gint64 id;
	guint8 root[UUID_BYTES];
	gboolean counted, held;
	gint64 received_at_us;
	char *sender, *text, *message_id; /* text: its subject */
};

static void
subject_clear(struct subject *subject)
{
	g_free(subject->sender);
	g_free(subject->text);
	g_free(subject->message_id);
}

static char *
without(const struct erasing *erasing, const char *text, const guint8 *scope)
{
	return text ? erasing->eraser->text(text, scope, erasing->eraser->data) : NULL;
}

static void
digest_bytes(GBytes *json, struct digests *ret_digests)
{
	gsize length;
	const void *bytes = g_bytes_get_data(json, &length);

	digests_of(bytes, length, ret_digests);
}

/* ---- what is searched ---- */

struct linked_text {
	gint64 id;
	enum text_kind kind;
	gboolean indexed;
	char *text;
};

static void
linked_text_clear(void *data)
{
	g_free(((struct linked_text *)data)->text);
}

static gboolean
read_texts(struct erasing *erasing, gint64 event, GArray *texts, GError **error)
{
	struct sql_stmt *rows = sql_bind(erasing->store->sql,
					 "SELECT t.id, t.kind, t.indexed, t.text FROM ("
					 "SELECT text AS id FROM event_texts WHERE event=?1"
					 " UNION SELECT text FROM part_texts WHERE event=?1"
					 " UNION SELECT address FROM recipients WHERE event=?1) x"
					 " CROSS JOIN texts t ON t.id=x.id",
					 "i", event);
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		struct linked_text text = {sql_int(rows, 0), (enum text_kind)sql_int(rows, 1),
					   sql_int(rows, 2) != 0, g_strdup(sql_text(rows, 3))};

		g_array_append_val(texts, text);
	}
	return more == 0;
}

static gboolean
link_instead(struct erasing *erasing, gint64 event, gint64 before, gint64 after, GError **error)
{
	struct sql *sql = erasing->store->sql;

	g_hash_table_add(erasing->removal.texts, g_memdup2(&before, sizeof(before)));
	return sql_run(sql_bind(sql,
				"INSERT OR IGNORE INTO event_texts (event, text)"
				" SELECT event, ?3 FROM event_texts WHERE event=?1 AND text=?2",
				"iii", event, before, after),
		       error) &&
	       sql_run(sql_bind(sql, "DELETE FROM event_texts WHERE event=?1 AND text=?2", "ii",
				event, before),
		       error) &&
	       sql_run(sql_bind(sql, "UPDATE part_texts SET text=?3 WHERE event=?1 AND text=?2",
				"iii", event, before, after),
		       error) &&
	       sql_run(sql_bind(sql,
				"UPDATE recipients SET address=?3 WHERE event=?1 AND address=?2",
				"iii", event, before, after),
		       error);
}

static gboolean
replace_text(struct erasing *erasing, const struct subject *subject, const struct linked_text *text,
	     GError **error)
{
	g_autofree char *now = without(erasing, text->text, subject->root);
	g_autofree char *key = NULL;
	gint64 id;

	if (!now)
		return TRUE;
	key = text->kind == TEXT_RECIPIENT || text->kind == TEXT_SENDER ? address_search_key(now)
									: text_search_key(now);
	return store_text_keep(erasing->store->sql, erasing->tenant, text->kind, now, key,
			       text->indexed, &id, error) &&
	       link_instead(erasing, subject->id, text->id, id, error);
}

static gboolean
replace_texts(struct erasing *erasing, const struct subject *subject, GError **error)
{
	g_autoptr(GArray) texts = g_array_new(FALSE, FALSE, sizeof(struct linked_text));

	g_array_set_clear_func(texts, linked_text_clear);
	if (!read_texts(erasing, subject->id, texts, error))
		return FALSE;
	for (guint i = 0; i < texts->len; i++) {
		if (!replace_text(erasing, subject, &g_array_index(texts, struct linked_text, i),
				  error))
			return FALSE;
	}
	return TRUE;
}

/* ---- deliveries ---- */

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
	gboolean is_packed;
	g_autoptr(GBytes) packed = store_pack(erasing->store, json, &is_packed);
	struct digests digests;
	gsize length;
	const void *bytes = g_bytes_get_data(packed, &length);

	digest_bytes(json, &digests);
	return sql_run(
		sql_bind(
			erasing->store->sql,
			"UPDATE deliveries SET recipient=coalesce(?2, recipient),"
			" recipient_key=iif(recipient_key IS NULL, NULL,"
			"  coalesce(?3, recipient_key)), original=coalesce(?4, original),"
			" original_key=iif(original_key IS NULL, NULL, coalesce(?5, original_key)),"
			" detail=coalesce(?6, detail), packed=?7, json=?8, digest=?9 WHERE id=?1",
			"isssssibb", id, line->recipient, recipient_key, line->original,
			original_key, line->detail, (gint64)is_packed, bytes, length,
			digests.sha256, (gsize)SHA256_BYTES),
		error);
}

static gboolean
refuse_damage(const char *what, GError **error)
{
	g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
		    "%s does not match its digest, and cannot be erased: see mailtrace verify",
		    what);
	return FALSE;
}

static gboolean
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
		return refuse_damage("a delivery", error);
	root = sql_blob(row, 3, &length);
	memcpy(scope, root, MIN(length, sizeof(scope)));
	now = erasing->eraser->record(json, scope, erasing->eraser->data);
	if (now && sql_int(row, 4)) {
		erasing->erasure.held++;
		return TRUE;
	}
	if (!now)
		return TRUE;
	line = (struct line){without(erasing, sql_text(row, 0), scope),
			     without(erasing, sql_text(row, 1), scope),
			     without(erasing, sql_text(row, 2), scope)};
	sql_done(row);
	done = write_line(erasing, id, now, &line, error);
	line_clear(&line);
	erasing->erasure.deliveries += done;
	return done;
}

/* Its lines go along with an event at once, so that both name the same recipients. */
static gboolean
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

/* ---- events ---- */

static gboolean
write_record(struct erasing *erasing, const struct subject *subject, GBytes *json, GError **error)
{
	struct sql *sql = erasing->store->sql;
	g_autofree char *sender = without(erasing, subject->sender, subject->root);
	g_autofree char *text = without(erasing, subject->text, subject->root);
	gboolean is_packed;
	g_autoptr(GBytes) packed = store_pack(erasing->store, json, &is_packed);
	struct digests digests;
	gsize length;
	const void *bytes = g_bytes_get_data(packed, &length);

	digest_bytes(json, &digests);
	return sql_run(sql_bind(sql, "UPDATE event_json SET packed=?2, json=?3 WHERE event=?1",
				"iib", subject->id, (gint64)is_packed, bytes, length),
		       error) &&
	       sql_run(sql_bind(sql,
				"UPDATE events SET digest=?2, sender=coalesce(?3, sender),"
				" subject=coalesce(?4, subject) WHERE id=?1",
				"ibss", subject->id, digests.sha256, (gsize)SHA256_BYTES, sender,
				text),
		       error);
}

/* A Message-ID may be made of an address. */
static gboolean
write_message_id(struct erasing *erasing, const struct subject *subject, GError **error)
{
	g_autofree char *now = without(erasing, subject->message_id, subject->root);

	return !now ||
	       sql_run(sql_bind(erasing->store->sql,
				"UPDATE events SET message_id=?2, message_key=?3 WHERE id=?1",
				"isi", subject->id, now, store_message_key(now)),
		       error);
}

/* Whether all recipients, and at least one, are the person. */
static gboolean
is_only_recipient(struct erasing *erasing, const struct subject *subject, gboolean *ret_only,
		  GError **error)
{
	struct sql_stmt *rows =
		sql_bind(erasing->store->sql,
			 "SELECT t.text FROM recipients r CROSS JOIN texts t ON t.id=r.address"
			 " WHERE r.event=?1",
			 "i", subject->id);
	gboolean any = FALSE, all = TRUE;
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		g_autofree char *now = without(erasing, sql_text(rows, 0), subject->root);

		any = TRUE;
		all = all && now;
	}
	*ret_only = any && all;
	return more == 0;
}

/* A message that is gone must not make a "nobody" of it. */
static gboolean
note_removed(struct erasing *erasing, const struct subject *subject, GError **error)
{
	struct sql *sql = erasing->store->sql;
	gint64 left;

	if (!subject->counted)
		return TRUE;
	if (!sql_number(sql_bind(sql,
				 "SELECT (SELECT count(*) FROM events WHERE tenant=?1 AND chain=?2"
				 " AND counted) + (SELECT count(*) FROM events WHERE tenant=?1"
				 " AND event_id=?2 AND counted)",
				 "ib", erasing->tenant, subject->root, (gsize)UUID_BYTES),
			0, &left, error))
		return FALSE;
	return left > 0 ||
	       sql_run(sql_bind(sql,
				"INSERT INTO erased (tenant, hour, messages) VALUES (?1, ?2, 1)"
				" ON CONFLICT (tenant, hour) DO UPDATE SET messages=messages+1",
				"ii", erasing->tenant, subject->received_at_us / HOUR_US),
		       error);
}

static gboolean
change_event(struct erasing *erasing, const struct subject *subject, GBytes *json, GError **error)
{
	gboolean only;

	if (subject->held) {
		erasing->erasure.held++;
		return TRUE;
	}
	if (!is_only_recipient(erasing, subject, &only, error))
		return FALSE;
	if (only)
		return removal_event(&erasing->removal, subject->id, error) &&
		       note_removed(erasing, subject, error);
	erasing->erasure.messages++;
	return write_record(erasing, subject, json, error) &&
	       write_message_id(erasing, subject, error) &&
	       replace_texts(erasing, subject, error) && erase_lines(erasing, subject->id, error);
}

/* Reads an event, and its record if that is what it was; 0 if it is gone, -1 with an error. */
static int
read_subject(struct erasing *erasing, struct subject *subject, GBytes **ret_json, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		erasing->store->sql,
		"SELECT coalesce(e.chain, e.event_id), e.counted, " IS_HELD(
			"e.id") ","
				" e.received_at_us, e.sender, e.subject, e.message_id, j.packed, j.json, e.digest"
				" FROM events e LEFT JOIN event_json j ON j.event=e.id WHERE e.id=?1",
		"i", subject->id);
	int more = sql_next(row, error);
	gsize length;
	const void *root;

	if (more <= 0)
		return more;
	root = sql_blob(row, 0, &length);
	memcpy(subject->root, root, MIN(length, sizeof(subject->root)));
	subject->counted = sql_int(row, 1) != 0;
	subject->held = sql_int(row, 2) != 0;
	subject->received_at_us = sql_int(row, 3);
	subject->sender = g_strdup(sql_text(row, 4));
	subject->text = g_strdup(sql_text(row, 5));
	subject->message_id = g_strdup(sql_text(row, 6));
	*ret_json = store_read_whole(row, 7);
	if (*ret_json)
		return 1;
	refuse_damage("an event", error);
	return -1;
}

static gboolean
erase_event(struct erasing *erasing, gint64 id, GError **error)
{
	struct subject subject = {.id = id};
	g_autoptr(GBytes) json = NULL, now = NULL;
	int there = read_subject(erasing, &subject, &json, error);
	gboolean done = there >= 0;

	if (there > 0) {
		now = erasing->eraser->record(json, subject.root, erasing->eraser->data);
		done = !now || change_event(erasing, &subject, now, error);
	}
	subject_clear(&subject);
	return done;
}

static gboolean
write_supplement(struct erasing *erasing, gint64 id, GBytes *json, GError **error)
{
	gboolean is_packed;
	g_autoptr(GBytes) packed = store_pack(erasing->store, json, &is_packed);
	struct digests digests;
	gsize length;
	const void *bytes = g_bytes_get_data(packed, &length);

	digest_bytes(json, &digests);
	return sql_run(sql_bind(erasing->store->sql,
				"UPDATE supplements SET packed=?2, json=?3, digest=?4 WHERE id=?1",
				"iibb", id, (gint64)is_packed, bytes, length, digests.sha256,
				(gsize)SHA256_BYTES),
		       error);
}

/* What was found in an event's files later: its texts are the event's. */
static gboolean
erase_supplement(struct erasing *erasing, gint64 id, GError **error)
{
	struct subject subject = {0};
	g_autoptr(GBytes) json = NULL, now = NULL;
	g_autoptr(sql_stmt_t) row = sql_bind(
		erasing->store->sql,
		"SELECT e.id, coalesce(e.chain, e.event_id), " IS_HELD(
			"e.id") ", s.packed, s.json,"
				" s.digest FROM supplements s CROSS JOIN events e ON e.id=s.event WHERE s.id=?1",
		"i", id);
	int more = sql_next(row, error);
	gsize length;
	const void *root;

	if (more <= 0)
		return more == 0;
	subject.id = sql_int(row, 0);
	root = sql_blob(row, 1, &length);
	memcpy(subject.root, root, MIN(length, sizeof(subject.root)));
	json = store_read_whole(row, 3);
	if (!json)
		return refuse_damage("a supplement", error);
	now = erasing->eraser->record(json, subject.root, erasing->eraser->data);
	if (now && sql_int(row, 2)) {
		erasing->erasure.held++;
		return TRUE;
	}
	sql_done(row);
	return !now || (write_supplement(erasing, id, now, error) &&
			replace_texts(erasing, &subject, error));
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
	now = without(erasing, sql_text(row, 0), scope);
	if (!now)
		return TRUE;
	erasing->erasure.deliveries += (guint64)sql_int(row, 1);
	sql_done(row);
	return sql_run(sql_bind(sql, "DELETE FROM logins WHERE id=?1", "i", id), error);
}

/* ---- the walk ---- */

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
