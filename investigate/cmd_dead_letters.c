/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "dead_letter_control.h"
#include "store_dead_letters.h"

static const struct out_column columns[] = {
	{"id", "ID", OUT_INT, 0},
	{"at", "CAME", OUT_TIME, 0},
	{"sensor", "SENSOR", OUT_TEXT, 0},
	{"epoch", "", OUT_TEXT, 0},
	{"number", "NUMBER", OUT_INT, 0},
	{"bytes", "BYTES", OUT_INT, 0},
	{"reason", "REASON", OUT_TEXT, 100},
	{NULL},
};

/* ---- list ---- */

struct listing {
	struct out *out;
	guint64 count;
};

static gboolean
list_one(const struct store_dead_letter *letter, void *data)
{
	struct listing *listing = data;

	listing->count++;
	out_row(listing->out, (const struct out_value[]){{NULL, letter->id},
							 {NULL, letter->time_us},
							 {letter->sensor, 0},
							 {letter->sequence.epoch, 0},
							 {NULL, (gint64)letter->sequence.n},
							 {NULL, (gint64)letter->length},
							 {letter->reason, 0}});
	return TRUE;
}

static int
list_all(struct command *command, struct store *store)
{
	struct listing listing = {.out = command_out(command)};
	g_autoptr(GError) error = NULL;
	gboolean read;

	out_begin(listing.out, "dead-letter", columns);
	read = store_dead_letter_each(store, command->tenant, 0, list_one, &listing, &error);
	out_end(listing.out);
	if (!read)
		command_fail(command, "%s", error->message);
	return command_end(command, listing.out,
			   !read	   ? EXIT_TROUBLE
			   : listing.count ? EXIT_FOUND
					   : EXIT_NOTHING);
}

/* ---- show ---- */

/* As it came, for a file: a terminal would obey its bytes. */
static gboolean
write_bytes(const struct store_dead_letter *letter, void *data)
{
	gboolean *found = data;

	*found = TRUE;
	fwrite(letter->json, 1, letter->length, stdout);
	return TRUE;
}

static int
show(struct command *command, struct store *store, gint64 id)
{
	g_autoptr(GError) error = NULL;
	gboolean found = FALSE;

	if (isatty(STDOUT_FILENO))
		return command_fail(command, "it is not text for a terminal: send it to a file");
	if (!command_audit(command, 1))
		return EXIT_TROUBLE;
	if (!store_dead_letter_each(store, command->tenant, id, write_bytes, &found, &error))
		return command_fail(command, "%s", error->message);
	return found ? EXIT_FOUND : EXIT_NOTHING;
}

/* ---- replay and drop ---- */

static gboolean
add_id(const struct store_dead_letter *letter, void *data)
{
	g_array_append_val((GArray *)data, letter->id);
	return TRUE;
}

/* What became of a change. */
struct changed {
	gint64 count, refused;
	struct out *out;
};

static void
tell_refused(struct changed *changed, const json_t *answer)
{
	const json_t *value;
	gsize i;

	json_array_foreach (json_object_get(answer, "refused"), i, value) {
		changed->refused++;
		out_row(changed->out,
			(const struct out_value[]){{NULL, json_get_int(value, "id", 0)},
						   {json_get_text(value, "reason"), 0}});
	}
}

static gboolean
ask(struct command *command, struct control *control, gboolean is_replay, const GArray *ids,
    struct changed *changed, GError **error)
{
	for (guint first = 0; first < ids->len; first += DEAD_LETTER_IDS) {
		g_autoptr(json_t) request = command_request(
			command, is_replay ? "dead-letter-replay" : "dead-letter-drop");
		g_autoptr(json_t) answer = NULL;
		json_t *list = json_array();

		for (guint i = first; i < MIN(first + DEAD_LETTER_IDS, ids->len); i++)
			json_array_append_new(list, json_integer(g_array_index(ids, gint64, i)));
		json_object_set_new(request, "ids", list);
		answer = control_call(control, request, error);
		if (!answer)
			return FALSE;
		changed->count += json_get_int(answer, is_replay ? "replayed" : "dropped", 0);
		tell_refused(changed, answer);
	}
	return TRUE;
}

static int
change(struct command *command, gboolean is_replay, const GArray *ids)
{
	static const struct out_column refused[] = {
		{"id", "ID", OUT_INT, 0}, {"reason", "NOT READ", OUT_TEXT, 0}, {NULL}};
	static const struct out_column replayed[] = {{"replayed", "", OUT_INT, 0}, {NULL}};
	static const struct out_column dropped[] = {{"dropped", "", OUT_INT, 0}, {NULL}};
	g_autoptr(GError) error = NULL;
	struct control *control = control_connect(command->settings->control_socket, &error);
	struct changed changed = {0};
	gboolean done;

	if (!control)
		return command_fail(command, "%s; this is the running collector's to do",
				    error->message);
	changed.out = command_out(command);
	out_begin(changed.out, "dead-letter", refused);
	done = ask(command, control, is_replay, ids, &changed, &error);
	out_end(changed.out);
	control_free(control);
	out_begin(changed.out, is_replay ? "replayed" : "dropped", is_replay ? replayed : dropped);
	out_row(changed.out, (const struct out_value[]){{NULL, changed.count}});
	out_end(changed.out);
	out_note(changed.out, "%" G_GINT64_FORMAT " %s.", changed.count,
		 is_replay ? "replayed" : "dropped");
	if (!done)
		command_fail(command, "%s", error->message);
	return command_end(command, changed.out,
			   !done	     ? EXIT_TROUBLE
			   : changed.refused ? EXIT_PARTLY
			   : changed.count   ? EXIT_FOUND
					     : EXIT_NOTHING);
}

/* ---- the verb ---- */

static gboolean
read_ids(const struct command *command, char **words, GArray *ids)
{
	for (; *words; words++) {
		guint64 id;

		if (!g_ascii_string_to_unsigned(*words, 10, 1, G_MAXINT64, &id, NULL)) {
			command_fail(command, "%s is no number of the list", *words);
			return FALSE;
		}
		g_array_append_val(ids, id);
	}
	return TRUE;
}

static int
dispatch(struct command *command, gboolean all, int argc, char **argv)
{
	g_autoptr(store_t) store = command_store(command);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	gboolean is_replay = argc > 1 && strcmp(argv[1], "replay") == 0;
	gboolean is_change = is_replay || (argc > 1 && strcmp(argv[1], "drop") == 0);
	g_autoptr(GError) error = NULL;

	if (!store || (argc > 2 && !read_ids(command, argv + 2, ids)))
		return EXIT_TROUBLE;
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list_all(command, store);
	if (ids->len == 1 && strcmp(argv[1], "show") == 0)
		return show(command, store, g_array_index(ids, gint64, 0));
	if (!is_change || all == (ids->len > 0))
		return command_fail(command,
				    "say list, show ID, or replay or drop with ID... or --all");
	if (all && !store_dead_letter_each(store, command->tenant, 0, add_id, ids, &error))
		return command_fail(command, "%s", error->message);
	return change(command, is_replay, ids);
}

int
cmd_dead_letters(struct command *command, int argc, char **argv)
{
	gboolean all = FALSE;
	const GOptionEntry entries[] = {
		{"all", 0, 0, G_OPTION_ARG_NONE, &all, "of replay and drop: all there are", NULL},
		{NULL},
	};

	if (!command_parse(
		    command, entries, "list | show ID | replay ID... | drop ID...",
		    "Events that the collector could not read, put aside so that those behind\n"
		    "them went on.  show writes one as it came; replay reads them again, with\n"
		    "what a newer mailtrace understands; drop gives them up.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	return dispatch(command, all, argc, argv);
}
