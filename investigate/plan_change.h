/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_change.h - what the collector's operations on plans share: one change of
 * the store as one transaction, with its entries in the journal.  For
 * plan_control.c, plan_begin.c and plan_gateway.c alone.
 */
#ifndef MAILTRACE_PLAN_CHANGE_H
#define MAILTRACE_PLAN_CHANGE_H

#include "openc2.h"
#include "plan_control.h"
#include "store_plans.h"

/* A request under way; all borrowed. */
struct plan_change {
	const struct plan_control *plans;
	const struct control_caller *caller;
	const json_t *request;
	json_t *answer;
	const char *tenant;
};

/* Refuses a request: sets CONTROL_ERROR_REFUSED and returns FALSE. */
gboolean plan_change_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * Runs a change as a transaction.  apply fills the answer and writes its entries
 * in the journal.  FALSE, with all of it taken back, when it fails or the request
 * has no tenant.
 */
gboolean plan_change_run(struct plan_change *change,
			 gboolean (*apply)(struct plan_change *change, GError **error),
			 GError **error);

/* Writes an entry of the journal; arguments: a JSON array as text. */
gboolean plan_change_audit(const struct plan_change *change, const char *verb,
			   const char *arguments, gint64 results, GError **error);

/* Finds the plan that the request names by plan_id; clear with store_plan_clear(). */
gboolean plan_change_find(const struct plan_change *change, struct store_plan *ret_plan,
			  GError **error);

/*
 * Keeps the answer to a command that is not settled yet, with an entry in the audit
 * log.  block: number of the block that it added; 0 for none.
 */
gboolean plan_change_answer(const struct plan_change *change, const struct store_command *command,
			    const struct openc2_response *response, gint64 block, GError **error);
#endif
