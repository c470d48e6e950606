/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_control.h"

#include <stdlib.h>
#include <string.h>

#include "plan_change.h"

gboolean
plan_change_refuse(GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list list;

	va_start(list, format);
	message = g_strdup_vprintf(format, list);
	va_end(list);
	g_set_error_literal(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, message);
	return FALSE;
}

gboolean
plan_change_run(struct plan_change *change,
		gboolean (*apply)(struct plan_change *change, GError **error), GError **error)
{
	struct store *store = change->plans->store;

	change->tenant = json_get_text(change->request, "tenant");
	if (!change->tenant)
		return plan_change_refuse(error, "the request needs a tenant");
	if (!store_begin(store, error))
		return FALSE;
	if (apply(change, error) && store_commit(store, error))
		return TRUE;
	store_rollback(store);
	return FALSE;
}

/* Returns an entry of the journal, all borrowed; arguments: a JSON array as text. */
static struct store_audit
entry_of(const struct plan_change *change, const char *verb, const char *arguments, gint64 results)
{
	return (struct store_audit){
		.time_us = change->caller->time_us,
		.actor = (char *)change->caller->actor,
		.tenant = (char *)change->tenant,
		.verb = (char *)verb,
		.arguments = (char *)arguments,
		.case_id = (char *)json_get_text(change->request, "case"),
		.reason = (char *)json_get_text(change->request, "reason"),
		.results = results,
	};
}

gboolean
plan_change_audit(const struct plan_change *change, const char *verb, const char *arguments,
		  gint64 results, GError **error)
{
	const struct store_audit audit = entry_of(change, verb, arguments, results);

	return store_add_audit(change->plans->store, &audit, error);
}

gboolean
plan_change_find(const struct plan_change *change, struct store_plan *ret_plan, GError **error)
{
	const char *plan_id = json_get_text(change->request, "plan_id");
	gboolean found = FALSE;

	if (!plan_id)
		return plan_change_refuse(error, "the request needs a plan_id");
	if (!store_plan_find(change->plans->store, change->tenant, plan_id, ret_plan, &found,
			     error))
		return FALSE;
	return found || plan_change_refuse(error, "no plan %s was begun", plan_id);
}

/* What the journal tells of each outcome. */
static const enum audit_status statuses[OPENC2_OUTCOME_COUNT] = {
	[OPENC2_DONE] = AUDIT_DONE,	     [OPENC2_ALREADY] = AUDIT_ABSENT,
	[OPENC2_MOVED_BY_USER] = AUDIT_DONE, [OPENC2_DOWNLOADED] = AUDIT_PARTIAL,
	[OPENC2_NOT_FOUND] = AUDIT_ABSENT,   [OPENC2_UNREACHABLE] = AUDIT_ERROR,
	[OPENC2_FAILED] = AUDIT_FAILED,
};

static enum audit_remedy
remedy_of(const struct openc2_command *command)
{
	if (command->action == OPENC2_RESTORE || command->action == OPENC2_ALLOW)
		return REMEDY_RESTORE;
	if (command->action == OPENC2_DENY)
		return REMEDY_HARDEN;
	return command->role == OPENC2_MAILSTORE ? REMEDY_EVICT : REMEDY_ISOLATE;
}

static char *
answer_arguments(const struct openc2_command *command, const struct openc2_response *response)
{
	g_autofree char *target = openc2_command_target(command);
	g_autoptr(json_t) array = json_array();

	json_array_append_new(array, json_string(command->command_id));
	json_array_append_new(array, json_string(openc2_action_name(command->action)));
	json_array_append_new(array, json_string(target));
	json_array_append_new(array, json_string(openc2_outcome_name(response->outcome)));
	return json_line(array);
}

/* What takes an action back is filed under that, so that its whole story is found by one id. */
static gboolean
audit_answer(const struct plan_change *change, const struct openc2_command *command,
	     const struct openc2_response *response, GError **error)
{
	char *arguments = answer_arguments(command, response);
	struct store_audit audit = entry_of(change, "result", arguments, -1);
	gboolean done;

	audit.status = statuses[response->outcome];
	audit.detail = response->text;
	audit.command_uid = command->undoes ? command->undoes : command->command_id;
	audit.remedy = remedy_of(command);
	done = store_add_audit(change->plans->store, &audit, error);
	free(arguments);
	return done;
}

gboolean
plan_change_answer(const struct plan_change *change, const struct store_command *command,
		   const struct openc2_response *response, gint64 block, GError **error)
{
	g_autoptr(openc2_command_t) decoded =
		openc2_command_decode(command->json, strlen(command->json), error);
	g_autofree char *json = openc2_response_encode(response);
	struct store_command answered = *command;

	if (!decoded)
		return FALSE;
	answered.outcome = (int)response->outcome;
	answered.settled = openc2_outcome_settles(response->outcome);
	answered.answered_us = change->caller->time_us;
	answered.response = json;
	answered.block = block;
	return store_command_answer(change->plans->store, change->tenant, &answered, error) &&
	       audit_answer(change, decoded, response, error);
}

/* ---- results ---- */

static gboolean
check_command(const struct store_plan *plan, const struct store_command *command, GError **error)
{
	if (command->plan != plan->number)
		return plan_change_refuse(error, "command %s is not of this plan",
					  command->command_id);
	if (command->denied)
		return plan_change_refuse(error, "command %s is denied: %s is never touched",
					  command->command_id, command->denied);
	return TRUE;
}

static gboolean
record(const struct plan_change *change, const struct store_plan *plan,
       const struct openc2_response *response, gboolean *ret_recorded, GError **error)
{
	struct store_command command = {0};
	gboolean found = FALSE, done;

	if (!store_command_find(change->plans->store, change->tenant, response->command_id,
				&command, &found, error))
		return FALSE;
	if (!found)
		return plan_change_refuse(error, "there is no command %s", response->command_id);
	*ret_recorded = !command.settled;
	done = check_command(plan, &command, error) &&
	       (command.settled || plan_change_answer(change, &command, response, 0, error));
	store_command_clear(&command);
	return done;
}

static gboolean
record_line(const struct plan_change *change, const struct store_plan *plan, const json_t *value,
	    gboolean *ret_recorded, GError **error)
{
	char *line = json_line(value);
	g_autoptr(openc2_response_t) response = openc2_response_decode(line, strlen(line), error);

	free(line);
	return response && record(change, plan, response, ret_recorded, error);
}

static gboolean
record_all(const struct plan_change *change, const struct store_plan *plan, GError **error)
{
	const json_t *list = json_object_get(change->request, "responses"), *value;
	gint64 recorded = 0;
	gsize i;

	if (json_array_size(list) == 0 || json_array_size(list) > PLAN_CONTROL_RESPONSES)
		return plan_change_refuse(error, "a request has 1 to 1000 responses");
	json_array_foreach (list, i, value) {
		gboolean is_new = FALSE;

		if (!record_line(change, plan, value, &is_new, error))
			return FALSE;
		recorded += is_new;
	}
	json_put_int(change->answer, "recorded", recorded);
	json_put_int(change->answer, "ignored", (gint64)json_array_size(list) - recorded);
	return TRUE;
}

static gboolean
apply_result(struct plan_change *change, GError **error)
{
	struct store_plan plan = {0};
	gboolean done;

	if (!plan_change_find(change, &plan, error))
		return FALSE;
	done = record_all(change, &plan, error);
	store_plan_clear(&plan);
	return done;
}

gboolean
plan_control_result(const struct plan_control *plans, const struct control_caller *caller,
		    const json_t *request, json_t *answer, GError **error)
{
	struct plan_change change = {
		.plans = plans, .caller = caller, .request = request, .answer = answer};

	return plan_change_run(&change, apply_result, error);
}
