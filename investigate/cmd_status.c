/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "beat.h"
#include "check.h"
#include "command.h"
#include "query.h"

static const struct out_column store_columns[] = {
	{"store", "STORE", OUT_TEXT, 0},
	{"schema", "", OUT_INT, 0},
	{"events", "EVENTS", OUT_INT, 0},
	{"recipients", "RECIPIENTS", OUT_INT, 0},
	{"files", "FILES", OUT_INT, 0},
	{"dead_letters", "DEAD LETTERS", OUT_INT, 0},
	{"journal_entries", "JOURNAL ENTRIES", OUT_INT, 0},
	{"bytes", "BYTES", OUT_INT, 0},
	{NULL},
};

static const struct out_column sensor_columns[] = {
	{"tenant", "TENANT", OUT_TEXT, 0},
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"last_seen", "LAST SEEN", OUT_TIME, 0},
	{"last_event", "LAST EVENT", OUT_TIME, 0},
	{"stored", "STORED", OUT_INT, 0},
	{"lag", "LAG", OUT_INT, 0},
	{"epoch", "", OUT_TEXT, 0},
	{"counters", "", OUT_TEXT, 0},
	{NULL},
};

static const struct out_column gap_columns[] = {
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"from", "GAP FROM", OUT_TIME, 0},
	{"to", "TO", OUT_TIME, 0},
	{"reason", "REASON", OUT_TEXT, 0},
	{"messages", "MESSAGES", OUT_INT, 0},
	{NULL},
};

static void
write_store(struct out *out, const char *url, const struct store_status *status)
{
	out_begin(out, "store", store_columns);
	out_row(out, (const struct out_value[]){{url, 0},
						{NULL, status->schema},
						{NULL, (gint64)status->events},
						{NULL, (gint64)status->recipients},
						{NULL, (gint64)status->files},
						{NULL, (gint64)status->dead_letters},
						{NULL, (gint64)status->journal_entries},
						{NULL, (gint64)status->bytes}});
	out_end(out);
}

static void
write_sensors(struct out *out, const struct store_status *status)
{
	if (status->sensors->len)
		out_note(out, "%s", "");
	out_begin(out, "sensor", sensor_columns);
	for (guint i = 0; i < status->sensors->len; i++) {
		const struct store_sensor *sensor = g_ptr_array_index(status->sensors, i);
		guint64 lag = sensor->last > sensor->through ? sensor->last - sensor->through : 0;

		out_row(out, (const struct out_value[]){{sensor->tenant, 0},
							{sensor->sensor, 0},
							{NULL, sensor->last_seen_us},
							{NULL, sensor->last_event_us},
							{NULL, (gint64)sensor->through},
							{NULL, (gint64)lag},
							{sensor->epoch, 0},
							{sensor->counters, 0}});
	}
	out_end(out);
}

static void
write_gaps(struct out *out, const GPtrArray *gaps)
{
	if (gaps->len)
		out_note(out, "%s", "");
	out_begin(out, "gap", gap_columns);
	for (guint i = 0; i < gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(gaps, i);

		out_row(out, (const struct out_value[]){{gap->sensor, 0},
							{NULL, gap->from_us},
							{NULL, gap->to_us},
							{gap->reason, 0},
							{NULL, (gint64)gap->messages}});
	}
	out_end(out);
}

static const struct out_column advice_columns[] = {
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"advice", "ADVICE", OUT_TEXT, 0},
	{NULL},
};

/* What an administrator had better change; nothing, where all is as it should be. */
static void
write_advice(struct out *out, const struct store_status *status)
{
	gboolean any = FALSE;

	out_begin(out, "advice", advice_columns);
	for (guint i = 0; i < status->sensors->len; i++) {
		const struct store_sensor *sensor = g_ptr_array_index(status->sensors, i);

		if (beat_number(sensor->counters, "short_queue_ids", 0) <= 0)
			continue;
		if (!any)
			out_note(out, "%s", "");
		any = TRUE;
		out_row(out, (const struct out_value[]){
				     {sensor->sensor, 0},
				     {"Postfix uses its queue ids again: set "
				      "enable_long_queue_ids = yes, so that a log line is of one "
				      "message for ever",
				      0}});
	}
	out_end(out);
}

static gboolean
write_status(struct command *command, struct store *store, struct out *out, const char *tenant,
	     GError **error)
{
	g_autoptr(query_t) everything = query_new(command->tenant);
	const struct store_expected expected = command_expected(command);
	struct store_coverage coverage;
	struct store_status status;

	if (!store_status(store, tenant, &status, error))
		return FALSE;
	write_store(out, command->store_url, &status);
	write_sensors(out, &status);
	write_advice(out, &status);
	store_status_clear(&status);
	if (!store_coverage(store, everything, &expected, &coverage, error))
		return FALSE;
	write_gaps(out, coverage.gaps);
	store_coverage_clear(&coverage);
	return TRUE;
}

/* ---- --check ---- */

#define DAY_US (24 * 3600 * (gint64)G_USEC_PER_SEC)

static const struct out_column check_columns[] = {
	{"name", "", OUT_TEXT, 0},
	{"state", "", OUT_TEXT, 0},
	{"value", "", OUT_INT, 0},
	{"warning", "", OUT_INT, 0},
	{"critical", "", OUT_INT, 0},
	{"worst", "", OUT_TEXT, 0},
	{NULL},
};

static void
check_spool(struct check *check, const struct store_sensor *sensor)
{
	gint64 bytes = beat_number(sensor->counters, "spool_bytes", 0);
	gint64 most = beat_number(sensor->counters, "spool_max_bytes", 0);
	gint64 alarm = beat_number(sensor->counters, "spool_alarm", 0);
	gint64 percent = bytes > 0 && most > 0 ? (gint64)(100.0 * (double)bytes / (double)most) : 0;

	/* The alarm also counts what was refused and kept. */
	check_note(check, CHECK_SPOOL, MAX(percent, alarm), sensor->sensor);
}

static gboolean
is_expected(const struct command *command, const char *sensor)
{
	const struct settings *settings = command->settings;

	return g_strv_contains((const char *const *)settings->expected_sensors, sensor) ||
	       g_strv_contains((const char *const *)settings->expected_followers, sensor);
}

static gboolean
check_sensors(const struct command *command, struct store *store, struct check *check,
	      GError **error)
{
	gint64 now_us = g_get_real_time();
	struct store_status status;

	if (!store_status(store, command->tenant, &status, error))
		return FALSE;
	for (guint i = 0; i < status.sensors->len; i++) {
		const struct store_sensor *sensor = g_ptr_array_index(status.sensors, i);

		if (is_expected(command, sensor->sensor) && sensor->last_seen_us > 0)
			check_note(check, CHECK_SILENCE,
				   (now_us - sensor->last_seen_us) / G_USEC_PER_SEC,
				   sensor->sensor);
		check_note(check, CHECK_LAG,
			   (gint64)(MAX(sensor->last, sensor->through) - sensor->through),
			   sensor->sensor);
		check_spool(check, sensor);
	}
	check_note(check, CHECK_DEAD_LETTERS, (gint64)status.dead_letters, NULL);
	store_status_clear(&status);
	return TRUE;
}

static void
check_gaps(struct check *check, const struct store_coverage *coverage)
{
	gint64 gaps = 0;

	for (guint i = 0; i < coverage->gaps->len; i++) {
		const struct store_gap *gap = g_ptr_array_index(coverage->gaps, i);

		/* Neither a gateway that was attached today nor what is exempt is trouble. */
		if (strcmp(gap->reason, "not-begun") == 0 || strcmp(gap->reason, "exempt") == 0)
			continue;
		check_note(check, CHECK_GAPS, ++gaps, gap->sensor);
		if (strcmp(gap->reason, "never-seen") == 0)
			check_note(check, CHECK_SILENCE, check->values[CHECK_SILENCE].critical,
				   gap->sensor);
	}
	for (guint i = 0; i < coverage->clocks->len; i++) {
		const struct store_clock *clock = g_ptr_array_index(coverage->clocks, i);

		check_note(check, CHECK_CLOCK, ABS(clock->offset_us) / 1000, clock->sensor);
	}
}

static gboolean
check_coverage(const struct command *command, struct store *store, struct check *check,
	       GError **error)
{
	const struct store_expected expected = command_expected(command);
	g_autoptr(query_t) query = query_new(command->tenant);
	struct store_coverage coverage;

	query->since_us = g_get_real_time() - DAY_US;
	if (!store_coverage(store, query, &expected, &coverage, error))
		return FALSE;
	check_gaps(check, &coverage);
	check_note(check, CHECK_UNSEEN, (gint64)coverage.unseen, NULL);
	check_note(check, CHECK_UNREAD,
		   coverage.messages ? (gint64)(coverage.unread * 100 / coverage.messages) : 0,
		   NULL);
	store_coverage_clear(&coverage);
	return TRUE;
}

static void
write_check(const struct command *command, const struct check *check)
{
	g_autofree char *line = check_line(check);
	struct out *out = command_out(command);

	out_note(out, "%s", line);
	if (command->json) {
		out_begin(out, "check", check_columns);
		for (guint i = 0; i < CHECK_KINDS; i++) {
			const struct check_value *value = &check->values[i];

			out_row(out, (const struct out_value[]){
					     {check_name(i), 0},
					     {check_state_name(check_value_state(value)), 0},
					     {NULL, value->value},
					     {NULL, value->warning},
					     {NULL, value->critical},
					     {value->worst, 0}});
		}
		out_end(out);
	}
	command_end(command, out, 0);
}

static gboolean
set_thresholds(struct check *check, char **texts, gboolean critical, GError **error)
{
	for (; texts && *texts; texts++)
		if (!check_set(check, *texts, critical, error))
			return FALSE;
	return TRUE;
}

/* Answers as a monitoring plugin does, in its exit statuses. */
static int
run_check(struct command *command, char **warnings, char **criticals)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(store_t) store = NULL;
	struct check check;
	int state = CHECK_UNKNOWN;

	check_init(&check);
	check.values[CHECK_CLOCK].warning = command->settings->max_clock_offset_ms;
	if (set_thresholds(&check, warnings, FALSE, &error) &&
	    set_thresholds(&check, criticals, TRUE, &error)) {
		store = store_open(command->store_url, STORE_READ, &error);
		if (!store || !check_sensors(command, store, &check, &error) ||
		    !check_coverage(command, store, &check, &error))
			check.failure =
				g_strdup_printf("the store cannot be read: %s", error->message);
		write_check(command, &check);
		state = check_state(&check);
	} else {
		command_fail(command, "%s", error->message);
	}
	check_clear(&check);
	return state;
}

/* ---- the verb ---- */

static int
show_status(struct command *command, gboolean all)
{
	g_autoptr(store_t) store = command_store(command);
	g_autoptr(GError) error = NULL;
	struct out *out;
	int status = EXIT_FOUND;

	if (!store)
		return EXIT_TROUBLE;
	out = command_out(command);
	if (!write_status(command, store, out, all ? NULL : command->tenant, &error))
		status = command_fail(command, "%s", error->message);
	return command_end(command, out, status);
}

int
cmd_status(struct command *command, int argc, char **argv)
{
	gboolean all = FALSE, check = FALSE;
	g_auto(GStrv) warnings = NULL, criticals = NULL;
	const GOptionEntry entries[] = {
		{"all-tenants", 0, 0, G_OPTION_ARG_NONE, &all, "not only --tenant's", NULL},
		{"check", 0, 0, G_OPTION_ARG_NONE, &check,
		 "one line and exit statuses for a monitoring system", NULL},
		{"warning", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &warnings,
		 "of --check: warn from here on", "NAME=N"},
		{"critical", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &criticals, "likewise, critical",
		 "NAME=N"},
		{NULL},
	};

	if (!command_parse(command, entries, "",
			   "Prints how the store and the sensors stand: sizes, lag, gaps, dead\n"
			   "letters.  Gaps are those of the tenant.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1)
		return command_fail(command, "takes no arguments");
	if (command->csv)
		return command_fail(command, "there is no --csv of three kinds of rows");
	if ((warnings || criticals) && !check)
		return command_fail(command, "--warning and --critical are of --check");
	return check ? run_check(command, warnings, criticals) : show_status(command, all);
}
