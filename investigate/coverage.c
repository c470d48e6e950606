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
		json_put_text(object, "reason", gap->reason);
		json_object_set_new(object, "messages",
				    gap->messages ? json_integer((gint64)gap->messages)
						  : json_null());
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *
texts_json(const GPtrArray *texts)
{
	json_t *array = json_array();

	for (guint i = 0; i < texts->len; i++)
		json_array_append_new(array, json_string(g_ptr_array_index(texts, i)));
	return array;
}

static json_t *
clocks_json(const GPtrArray *clocks)
{
	json_t *array = json_array();

	for (guint i = 0; i < clocks->len; i++) {
		const struct store_clock *clock = g_ptr_array_index(clocks, i);
		json_t *object = json_object();

		json_put_text(object, "sensor", clock->sensor);
		json_put_int(object, "offset_ms", clock->offset_us / 1000);
		json_array_append_new(array, object);
	}
	return array;
}

static void
write_json(struct out *out, const struct store_coverage *coverage,
	   const struct coverage_question *question, const GPtrArray *warnings)
{
	g_autoptr(json_t) object = json_object();
	char *line;

	json_put_text(object, "type", "coverage");
	json_put_int(object, "messages", (gint64)coverage->messages);
	json_put_int(object, "unread", (gint64)coverage->unread);
	json_object_set_new(object, "sensors", texts_json(coverage->sensors));
	put_time(object, "complete_until", coverage->complete_until_us);
	json_object_set_new(object, "reconciled", json_boolean(coverage->reconciled));
	json_object_set_new(object, "gaps", gaps_json(coverage->gaps));
	put_time(object, "since", question->since_us);
	put_time(object, "until", question->until_us ? question->until_us : question->asked_us);
	json_put_int(object, "unseen", (gint64)coverage->unseen);
	put_time(object, "reconciled_until", coverage->reconciled_until_us);
	put_time(object, "recorded_since", coverage->recorded_since_us);
	put_time(object, "expired_before", coverage->expired_before_us);
	json_put_int(object, "exempt", (gint64)coverage->exempt);
	json_put_int(object, "erased", (gint64)coverage->erased);
	json_object_set_new(object, "clocks", clocks_json(coverage->clocks));
	json_object_set_new(object, "complete", json_boolean(warnings->len == 0));
	json_object_set_new(object, "warnings", texts_json(warnings));
	line = json_line(object);
	out_json_line(out, line, strlen(line));
	free(line);
}

/* ---- what keeps a "nobody" from being signed ---- */

static const char *
words_of(const char *reason)
{
	static const struct {
		const char *reason, *words;
	} all[] = {
		{"not-begun", "did not record yet"},
		{"missing", "messages are missing"},
		{"silent", "not seen"},
		{"epoch", "its numbers began anew"},
		{"down", "the milter did not run"},
		{"unrecorded", "passed without a record"},
		{"log-gap", "the MTA's log was not read"},
		{"unseen", "passed unseen"},
		{"dead-letter", "came and could not be read"},
		{"exempt", "of exempt networks passed unrecorded, as configured,"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
		if (strcmp(reason, all[i].reason) == 0)
			return all[i].words;
	return reason;
}

char *
coverage_gap_text(struct out *out, const struct store_gap *gap)
{
	g_autofree char *from =
		gap->from_us ? out_time(out, gap->from_us) : g_strdup("the beginning");
	g_autofree char *to = gap->to_us ? out_time(out, gap->to_us) : g_strdup("now");
	g_autofree char *count = NULL;

	if (strcmp(gap->reason, "never-seen") == 0)
		return g_strdup_printf("%s was never seen", gap->sensor);
	if (gap->messages)
		count = g_strdup_printf("%" G_GUINT64_FORMAT " %s ", gap->messages,
					gap->messages == 1 ? "message" : "messages");
	return g_strdup_printf("%s: %s%s from %s to %s", gap->sensor, count ? count : "",
			       words_of(gap->reason), from, to);
}

static char *
unread_text(const struct store_coverage *coverage)
{
	return g_strdup_printf("the files of %" G_GUINT64_FORMAT " messages were not fully read",
			       coverage->unread);
}

static char *
erased_text(const struct store_coverage *coverage)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT " messages were erased on request",
			       coverage->erased);
}

static void
warn_of_end(struct out *out, const struct store_coverage *coverage,
	    const struct coverage_question *question, GPtrArray *warnings)
{
	gint64 now_us = question->asked_us - STORE_LAG_US;
	gint64 wanted_us = question->until_us ? MIN(question->until_us, now_us) : now_us;
	g_autofree char *until = NULL;

	if (!question->has_expected) {
		g_ptr_array_add(warnings, g_strdup("no sensors are expected by the configuration"));
	} else if (!coverage->complete_until_us) {
		g_ptr_array_add(warnings, g_strdup("until when it is complete is not known"));
	} else if (coverage->complete_until_us < wanted_us) {
		until = out_time(out, coverage->complete_until_us);
		g_ptr_array_add(warnings, g_strdup_printf("it is complete only until %s", until));
	}
}

static void
warn_of_clocks(const struct store_coverage *coverage, const struct coverage_question *question,
	       GPtrArray *warnings)
{
	for (guint i = 0; i < coverage->clocks->len; i++) {
		const struct store_clock *clock = g_ptr_array_index(coverage->clocks, i);

		if (ABS(clock->offset_us) > question->max_offset_us)
			g_ptr_array_add(warnings,
					g_strdup_printf("the clock of %s is %.1f s %s",
							clock->sensor,
							(double)ABS(clock->offset_us) / 1e6,
							clock->offset_us > 0 ? "ahead" : "behind"));
	}
}

/* Who names no beginning asks for what there is, and is told since when that is all. */
static void
warn_of_expiry(struct out *out, const struct store_coverage *coverage,
	       const struct coverage_question *question, GPtrArray *warnings)
{
	g_autofree char *before = NULL;

	if (!question->since_us || !coverage->expired_before_us)
		return;
	before = out_time(out, coverage->expired_before_us);
	g_ptr_array_add(warnings,
			g_strdup_printf("what was received before %s has expired", before));
}

/* That no mail came is known from the log, and what the site chose it knows. */
static gboolean
keeps_from_signing(const struct store_coverage *coverage, const struct store_gap *gap)
{
	if (strcmp(gap->reason, "down") == 0)
		return !coverage->reconciled;
	return strcmp(gap->reason, "exempt") != 0;
}

GPtrArray *
coverage_warnings(struct out *out, const struct store_coverage *coverage,
		  const struct coverage_question *question)
{
	GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);

	warn_of_end(out, coverage, question, warnings);
	warn_of_expiry(out, coverage, question, warnings);
	for (guint i = 0; i < coverage->gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage->gaps, i);

		if (keeps_from_signing(coverage, gap))
			g_ptr_array_add(warnings, coverage_gap_text(out, gap));
	}
	if (coverage->unread && question->needs_files)
		g_ptr_array_add(warnings, unread_text(coverage));
	if (coverage->erased)
		g_ptr_array_add(warnings, erased_text(coverage));
	warn_of_clocks(coverage, question, warnings);
	return warnings;
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
write_words(struct out *out, const struct store_coverage *coverage)
{
	g_autofree char *sensors = sensors_text(coverage->sensors);
	g_autofree char *until =
		coverage->complete_until_us ? out_time(out, coverage->complete_until_us) : NULL;
	g_autofree char *since =
		coverage->recorded_since_us ? out_time(out, coverage->recorded_since_us) : NULL;
	g_autofree char *before =
		coverage->expired_before_us ? out_time(out, coverage->expired_before_us) : NULL;
	const char *reconciled = coverage->reconciled ? "" : "not ";

	out_note(out, "Of %" G_GUINT64_FORMAT " messages, %u %s%s%s%s.", coverage->messages,
		 coverage->sensors->len, coverage->sensors->len == 1 ? "sensor" : "sensors",
		 *sensors ? " (" : "", sensors, *sensors ? ")" : "");
	if (since)
		out_note(out, "Recorded since %s.", since);
	if (before)
		out_note(out, "What was received before %s has expired.", before);
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
	if (coverage->erased) {
		g_autofree char *erased = erased_text(coverage);

		out_note(out, "%s.", erased);
	}
	for (guint i = 0; i < coverage->gaps->len; i++) {
		g_autofree char *gap = coverage_gap_text(out, g_ptr_array_index(coverage->gaps, i));

		out_note(out, "%s.", gap);
	}
}

static void
write_warnings(struct out *out, const GPtrArray *warnings)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < warnings->len; i++)
		g_string_append_printf(text, "%s%s", i ? "; " : "",
				       (const char *)g_ptr_array_index(warnings, i));
	out_note(out, "\"Nobody\" cannot be signed: %s.", text->str);
}

void
coverage_write(struct out *out, const struct store_coverage *coverage,
	       const struct coverage_question *question)
{
	g_autoptr(GPtrArray) warnings = coverage_warnings(out, coverage, question);

	write_json(out, coverage, question, warnings);
	write_words(out, coverage);
	if (question->nobody && warnings->len)
		write_warnings(out, warnings);
}
