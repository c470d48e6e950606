/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_table.h"

static void
write_commands(struct out *out, const struct plan *plan)
{
	static const struct out_column columns[] = {
		{"action", "ACTION", OUT_TEXT, 0},  {"target", "TARGET", OUT_TEXT, 60},
		{"recipient", "FOR", OUT_TEXT, 40}, {"subject", "SUBJECT", OUT_TEXT, 40},
		{"role", "", OUT_TEXT, 0},	    {"event_id", "", OUT_TEXT, 0},
		{"command_id", "", OUT_TEXT, 0},    {NULL},
	};

	out_begin(out, "command", columns);
	for (guint i = 0; i < plan->commands->len; i++) {
		const struct openc2_command *command = plan->commands->pdata[i];
		const struct openc2_message *message = command->message;
		g_autofree char *target = openc2_command_target(command);

		out_row(out, (const struct out_value[]){
				     {openc2_action_name(command->action), 0},
				     {target, 0},
				     {message ? message->recipient : NULL, 0},
				     {message ? message->subject : command->file_name, 0},
				     {openc2_role_name(command->role), 0},
				     {message ? message->event_id : NULL, 0},
				     {command->command_id, 0},
			     });
	}
	out_end(out);
}

void
plan_table_beyond(struct out *out, const GPtrArray *beyond)
{
	static const struct out_column columns[] = {
		{"recipient", "BEYOND REACH", OUT_TEXT, 0},
		{"address", "ADDRESS", OUT_TEXT, 0},
		{"why", "WHY", OUT_TEXT, 0},
		{"event_id", "", OUT_TEXT, 0},
		{"kind", "", OUT_TEXT, 0},
		{NULL},
	};

	if (!beyond->len)
		return;
	out_note(out, "%s", "");
	out_begin(out, "beyond", columns);
	for (guint i = 0; i < beyond->len; i++) {
		const struct plan_beyond *entry = beyond->pdata[i];

		out_row(out, (const struct out_value[]){{entry->recipient, 0},
							{entry->address, 0},
							{entry->why, 0},
							{entry->event_id, 0},
							{plan_beyond_name(entry->kind), 0}});
	}
	out_end(out);
}

static guint
count_role(const struct plan *plan, enum openc2_role role)
{
	guint count = 0;

	for (guint i = 0; i < plan->commands->len; i++)
		count += ((struct openc2_command *)plan->commands->pdata[i])->role == role;
	return count;
}

static void
write_sum(struct out *out, const struct plan *plan)
{
	static const struct out_column columns[] = {
		{"plan_id", "", OUT_TEXT, 0},
		{"digest", "", OUT_TEXT, 0},
		{"targets", "", OUT_INT, 0},
		{"mailboxes", "", OUT_INT, 0},
		{"queues", "", OUT_INT, 0},
		{"gateways", "", OUT_INT, 0},
		{"devices", "", OUT_INT, 0},
		{"recipients", "", OUT_INT, 0},
		{"beyond", "", OUT_INT, 0},
		{"expires_at", "", OUT_TIME, 0},
		{NULL},
	};
	guint mailboxes = count_role(plan, OPENC2_MAILSTORE),
	      queues = count_role(plan, OPENC2_QUEUE);
	guint files = count_role(plan, OPENC2_GATEWAY), devices = count_role(plan, OPENC2_ENDPOINT);

	out_begin(out, "plan", columns);
	out_row(out, (const struct out_value[]){{plan->plan_id, 0},
						{plan->digest, 0},
						{NULL, plan->commands->len},
						{NULL, mailboxes},
						{NULL, queues},
						{NULL, files},
						{NULL, devices},
						{NULL, plan->recipients->len},
						{NULL, plan->beyond->len},
						{NULL, plan->expires_us}});
	out_end(out);
	out_note(out,
		 "%u targets: %u in mailboxes, %u in queues, %u files at the gateways, %u devices; "
		 "%u recipients, %u copies beyond reach.",
		 plan->commands->len, mailboxes, queues, files, devices, plan->recipients->len,
		 plan->beyond->len);
}

void
plan_table(struct out *out, const struct plan *plan)
{
	write_commands(out, plan);
	plan_table_beyond(out, plan->beyond);
	write_sum(out, plan);
}
