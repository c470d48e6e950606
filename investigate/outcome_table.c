/* SPDX-License-Identifier: BSD-2-Clause */
#include "outcome_table.h"

#include <string.h>

#include "openc2.h"
#include "store_plans.h"

static const char denied_name[] = "denied";
static const char open_name[] = "not-tried";

/* A table being written. */
struct telling {
	struct out *out;
	guint counts[OPENC2_OUTCOME_COUNT];
	guint denied, open, left;
};

static const struct out_column columns[] = {
	{"action", "ACTION", OUT_TEXT, 0},
	{"target", "TARGET", OUT_TEXT, 60},
	{"outcome", "OUTCOME", OUT_TEXT, 0},
	{"text", "NOTE", OUT_TEXT, 80},
	{"recipient", "", OUT_TEXT, 0},
	{"role", "", OUT_TEXT, 0},
	{"command_id", "", OUT_TEXT, 0},
	{"undone", "", OUT_BOOL, 0},
	{NULL},
};

/* Returns the word for where a command stands, and counts it. */
static const char *
count_command(struct telling *telling, const struct store_command *command)
{
	telling->left += !command->settled;
	if (command->denied) {
		telling->denied++;
		return denied_name;
	}
	if (command->outcome < 0 || command->outcome >= OPENC2_OUTCOME_COUNT) {
		telling->open++;
		return open_name;
	}
	telling->counts[command->outcome]++;
	return openc2_outcome_name((enum openc2_outcome)command->outcome);
}

static char *
text_of(const struct store_command *command)
{
	g_autoptr(openc2_response_t) response =
		command->response
			? openc2_response_decode(command->response, strlen(command->response), NULL)
			: NULL;

	if (command->denied)
		return g_strdup_printf("is never touched: %s", command->denied);
	return response ? g_strdup(response->text) : NULL;
}

static gboolean
write_command(const struct store_command *stored, void *data)
{
	struct telling *telling = data;
	g_autoptr(openc2_command_t) command =
		openc2_command_decode(stored->json, strlen(stored->json), NULL);
	const char *outcome = count_command(telling, stored);
	g_autofree char *target = command ? openc2_command_target(command) : NULL;
	g_autofree char *text = text_of(stored);

	if (!command)
		return TRUE;
	out_row(telling->out, (const struct out_value[]){
				      {openc2_action_name(command->action), 0},
				      {target, 0},
				      {outcome, 0},
				      {text, 0},
				      {command->message ? command->message->recipient : NULL, 0},
				      {openc2_role_name(command->role), 0},
				      {stored->command_id, 0},
				      {NULL, stored->undone}});
	return TRUE;
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
	out_note(telling->out, "%s.%s", text->str,
		 telling->left ? "  Run it again for what is left." : "");
}

static gboolean
write_rows(struct telling *telling, const struct command *command, const struct plan *plan,
	   GError **error)
{
	g_autoptr(store_t) store = store_open(command->store_url, STORE_READ, error);
	struct store_plan known = {0};
	gboolean found = FALSE, done;

	if (!store || !store_plan_find(store, plan->tenant, plan->plan_id, &known, &found, error))
		return FALSE;
	done = !found || store_command_each(store, known.number, write_command, telling, error);
	store_plan_clear(&known);
	return done;
}

int
outcome_table(const struct command *command, const struct plan *plan, gboolean was_open,
	      struct out *out)
{
	struct telling telling = {.out = out};
	g_autoptr(GError) error = NULL;
	gboolean done;

	out_begin(out, "target", columns);
	done = write_rows(&telling, command, plan, &error);
	out_end(out);
	if (!done)
		return command_fail(command, "%s", error->message);
	write_sum(&telling);
	if (telling.left)
		return EXIT_PARTLY;
	return was_open ? EXIT_FOUND : EXIT_NOTHING;
}
