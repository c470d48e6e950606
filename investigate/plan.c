/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan.h"

#include <string.h>

G_DEFINE_QUARK(mailtrace_plan_error, plan_error)

static const char *const scope_names[] = {"queue", "mailbox", "gateway", "device"};
static const char *const beyond_names[PLAN_BEYOND_COUNT] = {
	"out-of-reach", "no-copy", "out-of-scope", "downloaded", "forwarded",
};

/* ---- making and freeing ---- */

static void
recipient_free(void *data)
{
	struct plan_recipient *recipient = data;

	g_free(recipient->event_id);
	g_free(recipient->recipient);
	g_free(recipient->state);
	g_ptr_array_unref(recipient->commands);
	g_free(recipient);
}

void
plan_beyond_free(void *data)
{
	struct plan_beyond *beyond = data;

	if (!beyond)
		return;
	g_free(beyond->event_id);
	g_free(beyond->recipient);
	g_free(beyond->address);
	g_free(beyond->why);
	g_free(beyond);
}

struct plan *
plan_new(enum plan_kind kind, const char *tenant)
{
	struct plan *plan = g_new0(struct plan, 1);

	plan->plan_id = g_uuid_string_random();
	plan->kind = kind;
	plan->tenant = g_strdup(tenant);
	plan->commands = g_ptr_array_new_with_free_func((GDestroyNotify)openc2_command_free);
	plan->recipients = g_ptr_array_new_with_free_func(recipient_free);
	plan->beyond = g_ptr_array_new_with_free_func(plan_beyond_free);
	return plan;
}

void
plan_free(struct plan *plan)
{
	if (!plan)
		return;
	g_free(plan->plan_id);
	g_free(plan->tenant);
	g_strfreev(plan->query);
	g_free(plan->created_by);
	g_free(plan->case_id);
	g_free(plan->reason);
	g_free(plan->view.store);
	g_ptr_array_unref(plan->commands);
	g_ptr_array_unref(plan->recipients);
	g_ptr_array_unref(plan->beyond);
	g_free(plan->digest);
	g_free(plan);
}

struct plan_recipient *
plan_add_recipient(struct plan *plan, const char *event_id, const char *recipient,
		   const char *state)
{
	struct plan_recipient *entry = g_new0(struct plan_recipient, 1);

	entry->event_id = g_strdup(event_id);
	entry->recipient = g_strdup(recipient);
	entry->state = g_strdup(state);
	entry->commands = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(plan->recipients, entry);
	return entry;
}

struct plan_beyond *
plan_add_beyond(struct plan *plan, const char *event_id, const char *recipient, const char *address,
		const char *why)
{
	struct plan_beyond *entry = g_new0(struct plan_beyond, 1);

	entry->event_id = g_strdup(event_id);
	entry->recipient = g_strdup(recipient);
	entry->address = g_strdup(address);
	entry->why = g_strdup(why);
	g_ptr_array_add(plan->beyond, entry);
	return entry;
}

gboolean
plan_beyond_is_left(const struct plan_beyond *beyond)
{
	return beyond->kind != PLAN_BEYOND_GONE && beyond->kind != PLAN_BEYOND_SCOPE;
}

const char *
plan_beyond_name(enum plan_beyond_kind kind)
{
	return beyond_names[kind];
}

enum plan_beyond_kind
plan_beyond_parse(const char *word)
{
	for (gsize i = 0; i < PLAN_BEYOND_COUNT; i++)
		if (g_strcmp0(word, beyond_names[i]) == 0)
			return (enum plan_beyond_kind)i;
	return PLAN_BEYOND_REACH;
}

const char *
plan_scope_name(enum plan_scope scope)
{
	for (gsize i = 0; i < G_N_ELEMENTS(scope_names); i++)
		if (scope == 1U << i)
			return scope_names[i];
	return NULL;
}

gboolean
plan_scope_parse(const char *text, guint *ret_scope, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	guint scope = 0;

	for (char **word = words; *word; word++) {
		gsize i = 0;

		while (i < G_N_ELEMENTS(scope_names) && strcmp(*word, scope_names[i]) != 0)
			i++;
		if (i == G_N_ELEMENTS(scope_names)) {
			g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
				    "the scope is some of queue,mailbox,gateway,device");
			return FALSE;
		}
		scope |= 1U << i;
	}
	*ret_scope = scope;
	return TRUE;
}
