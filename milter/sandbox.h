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

enum sandbox_error { SANDBOX_ERROR_UNSUPPORTED, SANDBOX_ERROR_SYSTEM };
#define SANDBOX_ERROR (sandbox_error_quark())
GQuark sandbox_error_quark(void);

/* Which walls stand, for the log and for `mailtrace-milter -t`. */
struct sandbox_walls {
	gboolean seccomp;
	int landlock_abi; /* 0: the kernel has none, or it is switched off */
	gboolean limits;
};

/*
 * Encloses the calling process for good.  channel_fd: the only descriptor it
 * keeps besides stderr.  temp_fd: a directory on tmpfs it may use, or -1 for
 * none.  Fails with SANDBOX_ERROR if seccomp cannot be had; a kernel without
 * Landlock is reported in ret_walls, since seccomp alone already forbids every
 * open by path.
 */
gboolean sandbox_enter(int channel_fd, int temp_fd, struct sandbox_walls *ret_walls,
		       GError **error);
#endif
