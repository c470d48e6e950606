/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "progress.h"

static const struct out_column columns[] = {
	{"kind", "KIND", OUT_TEXT, 0},
	{"id", "ID", OUT_TEXT, 0},
	{"detail", "DETAIL", OUT_TEXT, 0},
	{NULL},
};

static void
write_flaw(const struct store_flaw *flaw, void *data)
{
	out_row(data,
		(const struct out_value[]){{flaw->kind, 0}, {flaw->id, 0}, {flaw->detail, 0}});
}

static gboolean
draw(double share, void *data)
{
	progress_draw(data, share, share < 0 ? "pages" : "records");
	return TRUE;
}

static int
verify(struct command *command, struct store *store)
{
	struct out *out = command_out(command);
	struct progress progress;
	g_autoptr(GError) error = NULL;
	guint64 flaws = 0;
	int status = EXIT_FOUND;

	progress_init(&progress, command->quiet);
	out_begin(out, "flaw", columns);
	if (!store_verify(store, write_flaw, out, draw, &progress, &flaws, &error))
		status = EXIT_TROUBLE;
	out_end(out);
	progress_end(&progress);
	if (error)
		command_fail(command, "%s", error->message);
	if (flaws) {
		command_fail(command,
			     "%" G_GUINT64_FORMAT " flaws in %s: keep it aside, put back a backup "
			     "and import the mail since then; see mailtrace(1)",
			     flaws, command->store_url);
		status = EXIT_PARTLY;
	}
	return command_end(command, out, status);
}

int
cmd_verify(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autoptr(store_t) store = NULL;

	if (!command_parse(command, entries, "",
			   "Looks whether the store is as it was written, while the collector\n"
			   "runs: pages and indexes, each record's digest, each file's hashes.\n"
			   "Prints a row for each flaw.  Exit status 0: none; 3: some.",
			   &argc, &argv))
		return EXIT_TROUBLE;
	if (argc > 1)
		return command_fail(command, "takes no arguments");
	store = command_store(command);
	return store ? verify(command, store) : EXIT_TROUBLE;
}
