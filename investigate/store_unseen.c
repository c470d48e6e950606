/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the MTA's log that no sensor saw, and those that none was to see. */
#include "caps.h"
#include "store_internal.h"

/* Lines x of what became of the recipients of f. */
#define OUTCOMES_OF                                                                      \
	"SELECT 1 FROM deliveries x INDEXED BY deliveries_queue WHERE x.tenant=d.tenant" \
	" AND x.queue_id=f.queue_id AND x.kind IN (3, 4, 5)"

/*
 * Whether f may be what p sent on: a next hop says what it likes, and whoever runs one knows
 * the numbers of what he sent us.  That p's recipient is one of f's he cannot say.  With
 * local(8), which is ours, they differ.
 */
#define IS_ITS_RECIPIENT                                                           \
	"(p.relay='local' OR NOT EXISTS (" OUTCOMES_OF ") OR EXISTS (" OUTCOMES_OF \
	" AND (x.recipient_key=p.recipient_key OR x.original_key=p.recipient_key)))"

/*
 * A line p that hands a message over to f: sent on, or put into the queue anew on the same
 * host.  The queue may have had another message under that number, which left it before.
 */
#define HANDS_OVER                                                                              \
	" p.tenant=d.tenant AND p.next_queue_id=f.queue_id AND (p.kind=3 AND " IS_ITS_RECIPIENT \
	" OR p.kind=7"                                                                          \
	" AND p.log_host=f.host AND p.time_us<=f.time_us AND NOT EXISTS (SELECT 1"              \
	" FROM deliveries o INDEXED BY deliveries_queue WHERE o.tenant=p.tenant"                \
	" AND o.queue_id=f.queue_id AND o.log_host=f.host AND o.kind=6 AND o.time_us>"          \
	" p.time_us AND o.time_us<f.time_us))"

/* A mark's clock, and that of the log's host. */
#define MARK_LATE_US (60 * (gint64)G_USEC_PER_SEC)

/*
 * A mark e of the milter that a line f of that time is exempt: of its queue id, on a host of
 * that name where the MTA uses its ids again, and not of a message that left the queue
 * before f came.
 */
#define EXEMPT(tenant, host, late)                                                       \
	"(SELECT 1 FROM deliveries e INDEXED BY deliveries_queue WHERE e.tenant=" tenant \
	" AND e.queue_id=f.queue_id AND e.kind=23 AND"                                   \
	" e.time_us<f.time_us+" late " AND (instr(e.queue_id, 'z') OR e.log_host=" host  \
	" OR substr(e.log_host, 1, length(" host ")+1)=" host " || '.'"                  \
	" OR substr(" host ", 1, length(e.log_host)+1)=e.log_host || '.')"               \
	" AND NOT EXISTS (SELECT 1 FROM deliveries o INDEXED BY deliveries_queue WHERE"  \
	" o.tenant=" tenant " AND o.queue_id=f.queue_id AND o.log_host=" host            \
	" AND o.kind=6 AND o.time_us>e.time_us AND o.time_us<f.time_us))"

#define FORMER_EXEMPT EXEMPT("d.tenant", "f.host", "?5")

/*
 * Messages that the MTA's log has and no event is joined to, but those that are exempt,
 * or that a recorded hop or an exempt one says it sent on or queued anew, and those that
 * the MTA refused in the end, which it says within the hour.  ?4: through how many queue ids it is
 * followed back.
 */
#define UNSEEN                                                                                 \
	" FROM deliveries d INDEXED BY deliveries_unseen JOIN sensors s ON s.id=d.sensor"      \
	" WHERE d.tenant=?1 AND d.event IS NULL AND d.kind=0 AND d.exempt=0 AND d.time_us>=?2" \
	" AND d.time_us<?3 AND NOT EXISTS (WITH RECURSIVE"                                     \
	" former(queue_id, host, time_us, event, hops) AS ("                                   \
	"SELECT d.queue_id, d.log_host, d.time_us, NULL, 0 UNION SELECT p.queue_id,"           \
	" p.log_host, p.time_us, p.event, f.hops+1 FROM former f CROSS JOIN deliveries p"      \
	" INDEXED BY deliveries_next WHERE f.event IS NULL AND f.hops<?4 AND" HANDS_OVER       \
	") SELECT 1 FROM former f WHERE f.event IS NOT NULL OR EXISTS " FORMER_EXEMPT ")"      \
	" AND NOT EXISTS (SELECT 1 FROM deliveries r INDEXED BY deliveries_queue"              \
	" WHERE r.tenant=d.tenant AND r.queue_id=d.queue_id"                                   \
	" AND r.kind=1 AND r.recipient_key IS NULL AND r.log_host=d.log_host"                  \
	" AND r.time_us>d.time_us-3600000000 AND r.time_us<d.time_us+3600000000)"

struct sql_stmt *
store_unseen_counts(struct store *store, gint64 tenant, gint64 since_us, gint64 until_us)
{
	return sql_bind(store->sql,
			"SELECT s.name, count(DISTINCT d.log_host || ' ' || d.queue_id),"
			" min(d.time_us), max(d.time_us)" UNSEEN " GROUP BY s.id ORDER BY s.name",
			"iiiii", tenant, since_us, until_us, (gint64)CAP_TRACE_HOPS, MARK_LATE_US);
}

struct sql_stmt *
store_unseen_rows(struct store *store, gint64 tenant, gint64 since_us, gint64 until_us)
{
	return sql_bind(store->sql,
			"SELECT min(d.time_us), d.log_host, d.queue_id, d.detail" UNSEEN
			" GROUP BY d.log_host, d.queue_id ORDER BY min(d.time_us), d.queue_id",
			"iiiii", tenant, since_us, until_us, (gint64)CAP_TRACE_HOPS, MARK_LATE_US);
}

gboolean
store_note_exempt(struct store *store, gint64 tenant, const char *queue_id, GError **error)
{
	return sql_run(sql_bind(store->sql,
				"UPDATE deliveries AS f INDEXED BY deliveries_queue SET exempt=1"
				" WHERE f.tenant=?1 AND"
				" f.queue_id=?2 AND f.kind=0 AND f.event IS NULL AND f.exempt=0"
				" AND EXISTS " EXEMPT("?1", "f.log_host", "?3"),
				"isi", tenant, queue_id, MARK_LATE_US),
		       error);
}

struct sql_stmt *
store_exempt_counts(struct store *store, gint64 tenant, gint64 since_us, gint64 until_us)
{
	return sql_bind(store->sql,
			"SELECT s.name, count(*), min(d.time_us), max(d.time_us) FROM sensors s"
			" CROSS JOIN deliveries d INDEXED BY deliveries_exempt WHERE s.tenant=?1"
			" AND d.tenant=?1 AND d.sensor=s.id AND d.kind=23 AND d.time_us>=?2"
			" AND d.time_us<?3 GROUP BY s.name",
			"iii", tenant, since_us, until_us);
}
