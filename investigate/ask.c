/* SPDX-License-Identifier: BSD-2-Clause */
#include "ask.h"

#include <stdio.h>
#include <unistd.h>

#include "text.h"

static gboolean
is_yes(void)
{
	char line[16];

	return fgets(line, sizeof(line), stdin) && (g_ascii_strncasecmp(line, "y\n", 2) == 0 ||
						    g_ascii_strncasecmp(line, "yes\n", 4) == 0);
}

gboolean
ask_yes(const struct command *command, gboolean yes, int *ret_status, const char *format, ...)
{
	g_autofree char *question = NULL;
	g_autofree char *safe = NULL;
	va_list list;

	if (yes)
		return TRUE;
	if (!isatty(STDIN_FILENO)) {
		*ret_status = command_fail(command, "nobody can be asked here: say --yes");
		return FALSE;
	}
	va_start(list, format);
	question = g_strdup_vprintf(format, list);
	va_end(list);
	safe = text_for_terminal(question);
	fprintf(stderr, "%s [y/N] ", safe);
	fflush(stderr);
	if (is_yes())
		return TRUE;
	*ret_status = EXIT_NOTHING;
	return FALSE;
}
