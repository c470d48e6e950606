/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "query.h"

static const struct out_column store_columns[] = {
	{"store", "STORE", OUT_TEXT, 0},
	{"schema", "", OUT_INT, 0},
	{"events", "EVENTS", OUT_INT, 0},
	{"recipients", "RECIPIENTS", OUT_INT, 0},
	{"files", "FILES", OUT_INT, 0},
	{"dead_letters", "DEAD LETTERS", OUT_INT, 0},
	{"audit_entries", "AUDIT ENTRIES", OUT_INT, 0},
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
						{NULL, (gint64)status->audit_entries},
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
	store_status_clear(&status);
	if (!store_coverage(store, everything, &expected, &coverage, error))
		return FALSE;
	write_gaps(out, coverage.gaps);
	store_coverage_clear(&coverage);
	return TRUE;
}

int
cmd_status(struct command *command, int argc, char **argv)
{
	gboolean all = FALSE;
	const GOptionEntry entries[] = {
		{"all-tenants", 0, 0, G_OPTION_ARG_NONE, &all, "not only --tenant's", NULL},
		{NULL},
	};
	g_autoptr(store_t) store = NULL;
	g_autoptr(GError) error = NULL;
	struct out *out;
	int status = EXIT_FOUND;

	if (!command_parse(command, entries, "",
			   "Prints how the store and the sensors stand: sizes, lag, gaps, dead\n"
			   "letters.  Gaps are those of the tenant.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1)
		return command_fail(command, "takes no arguments");
	if (command->csv)
		return command_fail(command, "there is no --csv of three kinds of rows");
	store = command_store(command);
	if (!store)
		return EXIT_TROUBLE;
	out = command_out(command);
	if (!write_status(command, store, out, all ? NULL : command->tenant, &error))
		status = command_fail(command, "%s", error->message);
	return command_end(command, out, status);
}
