/* SPDX-License-Identifier: BSD-2-Clause */
#include "coverage.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

static void
put_time(json_t *object, const char *name, gint64 time_us)
{
	g_autofree char *time = time_us ? out_time_rfc3339(time_us) : NULL;

	json_put_text(object, name, time);
}

static json_t *
gaps_json(const GPtrArray *gaps)
{
	json_t *array = json_array();

	for (guint i = 0; i < gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(gaps, i);
		json_t *object = json_object();

		json_put_text(object, "sensor", gap->sensor);
		put_time(object, "from", gap->from_us);
		put_time(object, "to", gap->to_us);
		json_array_append_new(array, object);
	}
	return array;
}

static void
write_json(struct out *out, const struct store_coverage *coverage, gint64 since_us, gint64 until_us)
{
	g_autoptr(json_t) object = json_object();
	json_t *sensors = json_array();
	char *line;

	for (guint i = 0; i < coverage->sensors->len; i++)
		json_array_append_new(sensors,
				      json_string(g_ptr_array_index(coverage->sensors, i)));
	json_put_text(object, "type", "coverage");
	json_put_int(object, "messages", (gint64)coverage->messages);
	json_put_int(object, "unread", (gint64)coverage->unread);
	json_object_set_new(object, "sensors", sensors);
	put_time(object, "complete_until", coverage->complete_until_us);
	json_object_set_new(object, "reconciled", json_boolean(coverage->reconciled));
	json_object_set_new(object, "gaps", gaps_json(coverage->gaps));
	put_time(object, "since", since_us);
	put_time(object, "until", until_us);
	line = json_line(object);
	out_json_line(out, line, strlen(line));
	free(line);
}

static char *
sensors_text(const GPtrArray *sensors)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < sensors->len; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "",
				       (const char *)g_ptr_array_index(sensors, i));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
write_gap(struct out *out, const struct store_gap *gap)
{
	g_autofree char *from = gap->from_us ? out_time(out, gap->from_us) : NULL;
	g_autofree char *to = gap->to_us ? out_time(out, gap->to_us) : g_strdup("now");

	if (g_strcmp0(gap->reason, "never-seen") == 0)
		out_note(out, "%s was never seen.", gap->sensor);
	else
		out_note(out, "%s: %s from %s to %s.", gap->sensor,
			 g_strcmp0(gap->reason, "missing") == 0 ? "messages are missing"
								: "not seen",
			 from ? from : "the beginning", to);
}

static void
write_words(struct out *out, const struct store_coverage *coverage)
{
	g_autofree char *sensors = sensors_text(coverage->sensors);
	g_autofree char *until =
		coverage->complete_until_us ? out_time(out, coverage->complete_until_us) : NULL;
	const char *reconciled = coverage->reconciled ? "" : "not ";

	out_note(out, "Of %" G_GUINT64_FORMAT " messages, %u %s%s%s%s.", coverage->messages,
		 coverage->sensors->len, coverage->sensors->len == 1 ? "sensor" : "sensors",
		 *sensors ? " (" : "", sensors, *sensors ? ")" : "");
	if (until)
		out_note(out, "Complete until %s; %sreconciled with the MTA's log.", until,
			 reconciled);
	else
		out_note(out,
			 "Until when it is complete is not known; %sreconciled with the "
			 "MTA's log.",
			 reconciled);
	if (coverage->unread)
		out_note(out, "The files of %" G_GUINT64_FORMAT " messages were not fully read.",
			 coverage->unread);
	for (guint i = 0; i < coverage->gaps->len; i++)
		write_gap(out, g_ptr_array_index(coverage->gaps, i));
}

void
coverage_write(struct out *out, const struct store_coverage *coverage, gint64 since_us,
	       gint64 until_us)
{
	write_json(out, coverage, since_us, until_us);
	write_words(out, coverage);
}
