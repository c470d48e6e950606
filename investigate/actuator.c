/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "actuator.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"
#include "json.h"
#include "line_reader.h"
#include "text.h"

#define MOST_JOBS 64 /* threads; a server that serves more at once is rare */

struct loop {
	const struct actuator_kind *kind;
	void *data;
	const struct actuator_options *options;
	int out_fd;
	GHashTable *ids;      /* of the commands that were taken; the reading thread's */
	GPtrArray *threads;   /* of GThread; likewise */
	GAsyncQueue *waiting; /* of struct openc2_command; the loop itself ends a thread */
	GMutex mutex;	      /* of what follows */
	GCond free_place;
	guint under_way;
	gboolean unread; /* a response could not be written */
	gint silent;	 /* commands in a row whose server did not answer; atomic */
};

/* Says one line to people. */
static void
complain(const struct loop *loop, const char *what, const char *why)
{
	g_autofree char *message = g_strdup_printf("%s: %s%s%s", loop->kind->name, what,
						   why ? ": " : "", why ? why : "");
	g_autofree char *valid = text_from_bytes(message, strlen(message), G_MAXINT, NULL);
	g_autofree char *safe = text_for_terminal(valid);

	fprintf(stderr, "%s\n", safe);
}

/* Writes a response as one line, at once: no other's may come between. */
static void
answer(struct loop *loop, const struct openc2_response *response)
{
	g_autofree char *json = openc2_response_encode(response);
	g_autofree char *line = g_strconcat(json, "\n", NULL);

	g_mutex_lock(&loop->mutex);
	if (!loop->unread && !descriptor_write(loop->out_fd, line, strlen(line))) {
		loop->unread = TRUE;
		complain(loop, "cannot write responses", g_strerror(errno));
	}
	g_mutex_unlock(&loop->mutex);
}

static void
answer_failed(struct loop *loop, const char *command_id, const char *text)
{
	g_autoptr(openc2_response_t) response =
		openc2_response_new(command_id, OPENC2_FAILED, text);

	answer(loop, response);
}

/* ---- commands ---- */

static struct openc2_response *
try_command(struct loop *loop, const struct openc2_command *command)
{
	guint most = loop->kind->most_silent;
	struct openc2_response *response;

	if (most && (guint)g_atomic_int_get(&loop->silent) >= most)
		return openc2_response_new(
			command->command_id, OPENC2_UNREACHABLE,
			"not tried, since the server did not answer several commands before");
	response = loop->kind->carry_out(loop->data, loop->options, command);
	if (response->outcome == OPENC2_UNREACHABLE)
		g_atomic_int_inc(&loop->silent);
	else
		g_atomic_int_set(&loop->silent, 0);
	return response;
}

static void
carry_out(struct loop *loop, struct openc2_command *command)
{
	g_autoptr(openc2_response_t) response = try_command(loop, command);

	answer(loop, response);
	openc2_command_free(command);
	g_mutex_lock(&loop->mutex);
	loop->under_way--;
	g_cond_signal(&loop->free_place);
	g_mutex_unlock(&loop->mutex);
}

static gpointer
run_thread(gpointer data)
{
	struct loop *loop = data;
	gpointer next;

	while ((next = g_async_queue_pop(loop->waiting)) != loop)
		carry_out(loop, next);
	return NULL;
}

/* A thread for each command until there are as many as jobs. */
static void
give(struct loop *loop, struct openc2_command *command)
{
	if (loop->threads->len < loop->options->jobs)
		g_ptr_array_add(loop->threads, g_thread_new("command", run_thread, loop));
	g_async_queue_push(loop->waiting, command);
}

/* Waits for what is under way, and for the threads: libraries free what they keep for each. */
static void
end_threads(struct loop *loop)
{
	for (guint i = 0; i < loop->threads->len; i++)
		g_async_queue_push(loop->waiting, loop);
	for (guint i = 0; i < loop->threads->len; i++)
		g_thread_join(loop->threads->pdata[i]);
}

/* Waits for a place: commands that nobody works on yet stay in the pipe, not in our memory. */
static void
take_place(struct loop *loop)
{
	g_mutex_lock(&loop->mutex);
	while (loop->under_way >= loop->options->jobs)
		g_cond_wait(&loop->free_place, &loop->mutex);
	loop->under_way++;
	g_mutex_unlock(&loop->mutex);
}

/* Answers a line that is no command, if it has at least the id of one. */
static void
refuse_line(struct loop *loop, const char *line, gsize length, const char *why)
{
	g_autoptr(json_t) root =
		length <= CAP_COMMAND_BYTES ? json_parse_object(line, length) : NULL;
	const char *id = json_get_text(root, "command_id");

	if (!id || !*id || strlen(id) > OPENC2_ID_BYTES ||
	    id[strspn(id, "0123456789abcdefABCDEF-")] != '\0') {
		complain(loop, "a line is no command", why);
		return;
	}
	complain(loop, id, why);
	if (g_hash_table_add(loop->ids, g_strdup(id)))
		answer_failed(loop, id, why);
}

static void
take_line(struct loop *loop, const char *line, gsize length)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(openc2_command_t) command = openc2_command_decode(line, length, &why);

	if (!command) {
		refuse_line(loop, line, length, why->message);
		return;
	}
	/* Told twice, it is the same command, and its answer is under way. */
	if (!g_hash_table_add(loop->ids, g_strdup(command->command_id)))
		return;
	if (!(loop->kind->roles & ACTUATOR_ROLE(command->role))) {
		answer_failed(loop, command->command_id, "this command is for another actuator");
		return;
	}
	take_place(loop);
	give(loop, g_steal_pointer(&command));
}

/* Takes lines until the end.  Returns FALSE if they could not be read. */
static gboolean
take_lines(struct loop *loop, int in_fd)
{
	g_autoptr(line_reader_t) reader = line_reader_new(in_fd, CAP_COMMAND_BYTES);
	const char *line;
	gsize length;

	for (;;) {
		switch (line_reader_next(reader, 0, &line, &length)) {
		case LINE_WHOLE:
			if (length > 0)
				take_line(loop, line, length);
			break;
		case LINE_CUT:
			complain(loop, "a line is longer than any command", NULL);
			break;
		case LINE_END:
			return TRUE;
		default:
			complain(loop, "cannot read commands", g_strerror(errno));
			return FALSE;
		}
	}
}

gboolean
actuator_run(const struct actuator_kind *kind, void *data, const struct actuator_options *options,
	     int in_fd, int out_fd)
{
	struct loop loop = {.kind = kind, .data = data, .options = options, .out_fd = out_fd};
	gboolean read_all;

	g_mutex_init(&loop.mutex);
	g_cond_init(&loop.free_place);
	loop.ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	loop.threads = g_ptr_array_new();
	loop.waiting = g_async_queue_new();
	read_all = take_lines(&loop, in_fd);
	end_threads(&loop);
	g_ptr_array_unref(loop.threads);
	g_async_queue_unref(loop.waiting);
	g_hash_table_unref(loop.ids);
	g_mutex_clear(&loop.mutex);
	g_cond_clear(&loop.free_place);
	return read_all && !loop.unread;
}

/* ---- the program ---- */

/* Prints why nothing was done. */
static int
unusable(const struct actuator_kind *kind, const char *why)
{
	const struct loop loop = {.kind = kind};

	complain(&loop, why, NULL);
	return ACTUATOR_UNUSABLE;
}

static int
run_program(const struct actuator_kind *kind, const struct actuator_options *options,
	    const char *config)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = settings_read(config, &error);
	void *data = settings ? kind->open(settings, &error) : NULL;
	gboolean answered;

	if (!data)
		return unusable(kind, error->message);
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of write(2) */
	answered = actuator_run(kind, data, options, STDIN_FILENO, STDOUT_FILENO);
	kind->close(data);
	return answered ? ACTUATOR_ANSWERED : ACTUATOR_UNUSABLE;
}

int
actuator_main(const struct actuator_kind *kind, int argc, char **argv)
{
	g_autofree char *config = NULL, *evidence = NULL;
	int jobs = 8;
	const GOptionEntry entries[] = {
		{"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, "the configuration", "FILE"},
		{"jobs", 'j', 0, G_OPTION_ARG_INT, &jobs, "commands at a time; default 8", "N"},
		{"evidence-dir", 'e', 0, G_OPTION_ARG_FILENAME, &evidence,
		 "where copies of messages are written", "DIR"},
		{NULL, 0, 0, 0, NULL, NULL, NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;
	struct actuator_options options;

	g_set_prgname(kind->name);
	g_option_context_set_summary(context, kind->summary);
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return unusable(kind, error->message);
	if (argc > 1)
		return unusable(kind, "takes no arguments but options; see --help");
	if (jobs < 1 || jobs > MOST_JOBS)
		return unusable(kind, "--jobs is a number from 1 to 64");
	if (evidence && !g_file_test(evidence, G_FILE_TEST_IS_DIR))
		return unusable(kind, "--evidence-dir names no directory; make it first");
	options = (struct actuator_options){.evidence_directory = evidence, .jobs = (guint)jobs};
	return run_program(kind, &options,
			   config ? config : MAILTRACE_SYSCONFDIR "/mailtrace/mailtrace.conf");
}
