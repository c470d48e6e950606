/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - metrics as text, in the form of OpenMetrics 1.0.
 *
 * Families one after another, each with its samples, and "# EOF" at the end.
 * Pure; one thread an object.
 */
#ifndef MAILTRACE_METRICS_H
#define MAILTRACE_METRICS_H

#include <glib.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;

/* Returns an empty text. */
struct metrics *metrics_new(void);

/*
 * Begins a family.  name: without "_total", static, and ending in the unit if
 * there is one.  unit: "bytes", "seconds" or NULL.  help: a sentence.
 */
void metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
		    const char *unit, const char *help);

/* Adds a sample of the family.  label: name of one, or NULL; value_of: its value, any UTF-8. */
void metrics_add(struct metrics *metrics, const char *label, const char *value_of, double value);

/*
 * Adds a histogram's samples.  bounds: upper bounds of count buckets, ascending.
 * counts: of count + 1 buckets, each alone; the last is what is above.  sum: of all values.
 */
void metrics_add_histogram(struct metrics *metrics, const double *bounds, const guint64 *counts,
			   gsize count, double sum);

/* Ends the text and frees the object.  Free what it returns with g_free(). */
char *metrics_end(struct metrics *metrics);
#endif
