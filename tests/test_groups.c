/* SPDX-License-Identifier: BSD-2-Clause */
#include "groups.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MIDNIGHT_TOKYO G_GINT64_CONSTANT(1795359600000000) /* 2026-11-23T00:00:00+09:00 */

static char *
written(struct groups *groups, enum out_format format)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	struct out *out = out_new(stream, format, TRUE);

	groups_write(groups, out);
	cr_assert(out_free(out));
	fclose(stream);
	return text;
}

/* Counts two hits at and one before Tokyo's midnight. */
static struct groups *
counted(enum group_by by, gboolean utc)
{
	struct groups *groups = groups_new(by, utc);
	struct store_hit hits[] = {
		{.received_at_us = MIDNIGHT_TOKYO,
		 .recipient = (char *)"b@x",
		 .from = (char *)"s@y",
		 .sensor = (char *)"mx1",
		 .subject = (char *)"請求書",
		 .name = (char *)"a.pdf",
		 .sha256 = (char *)"00"},
		{.received_at_us = MIDNIGHT_TOKYO + 1,
		 .recipient = (char *)"a@x",
		 .sensor = (char *)"mx1",
		 .name = (char *)"a.pdf"},
		{.received_at_us = MIDNIGHT_TOKYO - 1,
		 .recipient = (char *)"a@x",
		 .sensor = (char *)"mx2",
		 .name = (char *)"a.pdf"},
	};

	for (guint i = 0; i < G_N_ELEMENTS(hits); i++)
		groups_count(groups, &hits[i]);
	return groups;
}

static void
assert_csv(enum group_by by, gboolean utc, const char *wanted)
{
	struct groups *groups = counted(by, utc);
	char *text = written(groups, OUT_CSV);

	cr_assert_str_eq(text, wanted);
	free(text);
	groups_free(groups);
}

Test(groups, each_name_is_read_and_no_other)
{
	cr_assert_eq(group_by_parse("recipient"), GROUP_RECIPIENT);
	cr_assert_eq(group_by_parse("sender"), GROUP_SENDER);
	cr_assert_eq(group_by_parse("sensor"), GROUP_SENSOR);
	cr_assert_eq(group_by_parse("subject"), GROUP_SUBJECT);
	cr_assert_eq(group_by_parse("file"), GROUP_FILE);
	cr_assert_eq(group_by_parse("day"), GROUP_DAY);
	cr_assert_eq(group_by_parse(""), GROUP_NONE);
	cr_assert_eq(group_by_parse("days"), GROUP_NONE);
}

Test(groups, largest_is_first_and_equal_ones_by_key)
{
	assert_csv(GROUP_RECIPIENT, TRUE, "recipient,count\r\na@x,2\r\nb@x,1\r\n");
	assert_csv(GROUP_SENSOR, TRUE, "sensor,count\r\nmx1,2\r\nmx2,1\r\n");
	assert_csv(GROUP_SENDER, TRUE, "sender,count\r\n,2\r\ns@y,1\r\n");
	assert_csv(GROUP_SUBJECT, TRUE, "subject,count\r\n,2\r\n請求書,1\r\n");
	assert_csv(GROUP_FILE, TRUE, "file,count\r\na.pdf,2\r\n00,1\r\n");
}

Test(groups, days_are_local_or_of_utc)
{
	g_setenv("TZ", "Asia/Tokyo", TRUE);
	assert_csv(GROUP_DAY, FALSE, "day,count\r\n2026-11-23,2\r\n2026-11-22,1\r\n");
	assert_csv(GROUP_DAY, TRUE, "day,count\r\n2026-11-22,3\r\n");
}

Test(groups, rows_of_json_say_what_they_are)
{
	struct groups *groups = counted(GROUP_SENSOR, TRUE);
	char *text = written(groups, OUT_JSON);

	cr_assert_str_eq(text, "{\"type\":\"group\",\"sensor\":\"mx1\",\"count\":2}\n"
			       "{\"type\":\"group\",\"sensor\":\"mx2\",\"count\":1}\n");
	free(text);
	groups_free(groups);
}
