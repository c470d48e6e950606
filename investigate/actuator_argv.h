/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator_argv.h - which program acts for a role, and with which options.
 *
 * A site's own program of [containment] goes before ours.  One thread.
 */
#ifndef MAILTRACE_ACTUATOR_ARGV_H
#define MAILTRACE_ACTUATOR_ARGV_H

#include "command.h"
#include "openc2.h"

/*
 * Returns the actuator of a role as an argument vector; NULL if the role has none.
 * jobs: commands at a time.  evidence_directory: where messages are brought to; NULL
 * when none are.  Free with g_strfreev().
 */
char **actuator_argv(const struct command *command, enum openc2_role role, guint jobs,
		     const char *evidence_directory);
#endif
