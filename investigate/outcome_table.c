/* SPDX-License-Identifier: BSD-2-Clause */
#include "outcome_table.h"

#include <string.h>

#include "departures.h"
#include "openc2.h"
#include "plan_table.h"
#include "store_plans.h"

static const char denied_name[] = "denied";
static const char open_name[] = "not-tried";

/* A table being written. */
struct telling {
	struct out *out;
	struct departures *departures; /* as known now */
	guint counts[OPENC2_OUTCOME_COUNT];
	guint denied, open;
	guint left;	   /* of the targets */
	guint again;	   /* of them, that may be tried again with hope */
	GPtrArray *beyond; /* copies that no command reached, of struct plan_beyond, borrowed */
};

static const struct out_column columns[] = {
	{"action", "ACTION", OUT_TEXT, 0},   {"target", "TARGET", OUT_TEXT, 60},
	{"outcome", "OUTCOME", OUT_TEXT, 0}, {"text", "NOTE", OUT_TEXT, 80},
	{"recipient", "", OUT_TEXT, 0},	     {"role", "", OUT_TEXT, 0},
	{"command_id", "", OUT_TEXT, 0},     {"undone", "", OUT_BOOL, 0},
	{"contained", "", OUT_BOOL, 0},	     {NULL},
};

/* What became of one target, with what is known by now. */
struct target {
	const char *outcome;
	char *text;	    /* or NULL */
	gboolean contained; /* nothing is left to do, and no copy had departed */
};

/* ---- the targets ---- */

static void
count_open(struct telling *telling, const struct store_command *stored, struct target *target)
{
	telling->left++;
	if (stored->denied) {
		telling->denied++;
		target->outcome = denied_name;
		target->text = g_strdup_printf("is never touched: %s", stored->denied);
		return;
	}
	telling->open++;
	telling->again++;
	target->outcome = open_name;
}

static void
count_answered(struct telling *telling, const struct openc2_response *response,
	       struct target *target)
{
	enum openc2_outcome outcome = departures_outcome(telling->departures, response);
	gboolean settled = openc2_outcome_settles(outcome);

	telling->counts[outcome]++;
	telling->left += !settled;
	telling->again += !settled && outcome != OPENC2_DOWNLOADED;
	target->outcome = openc2_outcome_name(outcome);
	target->text = departures_text(telling->departures, response);
	target->contained = settled && !departures_of(telling->departures, response->command_id);
}

static void
count_command(struct telling *telling, const struct store_command *stored, struct target *target)
{
	g_autoptr(openc2_response_t) response =
		stored->response
			? openc2_response_decode(stored->response, strlen(stored->response), NULL)
			: NULL;

	if (stored->denied || !response)
		count_open(telling, stored, target);
	else
		count_answered(telling, response, target);
}

static gboolean
write_command(const struct store_command *stored, void *data)
{
	struct telling *telling = data;
	g_autoptr(openc2_command_t) command =
		openc2_command_decode(stored->json, strlen(stored->json), NULL);
	g_autofree char *name = command ? openc2_command_target(command) : NULL;
	struct target target = {0};

	count_command(telling, stored, &target);
	if (command)
		out_row(telling->out,
			(const struct out_value[]){
				{openc2_action_name(command->action), 0},
				{name, 0},
				{target.outcome, 0},
				{target.text, 0},
				{command->message ? command->message->recipient : NULL, 0},
				{openc2_role_name(command->role), 0},
				{stored->command_id, 0},
				{NULL, stored->undone},
				{NULL, target.contained}});
	g_free(target.text);
	return TRUE;
}

static gboolean
write_commands(struct telling *telling, struct store *store, const struct plan *plan,
	       GError **error)
{
	struct store_plan known = {0};
	gboolean found = FALSE, done;

	if (!store_plan_find(store, plan->tenant, plan->plan_id, &known, &found, error))
		return FALSE;
	done = !found || store_command_each(store, known.number, write_command, telling, error);
	store_plan_clear(&known);
	return done;
}

/* ---- what is beyond reach ---- */

static char *
beyond_key(const struct plan_beyond *entry)
{
	return g_strdup_printf("%d %s %s %s", (int)entry->kind, entry->event_id, entry->recipient,
			       entry->address ? entry->address : "");
}

static void
add_left(struct telling *telling, GHashTable *seen, const GPtrArray *beyond)
{
	for (guint i = 0; i < beyond->len; i++) {
		struct plan_beyond *entry = g_ptr_array_index(beyond, i);

		if (plan_beyond_is_left(entry) && g_hash_table_add(seen, beyond_key(entry)))
			g_ptr_array_add(telling->beyond, entry);
	}
}

/* Those that the plan knew of, and those that departed since it was made. */
static void
find_left(struct telling *telling, const struct plan *plan)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	add_left(telling, seen, plan->beyond);
	add_left(telling, seen, departures_all(telling->departures));
}

/* ---- the numbers ---- */

static void
write_note(struct telling *telling, const char *counts)
{
	out_note(telling->out, "%s.%s", counts,
		 telling->again ? "  Run it again for what is left." : "");
	if (telling->beyond->len)
		out_note(telling->out, "%u copies are beyond reach: the message is not contained.",
			 telling->beyond->len);
}

static void
write_sum(struct telling *telling)
{
	static const struct out_column sums[] = {
		{"outcome", "", OUT_TEXT, 0}, {"targets", "", OUT_INT, 0}, {NULL}};
	g_autoptr(GString) text = g_string_new(NULL);
	const guint counts[] = {telling->denied, telling->open};
	const char *const names[] = {denied_name, open_name};

	out_begin(telling->out, "outcome", sums);
	for (gsize i = 0; i < OPENC2_OUTCOME_COUNT + G_N_ELEMENTS(counts); i++) {
		gboolean known = i < OPENC2_OUTCOME_COUNT;
		guint count = known ? telling->counts[i] : counts[i - OPENC2_OUTCOME_COUNT];
		const char *name = known ? openc2_outcome_name((enum openc2_outcome)i)
					 : names[i - OPENC2_OUTCOME_COUNT];

		if (!count)
			continue;
		out_row(telling->out, (const struct out_value[]){{name, 0}, {NULL, count}});
		g_string_append_printf(text, "%s%u %s", text->len ? ", " : "", count, name);
	}
	out_end(telling->out);
	write_note(telling, text->str);
}

static gboolean
tell(struct telling *telling, const struct command *command, const struct plan *plan,
     GError **error)
{
	g_autoptr(store_t) store = store_open(command->store_url, STORE_READ, error);
	gboolean done;

	if (store)
		telling->departures = departures_read(store, plan, error);
	if (!telling->departures)
		return FALSE;
	out_begin(telling->out, "target", columns);
	done = write_commands(telling, store, plan, error);
	out_end(telling->out);
	if (!done)
		return FALSE;
	find_left(telling, plan);
	plan_table_beyond(telling->out, telling->beyond);
	write_sum(telling);
	return TRUE;
}

int
outcome_table(const struct command *command, const struct plan *plan, gboolean was_open,
	      struct out *out)
{
	g_autoptr(GPtrArray) beyond = g_ptr_array_new();
	struct telling telling = {.out = out, .beyond = beyond};
	g_autoptr(GError) error = NULL;
	gboolean done = tell(&telling, command, plan, &error);

	departures_free(telling.departures);
	if (!done)
		return command_fail(command, "%s", error->message);
	if (telling.left || telling.beyond->len)
		return EXIT_PARTLY;
	return was_open ? EXIT_FOUND : EXIT_NOTHING;
}
