/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an OpenC2 consumer answers over HTTPS, a command, an actuator's response: of any
 * bytes each reader refuses them, or gives what can be written and read again.
 */
#include <stdint.h>
#include <string.h>

#include "caps.h"
#include "openc2_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUEST "0e3d8fa8-0bae-4055-a341-9c97b4f328f7"

static void
check_response(const struct openc2_response *response)
{
	g_autofree char *line = openc2_response_encode(response);
	g_autoptr(openc2_response_t) back = openc2_response_decode(line, strlen(line), NULL);

	if (!back || back->outcome != response->outcome ||
	    strcmp(back->command_id, response->command_id) != 0)
		g_error("a response does not come back the same");
}

static void
check_answer(const struct openc2_command *command, const char *text, size_t size)
{
	struct openc2_response *response = NULL;
	g_autoptr(GError) error = NULL;
	guint status = openc2_message_decode(command, REQUEST, text, size, &response, &error);

	if ((status == 0) != (error != NULL) ||
	    (response == NULL) != (status == 0 || status == OPENC2_STATUS_PROCESSING))
		g_error("an answer is neither taken nor refused");
	if (response && strcmp(response->command_id, command->command_id) != 0)
		g_error("an answer counts for another command");
	if (response)
		check_response(response);
	openc2_response_free(response);
}

static void
check_command(const char *text, size_t size)
{
	g_autoptr(openc2_command_t) command = openc2_command_decode(text, size, NULL), back = NULL;
	g_autofree char *line = NULL, *body = NULL;

	if (!command)
		return;
	line = openc2_command_encode(command);
	back = openc2_command_decode(line, strlen(line), NULL);
	if (strlen(line) <= CAP_COMMAND_BYTES && (!back || back->role != command->role))
		g_error("a command does not come back the same");
	body = openc2_message_encode(command, OPENC2_TRANSFER_1_1, REQUEST, 0);
	check_answer(command, text, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(openc2_command_t) command = openc2_command_new(OPENC2_CONTAIN, OPENC2_ENDPOINT);
	g_autoptr(openc2_response_t) response = NULL;
	g_autofree char *type = g_strndup((const char *)data, size);

	if (size > CAP_OPENC2_ANSWER_BYTES)
		return 0;
	command->hostname = g_strdup("pc-017");
	g_free(command->command_id);
	command->command_id = g_strdup("d1");
	openc2_message_is_type(type);
	check_answer(command, (const char *)data, size);
	check_command((const char *)data, size);
	response = openc2_response_decode((const char *)data, size, NULL);
	if (response)
		check_response(response);
	return 0;
}
