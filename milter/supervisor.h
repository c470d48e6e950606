/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervisor.h - starts, watches, reloads and stops the milter process and the scanner.
 *
 * Owns the signals while it runs (libmilter swallows SIGHUP and SIGTERM in its
 * process), and the service manager's protocol (sd_notify(3)).  Parses no message
 * and talks to no MTA: what dies is started anew, and connections wait in the
 * listening socket's queue meanwhile.  One thread, and the only one of its process.
 */
#ifndef MAILTRACE_SUPERVISOR_H
#define MAILTRACE_SUPERVISOR_H

#include <glib.h>

#include "configuration.h"

/*
 * Supervises until SIGTERM or SIGINT.  configuration: holds; a reload (SIGHUP) changes
 * it.  listen_fd: the MTA's socket; it stays the caller's.  to_stderr: where the milter
 * process logs.  Returns the exit status: EXIT_FAILURE, logged, when signals cannot be
 * taken or the milter process never became ready.
 */
int supervisor_run(struct configuration *configuration, int listen_fd, gboolean to_stderr);
#endif
