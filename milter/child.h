/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child.h - a program that the supervisor starts, and starts anew when it ends.
 *
 * Owns the start, and the pauses between one that ends early and the next.  Does
 * not wait for ends: the supervisor reaps, and tells.  Forks, so that the process
 * has one thread.
 */
#ifndef MAILTRACE_CHILD_H
#define MAILTRACE_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include <glib.h>

#define CHILD_PAUSE_MOST_MS 10000 /* between two starts */
#define CHILD_FDS 2		  /* that are handed over, at most */

/* Times are of g_get_monotonic_time(). */
struct child {
	const char *program; /* its name in libexec; static */
	pid_t pid;	     /* 0 while none runs */
	gint64 started_us;
	gint64 start_at_us; /* not before; while none runs */
	guint pause_ms;	    /* of the series of early ends */
};

/*
 * Starts the child.  arguments: [0] its path, NULL-terminated; fds: n_fds of them,
 * which it finds from SUPERVISION_FD on, and no other but the standard ones; they
 * stay the caller's.  signals: its mask.  FALSE, logged and with a pause, if there is
 * no process; a program that cannot be run is a child that ends with 127.
 */
gboolean child_start(struct child *child, char **arguments, const int *fds, guint n_fds,
		     const sigset_t *signals);

/* Tells whether none runs and the pause is over. */
gboolean child_is_due(const struct child *child);

/*
 * Plans the next start of a child that has ended, or could not be made ready: at once,
 * then after a pause that doubles, until one has lived for ten seconds.
 */
void child_plan_restart(struct child *child);

/* Logs the end of a child that runs no more.  status: waitpid()'s; next: what follows. */
void child_log_end(const struct child *child, int status, const char *next);
#endif
