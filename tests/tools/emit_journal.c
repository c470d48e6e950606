/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints a journal with an entry of each kind, for checks of their form in other languages. */
#include <stdio.h>

#include "journal.h"

static void
print_entry(struct journal_head *head, const struct store_audit *audit)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) line = journal_write(head, audit, &error);

	if (!line)
		g_error("%s", error->message);
	fwrite(g_bytes_get_data(line, NULL), 1, g_bytes_get_size(line), stdout);
	putchar('\n');
}

/* Every status, as a question has it and as an action has it, which does each remedy. */
static void
print_kind(struct journal_head *head, enum audit_status status, enum audit_remedy remedy,
	   const json_t *event)
{
	struct store_audit audit = {
		.time_us = g_get_real_time(),
		.actor = (char *)"uid=1000(alice)",
		.tenant = (char *)"default",
		.verb = (char *)(remedy ? "apply" : "who"),
		.arguments = (char *)"[\"plan.json\"]",
		.case_id = (char *)"C-1",
		.reason = (char *)"drill",
		.results = 1,
		.status = status,
		.detail = (char *)"in words",
		.command_uid = (char *)(remedy ? "5f0c6f1e-6d2f-4a56-9c0b-8c3f3a1a2b77" : NULL),
		.remedy = remedy,
		.event = remedy ? event : NULL,
	};

	print_entry(head, &audit);
}

int
main(void)
{
	g_autofree char *chain = event_id_new(g_get_real_time());
	g_autoptr(json_t) event =
		json_pack("{s:[{s:s,s:i,s:s}],s:{s:s}}", "observables", "name", "mailbox",
			  "type_id", 5, "value", "u2@ex.org", "remediation", "desc", "moved");
	struct journal_head head = {0};

	g_strlcpy(head.chain, chain, sizeof(head.chain));
	for (int status = AUDIT_DONE; status <= AUDIT_ERROR; status++)
		for (int remedy = REMEDY_NONE; remedy <= REMEDY_HARDEN; remedy++)
			print_kind(&head, (enum audit_status)status, (enum audit_remedy)remedy,
				   event);
	return fflush(stdout) == 0 ? 0 : 1;
}
