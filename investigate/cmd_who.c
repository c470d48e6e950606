/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "coverage.h"
#include "devices.h"
#include "finals.h"
#include "groups.h"
#include "progress.h"
#include "question.h"
#include "unread.h"

/*
 * Rows that are held back until the audit entry is written, so that it can
 * tell how many there are; a longer answer is entered as "-1" beforehand.
 */
#define HELD_ROWS 1000

struct who_options {
	struct question question;
	char *cursor, *group;
	gint64 limit;
	gboolean count, refused, list_unread, list_unseen, devices;
};

struct who {
	struct command *command;
	struct query *query;
	struct out *out;
	guint64 limit; /* 0: all */
	gboolean counts_only, list_unread, list_unseen;
	gboolean with_devices;
	struct store *devices; /* asked for the devices behind each copy; NULL: not wanted */
	GError *error;	       /* of that */
	struct groups *groups; /* NULL: rows are wanted */
	GPtrArray *held;       /* of struct store_hit */
	gboolean answering;    /* the audit entry is written */
	guint64 hits;
	gboolean more;	  /* there were rows past the limit */
	char *cursor;	  /* of the last row */
	gboolean refused; /* the audit entry could not be written */
	struct progress progress;
};

static const struct out_column hit_columns[] = {
	{"received_at", "RECEIVED", OUT_TIME, 0},
	{"recipient", "RECIPIENT", OUT_TEXT, 0},
	{"state", "STATE", OUT_TEXT, 0},
	{"match", "", OUT_TEXT, 0},
	{"variant", "", OUT_TEXT, 0},
	{"file", "", OUT_TEXT, 0},
	{"name", "FILE", OUT_TEXT, 40},
	{"sha256", "", OUT_TEXT, 0},
	{"subject", "SUBJECT", OUT_TEXT, 50},
	{"from", "FROM", OUT_TEXT, 40},
	{"message_id", "", OUT_TEXT, 0},
	{"queue_id", "", OUT_TEXT, 0},
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"event_id", "EVENT", OUT_TEXT, 0},
	{"finals", "", OUT_JSON_VALUE, 0},
	{NULL},
};

/* ---- rows ---- */

static struct store_hit *
hit_copy(const struct store_hit *hit)
{
	struct store_hit *copy = g_memdup2(hit, sizeof(*hit));

	copy->recipient = g_strdup(hit->recipient);
	copy->state = g_strdup(hit->state);
	copy->match = g_strdup(hit->match);
	copy->variant = g_strdup(hit->variant);
	copy->file = g_strdup(hit->file);
	copy->name = g_strdup(hit->name);
	copy->sha256 = g_strdup(hit->sha256);
	copy->subject = g_strdup(hit->subject);
	copy->from = g_strdup(hit->from);
	copy->message_id = g_strdup(hit->message_id);
	copy->queue_id = g_strdup(hit->queue_id);
	copy->sensor = g_strdup(hit->sensor);
	copy->event_id = g_strdup(hit->event_id);
	copy->cursor = NULL;
	copy->finals = hit->finals ? g_ptr_array_ref(hit->finals) : NULL;
	return copy;
}

static void
hit_free(struct store_hit *hit)
{
	g_free(hit->recipient);
	g_free(hit->state);
	g_free(hit->match);
	g_free(hit->variant);
	g_free(hit->file);
	g_free(hit->name);
	g_free(hit->sha256);
	g_free(hit->subject);
	g_free(hit->from);
	g_free(hit->message_id);
	g_free(hit->queue_id);
	g_free(hit->sensor);
	g_free(hit->event_id);
	g_clear_pointer(&hit->finals, g_ptr_array_unref);
	g_free(hit);
}

/* What the row says already is not said again: that it went to the recipient itself. */
static gboolean
tells_more(const struct store_hit *hit)
{
	const struct store_final *final;

	if (hit->finals->len != 1)
		return hit->finals->len > 1;
	final = g_ptr_array_index(hit->finals, 0);
	return g_ascii_strcasecmp(final->address, hit->recipient) != 0 || final->user;
}

static void
write_finals(struct out *out, const struct store_hit *hit)
{
	for (guint i = 0; i < hit->finals->len; i++) {
		const struct store_final *final = g_ptr_array_index(hit->finals, i);
		g_autofree char *line = final_line(out, final);

		out_under(out, line);
		for (guint n = 0; n < final->acts->len; n++) {
			g_autofree char *act = act_line(out, g_ptr_array_index(final->acts, n));
			g_autofree char *indented = g_strconcat("  ", act, NULL);

			out_under(out, indented);
		}
		for (guint n = 0; final->devices && n < final->devices->len; n++) {
			g_autofree char *use = device_line(out, final->devices->pdata[n]);
			g_autofree char *indented = g_strconcat("  ", use, NULL);

			out_under(out, indented);
		}
	}
}

static void
write_hit(struct out *out, const struct store_hit *hit)
{
	g_autofree char *finals = hit->finals ? finals_json(hit->finals) : NULL;
	const struct out_value row[] = {
		{NULL, hit->received_at_us},
		{hit->recipient, 0},
		{hit->state, 0},
		{hit->match, 0},
		{hit->variant, 0},
		{hit->file, 0},
		{hit->name, 0},
		{hit->sha256, 0},
		{hit->subject, 0},
		{hit->from, 0},
		{hit->message_id, 0},
		{hit->queue_id, 0},
		{hit->sensor, 0},
		{hit->event_id, 0},
		{finals, 0},
	};

	out_row(out, row);
	if (hit->finals && tells_more(hit))
		write_finals(out, hit);
}

/* ---- the answer ---- */

static void
write_count(struct who *who)
{
	static const struct out_column columns[] = {{"count", "", OUT_INT, 0}, {NULL}};

	if (who->command->json || who->command->csv) {
		out_begin(who->out, "count", columns);
		out_row(who->out, (const struct out_value[]){{NULL, (gint64)who->hits}});
		out_end(who->out);
	} else {
		out_note(who->out, "%" G_GUINT64_FORMAT, who->hits);
	}
}

/* Enters the question into the journal, and lets go what was held back. */
static gboolean
begin_answer(struct who *who, gint64 results)
{
	progress_end(&who->progress);
	if (!command_audit(who->command, results)) {
		who->refused = TRUE;
		return FALSE;
	}
	who->answering = TRUE;
	if (who->counts_only || who->groups)
		return TRUE;
	out_begin(who->out, "hit", hit_columns);
	for (guint i = 0; i < who->held->len; i++)
		write_hit(who->out, g_ptr_array_index(who->held, i));
	g_ptr_array_set_size(who->held, 0);
	return TRUE;
}

/* FALSE, and who->error, if the store could not tell. */
static gboolean
find_devices(struct who *who, const struct store_hit *hit)
{
	for (guint i = 0; who->devices && hit->finals && i < hit->finals->len; i++)
		if (!devices_of_final(who->devices, who->command->tenant, hit->finals->pdata[i],
				      &who->error))
			return FALSE;
	return TRUE;
}

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct who *who = data;

	if (who->limit && who->hits == who->limit) {
		who->more = TRUE;
		return FALSE;
	}
	who->hits++;
	if (who->groups)
		groups_count(who->groups, hit);
	if (who->groups || who->counts_only)
		return TRUE;
	if (!find_devices(who, hit))
		return FALSE;
	g_free(who->cursor);
	who->cursor = g_strdup(hit->cursor);
	if (who->answering) {
		write_hit(who->out, hit);
		return TRUE;
	}
	g_ptr_array_add(who->held, hit_copy(hit));
	return who->held->len < HELD_ROWS || begin_answer(who, -1);
}

static gboolean
take_progress(double share, void *data)
{
	struct who *who = data;

	if (!who->answering)
		progress_draw(&who->progress, share, "searching");
	return TRUE;
}

static void
write_more(struct who *who)
{
	static const struct out_column columns[] = {{"cursor", "", OUT_TEXT, 0}, {NULL}};

	if (who->command->json) {
		out_begin(who->out, "more", columns);
		out_row(who->out, (const struct out_value[]){{who->cursor, 0}});
		out_end(who->out);
	} else {
		fprintf(stderr, "There are more: --cursor %s\n", who->cursor);
	}
}

static void
end_rows(struct who *who)
{
	if (who->groups) {
		groups_write(who->groups, who->out);
	} else if (who->counts_only) {
		write_count(who);
	} else {
		out_end(who->out);
		if (who->more)
			write_more(who);
		if (!who->hits)
			out_note(who->out, "0 recipients.");
	}
}

/* Names the messages behind the coverage's numbers, where they were asked for. */
static gboolean
write_lists(struct who *who, struct store *store, GError **error)
{
	const struct store_expected expected = command_expected(who->command);

	return (!who->list_unread || unread_write(who->out, store, who->query, error)) &&
	       (!who->list_unseen || unseen_write(who->out, store, who->query, &expected, error));
}

/* Tells people who asked for CSV on stderr, so that the rows stay rows. */
static gboolean
write_coverage(struct who *who, struct store *store, gint64 asked_at_us, GError **error)
{
	const struct query *query = who->query;
	const struct settings *settings = who->command->settings;
	const struct store_expected expected = command_expected(who->command);
	const struct coverage_question question = {
		.since_us = query->since_us,
		.until_us = query->until_us,
		.asked_us = asked_at_us,
		.max_offset_us = settings->max_clock_offset_ms * G_TIME_SPAN_MILLISECOND,
		.has_expected = *settings->expected_sensors != NULL,
		.needs_files = question_needs_files(query),
		.nobody = who->hits == 0,
	};
	struct out *out = who->out;
	struct store_coverage coverage;

	if (!store_coverage(store, query, &expected, &coverage, error))
		return FALSE;
	if (who->command->csv)
		out = out_new(stderr, OUT_TABLE, who->command->utc);
	coverage_write(out, &coverage, &question);
	if (out != who->out)
		out_free(out);
	store_coverage_clear(&coverage);
	return TRUE;
}

static int
answer(struct who *who, struct store *store)
{
	gint64 asked_at_us = g_get_real_time();
	g_autoptr(GError) error = NULL;
	gboolean ok = store_who(store, who->query, take_hit, who, take_progress, who, NULL, &error);

	progress_end(&who->progress);
	if (who->refused || (ok && !who->answering && !begin_answer(who, (gint64)who->hits)))
		return EXIT_TROUBLE;
	if (ok && who->error) {
		g_propagate_error(&error, g_steal_pointer(&who->error));
		ok = FALSE;
	}
	if (ok) {
		end_rows(who);
		ok = write_lists(who, store, &error) &&
		     write_coverage(who, store, asked_at_us, &error);
	}
	if (ok)
		return who->hits ? EXIT_FOUND : EXIT_NOTHING;
	command_fail(who->command, "%s", error->message);
	return who->answering ? EXIT_PARTLY : EXIT_TROUBLE;
}

static int
ask(struct who *who)
{
	g_autoptr(store_t) store = command_store(who->command);
	int status;

	if (!store)
		return EXIT_TROUBLE;
	who->devices = who->with_devices ? store : NULL;
	progress_init(&who->progress, who->command->quiet);
	who->held = g_ptr_array_new_with_free_func((GDestroyNotify)hit_free);
	who->out = command_out(who->command);
	status = answer(who, store);
	g_ptr_array_unref(who->held);
	g_free(who->cursor);
	return command_end(who->command, who->out, status);
}

/* ---- the question ---- */

static int
who_with(struct command *command, const struct who_options *options, char **words)
{
	g_autoptr(query_t) query = query_new(command->tenant);
	struct who who = {.command = command, .query = query};
	enum group_by by = options->group ? group_by_parse(options->group) : GROUP_NONE;
	g_autoptr(GError) error = NULL;
	int status;

	if (options->group && by == GROUP_NONE)
		return command_fail(command, "--group-by recipient, sender, sensor, subject, file "
					     "or day");
	if (options->group && options->count)
		return command_fail(command, "choose one of --count and --group-by");
	if ((options->group || options->count) && (options->limit || options->cursor))
		return command_fail(command, "--limit and --cursor page through rows, not through "
					     "--count or --group-by, which are of all");
	if (command->csv && (options->list_unread || options->list_unseen))
		return command_fail(command, "there is no --csv of two kinds of rows");
	if ((options->group || options->count) && options->devices)
		return command_fail(command, "--devices is of rows, not of --count or --group-by");
	if (options->limit < 0)
		return command_fail(command, "--limit is a number of rows, 0 for all");
	if (!question_fill(&options->question, command, words, query, &error))
		return command_fail(command, "%s", error->message);
	query->cursor = g_strdup(options->cursor);
	query->with_refused = options->refused;
	who.counts_only = options->count;
	who.with_devices = options->devices;
	who.list_unread = options->list_unread;
	who.list_unseen = options->list_unseen;
	if (by != GROUP_NONE)
		who.groups = groups_new(by, command->utc || command->json || command->csv);
	else if (!options->count)
		who.limit = (guint64)options->limit;
	query->limit = who.limit ? who.limit + 1 : 0;
	query->with_finals = !options->count && by == GROUP_NONE;
	status = ask(&who);
	groups_free(who.groups);
	return status;
}

static void
options_clear(struct who_options *options)
{
	question_clear(&options->question);
	g_free(options->cursor);
	g_free(options->group);
}

static const char *const summary =
	"Prints which recipients received a file or a message: a path, an MD5, SHA-1 or\n"
	"SHA-256, or terms, all of which must hold:\n"
	"  name:GLOB subject:TEXT from:ADDRESS to:ADDRESS id:MESSAGE-ID queue:ID event:ID\n"
	"  url:TEXT ip:ADDRESS sasl:USER sensor:NAME malware:GLOB ext:EXT size:RANGE\n"
	"  direction:WAY state:STATE\n"
	"Every question is entered into the journal.";

int
cmd_who(struct command *command, int argc, char **argv)
{
	struct who_options options = {0};
	const GOptionEntry entries[] = {
		QUESTION_ENTRIES(options.question),
		{"limit", 0, 0, G_OPTION_ARG_INT64, &options.limit, "at most so many rows", "N"},
		{"cursor", 0, 0, G_OPTION_ARG_FILENAME, &options.cursor,
		 "continue an answer that had more", "CURSOR"},
		{"count", 0, 0, G_OPTION_ARG_NONE, &options.count, "only how many", NULL},
		{"group-by", 0, 0, G_OPTION_ARG_FILENAME, &options.group,
		 "recipient, sender, sensor, subject, file or day", "WHAT"},
		{"with-refused", 0, 0, G_OPTION_ARG_NONE, &options.refused,
		 "also recipients and messages that were refused", NULL},
		{"devices", 0, 0, G_OPTION_ARG_NONE, &options.devices,
		 "the devices from which each mailbox was used since", NULL},
		{"list-unread", 0, 0, G_OPTION_ARG_NONE, &options.list_unread,
		 "name the messages whose files were not fully read", NULL},
		{"list-unseen", 0, 0, G_OPTION_ARG_NONE, &options.list_unseen,
		 "name the messages that the MTA's log has and no sensor saw", NULL},
		{NULL},
	};
	int status = EXIT_TROUBLE;

	if (command_parse(command, entries, "QUERY...", summary, &argc, &argv))
		status = who_with(command, &options, argv + 1);
	options_clear(&options);
	return status;
}
