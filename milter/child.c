/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "supervision.h"

#define PAUSE_FIRST_MS 100
#define STEADY_MS 10000 /* a child that lived this long ends the series */

/* In the child: puts fds at SUPERVISION_FD and above, and leaves no other. */
static void
place_descriptors(const int *fds, guint n_fds)
{
	int high[CHILD_FDS] = {-1, -1};

	for (guint i = 0; i < n_fds; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SUPERVISION_FD + 16);
	for (guint i = 0; i < n_fds; i++)
		dup2(high[i], SUPERVISION_FD + (int)i);
	syscall(SYS_close_range, SUPERVISION_FD + n_fds, ~0U, 0);
}

gboolean
child_start(struct child *child, char **arguments, const int *fds, guint n_fds,
	    const sigset_t *signals)
{
	pid_t pid;

	g_assert(n_fds <= CHILD_FDS);
	pid = fork();
	if (pid == 0) {
		place_descriptors(fds, n_fds);
		sigprocmask(SIG_SETMASK, signals, NULL);
		execv(arguments[0], arguments);
		_exit(127);
	}
	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "fork-failed", "program", child->program, "error",
			  g_strerror(errno), NULL);
		child->start_at_us =
			g_get_monotonic_time() + CHILD_PAUSE_MOST_MS * G_TIME_SPAN_MILLISECOND;
		return FALSE;
	}
	child->pid = pid;
	child->started_us = g_get_monotonic_time();
	return TRUE;
}

gboolean
child_is_due(const struct child *child)
{
	return child->pid == 0 && g_get_monotonic_time() >= child->start_at_us;
}

void
child_plan_restart(struct child *child)
{
	gint64 now_us = g_get_monotonic_time();

	if (now_us - child->started_us >= STEADY_MS * G_TIME_SPAN_MILLISECOND)
		child->pause_ms = 0;
	child->start_at_us = now_us + child->pause_ms * G_TIME_SPAN_MILLISECOND;
	child->pause_ms =
		child->pause_ms ? MIN(2 * child->pause_ms, CHILD_PAUSE_MOST_MS) : PAUSE_FIRST_MS;
}

void
child_log_end(const struct child *child, int status, const char *next)
{
	g_autofree char *pid = g_strdup_printf("%d", (int)child->pid);
	g_autofree char *exit_status = NULL;
	const char *signal_name = NULL;

	if (WIFSIGNALED(status))
		signal_name = sigabbrev_np(WTERMSIG(status));
	else
		exit_status = g_strdup_printf("%d", WEXITSTATUS(status));
	log_event(LOG_LEVEL_ERROR, "process-ended", "program", child->program, "pid", pid, "signal",
		  signal_name, "status", exit_status, "next", next, NULL);
}
