/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outcome_table.h - what became of each target of a plan, for people and programs.
 */
#ifndef MAILTRACE_OUTCOME_TABLE_H
#define MAILTRACE_OUTCOME_TABLE_H

#include "command.h"
#include "plan.h"

/*
 * Writes a row for each target, from the store; the copies that no command reached,
 * those that left their mailboxes since the plan was made among them; and the numbers.
 * was_open: there was something to do.  Returns an exit status: EXIT_PARTLY when
 * something is left, EXIT_NOTHING when nothing was to do.
 */
int outcome_table(const struct command *command, const struct plan *plan, gboolean was_open,
		  struct out *out);
#endif
