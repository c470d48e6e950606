/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory_fixture.h - a directory of a test's own, and files in it.
 *
 * For TestSuite(…, .init = make_directory, .fini = remove_directory): each test has one,
 * in the variable directory, with an umask of 022.  Defines all it has static, so that
 * each program that includes it has its own.
 */
#ifndef MAILTRACE_TESTS_DIRECTORY_FIXTURE_H
#define MAILTRACE_TESTS_DIRECTORY_FIXTURE_H

#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

static char *directory;

static void
make_directory(void)
{
	umask(022);
	directory = g_dir_make_tmp("mailtrace-test-XXXXXX", NULL);
	cr_assert(directory);
}

static void
remove_tree(const char *path)
{
	gboolean is_link = g_file_test(path, G_FILE_TEST_IS_SYMLINK);
	g_autoptr(GDir) dir = is_link ? NULL : g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		remove_tree(below);
	}
	g_remove(path);
}

static void
remove_directory(void)
{
	remove_tree(directory);
	g_free(directory);
}
#endif
