/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - a worker: reads messages inside the sandbox, one after another.
 *
 * Runs in a process that the scanner forked after mime_preload().  It knows
 * its channel (scanner_protocol.h) and nothing else of the world.  It ends
 * - at the end of its channel;
 * - after WORKER_MESSAGES, or once half of SANDBOX_CPU_SECONDS are used;
 * - by signal, when a message costs more than WORKER_CPU_SECONDS (SIGPROF) or
 *   the memory that the sandbox leaves it (GLib aborts: SIGTRAP or SIGABRT),
 *   or does what the sandbox forbids (SIGSYS).  That costs this message only.
 */
#ifndef MAILTRACE_WORKER_H
#define MAILTRACE_WORKER_H

#include <glib.h>

/*
 * Encloses the calling process, which has one thread, and serves channel_fd
 * until the end.  temp_path: a folder on tmpfs of its own, for the engine; NULL for
 * none.  Exit status: 0, or WORKER_EXIT_SANDBOX after a line on
 * stderr when there is no sandbox.  Does not run the parent's atexit handlers.
 */
void worker_run(int channel_fd, const char *temp_path) G_GNUC_NORETURN;
#endif
