/* SPDX-License-Identifier: BSD-2-Clause */
/* A person taken out of an event: the record, and all that is searched of it. */
#include <string.h>

#include "store_erase_internal.h"
#include "store_holds.h"
#include "text.h"

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
	g_autofree char *now = erasing_without(erasing, text->text, subject->root);
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

/* ---- records ---- */

static gboolean
write_record(struct erasing *erasing, const struct subject *subject, GBytes *json, GError **error)
{
	struct sql *sql = erasing->store->sql;
	g_autofree char *sender = erasing_without(erasing, subject->sender, subject->root);
	g_autofree char *text = erasing_without(erasing, subject->text, subject->root);
	g_auto(packed_json_t) packed = {0};

	store_pack(erasing->store, json, &packed);
	return sql_run(sql_bind(sql, "UPDATE event_json SET packed=?2, json=?3 WHERE event=?1",
				"iib", subject->id, (gint64)packed.is_packed, packed.bytes,
				packed.length),
		       error) &&
	       sql_run(sql_bind(sql,
				"UPDATE events SET digest=?2, sender=coalesce(?3, sender),"
				" subject=coalesce(?4, subject) WHERE id=?1",
				"ibss", subject->id, packed.digest, (gsize)SHA256_BYTES, sender,
				text),
		       error);
}

/* A Message-ID may be made of an address. */
static gboolean
write_message_id(struct erasing *erasing, const struct subject *subject, GError **error)
{
	g_autofree char *now = erasing_without(erasing, subject->message_id, subject->root);

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
		g_autofree char *now = erasing_without(erasing, sql_text(rows, 0), subject->root);

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
	gint64 left;

	if (!subject->counted)
		return TRUE;
	if (!store_count_chain(erasing->store, erasing->tenant, subject->root, &left, error))
		return FALSE;
	return left > 0 ||
	       sql_run(sql_bind(erasing->store->sql,
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
	erasing_refuse_damage("an event", error);
	return -1;
}

gboolean
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
	g_auto(packed_json_t) packed = {0};

	store_pack(erasing->store, json, &packed);
	return sql_run(sql_bind(erasing->store->sql,
				"UPDATE supplements SET packed=?2, json=?3, digest=?4 WHERE id=?1",
				"iibb", id, (gint64)packed.is_packed, packed.bytes, packed.length,
				packed.digest, (gsize)SHA256_BYTES),
		       error);
}

gboolean
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
		return erasing_refuse_damage("a supplement", error);
	now = erasing->eraser->record(json, subject.root, erasing->eraser->data);
	if (now && sql_int(row, 2)) {
		erasing->erasure.held++;
		return TRUE;
	}
	sql_done(row);
	return !now || (write_supplement(erasing, id, now, error) &&
			replace_texts(erasing, &subject, error));
}
