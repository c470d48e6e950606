/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a plan may be carried out, and its beginning. */
#include <stdlib.h>
#include <string.h>

#include "approvals.h"
#include "deny_list.h"
#include "plan_change.h"
#include "undo.h"

/* A command that was added to the store. */
struct added {
	gint64 number;
	gboolean is_mailbox;
};

/* A plan that is begun. */
struct beginning {
	struct plan_change change;
	const struct plan *plan;
	GHashTable *denied; /* entries of the deny list, by command id */
	GHashTable *added;  /* of struct added, by command id */
	gint64 number;	    /* of the plan */
};

/* ---- whether it may ---- */

/* A plan that undoes needs nobody's approval: it takes back what was approved. */
static gboolean
check_approval(const struct beginning *beginning, GError **error)
{
	const struct plan_change *change = &beginning->change;
	const struct settings *settings = change->plans->settings;
	guint targets = beginning->plan->commands->len;
	gboolean approved = FALSE;

	if (beginning->plan->kind == PLAN_UNDO || targets <= settings->approval_threshold)
		return TRUE;
	if (!approvals_suffice(change->plans->store, settings, change->tenant,
			       beginning->plan->digest, change->caller->uid, &approved, error))
		return FALSE;
	return approved ||
	       plan_change_refuse(error,
				  "the plan has %u targets, more than approval_threshold (%u): "
				  "another person is to approve it first, with mailtrace approve",
				  targets, settings->approval_threshold);
}

static gboolean
check_plan(const struct beginning *beginning, GError **error)
{
	const struct plan *plan = beginning->plan;

	if (strcmp(plan->tenant, beginning->change.tenant) != 0)
		return plan_change_refuse(error, "the plan is of tenant %s", plan->tenant);
	if (plan->expires_us <= beginning->change.caller->time_us)
		return plan_change_refuse(error, "the plan has expired; make it anew");
	if (!plan->commands->len)
		return plan_change_refuse(error, "the plan has no commands");
	return check_approval(beginning, error);
}

/* ---- its commands ---- */

static gboolean
fits_kind(const struct plan *plan, const struct openc2_command *command)
{
	gboolean contains = command->action == OPENC2_CONTAIN || command->action == OPENC2_DENY;
	gboolean undoes = command->action == OPENC2_RESTORE || command->action == OPENC2_ALLOW;

	return plan->kind == PLAN_UNDO ? undoes && command->undoes : contains;
}

/* Finds what a command undoes: it was done, and this is exactly its inverse. */
static gboolean
find_undone(const struct beginning *beginning, const struct openc2_command *command,
	    gint64 *ret_number, GError **error)
{
	const struct plan_change *change = &beginning->change;
	struct store_command undone = {0};
	gboolean found = FALSE, fits;

	if (!store_command_find(change->plans->store, change->tenant, command->undoes, &undone,
				&found, error))
		return FALSE;
	fits = found && undone.settled && !undone.undoes && undo_is_of(command, &undone);
	*ret_number = undone.number;
	store_command_clear(&undone);
	return fits ||
	       plan_change_refuse(
		       error, "what is to undo command %s is not its inverse, or it was not done",
		       command->undoes);
}

static gboolean
add_command(struct beginning *beginning, const struct openc2_command *command, GError **error)
{
	const struct plan_change *change = &beginning->change;
	g_autofree char *json = openc2_command_encode(command);
	struct store_command stored = {
		.plan = beginning->number,
		.command_id = command->command_id,
		.role = (int)command->role,
		.json = json,
		.denied = g_hash_table_lookup(beginning->denied, command->command_id),
	};
	struct added *added;

	if (!fits_kind(beginning->plan, command))
		return plan_change_refuse(error, "command %s is not of this kind of plan",
					  command->command_id);
	if (command->undoes && !find_undone(beginning, command, &stored.undoes, error))
		return FALSE;
	if (!store_command_add(change->plans->store, change->tenant, &stored, error))
		return FALSE;
	added = g_new(struct added, 1);
	*added = (struct added){stored.number, command->role == OPENC2_MAILSTORE};
	g_hash_table_insert(beginning->added, command->command_id, added);
	return TRUE;
}

/* ---- its recipients ---- */

/* Collects the numbers of a recipient's commands; FALSE unless one is of a mailbox and none denied.
 */
static gboolean
reaches_all(const struct beginning *beginning, const struct plan_recipient *recipient,
	    GArray *ret_numbers)
{
	gboolean any_mailbox = FALSE;

	for (guint i = 0; i < recipient->commands->len; i++) {
		const char *id = recipient->commands->pdata[i];
		const struct added *added = g_hash_table_lookup(beginning->added, id);

		if (!added || g_hash_table_contains(beginning->denied, id))
			return FALSE;
		g_array_append_val(ret_numbers, added->number);
		any_mailbox |= added->is_mailbox;
	}
	return any_mailbox;
}

static char *
recipient_key(const char *event_id, const char *recipient)
{
	return g_strdup_printf("%s %s", event_id, recipient);
}

/* Recipients of whom a copy stays somewhere are not retracted, whatever becomes of the others. */
static gboolean
add_recipients(struct beginning *beginning, GError **error)
{
	g_autoptr(GHashTable) beyond = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const struct plan *plan = beginning->plan;

	for (guint i = 0; i < plan->beyond->len; i++) {
		const struct plan_beyond *entry = plan->beyond->pdata[i];

		if (entry->kind == PLAN_BEYOND_GONE)
			continue;
		g_hash_table_add(beyond, recipient_key(entry->event_id, entry->recipient));
	}
	for (guint i = 0; i < plan->recipients->len; i++) {
		const struct plan_recipient *entry = plan->recipients->pdata[i];
		g_autofree char *key = recipient_key(entry->event_id, entry->recipient);
		g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(gint64));

		if (g_hash_table_contains(beyond, key) || !reaches_all(beginning, entry, numbers))
			continue;
		if (!store_plan_recipient(beginning->change.plans->store, beginning->number,
					  entry->event_id, entry->recipient,
					  (const gint64 *)(void *)numbers->data, numbers->len,
					  error))
			return FALSE;
	}
	return TRUE;
}

/* ---- the beginning ---- */

static gboolean
add_plan(struct beginning *beginning, GError **error)
{
	const struct control_caller *caller = beginning->change.caller;
	const struct plan *plan = beginning->plan;
	struct store_plan stored = {
		.plan_id = plan->plan_id,
		.digest = plan->digest,
		.kind = (int)plan->kind,
		.created_by = plan->created_by,
		.created_us = plan->created_us,
		.expires_us = plan->expires_us,
		.begun_by = (char *)caller->actor,
		.begun_us = caller->time_us,
		.case_id = plan->case_id,
		.reason = plan->reason,
	};

	if (!store_plan_add(beginning->change.plans->store, beginning->change.tenant, &stored,
			    error))
		return FALSE;
	beginning->number = stored.number;
	for (guint i = 0; i < plan->commands->len; i++)
		if (!add_command(beginning, plan->commands->pdata[i], error))
			return FALSE;
	return plan->kind == PLAN_UNDO || add_recipients(beginning, error);
}

/* Finds the same plan, begun before. */
static gboolean
find_plan(const struct beginning *beginning, gboolean *ret_known, GError **error)
{
	const struct plan_change *change = &beginning->change;
	struct store_plan known = {0};
	gboolean is_same;

	if (!store_plan_find(change->plans->store, change->tenant, beginning->plan->plan_id, &known,
			     ret_known, error))
		return FALSE;
	is_same = !*ret_known || strcmp(known.digest, beginning->plan->digest) == 0;
	store_plan_clear(&known);
	return is_same || plan_change_refuse(error, "another plan with this id was begun before");
}

/* The deny list may have grown since the plan was begun. */
static gboolean
deny_more(const struct beginning *beginning, GError **error)
{
	const struct plan_change *change = &beginning->change;
	GHashTableIter iter;
	gpointer id, entry;

	g_hash_table_iter_init(&iter, beginning->denied);
	while (g_hash_table_iter_next(&iter, &id, &entry))
		if (!store_command_deny(change->plans->store, change->tenant, id, entry, error))
			return FALSE;
	return TRUE;
}

static gboolean
apply_begin(struct plan_change *change, GError **error)
{
	struct beginning *beginning = (struct beginning *)(void *)change;
	const struct plan *plan = beginning->plan;
	const char *arguments = json_get_text(change->request, "arguments");
	gboolean known = FALSE;

	if (!check_plan(beginning, error) || !find_plan(beginning, &known, error))
		return FALSE;
	deny_list_plan((const char *const *)change->plans->settings->never_touch, plan,
		       beginning->denied);
	if (!(known ? deny_more(beginning, error) : add_plan(beginning, error)) ||
	    !plan_change_audit(change, plan->kind == PLAN_UNDO ? "undo" : "apply",
			       arguments ? arguments : "[]", plan->commands->len, error))
		return FALSE;
	json_put_text(change->answer, "plan_id", plan->plan_id);
	json_put_int(change->answer, "commands", plan->commands->len);
	json_put_int(change->answer, "denied", g_hash_table_size(beginning->denied));
	json_object_set_new(change->answer, "known", json_boolean(known));
	return TRUE;
}

gboolean
plan_control_begin(const struct plan_control *plans, const struct control_caller *caller,
		   const json_t *request, json_t *answer, GError **error)
{
	g_autoptr(GHashTable) denied = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) added = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	const json_t *json = json_object_get(request, "plan");
	g_autoptr(plan_t) plan = NULL;
	struct beginning beginning = {
		.change = {.plans = plans, .caller = caller, .request = request, .answer = answer},
		.denied = denied,
		.added = added,
	};

	if (!json_is_object(json))
		return plan_change_refuse(error, "the request needs a plan");
	plan = plan_decode(json, error);
	beginning.plan = plan;
	return plan && plan_change_run(&beginning.change, apply_begin, error);
}
