/* SPDX-License-Identifier: BSD-2-Clause */
/* What the terms of a question can be looked up by, and which of them leads. */
#include <string.h>

#include "store_asking.h"

/* A look-up by one column is taken to find as much as this many texts would. */
#define COLUMN_WEIGHT 8

gboolean
asking_is_about_file(enum term_kind kind)
{
	return kind == TERM_DIGEST || kind == TERM_NAME || kind == TERM_EXT || kind == TERM_SIZE ||
	       kind == TERM_MALWARE;
}

const struct query_term *
asking_term(const struct asking *asking, guint i)
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
	int more;

	rows = sql_bind(asking->store->sql, confirm[wanted->digest.kind], "iib", asking->tenant,
			store_digest_key(wanted->digest.bytes), wanted->digest.bytes,
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
	const GArray *digests = asking_term(asking, term)->digests;

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
	const struct query_term *term = asking_term(asking, i);
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

gboolean
asking_resolve(struct asking *asking, GError **error)
{
	if (!sql_script(asking->store->sql,
			"CREATE TEMP TABLE IF NOT EXISTS found (term INTEGER, id INTEGER,"
			" variant TEXT, PRIMARY KEY (term, id)) WITHOUT ROWID;"
			"DELETE FROM temp.found;",
			error))
		return FALSE;
	for (guint i = 0; i < asking->query->terms->len; i++) {
		const struct query_term *term = asking_term(asking, i);

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
	const struct query_term *term = asking_term(asking, i);

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
	const struct query_term *term = asking_term(asking, i);
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
struct sql_stmt *
asking_candidates(struct asking *asking, guint8 uuid[UUID_BYTES])
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
	if (asking_term(asking, leader)->kind == TERM_EVENT) {
		store_uuid(asking_term(asking, leader)->text, uuid);
		return sql_bind(asking->store->sql, by_event, "iiib", asking->tenant,
				asking->since_us, asking->until_us, uuid, (gsize)UUID_BYTES);
	}
	return bind_leader(asking, leader);
}
