/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_control.h - what the collector does for `mailtrace apply`, `undo` and
 * `approve`.
 *
 * Operations of the control socket (control.h).  The collector acts on no queue and
 * no mailbox: it says what may be done, keeps what was done, and changes the block
 * list.  Each change and its entries in the journal are one transaction.
 *
 *  - "plan-begin": tenant, plan (the plan's object), arguments, case, reason.
 *    Refused when the plan was edited, is of another tenant, has expired, is over
 *    the approval threshold without the approval of another person than the caller,
 *    or undoes what is not there.  What the deny list forbids is noted as denied,
 *    and no answer to it is taken.  A plan that was begun before goes on.  The
 *    answer has plan_id, commands, denied, and known: whether it was begun before.
 *  - "plan-result": tenant, plan_id, case, reason, and responses: at most
 *    PLAN_CONTROL_RESPONSES of those of openc2.h.  A settled command keeps its
 *    answer.  The answer has recorded and ignored.
 *  - "plan-gateway": tenant, plan_id, case, reason.  Carries out the plan's commands
 *    of the role gateway.  The answer has acted, and version of the block list.
 *  - "approve": tenant, digest (of a plan), name (of a key), signature (hexadecimal),
 *    arguments, case, reason.  The answer has new: FALSE if the key had done so before.
 */
#ifndef MAILTRACE_PLAN_CONTROL_H
#define MAILTRACE_PLAN_CONTROL_H

#include "block_feed.h"
#include "control.h"
#include "settings.h"

#define PLAN_CONTROL_RESPONSES 1000 /* of one request */

/* What the operations work on; all borrowed. */
struct plan_control {
	struct store *store;
	struct block_feed *feed;
	const struct settings *settings;
};

/* "plan-begin"; as struct control_operation, on a struct plan_control. */
gboolean plan_control_begin(const struct plan_control *plans, const struct control_caller *caller,
			    const json_t *request, json_t *answer, GError **error);

/* "plan-result", likewise. */
gboolean plan_control_result(const struct plan_control *plans, const struct control_caller *caller,
			     const json_t *request, json_t *answer, GError **error);

/* "plan-gateway", likewise. */
gboolean plan_control_gateway(const struct plan_control *plans, const struct control_caller *caller,
			      const json_t *request, json_t *answer, GError **error);
/* "approve", likewise. */
gboolean plan_control_approve(const struct plan_control *plans, const struct control_caller *caller,
			      const json_t *request, json_t *answer, GError **error);
#endif
