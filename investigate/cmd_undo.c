/* SPDX-License-Identifier: BSD-2-Clause */
#include <unistd.h>

#include "carry_out.h"
#include "command.h"
#include "control.h"
#include "event.h"
#include "plan.h"
#include "undo.h"

#define EXPIRES_US G_TIME_SPAN_DAY /* it is carried out at once; kept for the record */

/* Returns the id that a word stands for, itself or that of the plan in the file.  Free with
 * g_free(). */
static char *
id_of(const char *word, GError **error)
{
	g_autoptr(plan_t) plan = NULL;

	if (event_id_is_valid(word))
		return g_strdup(word);
	plan = plan_read(word, NULL, error);
	return plan ? g_strdup(plan->plan_id) : NULL;
}

static gboolean
add_word(struct store *store, const char *word, struct plan *plan, struct undo_left *left,
	 GError **error)
{
	g_autofree char *id = id_of(word, error);
	gboolean known = FALSE;

	if (!id || !undo_add(store, id, plan, left, &known, error))
		return FALSE;
	if (known)
		return TRUE;
	g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
		    "%s: no plan and no command with this id was begun by tenant %s", word,
		    plan->tenant);
	return FALSE;
}

static void
tell_left(const struct command *command, const struct undo_left *left)
{
	if (left->nothing && !command->quiet)
		fprintf(stderr, "%u targets were not changed by the plan, and stay as they are.\n",
			left->nothing);
	if (left->undone && !command->quiet)
		fprintf(stderr, "%u targets were undone before.\n", left->undone);
	if (left->unsettled)
		command_fail(command,
			     "of %u targets it is not known whether they were acted on: apply "
			     "the plan again before it is undone, or they stay as they are",
			     left->unsettled);
}

static gboolean
fill_plan(struct command *command, char **words, struct plan *plan, struct undo_left *left,
	  GError **error)
{
	g_autoptr(store_t) store = store_open(command->store_url, STORE_READ, error);

	if (!store)
		return FALSE;
	plan->query = g_new0(char *, 1);
	plan->created_by = control_actor(getuid());
	plan->created_us = g_get_real_time();
	plan->expires_us = plan->created_us + EXPIRES_US;
	plan->case_id = g_strdup(command->case_id);
	plan->reason = g_strdup(command->reason);
	plan->view.store = g_strdup(command->store_url);
	for (; *words; words++)
		if (!add_word(store, *words, plan, left, error))
			return FALSE;
	return TRUE;
}

static int
undo(struct command *command, char **words, const struct carry_out_options *options)
{
	g_autoptr(plan_t) plan = plan_new(PLAN_UNDO, command->tenant);
	struct undo_left left = {0};
	g_autoptr(json_t) json = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (!fill_plan(command, words, plan, &left, &error))
		return command_fail(command, "%s", error->message);
	tell_left(command, &left);
	if (!plan->commands->len)
		return left.unsettled ? EXIT_PARTLY : EXIT_NOTHING;
	json = plan_encode(plan, &error);
	if (!json)
		return command_fail(command, "%s", error->message);
	status = carry_out(command, plan, json, options);
	return status == EXIT_FOUND && left.unsettled ? EXIT_PARTLY : status;
}

static const char *const summary =
	"Puts back what a plan did, or single commands of it: messages into the folders they\n"
	"were in, with flags and dates; releases what was held; removes the blocks that the\n"
	"plan added; lets devices go.  Give the plan's file or id, or a command's id.";

int
cmd_undo(struct command *command, int argc, char **argv)
{
	struct carry_out_options options;

	if (!carry_out_parse(command, "PLAN|ID...", summary, &options, &argc, &argv))
		return EXIT_TROUBLE;
	if (argc < 2)
		return command_fail(command, "give a plan, or the id of a plan or of a command");
	return undo(command, argv + 1, &options);
}
