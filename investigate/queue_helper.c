/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue-helper - the one program of mailtrace that needs to be root, for a message
 * in the MTA's queue; mailtrace-queue(8).
 *
 * Its arguments are fixed by sudoers(5); requests come as lines on standard input.  It takes
 * nothing from its environment, runs the MTA's own programs by absolute path, and prints a line for
 * each, which for a copy the message follows.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "caps.h"
#include "line_reader.h"
#include "log.h"
#include "queue_act.h"

#define EXIT_USAGE 2
#define REQUEST_WAIT_US (30 * G_USEC_PER_SEC)

/* Nothing of who called: no variables, no open files, no core, files for root alone. */
static void
forget_caller(void)
{
	const struct rlimit none = {0, 0};

	clearenv();
	setenv("LC_ALL", "C", 1);
	closefrom(STDERR_FILENO + 1);
	setrlimit(RLIMIT_CORE, &none);
	umask(077);
	if (chdir("/") != 0)
		exit(EXIT_USAGE);
}

static int
unusable(const char *why)
{
	fprintf(stderr, "queue-helper: %s\n", why);
	return EXIT_USAGE;
}

/* Replaces a path by the one to which it leads, which root alone can change. */
static gboolean
trust(char **path, GError **error)
{
	char *trusted = queue_trusted_path(*path, error);

	g_free(*path);
	*path = trusted;
	return trusted != NULL;
}

/* ---- requests ---- */

/* Reads requests until the end; of one that is none the answer is kept in its place. */
static void
read_requests(GPtrArray *requests, GPtrArray *refusals)
{
	g_autoptr(line_reader_t) reader = line_reader_new(STDIN_FILENO, CAP_QUEUE_ANSWER_BYTES);
	gint64 deadline_us = g_get_monotonic_time() + REQUEST_WAIT_US;
	enum line_result result;
	const char *line;
	gsize length;

	while (refusals->len < CAP_QUEUE_REQUESTS &&
	       ((result = line_reader_next(reader, deadline_us, &line, &length)) == LINE_WHOLE ||
		result == LINE_CUT)) {
		g_autoptr(GError) error = NULL;
		struct queue_request *request =
			queue_request_decode(line, result == LINE_CUT ? 0 : length, &error);

		if (request)
			g_ptr_array_add(requests, request);
		g_ptr_array_add(refusals,
				request ? NULL : queue_answer_new(QUEUE_REFUSED, error->message));
	}
}

/* The account of what was done as root. */
static void
account(const struct queue_request *request, const struct queue_answer *answer)
{
	g_autofree char *what = queue_answer_encode(answer);

	if (request->verb != QUEUE_LIST)
		log_event(LOG_LEVEL_INFO, "queue-request", "queue_id", request->queue_id, "command",
			  request->command_id, "answer", what, NULL);
}

static void
print_answer(const struct queue_answer *answer)
{
	g_autofree char *json = queue_answer_encode(answer);

	puts(json);
}

/* Prints an answer for each line that was read, in their order. */
static void
print_answers(const GPtrArray *requests, const GPtrArray *answers, const GPtrArray *refusals)
{
	guint next = 0;

	for (guint i = 0; i < refusals->len; i++) {
		const struct queue_answer *refusal = g_ptr_array_index(refusals, i);

		if (refusal) {
			print_answer(refusal);
			continue;
		}
		account(g_ptr_array_index(requests, next), g_ptr_array_index(answers, next));
		print_answer(g_ptr_array_index(answers, next));
		next++;
	}
}

static int
serve(const struct queue_helper *helper)
{
	g_autoptr(GPtrArray) requests =
		g_ptr_array_new_with_free_func((GDestroyNotify)queue_request_free);
	g_autoptr(GPtrArray) refusals =
		g_ptr_array_new_with_free_func((GDestroyNotify)queue_answer_free);
	g_autoptr(GPtrArray) answers = NULL;
	const struct queue_request *first;

	read_requests(requests, refusals);
	first = requests->len == 1 && refusals->len == 1 ? g_ptr_array_index(requests, 0) : NULL;
	if (first && first->verb == QUEUE_COPY)
		return queue_copy(helper, first, STDOUT_FILENO) ? EXIT_SUCCESS : EXIT_FAILURE;
	answers = queue_act(helper, requests);
	print_answers(requests, answers, refusals);
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the arguments ---- */

struct arguments {
	char *mta, *config, *programs, *marks;
	gboolean allow_delete, rewritten_senders;
};

static void
arguments_clear(struct arguments *arguments)
{
	g_free(arguments->mta);
	g_free(arguments->config);
	g_free(arguments->programs);
	g_free(arguments->marks);
}

static gboolean
parse(int argc, char **argv, struct arguments *ret_arguments, GError **error)
{
	const GOptionEntry entries[] = {
		{"mta", 0, 0, G_OPTION_ARG_STRING, &ret_arguments->mta,
		 "postfix (default) or sendmail", "NAME"},
		{"mta-config", 0, 0, G_OPTION_ARG_FILENAME, &ret_arguments->config,
		 "Postfix's configuration directory, or Sendmail's .cf", "PATH"},
		{"programs", 0, 0, G_OPTION_ARG_FILENAME, &ret_arguments->programs,
		 "directory of the mail server's programs; default /usr/sbin", "DIR"},
		{"marks", 0, 0, G_OPTION_ARG_FILENAME, &ret_arguments->marks,
		 "where it is noted what was done", "DIR"},
		{"allow-delete", 0, 0, G_OPTION_ARG_NONE, &ret_arguments->allow_delete,
		 "take requests to delete what is on hold", NULL},
		{"rewritten-senders", 0, 0, G_OPTION_ARG_NONE, &ret_arguments->rewritten_senders,
		 "do not compare senders where ids are never given anew", NULL},
		{NULL, 0, 0, 0, NULL, NULL, NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);

	g_option_context_set_summary(
		context, "Holds, releases, copies one message in a mail server's queue, as root "
			 "for the actuator;\nthe request is a line on standard input: see "
			 "mailtrace-queue(8).");
	g_option_context_add_main_entries(context, entries, NULL);
	return g_option_context_parse(context, &argc, &argv, error) && argc == 1;
}

static const struct queue_mta *
mta_named(const char *name)
{
	if (!name || strcmp(name, queue_mta_postfix.name) == 0)
		return &queue_mta_postfix;
	return strcmp(name, queue_mta_sendmail.name) == 0 ? &queue_mta_sendmail : NULL;
}

static int
serve_for(struct arguments *arguments)
{
	struct queue_helper helper = {.mta = mta_named(arguments->mta),
				      .allow_delete = arguments->allow_delete,
				      .rewritten_senders = arguments->rewritten_senders};
	g_autoptr(GError) error = NULL;

	if (!helper.mta)
		return unusable("--mta is postfix or sendmail");
	if (geteuid() != 0)
		return unusable("start it as root, by sudo: see mailtrace-queue(8)");
	if (!arguments->programs)
		arguments->programs = g_strdup(helper.mta->programs);
	if (!arguments->marks)
		arguments->marks = g_strdup(MAILTRACE_LOCALSTATEDIR "/lib/mailtrace-queue");
	if (!trust(&arguments->programs, &error) ||
	    (arguments->config && !trust(&arguments->config, &error)))
		return unusable(error->message);
	helper.site = (struct queue_site){arguments->programs, arguments->config};
	helper.marks_directory = arguments->marks;
	return serve(&helper);
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {.mta = NULL};
	g_autoptr(GError) error = NULL;
	int status;

	forget_caller();
	g_set_prgname("queue-helper");
	log_open("mailtrace-queue-helper", LOG_TARGET_SYSLOG);
	if (parse(argc, argv, &arguments, &error))
		status = serve_for(&arguments);
	else
		status = unusable(error ? error->message : "takes no arguments but options");
	arguments_clear(&arguments);
	return status;
}
