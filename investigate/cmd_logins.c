/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "devices.h"
#include "query_time.h"

#define ROWS_MAX 100000 /* held until the journal has their number; more are asked for in parts */

struct logins {
	struct command *command;
	struct store *store;
	GPtrArray *uses; /* of struct device_use */
	GError *error;
	gboolean more; /* than ROWS_MAX */
};

static const struct out_column columns[] = {
	{"user", "USER", OUT_TEXT, 0},	     {"address", "ADDRESS", OUT_TEXT, 0},
	{"device", "DEVICE", OUT_TEXT, 0},   {"certainty", "", OUT_TEXT, 0},
	{"service", "SERVICE", OUT_TEXT, 0}, {"first", "FIRST", OUT_TIME, 0},
	{"last", "LAST", OUT_TIME, 0},	     {"logins", "LOGINS", OUT_INT, 0},
	{"sensor", "", OUT_TEXT, 0},	     {NULL},
};

static gboolean
take_login(const struct store_login *login, void *data)
{
	struct logins *logins = data;

	logins->more = logins->uses->len >= ROWS_MAX;
	return !logins->more && devices_of_login(logins->store, logins->command->tenant, login,
						 logins->uses, &logins->error);
}

/* For programs the device is a name or nothing, and its certainty beside it. */
static void
write_rows(const struct logins *logins, struct out *out)
{
	const struct command *command = logins->command;
	gboolean people = !command->json && !command->csv;

	out_begin(out, "login", columns);
	for (guint i = 0; i < logins->uses->len; i++) {
		const struct device_use *use = logins->uses->pdata[i];
		const char *name =
			people ? device_use_name(use->certainty, use->device) : use->device;

		out_row(out, (const struct out_value[]){{use->user, 0},
							{use->address, 0},
							{name, 0},
							{device_certainty_name(use->certainty), 0},
							{use->service, 0},
							{NULL, use->first_us},
							{NULL, use->last_us},
							{NULL, (gint64)use->count},
							{use->sensor, 0}});
	}
	out_end(out);
	if (!logins->uses->len)
		out_note(out, "0 logins.");
}

static int
answer(struct logins *logins, const struct store_logins_question *question)
{
	struct command *command = logins->command;
	g_autoptr(GError) error = NULL;
	struct out *out;
	int status;

	if (!store_logins(logins->store, question, take_login, logins, &error) || logins->error) {
		status = command_fail(command, "%s", (error ? error : logins->error)->message);
		g_clear_error(&logins->error);
		return status;
	}
	if (!command_audit(command, logins->uses->len))
		return EXIT_TROUBLE;
	out = command_out(command);
	write_rows(logins, out);
	if (logins->more)
		command_fail(command, "there are more than %d: ask for less with --since, --until",
			     ROWS_MAX);
	return command_end(command, out,
			   logins->more	       ? EXIT_PARTLY
			   : logins->uses->len ? EXIT_FOUND
					       : EXIT_NOTHING);
}

static int
ask(struct command *command, const char *word, const char *since, const char *until)
{
	struct store_logins_question question = {.tenant = command->tenant};
	g_autoptr(GPtrArray) uses = g_ptr_array_new_with_free_func(device_use_free);
	g_autoptr(store_t) store = NULL;
	struct logins logins = {.command = command, .uses = uses};
	gint64 now_us = g_get_real_time();
	g_autoptr(GError) error = NULL;
	guint8 ip[NETWORK_IP_BYTES];

	if ((since && !query_parse_time(since, now_us, &question.since_us, &error)) ||
	    (until && !query_parse_time(until, now_us, &question.until_us, &error)))
		return command_fail(command, "%s", error->message);
	if (network_ip(word, ip))
		question.client = ip;
	else
		question.user = word;
	store = command_store(command);
	if (!store)
		return EXIT_TROUBLE;
	logins.store = store;
	return answer(&logins, &question);
}

int
cmd_logins(struct command *command, int argc, char **argv)
{
	char *since = NULL, *until = NULL;
	const GOptionEntry entries[] = {
		{"since", 0, 0, G_OPTION_ARG_FILENAME, &since,
		 "RFC 3339, YYYY-MM-DD, or 7d, 12h, 30m, 2w ago", "TIME"},
		{"until", 0, 0, G_OPTION_ARG_FILENAME, &until, "likewise, exclusive", "TIME"},
		{NULL},
	};
	int status = EXIT_TROUBLE;

	if (command_parse(
		    command, entries, "USER | ADDRESS",
		    "Prints from which addresses a user logged in, or which users from an\n"
		    "address (IPv4 or IPv6), to which service, and whose device that was then:\n"
		    "ambiguous, if several can have had the address, or unknown.  Devices come\n"
		    "from mailtrace assets.  Every question is entered into the journal.",
		    &argc, &argv))
		status = argc == 2 ? ask(command, argv[1], since, until)
				   : command_fail(command, "whose?  Give a user as the mail "
							   "server calls him, or an address");
	g_free(since);
	g_free(until);
	return status;
}
