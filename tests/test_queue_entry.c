/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_entry.h"

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "caps.h"
#include "queue_mta.h"

static const struct queue_window window = {.before_s = 60, .after_s = 1800};

static struct queue_entry *
parsed(const char *line)
{
	return queue_entry_parse(line, strlen(line));
}

/* As Postfix 3.7 writes it, and with members of later versions. */
#define LINE                                                                                 \
	"{\"queue_name\": \"deferred\", \"queue_id\": \"4RzKcT1hJdz5v\", "                   \
	"\"arrival_time\": 1795470000, \"message_size\": 4778, \"forced_expire\": false, "   \
	"\"sender\": \"a@example.net\", \"new_member\": {\"x\": [1]}, "                      \
	"\"recipients\": [{\"address\": \"b@example.org\", \"delay_reason\": \"deferred\", " \
	"\"orig_address\": \"c@example.org\"}, {\"address\": \"d@example.org\"}]}"

Test(queue_entry, a_line_of_postqueue_is_read_and_unknown_members_are_passed_over)
{
	g_autoptr(queue_entry_t) entry = parsed(LINE);

	cr_assert_not_null(entry);
	cr_assert_str_eq(entry->queue_name, "deferred");
	cr_assert_str_eq(entry->queue_id, "4RzKcT1hJdz5v");
	cr_assert_str_eq(entry->sender, "a@example.net");
	cr_assert_eq(entry->arrival_s, 1795470000);
	cr_assert_eq(entry->size, 4778);
	cr_assert_eq(entry->recipients, 2);
	cr_assert_not(entry->held);
}

Test(queue_entry, the_null_sender_and_the_hold_queue_are_known)
{
	g_autoptr(queue_entry_t) entry =
		parsed("{\"queue_name\":\"hold\",\"queue_id\":\"ABCDEF12\",\"arrival_time\":1,"
		       "\"message_size\":0,\"sender\":\"MAILER-DAEMON\"}");

	cr_assert(entry && entry->held);
	cr_assert_str_eq(entry->sender, "");
	cr_assert_eq(entry->recipients, 0);
}

Test(queue_entry, what_is_no_entry_is_refused)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"queue_name\":\"hold\"",
		"{\"queue_name\":1,\"queue_id\":\"ABCDEF12\",\"arrival_time\":1,\"message_size\":1,"
		"\"sender\":\"\"}",
		"{\"queue_name\":\"hold\",\"queue_id\":\"../../x\",\"arrival_time\":1,"
		"\"message_size\":1,\"sender\":\"\"}",
		"{\"queue_name\":\"hold\",\"queue_id\":\"ABCDEF12\",\"arrival_time\":\"1\","
		"\"message_size\":1,\"sender\":\"\"}",
		"{\"queue_name\":\"hold\",\"queue_id\":\"ABCDEF12\",\"arrival_time\":1,"
		"\"message_size\":-1,\"sender\":\"\"}",
		"{\"queue_name\":\"hold\",\"queue_id\":\"ABCDEF12\",\"arrival_time\":1,"
		"\"message_size\":1,\"sender\":null}",
		"{\"queue_name\":\"hold\",\"queue_name\":\"active\",\"queue_id\":\"ABCDEF12\","
		"\"arrival_time\":1,\"message_size\":1,\"sender\":\"\"}",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_null(parsed(wrong[i]), "%s", wrong[i]);
	/* Any cut of a good line is none, and reads nothing behind it. */
	for (gsize length = 0; length < strlen(LINE); length++) {
		g_autofree char *cut = g_memdup2(LINE, length ? length : 1);

		cr_assert_null(queue_entry_parse(cut, length), "%zu", length);
	}
}

Test(queue_entry, another_message_under_the_id_is_told_apart)
{
	g_autoptr(queue_entry_t) entry = parsed(LINE);
	static const struct {
		struct queue_record record;
		const char *differs;
	} cases[] = {
		{{"a@example.net", 1795470000, 4700}, NULL},
		{{"a@EXAMPLE.net", 1795470000, 0}, NULL},
		{{"<a@example.net>", 1795470000, 0}, NULL},
		{{"", 1795470000, 4700}, "another sender"},
		{{"b@example.net", 1795470000, 4700}, "another sender"},
		{{"a@example.net.", 1795470000, 4700}, NULL},
		/* it arrived within the minute before, to half an hour after what was recorded */
		{{"a@example.net", 1795470060, 4700}, NULL},
		{{"a@example.net", 1795470061, 4700}, "another time of arrival"},
		{{"a@example.net", 1795468200, 4700}, NULL},
		{{"a@example.net", 1795468199, 4700}, "another time of arrival"},
		{{"a@example.net", G_MAXINT32, 4700}, "another time of arrival"},
		/* 4,778 of 10,000 or 100,000 bytes; header fields were added or taken away */
		{{"a@example.net", 1795470000, 9000}, NULL},
		{{"a@example.net", 1795470000, 20000}, "another size"},
		{{"a@example.net", 1795470000, 1}, NULL},
		{{"a@example.net", 1795470000, G_MAXINT64}, "another size"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *differs = queue_entry_difference(entry, &cases[i].record, &window);

		cr_assert(g_strcmp0(differs, cases[i].differs) == 0, "case %zu: %s", i,
			  differs ? differs : "the same");
	}
	entry->size = 200000;
	cr_assert_str_eq(
		queue_entry_difference(
			entry, &(struct queue_record){"a@example.net", 1795470000, 4700}, &window),
		"another size");
}

Test(queue_entry, the_null_sender_is_only_itself)
{
	g_autoptr(queue_entry_t) entry = parsed(LINE);
	const struct queue_record null = {"<>", 1795470000, 0}, other = {"a@x", 1795470000, 0};

	g_free(entry->sender);
	entry->sender = g_strdup("");
	cr_assert_null(queue_entry_difference(entry, &null, &window));
	cr_assert_not_null(queue_entry_difference(entry, &other, &window));
}

/* ---- how much a queue may show ---- */

/* Has a program in postqueue's place show one message in a line of so many bytes. */
static gboolean
look_at_line_of(gsize bytes, struct queue_entry **ret_entry, GError **error)
{
	static const char script[] = "#!/bin/sh\nexec cat \"${0%/*}/line\"\n";
	g_autofree char *folder = g_dir_make_tmp("mailtrace-queue.XXXXXX", NULL);
	g_autofree char *program = g_build_filename(folder, "postqueue", NULL);
	g_autofree char *file = g_build_filename(folder, "line", NULL);
	g_autofree char *line = g_strnfill(bytes + 1, ' ');
	const struct queue_site site = {.programs = folder};
	const char *const ids[] = {"4RzKcT1hJdz5v"};
	gboolean done;

	memcpy(line, LINE, strlen(LINE));
	line[bytes] = '\n';
	cr_assert(g_file_set_contents(file, line, (gssize)bytes + 1, NULL));
	cr_assert(g_file_set_contents(program, script, -1, NULL) && g_chmod(program, 0700) == 0);
	done = queue_mta_postfix.look(&site, ids, 1, ret_entry, error);
	g_unlink(program);
	g_unlink(file);
	g_rmdir(folder);
	return done;
}

Test(queue_entry, a_line_of_postqueue_is_read_to_its_cap_and_a_longer_one_is_an_error)
{
	for (int more = -1; more <= 1; more++) {
		g_autoptr(queue_entry_t) entry = NULL;
		g_autoptr(GError) error = NULL;
		gboolean done =
			look_at_line_of((gsize)(CAP_QUEUE_LINE_BYTES + more), &entry, &error);

		cr_expect_eq(done, more <= 0, "%d: %s", more, error ? error->message : "");
		cr_expect_eq(entry != NULL, more <= 0, "%d", more);
		cr_expect(done || strstr(error->message, "cannot be read"));
	}
}
