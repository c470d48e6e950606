/* SPDX-License-Identifier: BSD-2-Clause */
#include "coverage.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define AT(minutes) (G_GINT64_CONSTANT(1795395600000000) + (gint64)(minutes)*60 * G_USEC_PER_SEC)

static struct store_gap silent = {(char *)"mx2", AT(10), AT(14), (char *)"silent"};
static struct store_gap missing = {(char *)"mx1", AT(20), AT(21), (char *)"missing"};
static struct store_gap open_gap = {(char *)"mx1", AT(30), 0, (char *)"silent"};
static struct store_gap never = {(char *)"mx3\x1b[2J", 0, 0, (char *)"never-seen"};

static void
fill(struct store_coverage *coverage)
{
	*coverage = (struct store_coverage){.messages = 1204331, .unread = 12};
	coverage->sensors = g_ptr_array_new();
	g_ptr_array_add(coverage->sensors, (char *)"mx1");
	g_ptr_array_add(coverage->sensors, (char *)"mx2");
	coverage->gaps = g_ptr_array_new();
	coverage->complete_until_us = AT(60);
}

static void
clear(struct store_coverage *coverage)
{
	g_ptr_array_unref(coverage->sensors);
	g_ptr_array_unref(coverage->gaps);
}

static char *
written(const struct store_coverage *coverage, enum out_format format, gint64 since, gint64 until)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, TRUE);

	coverage_write(out, coverage, since, until);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

Test(coverage, json_has_the_members_of_the_contract_in_order)
{
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	g_ptr_array_add(coverage.gaps, &silent);
	text = written(&coverage, OUT_JSON, AT(0), AT(90));
	cr_assert_str_eq(
		text,
		"{\"type\":\"coverage\",\"messages\":1204331,\"unread\":12,"
		"\"sensors\":[\"mx1\",\"mx2\"],\"complete_until\":\"2026-11-23T02:00:00.000000Z\","
		"\"reconciled\":false,\"gaps\":[{\"sensor\":\"mx2\","
		"\"from\":\"2026-11-23T01:10:00.000000Z\",\"to\":\"2026-11-23T01:14:00.000000Z\"}],"
		"\"since\":\"2026-11-23T01:00:00.000000Z\","
		"\"until\":\"2026-11-23T02:30:00.000000Z\"}\n");
	free(text);
	clear(&coverage);
}

Test(coverage, what_is_not_known_is_null_and_never_a_date)
{
	struct store_coverage coverage;
	g_autoptr(json_t) object = NULL;
	char *text;

	fill(&coverage);
	coverage.complete_until_us = 0;
	g_ptr_array_add(coverage.gaps, &open_gap);
	text = written(&coverage, OUT_JSON, 0, AT(90));
	object = json_parse_object(text, strlen(text));
	cr_assert(json_is_null(json_object_get(object, "complete_until")));
	cr_assert(json_is_null(json_object_get(object, "since")));
	cr_assert(json_is_null(
		json_object_get(json_array_get(json_object_get(object, "gaps"), 0), "to")));
	free(text);
	clear(&coverage);
}

Test(coverage, people_are_told_everything_that_was_not_seen)
{
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	g_ptr_array_add(coverage.gaps, &silent);
	g_ptr_array_add(coverage.gaps, &missing);
	g_ptr_array_add(coverage.gaps, &open_gap);
	g_ptr_array_add(coverage.gaps, &never);
	text = written(&coverage, OUT_TABLE, 0, AT(90));
	cr_assert_str_eq(
		text,
		"Of 1204331 messages, 2 sensors (mx1, mx2).\n"
		"Complete until 2026-11-23 02:00:00 +0000; not reconciled with the MTA's log.\n"
		"The files of 12 messages were not fully read.\n"
		"mx2: not seen from 2026-11-23 01:10:00 +0000 to 2026-11-23 01:14:00 +0000.\n"
		"mx1: messages are missing from 2026-11-23 01:20:00 +0000 to "
		"2026-11-23 01:21:00 +0000.\n"
		"mx1: not seen from 2026-11-23 01:30:00 +0000 to now.\n"
		"mx3\\x1b[2J was never seen.\n");
	free(text);
	clear(&coverage);
}

Test(coverage, reconciled_and_unknown_are_said)
{
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	coverage.reconciled = TRUE;
	text = written(&coverage, OUT_TABLE, 0, 0);
	cr_assert_not_null(strstr(text, "; reconciled with the MTA's log."));
	free(text);
	coverage.reconciled = FALSE;
	coverage.complete_until_us = 0;
	text = written(&coverage, OUT_TABLE, 0, 0);
	cr_assert_not_null(strstr(text, "is not known; not reconciled with the MTA's log."));
	free(text);
	clear(&coverage);
}
