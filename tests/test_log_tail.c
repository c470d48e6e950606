/* SPDX-License-Identifier: BSD-2-Clause */
#include "../milter/log_tail.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"

static struct {
	char *directory, *path, *old, *dated;
	struct log_tail *tail;
} log_of;

static void
setup(void)
{
	log_of.directory = g_dir_make_tmp("mailtrace-log-XXXXXX", NULL);
	log_of.path = g_build_filename(log_of.directory, "mail.log", NULL);
	log_of.old = g_strconcat(log_of.path, ".1", NULL);
	log_of.dated = g_strconcat(log_of.path, "-20261123", NULL);
}

static void
teardown(void)
{
	g_autoptr(GDir) directory = g_dir_open(log_of.directory, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *path = g_build_filename(log_of.directory, name, NULL);

		g_unlink(path);
	}
	g_rmdir(log_of.directory);
	log_tail_free(log_of.tail);
	g_free(log_of.directory);
	g_free(log_of.path);
	g_free(log_of.old);
	g_free(log_of.dated);
}

TestSuite(log_tail, .init = setup, .fini = teardown);

static void
append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
write_log(const char *text)
{
	append(log_of.path, text);
}

static void
copy_log(const char *to)
{
	g_autofree char *text = NULL;
	gsize length;

	cr_assert(g_file_get_contents(log_of.path, &text, &length, NULL));
	cr_assert(g_file_set_contents(to, text, (gssize)length, NULL));
}

/* As it was done some seconds ago: rotations within one tick of the clock cannot be told apart. */
static void
rotate_ago(const char *to, int seconds)
{
	struct timespec then[2] = {{.tv_sec = time(NULL) - seconds},
				   {.tv_sec = time(NULL) - seconds}};

	g_rename(log_of.path, to);
	cr_assert_eq(utimensat(AT_FDCWD, to, then, 0), 0);
}

static void
follow_from(const struct log_position *position, gboolean from_end)
{
	log_tail_free(log_of.tail);
	log_of.tail = log_tail_new(log_of.path, position, from_end);
}

/* All lines that there are now, joined by "|". */
static char *
lines(void)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GPtrArray) found = NULL;

	do {
		g_clear_pointer(&found, g_ptr_array_unref);
		found = log_tail_read(log_of.tail, 2);
		for (guint i = 0; i < found->len; i++) {
			const struct log_line *line = g_ptr_array_index(found, i);

			g_string_append_len(text, line->bytes, (gssize)line->length);
			g_string_append_c(text, '|');
		}
	} while (found->len > 0);
	return g_string_free(text, FALSE);
}

static void
expect_lines(const char *expected)
{
	g_autofree char *found = lines();

	cr_assert_str_eq(found, expected, "found %s, expected %s", found, expected);
}

/* As a new process would: from the place that was written down. */
static void
restart(void)
{
	struct log_position position, back;
	g_autofree char *text = NULL;

	log_tail_position(log_of.tail, &position);
	text = log_position_format(&position);
	cr_assert(log_position_parse(text, &back), "%s", text);
	follow_from(&back, TRUE);
}

Test(log_tail, begins_at_the_beginning_or_behind_what_is_there)
{
	write_log("one\ntwo\n");
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	follow_from(NULL, TRUE);
	expect_lines("");
	write_log("three\n");
	expect_lines("three|");
}

Test(log_tail, a_line_that_was_half_there_at_the_start_is_passed_over)
{
	write_log("one\ntw");
	follow_from(NULL, TRUE);
	expect_lines("");
	write_log("o\nthree\n");
	expect_lines("three|");
}

Test(log_tail, a_line_is_given_when_it_is_complete)
{
	follow_from(NULL, TRUE);
	write_log("on");
	expect_lines("");
	write_log("e\n\ntwo\n");
	expect_lines("one||two|");
}

Test(log_tail, offsets_are_those_of_the_lines_in_their_file)
{
	g_autoptr(GPtrArray) found = NULL;

	write_log("one\n\ntwo\n");
	follow_from(NULL, FALSE);
	found = log_tail_read(log_of.tail, 10);
	cr_assert_eq(found->len, 3);
	cr_assert_eq(((struct log_line *)found->pdata[0])->offset, 0);
	cr_assert_eq(((struct log_line *)found->pdata[1])->offset, 4);
	cr_assert_eq(((struct log_line *)found->pdata[2])->offset, 5);
}

Test(log_tail, a_log_that_comes_later_is_read_from_its_beginning)
{
	follow_from(NULL, TRUE);
	expect_lines("");
	write_log("one\n");
	write_log("two\n");
	expect_lines("one|two|");
}

Test(log_tail, a_restart_goes_on_where_it_stood)
{
	write_log("one\ntwo\n");
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	write_log("three\n");
	restart();
	expect_lines("three|");
	restart();
	expect_lines("");
	cr_assert_eq(log_tail_gaps(log_of.tail), 0);
}

Test(log_tail, a_renamed_log_is_read_until_its_writer_has_left_it)
{
	write_log("one\n");
	follow_from(NULL, FALSE);
	expect_lines("one|");
	g_rename(log_of.path, log_of.old);
	expect_lines("");
	append(log_of.old, "two\n"); /* the writer has not noticed yet */
	expect_lines("two|");
	write_log("");
	append(log_of.old, "three\nlast");
	expect_lines("three|");
	write_log("four\n");
	expect_lines("last|four|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 0);
}

Test(log_tail, rotations_while_it_was_down_are_caught_up_in_order)
{
	write_log("one\n");
	follow_from(NULL, FALSE);
	expect_lines("one|");
	write_log("two\n");
	rotate_ago(log_of.dated, 200);
	write_log("three\n");
	rotate_ago(log_of.old, 100);
	write_log("four\n");
	restart();
	expect_lines("two|three|four|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 0);
}

/* As gzip does it: under another name, with its time. */
static void
compress_log(const char *path)
{
	g_autofree char *packed = g_strconcat(path, ".gz", NULL);

	g_rename(path, packed);
}

Test(log_tail, a_log_that_was_compressed_before_it_was_read_is_a_gap)
{
	for (int rotations = 1; rotations <= 2; rotations++) {
		g_autofree char *packed = g_strconcat(log_of.old, ".gz", NULL);

		write_log("one\n");
		follow_from(NULL, FALSE);
		expect_lines("one|");
		write_log("two\n");
		rotate_ago(log_of.dated, 200);
		compress_log(log_of.dated);
		if (rotations == 2) {
			write_log("three\n");
			rotate_ago(log_of.old, 100);
			compress_log(log_of.old);
		}
		write_log("four\n");
		expect_lines("two|four|");
		cr_expect_eq(log_tail_gaps(log_of.tail), rotations == 2, "%d", rotations);
		g_unlink(log_of.path);
		g_unlink(packed);
	}
}

Test(log_tail, the_rest_of_a_log_that_was_copied_and_truncated_is_read_from_the_copy)
{
	write_log("one\n");
	follow_from(NULL, FALSE);
	expect_lines("one|");
	write_log("two\n");
	copy_log(log_of.old);
	cr_assert_eq(truncate(log_of.path, 0), 0);
	expect_lines("two|");
	write_log("three\n");
	expect_lines("three|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 0);
}

Test(log_tail, a_log_that_was_cut_and_has_grown_again_is_not_taken_for_the_old_one)
{
	write_log("one\ntwo\n");
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	cr_assert_eq(truncate(log_of.path, 0), 0);
	write_log("three\nfour and more\n");
	expect_lines("three|four and more|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 1);
}

Test(log_tail, the_same_while_it_was_down)
{
	write_log("one\ntwo\n");
	follow_from(NULL, FALSE);
	expect_lines("one|two|");
	cr_assert_eq(truncate(log_of.path, 0), 0);
	write_log("three\nfour and more\n");
	restart();
	expect_lines("three|four and more|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 1);
}

Test(log_tail, other_files_beside_the_log_are_not_taken_for_it)
{
	g_autofree char *compressed = g_strconcat(log_of.path, ".1.gz", NULL);
	g_autofree char *other = g_strconcat(log_of.path, ".err", NULL);

	write_log("one\n");
	follow_from(NULL, FALSE);
	expect_lines("one|");
	write_log("two\n");
	g_rename(log_of.path, compressed);
	append(other, "other\n");
	restart();
	write_log("three\n");
	expect_lines("three|");
	cr_assert_eq(log_tail_gaps(log_of.tail), 1);
}

Test(log_tail, a_line_is_given_up_to_its_cap)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *line = g_strnfill((gsize)(CAP_LOG_LINE_BYTES + over), 'x');
		g_autofree char *both = g_strconcat(line, "\nnext\n", NULL);
		g_autofree char *expected =
			g_strconcat(over < 1 ? line : "", over < 1 ? "|" : "", "next|", NULL);

		g_unlink(log_of.path);
		write_log(both);
		follow_from(NULL, FALSE);
		expect_lines(expected);
		cr_assert_eq(log_tail_oversized(log_of.tail), over == 1);
	}
}

Test(log_tail, a_line_without_end_takes_no_memory_and_counts_once)
{
	g_autofree char *piece = g_strnfill(300 * 1024, 'x');

	write_log(piece);
	follow_from(NULL, FALSE);
	expect_lines("");
	restart();
	write_log(piece);
	write_log("end\nnext\n");
	expect_lines("next|");
}

Test(log_tail, bytes_of_any_value_are_lines)
{
	g_autoptr(GPtrArray) found = NULL;
	const struct log_line *line;

	cr_assert(g_file_set_contents(log_of.path, "a\0\xff\r\n", 5, NULL));
	follow_from(NULL, FALSE);
	found = log_tail_read(log_of.tail, 10);
	cr_assert_eq(found->len, 1);
	line = found->pdata[0];
	cr_assert_eq(line->length, 4);
	cr_assert_eq(memcmp(line->bytes, "a\0\xff\r", 4), 0);
}

Test(log_tail, says_when_there_may_be_more)
{
	struct pollfd fd = {.events = POLLIN};

	write_log("one\n");
	follow_from(NULL, FALSE);
	expect_lines("one|");
	fd.fd = log_tail_fd(log_of.tail);
	cr_assert_eq(poll(&fd, 1, 0), 0);
	write_log("two\n");
	cr_assert_eq(poll(&fd, 1, 10000), 1);
	expect_lines("two|");
	cr_assert_eq(poll(&fd, 1, 0), 0);
}

Test(log_tail, a_fifo_is_no_log)
{
	cr_assert_eq(mkfifo(log_of.path, 0600), 0);
	follow_from(NULL, FALSE);
	expect_lines("");
}

Test(log_tail, a_place_is_read_in_the_one_form_that_is_written)
{
	static const char digest[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct log_position position;
	g_autofree char *good = g_strconcat("mailtrace-follow 1\nfile 1:2\noffset 300\nbefore 256 ",
					    digest, "\n", NULL);
	static const char *const bad[] = {
		"",
		"mailtrace-follow 2\nfile 1:2\noffset 300\nbefore 256 ",
		"mailtrace-follow 1\nfile 1:2\noffset 300\nbefore 257 ",
		"mailtrace-follow 1\nfile 1:2\noffset 3\nbefore 4 ",
		"mailtrace-follow 1\nfile 1:2\noffset -3\nbefore 0 ",
		"mailtrace-follow 1\nfile 1:2\noffset 03\nbefore 0 ",
		"mailtrace-follow 1\nfile 1:2\noffset 99999999999999999999\nbefore 0 ",
		"mailtrace-follow 1\nfile 1:2 offset 3\nbefore 0 ",
	};

	cr_assert(log_position_parse(good, &position));
	cr_assert_eq(position.offset, 300);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strconcat(bad[i], digest, "\n", NULL);

		cr_assert_not(log_position_parse(text, &position), "%s", text);
	}
	good[strlen(good) - 3] = 'x';
	cr_assert_not(log_position_parse(good, &position));
}
