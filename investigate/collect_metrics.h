/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect_metrics.h - the collector's metrics, as OpenMetrics text.
 *
 * mailtrace(1) names them.  The collector's thread notes, the server's asks:
 * any thread.
 */
#ifndef MAILTRACE_COLLECT_METRICS_H
#define MAILTRACE_COLLECT_METRICS_H

#include <glib.h>

struct collect_metrics;

enum collect_count {
	COLLECT_EVENTS,		/* stored, that were not known */
	COLLECT_REFUSED,	/* put aside as dead letters */
	COLLECT_BATCHES,	/* acknowledged */
	COLLECT_GARBAGE,	/* frames that are not of the protocol */
	COLLECT_WRITE_FAILURES, /* of the store */
	COLLECT_EXPIRED,	/* messages that became too old */
	COLLECT_COUNTS,
};

/* What a heartbeat says of its sensor. */
struct collect_sensor {
	double seen_s; /* when it was heard, seconds UTC */
	double lag;    /* events that are not stored yet */
	double spool_bytes;
	double spool_alarm; /* percent that it reached: 0, 50 or 80 */
	double unrecorded;
	double gaps;	 /* intervals noted of it */
	double offset_s; /* its clock's */
};

/* Makes empty metrics.  Free with collect_metrics_free(). */
struct collect_metrics *collect_metrics_new(void);

/* Adds to a counter. */
void collect_metrics_count(struct collect_metrics *metrics, enum collect_count count, guint64 n);

/* Replaces what is known of a sensor.  name: "tenant/sensor". */
void collect_metrics_note(struct collect_metrics *metrics, const char *name,
			  const struct collect_sensor *sensor);

/* Returns the text; data: the metrics.  Free with g_free(). */
char *collect_metrics_text(void *data);

/* Frees metrics.  NULL is allowed. */
void collect_metrics_free(struct collect_metrics *metrics);
#endif
