/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_journal.h"

#include <string.h>

#include "digest.h"
#include "store_internal.h"
#include "text.h"

/* Reads a blob of a hash's length; FALSE if the row has another. */
static gboolean
hash_of(struct sql_stmt *row, int column, guint8 ret_hash[JOURNAL_HASH_BYTES])
{
	gsize length;
	const void *hash = sql_blob(row, column, &length);

	if (!hash || length != JOURNAL_HASH_BYTES)
		return FALSE;
	memcpy(ret_hash, hash, JOURNAL_HASH_BYTES);
	return TRUE;
}

static gboolean
read_head(struct sql *sql, struct journal_head *ret_head, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(sql, "SELECT uid, seq, hash, last_uid, last_type FROM journal_chain", "");
	struct journal_head head = {0};
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	if (more == 0 || !hash_of(row, 2, head.hash) || !sql_text(row, 0)) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_DAMAGED,
			    "the store does not know where its journal stands: put back a backup");
		return FALSE;
	}
	g_strlcpy(head.chain, sql_text(row, 0), sizeof(head.chain));
	head.seq = sql_int(row, 1);
	g_strlcpy(head.uid, sql_text(row, 3) ? sql_text(row, 3) : "", sizeof(head.uid));
	head.type_uid = sql_int(row, 4);
	*ret_head = head;
	return TRUE;
}

gboolean
store_journal_head(struct store *store, struct journal_head *ret_head, GError **error)
{
	return read_head(store->sql, ret_head, error);
}

/* ---- writing ---- */

static gboolean
append(struct sql *sql, struct journal_head *head, const struct store_audit *audit, GError **error)
{
	g_autoptr(GBytes) line = journal_write(head, audit, error);
	g_autofree char *tenant = NULL;
	gsize length;
	const char *text;

	if (!line)
		return FALSE;
	/* As the entry has it. */
	tenant = text_from_bytes(audit->tenant, strlen(audit->tenant), JOURNAL_NAME_BYTES, NULL);
	text = g_bytes_get_data(line, &length);
	return sql_run(sql_bind(sql,
				"INSERT INTO journal (seq, time_us, tenant, hash, entry)"
				" VALUES (?1, ?2, ?3, ?4, ?5)",
				"iisbb", head->seq, audit->time_us, tenant, head->hash,
				(gsize)JOURNAL_HASH_BYTES, text, length),
		       error);
}

static gboolean
write_head(struct sql *sql, const struct journal_head *head, GError **error)
{
	return sql_run(sql_bind(sql,
				"UPDATE journal_chain SET seq=?1, hash=?2, last_uid=?3,"
				" last_type=?4",
				"ibsi", head->seq, head->hash, (gsize)JOURNAL_HASH_BYTES, head->uid,
				head->type_uid),
		       error);
}

gboolean
store_add_audit(struct store *store, const struct store_audit *audit, GError **error)
{
	struct journal_head head;
	gboolean done;

	if (!store_begin_change(store, error))
		return FALSE;
	done = read_head(store->sql, &head, error) && append(store->sql, &head, audit, error) &&
	       write_head(store->sql, &head, error);
	return store_end_change(store, done, error);
}

gboolean
store_journal_set_anchor(struct store *store, const char *word, GError **error)
{
	return sql_run(sql_bind(store->sql, "UPDATE journal_chain SET anchor=?1", "s", word),
		       error);
}

gboolean
store_journal_anchor(struct store *store, char **ret_word, GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(store->sql, "SELECT anchor FROM journal_chain", "");
	int more = sql_next(row, error);

	if (more < 0)
		return FALSE;
	*ret_word = more ? g_strdup(sql_text(row, 0)) : NULL;
	return TRUE;
}

/* ---- the audit log of before ---- */

static gboolean
adopt_rows(struct sql *sql, struct journal_head *head, GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(sql,
			 "SELECT time_us, actor, tenant, verb, arguments, case_id, reason, results"
			 " FROM audit ORDER BY id",
			 "");
	int more;

	while ((more = sql_next(rows, error)) > 0) {
		const struct store_audit audit = {
			.time_us = sql_int(rows, 0),
			.actor = (char *)sql_text(rows, 1),
			.tenant = (char *)sql_text(rows, 2),
			.verb = (char *)sql_text(rows, 3),
			.arguments = (char *)sql_text(rows, 4),
			.case_id = (char *)sql_text(rows, 5),
			.reason = (char *)sql_text(rows, 6),
			.results = sql_int(rows, 7),
		};

		if (!append(sql, head, &audit, error))
			return FALSE;
	}
	return more == 0;
}

gboolean
store_journal_adopt(struct sql *sql, GError **error)
{
	g_autofree char *chain = event_id_new(g_get_real_time());
	struct journal_head head = {0};

	g_strlcpy(head.chain, chain, sizeof(head.chain));
	return sql_run(sql_bind(sql,
				"INSERT INTO journal_chain (id, uid, seq, hash)"
				" VALUES (1, ?1, 0, zeroblob(32))",
				"s", chain),
		       error) &&
	       adopt_rows(sql, &head, error) && write_head(sql, &head, error) &&
	       sql_script(sql, "DROP TABLE audit", error);
}

/* ---- reading ---- */

/* The numbers of a time: the index tells them without the entries. */
static gboolean
narrow(struct sql *sql, const struct journal_span *span, gint64 *after, gint64 *before,
       GError **error)
{
	g_autoptr(sql_stmt_t) row = sql_bind(
		sql, "SELECT min(seq), max(seq) FROM journal WHERE time_us>=?1 AND time_us<?2",
		"ii", span->since_us, span->until_us ? span->until_us : G_MAXINT64);

	if (sql_next(row, error) < 0)
		return FALSE;
	*after = MAX(*after, sql_int(row, 0) - 1);
	*before = MIN(*before, sql_int(row, 1) + 1);
	return TRUE;
}

#define LINES                                                                           \
	"SELECT seq, hash, entry, time_us, tenant FROM journal WHERE seq>?1 AND seq<?2" \
	" AND (?3 IS NULL OR tenant=?3) AND time_us>=?4 AND time_us<?5 ORDER BY seq"

static struct sql_stmt *
lines_of(struct sql *sql, const struct journal_span *span, gint64 after, gint64 before)
{
	static const char up[] = LINES, down[] = LINES " DESC";
	/* Without bounds a wild time_us is let through: it may be what is wrong with an entry. */
	gint64 since_us = span->since_us ? span->since_us : G_MININT64;
	gint64 until_us = span->until_us ? span->until_us : G_MAXINT64;

	return sql_bind(sql, span->newest_first ? down : up, "iisii", after, before, span->tenant,
			since_us, until_us);
}

gboolean
store_journal_each(struct store *store, const struct journal_span *span, journal_line_fn line,
		   void *data, GError **error)
{
	static const guint8 none[JOURNAL_HASH_BYTES];
	gint64 after = span->after, before = span->before ? span->before : G_MAXINT64;
	g_autoptr(sql_stmt_t) rows = NULL;
	int more;

	if ((span->since_us || span->until_us) && !narrow(store->sql, span, &after, &before, error))
		return FALSE;
	rows = lines_of(store->sql, span, after, before);
	while ((more = sql_next(rows, error)) > 0) {
		guint8 hash[JOURNAL_HASH_BYTES];
		struct journal_line one = {.seq = sql_int(rows, 0), .hash = hash};

		if (!hash_of(rows, 1, hash))
			one.hash = none;
		one.text = sql_blob(rows, 2, &one.length);
		if (!one.text)
			one.text = "";
		one.time_us = sql_int(rows, 3);
		one.tenant = sql_text(rows, 4);
		if (!line(&one, data))
			return TRUE;
	}
	return more == 0;
}
