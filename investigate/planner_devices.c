/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices behind the mailboxes of a plan; what is not certain is no target. */
#include "deny_list.h"
#include "devices.h"
#include "planner_internal.h"

/* A device's name is a target only as a host's: actuators know no other (RFC 1123 2.1). */
static gboolean
is_hostname(const char *name)
{
	for (const char *at = name; *at; at++)
		if (!g_ascii_isalnum(*at) && (at == name || (*at != '-' && *at != '.')))
			return FALSE;
	return *name != '\0';
}

/* Of the recipient a device is used by, and of the device itself. */
static const char *
forbidden_by(const struct planning *planning, const struct found *found,
	     const struct store_final *final, const struct device_use *use)
{
	const char *const *entries = planning->options->never_touch;
	const struct openc2_command probe = {.hostname = use->device};
	const char *entry = deny_list_command(entries, &probe);

	if (!entry)
		entry = deny_list_address(entries, final->address);
	return entry ? entry : deny_list_address(entries, found->recipient);
}

/* Says why a device is no target; NULL if it is one.  Free with g_free(). */
static char *
obstacle(const struct planning *planning, const struct found *found,
	 const struct store_final *final, const struct device_use *use)
{
	const char *entry;

	if (use->certainty == DEVICE_AMBIGUOUS)
		return g_strdup_printf("was read from %s, which was not one device's alone",
				       use->address);
	if (use->certainty == DEVICE_UNKNOWN)
		return g_strdup_printf("was read from %s, whose device is not known", use->address);
	entry = forbidden_by(planning, found, final, use);
	if (entry)
		return g_strdup_printf("was read on %s, which is never touched: %s", use->device,
				       entry);
	if (!is_hostname(use->device))
		return g_strdup_printf("was read on %s, which is no host's name", use->device);
	return NULL;
}

void
planner_add_device(struct planning *planning, const char *name)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	char *key = g_strdup_printf("device %s", lower);
	struct openc2_command *command;

	if (g_hash_table_contains(planning->commands, key)) {
		g_free(key);
		return;
	}
	command = planner_command(planning, OPENC2_CONTAIN, OPENC2_ENDPOINT);
	command->hostname = g_strdup(name);
	g_hash_table_insert(planning->commands, key, command);
}

static void
add_uses(struct planning *planning, const struct found *found, const struct store_final *final)
{
	for (guint i = 0; i < final->devices->len; i++) {
		const struct device_use *use = final->devices->pdata[i];
		g_autofree char *why = obstacle(planning, found, final, use);

		if (why)
			plan_add_beyond(planning->plan, found->event_id, found->recipient,
					final->address, why);
		else
			planner_add_device(planning, use->device);
	}
}

gboolean
planner_devices(struct planning *planning, const struct found *found, const GPtrArray *finals,
		GError **error)
{
	for (guint i = 0; i < finals->len; i++) {
		struct store_final *final = finals->pdata[i];

		if (!devices_of_final(planning->store, planning->plan->tenant, final, error))
			return FALSE;
		add_uses(planning, found, final);
	}
	return TRUE;
}
