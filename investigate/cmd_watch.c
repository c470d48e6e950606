/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "command.h"
#include "event_text.h"
#include "libexec.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"
#include "subprocess.h"

/* ocsf_activity() */
#define ACTIVITY_LOGON 1 /* a login */
#define ACTIVITY_TRACE 4 /* a delivery */
#define EXEC_PATIENCE_US (60 * G_USEC_PER_SEC)

struct watching {
	struct command *command;
	struct out *out;
	gboolean hits_only; /* events that met a block */
	char **program;	    /* run for each; NULL: none */
	guint64 wanted;	    /* 0: without end */
	guint64 seen;
};

/* One line for people: time, sensor, sender, recipients, subject, event. */
static void
print_line(struct out *out, const struct event *event)
{
	g_autofree char *time = out_time(out, event->received_at_us);
	g_autoptr(GString) recipients = g_string_new(NULL);

	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *to = g_ptr_array_index(event->recipients, i);

		g_string_append_printf(recipients, "%s%s", i ? "," : "", to->address);
	}
	out_note(out, "%s  %s  <%s> -> %s  %s  %s", time, event->sensor ? event->sensor : "-",
		 event->sender ? event->sender->address : "", recipients->str,
		 event->record->subject ? event->record->subject : "", event->event_id);
}

/* *ret_wanted: whether it is one of those that were asked for. */
static gboolean
print_event(const struct watching *watching, const char *json, gsize length, gboolean *ret_wanted,
	    GError **error)
{
	g_autoptr(event_t) event = ocsf_decode_event(json, length, error);

	if (!event)
		return FALSE;
	*ret_wanted = !watching->hits_only || event->blocks->len > 0;
	if (*ret_wanted)
		print_line(watching->out, event);
	return TRUE;
}

static gboolean
print_delivery(const struct watching *watching, const char *json, gsize length,
	       gboolean *ret_wanted, GError **error)
{
	g_autoptr(delivery_t) delivery = ocsf_decode_delivery(json, length, error);
	g_autofree char *line = NULL;

	if (!delivery)
		return FALSE;
	*ret_wanted = !watching->hits_only;
	line = delivery_line(watching->out, delivery);
	if (*ret_wanted)
		out_note(watching->out, "%s", line);
	return TRUE;
}

static gboolean
print_login(const struct watching *watching, const char *json, gsize length, gboolean *ret_wanted,
	    GError **error)
{
	g_autoptr(login_t) login = ocsf_decode_login(json, length, error);
	g_autofree char *time = NULL;

	if (!login)
		return FALSE;
	*ret_wanted = !watching->hits_only;
	time = out_time(watching->out, login->time_us);
	if (*ret_wanted)
		out_note(watching->out, "%s  %s  login %s  %s from %s", time, login->log_host,
			 login->user, login->service, login->client);
	return TRUE;
}

static gboolean
print(const struct watching *watching, const char *json, gsize length, gboolean *ret_wanted,
      GError **error)
{
	switch (ocsf_activity(json, length)) {
	case ACTIVITY_LOGON:
		return print_login(watching, json, length, ret_wanted, error);
	case ACTIVITY_TRACE:
		return print_delivery(watching, json, length, ret_wanted, error);
	default:
		return print_event(watching, json, length, ret_wanted, error);
	}
}

/* One that fails is told, and the next event has its turn. */
static void
run_program(const struct watching *watching, const char *json)
{
	g_autoptr(GError) error = NULL;

	if (watching->program && !subprocess_run((const char *const *)watching->program, NULL, json,
						 g_get_monotonic_time() + EXEC_PATIENCE_US, &error))
		command_fail(watching->command, "%s", error->message);
}

/* Returns FALSE once enough was seen. */
static gboolean
take_line(struct watching *watching, const char *json, gsize length)
{
	g_autoptr(GError) error = NULL;
	gboolean wanted = FALSE;
	gboolean read = print(watching, json, length, &wanted, &error);

	if (!read) {
		command_fail(watching->command, "an event that cannot be read: %s", error->message);
		return TRUE;
	}
	if (!wanted)
		return TRUE;
	run_program(watching, json);
	out_json_line(watching->out, json, length);
	watching->seen++;
	return out_flush(watching->out) && (!watching->wanted || watching->seen < watching->wanted);
}

/* Reads the helper's lines to the end, or until enough were seen. */
static void
take_lines(struct watching *watching, FILE *lines)
{
	g_autofree char *line = g_malloc(CAP_EVENT_BYTES + 2);

	while (fgets(line, CAP_EVENT_BYTES + 2, lines)) {
		gsize length = strlen(line);

		if (length && line[length - 1] == '\n')
			line[--length] = '\0';
		if (!take_line(watching, line, length))
			return;
	}
}

/* As a shell splits words, which none ever sees. */
static gboolean
read_program(struct watching *watching, const char *text)
{
	g_autoptr(GError) error = NULL;

	if (!text || g_shell_parse_argv(text, NULL, &watching->program, &error))
		return TRUE;
	command_fail(watching->command, "--exec: %s", error->message);
	return FALSE;
}

/* The helper ends with us, however we end. */
static void
tie_to_parent(void *data)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static int
watch(struct watching *watching, const char *const *argv)
{
	g_autoptr(GError) error = NULL;
	int output, status = 0;
	FILE *lines;
	GPid pid;

	if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
				      tie_to_parent, NULL, &pid, NULL, &output, NULL, &error))
		return command_fail(watching->command, "%s", error->message);
	lines = fdopen(output, "r");
	take_lines(watching, lines);
	fclose(lines);
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return EXIT_TROUBLE; /* the helper has said why */
	return watching->seen ? EXIT_FOUND : EXIT_NOTHING;
}

int
cmd_watch(struct command *command, int argc, char **argv)
{
	const struct settings *settings = command->settings;
	g_autofree char *endpoint = NULL;
	g_autofree char *key = NULL;
	g_autofree char *server_key = NULL;
	g_autofree char *helper = libexec_path("watch");
	g_autofree char *program = NULL;
	struct watching watching = {.command = command};
	gint64 wanted = 0;
	const GOptionEntry entries[] = {
		{"key", 'k', 0, G_OPTION_ARG_FILENAME, &key,
		 "secret key of a client with the role subscribe", "FILE"},
		{"server-key", 0, 0, G_OPTION_ARG_FILENAME, &server_key,
		 "the collector's public key; default [bus] collector_public_key", "FILE"},
		{"endpoint", 0, 0, G_OPTION_ARG_FILENAME, &endpoint,
		 "of the live stream; default [collector] publish", "ENDPOINT"},
		{"hits", 0, 0, G_OPTION_ARG_NONE, &watching.hits_only,
		 "only messages that met a block", NULL},
		{"exec", 0, 0, G_OPTION_ARG_FILENAME, &program,
		 "run a program for each, its JSON on the standard input", "COMMAND"},
		{"max", 'n', 0, G_OPTION_ARG_INT64, &wanted, "end after so many events", "N"},
		{NULL},
	};
	int status;

	if (!command_parse(
		    command, entries, "",
		    "Prints events and deliveries as the collector stores them, until it is\n"
		    "interrupted.  With --json, deliveries have activity_id 4, logins class_uid 3002.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1 || !key || wanted < 0 || command->csv)
		return command_fail(command, "give --key FILE, made by keygen --type client; there "
					     "is no --csv");
	if (!read_program(&watching, program))
		return EXIT_TROUBLE;
	watching.wanted = (guint64)wanted;
	watching.out = command_out(command);
	status = watch(&watching, (const char *const[]){
					  helper, endpoint ? endpoint : settings->publish, key,
					  server_key ? server_key : settings->collector_public_key,
					  command->tenant, NULL});
	g_strfreev(watching.program);
	return command_end(command, watching.out, status);
}
