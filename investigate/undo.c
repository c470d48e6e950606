/* SPDX-License-Identifier: BSD-2-Clause */
#include "undo.h"

#include <string.h>

/* A plan of undoing, being made. */
struct undoing {
	struct plan *plan;
	struct undo_left *left;
	GError *error;
};

/* Whether the command may have changed something, though nobody told. */
static gboolean
is_uncertain(const struct store_command *command)
{
	return command->outcome < 0 || command->outcome == OPENC2_UNREACHABLE ||
	       command->outcome == OPENC2_FAILED;
}

static gboolean
has_effect(const struct store_command *stored, const struct openc2_response *response)
{
	if (stored->role == OPENC2_GATEWAY || stored->role == OPENC2_ENDPOINT)
		return response->outcome == OPENC2_DONE;
	return response->copies->len > 0;
}

/* Makes of a command the one that undoes it; takes over the copies. */
static void
invert(struct openc2_command *command, struct openc2_response *response)
{
	gboolean is_message = command->message != NULL;

	g_free(command->undoes);
	command->undoes = command->command_id;
	command->command_id = g_uuid_string_random();
	command->action = is_message ? OPENC2_RESTORE : OPENC2_ALLOW;
	command->stop_time_ms = 0;
	g_clear_pointer(&command->mode, g_free);
	g_clear_pointer(&command->destination, g_free);
	g_clear_pointer(&command->copies, g_ptr_array_unref);
	if (is_message)
		command->copies = g_ptr_array_ref(response->copies);
}

/* Returns what undoes a command that was answered; NULL with an error, or when it changed nothing.
 */
static struct openc2_command *
inverse_of(const struct store_command *stored, GError **error)
{
	g_autoptr(openc2_command_t) command =
		openc2_command_decode(stored->json, strlen(stored->json), error);
	g_autoptr(openc2_response_t) response = NULL;

	if (command)
		response =
			openc2_response_decode(stored->response, strlen(stored->response), error);
	if (!response || !has_effect(stored, response))
		return NULL;
	invert(command, response);
	return g_steal_pointer(&command);
}

static void
set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

gboolean
undo_is_of(const struct openc2_command *command, const struct store_command *stored)
{
	g_autoptr(openc2_command_t) inverse = stored->response ? inverse_of(stored, NULL) : NULL;
	g_autofree char *wanted = NULL, *got = NULL;

	if (!inverse)
		return FALSE;
	set_text(&inverse->command_id, command->command_id);
	set_text(&inverse->case_id, command->case_id);
	set_text(&inverse->reason, command->reason);
	wanted = openc2_command_encode(inverse);
	got = openc2_command_encode(command);
	return strcmp(wanted, got) == 0;
}

static gboolean
add_inverse(struct undoing *undoing, const struct store_command *stored)
{
	struct openc2_command *command = inverse_of(stored, &undoing->error);

	if (command)
		g_ptr_array_add(undoing->plan->commands, command);
	else if (!undoing->error)
		undoing->left->nothing++;
	return !undoing->error;
}

static gboolean
take_command(const struct store_command *stored, void *data)
{
	struct undoing *undoing = data;

	if (stored->undone)
		undoing->left->undone++;
	else if (stored->settled && stored->response)
		return add_inverse(undoing, stored);
	else if (!stored->denied && is_uncertain(stored))
		undoing->left->unsettled++;
	return TRUE;
}

static gboolean
refuse_undoing(GError **error)
{
	g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
		    "what undoes is not undone: make a plan with mailtrace contain instead");
	return FALSE;
}

static gboolean
add_plan(struct store *store, const struct store_plan *known, struct undoing *undoing,
	 GError **error)
{
	if (known->kind == PLAN_UNDO)
		return refuse_undoing(error);
	return store_command_each(store, known->number, take_command, undoing, error);
}

static gboolean
add_command(struct store *store, const char *id, struct undoing *undoing, gboolean *ret_known,
	    GError **error)
{
	struct store_command stored = {0};
	gboolean done = TRUE;

	if (!store_command_find(store, undoing->plan->tenant, id, &stored, ret_known, error))
		return FALSE;
	if (*ret_known && stored.undoes)
		done = refuse_undoing(error);
	else if (*ret_known)
		take_command(&stored, undoing);
	store_command_clear(&stored);
	return done;
}

gboolean
undo_add(struct store *store, const char *id, struct plan *plan, struct undo_left *left,
	 gboolean *ret_known, GError **error)
{
	struct undoing undoing = {.plan = plan, .left = left};
	struct store_plan known = {0};
	gboolean done;

	if (!store_plan_find(store, plan->tenant, id, &known, ret_known, error))
		return FALSE;
	done = *ret_known ? add_plan(store, &known, &undoing, error)
			  : add_command(store, id, &undoing, ret_known, error);
	store_plan_clear(&known);
	if (!undoing.error)
		return done;
	g_propagate_error(error, undoing.error);
	return FALSE;
}
