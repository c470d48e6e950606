/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the MTA's log that no sensor saw. */
#include "caps.h"
#include "store_internal.h"

/*
 * A line p that hands a message over to f: sent on, or put into the queue anew on the same
 * host.  The queue may have had another message under that number, which left it before.
 */
#define HANDS_OVER                                                                     \
	" p.tenant=d.tenant AND p.next_queue_id=f.queue_id AND (p.kind=3 OR p.kind=7"  \
	" AND p.log_host=f.host AND p.time_us<=f.time_us AND NOT EXISTS (SELECT 1"     \
	" FROM deliveries o INDEXED BY deliveries_queue WHERE o.tenant=p.tenant"       \
	" AND o.queue_id=f.queue_id AND o.log_host=f.host AND o.kind=6 AND o.time_us>" \
	" p.time_us AND o.time_us<f.time_us))"

/*
 * Messages that the MTA's log has and no event is joined to, but those that a
 * recorded hop says it sent on or queued anew, and those that the MTA refused in the
 * end.  ?4: through how many queue ids it is followed back.
 */
#define UNSEEN                                                                            \
	" FROM deliveries d INDEXED BY deliveries_unseen JOIN sensors s ON s.id=d.sensor" \
	" WHERE d.tenant=?1 AND d.event IS NULL AND d.kind=0 AND d.time_us>=?2"           \
	" AND d.time_us<?3 AND NOT EXISTS (WITH RECURSIVE"                                \
	" former(queue_id, host, time_us, event, hops) AS ("                              \
	"SELECT d.queue_id, d.log_host, d.time_us, NULL, 0 UNION SELECT p.queue_id,"      \
	" p.log_host, p.time_us, p.event, f.hops+1 FROM former f CROSS JOIN deliveries p" \
	" INDEXED BY deliveries_next WHERE f.event IS NULL AND f.hops<?4 AND" HANDS_OVER  \
	") SELECT 1 FROM former WHERE event IS NOT NULL)"                                 \
	" AND NOT EXISTS (SELECT 1 FROM deliveries r INDEXED BY deliveries_queue"         \
	" WHERE r.tenant=d.tenant AND r.queue_id=d.queue_id"                              \
	" AND r.kind=1 AND r.recipient_key IS NULL)"

struct sql_stmt *
store_unseen_counts(struct store *store, gint64 tenant, gint64 since_us, gint64 until_us)
{
	return sql_bind(store->sql,
			"SELECT s.name, count(DISTINCT d.log_host || ' ' || d.queue_id),"
			" min(d.time_us), max(d.time_us)" UNSEEN " GROUP BY s.id ORDER BY s.name",
			"iiii", tenant, since_us, until_us, (gint64)CAP_TRACE_HOPS);
}

struct sql_stmt *
store_unseen_rows(struct store *store, gint64 tenant, gint64 since_us, gint64 until_us)
{
	return sql_bind(store->sql,
			"SELECT min(d.time_us), d.log_host, d.queue_id, d.detail" UNSEEN
			" GROUP BY d.log_host, d.queue_id ORDER BY min(d.time_us), d.queue_id",
			"iiii", tenant, since_us, until_us, (gint64)CAP_TRACE_HOPS);
}
