/* SPDX-License-Identifier: BSD-2-Clause */
#include "actuate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "text.h"

#define READ_BYTES 65536
#define GARBAGE_LINES 100 /* then the program is none of ours, and is ended */
#define LEAVE_MS 10000	  /* for ending once all is answered */
#define LEAVE_POLL_US 5000

/* A program under way. */
struct run {
	const struct actuate_options *options;
	const GPtrArray *commands;
	actuate_answer_fn answer;
	actuate_round_fn round;
	void *data;
	GPid pid;
	int in_fd, out_fd;    /* its standard input and output; -1 once closed */
	GString *out, *in;    /* to be written, and read but no whole line yet */
	GHashTable *waiting;  /* commands given and not answered, by id */
	GHashTable *answered; /* set of ids */
	guint next;	      /* command to be given next */
	guint garbage;
	gint64 heard_us;
	gboolean stopped; /* nothing more is to be begun */
	char *trouble;	  /* why it was given up, or NULL */
};

/* ---- the program ---- */

/* A process group of its own, so that what it started itself ends with it. */
static void
prepare_child(void *data)
{
	setpgid(0, 0);
}

static gboolean
start(struct run *run, GError **error)
{
	if (!g_spawn_async_with_pipes(NULL, (char **)run->options->argv, NULL,
				      G_SPAWN_DO_NOT_REAP_CHILD, prepare_child, NULL, &run->pid,
				      &run->in_fd, &run->out_fd, NULL, error))
		return FALSE;
	fcntl(run->in_fd, F_SETFL, O_NONBLOCK);
	fcntl(run->in_fd, F_SETFD, FD_CLOEXEC);
	fcntl(run->out_fd, F_SETFL, O_NONBLOCK);
	fcntl(run->out_fd, F_SETFD, FD_CLOEXEC);
	return TRUE;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void give_up(struct run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
give_up(struct run *run, const char *format, ...)
{
	va_list list;

	if (run->trouble)
		return;
	va_start(list, format);
	run->trouble = g_strdup_vprintf(format, list);
	va_end(list);
}

/* Waits for its end; *ret_status is as waitpid() gives it.  FALSE if it does not end by itself. */
static gboolean
await_end(GPid pid, int *ret_status)
{
	gint64 deadline_us = g_get_monotonic_time() + LEAVE_MS * G_TIME_SPAN_MILLISECOND;

	while (waitpid(pid, ret_status, WNOHANG) == 0) {
		if (g_get_monotonic_time() > deadline_us)
			return FALSE;
		g_usleep(LEAVE_POLL_US);
	}
	return TRUE;
}

static void
end(struct run *run)
{
	int status = 0;

	close_fd(&run->in_fd);
	close_fd(&run->out_fd);
	if (run->pid <= 0)
		return;
	if (run->trouble || !await_end(run->pid, &status)) {
		kill(-run->pid, SIGKILL);
		waitpid(run->pid, &status, 0);
	} else if (g_hash_table_size(run->waiting) && WIFEXITED(status)) {
		give_up(run, "ended with status %d", WEXITSTATUS(status));
	}
	g_spawn_close_pid(run->pid);
}

/* ---- answers ---- */

static void
complain(struct run *run, const char *what, const char *line)
{
	g_autofree char *valid = text_from_bytes(line, strlen(line), 200, NULL);
	g_autofree char *safe = text_for_terminal(valid);

	fprintf(stderr, "mailtrace: %s: %s: %s\n", run->options->name, what, safe);
	if (++run->garbage >= GARBAGE_LINES)
		give_up(run, "said too much that is no answer");
}

static void
take_response(struct run *run, const struct openc2_response *response)
{
	const struct openc2_command *command =
		g_hash_table_lookup(run->waiting, response->command_id);

	if (!command) {
		complain(run,
			 g_hash_table_contains(run->answered, response->command_id)
				 ? "a second answer to one command"
				 : "an answer to what was not asked",
			 response->command_id);
		return;
	}
	g_hash_table_remove(run->waiting, response->command_id);
	g_hash_table_add(run->answered, command->command_id);
	run->answer(command, response, run->data);
}

static void
take_line(struct run *run, const char *line, gsize length)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(openc2_response_t) response = openc2_response_decode(line, length, &error);

	run->heard_us = g_get_monotonic_time();
	if (response)
		take_response(run, response);
	else
		complain(run, error->message, line);
}

static void
take_lines(struct run *run)
{
	gsize taken = 0;
	char *end;

	while (!run->trouble && (end = memchr(run->in->str + taken, '\n', run->in->len - taken))) {
		*end = '\0';
		take_line(run, run->in->str + taken, (gsize)(end - run->in->str) - taken);
		taken = (gsize)(end - run->in->str) + 1;
	}
	g_string_erase(run->in, 0, (gssize)taken);
	if (run->in->len > CAP_COMMAND_BYTES)
		give_up(run, "said a line that is longer than an answer can be");
	if (taken && !run->round(run->data))
		run->stopped = TRUE;
}

/* ---- the exchange ---- */

static void
read_some(struct run *run)
{
	char bytes[READ_BYTES];
	ssize_t got = read(run->out_fd, bytes, sizeof(bytes));

	if (got > 0)
		g_string_append_len(run->in, bytes, got);
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		close_fd(&run->out_fd);
	take_lines(run);
}

static void
write_some(struct run *run)
{
	ssize_t done = write(run->in_fd, run->out->str, run->out->len);

	if (done > 0)
		g_string_erase(run->out, 0, done);
	else if (done < 0 && errno != EINTR && errno != EAGAIN)
		close_fd(&run->in_fd);
}

/* Twice as many as it works on, so that it never waits for us. */
static void
give_commands(struct run *run)
{
	while (!run->stopped && run->next < run->commands->len &&
	       g_hash_table_size(run->waiting) < 2 * run->options->jobs) {
		struct openc2_command *command = run->commands->pdata[run->next++];
		g_autofree char *line = openc2_command_encode(command);

		if (!g_hash_table_size(run->waiting))
			run->heard_us = g_get_monotonic_time();
		g_string_append(run->out, line);
		g_string_append_c(run->out, '\n');
		g_hash_table_insert(run->waiting, command->command_id, command);
	}
}

static void
exchange_once(struct run *run)
{
	struct pollfd fds[2] = {{.fd = run->out_fd, .events = POLLIN},
				{.fd = run->out->len ? run->in_fd : -1, .events = POLLOUT}};
	gint64 silent_ms = (g_get_monotonic_time() - run->heard_us) / 1000;
	gint64 left_ms = (gint64)run->options->timeout_ms - silent_ms;

	if (left_ms <= 0) {
		give_up(run, "did not answer for %u ms", run->options->timeout_ms);
		return;
	}
	if (poll(fds, G_N_ELEMENTS(fds), (int)left_ms) < 0)
		return;
	if (fds[1].revents)
		write_some(run);
	if (fds[0].revents)
		read_some(run);
}

static void
exchange(struct run *run)
{
	give_commands(run);
	while (g_hash_table_size(run->waiting) && !run->trouble) {
		exchange_once(run);
		if (run->out_fd < 0)
			return;
		give_commands(run);
	}
}

/* ---- those that it did not answer ---- */

static void
answer_unreachable(struct run *run, const struct openc2_command *command)
{
	g_autofree char *text =
		g_strdup_printf("%s %s", run->options->name,
				run->trouble ? run->trouble : "ended without an answer");
	g_autoptr(openc2_response_t) response =
		openc2_response_new(command->command_id, OPENC2_UNREACHABLE, text);

	run->answer(command, response, run->data);
}

static void
answer_rest(struct run *run)
{
	guint begun = run->stopped ? run->next : run->commands->len;

	for (guint i = 0; i < begun; i++) {
		const struct openc2_command *command = run->commands->pdata[i];

		if (!g_hash_table_contains(run->answered, command->command_id))
			answer_unreachable(run, command);
	}
	run->round(run->data);
}

void
actuate(const struct actuate_options *options, const GPtrArray *commands, actuate_answer_fn answer,
	actuate_round_fn round, void *data)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	g_autoptr(GError) error = NULL;
	struct run run = {
		.options = options,
		.commands = commands,
		.answer = answer,
		.round = round,
		.data = data,
		.in_fd = -1,
		.out_fd = -1,
		.out = g_string_new(NULL),
		.in = g_string_new(NULL),
		.waiting = g_hash_table_new(g_str_hash, g_str_equal),
		.answered = g_hash_table_new(g_str_hash, g_str_equal),
	};

	sigaction(SIGPIPE, &ignore, &before);
	if (start(&run, &error))
		exchange(&run);
	else
		give_up(&run, "could not be started: %s", error->message);
	end(&run);
	sigaction(SIGPIPE, &before, NULL);
	answer_rest(&run);
	g_hash_table_unref(run.waiting);
	g_hash_table_unref(run.answered);
	g_string_free(run.out, TRUE);
	g_string_free(run.in, TRUE);
	g_free(run.trouble);
}
