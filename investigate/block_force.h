/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_force.h - waiting until a change of the block list is in force.
 */
#ifndef MAILTRACE_BLOCK_FORCE_H
#define MAILTRACE_BLOCK_FORCE_H

#include "command.h"
#include "control.h"

/*
 * Waits until all sensors have this version of the block list, at most wait_ms, and
 * writes on how many it is in force and which lack it.  began_us: monotonic time from
 * which is counted.  Returns an exit status: EXIT_PARTLY when some lack it.
 */
int block_force_await(const struct command *command, struct control *control, gint64 version,
		      gint wait_ms, gint64 began_us, struct out *out);
#endif
