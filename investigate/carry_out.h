/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carry_out.h - a plan being carried out by the command line: asked for, begun at
 * the collector, each open command given to its actuator, each answer kept at once.
 *
 * A command that is settled is skipped, one that was not is tried again: run again
 * after any interruption it goes on, and never acts twice.  One thread.
 */
#ifndef MAILTRACE_CARRY_OUT_H
#define MAILTRACE_CARRY_OUT_H

#include "command.h"
#include "json.h"
#include "plan.h"

#define CARRY_OUT_JOBS 8
#define CARRY_OUT_JOBS_MOST 64

struct carry_out_options {
	gint jobs;	    /* of each actuator */
	gboolean yes;	    /* nobody is asked */
	gboolean emit_only; /* commands are published, and the site's automation acts */
};

/*
 * Parses the options of a verb that carries out, and fills *ret_options.  parameters,
 * summary: as of command_parse().  On failure prints one line and returns FALSE.
 */
gboolean carry_out_parse(struct command *command, const char *parameters, const char *summary,
			 struct carry_out_options *ret_options, int *argc, char ***argv);

/*
 * Asks on the terminal, unless yes says not to; carries the plan out; writes what
 * became of each target.  json: the plan's, as it was read or encoded.  Returns an
 * exit status: EXIT_PARTLY when something is left.
 */
int carry_out(struct command *command, const struct plan *plan, const json_t *json,
	      const struct carry_out_options *options);
#endif
