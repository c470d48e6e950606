/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "erasure.h"
#include "progress.h"
#include "retention_client.h"

static const struct out_column columns[] = {
	{"messages", "CHANGED", OUT_INT, 0},	 {"removed", "REMOVED", OUT_INT, 0},
	{"deliveries", "LOG LINES", OUT_INT, 0}, {"dead_letters", "DEAD LETTERS", OUT_INT, 0},
	{"held", "ON HOLD", OUT_INT, 0},	 {NULL},
};

static int
report(struct command *command, const json_t *answer)
{
	struct out *out = command_out(command);
	const struct out_value row[] = {
		{NULL, json_get_int(answer, "messages", 0)},
		{NULL, json_get_int(answer, "removed", 0)},
		{NULL, json_get_int(answer, "deliveries", 0)},
		{NULL, json_get_int(answer, "dead_letters", 0)},
		{NULL, json_get_int(answer, "held", 0)},
	};
	gint64 erased = row[0].number + row[1].number + row[2].number + row[3].number;
	gint64 held = row[4].number;

	out_begin(out, "erased", columns);
	out_row(out, row);
	out_end(out);
	if (held)
		command_fail(command,
			     "%" G_GINT64_FORMAT " records are on legal hold and stay as they "
			     "are; see mailtrace legal-hold list",
			     held);
	return command_end(command, out, held ? EXIT_PARTLY : erased ? EXIT_FOUND : EXIT_NOTHING);
}

/* Begins, and returns the ticket; 0 with an error.  What was typed stays out of the journal. */
static gint64
begin(const struct command *command, struct retention_client *client, char **addresses,
      GError **error)
{
	g_autoptr(json_t) request = command_request(command, "erase-begin");
	g_autoptr(json_t) answer = NULL;
	json_t *list = json_array();

	json_object_del(request, "arguments");
	for (; *addresses; addresses++)
		json_array_append_new(list, json_string(*addresses));
	json_object_set_new(request, "addresses", list);
	answer = retention_client_call(client, request, error);
	return answer ? json_get_int(answer, "ticket", 0) : 0;
}

/* Takes steps to the end; the last answer, or NULL with an error. */
static json_t *
take_steps(const struct command *command, struct retention_client *client, gint64 ticket,
	   GError **error)
{
	g_autoptr(json_t) request = json_object();
	struct progress progress;
	json_t *answer = NULL;

	json_put_text(request, "op", "erase-step");
	json_put_int(request, "ticket", ticket);
	progress_init(&progress, command->quiet);
	do {
		g_clear_pointer(&answer, json_decref);
		answer = retention_client_call(client, request, error);
		if (answer)
			progress_draw(&progress, (double)json_get_int(answer, "share", 0) / 1000,
				      "of the store");
	} while (answer && !json_is_true(json_object_get(answer, "done")));
	progress_end(&progress);
	return answer;
}

static int
erase(struct command *command, char **addresses)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(retention_client_t) client = retention_client_open(command, &error);
	gint64 ticket = client ? begin(command, client, addresses, &error) : 0;
	g_autoptr(json_t) answer = NULL;

	if (!ticket)
		return command_fail(command, "%s", error->message);
	answer = take_steps(command, client, ticket, &error);
	if (answer)
		return report(command, answer);
	command_fail(command, "%s; what was reached is erased: begin again", error->message);
	return EXIT_PARTLY;
}

int
cmd_erase(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autoptr(erasure_t) tried = NULL;
	g_autoptr(store_t) store = NULL;
	g_autoptr(GError) error = NULL;

	if (!command_parse(
		    command, entries, "ADDRESS...",
		    "Takes a person's addresses out of the records, on request: messages to\n"
		    "nobody else go, in all others something else stands in for them.  What\n"
		    "is on legal hold stays.  The journal has the addresses' hashes.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (!command->reason)
		return command_fail(command, "erasing needs a --reason");
	tried = erasure_new((const char *const *)argv + 1, 0, &error);
	if (!tried)
		return command_fail(command, "%s", error->message);
	store = command_store(command);
	return store ? erase(command, argv + 1) : EXIT_TROUBLE;
}
