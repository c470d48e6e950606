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

#include "store_internal.h"

#define EVENTS_PER_PROGRESS 256
/* A look-up by one column is taken to find as much as this many texts would. */
#define COLUMN_WEIGHT 8

/* Where a question continues: behind the row of this event and recipient. */
struct cursor {
	gint64 received_at_us;
	guint8 event_id[UUID_BYTES];
	gint64 n;
};

/* An event that may be an answer; text lives as long as its row. */
struct candidate {
	gint64 id;
	gint64 received_at_us;
	guint8 event_id[UUID_BYTES];
	guint8 root[UUID_BYTES]; /* of its chain; its own id without one */
	gboolean chained;	 /* other events may be of the same message */
	struct sql_stmt *row;
};

/* The file by which a message matches. */
struct matched_file {
	gboolean found;
	gint64 n;
	int rank; /* 0: the very content, 1: a variant, 2: a candidate */
	char *path;
	char *variant;
};

/* A question on its way. */
struct asking {
	struct store *store;
	const struct query *query;
	gint64 tenant;
	gint64 since_us, until_us;
	gboolean with_refused;
	gboolean asks_file; /* some term is about a file */
	guint64 *found;	    /* how much each term was resolved to */
	gboolean has_cursor;
	struct cursor cursor;
	GHashTable *seen; /* of "root recipient", rows given for chains */
	store_hit_fn hit;
	void *data;
	store_progress_fn progress;
	void *progress_data;
	gint64 last_us; /* newest receive time, for the share */
	guint64 looked_at, hits;
	gboolean stopped; /* the limit, or the caller, is satisfied */
};

static gboolean
is_about_file(enum term_kind kind)
{
	return kind == TERM_DIGEST || kind == TERM_NAME || kind == TERM_EXT || kind == TERM_SIZE ||
	       kind == TERM_MALWARE;
}

static const struct query_term *
term_at(const struct asking *asking, guint i)
{
	return g_ptr_array_index(asking->query->terms, i);
}

/* ---- resolving terms ---- */

static gboolean
note_found(struct asking *asking, guint term, gint64 id, const char *variant, GError **error)
{
	if (!sql_run(sql_bind(asking->store->sql,
			      "INSERT OR IGNORE INTO temp.found (term, id, variant)"
			      " VALUES (?1, ?2, ?3)",
			      "iis", (gint64)term, id, variant),
		     error))
		return FALSE;
	asking->found[term] += sql_changes(asking->store->sql);
	return TRUE;
}

static gboolean
resolve_wanted(struct asking *asking, guint term, const struct wanted_digest *wanted,
	       GError **error)
{
	static const char *const confirm[] = {
		[DIGEST_MD5] = "SELECT f.id FROM digests d CROSS JOIN files f ON f.id=d.file"
			       " WHERE d.tenant=?1 AND d.key=?2 AND f.md5=?3",
		[DIGEST_SHA1] = "SELECT f.id FROM digests d CROSS JOIN files f ON f.id=d.file"
				" WHERE d.tenant=?1 AND d.key=?2 AND f.sha1=?3",
		[DIGEST_SHA256] = "SELECT f.id FROM digests d CROSS JOIN files f ON f.id=d.file"
				  " WHERE d.tenant=?1 AND d.key=?2 AND f.sha256=?3",
	};
	g_autoptr(sql_stmt_t) rows = NULL;
	gint64 key;
	int more;

	memcpy(&key, wanted->digest.bytes, sizeof(key));
	rows = sql_bind(asking->store->sql, confirm[wanted->digest.kind], "iib", asking->tenant,
			GINT64_FROM_BE(key), wanted->digest.bytes,
			digest_length(wanted->digest.kind));
	while ((more = sql_next(rows, error)) > 0) {
		if (!note_found(asking, term, sql_int(rows, 0), wanted->variant, error))
			return FALSE;
	}
	return more == 0;
}

static gboolean
resolve_digests(struct asking *asking, guint term, GError **error)
{
	const GArray *digests = term_at(asking, term)->digests;

	for (guint i = 0; i < digests->len; i++) {
		if (!resolve_wanted(asking, term, &g_array_index(digests, struct wanted_digest, i),
				    error))
			return FALSE;
	}
	return TRUE;
}

/* How the texts of a term are found. */
static gboolean
text_search_of(const struct query_term *term, enum text_kind *ret_kind, text_match_fn *ret_match)
{
	static const text_match_fn by_address[] = {
		[ADDRESS_PART] = text_contains,
		[ADDRESS_DOMAIN] = text_is_of_domain,
		[ADDRESS_WHOLE] = text_equals,
	};
	static const struct {
		enum term_kind term;
		enum text_kind kind;
		text_match_fn match; /* NULL: by_address */
	} searches[] = {
		{TERM_NAME, TEXT_NAME, text_fits_name},
		{TERM_SUBJECT, TEXT_SUBJECT, text_contains},
		{TERM_FROM, TEXT_SENDER, NULL},
		{TERM_TO, TEXT_RECIPIENT, NULL},
		{TERM_URL, TEXT_URL, text_contains},
		{TERM_SASL, TEXT_LOGIN, text_equals},
		{TERM_MALWARE, TEXT_MALWARE, text_fits},
		{TERM_EXT, TEXT_EXTENSION, text_equals},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(searches); i++) {
		if (searches[i].term == term->kind) {
			*ret_kind = searches[i].kind;
			*ret_match = searches[i].match ? searches[i].match
						       : by_address[term->address_match];
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean
resolve_text(struct asking *asking, guint i, GError **error)
{
	const struct query_term *term = term_at(asking, i);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	enum text_kind kind;
	text_match_fn match;

	if (!text_search_of(term, &kind, &match))
		return TRUE;
	if (!store_text_find(asking->store->sql, asking->tenant, kind, match, term->text,
			     asking->progress, asking->progress_data, ids, error))
		return FALSE;
	for (guint id = 0; id < ids->len; id++) {
		if (!note_found(asking, i, g_array_index(ids, gint64, id), NULL, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
resolve_terms(struct asking *asking, GError **error)
{
	if (!sql_script(asking->store->sql,
			"CREATE TEMP TABLE IF NOT EXISTS found (term INTEGER, id INTEGER,"
			" variant TEXT, PRIMARY KEY (term, id)) WITHOUT ROWID;"
			"DELETE FROM temp.found;",
			error))
		return FALSE;
	for (guint i = 0; i < asking->query->terms->len; i++) {
		const struct query_term *term = term_at(asking, i);

		if (!(term->kind == TERM_DIGEST ? resolve_digests(asking, i, error)
						: resolve_text(asking, i, error)))
			return FALSE;
	}
	return TRUE;
}

/* ---- candidates ---- */

/*
 * Each gives ids of events in order of time.  The plus signs keep SQLite from
 * walking an index of all events where a few rows are known.
 */
#define FROM_EVENTS                                                              \
	"SELECT e.id FROM events e WHERE +e.tenant=?1 AND +e.received_at_us>=?2" \
	" AND +e.received_at_us<?3 AND "
#define IN_ORDER " ORDER BY e.received_at_us, e.event_id"

static const char by_time[] = "SELECT e.id FROM events e INDEXED BY events_time WHERE e.tenant=?1"
			      " AND e.received_at_us>=?2 AND e.received_at_us<?3" IN_ORDER;
static const char by_event[] =
	"SELECT e.id FROM events e WHERE e.tenant=?1 AND +e.received_at_us>=?2"
	" AND +e.received_at_us<?3 AND e.event_id=?4" IN_ORDER;
static const char by_queue[] =
	"SELECT e.id FROM events e INDEXED BY events_queue WHERE e.tenant=?1"
	" AND +e.received_at_us>=?2 AND +e.received_at_us<?3 AND e.queue_id=?4" IN_ORDER;
static const char by_message[] =
	"SELECT e.id FROM events e INDEXED BY events_message WHERE e.tenant=?1"
	" AND +e.received_at_us>=?2 AND +e.received_at_us<?3 AND e.message_key=?4" IN_ORDER;
static const char by_ip[] = "SELECT e.id FROM events e INDEXED BY events_ip WHERE e.tenant=?1"
			    " AND +e.received_at_us>=?2 AND +e.received_at_us<?3"
			    " AND e.client_ip BETWEEN ?4 AND ?5" IN_ORDER;
static const char by_file[] = FROM_EVENTS
	"e.id IN (SELECT l.event FROM temp.found f CROSS JOIN part_files l ON l.file=f.id"
	" WHERE f.term=?4 UNION SELECT event FROM parts INDEXED BY parts_crc32"
	" WHERE tenant=?1 AND crc32=?5 AND size=?6)" IN_ORDER;
static const char by_part_text[] = FROM_EVENTS
	"e.id IN (SELECT x.event FROM temp.found f CROSS JOIN part_texts x ON x.text=f.id"
	" WHERE f.term=?4)" IN_ORDER;
static const char by_event_text[] = FROM_EVENTS
	"e.id IN (SELECT x.event FROM temp.found f CROSS JOIN event_texts x ON x.text=f.id"
	" WHERE f.term=?4)" IN_ORDER;
static const char by_recipient[] = FROM_EVENTS
	"e.id IN (SELECT r.event FROM temp.found f CROSS JOIN recipients r ON r.address=f.id"
	" WHERE f.term=?4)" IN_ORDER;

/* How much a term is expected to find, next to the others; G_MAXUINT64: it cannot lead. */
static guint64
weight_of(const struct asking *asking, guint i)
{
	const struct query_term *term = term_at(asking, i);

	switch (term->kind) {
	case TERM_EVENT:
		return 0;
	case TERM_QUEUE:
	case TERM_MESSAGE_ID:
		return 1;
	case TERM_IP:
		return COLUMN_WEIGHT;
	case TERM_SIZE:
	case TERM_SENSOR:
	case TERM_DIRECTION:
	case TERM_STATE:
		return G_MAXUINT64;
	default:
		return asking->found[i] + term->has_candidate;
	}
}

static struct sql_stmt *
bind_leader(struct asking *asking, guint i)
{
	const struct query_term *term = term_at(asking, i);
	struct sql *sql = asking->store->sql;
	gint64 tenant = asking->tenant, since_us = asking->since_us, until_us = asking->until_us;

	switch (term->kind) {
	case TERM_QUEUE:
		return sql_bind(sql, by_queue, "iiis", tenant, since_us, until_us, term->text);
	case TERM_MESSAGE_ID:
		return sql_bind(sql, by_message, "iiii", tenant, since_us, until_us,
				store_text_hash(term->text));
	case TERM_IP:
		return sql_bind(sql, by_ip, "iiibb", tenant, since_us, until_us, term->ip_first,
				sizeof(term->ip_first), term->ip_last, sizeof(term->ip_last));
	case TERM_DIGEST:
		return sql_bind(sql, by_file, "iiiiii", tenant, since_us, until_us, (gint64)i,
				term->has_candidate ? (gint64)term->candidate_crc32 : (gint64)-1,
				(gint64)term->candidate_size);
	case TERM_NAME:
	case TERM_EXT:
	case TERM_MALWARE:
		return sql_bind(sql, by_part_text, "iiii", tenant, since_us, until_us, (gint64)i);
	case TERM_TO:
		return sql_bind(sql, by_recipient, "iiii", tenant, since_us, until_us, (gint64)i);
	default:
		return sql_bind(sql, by_event_text, "iiii", tenant, since_us, until_us, (gint64)i);
	}
}

/* Begins the walk over candidates.  uuid: room for an event id while it lasts. */
static struct sql_stmt *
bind_candidates(struct asking *asking, guint8 uuid[UUID_BYTES])
{
	guint64 least = G_MAXUINT64;
	guint leader = 0;

	for (guint i = 0; i < asking->query->terms->len; i++) {
		guint64 weight = weight_of(asking, i);

		if (weight < least) {
			least = weight;
			leader = i;
		}
	}
	if (least == G_MAXUINT64)
		return sql_bind(asking->store->sql, by_time, "iii", asking->tenant,
				asking->since_us, asking->until_us);
	if (term_at(asking, leader)->kind == TERM_EVENT) {
		store_uuid(term_at(asking, leader)->text, uuid);
		return sql_bind(asking->store->sql, by_event, "iiib", asking->tenant,
				asking->since_us, asking->until_us, uuid, (gsize)UUID_BYTES);
	}
	return bind_leader(asking, leader);
}

/* ---- terms of the event ---- */

/* Columns of a candidate's row. */
enum {
	COLUMN_EVENT_ID,
	COLUMN_CHAIN,
	COLUMN_RECEIVED_AT,
	COLUMN_DIRECTION,
	COLUMN_CLIENT_IP,
	COLUMN_SENDER,
	COLUMN_SUBJECT,
	COLUMN_MESSAGE_ID,
	COLUMN_QUEUE_ID,
	COLUMN_SENSOR,
	COLUMN_JOINED,
};

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

static gboolean
event_fits(struct asking *asking, const struct candidate *candidate, gboolean *ret_fits,
	   GError **error)
{
	gboolean fits = TRUE;

	for (guint i = 0; fits && i < asking->query->terms->len; i++) {
		const struct query_term *term = term_at(asking, i);

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

static void
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

/* Finds the best way in which a part has a wanted digest; *rank 3 is none. */
static gboolean
digest_fits(struct asking *asking, guint i, gint64 event, struct sql_stmt *part, int *rank,
	    char **variant, GError **error)
{
	const struct query_term *term = term_at(asking, i);
	g_autoptr(sql_stmt_t) rows =
		sql_bind(asking->store->sql,
			 "SELECT f.variant, l.variant FROM part_files l CROSS JOIN temp.found f"
			 " ON f.term=?3 AND f.id=l.file WHERE l.event=?1 AND l.n=?2"
			 " ORDER BY l.variant",
			 "iii", event, sql_int(part, PART_N), (gint64)i);
	int more;

	*rank = 3;
	while ((more = sql_next(rows, error)) > 0) {
		const char *name = variant_of(sql_text(rows, 0), sql_int(rows, 1));
		int this_rank = strcmp(name, "exact") == 0 ? 0 : 1;

		if (this_rank < *rank) {
			*rank = this_rank;
			g_free(*variant);
			*variant = g_strdup(name);
		}
	}
	if (more == 0 && *rank == 3 && term->has_candidate && !sql_is_null(part, PART_CRC32) &&
	    sql_int(part, PART_CRC32) == (gint64)term->candidate_crc32 &&
	    sql_int(part, PART_SIZE) == (gint64)term->candidate_size)
		*rank = 2;
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

/* Holds one part against one term; *rank 3 when it does not fit. */
static gboolean
part_fits(struct asking *asking, guint i, gint64 event, struct sql_stmt *part, int *rank,
	  char **variant, GError **error)
{
	const struct query_term *term = term_at(asking, i);
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
	*rank = fits ? 0 : 3;
	return TRUE;
}

/* Holds one part against all terms about files, and keeps it if it is the best so far. */
static gboolean
weigh_part(struct asking *asking, gint64 event, struct sql_stmt *part, struct matched_file *best,
	   GError **error)
{
	g_autofree char *variant = NULL;
	int worst = 0;

	for (guint i = 0; worst < 3 && i < asking->query->terms->len; i++) {
		int rank;

		if (!is_about_file(term_at(asking, i)->kind))
			continue;
		if (!part_fits(asking, i, event, part, &rank, &variant, error))
			return FALSE;
		worst = MAX(worst, rank);
	}
	if (worst == 3 || (best->found && best->rank <= worst))
		return TRUE;
	matched_file_clear(best);
	best->found = TRUE;
	best->n = sql_int(part, PART_N);
	best->rank = worst;
	best->path = g_strdup(sql_text(part, PART_PATH));
	best->variant = worst == 2 ? NULL : g_steal_pointer(&variant);
	return TRUE;
}

static gboolean
find_file(struct asking *asking, gint64 event, struct matched_file *best, GError **error)
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

/* ---- recipients and chains ---- */

/* The best known state of a recipient over a chain: its newest, but a refusal only if all are. */
static gboolean
chain_state(struct asking *asking, const struct candidate *candidate, const char *key,
	    enum recipient_state *state, GError **error)
{
	gint64 known;

	if (!candidate->chained)
		return TRUE;
	if (!sql_number(
		    sql_bind(asking->store->sql,
			     "SELECT r.state FROM (SELECT id, received_at_us FROM events"
			     " WHERE tenant=?1 AND event_id=?2 UNION ALL SELECT id, received_at_us"
			     " FROM events WHERE tenant=?1 AND chain=?2) e"
			     " CROSS JOIN recipients r ON r.event=e.id"
			     " CROSS JOIN texts t ON t.id=r.address"
			     " WHERE coalesce(t.key, t.text)=?3"
			     " ORDER BY r.state=3, e.received_at_us DESC, e.id DESC LIMIT 1",
			     "ibs", asking->tenant, candidate->root, (gsize)UUID_BYTES, key),
		    *state, &known, error))
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
		const struct query_term *term = term_at(asking, i);

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

static gboolean
give_recipient(struct asking *asking, const struct candidate *candidate, struct sql_stmt *row,
	       struct store_hit *hit, GError **error)
{
	const char *key = sql_text(row, RECIPIENT_KEY);
	gint64 n = sql_int(row, RECIPIENT_N);
	enum recipient_state state = (enum recipient_state)sql_int(row, RECIPIENT_STATE);
	gboolean fits;

	if (!chain_state(asking, candidate, key, &state, error) ||
	    !recipient_fits(asking, row, state, &fits, error))
		return FALSE;
	if (fits && is_first_of_chain(asking, candidate, key) &&
	    is_behind_cursor(asking, candidate, n))
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
		const struct query_term *term = term_at(asking, i);

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

	if (!read_chain(asking, candidate, error) || !event_fits(asking, candidate, &fits, error))
		return FALSE;
	if (!fits || (!candidate->chained && !is_behind_cursor(asking, candidate, G_MAXINT64)))
		return TRUE;
	done = !asking->asks_file || find_file(asking, candidate->id, &file, error);
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
	g_autoptr(sql_stmt_t) rows = bind_candidates(asking, uuid);
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
		const struct query_term *term = term_at(asking, i);

		asking->asks_file |= is_about_file(term->kind);
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
	return resolve_terms(asking, error) && walk_candidates(asking, error);
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
