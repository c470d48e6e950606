/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect_metrics.h"

#include <stddef.h>

#include "metrics.h"

struct collect_metrics {
	GMutex lock;
	guint64 counts[COLLECT_COUNTS];
	GHashTable *sensors; /* of struct collect_sensor, by name: as many as keys were given */
};

static const struct {
	const char *name, *help;
} families[COLLECT_COUNTS] = {
	[COLLECT_EVENTS] = {"mailtrace_collector_events", "Events stored."},
	[COLLECT_REFUSED] = {"mailtrace_collector_dead_letters", "Events put aside."},
	[COLLECT_BATCHES] = {"mailtrace_collector_batches", "Batches stored and acknowledged."},
	[COLLECT_GARBAGE] = {"mailtrace_collector_garbage", "Messages of no known form."},
	[COLLECT_WRITE_FAILURES] = {"mailtrace_collector_write_failures",
				    "Writes to the store that failed."},
	[COLLECT_EXPIRED] = {"mailtrace_collector_expired", "Messages that became too old."},
};

/* A family has one sample a sensor. */
static const struct {
	const char *name, *unit, *help;
	gsize member;
} gauges[] = {
	{"mailtrace_sensor_seen_timestamp_seconds", "seconds", "When the sensor was last heard.",
	 offsetof(struct collect_sensor, seen_s)},
	{"mailtrace_sensor_lag", NULL, "Events that it has given out and that are not stored.",
	 offsetof(struct collect_sensor, lag)},
	{"mailtrace_sensor_spool_bytes", "bytes", "Size of its spool.",
	 offsetof(struct collect_sensor, spool_bytes)},
	{"mailtrace_sensor_spool_alarm_percent", "percent",
	 "50 or 80 when its spool has filled so far, else 0.",
	 offsetof(struct collect_sensor, spool_alarm)},
	{"mailtrace_sensor_unrecorded", NULL, "Messages it let pass since its start, unrecorded.",
	 offsetof(struct collect_sensor, unrecorded)},
	{"mailtrace_sensor_gaps", NULL, "Stretches of time with a gap that were noted.",
	 offsetof(struct collect_sensor, gaps)},
	{"mailtrace_sensor_clock_offset_seconds", "seconds", "How far its clock is ahead.",
	 offsetof(struct collect_sensor, offset_s)},
};

struct collect_metrics *
collect_metrics_new(void)
{
	struct collect_metrics *metrics = g_new0(struct collect_metrics, 1);

	g_mutex_init(&metrics->lock);
	metrics->sensors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return metrics;
}

void
collect_metrics_free(struct collect_metrics *metrics)
{
	if (!metrics)
		return;
	g_hash_table_unref(metrics->sensors);
	g_mutex_clear(&metrics->lock);
	g_free(metrics);
}

void
collect_metrics_count(struct collect_metrics *metrics, enum collect_count count, guint64 n)
{
	g_mutex_lock(&metrics->lock);
	metrics->counts[count] += n;
	g_mutex_unlock(&metrics->lock);
}

void
collect_metrics_note(struct collect_metrics *metrics, const char *name,
		     const struct collect_sensor *sensor)
{
	g_mutex_lock(&metrics->lock);
	g_hash_table_replace(metrics->sensors, g_strdup(name), g_memdup2(sensor, sizeof(*sensor)));
	g_mutex_unlock(&metrics->lock);
}

static void
add_gauges(struct metrics *text, GHashTable *sensors)
{
	for (gsize i = 0; i < G_N_ELEMENTS(gauges); i++) {
		GHashTableIter iter;
		void *name, *sensor;

		metrics_family(text, gauges[i].name, METRIC_GAUGE, gauges[i].unit, gauges[i].help);
		g_hash_table_iter_init(&iter, sensors);
		while (g_hash_table_iter_next(&iter, &name, &sensor))
			metrics_add(text, "sensor", name,
				    *(double *)((char *)sensor + gauges[i].member));
	}
}

char *
collect_metrics_text(void *data)
{
	struct collect_metrics *metrics = data;
	struct metrics *text = metrics_new();

	g_mutex_lock(&metrics->lock);
	for (guint i = 0; i < COLLECT_COUNTS; i++) {
		metrics_family(text, families[i].name, METRIC_COUNTER, NULL, families[i].help);
		metrics_add(text, NULL, NULL, (double)metrics->counts[i]);
	}
	add_gauges(text, metrics->sensors);
	g_mutex_unlock(&metrics->lock);
	return metrics_end(text);
}
