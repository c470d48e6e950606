/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define MS G_GINT64_CONSTANT(1000)

/* Standard error, led into a file for the time of a test. */
struct capture {
	char path[64];
	int saved;
};

static void
capture_begin(struct capture *capture)
{
	int fd;

	g_strlcpy(capture->path, "/tmp/mailtrace-log.XXXXXX", sizeof capture->path);
	fd = g_mkstemp(capture->path);
	cr_assert_geq(fd, 0);
	capture->saved = dup(STDERR_FILENO);
	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static char *
capture_end(struct capture *capture)
{
	char *text = NULL;

	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	cr_assert(g_file_get_contents(capture->path, &text, NULL, NULL));
	unlink(capture->path);
	return text;
}

static guint
count(const char *text, const char *what)
{
	guint n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

Test(log, a_line_is_program_event_and_pairs)
{
	g_autofree char *expected = g_strdup_printf(
		"mailtrace-test[%d]: message-recorded queue_id=4Xyz event=e1\n", (int)getpid());
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	log_open("mailtrace-test", LOG_TARGET_STDERR);
	log_event(LOG_LEVEL_INFO, "message-recorded", "queue_id", "4Xyz", "event", "e1", NULL);
	text = capture_end(&capture);
	cr_assert_str_eq(text, expected);
}

Test(log, a_missing_value_leaves_its_key_out)
{
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	log_event(LOG_LEVEL_INFO, "event", "queue_id", NULL, "after", "it", NULL);
	text = capture_end(&capture);
	cr_assert(strstr(text, "event after=it\n"), "%s", text);
	cr_assert_not(strstr(text, "queue_id"));
}

Test(log, a_value_forges_neither_line_nor_pair)
{
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	log_event(LOG_LEVEL_INFO, "event", "subject", "a\nforged verdict=accept \x1b[2J", NULL);
	text = capture_end(&capture);
	cr_assert_eq(count(text, "\n"), 1, "%s", text);
	cr_assert_eq(count(text, "\x1b"), 0, "%s", text);
	cr_assert(strstr(text, "subject=\""), "%s", text);
}

Test(log, lines_above_the_burst_are_held_back_and_counted)
{
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	for (guint i = 0; i < LOG_BURST + 7; i++)
		log_event(LOG_LEVEL_WARNING, "spool-slow", "n", "1", NULL);
	log_event(LOG_LEVEL_WARNING, "other-event", NULL);
	log_flush();
	log_flush();
	text = capture_end(&capture);
	cr_assert_eq(count(text, "spool-slow n=1\n"), LOG_BURST);
	cr_assert_eq(count(text, "other-event\n"), 1);
	cr_assert_eq(count(text, "log-held-back event=spool-slow lines=7\n"), 1, "%s", text);
}

Test(log, the_account_of_each_message_is_never_held_back)
{
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	for (guint i = 0; i < 10 * LOG_BURST; i++)
		log_event(LOG_LEVEL_INFO, "message", "queue_id", "4Q1", NULL);
	log_flush();
	text = capture_end(&capture);
	cr_assert_eq(count(text, "message queue_id=4Q1\n"), 10 * LOG_BURST);
	cr_assert_eq(count(text, "log-held-back"), 0);
}

Test(log, under_the_journal_lines_carry_their_priority)
{
	g_autofree char *stream = NULL;
	g_autofree char *text = NULL;
	struct capture capture;
	struct stat status;

	capture_begin(&capture);
	cr_assert_eq(fstat(STDERR_FILENO, &status), 0);
	stream = g_strdup_printf("%llu:%llu", (unsigned long long)status.st_dev,
				 (unsigned long long)status.st_ino);
	g_setenv("JOURNAL_STREAM", stream, TRUE);
	log_open("mailtrace-test", LOG_TARGET_STDERR);
	log_event(LOG_LEVEL_ERROR, "e", NULL);
	log_event(LOG_LEVEL_INFO, "i", NULL);
	text = capture_end(&capture);
	cr_assert_str_eq(text, "<3>e\n<6>i\n");
}

Test(log, a_journal_of_somebody_else_is_not_ours)
{
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	g_setenv("JOURNAL_STREAM", "1:1", TRUE);
	log_open("mailtrace-test", LOG_TARGET_STDERR);
	log_event(LOG_LEVEL_ERROR, "e", NULL);
	text = capture_end(&capture);
	cr_assert(g_str_has_prefix(text, "mailtrace-test["), "%s", text);
}

static gpointer
write_some(gpointer data)
{
	for (guint i = 0; i < LOG_BURST / 4; i++)
		log_event(LOG_LEVEL_NOTICE, "threaded", "from", "thread", NULL);
	return NULL;
}

Test(log, threads_share_one_limit_and_whole_lines)
{
	GThread *threads[8];
	g_autofree char *text = NULL;
	struct capture capture;

	capture_begin(&capture);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("log", write_some, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	log_flush();
	text = capture_end(&capture);
	cr_assert_eq(count(text, ": threaded from=thread\n"), LOG_BURST, "%s", text);
	cr_assert_eq(count(text, "lines=20\n"), 1, "%s", text);
}

Test(log_limit, a_burst_is_written_and_the_next_line_held)
{
	struct log_limit limit = {0};
	guint64 held;

	for (guint i = 0; i < LOG_BURST; i++)
		cr_assert(log_limit_take(&limit, 5, &held));
	cr_assert_not(log_limit_take(&limit, 5, &held));
	cr_assert_eq(held, 0);
}

Test(log_limit, a_new_window_begins_exactly_at_its_time)
{
	struct log_limit limit = {0};
	guint64 held;

	for (guint i = 0; i < LOG_BURST + 3; i++)
		log_limit_take(&limit, 1000, &held);
	cr_assert_not(log_limit_take(&limit, 1000 + LOG_WINDOW_MS * MS - 1, &held));
	cr_assert(log_limit_take(&limit, 1000 + LOG_WINDOW_MS * MS, &held));
	cr_assert_eq(held, 4);
	cr_assert(log_limit_take(&limit, 1000 + LOG_WINDOW_MS * MS, &held));
	cr_assert_eq(held, 0, "told twice");
}
