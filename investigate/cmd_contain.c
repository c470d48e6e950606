/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "coverage.h"
#include "plan.h"
#include "plan_head.h"
#include "plan_table.h"
#include "planner.h"
#include "question.h"
#include "query_time.h"

#define DEFAULT_EXPIRES "24h"
#define BLOCK_DAYS 30 /* of the files at the gateways, as `block add` has it */

struct contain_options {
	struct question question;
	char *output, *scope, *expires;
	char **devices;
};

/* A plan being made. */
struct making {
	struct command *command;
	const struct contain_options *options;
	struct query *query;
	struct plan *plan;
	struct store_coverage coverage;
	guint64 hits;
};

/* ---- making ---- */

static gboolean
read_options(struct making *making, GError **error)
{
	const struct contain_options *options = making->options;
	struct plan *plan = making->plan;

	if (options->scope && !plan_scope_parse(options->scope, &plan->scope, error))
		return FALSE;
	if (!options->scope)
		plan->scope = PLAN_SCOPE_DEFAULT | (options->devices ? PLAN_DEVICE : 0);
	if (!query_parse_expiry(options->expires ? options->expires : DEFAULT_EXPIRES,
				plan->created_us, &plan->expires_us, error))
		return FALSE;
	if (plan->expires_us > plan->created_us)
		return TRUE;
	g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
		    "a plan expires: say in how long, like --expires 24h");
	return FALSE;
}

/* What was known of the site at this moment goes into the plan. */
static gboolean
fill_view(struct making *making, struct store *store, GError **error)
{
	const struct store_expected expected = command_expected(making->command);
	struct plan_view *view = &making->plan->view;

	if (!store_coverage(store, making->query, &expected, &making->coverage, error))
		return FALSE;
	view->messages = making->coverage.messages;
	view->unread = making->coverage.unread;
	view->complete_until_us = making->coverage.complete_until_us;
	view->reconciled = making->coverage.reconciled;
	view->gaps = making->coverage.gaps->len;
	return TRUE;
}

static gboolean
fill_plan(struct making *making, GError **error)
{
	struct planner_options options = plan_head_options(making->command);
	g_autoptr(store_t) store = store_open(making->command->store_url, STORE_READ, error);

	if (!store)
		return FALSE;
	options.devices = (const char *const *)making->options->devices;
	options.find_devices = making->options->scope != NULL;
	options.block_until_us = making->plan->created_us + BLOCK_DAYS * G_TIME_SPAN_DAY;
	return fill_view(making, store, error) &&
	       plan_head_find(making->command, store, making->query, &options, making->plan,
			      &making->hits, error);
}

/* ---- telling ---- */

/* Says what to do with the plan. */
static void
write_next(struct out *out, const struct plan *plan, const char *path)
{
	g_autofree char *expires = out_time(out, plan->expires_us);

	if (path)
		out_note(out, "Nothing is done yet.  Until %s: mailtrace apply %s", expires, path);
	else
		out_note(out, "Nothing is done and no plan is written; -o FILE writes it.");
}

static void
write_coverage(const struct making *making, struct out *out)
{
	const struct coverage_question question = {
		.since_us = making->query->since_us,
		.until_us = making->query->until_us,
		.asked_us = making->plan->created_us,
		.max_offset_us =
			making->command->settings->max_clock_offset_ms * G_TIME_SPAN_MILLISECOND,
		.has_expected = *making->command->settings->expected_sensors != NULL,
		.needs_files = question_needs_files(making->query),
		.nobody = making->hits == 0,
	};

	coverage_write(out, &making->coverage, &question);
}

/* Writes the plan where it was wanted; what there is to see, unless that is the plan itself. */
static int
deliver(struct making *making)
{
	const char *path = making->options->output;
	gboolean any = making->plan->commands->len > 0;
	g_autoptr(json_t) json = NULL;
	g_autoptr(GError) error = NULL;
	struct out *out;

	if (any && path && !plan_write(making->plan, path, &error))
		return command_fail(making->command, "%s", error->message);
	if (any && path && strcmp(path, "-") == 0)
		return EXIT_FOUND;
	if (!making->plan->digest)
		json = plan_encode(making->plan, &error);
	if (error)
		return command_fail(making->command, "%s", error->message);
	out = command_out(making->command);
	plan_table(out, making->plan);
	write_next(out, making->plan, any ? path : NULL);
	write_coverage(making, out);
	return command_end(making->command, out, any ? EXIT_FOUND : EXIT_NOTHING);
}

/* ---- the verb ---- */

static int
contain(struct making *making, char **words)
{
	struct command *command = making->command;
	g_autoptr(GError) error = NULL;
	int status;

	plan_head_fill(making->plan, command, words);
	if (!read_options(making, &error) ||
	    !question_fill(&making->options->question, command, words, making->query, &error))
		return command_fail(command, "%s", error->message);
	making->query->with_refused = TRUE;
	if (!fill_plan(making, &error))
		status = command_fail(command, "%s", error->message);
	else if (!command_audit(command, (gint64)making->hits))
		status = EXIT_TROUBLE;
	else
		status = deliver(making);
	store_coverage_clear(&making->coverage);
	return status;
}

static const char *const summary =
	"Finds every copy of what the question names, as `mailtrace who` does: in queues, in\n"
	"mailboxes, aliases expanded; and writes a plan with an OpenC2 command for each, and\n"
	"with the copies that are beyond reach.  Nothing is done before `mailtrace apply`.";

int
cmd_contain(struct command *command, int argc, char **argv)
{
	struct contain_options options = {0};
	const GOptionEntry entries[] = {
		QUESTION_ENTRIES(options.question),
		{"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output,
		 "write the plan into a new file; - is the standard output", "FILE"},
		{"scope", 0, 0, G_OPTION_ARG_FILENAME, &options.scope,
		 "some of queue,mailbox,gateway,device; all but device, which finds those that "
		 "used a mailbox since, by default",
		 "LIST"},
		{"device", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.devices,
		 "also contain this device", "HOST"},
		{"expires", 0, 0, G_OPTION_ARG_FILENAME, &options.expires,
		 "the plan may be applied for so long, 24h by default", "TIME"},
		{NULL},
	};
	struct making making = {.command = command, .options = &options};
	int status = EXIT_TROUBLE;

	making.query = query_new(command->tenant);
	making.plan = plan_new(PLAN_CONTAIN, command->tenant);
	if (command_parse(command, entries, "QUERY...", summary, &argc, &argv))
		status = command->csv ? command_fail(command, "there is no --csv of a plan")
				      : contain(&making, argv + 1);
	plan_free(making.plan);
	query_free(making.query);
	question_clear(&options.question);
	g_free(options.output);
	g_free(options.scope);
	g_free(options.expires);
	g_strfreev(options.devices);
	return status;
}
