/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

#define HIGH_FD 50

static void
set_up(void)
{
	log_open("test", LOG_TARGET_STDERR);
}

TestSuite(child, .init = set_up, .timeout = 60);

/* Has a shell run a script as the child; returns its status, and what it wrote to descriptor 3. */
static int
run(const char *script, const sigset_t *signals, char **ret_text)
{
	struct child child = {.program = "sh"};
	char *arguments[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
	g_autoptr(GString) text = g_string_new(NULL);
	char chunk[256];
	ssize_t got;
	int ends[2], status;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert(child_start(&child, arguments, &ends[1], 1, signals));
	cr_assert_gt(child.pid, 0);
	cr_assert_not(child_is_due(&child), "one runs");
	close(ends[1]);
	while ((got = read(ends[0], chunk, sizeof chunk)) > 0)
		g_string_append_len(text, chunk, got);
	close(ends[0]);
	cr_assert_eq(waitpid(child.pid, &status, 0), child.pid);
	*ret_text = g_string_free(g_steal_pointer(&text), FALSE);
	return status;
}

Test(child, finds_the_descriptors_that_are_handed_over_and_no_other)
{
	g_autofree char *text = NULL;
	sigset_t none;
	int status;

	sigemptyset(&none);
	cr_assert_eq(dup2(STDERR_FILENO, HIGH_FD), HIGH_FD);
	status = run("echo here >&3; for n in 4 50; do"
		     " [ ! -e /proc/$$/fd/$n ] || echo $n is open >&3; done",
		     &none, &text);
	close(HIGH_FD);
	cr_assert_eq(status, 0);
	cr_assert_str_eq(text, "here\n");
}

Test(child, has_the_signals_that_it_is_given_and_not_its_parents)
{
	g_autofree char *text = NULL;
	sigset_t none, blocked;
	int status;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	status = run("kill -USR2 $$; echo goes on >&3", &none, &text);
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(WTERMSIG(status), SIGUSR2);
	cr_assert_str_empty(text);
}

Test(child, that_cannot_be_run_is_one_that_ends)
{
	struct child child = {.program = "none"};
	char *arguments[] = {(char *)"/nonexistent/none", NULL};
	sigset_t none;
	int status;

	sigemptyset(&none);
	cr_assert(child_start(&child, arguments, NULL, 0, &none));
	cr_assert_eq(waitpid(child.pid, &status, 0), child.pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 127);
}

/* Plans the restart of one that lived so long, and expects this pause before it. */
static void
expect_pause(struct child *child, gint64 lived_ms, gint64 pause_ms)
{
	gint64 before_us = g_get_monotonic_time(), after_us;

	child->started_us = before_us - lived_ms * G_TIME_SPAN_MILLISECOND;
	child_plan_restart(child);
	after_us = g_get_monotonic_time();
	/* However long that took: it was planned between the two. */
	cr_assert_geq(child->start_at_us, before_us + pause_ms * G_TIME_SPAN_MILLISECOND);
	cr_assert_leq(child->start_at_us, after_us + pause_ms * G_TIME_SPAN_MILLISECOND);
}

Test(child, pauses_double_up_to_the_most_and_end_with_a_long_life)
{
	static const gint64 pauses[] = {0, 100, 200, 400, 800, 1600, 3200, 6400};
	struct child child = {.program = "x"};

	for (gsize i = 0; i < G_N_ELEMENTS(pauses); i++)
		expect_pause(&child, 0, pauses[i]);
	expect_pause(&child, 0, CHILD_PAUSE_MOST_MS);
	expect_pause(&child, 0, CHILD_PAUSE_MOST_MS);
	cr_assert_not(child_is_due(&child));
	expect_pause(&child, 10000, 0);
	cr_assert(child_is_due(&child));
	expect_pause(&child, 0, 100);
}
