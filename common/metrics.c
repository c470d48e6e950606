/* SPDX-License-Identifier: BSD-2-Clause */
#include "metrics.h"

struct metrics {
	GString *text;
	const char *name;
	enum metric_type type;
};

struct metrics *
metrics_new(void)
{
	struct metrics *metrics = g_new0(struct metrics, 1);

	metrics->text = g_string_new(NULL);
	return metrics;
}

void
metrics_family(struct metrics *metrics, const char *name, enum metric_type type, const char *unit,
	       const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	metrics->name = name;
	metrics->type = type;
	g_string_append_printf(metrics->text, "# TYPE %s %s\n", name, types[type]);
	if (unit)
		g_string_append_printf(metrics->text, "# UNIT %s %s\n", name, unit);
	g_string_append_printf(metrics->text, "# HELP %s %s\n", name, help);
}

/* Writes a number as OpenMetrics reads it, whatever the locale. */
static void
add_number(GString *text, double value)
{
	char number[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append(text, g_ascii_formatd(number, sizeof(number), "%.17g", value));
}

/* OpenMetrics 1.0, "escaped-string": a backslash, a quote and a line break. */
static void
add_escaped(GString *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			g_string_append(text, "\\n");
			continue;
		}
		if (*value == '\\' || *value == '"')
			g_string_append_c(text, '\\');
		g_string_append_c(text, *value);
	}
}

void
metrics_add(struct metrics *metrics, const char *label, const char *value_of, double value)
{
	GString *text = metrics->text;

	g_string_append_printf(text, "%s%s", metrics->name,
			       metrics->type == METRIC_COUNTER ? "_total" : "");
	if (label) {
		g_string_append_printf(text, "{%s=\"", label);
		add_escaped(text, value_of);
		g_string_append(text, "\"}");
	}
	g_string_append_c(text, ' ');
	add_number(text, value);
	g_string_append_c(text, '\n');
}

void
metrics_add_histogram(struct metrics *metrics, const double *bounds, const guint64 *counts,
		      gsize count, double sum)
{
	GString *text = metrics->text;
	guint64 all = 0;

	for (gsize i = 0; i <= count; i++) {
		char bound[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";

		all += counts[i];
		if (i < count)
			g_ascii_formatd(bound, sizeof(bound), "%g", bounds[i]);
		g_string_append_printf(text, "%s_bucket{le=\"%s\"} %" G_GUINT64_FORMAT "\n",
				       metrics->name, bound, all);
	}
	g_string_append_printf(text, "%s_count %" G_GUINT64_FORMAT "\n%s_sum ", metrics->name, all,
			       metrics->name);
	add_number(text, sum);
	g_string_append_c(text, '\n');
}

char *
metrics_end(struct metrics *metrics)
{
	char *text;

	g_string_append(metrics->text, "# EOF\n");
	text = g_string_free(metrics->text, FALSE);
	g_free(metrics);
	return text;
}
