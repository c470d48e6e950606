/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <criterion/criterion.h>
#include <string.h>

static struct check check;

static void
setup(void)
{
	check_init(&check);
}

static void
teardown(void)
{
	check_clear(&check);
}

TestSuite(check, .init = setup, .fini = teardown);

#define expect_line(expected)                                        \
	do {                                                         \
		g_autofree char *line_ = check_line(&check);         \
		cr_expect_str_eq(line_, expected, "got: %s", line_); \
	} while (0)

Test(check, nothing_wrong_is_ok_with_all_its_numbers)
{
	check_note(&check, CHECK_SILENCE, 59, "mx1");
	cr_expect_eq(check_state(&check), CHECK_OK);
	expect_line("MAILTRACE OK - all sensors are heard | silence=59s;60;300;0 lag=0;1000;10000;0"
		    " spool=0%;50;80;0 gaps=0;1;10;0 unseen=0;1;100;0 unread=0%;5;20;0"
		    " clock=0ms;5000;60000;0 dead-letters=0;1;100;0");
}

Test(check, each_value_warns_from_its_threshold_on)
{
	for (int kind = 0; kind < CHECK_KINDS; kind++) {
		struct check_value *value = &check.values[kind];

		value->value = value->warning - 1;
		cr_expect_eq(check_state(&check), CHECK_OK, "%s", check_name(kind));
		value->value = value->warning;
		cr_expect_eq(check_state(&check), CHECK_WARNING, "%s", check_name(kind));
		value->value = value->critical - 1;
		cr_expect_eq(check_state(&check), CHECK_WARNING, "%s", check_name(kind));
		value->value = value->critical;
		cr_expect_eq(check_state(&check), CHECK_CRITICAL, "%s", check_name(kind));
		value->value = 0;
	}
}

Test(check, the_worst_sensor_is_named_and_the_critical_comes_first)
{
	g_autofree char *line = NULL;

	check_note(&check, CHECK_LAG, 2000, "mx2");
	check_note(&check, CHECK_LAG, 1500, "mx1");
	check_note(&check, CHECK_SPOOL, 80, "mx|3");
	check_note(&check, CHECK_SPOOL, 0, "mx1");
	line = check_line(&check);
	cr_expect(g_str_has_prefix(line, "MAILTRACE CRITICAL - mx/3: 80 % of the spool are full, "
					 "mx2: 2000 events not stored yet |"),
		  "%s", line);
}

Test(check, what_cannot_be_looked_at_is_critical_and_has_no_numbers)
{
	check.failure = g_strdup("the store cannot be read: no");
	cr_expect_eq(check_state(&check), CHECK_CRITICAL);
	expect_line("MAILTRACE CRITICAL - the store cannot be read: no");
}

Test(check, thresholds_are_read_strictly)
{
	static const char *const wrong[] = {"",	      "lag",  "lag=",  "lag=-1",
					    "lag=1x", "la=1", "lags=1"};
	GError *error = NULL;

	cr_expect(check_set(&check, "lag=5", FALSE, &error));
	cr_expect(check_set(&check, "dead-letters=6", TRUE, &error));
	cr_expect_eq(check.values[CHECK_LAG].warning, 5);
	cr_expect_eq(check.values[CHECK_DEAD_LETTERS].critical, 6);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		cr_expect_not(check_set(&check, wrong[i], FALSE, &error), "%s", wrong[i]);
		cr_assert_not_null(error);
		cr_expect_not_null(strstr(error->message, "silence, lag, spool"));
		g_clear_error(&error);
	}
}
