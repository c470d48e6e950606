/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_head.h - what a plan takes from the command line and the configuration.
 *
 * Shared by the commands that plan.  One thread.
 */
#ifndef MAILTRACE_PLAN_HEAD_H
#define MAILTRACE_PLAN_HEAD_H

#include "command.h"
#include "plan.h"
#include "planner.h"

/* Gives a new plan its question (words as typed, NULL-terminated), maker, time, case, reason. */
void plan_head_fill(struct plan *plan, const struct command *command, char **words);

/* Returns what the planner goes by as the configuration has it; borrowed from the settings. */
struct planner_options plan_head_options(const struct command *command);

/* Has the planner find every copy (planner_fill()), with a progress bar. */
gboolean plan_head_find(const struct command *command, struct store *store,
			const struct query *query, const struct planner_options *options,
			struct plan *plan, guint64 *ret_hits, GError **error);
#endif
