/* SPDX-License-Identifier: BSD-2-Clause */
#include "carry_out.h"
#include "command.h"
#include "plan.h"

static int
apply(struct command *command, const char *path, const struct carry_out_options *options)
{
	g_autoptr(json_t) json = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(plan_t) plan = plan_read(path, &json, &error);

	if (!plan)
		return command_fail(command, "%s", error->message);
	if (plan->kind == PLAN_UNDO)
		return command_fail(command, "this plan undoes another; give it to mailtrace undo");
	return carry_out(command, plan, json, options);
}

static const char *const summary =
	"Carries out a plan that `mailtrace contain` wrote, and says what became of each\n"
	"target.  Run again it goes on where it was interrupted, tries again what could not\n"
	"be done, and acts on nothing twice.";

int
cmd_apply(struct command *command, int argc, char **argv)
{
	struct carry_out_options options;

	if (!carry_out_parse(command, "PLAN", summary, &options, &argc, &argv))
		return EXIT_TROUBLE;
	if (argc != 2)
		return command_fail(command, "give one plan, as mailtrace contain -o writes it");
	return apply(command, argv[1], &options);
}
