/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_metrics.h"

#include "metrics.h"

/* The counters that are families of their own. */
static const struct {
	enum engine_counter counter;
	const char *name, *help;
} families[] = {
	{COUNT_CONNECTIONS, "mailtrace_connections", "Connections of the MTA."},
	{COUNT_REFUSED_CONNECTIONS, "mailtrace_connections_refused",
	 "Connections above max_connections."},
	{COUNT_SEEN, "mailtrace_messages", "Messages that reached their end."},
	{COUNT_EXEMPT, "mailtrace_messages_exempt", "Messages of exempt networks."},
	{COUNT_RECORDED, "mailtrace_messages_recorded", "Messages whose record is in the spool."},
	{COUNT_UNRECORDED, "mailtrace_messages_unrecorded",
	 "Messages that passed without a record."},
	{COUNT_UNREAD, "mailtrace_messages_unread", "Messages whose files were not read."},
	{COUNT_UNREAD_FAILED, "mailtrace_messages_unread_failed",
	 "Of them, those that no worker could read."},
	{COUNT_UNREAD_NO_ROOM, "mailtrace_messages_unread_no_room",
	 "Of them, those whose bytes found no room."},
	{COUNT_UNREAD_TOO_LARGE, "mailtrace_messages_unread_too_large",
	 "Of them, those above the cap on a message."},
	{COUNT_BLOCKED, "mailtrace_messages_blocked", "Messages with a file of the block list."},
	{COUNT_ABORTED, "mailtrace_messages_aborted", "Messages that the client gave up."},
	{COUNT_SPILLED, "mailtrace_messages_spilled", "Messages kept in temporary files."},
};

static const struct {
	enum engine_counter counter;
	const char *verdict;
} verdicts[] = {
	{COUNT_HELD, "hold"},
	{COUNT_TEMPFAIL, "tempfail"},
	{COUNT_REJECTED, "reject"},
	{COUNT_DISCARDED, "discard"},
};

/* What is none of the others was accepted; a message that ends meanwhile may be in one count. */
static void
add_verdicts(struct metrics *metrics, struct engine *engine)
{
	guint64 others = 0, seen;

	metrics_family(metrics, "mailtrace_verdicts", METRIC_COUNTER, NULL,
		       "Messages by what the MTA was told.");
	for (gsize i = 0; i < G_N_ELEMENTS(verdicts); i++) {
		guint64 count = engine_counted(engine, verdicts[i].counter);

		others += count;
		metrics_add(metrics, "verdict", verdicts[i].verdict, (double)count);
	}
	seen = engine_counted(engine, COUNT_SEEN);
	metrics_add(metrics, "verdict", "accept", (double)(MAX(seen, others) - others));
}

static void
add_gauge(struct metrics *metrics, const char *name, const char *unit, const char *help,
	  double value)
{
	metrics_family(metrics, name, METRIC_GAUGE, unit, help);
	metrics_add(metrics, NULL, NULL, value);
}

static void
add_spool(struct metrics *metrics, struct engine *engine)
{
	struct spool_status status;
	gint64 age_us;

	spool_status(engine_spool(engine), &status);
	age_us = status.oldest_us ? MAX(g_get_real_time() - status.oldest_us, 0) : 0;
	add_gauge(metrics, "mailtrace_spool_entries", NULL,
		  "Events that the collector has not acknowledged: the lag.",
		  (double)status.entries);
	add_gauge(metrics, "mailtrace_spool_bytes", "bytes", "Their size.", (double)status.bytes);
	add_gauge(metrics, "mailtrace_spool_limit_bytes", "bytes", "What the spool may hold.",
		  (double)status.max_bytes);
	add_gauge(metrics, "mailtrace_spool_alarm_percent", "percent",
		  "50 or 80 when the spool has filled so far, else 0.", status.alarm);
	add_gauge(metrics, "mailtrace_spool_dead_letters", NULL,
		  "Events that the collector refused.", (double)status.dead);
	add_gauge(metrics, "mailtrace_spool_oldest_age_seconds", "seconds",
		  "Age of the oldest event.", (double)age_us / G_USEC_PER_SEC);
	add_gauge(metrics, "mailtrace_spool_writable", NULL, "0 after the disk failed.",
		  status.writable);
}

static void
add_latency(struct metrics *metrics, struct engine *engine)
{
	guint64 counts[ENGINE_LATENCY_BOUNDS + 1];
	double sum;

	engine_latency(engine, counts, &sum);
	metrics_family(metrics, "mailtrace_message_latency_seconds", METRIC_HISTOGRAM, "seconds",
		       "Time from the end of a message to the verdict.");
	metrics_add_histogram(metrics, engine_latency_bounds, counts, ENGINE_LATENCY_BOUNDS, sum);
}

static void
add_workers(struct metrics *metrics, struct engine *engine)
{
	struct scanner_counters counters;

	scanner_client_counters(engine_scanner(engine), &counters);
	metrics_family(metrics, "mailtrace_workers_replaced", METRIC_COUNTER, NULL,
		       "Workers that were given up: after their number of messages, or one that "
		       "failed or was odd.");
	metrics_add(metrics, NULL, NULL, (double)counters.replaced);
	metrics_family(metrics, "mailtrace_messages_retried", METRIC_COUNTER, NULL,
		       "Messages that a second worker read.");
	metrics_add(metrics, NULL, NULL, (double)counters.retried);
}

char *
engine_metrics(struct engine *engine)
{
	struct metrics *metrics = metrics_new();

	for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
		metrics_family(metrics, families[i].name, METRIC_COUNTER, NULL, families[i].help);
		metrics_add(metrics, NULL, NULL,
			    (double)engine_counted(engine, families[i].counter));
	}
	add_gauge(metrics, "mailtrace_connections_open", NULL, "Connections at the moment.",
		  engine_connections(engine));
	add_verdicts(metrics, engine);
	add_latency(metrics, engine);
	add_workers(metrics, engine);
	add_spool(metrics, engine);
	return metrics_end(metrics);
}
