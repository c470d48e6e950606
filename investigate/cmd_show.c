/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "event_text.h"
#include "finals.h"
#include "ocsf.h"

#define CHAIN_CAP 32 /* hops of one message through our own sensors; loops end earlier */

/* Adds the recipients of an event, without brackets, to addresses. */
static void
add_recipients(const struct event *event, GPtrArray *addresses)
{
	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *address = g_ptr_array_index(event->recipients, i);

		g_ptr_array_add(addresses, g_strdup(address->address));
	}
}

/*
 * Writes an event; recipients: gets their addresses, unless it is NULL; *ret_parent: the
 * event of the hop before, or NULL.
 */
static gboolean
show_event(struct out *out, GBytes *json, GPtrArray *recipients, char **ret_parent, GError **error)
{
	gsize length;
	const char *text = g_bytes_get_data(json, &length);
	g_autoptr(event_t) event = ocsf_decode_event(text, length, error);

	if (!event)
		return FALSE;
	out_json_line(out, text, length);
	event_text(out, event);
	if (recipients)
		add_recipients(event, recipients);
	*ret_parent = g_steal_pointer(&event->parent_event);
	return TRUE;
}

/* Shows what was found later in the files of an event. */
static gboolean
show_supplement(GBytes *json, void *data)
{
	struct out *out = data;
	g_autofree char *parent = NULL;

	out_note(out, "%s", "");
	return show_event(out, json, NULL, &parent, NULL);
}

/* What became of an event, being written. */
struct history {
	struct out *out;
	GHashTable *shown; /* of ids: what a later hop showed is not shown again */
	gboolean is_newest;
	guint lines, copies;
};

static gboolean
show_delivery(const struct delivery *delivery, GBytes *json, void *data)
{
	struct history *history = data;
	gsize length;
	const char *text = g_bytes_get_data(json, &length);
	g_autofree char *line = NULL;

	if (!g_hash_table_add(history->shown, g_strdup(delivery->event_id)))
		return TRUE;
	line = delivery_line(history->out, delivery);
	out_json_line(history->out, text, length);
	out_note(history->out, "%-12s %s", history->lines++ ? "" : "Delivery", line);
	return TRUE;
}

/* Where the copies of one recipient are, and what was done with them. */
static gboolean
show_finals(const struct command *command, struct store *store, struct history *history,
	    const char *id, const char *recipient, GError **error)
{
	g_autoptr(GPtrArray) finals = store_finals(store, command->tenant, id, recipient, error);

	for (guint i = 0; finals && i < finals->len; i++) {
		const struct store_final *final = g_ptr_array_index(finals, i);
		g_autofree char *line = final_line(history->out, final);

		out_note(history->out, "%-12s %s: %s", history->copies++ ? "" : "Copies", recipient,
			 line);
		for (guint n = 0; n < final->acts->len; n++) {
			g_autofree char *act =
				act_line(history->out, g_ptr_array_index(final->acts, n));

			out_note(history->out, "%-12s   %s", "", act);
		}
	}
	return finals != NULL;
}

/* Once: the hops before know less of them. */
static gboolean
show_all_finals(const struct command *command, struct store *store, struct history *history,
		const char *id, const GPtrArray *recipients, GError **error)
{
	for (guint i = 0; history->is_newest && i < recipients->len; i++)
		if (!show_finals(command, store, history, id, g_ptr_array_index(recipients, i),
				 error))
			return FALSE;
	return TRUE;
}

/* Shows one event and its deliveries; *ret_shown: FALSE if there is none of that id. */
static gboolean
show_hop(const struct command *command, struct store *store, struct history *history,
	 const char *id, char **ret_parent, gboolean *ret_shown, GError **error)
{
	g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) failure = NULL;
	g_autoptr(GBytes) json = store_event(store, command->tenant, id, &failure);

	if (failure) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	*ret_shown = json != NULL;
	return !json ||
	       (show_event(history->out, json, recipients, ret_parent, error) &&
		store_deliveries(store, command->tenant, id, show_delivery, history, error) &&
		show_all_finals(command, store, history, id, recipients, error) &&
		store_supplements(store, command->tenant, id, show_supplement, history->out,
				  error));
}

/* Shows the event and then those of the hops before it, as far as they are known. */
static int
show_chain(const struct command *command, struct store *store, struct out *out, const char *id)
{
	g_autofree char *next = g_strdup(id);
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	guint shown = 0;

	while (next && shown < CHAIN_CAP) {
		g_autofree char *parent = NULL;
		struct history history = {.out = out, .shown = lines, .is_newest = shown == 0};
		gboolean found = FALSE;

		if (!show_hop(command, store, &history, next, &parent, &found, &error))
			return command_fail(command, "%s", error->message);
		if (!found)
			break;
		shown++;
		g_free(next);
		next = g_steal_pointer(&parent);
		if (next)
			out_note(out, "%s", "");
	}
	return shown ? EXIT_FOUND : EXIT_NOTHING;
}

int
cmd_show(struct command *command, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	g_autoptr(store_t) store = NULL;
	struct out *out;
	int status;

	if (!command_parse(
		    command, entries, "EVENT",
		    "Shows one message: envelope, headers, tree of files with digests, what\n"
		    "became of it, and the events of earlier hops.  With --json, each event\n"
		    "and each delivery (activity_id 4) as it is stored.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc != 2 || !event_id_is_valid(argv[1]))
		return command_fail(command, "give one event id, as `mailtrace who` prints it");
	if (command->csv)
		return command_fail(command, "there is no --csv of a message");
	store = command_store(command);
	if (!store || !command_audit(command, -1))
		return EXIT_TROUBLE;
	out = command_out(command);
	status = show_chain(command, store, out, argv[1]);
	if (status == EXIT_NOTHING)
		command_fail(command, "tenant %s has no event %s", command->tenant, argv[1]);
	return command_end(command, out, status);
}
