/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "actions_verify.h"
#include "command.h"
#include "journal_source.h"
#include "progress.h"
#include "query.h"
#include "query_time.h"

#define PROGRESS_ENTRIES 1024

struct actions_options {
	char *since, *until, *verb, *actor, *event, *command_uid, *key;
	char **anchors;
	gint limit;
	gboolean all_tenants, verify, export;
};

/* A walk over the journal, and what is made of it. */
struct actions {
	struct command *command;
	const struct actions_options *options;
	struct journal_span span;
	struct out *out;
	struct progress progress;
	gint64 last; /* number of the newest entry */
	guint64 found;
};

static void
draw(struct actions *actions, gint64 seq)
{
	double share = actions->last ? (double)seq / (double)actions->last : 1;

	if (seq % PROGRESS_ENTRIES == 0)
		progress_draw(&actions->progress, actions->span.newest_first ? 1 - share : share,
			      "of the journal");
}

/* ---- which entries ---- */

/* An actor is asked for by number, by name, or as the list shows it. */
static gboolean
is_actor(const char *actor, const char *wanted)
{
	g_autofree char *uid = g_strdup_printf("uid=%s", wanted);
	g_autofree char *uid_named = g_strdup_printf("uid=%s(", wanted);
	g_autofree char *name = g_strdup_printf("(%s)", wanted);

	return strcmp(actor, wanted) == 0 || strcmp(actor, uid) == 0 ||
	       g_str_has_prefix(actor, uid_named) || g_str_has_suffix(actor, name);
}

/* Entries name events by their ids: in arguments, or in what was added to them. */
static gboolean
is_of_event(const struct journal_line *line, const struct journal_entry *entry, const char *id)
{
	return strcmp(entry->uid, id) == 0 ||
	       g_strstr_len(line->text, (gssize)line->length, id) != NULL;
}

static gboolean
is_wanted(const struct actions *actions, const struct journal_line *line,
	  const struct journal_entry *entry)
{
	const struct actions_options *options = actions->options;
	const char *case_id = actions->command->case_id;

	return (!options->verb || strcmp(entry->verb, options->verb) == 0) &&
	       (!options->actor || is_actor(entry->actor, options->actor)) &&
	       (!case_id || g_strcmp0(entry->case_id, case_id) == 0) &&
	       (!options->command_uid ||
		g_strcmp0(entry->command_uid, options->command_uid) == 0) &&
	       (!options->event || is_of_event(line, entry, options->event));
}

static gboolean
read_time(const char *text, gint64 *ret_us, GError **error)
{
	return !text || query_parse_time(text, g_get_real_time(), ret_us, error);
}

static gboolean
read_options(struct actions *actions, GError **error)
{
	const struct actions_options *options = actions->options;

	actions->span.tenant = options->all_tenants ? NULL : actions->command->tenant;
	if (!read_time(options->since, &actions->span.since_us, error) ||
	    !read_time(options->until, &actions->span.until_us, error))
		return FALSE;
	if (options->limit >= 0)
		return TRUE;
	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM, "--limit is a number from 0 on");
	return FALSE;
}

/* ---- list ---- */

static const struct out_column list_columns[] = {
	{"entry", "ENTRY", OUT_INT, 0},
	{"time", "TIME", OUT_TIME, 0},
	{"actor", "BY", OUT_TEXT, 0},
	{"verb", "VERB", OUT_TEXT, 0},
	{"arguments", "ARGUMENTS", OUT_TEXT, 60},
	{"results", "RESULTS", OUT_INT, 0},
	{"status", "STATUS", OUT_TEXT, 0},
	{"case", "CASE", OUT_TEXT, 0},
	{"reason", "REASON", OUT_TEXT, 40},
	{"detail", "", OUT_TEXT, 0},
	{"command", "", OUT_TEXT, 0},
	{"tenant", "", OUT_TEXT, 0},
	{"event", "", OUT_TEXT, 0},
	{NULL},
};

/* The arguments as they could be typed again. */
static char *
words_of(const char *arguments)
{
	g_autoptr(json_t) array = json_loads(arguments, 0, NULL);
	GString *words = g_string_new(NULL);
	const json_t *value;
	gsize i;

	json_array_foreach (array, i, value) {
		const char *word = json_string_value(value);
		gboolean plain = word && *word && !strpbrk(word, " \t\n\"'\\$`*?[]{}()<>|&;!#~");
		g_autofree char *quoted = word && !plain ? g_shell_quote(word) : NULL;

		g_string_append_printf(words, "%s%s", i ? " " : "",
				       quoted ? quoted
				       : word ? word
					      : "?");
	}
	return g_string_free(words, FALSE);
}

static void
write_entry(struct actions *actions, const struct journal_entry *entry)
{
	g_autofree char *words = words_of(entry->arguments);

	out_row(actions->out, (const struct out_value[]){
				      {NULL, entry->seq},
				      {NULL, entry->time_us},
				      {entry->actor, 0},
				      {entry->verb, 0},
				      {words, 0},
				      {NULL, entry->results},
				      {entry->status, 0},
				      {entry->case_id, 0},
				      {entry->reason, 0},
				      {entry->detail, 0},
				      {entry->command_uid, 0},
				      {entry->tenant, 0},
				      {entry->uid, 0},
			      });
}

/* A line that cannot be read is shown as one: it must not be passed over in silence. */
static gboolean
list_line(const struct journal_line *line, void *data)
{
	struct actions *actions = data;
	struct journal_entry entry;

	draw(actions, line->seq);
	if (!journal_read(line->text, line->length, &entry)) {
		command_fail(actions->command,
			     "entry %" G_GINT64_FORMAT " cannot be read: see --verify", line->seq);
		return TRUE;
	}
	if (is_wanted(actions, line, &entry)) {
		actions->found++;
		if (actions->options->export)
			out_json_line(actions->out, line->text, line->length);
		else
			write_entry(actions, &entry);
	}
	journal_entry_clear(&entry);
	return !actions->options->limit || actions->found < (guint64)actions->options->limit;
}

static int
list(struct actions *actions, struct journal_source *source)
{
	struct command *command = actions->command;
	g_autoptr(GError) error = NULL;
	gboolean read;

	/* The entries of an export are in the order of the chain. */
	actions->span.newest_first = !actions->options->export;
	actions->out = actions->options->export ? out_new(stdout, OUT_JSON, command->utc)
						: command_out(command);
	out_begin(actions->out, "action", list_columns);
	read = journal_source_each(source, &actions->span, list_line, actions, &error);
	out_end(actions->out);
	progress_end(&actions->progress);
	if (!read)
		command_fail(command, "%s", error->message);
	return command_end(command, actions->out,
			   !read	    ? EXIT_TROUBLE
			   : actions->found ? EXIT_FOUND
					    : EXIT_NOTHING);
}

/* ---- the verb ---- */

static int
run_list(struct command *command, const struct actions_options *options)
{
	struct actions actions = {.command = command, .options = options};
	g_autoptr(journal_source_t) source = NULL;
	g_autofree char *anchor = NULL;
	g_autoptr(GError) error = NULL;
	struct journal_head head;

	if (!read_options(&actions, &error))
		return command_fail(command, "%s", error->message);
	if (options->anchors || options->key)
		return command_fail(command, "--anchor and --key go with --verify");
	source = journal_source_open(command);
	if (!source || !command_audit(command, -1))
		return EXIT_TROUBLE;
	if (!journal_source_head(source, &head, &anchor, &error))
		return command_fail(command, "%s", error->message);
	actions.last = head.seq;
	progress_init(&actions.progress, command->quiet);
	return list(&actions, source);
}

/* To verify reveals nothing, and must not write into what is evidence. */
static int
run_verify(struct command *command, const struct actions_options *options)
{
	const struct actions_evidence evidence = {options->anchors, options->key};
	g_autoptr(journal_source_t) source = journal_source_open(command);

	return source ? actions_verify(command, source, &evidence) : EXIT_TROUBLE;
}

static int
run(struct command *command, const struct actions_options *options)
{
	return options->verify ? run_verify(command, options) : run_list(command, options);
}

static const char *const summary =
	"Lists the journal, newest first: who asked, changed and did what, when and why.\n"
	"With the global --case, what was done for a case.  --export writes the entries as\n"
	"OCSF events, oldest first; --verify proves that the journal is as it was written.\n"
	"To read the journal is an entry of it.";

int
cmd_actions(struct command *command, int argc, char **argv)
{
	struct actions_options options = {0};
	const GOptionEntry entries[] = {
		{"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since, "not before", "TIME"},
		{"until", 0, 0, G_OPTION_ARG_FILENAME, &options.until, "before", "TIME"},
		{"verb", 0, 0, G_OPTION_ARG_FILENAME, &options.verb, "who, block, ...", "VERB"},
		{"actor", 0, 0, G_OPTION_ARG_FILENAME, &options.actor, "a user by name or number",
		 "USER"},
		{"event", 0, 0, G_OPTION_ARG_FILENAME, &options.event, "entries that name an event",
		 "ID"},
		{"command", 0, 0, G_OPTION_ARG_FILENAME, &options.command_uid,
		 "an action and its results", "ID"},
		{"limit", 0, 0, G_OPTION_ARG_INT, &options.limit, "at most so many", "N"},
		{"all-tenants", 0, 0, G_OPTION_ARG_NONE, &options.all_tenants,
		 "entries of all tenants", NULL},
		{"export", 0, 0, G_OPTION_ARG_NONE, &options.export, "OCSF events, JSON Lines",
		 NULL},
		{"verify", 0, 0, G_OPTION_ARG_NONE, &options.verify,
		 "look whether it is as it was written", NULL},
		{"anchor", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.anchors,
		 "hold it against anchors: of a sensor, or a log", "FILE"},
		{"key", 0, 0, G_OPTION_ARG_FILENAME, &options.key, "the public key of the anchors",
		 "FILE"},
		{NULL},
	};
	char **owned[] = {&options.since, &options.until,	&options.verb, &options.actor,
			  &options.event, &options.command_uid, &options.key};
	int status = EXIT_TROUBLE;

	if (command_parse(command, entries, "", summary, &argc, &argv))
		status = argc > 1 ? command_fail(command, "takes no arguments")
				  : run(command, &options);
	for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
		g_free(*owned[i]);
	g_strfreev(options.anchors);
	return status;
}
