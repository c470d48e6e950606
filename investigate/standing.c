/* SPDX-License-Identifier: BSD-2-Clause */
#include "standing.h"

const char *
standing_state(gint64 ended_us, gint64 expires_us)
{
	if (!ended_us)
		return "in force";
	return expires_us && ended_us >= expires_us ? "expired" : "removed";
}

int
standing_write(struct command *command, struct store *store, gboolean all, const char *type,
	       const struct out_column *columns, standing_walk_fn walk)
{
	struct standing_list list = {.out = command_out(command)};
	g_autoptr(GError) error = NULL;
	int status = EXIT_TROUBLE;

	out_begin(list.out, type, columns);
	if (walk(store, command->tenant, all, &list, &error))
		status = list.count ? EXIT_FOUND : EXIT_NOTHING;
	out_end(list.out);
	if (error)
		command_fail(command, "%s", error->message);
	return command_end(command, list.out, status);
}
