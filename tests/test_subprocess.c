/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "subprocess.h"

#include <sys/resource.h>
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static gint64
soon(void)
{
	return g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
}

/* Runs a shell's script, which stands for any program. */
static struct subprocess *
script(const char *text, const char *input)
{
	const char *const argv[] = {"/bin/sh", "-c", text, NULL};
	g_autoptr(GError) error = NULL;
	struct subprocess *process = subprocess_start(argv, NULL, input, &error);

	cr_assert(process, "%s", error ? error->message : "");
	return process;
}

static char *
output_of(const struct subprocess *process)
{
	GString *text = g_string_new(NULL);
	char bytes[256];
	ssize_t got;

	while ((got = read(subprocess_output(process), bytes, sizeof(bytes))) > 0)
		g_string_append_len(text, bytes, got);
	return g_string_free(text, FALSE);
}

Test(subprocess, input_output_and_arguments_are_as_given)
{
	const char *const argv[] = {"/usr/bin/env", "printf", "%s|", "a b", "$HOME;*", "", NULL};
	const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	struct subprocess *process = subprocess_start(argv, environment, NULL, NULL);
	g_autofree char *printed = output_of(process);
	g_autofree char *echoed = NULL;

	cr_assert(subprocess_end(process, soon(), NULL));
	cr_assert_str_eq(printed, "a b|$HOME;*||");
	process = script("cat", "two\nlines");
	echoed = output_of(process);
	cr_assert(subprocess_end(process, soon(), NULL));
	cr_assert_str_eq(echoed, "two\nlines");
}

Test(subprocess, a_failure_is_told_with_the_last_that_was_said)
{
	struct subprocess *process = script("echo first >&2; echo 'the reason' >&2; exit 7", NULL);
	g_autoptr(GError) error = NULL;

	cr_assert_not(subprocess_end(process, soon(), &error));
	cr_assert(g_error_matches(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_FAILED));
	cr_assert_str_eq(error->message, "sh failed (status 7): the reason");
}

Test(subprocess, a_program_that_is_not_there_is_not_started)
{
	const char *const argv[] = {"/no/such/program", NULL};
	g_autoptr(GError) error = NULL;

	cr_assert_null(subprocess_start(argv, NULL, NULL, &error));
	cr_assert(g_error_matches(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_START));
}

Test(subprocess, one_that_takes_too_long_is_ended_even_against_its_will)
{
	gint64 begin_us = g_get_monotonic_time();
	struct subprocess *process = script("trap '' TERM; while :; do sleep 0.1; done", NULL);
	g_autoptr(GError) error = NULL;

	cr_assert_not(subprocess_end(process, begin_us + 50000, &error));
	cr_assert(g_error_matches(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_TIMEOUT));
}

Test(subprocess, output_that_nobody_wants_does_not_stop_it)
{
	const char *const argv[] = {
		"/bin/sh", "-c",
		"i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done", NULL};
	g_autoptr(GError) error = NULL;

	cr_assert(subprocess_run(argv, NULL, NULL, soon(), &error), "%s",
		  error ? error->message : "");
}

Test(subprocess, an_end_is_seen_without_a_descriptor_to_spare, .timeout = 60)
{
	const char *const argv[] = {"true", NULL};
	struct rlimit former, few;
	g_autoptr(GError) error = NULL;
	struct subprocess *process = subprocess_start(argv, NULL, NULL, &error);
	gboolean ended;

	cr_assert(process, "%s", error ? error->message : "");
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &former), 0);
	few = former;
	few.rlim_cur = 3; /* poll(2) may have so many */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ended = subprocess_end(process, g_get_monotonic_time() + 3600 * (gint64)G_USEC_PER_SEC,
			       &error);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &former), 0);
	cr_assert(ended, "%s", error ? error->message : "");
}
