/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "progress.h"

static const struct out_column columns[] = {
	{"path", "BACKUP", OUT_TEXT, 0},
	{"events", "EVENTS", OUT_INT, 0},
	{"bytes", "BYTES", OUT_INT, 0},
	{NULL},
};

static gboolean
draw(double share, void *data)
{
	progress_draw(data, share, "of the store");
	return TRUE;
}

static gboolean
make_backup(const struct command *command, struct store *store, const char *path, GError **error)
{
	struct progress progress;
	gboolean done;

	progress_init(&progress, command->quiet);
	done = store_backup(store, path, draw, &progress, error);
	progress_end(&progress);
	return done;
}

/* Opens the copy, as whoever puts it back would, and tells what is in it. */
static int
report(struct command *command, const char *path)
{
	g_autofree char *url = g_strconcat("sqlite:", path, NULL);
	g_autofree char *text = g_filename_display_name(path);
	g_autoptr(GError) error = NULL;
	g_autoptr(store_t) copy = store_open(url, STORE_READ, &error);
	struct store_status status;
	struct out *out;

	if (!copy || !store_status(copy, NULL, &status, &error))
		return command_fail(command, "the copy cannot be read: %s", error->message);
	out = command_out(command);
	out_begin(out, "backup", columns);
	out_row(out, (const struct out_value[]){{text, 0},
						{NULL, (gint64)status.events},
						{NULL, (gint64)status.bytes}});
	out_end(out);
	store_status_clear(&status);
	return command_end(command, out, EXIT_FOUND);
}

int
cmd_backup(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autoptr(store_t) store = NULL;
	g_autoptr(GError) error = NULL;

	if (!command_parse(command, entries, "PATH",
			   "Copies the store into a new file, as it is at this moment, while the\n"
			   "collector goes on.  Keep the copy as safe as the store.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc != 2 || !*argv[1])
		return command_fail(command, "give the path of the copy");
	store = command_store(command);
	if (!store || !command_audit(command, -1))
		return EXIT_TROUBLE;
	if (!make_backup(command, store, argv[1], &error))
		return command_fail(command, "%s", error->message);
	return report(command, argv[1]);
}
