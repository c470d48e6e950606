/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "roles.h"

/* Numbers of users without names; what has names is of the system's own. */
enum { ANALYST_UID = 70001, APPROVER_UID, AUDITOR_UID, ADMINISTRATOR_UID, STRANGER_UID, USERS };

static struct settings *
parse(const char *text)
{
	GError *error = NULL;
	struct settings *settings = settings_parse("x.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	return settings;
}

static struct settings *
with_roles(void)
{
	return parse("[roles]\nanalysts = 70001\napprovers = 70002\nauditors = 70003\n"
		     "administrators = 70004\n");
}

Test(roles, each_operation_is_of_these_and_of_nobody_else)
{
	static const struct {
		const char *operation;
		const char *may; /* analyst, approver, auditor, administrator, stranger */
	} table[] = {
		{"who", "yynnn"},	   {"show", "yynnn"},	      {"block-add", "nynyn"},
		{"block-remove", "nynyn"}, {"block-force", "nynyn"},  {"actions", "nnynn"},
		{"journal-read", "nnynn"}, {"journal-head", "nnynn"}, {"import", "nnnyn"},
		{"ingest", "nnnyn"},	   {"backup", "nnnyn"},	      {"sensor", "nnnyn"},
		{"reload", "nnnyn"},	   {"contain", "yynnn"},      {"plan-begin", "nynyn"},
		{"plan-result", "nynyn"},  {"plan-gateway", "nynyn"}, {"approve", "nynnn"},
		{"logins", "yynnn"},	   {"asset-import", "nnnyn"}, {"asset-remove", "nnnyn"},
		{"fetch", "yynnn"},	   {"no-such", "nnnnn"},      {"", "nnnnn"},
	};
	g_autoptr(settings_t) settings = with_roles();

	cr_expect(roles_are_set(settings));
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		for (guint user = 0; user < 5; user++)
			cr_expect_eq(roles_may(settings, ANALYST_UID + user, table[i].operation),
				     table[i].may[user] == 'y', "%s of %u", table[i].operation,
				     user);
}

Test(roles, with_none_given_everybody_may_all)
{
	g_autoptr(settings_t) settings = parse("[roles]\nanalysts =\n");

	cr_expect_not(roles_are_set(settings));
	cr_expect(roles_may(settings, STRANGER_UID, "block-add"));
	cr_expect(roles_may(settings, STRANGER_UID, "no-such"));
}

Test(roles, one_role_given_takes_all_from_everybody_else)
{
	g_autoptr(settings_t) settings = parse("[roles]\nauditors = 70003\n");

	cr_expect(roles_may(settings, AUDITOR_UID, "actions"));
	cr_expect_not(roles_may(settings, ANALYST_UID, "who"));
}

Test(roles, root_is_administrator_and_nothing_else)
{
	g_autoptr(settings_t) settings = with_roles();
	g_autoptr(settings_t) named = parse("[roles]\nauditors = root\n");

	cr_expect(roles_may(settings, 0, "sensor"));
	cr_expect_not(roles_may(settings, 0, "actions"));
	cr_expect_not(roles_may(settings, 0, "who"));
	cr_expect(roles_may(named, 0, "actions"));
}

Test(roles, users_are_named_and_groups_have_members)
{
	const struct passwd *user = getpwnam("daemon");
	const struct group *group;
	g_autofree char *own = NULL;

	cr_assert(user, "every system has it");
	group = getgrgid(user->pw_gid);
	cr_assert(group);
	own = g_strdup_printf("[roles]\nanalysts = someone; @%s\nauditors = daemon\n",
			      group->gr_name);
	{
		g_autoptr(settings_t) settings = parse(own);
		g_autoptr(settings_t) strange = parse("[roles]\nanalysts = @no-such-group; x\n");

		cr_expect(roles_may(settings, user->pw_uid, "who"));
		cr_expect(roles_may(settings, user->pw_uid, "actions"));
		cr_expect_not(roles_may(settings, STRANGER_UID, "who"));
		cr_expect_not(roles_may(strange, user->pw_uid, "who"));
	}
}

Test(roles, a_refusal_can_say_what_is_needed)
{
	cr_expect_str_eq(roles_needed("block-add"), "approver or administrator");
	cr_expect_str_eq(roles_needed("no-such"), "that nobody has");
}
