/* SPDX-License-Identifier: BSD-2-Clause */
#include "openc2_message.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "json.h"

#define REQUEST "0e3d8fa8-0bae-4055-a341-9c97b4f328f7"

static struct openc2_command *
device_command(void)
{
	struct openc2_command *command = openc2_command_new(OPENC2_CONTAIN, OPENC2_ENDPOINT);

	command->hostname = g_strdup("pc-017");
	return command;
}

/* Returns the status of an answer; *ret_response as openc2_message_decode() gives it. */
static guint
decode(const struct openc2_command *command, const char *text,
       struct openc2_response **ret_response)
{
	g_autoptr(GError) error = NULL;
	guint status =
		openc2_message_decode(command, REQUEST, text, strlen(text), ret_response, &error);

	cr_assert_eq(status == 0, error != NULL, "%s", text);
	return status;
}

Test(openc2_message, a_command_travels_whole_in_either_transfer)
{
	g_autoptr(openc2_command_t) command = device_command();
	g_autofree char *line = openc2_command_encode(command);
	g_autofree char *bare =
		openc2_message_encode(command, OPENC2_TRANSFER_1_0, REQUEST, 1545257700000);
	g_autofree char *text =
		openc2_message_encode(command, OPENC2_TRANSFER_1_1, REQUEST, 1545257700000);
	g_autoptr(json_t) message = json_parse_object(text, strlen(text));
	g_autoptr(json_t) wanted = json_parse_object(line, strlen(line));
	const json_t *headers = json_object_get(message, "headers");
	const json_t *body = json_object_get(json_object_get(message, "body"), "openc2");

	cr_assert_str_eq(bare, line);
	cr_assert_str_eq(json_get_text(headers, "request_id"), REQUEST);
	cr_assert_eq(json_get_int(headers, "created", 0), 1545257700000);
	cr_assert(json_equal(json_object_get(body, "request"), wanted));
	cr_assert_eq(json_object_size(message), 2);
}

Test(openc2_message, media_types_are_those_of_version_1_0)
{
	static const char *const good[] = {
		"application/openc2+json;version=1.0", "application/openc2-rsp+json;version=1.0",
		"Application/OpenC2+JSON ; Version=\"1.0\"; charset=utf-8",
		"application/openc2+json"};
	static const char *const wrong[] = {"",
					    ";",
					    "application/json",
					    "application/openc2-cmd+json;version=1.0",
					    "application/openc2+json;version=2.0",
					    "application/openc2+json;version=",
					    "application/openc2+jsonx",
					    "text/html"};

	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		cr_assert(openc2_message_is_type(good[i]), "%s", good[i]);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_not(openc2_message_is_type(wrong[i]), "%s", wrong[i]);
}

Test(openc2_message, a_consumer_of_other_makes_is_understood_by_its_status)
{
	static const struct {
		guint status;
		enum openc2_outcome outcome;
	} cases[] = {{200, OPENC2_DONE},      {400, OPENC2_FAILED},	{401, OPENC2_FAILED},
		     {403, OPENC2_FAILED},    {500, OPENC2_FAILED},	{501, OPENC2_FAILED},
		     {404, OPENC2_NOT_FOUND}, {503, OPENC2_UNREACHABLE}};
	g_autoptr(openc2_command_t) command = device_command();

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strdup_printf(
			"{\"headers\":{\"request_id\":\"" REQUEST "\"},\"body\":{\"openc2\":{"
			"\"response\":{\"status\":%u,\"status_text\":\"words\"}}}}",
			cases[i].status);
		g_autoptr(openc2_response_t) response = NULL;

		cr_assert_eq(decode(command, text, &response), cases[i].status);
		cr_assert_eq(response->outcome, cases[i].outcome, "%s", text);
		cr_assert_str_eq(response->command_id, command->command_id);
		cr_assert(strstr(response->text, "words"), "%s", response->text);
	}
}

Test(openc2_message, processing_is_no_response_yet)
{
	g_autoptr(openc2_command_t) command = device_command();
	struct openc2_response *response = (struct openc2_response *)command;

	cr_assert_eq(decode(command, "{\"status\":102}", &response), 102);
	cr_assert_null(response);
}

/* Returns the status of what a consumer of our profile says. */
static guint
say(const struct openc2_command *command, const char *id, guint status, const char *outcome,
    struct openc2_response **ret_response)
{
	g_autofree char *text = g_strdup_printf(
		"{\"status\":%u,\"status_text\":\"words\",\"results\":{\"x-mailtrace\":{\"command_id\":\"%s\","
		"\"outcome\":\"%s\",\"copies\":[{\"guid\":\"g\",\"folder\":\"INBOX\"}]}}}",
		status, id, outcome);

	return decode(command, text, ret_response);
}

Test(openc2_message, a_consumer_of_our_profile_tells_outcome_and_copies)
{
	g_autoptr(openc2_command_t) command = device_command();
	g_autoptr(openc2_response_t) response = NULL;

	cr_assert_eq(say(command, command->command_id, 200, "moved-by-user", &response), 200);
	cr_assert_eq(response->outcome, OPENC2_MOVED_BY_USER);
	cr_assert_eq(response->copies->len, 1);
	cr_assert_str_eq(response->text, "words");
}

Test(openc2_message, what_contradicts_itself_or_is_to_another_command_is_refused)
{
	static const char *const wrong[] = {"",
					    "[]",
					    "7",
					    "{}",
					    "{\"status\":0}",
					    "{\"status\":102.0}",
					    "{\"status\":201}",
					    "{\"status\":200,\"status\":200}",
					    "{\"body\":{}}",
					    "{\"body\":7,\"status\":200}",
					    "{\"headers\":{\"request_id\":\"x\"},\"status\":200}",
					    "{\"headers\":{\"request_id\":null},\"status\":200}",
					    "{\"status\":200,\"results\":{\"x-mailtrace\":{}}}"};
	g_autoptr(openc2_command_t) command = device_command();
	struct openc2_response *response = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_eq(decode(command, wrong[i], &response), 0, "%s", wrong[i]);
	cr_assert_eq(say(command, REQUEST, 200, "done", &response), 0);
	cr_assert_eq(say(command, command->command_id, 500, "done", &response), 0);
	cr_assert_eq(say(command, command->command_id, 200, "undone", &response), 0);
	cr_assert_null(response);
}

Test(openc2_message, long_and_strange_words_still_make_a_line_that_is_read)
{
	g_autoptr(openc2_command_t) command = device_command();
	g_autoptr(GString) text = g_string_new("{\"status\":500,\"status_text\":\"");
	g_autoptr(openc2_response_t) response = NULL, again = NULL;
	g_autofree char *line = NULL;

	for (guint i = 0; i < CAP_COMMAND_TEXT_BYTES; i++)
		g_string_append(text, "\\u202e\\u0001");
	g_string_append(text, "\"}");
	cr_assert_eq(decode(command, text->str, &response), 500);
	line = openc2_response_encode(response);
	again = openc2_response_decode(line, strlen(line), NULL);
	cr_assert_not_null(again);
	cr_assert_str_eq(again->text, response->text);
}
