/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "openc2.h"

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct openc2_command *
mailbox_command(void)
{
	struct openc2_command *command = openc2_command_new(OPENC2_RESTORE, OPENC2_MAILSTORE);
	struct openc2_copy *copy = openc2_copy_new();

	command->message = openc2_message_new();
	command->message->mailbox = g_strdup("u2@ex.org");
	command->message->message_id = g_strdup("<a.1@x>");
	command->message->received_at_us = 1795470000000001;
	command->message->size = 4711;
	command->message->sha256 = g_strsplit(SHA256, ",", 0);
	command->undoes = g_strdup("b1");
	command->case_id = g_strdup("2026-7");
	copy->guid = g_strdup("1795383398.M1");
	copy->folder = g_strdup("Büro/Eingang");
	copy->flags = g_strsplit("\\Seen \\Flagged", " ", 0);
	copy->quarantine = g_strdup("Quarantine");
	copy->by_digest = TRUE;
	command->copies = g_ptr_array_new_with_free_func((GDestroyNotify)openc2_copy_free);
	g_ptr_array_add(command->copies, copy);
	return command;
}

static struct openc2_command *
again(const struct openc2_command *command)
{
	g_autofree char *line = openc2_command_encode(command);
	g_autoptr(GError) error = NULL;
	struct openc2_command *read = openc2_command_decode(line, strlen(line), &error);

	cr_assert(read, "%s: %s", line, error ? error->message : "");
	return read;
}

/* Returns whether a line is refused, and with which code. */
static gboolean
is_refused(const char *line, int code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(openc2_command_t) command = openc2_command_decode(line, strlen(line), &error);

	return command == NULL && g_error_matches(error, OPENC2_ERROR, code);
}

Test(openc2, command_comes_back)
{
	g_autoptr(openc2_command_t) command = mailbox_command();
	g_autoptr(openc2_command_t) read = again(command);
	const struct openc2_copy *copy = g_ptr_array_index(read->copies, 0);

	cr_assert_str_eq(read->command_id, command->command_id);
	cr_assert_eq(read->action, OPENC2_RESTORE);
	cr_assert_eq(read->role, OPENC2_MAILSTORE);
	cr_assert_str_eq(read->message->mailbox, "u2@ex.org");
	cr_assert_str_eq(read->message->message_id, "<a.1@x>");
	cr_assert_null(read->message->queue_id);
	cr_assert_eq(read->message->received_at_us, 1795470000000001);
	cr_assert_eq(read->message->size, 4711);
	cr_assert_str_eq(read->message->sha256[0], SHA256);
	cr_assert_null(read->message->sha256[1]);
	cr_assert_str_eq(read->undoes, "b1");
	cr_assert_str_eq(read->case_id, "2026-7");
	cr_assert_null(read->reason);
	cr_assert_str_eq(copy->folder, "Büro/Eingang");
	cr_assert_str_eq(copy->flags[1], "\\Flagged");
	cr_assert_str_eq(copy->quarantine, "Quarantine");
	cr_assert(copy->by_digest);
}

Test(openc2, gateway_and_device_have_the_forms_of_the_standard)
{
	g_autoptr(openc2_command_t) file = openc2_command_new(OPENC2_DENY, OPENC2_GATEWAY);
	g_autoptr(openc2_command_t) device = openc2_command_new(OPENC2_CONTAIN, OPENC2_ENDPOINT);
	g_autoptr(openc2_command_t) file_again = NULL, device_again = NULL;
	g_autofree char *line = NULL, *device_line = NULL;

	file->file_hash = g_strdup(SHA256);
	file->mode = g_strdup("hold");
	file->stop_time_ms = 1795470000000;
	device->hostname = g_strdup("pc-017");
	line = openc2_command_encode(file);
	device_line = openc2_command_encode(device);
	cr_assert(strstr(line, "\"sha256\":\"E3B0C442"), "%s", line);
	cr_assert(strstr(line, "\"stop_time\":1795470000000"), "%s", line);
	cr_assert(strstr(device_line, "\"actuator\":{\"er\":{}}"), "%s", device_line);
	cr_assert(strstr(device_line, "\"device_containment\":\"network_isolation\""));
	file_again = again(file);
	device_again = again(device);
	cr_assert_str_eq(file_again->file_hash, SHA256);
	cr_assert_str_eq(file_again->mode, "hold");
	cr_assert_str_eq(device_again->hostname, "pc-017");
}

Test(openc2, what_has_control_characters_is_as_if_unknown)
{
	g_autoptr(openc2_command_t) command = mailbox_command();
	g_autoptr(openc2_command_t) read = NULL;

	command->message->subject = g_strdup("one\r\ntwo");
	read = again(command);
	cr_assert_null(read->message->subject);
}

Test(openc2, hostile_commands_are_refused)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{"", OPENC2_ERROR_SYNTAX},
		{"[]", OPENC2_ERROR_SYNTAX},
		{"{\"action\":\"deny\",\"action\":\"allow\"}", OPENC2_ERROR_SYNTAX},
		{"{}", OPENC2_ERROR_FIELD},
		/* an id that would be a path */
		{"{\"command_id\":\"../../etc\",\"action\":\"copy\"}", OPENC2_ERROR_FIELD},
		/* an action that the profile does not have */
		{"{\"command_id\":\"a1\",\"action\":\"delete\","
		 "\"target\":{\"file\":{\"hashes\":{\"md5\":\"00000000000000000000000000000000\"}}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"gateway\"}}}",
		 OPENC2_ERROR_FIELD},
		/* two targets */
		{"{\"command_id\":\"a1\",\"action\":\"contain\",\"target\":{\"device\":{\"hostname\":"
		 "\"a\"},\"file\":{}},\"actuator\":{\"er\":{}}}",
		 OPENC2_ERROR_FIELD},
		/* a digest of another length */
		{"{\"command_id\":\"a1\",\"action\":\"deny\","
		 "\"target\":{\"file\":{\"hashes\":{\"sha256\":\"00\"}}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"gateway\"}}}",
		 OPENC2_ERROR_FIELD},
		/* a message for the gateway; a mailbox without a name; one with a line break */
		{"{\"command_id\":\"a1\",\"action\":\"contain\","
		 "\"target\":{\"x-mailtrace:message\":{\"mailbox\":\"u\"}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"gateway\"}}}",
		 OPENC2_ERROR_FIELD},
		{"{\"command_id\":\"a1\",\"action\":\"contain\","
		 "\"target\":{\"x-mailtrace:message\":{}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"mailstore\"}}}",
		 OPENC2_ERROR_FIELD},
		{"{\"command_id\":\"a1\",\"action\":\"contain\","
		 "\"target\":{\"x-mailtrace:message\":{\"mailbox\":\"u\\nv\"}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"mailstore\"}}}",
		 OPENC2_ERROR_FIELD},
		{"{\"command_id\":\"a1\",\"action\":\"contain\","
		 "\"target\":{\"x-mailtrace:message\":{\"mailbox\":\"u\",\"size\":-1}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"mailstore\"}}}",
		 OPENC2_ERROR_FIELD},
		{"{\"command_id\":\"a1\",\"action\":\"contain\","
		 "\"target\":{\"x-mailtrace:message\":{\"mailbox\":\"u\",\"sha256\":[\"x\"]}},"
		 "\"actuator\":{\"x-mailtrace\":{\"role\":\"mailstore\"}}}",
		 OPENC2_ERROR_FIELD},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		cr_expect(is_refused(rows[i].line, rows[i].code), "%s", rows[i].line);
}

/* Returns whether a command with so many copies is read. */
static gboolean
is_read_with_copies(guint count)
{
	g_autoptr(openc2_command_t) command = mailbox_command(), read = NULL;
	g_autofree char *line = NULL;

	while (command->copies->len < count) {
		const struct openc2_copy *first = g_ptr_array_index(command->copies, 0);
		struct openc2_copy *copy = openc2_copy_new();

		copy->guid = g_strdup(first->guid);
		g_ptr_array_add(command->copies, copy);
	}
	line = openc2_command_encode(command);
	read = openc2_command_decode(line, strlen(line), NULL);
	return read != NULL;
}

Test(openc2, copies_are_capped)
{
	cr_assert(is_read_with_copies(CAP_COMMAND_COPIES - 1));
	cr_assert(is_read_with_copies(CAP_COMMAND_COPIES));
	cr_assert_not(is_read_with_copies(CAP_COMMAND_COPIES + 1));
}

/* Returns whether a message with so many digests is read. */
static gboolean
is_read_with_digests(guint count)
{
	g_autoptr(GString) digests = g_string_new(NULL);
	g_autofree char *line = NULL;
	g_autoptr(openc2_command_t) read = NULL;

	for (guint i = 0; i < count; i++)
		g_string_append_printf(digests, "%s\"%s\"", i ? "," : "", SHA256);
	line = g_strdup_printf(
		"{\"command_id\":\"a1\",\"action\":\"copy\",\"target\":{\"x-mailtrace:message\":"
		"{\"mailbox\":\"u\",\"sha256\":[%s]}},\"actuator\":{\"x-mailtrace\":"
		"{\"role\":\"mailstore\"}}}",
		digests->str);
	read = openc2_command_decode(line, strlen(line), NULL);
	return read && g_strv_length(read->message->sha256) == count;
}

Test(openc2, lists_are_capped)
{
	cr_assert(is_read_with_digests(CAP_COMMAND_LIST - 1));
	cr_assert(is_read_with_digests(CAP_COMMAND_LIST));
	cr_assert_not(is_read_with_digests(CAP_COMMAND_LIST + 1));
}

/* Returns whether a mailbox whose name is so long is read. */
static gboolean
is_read_with_text(gsize length)
{
	g_autofree char *name = g_strnfill(length, 'a');
	g_autofree char *line = g_strdup_printf(
		"{\"command_id\":\"a1\",\"action\":\"copy\",\"target\":{\"x-mailtrace:message\":"
		"{\"mailbox\":\"%s\"}},\"actuator\":{\"x-mailtrace\":{\"role\":\"mailstore\"}}}",
		name);
	g_autoptr(openc2_command_t) read = openc2_command_decode(line, strlen(line), NULL);

	return read != NULL;
}

Test(openc2, texts_are_capped)
{
	cr_assert(is_read_with_text(CAP_COMMAND_TEXT_BYTES - 1));
	cr_assert(is_read_with_text(CAP_COMMAND_TEXT_BYTES));
	cr_assert_not(is_read_with_text(CAP_COMMAND_TEXT_BYTES + 1));
}

Test(openc2, lines_are_capped)
{
	for (int over = -1; over <= 1; over++) {
		const char head[] = "{\"command_id\":\"a1\",\"action\":\"copy\",\"target\":"
				    "{\"x-mailtrace:message\":{\"mailbox\":\"u\"}},\"actuator\":"
				    "{\"x-mailtrace\":{\"role\":\"mailstore\"}}}";
		gsize length = CAP_COMMAND_BYTES + over;
		g_autofree char *line = g_strnfill(length, ' ');
		g_autoptr(openc2_command_t) read = NULL;

		memcpy(line, head, strlen(head));
		read = openc2_command_decode(line, length, NULL);
		cr_assert_eq(read != NULL, over <= 0, "%d", over);
	}
}

Test(openc2, response_comes_back)
{
	for (int outcome = 0; outcome < OPENC2_OUTCOME_COUNT; outcome++) {
		g_autoptr(openc2_response_t) response =
			openc2_response_new("c1", (enum openc2_outcome)outcome, "moved\n1");
		g_autoptr(openc2_response_t) read = NULL;
		g_autofree char *line = NULL;
		struct openc2_copy *copy = openc2_copy_new();

		copy->folder = g_strdup("INBOX");
		g_ptr_array_add(response->copies, copy);
		line = openc2_response_encode(response);
		read = openc2_response_decode(line, strlen(line), NULL);
		cr_assert(read, "%s", line);
		cr_assert_str_eq(read->command_id, "c1");
		cr_assert_eq((int)read->outcome, outcome);
		cr_assert_str_eq(read->text, "moved 1");
		cr_assert_eq(read->copies->len, 1);
		cr_assert_str_eq(((struct openc2_copy *)read->copies->pdata[0])->folder, "INBOX");
	}
}

Test(openc2, hostile_responses_are_refused)
{
	static const char *const rows[] = {
		"",
		"{\"status\":200}",
		"{\"results\":{\"x-mailtrace\":{\"command_id\":\"c1\"}}}",
		"{\"results\":{\"x-mailtrace\":{\"command_id\":\"c1\",\"outcome\":\"splendid\"}}}",
		"{\"results\":{\"x-mailtrace\":{\"command_id\":7,\"outcome\":\"done\"}}}",
		"{\"results\":{\"x-mailtrace\":{\"command_id\":\"c1\",\"outcome\":\"done\",\"copies\":{}}}}",
		"{\"results\":{\"x-mailtrace\":{\"command_id\":\"c1\",\"outcome\":\"done\",\"copies\":[1]}}}",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(openc2_response_t) response =
			openc2_response_decode(rows[i], strlen(rows[i]), &error);

		cr_expect_null(response, "%s", rows[i]);
		cr_expect(error != NULL);
	}
}
