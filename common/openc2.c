/* SPDX-License-Identifier: BSD-2-Clause */
#include "openc2.h"

#include <string.h>

#include "openc2_members.h"
#include "text.h"

static const char *const action_names[] = {"deny", "allow", "contain", "restore", "copy"};
static const char *const role_names[] = {"gateway", "queue", "mailstore", "endpoint"};
static const char *const outcome_names[OPENC2_OUTCOME_COUNT] = {
	"done", "already-gone", "moved-by-user", "downloaded", "not-found", "unreachable", "failed",
};

const struct text_member openc2_message_texts[] = {
	{"event_id", G_STRUCT_OFFSET(struct openc2_message, event_id)},
	{"message_id", G_STRUCT_OFFSET(struct openc2_message, message_id)},
	{"sender", G_STRUCT_OFFSET(struct openc2_message, sender)},
	{"recipient", G_STRUCT_OFFSET(struct openc2_message, recipient)},
	{"subject", G_STRUCT_OFFSET(struct openc2_message, subject)},
	{"gateway", G_STRUCT_OFFSET(struct openc2_message, gateway)},
	{"queue_id", G_STRUCT_OFFSET(struct openc2_message, queue_id)},
	{"mailbox", G_STRUCT_OFFSET(struct openc2_message, mailbox)},
	{"folder", G_STRUCT_OFFSET(struct openc2_message, folder)},
	{"storage_id", G_STRUCT_OFFSET(struct openc2_message, storage_id)},
	{NULL, 0},
};

/* Of args' x-mailtrace. */
const struct text_member openc2_argument_texts[] = {
	{"mode", G_STRUCT_OFFSET(struct openc2_command, mode)},
	{"destination", G_STRUCT_OFFSET(struct openc2_command, destination)},
	{"undoes", G_STRUCT_OFFSET(struct openc2_command, undoes)},
	{"case", G_STRUCT_OFFSET(struct openc2_command, case_id)},
	{"reason", G_STRUCT_OFFSET(struct openc2_command, reason)},
	{NULL, 0},
};

const struct text_member openc2_copy_texts[] = {
	{"guid", G_STRUCT_OFFSET(struct openc2_copy, guid)},
	{"folder", G_STRUCT_OFFSET(struct openc2_copy, folder)},
	{"quarantine", G_STRUCT_OFFSET(struct openc2_copy, quarantine)},
	{NULL, 0},
};

GQuark
openc2_error_quark(void)
{
	return g_quark_from_static_string("openc2-error");
}

/* ---- words ---- */

const char *
openc2_action_name(enum openc2_action action)
{
	return action_names[action];
}

const char *
openc2_role_name(enum openc2_role role)
{
	return role_names[role];
}

const char *
openc2_outcome_name(enum openc2_outcome outcome)
{
	return outcome_names[outcome];
}

gboolean
openc2_action_parse(const char *word, enum openc2_action *ret_action)
{
	int place = text_place(word, action_names, G_N_ELEMENTS(action_names));

	if (place < 0)
		return FALSE;
	*ret_action = (enum openc2_action)place;
	return TRUE;
}

gboolean
openc2_role_parse(const char *word, enum openc2_role *ret_role)
{
	int place = text_place(word, role_names, G_N_ELEMENTS(role_names));

	if (place < 0)
		return FALSE;
	*ret_role = (enum openc2_role)place;
	return TRUE;
}

gboolean
openc2_outcome_parse(const char *word, enum openc2_outcome *ret_outcome)
{
	int place = text_place(word, outcome_names, G_N_ELEMENTS(outcome_names));

	if (place < 0)
		return FALSE;
	*ret_outcome = (enum openc2_outcome)place;
	return TRUE;
}

gboolean
openc2_outcome_settles(enum openc2_outcome outcome)
{
	return outcome == OPENC2_DONE || outcome == OPENC2_ALREADY ||
	       outcome == OPENC2_MOVED_BY_USER;
}

/* ---- making and freeing ---- */

struct openc2_command *
openc2_command_new(enum openc2_action action, enum openc2_role role)
{
	struct openc2_command *command = g_new0(struct openc2_command, 1);

	command->command_id = g_uuid_string_random();
	command->action = action;
	command->role = role;
	return command;
}

struct openc2_message *
openc2_message_new(void)
{
	return g_new0(struct openc2_message, 1);
}

static void
free_texts(void *base, const struct text_member *members)
{
	for (; members->name; members++)
		g_free(G_STRUCT_MEMBER(char *, base, members->offset));
}

static void
free_message(struct openc2_message *message)
{
	if (!message)
		return;
	free_texts(message, openc2_message_texts);
	g_strfreev(message->sha256);
	g_free(message);
}

void
openc2_command_free(struct openc2_command *command)
{
	if (!command)
		return;
	g_free(command->command_id);
	g_free(command->file_hash);
	g_free(command->file_name);
	free_message(command->message);
	g_free(command->hostname);
	free_texts(command, openc2_argument_texts);
	g_clear_pointer(&command->copies, g_ptr_array_unref);
	g_free(command);
}

GPtrArray *
openc2_copies_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)openc2_copy_free);
}

struct openc2_response *
openc2_response_new(const char *command_id, enum openc2_outcome outcome, const char *text)
{
	struct openc2_response *response = g_new0(struct openc2_response, 1);

	response->command_id = g_strdup(command_id);
	response->outcome = outcome;
	response->text = g_strdup(text);
	response->copies = openc2_copies_new();
	return response;
}

void
openc2_response_free(struct openc2_response *response)
{
	if (!response)
		return;
	g_free(response->command_id);
	g_free(response->text);
	g_ptr_array_unref(response->copies);
	g_free(response);
}

struct openc2_copy *
openc2_copy_new(void)
{
	return g_new0(struct openc2_copy, 1);
}

void
openc2_copy_free(struct openc2_copy *copy)
{
	if (!copy)
		return;
	free_texts(copy, openc2_copy_texts);
	g_strfreev(copy->flags);
	g_free(copy);
}

/* ---- for people ---- */

char *
openc2_command_target(const struct openc2_command *command)
{
	const struct openc2_message *message = command->message;

	if (command->file_hash)
		return g_strdup_printf("file %s", command->file_hash);
	if (message && command->role == OPENC2_QUEUE)
		return g_strdup_printf("queue %s of %s", message->queue_id, message->gateway);
	if (message)
		return g_strdup_printf("mailbox %s", message->mailbox);
	return g_strdup_printf("device %s", command->hostname);
}
