/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <string.h>

#include "caps.h"
#include "command.h"
#include "control.h"
#include "ingest.h"
#include "keys.h"
#include "libexec.h"
#include "mailbox.h"
#include "ocsf.h"
#include "progress.h"
#include "reader.h"

/*
 * Events travel to a collector in batches whose bytes, as strings of a JSON
 * line, stay below CONTROL_LINE_BYTES: escaping at most doubles them, and the
 * last event put in may be of CAP_EVENT_BYTES.
 */
#define BATCH_BYTES (2 * 1024 * 1024)

struct import {
	struct command *command;
	const char *sensor;
	char **recipients;
	struct reader *reader;
	struct control *control; /* NULL: into the store directly */
	struct store *store;	 /* NULL: through the collector */
	GPtrArray *batch;	 /* of GBytes */
	gsize batch_bytes;
	guint64 messages, added, bad;
	gboolean failed; /* the store or the collector */
	struct progress progress;
	guint64 total_bytes, done_bytes;
};

/* ---- being interrupted ---- */

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
	interrupted = 1;
}

/*
 * The first signal ends the walk, and what was read is stored and told; the
 * second ends the program.  One that was ignored, as by nohup(1), stays so.
 */
static void
catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction end = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	struct sigaction former;

	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
		if (sigaction(numbers[i], NULL, &former) == 0 && former.sa_handler != SIG_IGN)
			sigaction(numbers[i], &end, NULL);
}

/* ---- messages ---- */

/* Stores the batch and empties it. */
static gboolean
flush(struct import *import)
{
	const char *tenant = import->command->tenant;
	g_autoptr(GError) error = NULL;
	guint64 added = 0;
	gboolean ok;

	if (!import->batch->len)
		return TRUE;
	ok = import->control
		     ? control_ingest(import->control, tenant, import->batch, &added, &error)
		     : ingest_import(import->store, tenant, import->batch, &added, &error);
	import->added += added;
	import->batch_bytes = 0;
	g_ptr_array_set_size(import->batch, 0);
	if (!ok) {
		import->failed = TRUE;
		command_fail(import->command, "%s; what was imported before is kept, run it again",
			     error->message);
	}
	return ok;
}

static void
draw(struct import *import, guint64 position)
{
	double all = (double)MAX(import->total_bytes, 1);
	g_autofree char *what =
		g_strdup_printf("%" G_GUINT64_FORMAT " messages, %" G_GUINT64_FORMAT " new",
				import->messages, import->added);

	progress_draw(&import->progress, (double)(import->done_bytes + position) / all, what);
}

static void
note_bad(struct import *import, const char *path, guint number, const GError *error)
{
	import->bad++;
	progress_end(&import->progress);
	if (number)
		command_fail(import->command, "%s, message %u: %s", path, number, error->message);
	else
		command_fail(import->command, "%s: %s", path, error->message);
}

static gboolean
import_message(const struct mailbox_message *message, void *data)
{
	struct import *import = data;
	const struct reader_envelope envelope = {
		.tenant = import->command->tenant,
		.sensor = import->sensor,
		.received_at_us = message->received_at_us,
		.fallback_us = message->changed_at_us,
		.recipients = (const char *const *)import->recipients,
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(event_t) event =
		reader_read(import->reader, message->bytes, message->length, &envelope, &error);
	GBytes *json;

	/* Ctrl-C reaches the sandbox too: then it is no fault of the message. */
	if (!event && interrupted)
		return FALSE;
	if (!event) {
		note_bad(import, message->path, message->number, error);
		return TRUE;
	}
	import->messages++;
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	g_ptr_array_add(import->batch, json);
	import->batch_bytes += g_bytes_get_size(json);
	draw(import, message->position);
	if (import->batch->len < CAP_BATCH_EVENTS && import->batch_bytes < BATCH_BYTES)
		return !interrupted;
	return flush(import) && !interrupted;
}

static gboolean
import_trouble(const char *path, const GError *error, void *data)
{
	if (interrupted)
		return FALSE;
	note_bad(data, path, 0, error);
	return TRUE;
}

static gboolean
open_target(struct import *import)
{
	const struct command *command = import->command;
	g_autoptr(GError) error = NULL;

	import->control = control_connect(command->settings->control_socket, &error);
	if (!import->control && g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT)) {
		g_clear_error(&error);
		import->store = store_open(command->store_url, STORE_WRITE, &error);
	}
	if (import->control || import->store)
		return TRUE;
	command_fail(command, "%s", error->message);
	return FALSE;
}

static int
report(struct import *import)
{
	static const struct out_column columns[] = {
		{"messages", "MESSAGES", OUT_INT, 0},
		{"added", "NEW", OUT_INT, 0},
		{"known", "KNOWN", OUT_INT, 0},
		{"failed", "FAILED", OUT_INT, 0},
		{NULL},
	};
	struct out *out = command_out(import->command);
	const struct out_value row[] = {
		{NULL, (gint64)import->messages},
		{NULL, (gint64)import->added},
		{NULL, (gint64)(import->messages - import->added)},
		{NULL, (gint64)import->bad},
	};
	int status = EXIT_FOUND;

	if (interrupted && !import->failed)
		command_fail(import->command,
			     "interrupted; what was imported is kept, run it again for the rest");
	if (import->failed)
		status = import->added ? EXIT_PARTLY : EXIT_TROUBLE;
	else if (interrupted)
		status = import->messages ? EXIT_PARTLY : EXIT_TROUBLE;
	else if (import->bad)
		status = import->messages ? EXIT_PARTLY : EXIT_TROUBLE;
	else if (!import->added)
		status = EXIT_NOTHING;
	out_begin(out, "import", columns);
	out_row(out, row);
	out_end(out);
	return command_end(import->command, out, status);
}

static int
import_all(struct import *import, char **paths)
{
	const struct mailbox_visitor visitor = {import_message, import_trouble, import};
	g_autofree char *decompress = libexec_path("decompress");

	catch_signals();
	progress_init(&import->progress, import->command->quiet);
	for (char **path = paths; import->progress.shown && *path; path++)
		import->total_bytes += mailbox_bytes(*path);
	for (; *paths && !import->failed && !interrupted; paths++) {
		mailbox_walk(*paths, decompress, &visitor);
		if (import->progress.shown)
			import->done_bytes += mailbox_bytes(*paths);
	}
	if (!import->failed)
		flush(import);
	progress_end(&import->progress);
	return report(import);
}

static int
import_open(struct import *import, char **paths)
{
	g_autoptr(GError) error = NULL;
	int status = EXIT_TROUBLE;

	/* The audit goes first, since the store is then ours alone. */
	if (!command_audit(import->command, -1))
		return EXIT_TROUBLE;
	import->reader = command_reader(import->command, &error);
	if (!import->reader)
		return command_fail(import->command, "%s", error->message);
	if (open_target(import)) {
		import->batch = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
		status = import_all(import, paths);
		g_ptr_array_unref(import->batch);
	}
	control_free(import->control);
	store_close(import->store);
	reader_close(import->reader);
	return status;
}

/* An empty word is a variable of a script that was not set: no mail went there. */
static gboolean
all_addresses(char **words)
{
	for (; words && *words; words++) {
		const char *at = *words;

		if (!*at || strlen(at) > CAP_ADDRESS_BYTES || !g_utf8_validate(at, -1, NULL))
			return FALSE;
		for (; *at; at = g_utf8_next_char(at))
			if (g_unichar_iscntrl(g_utf8_get_char(at)))
				return FALSE;
	}
	return TRUE;
}

int
cmd_import(struct command *command, int argc, char **argv)
{
	g_auto(GStrv) recipients = NULL;
	g_autofree char *sensor = NULL;
	const GOptionEntry entries[] = {
		{"rcpt", 'r', 0, G_OPTION_ARG_FILENAME_ARRAY, &recipients,
		 "the recipient, instead of the message's fields; may be given again", "ADDRESS"},
		{"sensor", 0, 0, G_OPTION_ARG_FILENAME, &sensor,
		 "name of the sensor in the records, default import", "NAME"},
		{NULL},
	};
	struct import import = {.command = command};

	if (!command_parse(
		    command, entries, "PATH...",
		    "Records existing mail: message files, mbox, Maildir, folders of them,\n"
		    "compressed too; - is the standard input.  The recipient is Delivered-To,\n"
		    "else X-Original-To, else To.  Running it again adds nothing.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc < 2)
		return command_fail(command, "give files or folders");
	if (!all_addresses(recipients))
		return command_fail(command,
				    "--rcpt: an address is 1 to %d bytes of UTF-8, without control "
				    "characters",
				    CAP_ADDRESS_BYTES);
	if (sensor && !key_name_is_valid(sensor))
		return command_fail(command, "\"%s\" is no name of a sensor", sensor);
	import.sensor = sensor ? sensor : "import";
	import.recipients = recipients;
	return import_open(&import, argv + 1);
}
