/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuate.h - an actuator being run: commands in, answers out.
 *
 * Starts the program without a shell, gives it a few commands at a time, so that
 * whoever ends us leaves little behind, and takes its answers as hostile: a line
 * that is none, an answer to what was not asked or a second one to the same
 * command are told on standard error and count for nothing.  One that says nothing
 * for too long is ended.  Whatever happens, each command is answered once.  One
 * thread.
 */
#ifndef MAILTRACE_ACTUATE_H
#define MAILTRACE_ACTUATE_H

#include <glib.h>

#include "openc2.h"

struct actuate_options {
	const char *name;	 /* of the actuator, for messages */
	const char *const *argv; /* program and arguments, NULL-terminated */
	guint jobs;		 /* commands that it works on at a time */
	guint timeout_ms;	 /* that it may be silent while it owes answers */
};

/* Called with the answer to each command; both are borrowed. */
typedef void (*actuate_answer_fn)(const struct openc2_command *command,
				  const struct openc2_response *response, void *data);

/* Called after some answers were given; FALSE has no more commands be begun. */
typedef gboolean (*actuate_round_fn)(void *data);

/*
 * Has commands, of struct openc2_command, carried out.  What the actuator does not
 * answer, since it could not be started, ended early or was silent for too long, is
 * answered as unreachable; so is what was not begun, unless round said to stop,
 * which leaves it without an answer.
 */
void actuate(const struct actuate_options *options, const GPtrArray *commands,
	     actuate_answer_fn answer, actuate_round_fn round, void *data);
#endif
