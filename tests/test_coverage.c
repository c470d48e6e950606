/* SPDX-License-Identifier: BSD-2-Clause */
#include "coverage.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define AT(minutes) (G_GINT64_CONSTANT(1795395600000000) + (gint64)(minutes)*60 * G_USEC_PER_SEC)

static struct store_gap silent = {(char *)"mx2", AT(10), AT(14), (char *)"silent", 0};
static struct store_gap missing = {(char *)"mx1", AT(20), AT(21), (char *)"missing", 0};
static struct store_gap open_gap = {(char *)"mx1", AT(30), 0, (char *)"silent", 0};
static struct store_gap early = {(char *)"mx2", AT(0), AT(5), (char *)"not-begun", 0};
static struct store_gap never = {(char *)"mx3\x1b[2J", 0, 0, (char *)"never-seen", 0};

static struct store_gap unseen = {(char *)"f1", AT(40), AT(41), (char *)"unseen", 3};
static struct store_gap down = {(char *)"mx1", AT(50), AT(51), (char *)"down", 0};
static struct store_clock off = {(char *)"mx2", 75 * G_USEC_PER_SEC};

static void
fill(struct store_coverage *coverage)
{
	*coverage = (struct store_coverage){.messages = 1204331, .unread = 12};
	coverage->sensors = g_ptr_array_new();
	g_ptr_array_add(coverage->sensors, (char *)"mx1");
	g_ptr_array_add(coverage->sensors, (char *)"mx2");
	coverage->gaps = g_ptr_array_new();
	coverage->clocks = g_ptr_array_new();
	coverage->complete_until_us = AT(60);
}

static void
clear(struct store_coverage *coverage)
{
	g_ptr_array_unref(coverage->sensors);
	g_ptr_array_unref(coverage->gaps);
	g_ptr_array_unref(coverage->clocks);
}

/* A question of all the time until AT(90), asked then, of envelopes alone. */
static struct coverage_question
question_of(gint64 since_us, gint64 until_us)
{
	return (struct coverage_question){.since_us = since_us,
					  .until_us = until_us,
					  .asked_us = AT(90),
					  .max_offset_us = 5 * G_USEC_PER_SEC,
					  .has_expected = TRUE};
}

static char *
written_of(const struct store_coverage *coverage, enum out_format format,
	   const struct coverage_question *question)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, TRUE);

	coverage_write(out, coverage, question);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

static char *
written(const struct store_coverage *coverage, enum out_format format, gint64 since, gint64 until)
{
	const struct coverage_question question = question_of(since, until);

	return written_of(coverage, format, &question);
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
		"\"from\":\"2026-11-23T01:10:00.000000Z\",\"to\":\"2026-11-23T01:14:00.000000Z\","
		"\"reason\":\"silent\",\"messages\":null}],"
		"\"since\":\"2026-11-23T01:00:00.000000Z\","
		"\"until\":\"2026-11-23T02:30:00.000000Z\",\"unseen\":0,"
		"\"reconciled_until\":null,\"recorded_since\":null,\"expired_before\":null,\"exempt\":0,\"erased\":0,\"clocks\":[],\"complete\":false,\"warnings\":["
		"\"it is complete only until 2026-11-23 02:00:00 +0000\","
		"\"mx2: not seen from 2026-11-23 01:10:00 +0000 to "
		"2026-11-23 01:14:00 +0000\"]}\n");
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

Test(coverage, a_beginning_that_has_expired_cannot_be_answered_for)
{
	static const char words[] = "received before 2026-11-23 01:05:00 +0000 has expired";
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	coverage.complete_until_us = AT(90);
	coverage.unread = 0;
	coverage.expired_before_us = AT(5);
	text = written(&coverage, OUT_JSON, AT(0), AT(90));
	cr_expect(strstr(text, "\"expired_before\":\"2026-11-23T01:05:00.000000Z\""), "%s", text);
	cr_expect(strstr(text, words) && strstr(text, "\"complete\":false"), "%s", text);
	free(text);
	/* Who names no beginning is told since when that is all there is. */
	text = written(&coverage, OUT_JSON, 0, AT(90));
	cr_expect(!strstr(text, words) && strstr(text, "\"complete\":true"), "%s", text);
	free(text);
	text = written(&coverage, OUT_TABLE, 0, AT(90));
	cr_expect(strstr(text, words), "%s", text);
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
	g_ptr_array_add(coverage.gaps, &early);
	coverage.recorded_since_us = AT(5);
	text = written(&coverage, OUT_TABLE, 0, AT(90));
	cr_assert_str_eq(
		text,
		"Of 1204331 messages, 2 sensors (mx1, mx2).\n"
		"Recorded since 2026-11-23 01:05:00 +0000.\n"
		"Complete until 2026-11-23 02:00:00 +0000; not reconciled with the MTA's log.\n"
		"The files of 12 messages were not fully read.\n"
		"mx2: not seen from 2026-11-23 01:10:00 +0000 to 2026-11-23 01:14:00 +0000.\n"
		"mx1: messages are missing from 2026-11-23 01:20:00 +0000 to "
		"2026-11-23 01:21:00 +0000.\n"
		"mx1: not seen from 2026-11-23 01:30:00 +0000 to now.\n"
		"mx3\\x1b[2J was never seen.\n"
		"mx2: did not record yet from 2026-11-23 01:00:00 +0000 to "
		"2026-11-23 01:05:00 +0000.\n");
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

/* ---- what can be signed ---- */

static guint
count_warnings(const struct store_coverage *coverage, const struct coverage_question *question)
{
	FILE *stream = fopen("/dev/null", "w");
	struct out *out = out_new(stream, OUT_TABLE, TRUE);
	g_autoptr(GPtrArray) warnings = coverage_warnings(out, coverage, question);

	cr_assert(out_free(out));
	fclose(stream);
	return warnings->len;
}

Test(coverage, a_nobody_is_signed_when_nothing_stands_against_it)
{
	struct coverage_question question = question_of(0, 0);
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	question.nobody = TRUE;
	coverage.complete_until_us = AT(90) - STORE_LAG_US;
	cr_expect_eq(count_warnings(&coverage, &question), 0, "unread files of another question");
	text = written_of(&coverage, OUT_TABLE, &question);
	cr_expect_null(strstr(text, "cannot be signed"));
	free(text);
	text = written_of(&coverage, OUT_JSON, &question);
	cr_expect_not_null(strstr(text, "\"complete\":true,\"warnings\":[]"));
	free(text);

	question.until_us = AT(60);
	coverage.complete_until_us = AT(60);
	cr_expect_eq(count_warnings(&coverage, &question), 0, "it is complete until --until");
	clear(&coverage);
}

Test(coverage, each_thing_that_stands_against_it_is_told)
{
	struct coverage_question question = question_of(0, 0);
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	question.nobody = TRUE;
	coverage.complete_until_us = AT(90) - STORE_LAG_US - 1;
	cr_expect_eq(count_warnings(&coverage, &question), 1, "a microsecond too little");
	coverage.complete_until_us = 0;
	cr_expect_eq(count_warnings(&coverage, &question), 1);
	coverage.complete_until_us = AT(90);
	question.has_expected = FALSE;
	cr_expect_eq(count_warnings(&coverage, &question), 1, "nobody knows whom to expect");
	question.has_expected = TRUE;
	question.needs_files = TRUE;
	cr_expect_eq(count_warnings(&coverage, &question), 1, "12 are unread");
	question.needs_files = FALSE;
	g_ptr_array_add(coverage.clocks, &off);
	g_ptr_array_add(coverage.gaps, &unseen);
	text = written_of(&coverage, OUT_TABLE, &question);
	cr_expect_not_null(strstr(text, "\"Nobody\" cannot be signed: f1: 3 messages passed unseen "
					"from 2026-11-23 01:40:00 +0000 to "
					"2026-11-23 01:41:00 +0000; the clock of mx2 is 75.0 s "
					"ahead.\n"),
			   "%s", text);
	free(text);
	clear(&coverage);
}

Test(coverage, what_the_site_exempts_is_told_and_stands_against_nothing)
{
	static struct store_gap exempt = {(char *)"mx1", AT(40), AT(41), (char *)"exempt", 3};
	struct coverage_question question = question_of(0, 0);
	struct store_coverage coverage;
	char *text;

	fill(&coverage);
	question.nobody = TRUE;
	coverage.complete_until_us = AT(90);
	coverage.exempt = 3;
	g_ptr_array_add(coverage.gaps, &exempt);
	text = written_of(&coverage, OUT_TABLE, &question);
	cr_expect(strstr(text, "mx1: 3 messages of exempt networks passed unrecorded, as "
			       "configured, from 2026-11-23 01:40:00 +0000 to "
			       "2026-11-23 01:41:00 +0000.\n") &&
			  !strstr(text, "cannot be signed"),
		  "%s", text);
	free(text);
	text = written_of(&coverage, OUT_JSON, &question);
	cr_expect(strstr(text, "\"reason\":\"exempt\",\"messages\":3") &&
			  strstr(text, "\"exempt\":3,") && strstr(text, "\"complete\":true"),
		  "%s", text);
	free(text);
	clear(&coverage);
}

Test(coverage, that_a_milter_was_down_is_forgiven_only_by_the_log)
{
	struct coverage_question question = question_of(0, 0);
	struct store_coverage coverage;

	fill(&coverage);
	coverage.complete_until_us = AT(90);
	g_ptr_array_add(coverage.gaps, &down);
	cr_expect_eq(count_warnings(&coverage, &question), 1);
	coverage.reconciled = TRUE;
	cr_expect_eq(count_warnings(&coverage, &question), 0);
	g_ptr_array_add(coverage.gaps, &missing);
	cr_expect_eq(count_warnings(&coverage, &question), 1);
	clear(&coverage);
}
