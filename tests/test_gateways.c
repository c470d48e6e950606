/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateways.h"

#include <criterion/criterion.h>
#include <string.h>

Test(gateways, commands_are_split_as_a_shell_would_and_kept_by_name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(gateways_t) gateways = gateways_parse(
		"mx1: sudo -n /usr/libexec/helper ; mx-2:ssh 'a b' \"c\\\"d\" $(id) `id` *;",
		&error);
	const char *const *argv;

	cr_assert(gateways, "%s", error ? error->message : "");
	argv = gateways_command(gateways, "mx1");
	cr_assert_eq(g_strv_length((char **)argv), 3);
	cr_assert_str_eq(argv[2], "/usr/libexec/helper");
	argv = gateways_command(gateways, "mx-2");
	cr_assert_eq(g_strv_length((char **)argv), 6);
	cr_assert_str_eq(argv[1], "a b");
	cr_assert_str_eq(argv[2], "c\"d");
	cr_assert_str_eq(argv[3], "$(id)", "nothing is expanded");
	cr_assert_null(gateways_command(gateways, "mx3"));
	cr_assert_null(gateways_command(gateways, "mx1 "));
}

Test(gateways, an_empty_list_has_no_gateways)
{
	g_autoptr(gateways_t) none = gateways_parse("", NULL);
	g_autoptr(gateways_t) blank = gateways_parse(" ; ;", NULL);

	cr_assert(none && blank);
	cr_assert_null(gateways_command(none, ""));
}

Test(gateways, what_has_another_form_is_refused_with_its_remedy)
{
	static const char *const wrong[] = {
		"mx1",		"sudo -n helper", ": helper", "mx 1: helper", "mx1:",
		"mx1: 'no end", "mx1: a; mx1: b", "../x: a",  "mx1: a; b",    "mx1: # a",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(gateways_t) gateways = gateways_parse(wrong[i], &error);

		cr_assert_null(gateways, "%s", wrong[i]);
		cr_assert(g_error_matches(error, GATEWAYS_ERROR, GATEWAYS_ERROR_FORM));
		cr_assert_null(strchr(error->message, '\n'), "%s", error->message);
	}
}
