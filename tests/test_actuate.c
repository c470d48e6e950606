/* SPDX-License-Identifier: BSD-2-Clause */
/* Actuators that do what they should not: each is a small program run by sh(1). */
#include <criterion/criterion.h>
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actuate.h"

#define COUNT 40
#define PATIENCE_MS 60000

/* Answers each line of its input with a JSON of its command_id; $1 is the status text. */
#define TAKE_ID "id=$(printf '%s' \"$line\" | sed 's/.*\"command_id\":\"\\([^\"]*\\)\".*/\\1/'); "
#define ANSWER                                                                             \
	"printf '{\"status\":200,\"status_text\":\"did it\",\"results\":{\"x-mailtrace\":" \
	"{\"command_id\":\"%s\",\"outcome\":\"done\",\"copies\":[]}}}\\n' \"$id\"; "

struct heard {
	GHashTable *outcomes; /* names, by command id */
	guint answers, rounds;
	guint stop_after; /* rounds; 0: never */
	char *text;	  /* of the last answer */
};

static void
take_answer(const struct openc2_command *command, const struct openc2_response *response,
	    void *data)
{
	struct heard *heard = data;

	cr_expect_str_eq(command->command_id, response->command_id);
	cr_expect(g_hash_table_insert(heard->outcomes, g_strdup(command->command_id),
				      (void *)openc2_outcome_name(response->outcome)),
		  "one command was answered twice");
	heard->answers++;
	g_free(heard->text);
	heard->text = g_strdup(response->text);
}

static gboolean
take_round(void *data)
{
	struct heard *heard = data;

	heard->rounds++;
	return !heard->stop_after || heard->rounds < heard->stop_after;
}

static GPtrArray *
make_commands(guint count)
{
	GPtrArray *commands = g_ptr_array_new_with_free_func((GDestroyNotify)openc2_command_free);

	for (guint i = 0; i < count; i++) {
		struct openc2_command *command =
			openc2_command_new(OPENC2_CONTAIN, OPENC2_MAILSTORE);

		command->message = openc2_message_new();
		command->message->mailbox = g_strdup("a@example.org");
		command->message->message_id = g_strdup("<a@b>");
		g_ptr_array_add(commands, command);
	}
	return commands;
}

static struct heard
run_script(const char *script, guint count, guint timeout_ms, guint stop_after)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const struct actuate_options options = {
		.name = "the test's actuator", .argv = argv, .jobs = 4, .timeout_ms = timeout_ms};
	g_autoptr(GPtrArray) commands = make_commands(count);
	struct heard heard = {.stop_after = stop_after};

	heard.outcomes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	actuate(&options, commands, take_answer, take_round, &heard);
	return heard;
}

static guint
count_of(const struct heard *heard, const char *outcome)
{
	GHashTableIter iter;
	gpointer value;
	guint count = 0;

	g_hash_table_iter_init(&iter, heard->outcomes);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		count += strcmp(value, outcome) == 0;
	return count;
}

static void
heard_clear(struct heard *heard)
{
	g_hash_table_unref(heard->outcomes);
	g_free(heard->text);
}

TestSuite(actuate, .timeout = 120);

Test(actuate, each_command_is_given_and_answered)
{
	struct heard heard =
		run_script("while read -r line; do " TAKE_ID ANSWER "done", COUNT, PATIENCE_MS, 0);

	cr_expect_eq(count_of(&heard, "done"), COUNT);
	cr_expect_str_eq(heard.text, "did it");
	heard_clear(&heard);
}

Test(actuate, answers_may_come_in_any_order_and_with_garbage_between)
{
	struct heard heard = run_script("echo hello; echo '{'; while read -r line; do " TAKE_ID
					"keep=$id; id=00000000-0000-4000-8000-000000000000; " ANSWER
					"id=$keep; " ANSWER ANSWER "done",
					10, PATIENCE_MS, 0);

	cr_expect_eq(count_of(&heard, "done"), 10);
	cr_expect_eq(heard.answers, 10);
	heard_clear(&heard);
}

Test(actuate, what_a_program_leaves_unanswered_is_unreachable)
{
	struct heard heard =
		run_script("read -r line; " TAKE_ID ANSWER "exit 7", COUNT, PATIENCE_MS, 0);

	cr_expect_eq(count_of(&heard, "done"), 1);
	cr_expect_eq(count_of(&heard, "unreachable"), COUNT - 1);
	cr_expect(strstr(heard.text, "status 7") != NULL, "%s", heard.text);
	heard_clear(&heard);
}

Test(actuate, a_program_that_is_not_there_reaches_nothing)
{
	const char *const argv[] = {"/no/such/actuator", NULL};
	const struct actuate_options options = {
		.name = "the test's actuator", .argv = argv, .jobs = 4, .timeout_ms = PATIENCE_MS};
	g_autoptr(GPtrArray) commands = make_commands(3);
	struct heard heard = {0};

	heard.outcomes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	actuate(&options, commands, take_answer, take_round, &heard);
	cr_expect_eq(count_of(&heard, "unreachable"), 3);
	heard_clear(&heard);
}

/* Waits for the end of a process that is nobody's child here; its adopter may not have noticed. */
static gboolean
has_ended(pid_t pid)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	gboolean ended = end.fd < 0 ? errno == ESRCH : poll(&end, 1, PATIENCE_MS) == 1;

	if (end.fd >= 0)
		close(end.fd);
	return ended;
}

Test(actuate, a_silent_program_is_ended_with_all_that_it_started)
{
	g_autofree char *directory = g_dir_make_tmp("mailtrace-actuate-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "pid", NULL);
	g_autofree char *script = g_strdup_printf("sleep 600 & echo $! >%s; wait", path);
	g_autofree char *text = NULL;
	struct heard heard = run_script(script, 3, 1500, 0);
	int pid;

	cr_expect_eq(count_of(&heard, "unreachable"), 3);
	cr_expect(strstr(heard.text, "did not answer for 1500 ms") != NULL, "%s", heard.text);
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	pid = atoi(text);
	cr_assert(has_ended(pid), "what it started still runs");
	g_unlink(path);
	g_rmdir(directory);
	heard_clear(&heard);
}

Test(actuate, a_line_without_end_and_garbage_without_end_are_ended)
{
	struct heard line = run_script("yes x | tr -d '\\n'", 3, PATIENCE_MS, 0);
	struct heard lines = run_script("yes x", 3, PATIENCE_MS, 0);

	cr_expect_eq(count_of(&line, "unreachable"), 3);
	cr_expect(strstr(line.text, "longer than an answer") != NULL, "%s", line.text);
	cr_expect_eq(count_of(&lines, "unreachable"), 3);
	cr_expect(strstr(lines.text, "no answer") != NULL, "%s", lines.text);
	heard_clear(&line);
	heard_clear(&lines);
}

Test(actuate, a_program_that_reads_nothing_is_no_trap)
{
	struct heard heard = run_script("exec <&-; exit 0", COUNT, PATIENCE_MS, 0);

	cr_expect_eq(count_of(&heard, "unreachable"), COUNT);
	heard_clear(&heard);
}

Test(actuate, nothing_more_is_begun_once_it_is_told_to_stop)
{
	struct heard heard =
		run_script("while read -r line; do " TAKE_ID ANSWER "done", COUNT, PATIENCE_MS, 1);

	cr_expect_lt(heard.answers, COUNT);
	cr_expect_eq(count_of(&heard, "done"), heard.answers, "what was begun is answered");
	heard_clear(&heard);
}
