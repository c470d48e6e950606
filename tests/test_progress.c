/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "progress.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes stderr a terminal, as the test's process has it alone; returns the other end. */
static int
terminal_as_stderr(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave;

	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(slave >= 0 && dup2(slave, STDERR_FILENO) == STDERR_FILENO);
	close(slave);
	return master;
}

/* Returns all that was written up to now: a mark is sent after it and waited for. */
static char *
shown_on(int master)
{
	g_autoptr(GString) shown = g_string_new(NULL);
	struct pollfd wait = {.fd = master, .events = POLLIN};

	cr_assert_eq(write(STDERR_FILENO, "\x02", 1), 1);
	while (!strchr(shown->str, '\x02') && poll(&wait, 1, 10000) > 0) {
		char bytes[256];
		ssize_t got = read(master, bytes, sizeof(bytes));

		cr_assert_gt(got, 0);
		g_string_append_len(shown, bytes, got);
	}
	cr_assert(g_str_has_suffix(shown->str, "\x02"));
	g_string_truncate(shown, shown->len - 1);
	return g_string_free(g_steal_pointer(&shown), FALSE);
}

Test(progress, bar_is_as_long_as_the_share)
{
	static const struct {
		double share;
		const char *wanted;
	} rows[] = {
		{0.0, "[..............................]   0% x"},
		{0.5, "[###############...............]  50% x"},
		{1.0, "[##############################] 100% x"},
		{7.0, "[##############################] 100% x"},
		{-1.0, "[..............................] x"},
	};
	int master = terminal_as_stderr();

	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *shown = NULL;
		struct progress progress;

		progress_init(&progress, FALSE);
		progress_draw(&progress, rows[i].share, "x");
		shown = shown_on(master);
		cr_assert_not_null(strstr(shown, rows[i].wanted), "%s", shown);
	}
	close(master);
}

Test(progress, is_wiped_at_the_end_and_only_if_drawn)
{
	int master = terminal_as_stderr();
	g_autofree char *drawn = NULL, *wiped = NULL, *nothing = NULL;
	struct progress progress;

	progress_init(&progress, FALSE);
	progress_end(&progress);
	nothing = shown_on(master);
	cr_assert_str_empty(nothing);
	progress_draw(&progress, 0, "x");
	drawn = shown_on(master);
	cr_assert_str_not_empty(drawn);
	progress_end(&progress);
	wiped = shown_on(master);
	cr_assert_str_eq(wiped, "\r\033[K");
	close(master);
}

Test(progress, is_not_drawn_more_often_than_people_look)
{
	int master = terminal_as_stderr();
	g_autofree char *first = NULL, *second = NULL;
	struct progress progress;

	progress_init(&progress, FALSE);
	progress_draw(&progress, 0.1, "x");
	first = shown_on(master);
	progress.next_us = G_MAXINT64;
	progress_draw(&progress, 0.2, "x");
	second = shown_on(master);
	cr_assert_str_not_empty(first);
	cr_assert_str_empty(second);
	close(master);
}

Test(progress, says_nothing_when_quiet_or_piped)
{
	int master = terminal_as_stderr();
	g_autofree char *shown = NULL;
	struct progress progress;
	int ends[2];
	char byte;

	progress_init(&progress, TRUE);
	progress_draw(&progress, 0.5, "x");
	shown = shown_on(master);
	cr_assert_str_empty(shown);
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	progress_init(&progress, FALSE);
	progress_draw(&progress, 0.5, "x");
	progress_end(&progress);
	cr_assert_eq(read(ends[0], &byte, 1), -1, "a bar in a pipe");
	close(master);
}
