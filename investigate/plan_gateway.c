/* SPDX-License-Identifier: BSD-2-Clause */
/* A plan's commands that are the collector's own: files at the gateways. */
#include <string.h>

#include "plan_change.h"
#include "store_blocks.h"

/* Commands of one plan being carried out. */
struct gateway {
	struct plan_change change;
	GPtrArray *pending; /* of struct store_command */
	gint64 acted;
};

static struct openc2_response *
respond(const struct openc2_command *command, enum openc2_outcome outcome, const char *text)
{
	return openc2_response_new(command->command_id, outcome, text);
}

static gboolean
add_block(const struct plan_change *change, const struct openc2_command *command,
	  enum block_mode mode, guint32 *ret_number, GError **error)
{
	struct store_block block = {
		.what = command->file_hash,
		.name = command->file_name,
		.mode = mode,
		.created_us = change->caller->time_us,
		.expires_us = command->stop_time_ms * 1000,
		.actor = (char *)change->caller->actor,
		.case_id = command->case_id,
		.reason = command->reason,
	};
	struct digest digest;
	struct block_key key;
	gboolean is_new;

	if (!digest_from_hex(command->file_hash, &digest))
		return plan_change_refuse(error, "a file is known by a digest");
	block_key_of_digest(&digest, &key);
	if (!store_block_add(change->plans->store, change->tenant, &block, &key, 1, &is_new, error))
		return FALSE;
	*ret_number = block.number;
	return TRUE;
}

/* A block that others made stays as it is: undo is to leave it as it was before. */
static struct openc2_response *
deny(const struct plan_change *change, const struct openc2_command *command, gint64 *ret_block,
     GError **error)
{
	enum block_mode mode = BLOCK_REJECT, known_mode = BLOCK_OBSERVE;
	guint32 known = 0, number = 0;

	if (command->mode && !block_mode_parse(command->mode, &mode))
		return respond(command, OPENC2_FAILED, "its mode is none of a block");
	if (command->stop_time_ms && command->stop_time_ms * 1000 <= change->caller->time_us)
		return respond(command, OPENC2_FAILED, "its time is over");
	if (!store_block_find(change->plans->store, change->tenant, command->file_hash, &known,
			      &known_mode, error))
		return NULL;
	if (known && known_mode >= mode)
		return respond(command, OPENC2_ALREADY, "was blocked before");
	if (known)
		return respond(command, OPENC2_FAILED,
			       "is blocked already, more mildly: change that with mailtrace block "
			       "add --mode");
	if (!add_block(change, command, mode, &number, error))
		return NULL;
	*ret_block = number;
	return respond(command, OPENC2_DONE, "blocked");
}

/* Only the block that the plan added is removed, and only if it is still the one in force. */
static struct openc2_response *
allow(const struct plan_change *change, const struct openc2_command *command, GError **error)
{
	struct store *store = change->plans->store;
	struct store_command done = {0};
	enum block_mode mode;
	guint32 number = 0;
	gboolean found = FALSE, removed = FALSE;
	gint64 added;

	if (!store_command_find(store, change->tenant, command->undoes, &done, &found, error) ||
	    !store_block_find(store, change->tenant, command->file_hash, &number, &mode, error)) {
		store_command_clear(&done);
		return NULL;
	}
	added = done.block;
	store_command_clear(&done);
	if (!added)
		return respond(command, OPENC2_FAILED,
			       "was not blocked by us: undo it with --emit-only");
	if (number != added)
		return respond(command, OPENC2_ALREADY, "the plan's block is over already");
	if (!store_block_remove(store, change->tenant, command->file_hash, change->caller->time_us,
				&removed, error))
		return NULL;
	return respond(command, OPENC2_DONE, "block removed");
}

static gboolean
carry_out(const struct plan_change *change, const struct store_command *stored, GError **error)
{
	g_autoptr(openc2_command_t) command =
		openc2_command_decode(stored->json, strlen(stored->json), error);
	g_autoptr(openc2_response_t) response = NULL;
	gint64 block = 0;

	if (!command)
		return FALSE;
	response = command->action == OPENC2_DENY ? deny(change, command, &block, error)
						  : allow(change, command, error);
	return response && plan_change_answer(change, stored, response, block, error);
}

static void
command_free(void *data)
{
	store_command_clear(data);
	g_free(data);
}

static gboolean
take_pending(const struct store_command *command, void *data)
{
	struct gateway *gateway = data;
	struct store_command *copy;

	if (command->role != OPENC2_GATEWAY || command->settled || command->denied)
		return TRUE;
	copy = g_memdup2(command, sizeof(*command));
	copy->command_id = g_strdup(command->command_id);
	copy->json = g_strdup(command->json);
	copy->denied = NULL;
	copy->response = NULL;
	g_ptr_array_add(gateway->pending, copy);
	return TRUE;
}

static gboolean
carry_out_all(struct gateway *gateway, const struct store_plan *plan, GError **error)
{
	if (!store_command_each(gateway->change.plans->store, plan->number, take_pending, gateway,
				error))
		return FALSE;
	for (guint i = 0; i < gateway->pending->len; i++)
		if (!carry_out(&gateway->change, gateway->pending->pdata[i], error))
			return FALSE;
	gateway->acted = gateway->pending->len;
	return TRUE;
}

static gboolean
apply_gateway(struct plan_change *change, GError **error)
{
	struct gateway *gateway = (struct gateway *)(void *)change;
	struct store_plan plan = {0};
	struct block_state state;
	gboolean done;

	if (!plan_change_find(change, &plan, error))
		return FALSE;
	done = carry_out_all(gateway, &plan, error) &&
	       store_block_state(change->plans->store, &state, error);
	store_plan_clear(&plan);
	if (!done)
		return FALSE;
	json_put_int(change->answer, "acted", gateway->acted);
	json_put_int(change->answer, "version", (gint64)state.version);
	return TRUE;
}

gboolean
plan_control_gateway(const struct plan_control *plans, const struct control_caller *caller,
		     const json_t *request, json_t *answer, GError **error)
{
	g_autoptr(GPtrArray) pending = g_ptr_array_new_with_free_func(command_free);
	struct gateway gateway = {
		.change = {.plans = plans, .caller = caller, .request = request, .answer = answer},
		.pending = pending,
	};

	return plan_change_run(&gateway.change, apply_gateway, error) &&
	       block_feed_changed(plans->feed, error);
}
