/* SPDX-License-Identifier: BSD-2-Clause */
#include "openc2_message.h"

#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "json.h"
#include "text.h"

#define PROFILE "x-mailtrace"
#define TYPE_MESSAGE "application/openc2+json"
#define TYPE_COMMAND "application/openc2-cmd+json"
#define TYPE_RESPONSE "application/openc2-rsp+json"
#define TEXT_BYTES 500 /* escaped it may be six times as long, and a text has 4096 */
#define VERSION "version=1.0"

/* What each status means for a command, and for people. */
static const struct {
	guint status;
	enum openc2_outcome outcome;
	const char *words;
} meanings[] = {
	{OPENC2_STATUS_PROCESSING, OPENC2_UNREACHABLE, "it is working on it"},
	{OPENC2_STATUS_OK, OPENC2_DONE, "done"},
	{OPENC2_STATUS_BAD_REQUEST, OPENC2_FAILED, "it does not understand the command"},
	{OPENC2_STATUS_UNAUTHORIZED, OPENC2_FAILED, "it does not know who we are"},
	{OPENC2_STATUS_FORBIDDEN, OPENC2_FAILED, "we may not have this done"},
	{OPENC2_STATUS_NOT_FOUND, OPENC2_NOT_FOUND, "there is no such target"},
	{OPENC2_STATUS_INTERNAL_ERROR, OPENC2_FAILED, "it could not"},
	{OPENC2_STATUS_NOT_IMPLEMENTED, OPENC2_FAILED, "it cannot do this to such a target"},
	{OPENC2_STATUS_UNAVAILABLE, OPENC2_UNREACHABLE, "it cannot do this now"},
};

/* ---- media types ---- */

const char *
openc2_message_command_type(enum openc2_transfer transfer)
{
	return transfer == OPENC2_TRANSFER_1_0 ? TYPE_COMMAND ";" VERSION
					       : TYPE_MESSAGE ";" VERSION;
}

const char *
openc2_message_response_type(enum openc2_transfer transfer)
{
	return transfer == OPENC2_TRANSFER_1_0 ? TYPE_RESPONSE ";" VERSION
					       : TYPE_MESSAGE ";" VERSION;
}

/* Another version has other rules; other parameters (charset) say nothing of JSON. */
static gboolean
is_version_1_0(char *const *parameters)
{
	for (; *parameters; parameters++) {
		const char *parameter = g_strstrip(*parameters);

		if (g_ascii_strncasecmp(parameter, "version=", 8) == 0 &&
		    !g_str_equal(parameter + 8, "1.0") && !g_str_equal(parameter + 8, "\"1.0\""))
			return FALSE;
	}
	return TRUE;
}

gboolean
openc2_message_is_type(const char *type)
{
	g_auto(GStrv) parts = g_strsplit(type, ";", 8);
	const char *name = parts[0] ? g_strstrip(parts[0]) : "";

	return (g_ascii_strcasecmp(name, TYPE_MESSAGE) == 0 ||
		g_ascii_strcasecmp(name, TYPE_RESPONSE) == 0) &&
	       is_version_1_0(parts + 1);
}

/* ---- commands ---- */

char *
openc2_message_encode(const struct openc2_command *command, enum openc2_transfer transfer,
		      const char *request_id, gint64 created_ms)
{
	g_autofree char *line = openc2_command_encode(command);
	g_autoptr(json_t) message = NULL;
	char *text, *body;

	if (transfer == OPENC2_TRANSFER_1_0)
		return g_steal_pointer(&line);
	message = json_pack("{s:{s:s, s:I}, s:{s:{s:o}}}", "headers", "request_id", request_id,
			    "created", (json_int_t)created_ms, "body", "openc2", "request",
			    json_parse_object(line, strlen(line)));
	text = json_line(message);
	body = g_strdup(text);
	free(text);
	return body;
}

/* ---- responses ---- */

static gboolean
refuse(GError **error, const char *what)
{
	g_set_error(error, OPENC2_ERROR, OPENC2_ERROR_FIELD, "the consumer's answer %s", what);
	return FALSE;
}

/* Finds the response in a message; or the whole is one.  Borrowed; NULL if there is none. */
static const json_t *
find_response(const json_t *root, const char *request_id, GError **error)
{
	const json_t *body = json_object_get(root, "body");
	const json_t *response = json_object_get(json_object_get(body, "openc2"), "response");
	const json_t *id = json_object_get(json_object_get(root, "headers"), "request_id");

	if (id && g_strcmp0(json_string_value(id), request_id) != 0) {
		refuse(error, "is to another request");
		return NULL;
	}
	if (!body)
		return root;
	if (!json_is_object(response))
		refuse(error, "is a message without a response");
	return json_is_object(response) ? response : NULL;
}

/* Returns the place of a response's status among the meanings; -1 if it has none. */
static int
find_meaning(const json_t *response, GError **error)
{
	gint64 status = json_get_int(response, "status", 0);

	for (gsize i = 0; i < G_N_ELEMENTS(meanings); i++)
		if (meanings[i].status == status)
			return (int)i;
	refuse(error, "has no status of OpenC2");
	return -1;
}

/* A consumer of other makes: its status and words are all that it says. */
static struct openc2_response *
translate(const struct openc2_command *command, const json_t *response, int meaning)
{
	const char *words = json_get_text(response, "status_text");
	g_autofree char *cut =
		text_from_bytes(words ? words : "", words ? strlen(words) : 0, TEXT_BYTES, NULL);
	g_autofree char *safe = text_for_terminal(cut);
	g_autofree char *text =
		g_strdup_printf("the consumer answered %u, %s%s%s", meanings[meaning].status,
				meanings[meaning].words, *safe ? ": " : "", safe);

	return openc2_response_new(command->command_id, meanings[meaning].outcome, text);
}

/* A consumer that knows our profile says more: the outcome, and copies to be put back. */
static struct openc2_response *
take_ours(const struct openc2_command *command, const json_t *response, GError **error)
{
	char *line = json_line(response);
	g_autoptr(openc2_response_t) ours = openc2_response_decode(line, strlen(line), error);

	free(line);
	if (!ours)
		return NULL;
	if (!g_str_equal(ours->command_id, command->command_id))
		refuse(error, "is to another command");
	else if (openc2_outcome_settles(ours->outcome) &&
		 json_get_int(response, "status", 0) != OPENC2_STATUS_OK)
		refuse(error, "has a status and an outcome that contradict each other");
	else
		return g_steal_pointer(&ours);
	return NULL;
}

guint
openc2_message_decode(const struct openc2_command *command, const char *request_id,
		      const char *bytes, gsize length, struct openc2_response **ret_response,
		      GError **error)
{
	g_autoptr(json_t) root = json_parse_object(bytes, length);
	g_autoptr(openc2_response_t) read = NULL;
	const json_t *response;
	int meaning;

	if (!root) {
		g_set_error_literal(error, OPENC2_ERROR, OPENC2_ERROR_SYNTAX,
				    "the consumer's answer is not one JSON object");
		return 0;
	}
	response = find_response(root, request_id, error);
	meaning = response ? find_meaning(response, error) : -1;
	if (meaning < 0)
		return 0;
	if (meanings[meaning].status == OPENC2_STATUS_PROCESSING)
		*ret_response = NULL;
	else if (json_object_get(json_object_get(response, "results"), PROFILE))
		read = take_ours(command, response, error);
	else
		read = translate(command, response, meaning);
	if (!read && meanings[meaning].status != OPENC2_STATUS_PROCESSING)
		return 0;
	*ret_response = g_steal_pointer(&read);
	return meanings[meaning].status;
}
