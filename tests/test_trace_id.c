/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glib.h>
#include <string.h>

#include "trace_id.h"

#define EVENT "01936f3e-8c00-7abc-8def-0123456789ab"
#define OTHER_EVENT "01936f3e-8c00-7abc-8def-0123456789ac"

static const guint8 key[SITE_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
static const guint8 other_key[SITE_KEY_BYTES] = {9};
static const char *const own[] = {"mx1", "mx2", NULL};

/* A claim is made of pieces so that each case can spoil one of them. */
static char *
stamp_with(const char *event_id, const char *sensor)
{
	return trace_id_make(key, event_id, sensor);
}

Test(trace_id, has_the_documented_form)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	g_autofree char *start = g_strconcat(EVENT, "; s=mx1; m=", NULL);

	cr_assert(g_str_has_prefix(value, start), "%s", value);
	cr_assert_eq(strlen(value), strlen(start) + 16);
	cr_assert_eq(strspn(value + strlen(start), "0123456789abcdef"), 16);
}

/* Computed with openssl: printf 'EVENT\0mx1' | openssl dgst -sha256 -mac hmac -macopt hexkey:… */
Test(trace_id, mac_is_hmac_sha256_cut_to_64_bits)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");

	cr_assert_str_eq(strstr(value, "m=") + 2, "ca07c26377393871");
}

Test(trace_id, own_stamp_verifies_and_gives_its_event)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	char event_id[EVENT_ID_LENGTH + 1] = "";

	cr_assert_eq(trace_id_judge(key, value, own, event_id), TRACE_ID_VALID);
	cr_assert_str_eq(event_id, EVENT);
	cr_assert_eq(trace_id_judge(key, value, own, NULL), TRACE_ID_VALID);
}

Test(trace_id, stamp_of_a_sensor_that_is_not_listed_verifies_all_the_same)
{
	g_autofree char *value = stamp_with(EVENT, "backup");

	cr_assert_eq(trace_id_judge(key, value, own, NULL), TRACE_ID_VALID);
}

Test(trace_id, folding_and_surrounding_blanks_do_not_matter)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	g_autofree char *padded = g_strdup_printf(" \t%s \r\n", value);
	g_auto(GStrv) parts = g_strsplit(value, "; ", 2);
	g_autofree char *broken = g_strjoinv(";\n\t", parts);

	cr_assert_eq(trace_id_judge(key, padded, own, NULL), TRACE_ID_VALID);
	cr_assert_eq(trace_id_judge(key, broken, own, NULL), TRACE_ID_VALID);
}

Test(trace_id, another_key_makes_it_forged)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");

	cr_assert_eq(trace_id_judge(other_key, value, own, NULL), TRACE_ID_FORGED);
}

Test(trace_id, each_changed_character_spoils_it)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");

	for (gsize i = 0; value[i]; i++) {
		g_autofree char *changed = g_strdup(value);
		char event_id[EVENT_ID_LENGTH + 1] = "untouched";

		changed[i] ^= 1;
		cr_assert_neq(trace_id_judge(key, changed, own, event_id), TRACE_ID_VALID,
			      "character %zu", i);
		cr_assert_str_eq(event_id, "untouched");
	}
}

Test(trace_id, each_cut_spoils_it)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");

	for (gsize length = 0; length < strlen(value); length++) {
		g_autofree char *cut = g_strndup(value, length);

		cr_assert_neq(trace_id_judge(key, cut, own, NULL), TRACE_ID_VALID, "%zu", length);
	}
}

Test(trace_id, mac_of_one_event_is_none_for_another)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	g_autofree char *moved = g_strconcat(OTHER_EVENT, value + EVENT_ID_LENGTH, NULL);

	cr_assert_eq(trace_id_judge(key, moved, own, NULL), TRACE_ID_FORGED);
}

Test(trace_id, mac_of_one_sensor_is_none_for_another)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	char *sensor = strstr(value, "mx1");

	sensor[2] = '2';
	cr_assert_eq(trace_id_judge(key, value, own, NULL), TRACE_ID_FORGED);
}

struct case_of_kind {
	char value[200];
	enum trace_id_kind kind;
};

ParameterizedTestParameters(trace_id, judges)
{
	static struct case_of_kind cases[] = {
		{"", TRACE_ID_FOREIGN},
		{";;;;;", TRACE_ID_FOREIGN},
		{"hello", TRACE_ID_FOREIGN},
		{EVENT "; s=elsewhere; m=0123456789abcdef", TRACE_ID_FOREIGN},
		{EVENT "; s=mx1; m=0123456789abcdef", TRACE_ID_FORGED},
		{EVENT "; s=MX1; m=0123456789abcdef", TRACE_ID_FORGED},
		{"x; s=mx2", TRACE_ID_FORGED},
		{"x; s=elsewhere; s=mx2; m=00", TRACE_ID_FORGED},
		{"s=mx1", TRACE_ID_FOREIGN}, /* the first field is the id, whatever it says */
		{EVENT "; s=mx; m=0123456789abcdef", TRACE_ID_FOREIGN},
		{EVENT "; s=mx11; m=0123456789abcdef", TRACE_ID_FOREIGN},
		{EVENT "; s=; m=", TRACE_ID_FOREIGN},
	};

	return cr_make_param_array(struct case_of_kind, cases, G_N_ELEMENTS(cases));
}

ParameterizedTest(struct case_of_kind *expected, trace_id, judges)
{
	cr_assert_eq(trace_id_judge(key, expected->value, own, NULL), expected->kind, "%s",
		     expected->value);
}

Test(trace_id, a_valid_claim_with_more_fields_is_not_ours_to_believe)
{
	g_autofree char *value = stamp_with(EVENT, "mx1");
	g_autofree char *more = g_strconcat(value, "; x=1", NULL);

	cr_assert_eq(trace_id_judge(key, more, own, NULL), TRACE_ID_FORGED);
}

Test(trace_id, a_value_of_a_megabyte_is_judged)
{
	g_autofree char *value = g_strnfill(1 << 20, ';');

	cr_assert_eq(trace_id_judge(key, value, own, NULL), TRACE_ID_FOREIGN);
}
