/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * undo.h - from what was done to a plan that puts it back.
 *
 * Each settled command has its inverse, with the copies that the actuator told: a
 * mailbox's or queue's copy is restored, a device allowed, a block removed when the
 * plan had added it.  What had nothing to act on is left as it is.  Reads the store,
 * changes nothing.  One thread.
 */
#ifndef MAILTRACE_UNDO_H
#define MAILTRACE_UNDO_H

#include "plan.h"
#include "store.h"
#include "store_plans.h"

/* What is not put back. */
struct undo_left {
	guint undone;	 /* was undone before */
	guint nothing;	 /* nothing was changed by it */
	guint unsettled; /* it is not known whether it was done */
};

/*
 * Adds to a plan of the kind PLAN_UNDO what undoes a command or all of a plan, by its
 * id; counts in *left.  *ret_known is FALSE if there is neither.
 */
gboolean undo_add(struct store *store, const char *id, struct plan *plan, struct undo_left *left,
		  gboolean *ret_known, GError **error);

/*
 * Returns whether a command is the inverse of one that was answered: the same target,
 * and the copies that were told; id, case and reason are its own.
 */
gboolean undo_is_of(const struct openc2_command *command, const struct store_command *stored);
#endif
