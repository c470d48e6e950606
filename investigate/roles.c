/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "roles.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

enum role {
	ANALYST = 1 << 0,
	APPROVER = 1 << 1,
	AUDITOR = 1 << 2,
	ADMINISTRATOR = 1 << 3,
};

/* Whose an operation is; a new one adds its row. */
static const struct {
	const char *operation;
	guint roles;
	const char *needed;
} rights[] = {
	{"who", ANALYST | APPROVER, "analyst or approver"},
	{"logins", ANALYST | APPROVER, "analyst or approver"},
	{"asset-import", ADMINISTRATOR, "administrator"},
	{"asset-remove", ADMINISTRATOR, "administrator"},
	{"show", ANALYST | APPROVER, "analyst or approver"},
	{"block-add", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"block-remove", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"block-force", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"contain", ANALYST | APPROVER, "analyst or approver"},
	{"fetch", ANALYST | APPROVER, "analyst or approver"},
	{"plan-begin", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"plan-result", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"plan-gateway", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"approve", APPROVER, "approver"},
	{"actions", AUDITOR, "auditor"},
	{"journal-head", AUDITOR, "auditor"},
	{"journal-read", AUDITOR, "auditor"},
	{"backup", ADMINISTRATOR, "administrator"},
	{"import", ADMINISTRATOR, "administrator"},
	{"ingest", ADMINISTRATOR, "administrator"},
	{"sensor", ADMINISTRATOR, "administrator"},
	{"dead-letters", ADMINISTRATOR, "administrator"},
	{"dead-letter-replay", ADMINISTRATOR, "administrator"},
	{"dead-letter-drop", ADMINISTRATOR, "administrator"},
	{"expire-begin", ADMINISTRATOR, "administrator"},
	{"expire-step", ADMINISTRATOR, "administrator"},
	{"erase-begin", ADMINISTRATOR, "administrator"},
	{"erase-step", ADMINISTRATOR, "administrator"},
	{"legal-hold-add", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"legal-hold-extend", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"legal-hold-remove", APPROVER | ADMINISTRATOR, "approver or administrator"},
	{"reload", ADMINISTRATOR, "administrator"},
};

gboolean
roles_are_set(const struct settings *settings)
{
	return *settings->analysts || *settings->approvers || *settings->auditors ||
	       *settings->administrators;
}

/* Whether a group, by name, is the user's own or has the user among its members. */
static gboolean
is_in_group(const struct passwd *user, const char *name)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return FALSE;
	if (group->gr_gid == user->pw_gid)
		return TRUE;
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, user->pw_name) == 0)
			return TRUE;
	return FALSE;
}

/* user: NULL for a number without a name, which is in no group. */
static gboolean
is_named(char **list, guint uid, const struct passwd *user)
{
	g_autofree char *number = g_strdup_printf("%u", uid);

	for (; *list; list++) {
		if (**list == '@' ? user && is_in_group(user, *list + 1)
				  : strcmp(*list, number) == 0 ||
					    (user && strcmp(*list, user->pw_name) == 0))
			return TRUE;
	}
	return FALSE;
}

static guint
roles_of(const struct settings *settings, guint uid)
{
	const struct passwd *user = getpwuid(uid);
	guint roles = uid == 0 ? ADMINISTRATOR : 0;

	roles |= is_named(settings->analysts, uid, user) ? ANALYST : 0;
	roles |= is_named(settings->approvers, uid, user) ? APPROVER : 0;
	roles |= is_named(settings->auditors, uid, user) ? AUDITOR : 0;
	roles |= is_named(settings->administrators, uid, user) ? ADMINISTRATOR : 0;
	return roles;
}

gboolean
roles_may(const struct settings *settings, guint uid, const char *operation)
{
	if (!roles_are_set(settings))
		return TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(rights); i++)
		if (strcmp(rights[i].operation, operation) == 0)
			return (rights[i].roles & roles_of(settings, uid)) != 0;
	return FALSE;
}

const char *
roles_needed(const char *operation)
{
	for (gsize i = 0; i < G_N_ELEMENTS(rights); i++)
		if (strcmp(rights[i].operation, operation) == 0)
			return rights[i].needed;
	return "that nobody has";
}
