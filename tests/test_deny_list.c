/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>

#include "deny_list.h"

static const char *const entries[] = {
	"postmaster@", "Boss@example.org", "@bank.example", ".court.example", "mx9", NULL};

Test(deny_list, knows_addresses_by_each_form_of_entry)
{
	static const struct {
		const char *address, *entry;
	} cases[] = {
		{"postmaster@any.example", "postmaster@"},
		{"PostMaster@any.example", "postmaster@"},
		{"postmaster", "postmaster@"},
		{"postmaster2@any.example", NULL},
		{"boss@EXAMPLE.ORG", "Boss@example.org"},
		{"boss@example.com", NULL},
		{"x@bank.example", "@bank.example"},
		{"x@sub.bank.example", NULL},
		{"x@court.example", ".court.example"},
		{"x@a.b.court.example", ".court.example"},
		{"x@notcourt.example", NULL},
		{"alice@example.org", NULL},
		{"", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *entry = deny_list_address(entries, cases[i].address);

		cr_expect_eq(g_strcmp0(entry, cases[i].entry), 0, "%s: %s", cases[i].address,
			     entry ? entry : "allowed");
	}
}

static struct openc2_command *
message_command(enum openc2_role role, struct plan *plan)
{
	struct openc2_command *command = openc2_command_new(OPENC2_CONTAIN, role);

	command->message = openc2_message_new();
	g_ptr_array_add(plan->commands, command);
	return command;
}

static gboolean
is_denied(const struct plan *plan, const struct openc2_command *command)
{
	g_autoptr(GHashTable) denied = g_hash_table_new(g_str_hash, g_str_equal);

	deny_list_plan(entries, plan, denied);
	return g_hash_table_contains(denied, command->command_id);
}

Test(deny_list, forbids_commands_by_mailbox_gateway_device_and_recipient)
{
	g_autoptr(plan_t) plan = plan_new(PLAN_CONTAIN, "default");
	struct openc2_command *mailbox = message_command(OPENC2_MAILSTORE, plan);
	struct openc2_command *queue = message_command(OPENC2_QUEUE, plan);
	struct openc2_command *device = openc2_command_new(OPENC2_CONTAIN, OPENC2_ENDPOINT);
	struct openc2_command *file = openc2_command_new(OPENC2_DENY, OPENC2_GATEWAY);
	struct plan_recipient *recipient;

	g_ptr_array_add(plan->commands, device);
	g_ptr_array_add(plan->commands, file);
	mailbox->message->mailbox = g_strdup("alice@example.org");
	queue->message->gateway = g_strdup("mx1");
	device->hostname = g_strdup("pc1.example.org");
	cr_expect_not(is_denied(plan, mailbox));
	cr_expect_not(is_denied(plan, queue));
	cr_expect_not(is_denied(plan, device));
	cr_expect_not(is_denied(plan, file));
	recipient = plan_add_recipient(plan, "e", "postmaster@example.org", "delivered");
	g_ptr_array_add(recipient->commands, g_strdup(mailbox->command_id));
	cr_expect(is_denied(plan, mailbox), "an alias that is never touched leads to it");
	g_free(queue->message->gateway);
	queue->message->gateway = g_strdup("mx9");
	cr_expect(is_denied(plan, queue));
	g_free(device->hostname);
	device->hostname = g_strdup("host.court.example");
	cr_expect(is_denied(plan, device));
	plan->kind = PLAN_UNDO;
	cr_expect_not(is_denied(plan, mailbox), "to put back is never forbidden");
}
