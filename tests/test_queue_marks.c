/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "queue_marks.h"

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "4RzKcT1hJdz5v"

static const struct queue_window window = {.before_s = 60, .after_s = 1800};

Test(queue_marks, a_path_that_only_root_can_change_is_trusted)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = queue_trusted_path("/usr/bin/../bin", &error);

	cr_assert(path, "%s", error ? error->message : "");
	cr_assert_str_eq(path, "/usr/bin");
}

/* Runs as root and as others: what it makes is not root's, or is writable for all. */
Test(queue_marks, a_path_that_others_can_change_is_not)
{
	g_autofree char *directory = g_dir_make_tmp("mailtrace-marks.XXXXXX", NULL);
	g_autofree char *below = g_build_filename(directory, "below", NULL);
	static const char *const missing[] = {"", "usr", "/no/such/path"};

	cr_assert_eq(g_mkdir(below, 0755), 0);
	if (geteuid() == 0)
		cr_assert_eq(chmod(directory, 0777), 0);
	for (const char *paths[] = {directory, below, "/tmp", NULL}, **path = paths; *path;
	     path++) {
		g_autoptr(GError) error = NULL;

		cr_assert_null(queue_trusted_path(*path, &error), "%s", *path);
		cr_assert(g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_TRUST));
	}
	for (gsize i = 0; i < G_N_ELEMENTS(missing); i++) {
		g_autoptr(GError) error = NULL;

		cr_assert_null(queue_trusted_path(missing[i], &error));
		cr_assert(g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_FILE));
	}
	g_rmdir(below);
	g_rmdir(directory);
}

/* Marks are root's: as another user the directory is refused, and that is what is seen. */
static struct queue_marks *
opened(const char *directory)
{
	g_autoptr(GError) error = NULL;
	struct queue_marks *marks =
		queue_marks_open(directory, g_get_monotonic_time() + G_USEC_PER_SEC, &error);

	if (geteuid() != 0)
		cr_assert(g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_TRUST));
	else
		cr_assert(marks, "%s", error ? error->message : "");
	return marks;
}

Test(queue_marks, what_was_noted_last_is_known_for_that_message_alone)
{
	g_autofree char *parent = g_dir_make_tmp("mailtrace-marks.XXXXXX", NULL);
	g_autofree char *directory = g_build_filename(parent, "marks", NULL);
	g_autofree char *file = g_build_filename(directory, ID, NULL);
	struct queue_marks *marks = opened(directory);
	g_autofree char *command_id = NULL;

	if (marks) {
		cr_assert_eq(queue_marks_get(marks, ID, &window, 5000, NULL), QUEUE_MARK_NONE);
		cr_assert(queue_marks_set(marks, ID, QUEUE_MARK_HELD, "c-1", 5000, NULL));
		cr_assert(queue_marks_set(marks, ID, QUEUE_MARK_RELEASED, "c-2", 5000, NULL));
		cr_assert_eq(queue_marks_get(marks, ID, &window, 5060, &command_id),
			     QUEUE_MARK_RELEASED);
		cr_assert_str_eq(command_id, "c-2");
		/* the id again, of a message an hour later */
		cr_assert_eq(queue_marks_get(marks, ID, &window, 8600, NULL), QUEUE_MARK_NONE);
		cr_assert_eq(queue_marks_get(marks, "ABCDEF12", &window, 5000, NULL),
			     QUEUE_MARK_NONE);
		queue_marks_free(marks);
	}
	g_unlink(file);
	g_rmdir(directory);
	cr_assert_eq(g_rmdir(parent), 0, "something was left in %s", parent);
}

Test(queue_marks, helpers_wait_for_each_other_and_old_marks_end)
{
	g_autofree char *parent = g_dir_make_tmp("mailtrace-marks.XXXXXX", NULL);
	g_autofree char *directory = g_build_filename(parent, "marks", NULL);
	g_autofree char *file = g_build_filename(directory, ID, NULL);
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct queue_marks *marks = opened(directory);
	g_autoptr(GError) error = NULL;

	if (marks) {
		cr_assert_null(queue_marks_open(directory, g_get_monotonic_time(), &error));
		cr_assert(g_error_matches(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_BUSY));
		cr_assert(queue_marks_set(marks, ID, QUEUE_MARK_HELD, "c-1", 5000, NULL));
		queue_marks_free(marks);
		cr_assert_eq(utimensat(AT_FDCWD, file, old, 0), 0);
		marks = opened(directory);
		cr_assert_eq(queue_marks_get(marks, ID, &window, 5000, NULL), QUEUE_MARK_NONE);
		queue_marks_free(marks);
	}
	g_rmdir(directory);
	cr_assert_eq(g_rmdir(parent), 0, "something was left in %s", parent);
}
