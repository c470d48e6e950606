/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who received it.
 *
 * Each term is first resolved to what it can be looked up by: the files of a
 * digest, the texts of a name.  The term with the fewest of them leads: it
 * gives the candidates, in order of time.  Every candidate is then held
 * against all terms, each by a statement of its own, so that no SQL is ever
 * put together.
 */
#include <string.h>

#include "store_asking.h"

#define EVENTS_PER_PROGRESS 256

/* ---- recipients and chains ---- */

/* The event that knows best of a recipient over a chain, and what it knows. */
static gboolean
newest_hop(struct asking *asking, const struct candidate *candidate, const char *key, gint64 *event,
	   enum recipient_state *state, GError **error)
{
	gint64 known = *state;

	*event = candidate->id;
	if (!candidate->chained)
		return TRUE;
	if (!store_newest_hop(asking->store, asking->tenant, candidate->root, key, event, &known,
			      error))
		return FALSE;
	*state = (enum recipient_state)known;
	return TRUE;
}

/* Columns of a recipient's row. */
enum { RECIPIENT_N, RECIPIENT_ADDRESS, RECIPIENT_KEY, RECIPIENT_STATE, RECIPIENT_ID };

static gboolean
recipient_fits(struct asking *asking, struct sql_stmt *row, enum recipient_state state,
	       gboolean *ret_fits, GError **error)
{
	gint64 fits = state != STATE_REJECTED || asking->with_refused;

	for (guint i = 0; fits && i < asking->query->terms->len; i++) {
		const struct query_term *term = asking_term(asking, i);

		if (term->kind == TERM_STATE)
			fits = strcmp(store_state_name(state), term->text) == 0;
		else if (term->kind == TERM_TO &&
			 !sql_number(sql_bind(asking->store->sql,
					      "SELECT 1 FROM temp.found WHERE term=?1 AND id=?2",
					      "ii", (gint64)i, sql_int(row, RECIPIENT_ID)),
				     0, &fits, error))
			return FALSE;
	}
	*ret_fits = fits;
	return TRUE;
}

static gboolean
is_first_of_chain(struct asking *asking, const struct candidate *candidate, const char *key)
{
	g_autofree char *root = NULL;

	if (!candidate->chained)
		return TRUE;
	root = hex_encode(candidate->root, UUID_BYTES);
	return g_hash_table_add(asking->seen, g_strconcat(root, key, NULL));
}

static gboolean
is_behind_cursor(const struct asking *asking, const struct candidate *candidate, gint64 n)
{
	const struct cursor *cursor = &asking->cursor;
	int order;

	if (!asking->has_cursor)
		return TRUE;
	if (candidate->received_at_us != cursor->received_at_us)
		return candidate->received_at_us > cursor->received_at_us;
	order = memcmp(candidate->event_id, cursor->event_id, UUID_BYTES);
	return order > 0 || (order == 0 && n > cursor->n);
}

/* ---- rows ---- */

static gboolean
read_text(struct sql_stmt *stmt, char **ret_text, GError **error)
{
	int more = sql_next(stmt, error);

	if (more < 0)
		return FALSE;
	*ret_text = more > 0 ? g_strdup(sql_text(stmt, 0)) : NULL;
	sql_done(stmt);
	return TRUE;
}

static gboolean
describe_file(struct asking *asking, gint64 event, const struct matched_file *file,
	      struct store_hit *hit, GError **error)
{
	static const char *const matches[] = {"exact", "exact", "candidate"};

	if (!file->found)
		return TRUE;
	hit->match = g_strdup(matches[file->rank]);
	hit->variant = g_strdup(file->variant);
	hit->file = g_strdup(file->path);
	return read_text(
		       sql_bind(asking->store->sql,
				"SELECT t.text FROM part_texts x CROSS JOIN texts t ON t.id=x.text"
				" WHERE x.event=?1 AND x.n=?2 AND t.kind=2"
				" ORDER BY x.position LIMIT 1",
				"ii", event, file->n),
		       &hit->name, error) &&
	       read_text(sql_bind(asking->store->sql,
				  "SELECT lower(hex(f.sha256)) FROM part_files l"
				  " CROSS JOIN files f ON f.id=l.file"
				  " WHERE l.event=?1 AND l.n=?2 AND l.variant=0",
				  "ii", event, file->n),
			 &hit->sha256, error);
}

static void
describe_event(const struct candidate *candidate, struct store_hit *hit)
{
	struct sql_stmt *row = candidate->row;

	hit->received_at_us = candidate->received_at_us;
	hit->subject = g_strdup(sql_text(row, COLUMN_SUBJECT));
	hit->from = g_strdup(sql_text(row, COLUMN_SENDER));
	hit->message_id = g_strdup(sql_text(row, COLUMN_MESSAGE_ID));
	hit->queue_id = g_strdup(sql_text(row, COLUMN_QUEUE_ID));
	hit->sensor = g_strdup(sql_text(row, COLUMN_SENSOR));
	hit->event_id = store_uuid_text(candidate->event_id);
}

static void
hit_clear(struct store_hit *hit)
{
	char **owned[] = {&hit->recipient, &hit->state,	     &hit->match,    &hit->variant,
			  &hit->file,	   &hit->name,	     &hit->sha256,   &hit->subject,
			  &hit->from,	   &hit->message_id, &hit->queue_id, &hit->sensor,
			  &hit->event_id,  &hit->cursor};

	for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
		g_clear_pointer(owned[i], g_free);
	g_clear_pointer(&hit->finals, g_ptr_array_unref);
}

static char *
cursor_text(const struct candidate *candidate, gint64 n)
{
	g_autofree char *id = hex_encode(candidate->event_id, UUID_BYTES);

	return g_strdup_printf("%016" G_GINT64_MODIFIER "x%s%08x",
			       (guint64)candidate->received_at_us, id, (guint)n);
}

/* Gives the row of one recipient. */
static void
give_hit(struct asking *asking, struct store_hit *hit, const struct candidate *candidate,
	 const char *recipient, enum recipient_state state, gint64 n)
{
	g_free(hit->recipient);
	g_free(hit->state);
	g_free(hit->cursor);
	hit->recipient = g_strdup(recipient);
	hit->state = g_strdup(store_state_name(state));
	hit->cursor = cursor_text(candidate, n);
	asking->hits++;
	if (!asking->hit(hit, asking->data) ||
	    (asking->query->limit && asking->hits >= asking->query->limit))
		asking->stopped = TRUE;
}

/*
 * What was downloaded or sent on is not retracted, whatever was taken out of the
 * mailbox; the log may tell of it later than that was done.
 */
static gboolean
check_retracted(struct asking *asking, gint64 event, const char *key, enum recipient_state *state,
		GError **error)
{
	gboolean departed = FALSE;

	if (*state != STATE_RETRACTED)
		return TRUE;
	if (!store_departed(asking->store, asking->tenant, event, key, &departed, error))
		return FALSE;
	if (departed)
		*state = STATE_DELIVERED;
	return TRUE;
}

static gboolean
give_recipient(struct asking *asking, const struct candidate *candidate, struct sql_stmt *row,
	       struct store_hit *hit, GError **error)
{
	const char *key = sql_text(row, RECIPIENT_KEY);
	gint64 n = sql_int(row, RECIPIENT_N);
	enum recipient_state state = (enum recipient_state)sql_int(row, RECIPIENT_STATE);
	gboolean fits;
	gint64 event;

	if (!newest_hop(asking, candidate, key, &event, &state, error) ||
	    !check_retracted(asking, event, key, &state, error) ||
	    !recipient_fits(asking, row, state, &fits, error))
		return FALSE;
	fits = fits && is_first_of_chain(asking, candidate, key) &&
	       is_behind_cursor(asking, candidate, n);
	g_clear_pointer(&hit->finals, g_ptr_array_unref);
	if (fits && asking->query->with_finals &&
	    !store_finals_of(asking->store, asking->tenant, event, key, &hit->finals, error))
		return FALSE;
	if (fits)
		give_hit(asking, hit, candidate, sql_text(row, RECIPIENT_ADDRESS), state, n);
	return TRUE;
}

/*
 * A message whose recipients nobody knows is an answer too: silence would be a
 * wrong "nobody".  One that was joined to a sensor's record has them there.
 */
static gboolean
give_unaddressed(struct asking *asking, const struct candidate *candidate, struct store_hit *hit)
{
	if (!sql_is_null(candidate->row, COLUMN_JOINED))
		return TRUE;
	for (guint i = 0; i < asking->query->terms->len; i++) {
		const struct query_term *term = asking_term(asking, i);

		if (term->kind == TERM_TO ||
		    (term->kind == TERM_STATE && strcmp(term->text, "unknown") != 0))
			return TRUE;
	}
	if (is_first_of_chain(asking, candidate, "") && is_behind_cursor(asking, candidate, 0))
		give_hit(asking, hit, candidate, "", STATE_UNKNOWN, 0);
	return TRUE;
}

static gboolean
give_recipients(struct asking *asking, const struct candidate *candidate, struct store_hit *hit,
		GError **error)
{
	g_autoptr(sql_stmt_t) rows =
		sql_bind(asking->store->sql,
			 "SELECT r.n, t.text, coalesce(t.key, t.text), r.state, t.id"
			 " FROM recipients r CROSS JOIN texts t ON t.id=r.address"
			 " WHERE r.event=?1 ORDER BY r.n",
			 "i", candidate->id);
	gboolean any = FALSE;
	int more = 0;

	while (!asking->stopped && (more = sql_next(rows, error)) > 0) {
		any = TRUE;
		if (!give_recipient(asking, candidate, rows, hit, error))
			return FALSE;
	}
	return more >= 0 && (any || give_unaddressed(asking, candidate, hit));
}

/* ---- the walk ---- */

static gboolean
tell_progress(struct asking *asking, const struct candidate *candidate, GError **error)
{
	gint64 whole_us = asking->last_us - asking->since_us;
	double share = -1;

	if (!asking->progress || ++asking->looked_at % EVENTS_PER_PROGRESS != 0)
		return TRUE;
	if (asking->since_us > 0 && whole_us > 0)
		share = CLAMP((double)(candidate->received_at_us - asking->since_us) / whole_us, 0,
			      1);
	if (asking->progress(share, asking->progress_data))
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
	return FALSE;
}

/* Reads which chain an event belongs to: that of its root, or its own if it has later hops. */
static gboolean
read_chain(struct asking *asking, struct candidate *candidate, GError **error)
{
	gsize length;
	const void *chain = sql_blob(candidate->row, COLUMN_CHAIN, &length);
	gint64 later = 0;

	memcpy(candidate->root, candidate->event_id, UUID_BYTES);
	if (chain && length == UUID_BYTES) {
		memcpy(candidate->root, chain, UUID_BYTES);
		candidate->chained = TRUE;
		return TRUE;
	}
	if (!sql_number(sql_bind(asking->store->sql,
				 "SELECT 1 FROM events WHERE tenant=?1 AND chain=?2 LIMIT 1", "ib",
				 asking->tenant, candidate->root, (gsize)UUID_BYTES),
			0, &later, error))
		return FALSE;
	candidate->chained = later != 0;
	return TRUE;
}

static gboolean
answer_candidate(struct asking *asking, struct candidate *candidate, GError **error)
{
	struct matched_file file = {0};
	struct store_hit hit = {0};
	gboolean fits, done;

	if (!read_chain(asking, candidate, error) ||
	    !asking_event_fits(asking, candidate, &fits, error))
		return FALSE;
	if (!fits || (!candidate->chained && !is_behind_cursor(asking, candidate, G_MAXINT64)))
		return TRUE;
	done = !asking->asks_file || asking_find_file(asking, candidate->id, &file, error);
	if (done && (file.found || !asking->asks_file)) {
		describe_event(candidate, &hit);
		done = describe_file(asking, candidate->id, &file, &hit, error) &&
		       give_recipients(asking, candidate, &hit, error);
	}
	matched_file_clear(&file);
	hit_clear(&hit);
	return done;
}

static gboolean
answer_event(struct asking *asking, gint64 id, GError **error)
{
	struct candidate candidate = {.id = id};
	g_autoptr(sql_stmt_t) row =
		sql_bind(asking->store->sql,
			 "SELECT e.event_id, e.chain, e.received_at_us, e.direction, e.client_ip,"
			 " e.sender, e.subject, e.message_id, e.queue_id, s.name, e.joined"
			 " FROM events e CROSS JOIN sensors s ON s.id=e.sensor"
			 " WHERE e.id=?1",
			 "i", id);
	int more = sql_next(row, error);
	const void *uuid;
	gsize length;

	if (more <= 0)
		return more == 0;
	uuid = sql_blob(row, COLUMN_EVENT_ID, &length);
	if (uuid && length == UUID_BYTES)
		memcpy(candidate.event_id, uuid, UUID_BYTES);
	candidate.row = row;
	candidate.received_at_us = sql_int(row, COLUMN_RECEIVED_AT);
	return answer_candidate(asking, &candidate, error) &&
	       tell_progress(asking, &candidate, error);
}

static gboolean
walk_candidates(struct asking *asking, GError **error)
{
	guint8 uuid[UUID_BYTES];
	g_autoptr(sql_stmt_t) rows = asking_candidates(asking, uuid);
	int more = 0;

	while (!asking->stopped && (more = sql_next(rows, error)) > 0) {
		if (!answer_event(asking, sql_int(rows, 0), error))
			return FALSE;
	}
	return more >= 0;
}

/* ---- the question ---- */

static gboolean
read_cursor(const char *text, struct cursor *ret_cursor, GError **error)
{
	guint8 bytes[8 + UUID_BYTES + 4];
	guint64 time;
	guint32 n;

	if (!hex_decode(text, bytes, sizeof(bytes))) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM,
			    "the cursor is not one that an earlier answer gave");
		return FALSE;
	}
	memcpy(&time, bytes, sizeof(time));
	memcpy(ret_cursor->event_id, bytes + 8, UUID_BYTES);
	memcpy(&n, bytes + 8 + UUID_BYTES, sizeof(n));
	ret_cursor->received_at_us = (gint64)GUINT64_FROM_BE(time);
	ret_cursor->n = GUINT32_FROM_BE(n);
	return TRUE;
}

static gboolean
prepare(struct asking *asking, GError **error)
{
	const struct query *query = asking->query;

	if (query->cursor) {
		if (!read_cursor(query->cursor, &asking->cursor, error))
			return FALSE;
		asking->has_cursor = TRUE;
	}
	asking->since_us = query->since_us;
	asking->until_us = query->until_us ? query->until_us : G_MAXINT64;
	asking->with_refused = query->with_refused;
	for (guint i = 0; i < query->terms->len; i++) {
		const struct query_term *term = asking_term(asking, i);

		asking->asks_file |= asking_is_about_file(term->kind);
		if (term->kind == TERM_STATE && strcmp(term->text, "rejected") == 0)
			asking->with_refused = TRUE;
	}
	return TRUE;
}

static gboolean
ask(struct asking *asking, GError **error)
{
	if (!prepare(asking, error) ||
	    !store_find_tenant(asking->store, asking->query->tenant, &asking->tenant, error))
		return FALSE;
	if (!asking->tenant)
		return TRUE;
	if (asking->progress &&
	    !sql_number(sql_bind(asking->store->sql,
				 "SELECT max(received_at_us) FROM events WHERE tenant=?1", "i",
				 asking->tenant),
			0, &asking->last_us, error))
		return FALSE;
	return asking_resolve(asking, error) && walk_candidates(asking, error);
}

gboolean
store_who(struct store *store, const struct query *query, store_hit_fn hit, void *data,
	  store_progress_fn progress, void *progress_data, guint64 *ret_hits, GError **error)
{
	g_autofree guint64 *found = g_new0(guint64, MAX(query->terms->len, 1));
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct asking asking = {
		.store = store,
		.query = query,
		.found = found,
		.seen = seen,
		.hit = hit,
		.data = data,
		.progress = progress,
		.progress_data = progress_data,
	};
	gboolean own, done;

	if (!store_begin_question(store, &own, error))
		return FALSE;
	sql_set_progress(store->sql, progress, progress_data);
	done = ask(&asking, error);
	sql_set_progress(store->sql, NULL, NULL);
	store_end_question(store, own);
	if (done && ret_hits)
		*ret_hits = asking.hits;
	return done;
}
