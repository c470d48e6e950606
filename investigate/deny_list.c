/* SPDX-License-Identifier: BSD-2-Clause */
#include "deny_list.h"

#include <string.h>

#include "domains.h"
#include "text.h"

/* Compares as one searches: case and A-labels do not matter. */
static gboolean
is_same_address(const char *one, const char *other)
{
	g_autofree char *key = address_search_key(one);
	g_autofree char *wanted = address_search_key(other);

	return strcmp(key, wanted) == 0;
}

static gboolean
has_local_part(const char *address, const char *entry)
{
	const char *at = strrchr(address, '@');
	g_autofree char *local = g_strndup(address, at ? (gsize)(at - address) : strlen(address));
	g_autofree char *wanted = g_strndup(entry, strlen(entry) - 1);

	return is_same_address(local, wanted);
}

static gboolean
is_under(const char *address, const char *entry)
{
	const char *at = strchr(entry, '@'), *domain = address_domain(address);

	if (!at)
		return domain && domain_matches(domain, entry);
	if (at == entry)
		return domain && domain_matches(domain, entry + 1);
	if (!at[1])
		return has_local_part(address, entry);
	return is_same_address(address, entry);
}

const char *
deny_list_address(const char *const *entries, const char *address)
{
	for (; *entries; entries++)
		if (is_under(address, *entries))
			return *entries;
	return NULL;
}

static const char *
deny_host(const char *const *entries, const char *host)
{
	for (; *entries; entries++)
		if (!strchr(*entries, '@') && domain_matches(host, *entries))
			return *entries;
	return NULL;
}

const char *
deny_list_command(const char *const *entries, const struct openc2_command *command)
{
	const struct openc2_message *message = command->message;
	const char *entry = NULL;

	if (command->hostname)
		return deny_host(entries, command->hostname);
	if (!message)
		return NULL;
	if (message->mailbox)
		entry = deny_list_address(entries, message->mailbox);
	if (!entry && message->recipient)
		entry = deny_list_address(entries, message->recipient);
	if (!entry && message->gateway)
		entry = deny_host(entries, message->gateway);
	return entry;
}

static void
deny_recipient(const char *const *entries, const struct plan_recipient *recipient,
	       GHashTable *denied)
{
	const char *entry = deny_list_address(entries, recipient->recipient);

	for (guint i = 0; entry && i < recipient->commands->len; i++)
		g_hash_table_insert(denied, recipient->commands->pdata[i], (void *)entry);
}

void
deny_list_plan(const char *const *entries, const struct plan *plan, GHashTable *ret_denied)
{
	if (plan->kind == PLAN_UNDO)
		return;
	for (guint i = 0; i < plan->commands->len; i++) {
		const struct openc2_command *command = plan->commands->pdata[i];
		const char *entry = deny_list_command(entries, command);

		if (entry)
			g_hash_table_insert(ret_denied, command->command_id, (void *)entry);
	}
	for (guint i = 0; i < plan->recipients->len; i++)
		deny_recipient(entries, plan->recipients->pdata[i], ret_denied);
}
