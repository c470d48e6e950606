/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "json.h"
#include "libexec.h"
#include "reader.h"
#include "text.h"

#define ARGUMENT_BYTES 4096 /* of one argument in the journal; a path fits */

static void
complain(const char *verb, const char *message)
{
	g_autofree char *safe = text_for_terminal(message);

	fprintf(stderr, "mailtrace%s%s: %s\n", *verb ? " " : "", verb, safe);
}

int
command_fail(const struct command *command, const char *format, ...)
{
	g_autofree char *message = NULL;
	g_autofree char *valid = NULL;
	va_list list;

	va_start(list, format);
	message = g_strdup_vprintf(format, list);
	va_end(list);
	valid = text_from_bytes(message, strlen(message), G_MAXINT, NULL);
	complain(command->verb, valid);
	return EXIT_TROUBLE;
}

static const char *const global_help =
	"Global options, before or after the verb: --config FILE, --store URL, --tenant NAME,\n"
	"--utc, --case ID, --reason TEXT, --json, --csv, --quiet; see mailtrace(1).\n";

gboolean
command_parse(struct command *command, const GOptionEntry *entries, const char *parameters,
	      const char *summary, int *argc, char ***argv)
{
	g_autoptr(GOptionContext) context = g_option_context_new(parameters);
	g_autofree char *name = g_strdup_printf("mailtrace %s", command->verb);
	g_autoptr(GError) error = NULL;

	g_set_prgname(name);
	g_option_context_set_summary(context, summary);
	g_option_context_set_description(context, global_help);
	g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, argc, argv, &error)) {
		/* "--" has done its work; GLib leaves it before words that begin with '-'. */
		if (*argc > 1 && strcmp((*argv)[1], "--") == 0) {
			memmove(*argv + 1, *argv + 2, (gsize)(*argc - 1) * sizeof(**argv));
			(*argc)--;
		}
		return TRUE;
	}
	command_fail(command, "%s; see mailtrace %s --help", error->message, command->verb);
	return FALSE;
}

struct store *
command_store(const struct command *command)
{
	g_autoptr(GError) error = NULL;
	struct store *store = store_open(command->store_url, STORE_READ, &error);

	if (!store)
		command_fail(command, "%s", error->message);
	return store;
}

struct store_expected
command_expected(const struct command *command)
{
	const struct settings *settings = command->settings;

	return (struct store_expected){(const char *const *)settings->expected_sensors,
				       (const char *const *)settings->expected_followers};
}

struct out *
command_out(const struct command *command)
{
	enum out_format format = command->json ? OUT_JSON : command->csv ? OUT_CSV : OUT_TABLE;

	return out_new(stdout, format, command->utc);
}

int
command_end(const struct command *command, struct out *out, int status)
{
	if (out_free(out))
		return status;
	return command_fail(command,
			    "cannot write the answer: is the disk full or the reader gone?");
}

/* Returns the verb's arguments as the journal has them, a JSON array.  Free with g_free(). */
static char *
arguments_of(const struct command *command)
{
	g_autoptr(json_t) array = json_array();

	for (char **arguments = command->arguments; *arguments; arguments++) {
		g_autofree char *text =
			text_from_bytes(*arguments, strlen(*arguments), ARGUMENT_BYTES, NULL);

		json_array_append_new(array, json_string(text));
	}
	return json_line(array);
}

json_t *
command_request(const struct command *command, const char *operation)
{
	g_autofree char *arguments = arguments_of(command);
	json_t *request = json_object();

	json_put_text(request, "op", operation);
	json_put_text(request, "tenant", command->tenant);
	json_put_text(request, "arguments", arguments);
	json_put_text(request, "case", command->case_id);
	json_put_text(request, "reason", command->reason);
	return request;
}

/* Writes the entry without a collector; the writer's lock keeps out one that starts meanwhile. */
static gboolean
audit_directly(const struct command *command, struct store_audit *audit, GError **error)
{
	g_autoptr(store_t) store = NULL;
	g_autofree char *actor = control_actor(getuid());

	audit->actor = actor;
	store = store_open(command->store_url, STORE_WRITE, error);
	if (!store || !store_begin(store, error))
		return FALSE;
	return store_add_audit(store, audit, error) && store_commit(store, error);
}

gboolean
command_audit(const struct command *command, gint64 results)
{
	g_autofree char *arguments = arguments_of(command);
	g_autoptr(GError) error = NULL;
	struct store_audit audit = {
		.time_us = g_get_real_time(),
		.tenant = command->tenant,
		.verb = (char *)command->verb,
		.arguments = arguments,
		.case_id = command->case_id,
		.reason = command->reason,
		.results = results,
	};
	struct control *control = control_connect(command->settings->control_socket, &error);
	gboolean written;

	if (control) {
		written = control_audit(control, &audit, &error);
		control_free(control);
	} else if (g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT)) {
		g_clear_error(&error);
		written = audit_directly(command, &audit, &error);
	} else {
		written = FALSE;
	}
	if (!written)
		command_fail(command, "nothing is done without an entry in the journal: %s",
			     error->message);
	return written;
}

struct reader *
command_reader(const struct command *command, GError **error)
{
	g_autofree char *scanner = libexec_path("scanner");

	return reader_open(scanner, command->settings, error);
}
