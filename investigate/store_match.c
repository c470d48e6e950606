/* SPDX-License-Identifier: BSD-2-Clause */
/* Candidates held against the terms of a question. */
#include <string.h>

#include "store_asking.h"

/* Ranks of a match, best first. */
enum { RANK_EXACT, RANK_VARIANT, RANK_CANDIDATE, RANK_NONE };

/* ---- terms of the event ---- */

static gboolean
ip_fits(const struct query_term *term, struct sql_stmt *row)
{
	gsize length;
	const void *ip = sql_blob(row, COLUMN_CLIENT_IP, &length);

	return ip && length == sizeof(term->ip_first) && memcmp(ip, term->ip_first, length) >= 0 &&
	       memcmp(ip, term->ip_last, length) <= 0;
}

static gboolean
message_id_fits(const char *wanted, const char *message_id)
{
	gsize length = strlen(wanted);

	if (!message_id)
		return FALSE;
	if (strcmp(message_id, wanted) == 0)
		return TRUE;
	return message_id[0] == '<' && strncmp(message_id + 1, wanted, length) == 0 &&
	       strcmp(message_id + 1 + length, ">") == 0;
}

/* Compares a term with the event's own columns; terms of other things hold here. */
static gboolean
column_fits(const struct query_term *term, const struct candidate *candidate)
{
	struct sql_stmt *row = candidate->row;
	g_autofree char *event_id = NULL;

	switch (term->kind) {
	case TERM_EVENT:
		event_id = store_uuid_text(candidate->event_id);
		return strcmp(event_id, term->text) == 0;
	case TERM_QUEUE:
		return g_strcmp0(sql_text(row, COLUMN_QUEUE_ID), term->text) == 0;
	case TERM_MESSAGE_ID:
		return message_id_fits(term->text, sql_text(row, COLUMN_MESSAGE_ID));
	case TERM_IP:
		return ip_fits(term, row);
	case TERM_SENSOR:
		return g_strcmp0(sql_text(row, COLUMN_SENSOR), term->text) == 0;
	case TERM_DIRECTION:
		return strcmp(direction_name(sql_int(row, COLUMN_DIRECTION)), term->text) == 0;
	default:
		return TRUE;
	}
}

static gboolean
event_text_fits(struct asking *asking, guint i, gint64 event, gboolean *ret_fits, GError **error)
{
	gint64 fits;

	if (!sql_number(sql_bind(asking->store->sql,
				 "SELECT 1 FROM event_texts x CROSS JOIN temp.found f"
				 " ON f.term=?2 AND f.id=x.text WHERE x.event=?1 LIMIT 1",
				 "ii", event, (gint64)i),
			0, &fits, error))
		return FALSE;
	*ret_fits = fits;
	return TRUE;
}

gboolean
asking_event_fits(struct asking *asking, const struct candidate *candidate, gboolean *ret_fits,
		  GError **error)
{
	gboolean fits = TRUE;

	for (guint i = 0; fits && i < asking->query->terms->len; i++) {
		const struct query_term *term = asking_term(asking, i);

		if (!column_fits(term, candidate)) {
			fits = FALSE;
			break;
		}
		switch (term->kind) {
		case TERM_SUBJECT:
		case TERM_FROM:
		case TERM_URL:
		case TERM_SASL:
			if (!event_text_fits(asking, i, candidate->id, &fits, error))
				return FALSE;
			break;
		default:
			break;
		}
	}
	*ret_fits = fits;
	return TRUE;
}

/* ---- terms of a file ---- */

/* Columns of a part's row. */
enum { PART_N, PART_PATH, PART_SIZE, PART_CRC32 };

void
matched_file_clear(struct matched_file *file)
{
	g_free(file->path);
	g_free(file->variant);
	memset(file, 0, sizeof(*file));
}

/* The name under which a digest matched: the wanted form's, unless it is the file as given. */
static const char *
variant_of(const char *wanted, gint64 recorded)
{
	if (wanted && strcmp(wanted, "exact") != 0)
		return wanted;
	return recorded >= 0 && recorded < VARIANT_KIND_COUNT
		       ? variant_kind_name((enum variant_kind)recorded)
		       : "exact";
}

/* Finds the best way in which a part has a wanted digest; RANK_NONE if there is none. */
static gboolean
digest_fits(struct asking *asking, guint i, gint64 event, struct sql_stmt *part, int *rank,
	    char **variant, GError **error)
{
	const struct query_term *term = asking_term(asking, i);
	g_autoptr(sql_stmt_t) rows =
		sql_bind(asking->store->sql,
			 "SELECT f.variant, l.variant FROM part_files l CROSS JOIN temp.found f"
			 " ON f.term=?3 AND f.id=l.file WHERE l.event=?1 AND l.n=?2"
			 " ORDER BY l.variant",
			 "iii", event, sql_int(part, PART_N), (gint64)i);
	int more;

	*rank = RANK_NONE;
	while ((more = sql_next(rows, error)) > 0) {
		const char *name = variant_of(sql_text(rows, 0), sql_int(rows, 1));
		int this_rank = strcmp(name, "exact") == 0 ? RANK_EXACT : RANK_VARIANT;

		if (this_rank < *rank) {
			*rank = this_rank;
			g_free(*variant);
			*variant = g_strdup(name);
		}
	}
	if (more == 0 && *rank == RANK_NONE && term->has_candidate &&
	    !sql_is_null(part, PART_CRC32) &&
	    sql_int(part, PART_CRC32) == (gint64)term->candidate_crc32 &&
	    sql_int(part, PART_SIZE) == (gint64)term->candidate_size)
		*rank = RANK_CANDIDATE;
	return more == 0;
}

static gboolean
part_text_fits(struct asking *asking, guint i, gint64 event, gint64 n, gboolean *ret_fits,
	       GError **error)
{
	gint64 fits;

	if (!sql_number(
		    sql_bind(asking->store->sql,
			     "SELECT 1 FROM part_texts x CROSS JOIN temp.found f"
			     " ON f.term=?3 AND f.id=x.text WHERE x.event=?1 AND x.n=?2 LIMIT 1",
			     "iii", event, n, (gint64)i),
		    0, &fits, error))
		return FALSE;
	*ret_fits = fits;
	return TRUE;
}

/* Holds one part against one term; RANK_NONE when it does not fit. */
static gboolean
part_fits(struct asking *asking, guint i, gint64 event, struct sql_stmt *part, int *rank,
	  char **variant, GError **error)
{
	const struct query_term *term = asking_term(asking, i);
	guint64 size;
	gboolean fits;

	switch (term->kind) {
	case TERM_DIGEST:
		return digest_fits(asking, i, event, part, rank, variant, error);
	case TERM_SIZE:
		size = sql_int(part, PART_SIZE);
		fits = size >= term->size_min && size <= term->size_max;
		break;
	default:
		if (!part_text_fits(asking, i, event, sql_int(part, PART_N), &fits, error))
			return FALSE;
	}
	*rank = fits ? RANK_EXACT : RANK_NONE;
	return TRUE;
}

/* Holds one part against all terms about files, and keeps it if it is the best so far. */
static gboolean
weigh_part(struct asking *asking, gint64 event, struct sql_stmt *part, struct matched_file *best,
	   GError **error)
{
	g_autofree char *variant = NULL;
	int worst = RANK_EXACT;

	for (guint i = 0; worst < RANK_NONE && i < asking->query->terms->len; i++) {
		int rank;

		if (!asking_is_about_file(asking_term(asking, i)->kind))
			continue;
		if (!part_fits(asking, i, event, part, &rank, &variant, error))
			return FALSE;
		worst = MAX(worst, rank);
	}
	if (worst == RANK_NONE || (best->found && best->rank <= worst))
		return TRUE;
	matched_file_clear(best);
	best->found = TRUE;
	best->n = sql_int(part, PART_N);
	best->rank = worst;
	best->path = g_strdup(sql_text(part, PART_PATH));
	best->variant = worst == RANK_CANDIDATE ? NULL : g_steal_pointer(&variant);
	return TRUE;
}

gboolean
asking_find_file(struct asking *asking, gint64 event, struct matched_file *best, GError **error)
{
	g_autoptr(sql_stmt_t) parts = sql_bind(
		asking->store->sql,
		"SELECT n, path, size, crc32 FROM parts WHERE event=?1 ORDER BY n", "i", event);
	int more;

	while ((more = sql_next(parts, error)) > 0) {
		if (!weigh_part(asking, event, parts, best, error))
			return FALSE;
	}
	return more == 0;
}
