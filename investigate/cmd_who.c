/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "coverage.h"
#include "groups.h"
#include "members.h"
#include "progress.h"
#include "unread.h"

/*
 * Rows that are held back until the audit entry is written, so that it can
 * tell how many there are; a longer answer is entered as "-1" beforehand.
 */
#define HELD_ROWS 1000

struct who_options {
	char **files;
	char *hashes;
	char *since, *until, *cursor, *group;
	gint64 limit;
	gboolean count, refused, members, list_unread, list_unseen;
};

struct who {
	struct command *command;
	struct query *query;
	struct out *out;
	guint64 limit; /* 0: all */
	gboolean counts_only, list_unread, list_unseen;
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
	g_free(hit);
}

static void
write_hit(struct out *out, const struct store_hit *hit)
{
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
	};

	out_row(out, row);
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

/* Terms that the envelope alone answers hold of a message whose files nobody could read, too. */
static gboolean
needs_files(const struct query *query)
{
	for (guint i = 0; i < query->terms->len; i++) {
		const struct query_term *term = g_ptr_array_index(query->terms, i);

		switch (term->kind) {
		case TERM_TO:
		case TERM_QUEUE:
		case TERM_EVENT:
		case TERM_IP:
		case TERM_SASL:
		case TERM_SENSOR:
		case TERM_DIRECTION:
		case TERM_STATE:
			break;
		default:
			return TRUE;
		}
	}
	return FALSE;
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
		.needs_files = needs_files(query),
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
	progress_init(&who->progress, who->command->quiet);
	who->held = g_ptr_array_new_with_free_func((GDestroyNotify)hit_free);
	who->out = command_out(who->command);
	status = answer(who, store);
	g_ptr_array_unref(who->held);
	g_free(who->cursor);
	return command_end(who->command, who->out, status);
}

/* ---- the question ---- */

/* Asks for the members of a file too, and says what of it is not asked for. */
static gboolean
add_members(const struct command *command, struct query_term *term, const char *path,
	    GError **error)
{
	g_autoptr(reader_t) reader = NULL;
	struct members_found found;

	if (strcmp(path, "-") == 0) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_FILE,
			    "--members reads a file twice: give a path, not the standard input");
		return FALSE;
	}
	reader = command_reader(command, error);
	if (!reader || !members_add(term, path, reader, &found, error))
		return FALSE;
	if (found.incomplete)
		command_fail(command,
			     "%s: some of its members could not be read, and are not "
			     "asked for; see mailtrace inspect",
			     path);
	if (!command->quiet)
		fprintf(stderr, "%s: %u members are asked for too, %u below %d bytes are not.\n",
			path, found.members, found.small, CANDIDATE_MIN_BYTES);
	return TRUE;
}

static gboolean
add_word(const struct command *command, struct query *query, const struct who_options *options,
	 const char *word, gboolean is_file, GError **error)
{
	struct query_term *term;

	if (!query_add(query, word, is_file, error))
		return FALSE;
	term = g_ptr_array_index(query->terms, query->terms->len - 1);
	if (!options->members || term->kind != TERM_DIGEST || !term->has_content)
		return TRUE;
	return add_members(command, term, word, error);
}

static gboolean
add_terms(const struct command *command, struct query *query, const struct who_options *options,
	  char **words, GError **error)
{
	for (; *words; words++)
		if (!add_word(command, query, options, *words, FALSE, error))
			return FALSE;
	for (char **file = options->files; file && *file; file++)
		if (!add_word(command, query, options, *file, TRUE, error))
			return FALSE;
	return !options->hashes || query_add_hashes(query, options->hashes, error);
}

static gboolean
fill_query(const struct command *command, struct query *query, const struct who_options *options,
	   char **words, GError **error)
{
	gint64 now_us = g_get_real_time();

	if (options->since && !query_parse_time(options->since, now_us, &query->since_us, error))
		return FALSE;
	if (options->until && !query_parse_time(options->until, now_us, &query->until_us, error))
		return FALSE;
	if (query->since_us && query->until_us && query->since_us >= query->until_us) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TIME,
			    "--since is not before --until: no message can lie between them");
		return FALSE;
	}
	query->cursor = g_strdup(options->cursor);
	query->with_refused = options->refused;
	return add_terms(command, query, options, words, error);
}

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
	if (options->limit < 0)
		return command_fail(command, "--limit is a number of rows, 0 for all");
	if (!fill_query(command, query, options, words, &error))
		return command_fail(command, "%s", error->message);
	if (!query->terms->len && !options->since)
		return command_fail(command, "what file or message?  Give a path, a hash, or a "
					     "term like subject:TEXT; see mailtrace who --help");
	who.counts_only = options->count;
	who.list_unread = options->list_unread;
	who.list_unseen = options->list_unseen;
	if (by != GROUP_NONE)
		who.groups = groups_new(by, command->utc || command->json || command->csv);
	else if (!options->count)
		who.limit = (guint64)options->limit;
	query->limit = who.limit ? who.limit + 1 : 0;
	status = ask(&who);
	groups_free(who.groups);
	return status;
}

static void
options_clear(struct who_options *options)
{
	g_strfreev(options->files);
	g_free(options->hashes);
	g_free(options->since);
	g_free(options->until);
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
		{"file", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.files,
		 "a file, whatever its name looks like; - is the standard input", "PATH"},
		{"hashes", 0, 0, G_OPTION_ARG_FILENAME, &options.hashes,
		 "a list of hashes, any of which may match; - is the standard input", "PATH"},
		{"members", 'm', 0, G_OPTION_ARG_NONE, &options.members,
		 "also ask for what is in the files", NULL},
		{"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since,
		 "RFC 3339, YYYY-MM-DD, or 7d, 12h, 30m, 2w ago", "TIME"},
		{"until", 0, 0, G_OPTION_ARG_FILENAME, &options.until, "likewise, exclusive",
		 "TIME"},
		{"limit", 0, 0, G_OPTION_ARG_INT64, &options.limit, "at most so many rows", "N"},
		{"cursor", 0, 0, G_OPTION_ARG_FILENAME, &options.cursor,
		 "continue an answer that had more", "CURSOR"},
		{"count", 0, 0, G_OPTION_ARG_NONE, &options.count, "only how many", NULL},
		{"group-by", 0, 0, G_OPTION_ARG_FILENAME, &options.group,
		 "recipient, sender, sensor, subject, file or day", "WHAT"},
		{"with-refused", 0, 0, G_OPTION_ARG_NONE, &options.refused,
		 "also recipients and messages that were refused", NULL},
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
