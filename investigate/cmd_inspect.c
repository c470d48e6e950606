/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "caps.h"
#include "command.h"
#include "event_text.h"
#include "libexec.h"
#include "mailbox.h"
#include "ocsf.h"
#include "reader.h"

struct inspection {
	struct command *command;
	struct reader *reader;
	struct out *out;
	guint good, bad;
};

static void
complain(struct inspection *inspection, const struct mailbox_message *message, const GError *error)
{
	inspection->bad++;
	if (message->number)
		command_fail(inspection->command, "%s, message %u: %s", message->path,
			     message->number, error->message);
	else
		command_fail(inspection->command, "%s: %s", message->path, error->message);
}

static gboolean
inspect_message(const struct mailbox_message *message, void *data)
{
	struct inspection *inspection = data;
	const struct reader_envelope envelope = {
		.tenant = inspection->command->tenant,
		.sensor = "import",
		.received_at_us = message->received_at_us,
		.fallback_us = message->changed_at_us,
		.without_recipients = TRUE,
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(event_t) event =
		reader_read(inspection->reader, message->bytes, message->length, &envelope, &error);
	g_autoptr(GBytes) json = NULL;
	gsize length;
	const char *text;

	if (!event) {
		complain(inspection, message, error);
		return TRUE;
	}
	if (inspection->good++)
		out_note(inspection->out, "%s", "");
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	text = g_bytes_get_data(json, &length);
	out_json_line(inspection->out, text, length);
	event_text(inspection->out, event);
	return TRUE;
}

static gboolean
inspect_trouble(const char *path, const GError *error, void *data)
{
	struct inspection *inspection = data;

	inspection->bad++;
	command_fail(inspection->command, "%s: %s", path, error->message);
	return TRUE;
}

static int
inspect_all(struct inspection *inspection, char **paths)
{
	g_autofree char *decompress = libexec_path("decompress");
	const struct mailbox_visitor visitor = {inspect_message, inspect_trouble, inspection};

	for (; *paths; paths++)
		mailbox_walk(*paths, decompress, &visitor);
	if (!inspection->bad)
		return EXIT_FOUND;
	return inspection->good ? EXIT_PARTLY : EXIT_TROUBLE;
}

int
cmd_inspect(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	struct inspection inspection = {.command = command};
	g_autoptr(GError) error = NULL;
	int status;

	if (!command_parse(command, entries, "FILE... | -",
			   "Prints what would be recorded of message files, read in the sandbox.\n"
			   "With --json, the OCSF event of each message, in the order given.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc < 2)
		return command_fail(command, "give message files, or - for the standard input");
	if (command->csv)
		return command_fail(command, "there is no --csv of a message");
	inspection.reader = command_reader(command, &error);
	if (!inspection.reader)
		return command_fail(command, "%s", error->message);
	inspection.out = command_out(command);
	status = inspect_all(&inspection, argv + 1);
	reader_close(inspection.reader);
	return command_end(command, inspection.out, status);
}
