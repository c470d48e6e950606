/* SPDX-License-Identifier: BSD-2-Clause */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "evidence_copies.h"
#include "evidence_zip.h"
#include "libexec.h"
#include "plan_head.h"
#include "plan_table.h"
#include "private_folder.h"
#include "question.h"

struct fetch_options {
	struct question question;
	char *output, *password_file;
	gint limit;
	gboolean all;
};

/* Evidence being brought. */
struct fetching {
	struct command *command;
	const struct fetch_options *options;
	struct query *query;
	struct plan *plan;
	char *password;
	struct private_folder *folder;
	struct evidence_copies *copies;
	char *sha256; /* of the zip; NULL: none was written */
	guint64 size;
	guint64 hits;
};

/* ---- the options ---- */

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, why);
	return FALSE;
}

/* All that can be known to fail does so before anybody's mail is looked at. */
static gboolean
check_options(const struct fetching *fetching, GError **error)
{
	const struct fetch_options *options = fetching->options;
	struct stat status;

	if (!fetching->command->case_id || !fetching->command->reason)
		return refuse(error,
			      "needs --case and --reason: they stand in the record of custody");
	if (!options->output || strcmp(options->output, "-") == 0)
		return refuse(error, "where to?  Name a new file with -o FILE.zip");
	if (options->limit < 1)
		return refuse(error, "--limit is a number from 1");
	if (g_lstat(options->output, &status) == 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "%s exists", options->output);
		return FALSE;
	}
	return TRUE;
}

static gboolean
prepare(struct fetching *fetching, char **words, GError **error)
{
	const struct fetch_options *options = fetching->options;

	if (!check_options(fetching, error))
		return FALSE;
	fetching->password = options->password_file
				     ? evidence_password_read(options->password_file, error)
				     : evidence_password_new(error);
	if (!fetching->password)
		return FALSE;
	plan_head_fill(fetching->plan, fetching->command, words);
	fetching->plan->scope = PLAN_QUEUE | PLAN_MAILBOX;
	if (!question_fill(&options->question, fetching->command, words, fetching->query, error))
		return FALSE;
	fetching->folder = private_folder_new(options->output, error);
	return fetching->folder != NULL;
}

/* ---- finding ---- */

static gboolean
find(struct fetching *fetching, GError **error)
{
	const struct planner_options options = plan_head_options(fetching->command);
	g_autoptr(store_t) store = store_open(fetching->command->store_url, STORE_READ, error);

	return store && plan_head_find(fetching->command, store, fetching->query, &options,
				       fetching->plan, &fetching->hits, error);
}

/* ---- the journal ---- */

/* The second entry: what came of it. */
static gboolean
keep_result(const struct fetching *fetching)
{
	struct command result = *fetching->command;
	g_autofree char *messages = g_strdup_printf(
		"messages=%u left=%u", fetching->copies->messages, fetching->copies->left);
	g_autofree char *zip =
		g_strconcat("sha256=", fetching->sha256 ? fetching->sha256 : "none", NULL);
	char *arguments[] = {(char *)"result", fetching->options->output, zip, messages, NULL};

	result.arguments = arguments;
	return command_audit(&result, fetching->copies->had);
}

/* ---- bringing ---- */

static gboolean
bring(struct fetching *fetching, GError **error)
{
	const char *folder = private_folder_path(fetching->folder);
	guint limit =
		fetching->options->all ? EVIDENCE_COPIES_ALL : (guint)fetching->options->limit;
	g_autofree char *helper = libexec_path("seal");

	fetching->copies = evidence_copies_bring(fetching->command, fetching->plan, folder, limit);
	if (!fetching->copies->had)
		return TRUE;
	return evidence_custody_write(fetching->copies, fetching->plan, folder,
				      fetching->plan->created_us, error) &&
	       evidence_zip_write(helper, folder, fetching->password, fetching->options->output,
				  &fetching->sha256, &fetching->size, error);
}

/* ---- telling ---- */

static const struct out_column item_columns[] = {
	{"target", "TARGET", OUT_TEXT, 60}, {"outcome", "OUTCOME", OUT_TEXT, 0},
	{"file", "FILE", OUT_TEXT, 0},	    {"size", "SIZE", OUT_INT, 0},
	{"text", "NOTE", OUT_TEXT, 80},	    {"sha256", "", OUT_TEXT, 0},
	{"recipient", "", OUT_TEXT, 0},	    {"event_id", "", OUT_TEXT, 0},
	{"command_id", "", OUT_TEXT, 0},    {"folder", "", OUT_TEXT, 0},
	{"guid", "", OUT_TEXT, 0},	    {NULL},
};

static void
write_item(struct out *out, const struct evidence_copy *copy)
{
	const struct openc2_message *message = copy->command->message;
	g_autofree char *target = openc2_command_target(copy->command);

	out_row(out, (const struct out_value[]){{target, 0},
						{openc2_outcome_name(copy->outcome), 0},
						{copy->file, 0},
						{NULL, (gint64)copy->size},
						{copy->text, 0},
						{copy->sha256, 0},
						{message->recipient, 0},
						{message->event_id, 0},
						{copy->command->command_id, 0},
						{copy->folder, 0},
						{copy->guid, 0}});
}

static void
write_items(struct out *out, const struct evidence_copies *copies)
{
	out_begin(out, "item", item_columns);
	for (guint i = 0; i < copies->tried->len; i++)
		write_item(out, copies->tried->pdata[i]);
	out_end(out);
}

static void
write_sum(struct out *out, const struct fetching *fetching)
{
	static const struct out_column columns[] = {
		{"path", "", OUT_TEXT, 0},
		{"sha256", "", OUT_TEXT, 0},
		{"size", "", OUT_INT, 0},
		{"copies", "", OUT_INT, 0},
		{"messages", "", OUT_INT, 0},
		{"left", "", OUT_INT, 0},
		{NULL},
	};
	const struct evidence_copies *copies = fetching->copies;
	const char *path = fetching->sha256 ? fetching->options->output : NULL;

	out_begin(out, "evidence", columns);
	out_row(out, (const struct out_value[]){{path, 0},
						{fetching->sha256, 0},
						{NULL, (gint64)fetching->size},
						{NULL, copies->had},
						{NULL, copies->messages},
						{NULL, copies->left}});
	out_end(out);
	if (path)
		out_note(out, "%u copies of %u messages are in %s, SHA-256 %s.", copies->had,
			 copies->messages, path, fetching->sha256);
	else
		out_note(out, "No copy was had, and no file is written.");
	if (copies->left)
		out_note(out, "Of %u messages fewer copies were had than were wanted.",
			 copies->left);
}

static int
tell(const struct fetching *fetching)
{
	const struct evidence_copies *copies = fetching->copies;
	struct out *out = command_out(fetching->command);
	int status = EXIT_FOUND;

	write_items(out, copies);
	plan_table_beyond(out, fetching->plan->beyond);
	write_sum(out, fetching);
	if (!copies->tried->len)
		status = EXIT_NOTHING;
	else if (copies->left)
		status = EXIT_PARTLY;
	status = command_end(fetching->command, out, status);
	if (fetching->sha256 && !fetching->options->password_file)
		g_printerr("The password, shown this once: %s\n", fetching->password);
	return status;
}

/* ---- the verb ---- */

static int
fetch(struct fetching *fetching, char **words)
{
	struct command *command = fetching->command;
	g_autoptr(GError) error = NULL;
	gboolean done;

	if (!prepare(fetching, words, &error) || !find(fetching, &error))
		return command_fail(command, "%s", error->message);
	if (!command_audit(command, (gint64)fetching->hits))
		return EXIT_TROUBLE;
	done = bring(fetching, &error);
	if (!keep_result(fetching)) {
		if (fetching->sha256)
			g_unlink(fetching->options->output);
		return EXIT_TROUBLE;
	}
	return done ? tell(fetching) : command_fail(command, "%s", error->message);
}

static void
clear(struct fetching *fetching)
{
	private_folder_free(fetching->folder);
	evidence_copies_free(fetching->copies);
	evidence_password_free(fetching->password);
	g_free(fetching->sha256);
	plan_free(fetching->plan);
	query_free(fetching->query);
}

static const char *const summary =
	"Brings the messages that the question names, as `mailtrace who` does, out of queues and\n"
	"mailboxes, where they stay, as evidence: a zip encrypted with AES-256, with a record of\n"
	"custody.  One copy of each message, the first that can be had; --case and --reason are\n"
	"needed.";

int
cmd_fetch(struct command *command, int argc, char **argv)
{
	struct fetch_options options = {.limit = 1};
	const GOptionEntry entries[] = {
		QUESTION_ENTRIES(options.question),
		{"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output,
		 "write the zip, a new file", "FILE"},
		{"password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.password_file,
		 "its first line is the password; else a random one is shown once", "FILE"},
		{"limit", 0, 0, G_OPTION_ARG_INT, &options.limit,
		 "so many copies of each message, 1 by default", "N"},
		{"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "every copy of each message", NULL},
		{NULL},
	};
	struct fetching fetching = {.command = command, .options = &options};
	int status = EXIT_TROUBLE;

	fetching.query = query_new(command->tenant);
	fetching.plan = plan_new(PLAN_CONTAIN, command->tenant);
	if (command_parse(command, entries, "QUERY...", summary, &argc, &argv))
		status = command->csv ? command_fail(command, "there is no --csv of evidence")
				      : fetch(&fetching, argv + 1);
	clear(&fetching);
	question_clear(&options.question);
	g_free(options.output);
	g_free(options.password_file);
	return status;
}
