/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask.h - asking on the terminal before something is done.
 */
#ifndef MAILTRACE_ASK_H
#define MAILTRACE_ASK_H

#include "command.h"

/*
 * Asks a question on the terminal, unless yes says that it is answered.  Returns TRUE
 * when the answer is yes; else *ret_status is the exit status: EXIT_NOTHING, or
 * EXIT_TROUBLE after saying so where nobody can be asked.
 */
gboolean ask_yes(const struct command *command, gboolean yes, int *ret_status, const char *format,
		 ...) G_GNUC_PRINTF(4, 5);
#endif
