/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "libexec.h"

int
cmd_collect(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autofree char *helper = NULL;

	if (!command_parse(command, entries, "",
			   "Runs the collector: receives events, stores and acknowledges them,\n"
			   "serves the live stream and the command line.  Needs --config or the\n"
			   "default configuration.  SIGHUP reads the keys again, SIGTERM ends it.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1)
		return command_fail(command, "takes no arguments");
	helper = libexec_path("collect");
	execl(helper, "mailtrace-collect", command->config_path, command->store_url, NULL);
	return command_fail(command, "cannot run %s: %s", helper, g_strerror(errno));
}
