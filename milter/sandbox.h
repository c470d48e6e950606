/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - the walls around a worker: seccomp, Landlock, limits.
 *
 * Owner of libseccomp and the Landlock system calls.  What is inside may read
 * and write its one channel, map memory, use its temporary folder, and end;
 * nothing else.  Called by a single-threaded process.
 */
#ifndef MAILTRACE_SANDBOX_H
#define MAILTRACE_SANDBOX_H

#include <glib.h>

#include "caps.h"

enum sandbox_error {
	SANDBOX_ERROR_UNSUPPORTED, /* by this kernel */
	SANDBOX_ERROR_SYSTEM,	   /* a system call failed */
};
/* A process that gets one must not read a message: it is not, or not wholly, confined. */
#define SANDBOX_ERROR (sandbox_error_quark())
GQuark sandbox_error_quark(void);

/* Which walls stand, for the log and for `mailtrace-milter -t`. */
struct sandbox_walls {
	gboolean seccomp;
	int landlock_abi; /* 0: the kernel has none, or it is switched off */
	gboolean limits;
};

/*
 * CPU seconds of the enclosed process in all.  A worker that is itself bounds
 * each message with a timer (WORKER_CPU_SECONDS) and ends once half of these
 * are gone; one that was taken over can stop the timer, but not this.
 */
#define SANDBOX_CPU_SECONDS (10 * WORKER_CPU_SECONDS)

/*
 * Encloses the calling process for good.  channel_fd: above 2; the only
 * descriptor it keeps besides stderr; recvmsg, sendmsg, read and write remain
 * on it.  Descriptors that arrive on it may be mapped, private and not
 * executable, and closed.  temp_fd: a directory on tmpfs it may use, or -1 for
 * none; where there is no Landlock to confine it, it is not granted.
 *
 * What opens, looks at or chmods a path fails with EPERM, since libraries try
 * that when they meet a name they do not know; any other forbidden call kills the
 * process (SIGSYS) and is logged by the kernel's audit.  With a temp_fd it is
 * Landlock that refuses paths outside of it, with EACCES, to be opened, made or
 * removed; stat() and open() with O_PATH tell then what is there, but not what is in it.
 *
 * Fails with SANDBOX_ERROR if seccomp cannot be had; a kernel without Landlock
 * is reported in ret_walls, since seccomp alone already forbids every open by
 * path.  After a failure some walls may stand already: end the process.
 * Builds with --enable-sanitizers allow what the sanitizers need and have no
 * limit on memory; they are for tests alone.
 */
gboolean sandbox_enter(int channel_fd, int temp_fd, struct sandbox_walls *ret_walls,
		       GError **error);
#endif
