/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_text.h"

#include <string.h>

#include "digest.h"

/* Progress is told once in so many rows of a walk. */
#define ROWS_PER_PROGRESS 4096
/* More pairs of a needle narrow nothing further. */
#define MAX_NEEDLE_PAIRS 64

gint64
store_text_hash(const char *key)
{
	struct digests digests;
	gint64 hash;

	digests_of(key, strlen(key), &digests);
	memcpy(&hash, digests.sha256, sizeof(hash));
	return GINT64_FROM_BE(hash);
}

/* A word of grams: ASCII letters and digits only, so no text can be taken for syntax. */
static char *
pair_word(gint64 tenant, enum text_kind kind, gunichar first, gunichar second)
{
	return g_strdup_printf("%xt%" G_GINT64_MODIFIER "xx%xx%x", (guint)kind, tenant, first,
			       second);
}

/* Adds the pairs of length bytes of key to a set that owns its words. */
static void
add_pairs(GHashTable *words, gint64 tenant, enum text_kind kind, const char *key, gsize length,
	  guint max)
{
	const char *end = key + length;
	gunichar before = 0;

	for (const char *at = key; at < end; at = g_utf8_next_char(at)) {
		gunichar here = g_utf8_get_char(at);

		if (before && g_hash_table_size(words) < max)
			g_hash_table_add(words, pair_word(tenant, kind, before, here));
		before = here;
	}
}

static char *
join_words(GHashTable *words)
{
	GString *joined = g_string_new(NULL);
	GHashTableIter iter;
	void *word;

	g_hash_table_iter_init(&iter, words);
	while (g_hash_table_iter_next(&iter, &word, NULL)) {
		if (joined->len > 0)
			g_string_append_c(joined, ' ');
		g_string_append(joined, word);
	}
	return g_string_free(joined, FALSE);
}

/* ---- keeping ---- */

static gboolean
find_kept(struct sql *sql, gint64 tenant, enum text_kind kind, gint64 hash, const char *text,
	  gint64 *ret_id, GError **error)
{
	return sql_number(sql_bind(sql,
				   "SELECT id FROM texts WHERE tenant=?1 AND kind=?2 AND hash=?3"
				   " AND text=?4",
				   "iiis", tenant, (gint64)kind, hash, text),
			  0, ret_id, error);
}

/* Returns the words that a key is indexed by, or NULL if it has none.  Free with g_free(). */
static char *
words_of(gint64 tenant, enum text_kind kind, const char *key)
{
	g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	add_pairs(words, tenant, kind, key, strlen(key), G_MAXUINT);
	return g_hash_table_size(words) > 0 ? join_words(words) : NULL;
}

static gboolean
index_text(struct sql *sql, gint64 id, gint64 tenant, enum text_kind kind, const char *key,
	   GError **error)
{
	g_autofree char *pairs = words_of(tenant, kind, key);

	if (!pairs)
		return TRUE;
	return sql_run(
		sql_bind(sql, "INSERT INTO grams (rowid, pairs) VALUES (?1, ?2)", "is", id, pairs),
		error);
}

gboolean
store_text_keep(struct sql *sql, gint64 tenant, enum text_kind kind, const char *text,
		const char *key, gboolean indexed, gint64 *ret_id, GError **error)
{
	gint64 hash = store_text_hash(key);
	gboolean own_key = strcmp(text, key) == 0;
	gint64 id;

	if (!find_kept(sql, tenant, kind, hash, text, &id, error))
		return FALSE;
	if (id == 0) {
		indexed = indexed && g_utf8_strlen(key, -1) <= TEXT_INDEX_CHARS;
		if (!sql_run(sql_bind(sql,
				      "INSERT INTO texts (tenant, kind, hash, text, key, indexed)"
				      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				      "iiissi", tenant, (gint64)kind, hash, text,
				      own_key ? NULL : key, (gint64)indexed),
			     error))
			return FALSE;
		id = sql_last_id(sql);
		if (indexed && !index_text(sql, id, tenant, kind, key, error))
			return FALSE;
	}
	*ret_id = id;
	return TRUE;
}

/* A table without content wants to be told what to forget: the words that it was given. */
static gboolean
unindex_text(struct sql *sql, gint64 id, gint64 tenant, enum text_kind kind, const char *key,
	     GError **error)
{
	g_autofree char *pairs = words_of(tenant, kind, key);

	if (!pairs)
		return TRUE;
	return sql_run(sql_bind(sql,
				"INSERT INTO grams (grams, rowid, pairs) VALUES ('delete', ?1, ?2)",
				"is", id, pairs),
		       error);
}

gboolean
store_text_drop(struct sql *sql, gint64 id, GError **error)
{
	g_autoptr(sql_stmt_t) row =
		sql_bind(sql,
			 "SELECT tenant, kind, coalesce(key, text), indexed FROM texts t"
			 " WHERE id=?1 AND NOT EXISTS (SELECT 1 FROM event_texts WHERE text=t.id)"
			 " AND NOT EXISTS (SELECT 1 FROM part_texts WHERE text=t.id)"
			 " AND NOT EXISTS (SELECT 1 FROM recipients WHERE address=t.id)",
			 "i", id);
	int more = sql_next(row, error);

	if (more <= 0)
		return more == 0;
	if (sql_int(row, 3) &&
	    !unindex_text(sql, id, sql_int(row, 0), (enum text_kind)sql_int(row, 1),
			  sql_text(row, 2), error))
		return FALSE;
	sql_done(row);
	return sql_run(sql_bind(sql, "DELETE FROM texts WHERE id=?1", "i", id), error);
}

/* ---- finding ---- */

gboolean
text_contains(const char *key, const char *needle)
{
	return strstr(key, needle) != NULL;
}

gboolean
text_equals(const char *key, const char *needle)
{
	return strcmp(key, needle) == 0;
}

gboolean
text_is_of_domain(const char *key, const char *needle)
{
	const char *at = strrchr(key, '@');

	return at && strcmp(at, needle) == 0;
}

gboolean
text_fits(const char *key, const char *needle)
{
	return query_glob(needle, key);
}

gboolean
text_fits_name(const char *key, const char *needle)
{
	const char *slash = strrchr(key, '/');
	const char *backslash = strrchr(key, '\\');
	const char *base = backslash > slash ? backslash : slash;

	return query_glob(needle, key) || (base && query_glob(needle, base + 1));
}

/* The words that a key must have: of a glob, the pairs of its fixed stretches. */
static GHashTable *
needle_words(gint64 tenant, enum text_kind kind, const char *needle, gboolean glob)
{
	GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	while (*needle) {
		gsize length = glob ? strcspn(needle, "*?\\") : strlen(needle);

		add_pairs(words, tenant, kind, needle, length, MAX_NEEDLE_PAIRS);
		needle += length;
		while (glob && *needle && strchr("*?\\", *needle))
			needle++;
	}
	return words;
}

/* What a search goes through. */
struct search {
	text_match_fn match;
	const char *needle;
	store_progress_fn progress;
	void *data;
	gint64 last; /* highest id, for the share of a walk; 0 for no walk */
	GArray *ids;
};

/* Compares the rows (id, key) of a statement. */
static gboolean
compare_rows(struct search *search, struct sql_stmt *stmt, GError **error)
{
	guint64 rows = 0;
	int more;

	while ((more = sql_next(stmt, error)) > 0) {
		gint64 id = sql_int(stmt, 0);

		if (search->match(sql_text(stmt, 1), search->needle))
			g_array_append_val(search->ids, id);
		if (++rows % ROWS_PER_PROGRESS == 0 && search->progress &&
		    !search->progress(search->last ? (double)id / search->last : -1,
				      search->data)) {
			sql_done(stmt);
			g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
			return FALSE;
		}
	}
	return more == 0;
}

/* In the order of the file, since an index would lead back and forth through it. */
static gboolean
walk(struct sql *sql, gint64 tenant, enum text_kind kind, struct search *search, GError **error)
{
	if (!sql_number(sql_bind(sql, "SELECT max(id) FROM texts", ""), 0, &search->last, error))
		return FALSE;
	return compare_rows(search,
			    sql_bind(sql,
				     "SELECT id, coalesce(key, text) FROM texts NOT INDEXED"
				     " WHERE tenant=?1 AND kind=?2",
				     "ii", tenant, (gint64)kind),
			    error);
}

static gboolean
find_by_hash(struct sql *sql, gint64 tenant, enum text_kind kind, struct search *search,
	     GError **error)
{
	return compare_rows(search,
			    sql_bind(sql,
				     "SELECT id, coalesce(key, text) FROM texts"
				     " WHERE tenant=?1 AND kind=?2 AND hash=?3",
				     "iii", tenant, (gint64)kind, store_text_hash(search->needle)),
			    error);
}

static gboolean
find_by_pairs(struct sql *sql, gint64 tenant, enum text_kind kind, GHashTable *words,
	      struct search *search, GError **error)
{
	g_autofree char *pairs = join_words(words);

	return compare_rows(search,
			    sql_bind(sql,
				     "SELECT t.id, coalesce(t.key, t.text) FROM grams"
				     " CROSS JOIN texts t ON t.id=grams.rowid WHERE grams MATCH ?1",
				     "s", pairs),
			    error) &&
	       compare_rows(search,
			    sql_bind(sql,
				     "SELECT id, coalesce(key, text) FROM texts"
				     " WHERE tenant=?1 AND kind=?2 AND NOT indexed",
				     "ii", tenant, (gint64)kind),
			    error);
}

gboolean
store_text_find(struct sql *sql, gint64 tenant, enum text_kind kind, text_match_fn match,
		const char *needle, store_progress_fn progress, void *data, GArray *ids,
		GError **error)
{
	struct search search = {match, needle, progress, data, 0, ids};
	gboolean glob = match == text_fits || match == text_fits_name;
	g_autoptr(GHashTable) words = NULL;

	if (match == text_equals)
		return find_by_hash(sql, tenant, kind, &search, error);
	words = needle_words(tenant, kind, needle, glob);
	if (g_hash_table_size(words) == 0)
		return walk(sql, tenant, kind, &search, error);
	return find_by_pairs(sql, tenant, kind, words, &search, error);
}
