/* SPDX-License-Identifier: BSD-2-Clause */
/* Journal files are made by systemd-journal-remote(8), from systemd's export format. */
#include "../milter/journal_tail.h"

#include <criterion/criterion.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>

#include "caps.h"

#define DEADLINE_MS 60000
#define FIRST_US G_GINT64_CONSTANT(1795860000123456) /* 2026-11-28T10:00:00.123456Z */
#define BOOT "0123456789abcdef0123456789abcdef"

static struct {
	char *directory, *path, *old;
	struct journal_tail *tail;
	GString *export;
	guint entries;
} journal;

static void
setup(void)
{
	journal.directory = g_dir_make_tmp("mailtrace-journal-XXXXXX", NULL);
	journal.path = g_build_filename(journal.directory, "system.journal", NULL);
	journal.old = g_build_filename(journal.directory, "system@1.journal", NULL);
	journal.export = g_string_new(NULL);
}

static void
teardown(void)
{
	g_autoptr(GDir) directory = g_dir_open(journal.directory, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *path = g_build_filename(journal.directory, name, NULL);

		g_unlink(path);
	}
	g_rmdir(journal.directory);
	journal_tail_free(journal.tail);
	g_string_free(journal.export, TRUE);
	g_free(journal.directory);
	g_free(journal.path);
	g_free(journal.old);
}

TestSuite(journal_tail, .init = setup, .fini = teardown);

/* Begins an entry, a second after the one before. */
static void
begin_entry(void)
{
	gint64 seconds = journal.entries++;

	g_string_append_printf(journal.export,
			       "__REALTIME_TIMESTAMP=%" G_GINT64_FORMAT
			       "\n__MONOTONIC_TIMESTAMP=%" G_GINT64_FORMAT "\n_BOOT_ID=" BOOT
			       "\n_HOSTNAME=mx1\n",
			       FIRST_US + seconds * G_USEC_PER_SEC, (seconds + 1) * G_USEC_PER_SEC);
}

static void
add_field(const char *name, const char *value)
{
	g_string_append_printf(journal.export, "%s=%s\n", name, value);
}

/* A field of any bytes. */
static void
add_bytes(const char *name, const char *bytes, gsize length)
{
	guint64 size = GUINT64_TO_LE(length);

	g_string_append_printf(journal.export, "%s\n", name);
	g_string_append_len(journal.export, (const char *)&size, sizeof(size));
	g_string_append_len(journal.export, bytes, (gssize)length);
	g_string_append_c(journal.export, '\n');
}

static void
end_entry(void)
{
	g_string_append_c(journal.export, '\n');
}

/* An entry as the syslog of a user's program makes it. */
static void
add_entry(const char *uid, const char *tag, const char *message)
{
	begin_entry();
	add_field("_TRANSPORT", "syslog");
	add_field("_UID", uid);
	add_field("SYSLOG_IDENTIFIER", tag);
	add_field("SYSLOG_PID", "7");
	add_field("MESSAGE", message);
	end_entry();
}

static void
add_mail(const char *message)
{
	add_entry("0", "postfix/qmgr", message);
}

/* Writes what was added behind what stands in a journal file. */
static void
write_to(const char *path)
{
	const char *argv[] = {"/lib/systemd/systemd-journal-remote", "-o", path, "-", NULL};
	GSubprocess *writer = g_subprocess_newv(
		argv, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL);
	g_autoptr(GBytes) export = g_bytes_new(journal.export->str, journal.export->len);

	cr_assert_not_null(writer, "systemd-journal-remote is missing");
	cr_assert(g_subprocess_communicate(writer, export, NULL, NULL, NULL, NULL));
	cr_assert(g_subprocess_get_successful(writer));
	g_object_unref(writer);
	g_string_truncate(journal.export, 0);
}

static void
write_journal(void)
{
	write_to(journal.path);
}

static void
follow_as(const char *const *users, const char *place, gboolean from_end)
{
	g_autoptr(GError) error = NULL;

	journal_tail_free(journal.tail);
	journal.tail = journal_tail_new(journal.directory, users, place, from_end, &error);
	cr_assert_not_null(journal.tail, "%s", error ? error->message : "");
}

static void
follow_from(const char *place, gboolean from_end)
{
	static const char *const users[] = {"0", "107", NULL};

	follow_as(users, place, from_end);
}

/* As a new process would. */
static void
restart(void)
{
	g_autofree char *place = journal_tail_place(journal.tail);

	follow_from(place, TRUE);
}

/* Adds the texts of the lines that there are now, each behind its tag, joined by "|". */
static void
add_texts(GString *text)
{
	gboolean all = FALSE;

	while (!all) {
		g_autoptr(GPtrArray) lines = journal_tail_read(journal.tail, 2, &all);

		for (guint i = 0; i < lines->len; i++) {
			const struct log_line *line = g_ptr_array_index(lines, i);

			g_string_append_printf(text, "%s|", strstr(line->bytes, ": ") + 2);
		}
	}
}

/* Waits until these are the lines; more would be wrong too. */
static void
expect_lines(const char *expected)
{
	g_autoptr(GString) found = g_string_new(NULL);
	gint64 end_us = g_get_monotonic_time() + DEADLINE_MS * 1000;

	add_texts(found);
	while (found->len < strlen(expected) && g_get_monotonic_time() < end_us) {
		struct pollfd fd = {.fd = journal_tail_fd(journal.tail), .events = POLLIN};

		poll(&fd, 1, 1000);
		add_texts(found);
	}
	cr_assert_str_eq(found->str, expected, "found %s, expected %s", found->str, expected);
}

static void
expect_gap(const char *expected)
{
	g_autofree char *reason = journal_tail_gap(journal.tail);
	g_autofree char *more = journal_tail_gap(journal.tail);

	if (expected)
		cr_assert(reason && strstr(reason, expected), "found %s", reason);
	else
		cr_assert_null(reason, "%s", reason);
	cr_assert_null(more, "%s", more);
}

Test(journal_tail, a_line_is_what_syslog_would_write)
{
	static const char message[] = "one\ttwo\0three\x7f"
				      "\xc3\xa9";
	static const char expected[] = "2026-11-28T10:00:00.123456+00:00 mx1 postfix/smtp[7]: "
				       "one#011two#000three#177\xc3\xa9";
	g_autoptr(GPtrArray) lines = NULL;
	const struct log_line *line;
	gboolean all;

	begin_entry();
	add_field("_UID", "0");
	add_field("SYSLOG_IDENTIFIER", "postfix/smtp");
	add_field("SYSLOG_PID", "7");
	add_bytes("MESSAGE", message, sizeof(message) - 1);
	end_entry();
	write_journal();
	follow_from(NULL, FALSE);
	lines = journal_tail_read(journal.tail, 10, &all);
	cr_assert_eq(lines->len, 1);
	line = g_ptr_array_index(lines, 0);
	cr_assert_str_eq(line->bytes, expected, "found %s", line->bytes);
	cr_assert_eq(line->length, strlen(line->bytes));
	cr_assert(all);
}

Test(journal_tail, what_untrusted_users_and_other_programs_write_is_not_taken)
{
	add_entry("1000", "postfix/smtp", "forged");
	add_entry("0", "sshd", "other");
	add_entry("0", "postfix/smtp", "true");
	begin_entry(); /* of /dev/kmsg: nobody knows whose */
	add_field("_TRANSPORT", "kernel");
	add_field("SYSLOG_IDENTIFIER", "postfix/smtp");
	add_field("MESSAGE", "kernel");
	end_entry();
	add_entry("107", "postfix/smtp", "mail_owner");
	add_entry("0", "sm-mta", "sendmail");
	add_entry("0", "dovecot", "dovecot");
	add_entry("107", "postfix/smtp[1]: x", "tag");
	add_entry("107", "postfix/smtp[1]", "tag");
	add_entry("107", "postfix/smtp:", "tag");
	add_entry("10", "postfix/smtp", "prefix");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("true|mail_owner|sendmail|dovecot|");
	expect_gap(NULL);
}

Test(journal_tail, users_are_those_that_are_named)
{
	static const char *const other[] = {"1000", NULL}, *const none[] = {NULL},
				 *const unknown[] = {"root", "nobody-of-that-name", NULL};
	g_autoptr(GError) error = NULL;

	add_entry("1000", "postfix/smtp", "thousand");
	add_entry("0", "postfix/smtp", "root");
	write_journal();
	follow_as(other, NULL, FALSE);
	expect_lines("thousand|");
	follow_as(none, NULL, FALSE);
	expect_lines("root|");
	cr_assert_null(journal_tail_new(journal.directory, unknown, NULL, FALSE, &error));
	cr_assert(g_error_matches(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_OPEN));
}

Test(journal_tail, begins_at_the_beginning_or_behind_what_is_there)
{
	add_mail("one");
	add_mail("two");
	add_entry("1000", "bash", "the last is somebody else's");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	follow_from(NULL, TRUE);
	expect_lines("");
	restart();
	expect_lines("");
	add_mail("three");
	write_journal();
	expect_lines("three|");
	expect_gap(NULL);
}

Test(journal_tail, goes_on_where_it_stood)
{
	g_autoptr(GPtrArray) lines = NULL;
	gboolean all;

	for (int i = 0; i < 5; i++) {
		g_autofree char *message = g_strdup_printf("%d", i);

		add_mail(message);
		add_entry("1000", "bash", message);
	}
	write_journal();
	follow_from(NULL, FALSE);
	lines = journal_tail_read(journal.tail, 2, &all);
	cr_assert_eq(lines->len, 2);
	cr_assert_not(all);
	restart();
	expect_lines("2|3|4|");
	restart();
	expect_lines("");
	add_mail("5");
	write_journal();
	restart();
	expect_lines("5|");
	expect_gap(NULL);
}

Test(journal_tail, a_journal_that_was_empty_at_the_first_start_is_read_whole_later)
{
	follow_from(NULL, TRUE);
	expect_lines("");
	add_mail("one");
	write_journal();
	restart();
	expect_lines("one|");
	expect_gap(NULL);
}

Test(journal_tail, rotation_loses_nothing)
{
	add_mail("one");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|");
	add_mail("two");
	write_journal();
	g_rename(journal.path, journal.old);
	add_mail("three");
	write_journal();
	expect_lines("two|three|");
	add_mail("four");
	write_journal();
	restart();
	expect_lines("four|");
	expect_gap(NULL);
}

Test(journal_tail, a_vacuumed_place_is_told_once_and_the_next_entry_is_read)
{
	add_mail("one");
	add_mail("two");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	add_mail("lost");
	write_journal();
	g_unlink(journal.path);
	add_entry("1000", "bash", "of nobody");
	add_mail("three");
	write_journal();
	restart();
	expect_lines("three|");
	expect_gap("no longer in the journal");
	restart();
	expect_lines("");
	expect_gap(NULL);
}

Test(journal_tail, a_place_that_is_vacuumed_while_it_runs_is_told_once)
{
	add_mail("one");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|");
	g_rename(journal.path, journal.old);
	add_entry("1000", "bash", "of nobody");
	write_journal();
	g_unlink(journal.old);
	add_mail("two");
	write_journal();
	expect_lines("two|");
	expect_gap("no longer in the journal");
	g_rename(journal.path, journal.old);
	add_mail("three");
	write_journal();
	expect_lines("three|");
	expect_gap(NULL);
}

Test(journal_tail, a_gap_is_told_once_where_nothing_of_the_mta_follows)
{
	add_mail("one");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|");
	g_unlink(journal.path);
	add_entry("1000", "bash", "of nobody");
	write_journal();
	restart();
	expect_lines("");
	expect_gap("no longer in the journal");
	restart();
	expect_lines("");
	g_rename(journal.path, journal.old);
	add_mail("two");
	write_journal();
	expect_lines("two|");
	expect_gap(NULL);
}

Test(journal_tail, an_entry_of_the_same_time_is_not_the_place)
{
	static const char *const changes[] = {"MESSAGE=one", BOOT};
	g_autoptr(GString) export = g_string_new(NULL);

	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		journal.entries = 0;
		add_mail("one");
		g_string_assign(export, journal.export->str);
		write_journal();
		follow_from(NULL, FALSE);
		expect_lines("one|");
		g_unlink(journal.path);
		/* Of another text, or of another boot. */
		g_string_replace(export, changes[i],
				 i == 0 ? "MESSAGE=two" : "1123456789abcdef0123456789abcdef", 0);
		g_string_assign(journal.export, export->str);
		write_journal();
		restart();
		expect_lines(i == 0 ? "two|" : "one|");
		expect_gap("no longer in the journal");
		g_unlink(journal.path);
	}
}

Test(journal_tail, a_journal_of_which_nothing_is_left_is_a_gap)
{
	add_mail("one");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("one|");
	g_unlink(journal.path);
	restart();
	expect_lines("");
	expect_gap("no longer in the journal");
	restart();
	add_mail("two");
	write_journal();
	expect_lines("two|");
	expect_gap(NULL);
}

Test(journal_tail, entries_that_were_moved_to_another_file_are_known_again)
{
	g_autoptr(GPtrArray) before = NULL, after = NULL;
	gboolean all;
	g_autofree char *moved = g_build_filename(journal.directory, "system@2.journal", NULL);
	g_autoptr(GString) export = NULL;

	add_mail("one");
	add_mail("two");
	export = g_string_new_len(journal.export->str, (gssize)journal.export->len);
	write_journal();
	follow_from(NULL, FALSE);
	before = journal_tail_read(journal.tail, 1, &all);
	cr_assert_eq(before->len, 1);
	g_unlink(journal.path);
	/* The sequence numbers of the new file are other ones. */
	g_string_assign(journal.export, export->str);
	write_to(moved);
	restart();
	expect_lines("two|");
	expect_gap(NULL);
	follow_from(NULL, FALSE);
	after = journal_tail_read(journal.tail, 1, &all);
	cr_assert_eq(((struct log_line *)before->pdata[0])->offset,
		     ((struct log_line *)after->pdata[0])->offset);
}

Test(journal_tail, equal_lines_are_told_apart)
{
	g_autoptr(GPtrArray) lines = NULL;
	gboolean all;

	for (int i = 0; i < 2; i++) {
		begin_entry();
		add_field("_UID", "0");
		add_field("SYSLOG_IDENTIFIER", "dovecot");
		add_field("_SOURCE_REALTIME_TIMESTAMP", "1795860000000000");
		add_field("MESSAGE", "the same");
		end_entry();
	}
	write_journal();
	follow_from(NULL, FALSE);
	lines = journal_tail_read(journal.tail, 10, &all);
	cr_assert_eq(lines->len, 2);
	cr_assert_str_eq(((struct log_line *)lines->pdata[0])->bytes,
			 ((struct log_line *)lines->pdata[1])->bytes);
	cr_assert_neq(((struct log_line *)lines->pdata[0])->offset,
		      ((struct log_line *)lines->pdata[1])->offset);
}

Test(journal_tail, the_time_is_that_of_the_datagram_if_it_can_be)
{
	/* Of the entry: 10:00:00.123456 and so on, a second each. */
	static const char *const sources[] = {"1795860000000000",     "1795860100000000",
					      "1795760000000000",     "-1",
					      "18446744073709551616", "now"};
	static const char *const times[] = {"10:00:00.000000", "10:00:01.123456",
					    "10:00:02.123456", "10:00:03.123456",
					    "10:00:04.123456", "10:00:05.123456"};
	g_autoptr(GPtrArray) lines = NULL;
	gboolean all;

	for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
		begin_entry();
		add_field("_UID", "0");
		add_field("SYSLOG_IDENTIFIER", "dovecot");
		add_field("_SOURCE_REALTIME_TIMESTAMP", sources[i]);
		add_field("MESSAGE", "text");
		end_entry();
	}
	write_journal();
	follow_from(NULL, FALSE);
	lines = journal_tail_read(journal.tail, 10, &all);
	cr_assert_eq(lines->len, G_N_ELEMENTS(sources));
	for (guint i = 0; i < lines->len; i++) {
		const struct log_line *line = g_ptr_array_index(lines, i);

		cr_assert(strstr(line->bytes, times[i]), "%u: %s", i, line->bytes);
	}
}

Test(journal_tail, a_line_over_the_cap_is_passed_over_and_counted)
{
	gsize head = strlen("2026-11-28T10:00:00.123456+00:00 mx1 postfix/qmgr[7]: ");
	g_autoptr(GPtrArray) lines = NULL;
	gboolean all;

	for (int over = -1; over <= 1; over++) {
		g_autofree char *message =
			g_strnfill((gsize)(CAP_LOG_LINE_BYTES + over) - head, 'x');

		add_mail(message);
	}
	add_mail("short");
	write_journal();
	follow_from(NULL, FALSE);
	lines = journal_tail_read(journal.tail, 10, &all);
	cr_assert_eq(lines->len, 3);
	cr_assert_eq(((struct log_line *)lines->pdata[0])->length, CAP_LOG_LINE_BYTES - 1);
	cr_assert_eq(((struct log_line *)lines->pdata[1])->length, CAP_LOG_LINE_BYTES);
	cr_assert_eq(journal_tail_oversized(journal.tail), 1);
}

Test(journal_tail, a_huge_message_is_passed_over)
{
	gsize length = 16 * 1024 * 1024;
	g_autofree char *message = g_strnfill(length, 'x');

	begin_entry();
	add_field("_UID", "0");
	add_field("SYSLOG_IDENTIFIER", "postfix/smtp");
	add_bytes("MESSAGE", message, length);
	end_entry();
	add_mail("short");
	write_journal();
	follow_from(NULL, FALSE);
	expect_lines("short|");
	cr_assert_eq(journal_tail_oversized(journal.tail), 1);
}

static void
add_dropped(const char *transport, const char *unit)
{
	begin_entry();
	add_field("_UID", "0");
	add_field("_TRANSPORT", transport);
	add_field("SYSLOG_IDENTIFIER", "systemd-journald");
	add_field("MESSAGE_ID", "a596d6fe7bfa4994828e72309e95d61e");
	add_field("MESSAGE", "Suppressed 1234 messages from a unit");
	add_field("N_DROPPED", "1234");
	if (unit)
		add_field("OBJECT_SYSTEMD_UNIT", unit);
	end_entry();
}

Test(journal_tail, what_journald_dropped_of_the_mta_is_a_gap)
{
	static const struct {
		const char *transport, *unit, *gap;
	} cases[] = {
		{"driver", "postfix@-.service", "1234 entries of postfix@-.service"},
		{"driver", NULL, "1234 entries"},
		{"driver", "nginx.service", NULL},
		{"journal", "postfix@-.service", NULL},
	};

	follow_from(NULL, FALSE);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		add_dropped(cases[i].transport, cases[i].unit);
		add_mail("next");
		write_journal();
		expect_lines("next|");
		expect_gap(cases[i].gap);
	}
}

Test(journal_tail, what_is_no_place_is_refused)
{
	static const char *const places[] = {"", "x", "--", "s=0;i=1", "s=zz;i=1;b=zz;m=1;t=1;x=1"};

	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		static const char *const users[] = {"0", NULL};
		g_autoptr(GError) error = NULL;

		cr_assert_null(journal_tail_new(journal.directory, users, places[i], FALSE, &error),
			       "%s", places[i]);
		cr_assert(g_error_matches(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_PLACE));
	}
}

Test(journal_tail, a_folder_that_is_not_there_is_refused)
{
	static const char *const users[] = {"0", NULL};
	g_autoptr(GError) error = NULL;

	cr_assert_null(journal_tail_new("/nonexistent", users, NULL, FALSE, &error));
	cr_assert(g_error_matches(error, JOURNAL_TAIL_ERROR, JOURNAL_TAIL_ERROR_OPEN));
}
