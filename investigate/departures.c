/* SPDX-License-Identifier: BSD-2-Clause */
#include "departures.h"

#include <string.h>

#include "text.h"

struct departures {
	GPtrArray *all;		/* of struct plan_beyond */
	GHashTable *of_command; /* by command id, of GPtrArray of struct plan_beyond, borrowed */
};

/* A plan's departures being read. */
struct reading {
	struct store *store;
	const struct plan *plan;
	GHashTable *mailboxes; /* command ids, by the search key of their mailbox */
	struct departures *departures;
};

enum plan_beyond_kind
departure_kind(const struct store_act *act)
{
	return strcmp(act->what, "forwarded") == 0 ? PLAN_BEYOND_FORWARDED : PLAN_BEYOND_DOWNLOADED;
}

/* A POP3 session does not always say which of its messages it took. */
const char *
departure_why(const struct store_act *act)
{
	if (departure_kind(act) == PLAN_BEYOND_FORWARDED)
		return "was forwarded by its user";
	return act->perhaps ? "was perhaps downloaded by POP3" : "was downloaded by POP3";
}

/* ---- reading ---- */

static gboolean
is_known(const GPtrArray *known, enum plan_beyond_kind kind, const char *recipient)
{
	for (guint i = 0; i < known->len; i++) {
		const struct plan_beyond *entry = g_ptr_array_index(known, i);

		if (entry->kind == kind && strcmp(entry->recipient, recipient) == 0)
			return TRUE;
	}
	return FALSE;
}

static void
add_departure(const struct reading *reading, const struct plan_recipient *recipient,
	      const char *command_id, const struct store_final *final, const struct store_act *act)
{
	struct departures *departures = reading->departures;
	GPtrArray *known = g_hash_table_lookup(departures->of_command, command_id);
	struct plan_beyond *entry;

	if (!known) {
		known = g_ptr_array_new();
		g_hash_table_insert(departures->of_command, g_strdup(command_id), known);
	}
	if (is_known(known, departure_kind(act), recipient->recipient))
		return;
	entry = g_new0(struct plan_beyond, 1);
	entry->kind = departure_kind(act);
	entry->event_id = g_strdup(recipient->event_id);
	entry->recipient = g_strdup(recipient->recipient);
	entry->address = g_strdup(final->address);
	entry->why = g_strdup(departure_why(act));
	g_ptr_array_add(known, entry);
	g_ptr_array_add(departures->all, entry);
}

static void
take_final(const struct reading *reading, const struct plan_recipient *recipient,
	   GHashTable *commands, const struct store_final *final)
{
	g_autofree char *key = address_search_key(final->address);
	const char *command_id = g_hash_table_lookup(commands, key);

	for (guint i = 0; command_id && i < final->acts->len; i++) {
		const struct store_act *act = g_ptr_array_index(final->acts, i);

		if (store_act_departs(act))
			add_departure(reading, recipient, command_id, final, act);
	}
}

/* Returns the ids of a recipient's commands in mailboxes, by the mailbox. */
static GHashTable *
commands_of(const struct reading *reading, const struct plan_recipient *recipient)
{
	GHashTable *commands = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < recipient->commands->len; i++) {
		char *id = g_ptr_array_index(recipient->commands, i);
		const char *mailbox = g_hash_table_lookup(reading->mailboxes, id);

		if (mailbox)
			g_hash_table_insert(commands, (char *)mailbox, id);
	}
	return commands;
}

static gboolean
read_recipient(const struct reading *reading, const struct plan_recipient *recipient,
	       GError **error)
{
	g_autoptr(GHashTable) commands = commands_of(reading, recipient);
	g_autoptr(GPtrArray) finals = NULL;

	if (!g_hash_table_size(commands))
		return TRUE;
	finals = store_finals(reading->store, reading->plan->tenant, recipient->event_id,
			      recipient->recipient, error);
	for (guint i = 0; finals && i < finals->len; i++)
		take_final(reading, recipient, commands, g_ptr_array_index(finals, i));
	return finals != NULL;
}

/* Returns the search keys of mailboxes, by the ids (borrowed) of the commands about them. */
static GHashTable *
mailboxes_of(const struct plan *plan)
{
	GHashTable *mailboxes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

	for (guint i = 0; i < plan->commands->len; i++) {
		const struct openc2_command *command = g_ptr_array_index(plan->commands, i);

		if (command->role == OPENC2_MAILSTORE && command->message->mailbox)
			g_hash_table_insert(mailboxes, command->command_id,
					    address_search_key(command->message->mailbox));
	}
	return mailboxes;
}

struct departures *
departures_read(struct store *store, const struct plan *plan, GError **error)
{
	g_autoptr(departures_t) departures = g_new0(struct departures, 1);
	g_autoptr(GHashTable) mailboxes = mailboxes_of(plan);
	const struct reading reading = {store, plan, mailboxes, departures};

	departures->all = g_ptr_array_new_with_free_func(plan_beyond_free);
	departures->of_command = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
						       (GDestroyNotify)g_ptr_array_unref);
	for (guint i = 0; i < plan->recipients->len; i++)
		if (!read_recipient(&reading, g_ptr_array_index(plan->recipients, i), error))
			return NULL;
	return g_steal_pointer(&departures);
}

void
departures_free(struct departures *departures)
{
	if (!departures)
		return;
	g_hash_table_unref(departures->of_command);
	g_ptr_array_unref(departures->all);
	g_free(departures);
}

/* ---- telling ---- */

const GPtrArray *
departures_of(const struct departures *departures, const char *command_id)
{
	return g_hash_table_lookup(departures->of_command, command_id);
}

const GPtrArray *
departures_all(const struct departures *departures)
{
	return departures->all;
}

enum openc2_outcome
departures_outcome(const struct departures *departures, const struct openc2_response *response)
{
	gboolean gone = response->outcome == OPENC2_NOT_FOUND ||
			(response->outcome == OPENC2_ALREADY && !response->copies->len);

	return gone && departures_of(departures, response->command_id) ? OPENC2_DOWNLOADED
								       : response->outcome;
}

char *
departures_text(const struct departures *departures, const struct openc2_response *response)
{
	const GPtrArray *known = departures_of(departures, response->command_id);
	g_autoptr(GString) text = g_string_new(response->text);

	for (guint i = 0; known && i < known->len; i++) {
		const struct plan_beyond *entry = g_ptr_array_index(known, i);

		if (!strstr(text->str, entry->why))
			g_string_append_printf(text, "%s%s", text->len ? "; " : "", entry->why);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}
