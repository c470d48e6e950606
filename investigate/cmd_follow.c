/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "libexec.h"

int
cmd_follow(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autofree char *helper = NULL;

	if (!command_parse(
		    command, entries, "",
		    "Follows the MTA's log beside the MTA: sends what became of each message\n"
		    "to the collector.  Needs --config or the default configuration.  SIGTERM\n"
		    "ends it.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1)
		return command_fail(command, "takes no arguments");
	helper = libexec_path("follow");
	execl(helper, "mailtrace-follow", command->config_path, NULL);
	return command_fail(command, "cannot run %s: %s", helper, g_strerror(errno));
}
