/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "collect_news.h"

#include "beat.h"
#include "bus_frames.h"
#include "ingest.h"
#include "log.h"

#define RETRY_FIRST_MS 1000 /* after a failed write; doubles */
#define RETRY_LAST_MS 30000 /* as long as a sensor waits before it sends again */

static gint64
now_ms(void)
{
	return g_get_monotonic_time() / 1000;
}

gboolean
collect_news_rests(const struct collect_news *collect)
{
	return now_ms() < collect->retry_at_ms;
}

static void
note_write_failure(struct collect_news *collect, const GError *error)
{
	g_autofree char *wait = NULL;

	collect_metrics_count(collect->metrics, COLLECT_WRITE_FAILURES, 1);
	collect->retry_ms =
		collect->retry_ms ? MIN(collect->retry_ms * 2, RETRY_LAST_MS) : RETRY_FIRST_MS;
	collect->retry_at_ms = now_ms() + collect->retry_ms;
	wait = g_strdup_printf("%u", collect->retry_ms);
	log_event(LOG_LEVEL_ERROR, "store-write-failed", "store", collect->store_url, "error",
		  error->message, "retry_ms", wait, "remedy",
		  "make room on or mend the store's disk; sensors keep what is not acknowledged",
		  NULL);
}

static void
note_write_success(struct collect_news *collect)
{
	if (collect->retry_at_ms)
		log_event(LOG_LEVEL_NOTICE, "store-write-recovered", "store", collect->store_url,
			  NULL);
	collect->retry_at_ms = 0;
	collect->retry_ms = 0;
}

/* Tells the sensor which events were put aside.  An empty one stands for one that was over the cap,
 * which the bus has refused already. */
static void
answer_refusals(struct collect_news *collect, const struct bus_collector_news *news,
		const GPtrArray *refusals)
{
	for (guint i = 0; i < refusals->len; i++) {
		const struct ingest_refusal *refusal = g_ptr_array_index(refusals, i);
		GBytes *event = g_ptr_array_index(news->events, refusal->n - news->first);
		g_autofree char *n = g_strdup_printf("%" G_GUINT64_FORMAT, refusal->n);

		log_event(LOG_LEVEL_WARNING, "event-refused", "sensor", news->sensor, "tenant",
			  news->tenant, "epoch", news->epoch, "n", n, "reason", refusal->reason,
			  NULL);
		if (g_bytes_get_size(event) > 0)
			bus_collector_refuse(collect->bus, news->peer, news->epoch, refusal->n,
					     refusal->reason);
	}
}

static void
answer_batch(struct collect_news *collect, const struct bus_collector_news *news,
	     const struct ingest_result *result)
{
	answer_refusals(collect, news, result->refusals);
	bus_collector_ack(collect->bus, news->peer, news->epoch, result->through);
	for (guint i = 0; i < result->added->len; i++)
		bus_collector_publish(collect->bus, news->tenant, news->sensor,
				      g_ptr_array_index(result->added, i));
}

/*
 * A batch that comes while the store rests after a failure is let go: it is
 * not acknowledged, and the sensor sends it again after its deadline.
 */
static void
take_batch(struct collect_news *collect, const struct bus_collector_news *news)
{
	const struct ingest_batch batch = {news->sensor, news->tenant, news->epoch, news->first,
					   news->events};
	g_autoptr(GError) error = NULL;
	struct ingest_result result;

	if (collect_news_rests(collect))
		return;
	if (!ingest_batch(collect->store, &batch, &result, &error)) {
		note_write_failure(collect, error);
		return;
	}
	note_write_success(collect);
	collect_metrics_count(collect->metrics, COLLECT_BATCHES, 1);
	collect_metrics_count(collect->metrics, COLLECT_EVENTS, result.added->len);
	collect_metrics_count(collect->metrics, COLLECT_REFUSED, result.refusals->len);
	answer_batch(collect, news, &result);
	ingest_result_clear(&result);
}

static void
take_hello(struct collect_news *collect, const struct bus_collector_news *news)
{
	g_autoptr(GError) error = NULL;
	guint64 through = 0;

	if (!store_sequence_through(collect->store, news->sensor, news->epoch, &through, &error)) {
		log_event(LOG_LEVEL_ERROR, "store-read-failed", "store", collect->store_url,
			  "error", error->message, NULL);
		return;
	}
	log_event(LOG_LEVEL_NOTICE, "sensor-connected", "sensor", news->sensor, "tenant",
		  news->tenant, "epoch", news->epoch, NULL);
	bus_collector_welcome(collect->bus, news->peer, news->epoch, through);
}

/* Says when the beat came, so that the sensor can tell how far its clock is off. */
static void
tell_clock(struct collect_news *collect, const struct bus_collector_news *news, gint64 now_us)
{
	gint64 sent_us = beat_number(news->counters, "sent_us", 0);
	g_autoptr(GBytes) bytes = NULL;

	if (sent_us <= 0)
		return;
	bytes = bus_clock_format(sent_us, now_us);
	bus_collector_tell(collect->bus, news->peer, news->epoch, BUS_CLOCK_TOPIC, bytes);
}

/* For whoever scrapes; what cannot be read stays as it was. */
static void
note_metrics(struct collect_news *collect, const struct bus_collector_news *news,
	     const struct store_beat *beat)
{
	g_autofree char *name = g_strdup_printf("%s/%s", news->tenant, news->sensor);
	guint64 through, gaps;

	if (!collect->scraped ||
	    !store_sequence_through(collect->store, news->sensor, news->epoch, &through, NULL) ||
	    !store_count_intervals(collect->store, news->tenant, news->sensor, &gaps, NULL))
		return;
	collect_metrics_note(
		collect->metrics, name,
		&(struct collect_sensor){
			.seen_s = (double)beat->time_us / G_USEC_PER_SEC,
			.lag = (double)(MAX(beat->last, through) - through),
			.spool_bytes = (double)beat_number(news->counters, "spool_bytes", 0),
			.spool_alarm = (double)beat_number(news->counters, "spool_alarm", 0),
			.unrecorded = (double)beat->unrecorded,
			.gaps = (double)gaps,
			.offset_s = (double)beat->offset_us / G_USEC_PER_SEC,
		});
}

static void
take_beat(struct collect_news *collect, const struct bus_collector_news *news)
{
	g_autoptr(GError) error = NULL;
	gint64 now_us = g_get_real_time();
	struct store_beat beat;

	tell_clock(collect, news, now_us);
	if (collect_news_rests(collect))
		return;
	beat_read(news->counters, now_us, &beat);
	beat.epoch = news->epoch;
	beat.last = news->first;
	if (store_note_beat(collect->store, news->tenant, news->sensor, &beat, &error))
		note_metrics(collect, news, &beat);
	else
		note_write_failure(collect, error);
}

/* A failure passes: the next second tries again. */
static void
log_feed_failure(const struct collect_news *collect, const GError *error)
{
	log_event(LOG_LEVEL_ERROR, "blocks-not-told", "store", collect->store_url, "error",
		  error->message, NULL);
}

static void
take_have(struct collect_news *collect, const struct bus_collector_news *news)
{
	g_autoptr(GError) error = NULL;

	if (!block_feed_have(collect->blocks, news, &error))
		log_feed_failure(collect, error);
}

void
collect_news_tend(struct collect_news *collect)
{
	g_autoptr(GError) error = NULL;

	if (!block_feed_tick(collect->blocks, &error))
		log_feed_failure(collect, error);
}

/* Two programs with one key are told apart by their epochs, and nothing is lost; but one of them
 * should not be. */
static void
warn_of_second_peer(const struct bus_collector_news *news)
{
	log_event(LOG_LEVEL_WARNING, "two-peers-with-one-key", "sensor", news->sensor, "tenant",
		  news->tenant, "address", news->address, "epoch", news->epoch, "remedy",
		  "give each sensor its own key and spool", NULL);
}

void
collect_news_take(struct collect_news *collect, const struct bus_collector_news *news)
{
	if (news->second_peer)
		warn_of_second_peer(news);
	switch (news->event) {
	case BUS_COLLECTOR_NOTHING:
		break;
	case BUS_COLLECTOR_HELLO:
		take_hello(collect, news);
		break;
	case BUS_COLLECTOR_BATCH:
		take_batch(collect, news);
		break;
	case BUS_COLLECTOR_BEAT:
		take_beat(collect, news);
		break;
	case BUS_COLLECTOR_HAVE:
		take_have(collect, news);
		anchor_feed_have(collect->anchors, news, g_get_monotonic_time());
		break;
	case BUS_COLLECTOR_GARBAGE:
		collect_metrics_count(collect->metrics, COLLECT_GARBAGE, 1);
		log_event(LOG_LEVEL_WARNING, "garbage", "sensor", news->sensor, "address",
			  news->address, "reason", news->garbage, NULL);
		break;
	}
}
