/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "spool_alarm.h"

Test(spool_alarm, rises_at_50_and_80_and_falls_5_below)
{
	static const struct {
		guint before;
		guint64 used;
		guint after;
	} cases[] = {
		{0, 0, 0},     {0, 499, 0},   {0, 500, 50},  {0, 799, 50},  {0, 800, 80},
		{50, 500, 50}, {50, 450, 50}, {50, 449, 0},  {50, 800, 80}, {80, 799, 80},
		{80, 750, 80}, {80, 749, 50}, {80, 450, 50}, {80, 449, 0},  {80, 2000, 80},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint got = spool_alarm_next(cases[i].before, cases[i].used, 1000);

		cr_expect_eq(got, cases[i].after, "after %u, at %u: %u", cases[i].before,
			     (guint)cases[i].used, got);
	}
	cr_expect_eq(spool_alarm_next(0, 0, 0), 0);
	cr_expect_eq(spool_alarm_next(0, G_MAXUINT64, 1), 80);
	cr_expect_eq(spool_alarm_next(0, G_GUINT64_CONSTANT(1) << 62, G_MAXUINT64), 0);
}

Test(spool_alarm, is_told_once_while_the_spool_hovers)
{
	guint alarm = 0, changes = 0;

	for (guint i = 0; i < 100; i++) {
		guint next = spool_alarm_next(alarm, i % 2 ? 490 : 510, 1000);

		changes += next != alarm;
		alarm = next;
	}
	cr_expect_eq(changes, 1);
}
