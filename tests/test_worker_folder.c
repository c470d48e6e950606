/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "worker_folder.h"

#define NOBODY 65534

TestSuite(worker_folder, .init = make_directory, .fini = remove_directory);

static gboolean
is_there(const char *path)
{
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

Test(worker_folder, is_its_owners_alone_and_there_once)
{
	char *one = worker_folder_make(directory), *two = worker_folder_make(directory);
	struct stat info;

	cr_assert(one && two);
	cr_assert_str_neq(one, two);
	cr_assert_eq(stat(one, &info), 0);
	cr_assert_eq(info.st_mode & 07777, 0700);
	worker_folder_remove(one);
	worker_folder_remove(two);
	worker_folder_remove(NULL);
}

Test(worker_folder, cannot_be_made_where_there_is_no_directory)
{
	g_autofree char *nowhere = g_build_filename(directory, "none", NULL);

	cr_assert_null(worker_folder_make(nowhere));
}

Test(worker_folder, goes_with_all_in_it_and_nothing_behind_a_link)
{
	g_autofree char *linked = g_build_filename(directory, "linked", NULL);
	g_autofree char *kept = g_build_filename(linked, "kept", NULL);
	char *folder = worker_folder_make(directory);
	g_autofree char *path = g_strdup(folder);
	g_autofree char *below = g_build_filename(folder, "a", "b", NULL);
	g_autofree char *file = g_build_filename(below, "file", NULL);
	g_autofree char *link = g_build_filename(below, "link", NULL);

	cr_assert_eq(g_mkdir(linked, 0700), 0);
	cr_assert(g_file_set_contents(kept, "x", 1, NULL));
	cr_assert_eq(g_mkdir_with_parents(below, 0700), 0);
	cr_assert(g_file_set_contents(file, "x", 1, NULL));
	cr_assert_eq(symlink(linked, link), 0);
	worker_folder_remove(folder);
	cr_assert_not(is_there(path));
	cr_assert(is_there(kept));
}

/*
 * Of nobody from now on, for whom modes count; the directory is his.  A test is a process of
 * its own.
 */
static void
become_nobody(void)
{
	if (geteuid() != 0)
		return;
	cr_assert_eq(chown(directory, NOBODY, NOBODY), 0);
	cr_assert_eq(seteuid(NOBODY), 0);
}

Test(worker_folder, goes_with_directories_that_may_not_be_entered)
{
	static const mode_t modes[] = {0, 0400, 0500, 0300};

	become_nobody();
	for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
		char *folder = worker_folder_make(directory);
		g_autofree char *path = g_strdup(folder);
		g_autofree char *above = g_build_filename(folder, "above", NULL);
		g_autofree char *closed = g_build_filename(above, "closed", NULL);
		g_autofree char *file = g_build_filename(closed, "file", NULL);

		cr_assert_eq(g_mkdir_with_parents(closed, 0700), 0);
		cr_assert(g_file_set_contents(file, "x", 1, NULL));
		cr_assert_eq(chmod(closed, modes[i]), 0);
		cr_assert_eq(chmod(above, modes[i]), 0);
		worker_folder_remove(folder);
		cr_assert_not(is_there(path), "mode %#o", modes[i]);
	}
}

/* Nests so many directories with a file beside each, by descriptors as a worker can. */
static void
nest(const char *folder, int levels)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < levels; i++) {
		int below, file;

		cr_assert_eq(mkdirat(fd, "directory", 0700), 0);
		file = openat(fd, "file", O_WRONLY | O_CREAT, 0600);
		below = openat(fd, "directory", O_RDONLY | O_DIRECTORY);
		cr_assert(file >= 0 && below >= 0);
		close(file);
		close(fd);
		fd = below;
	}
	close(fd);
}

Test(worker_folder, goes_with_directories_deeper_than_a_path, .timeout = 60)
{
	char *folder = worker_folder_make(directory);
	g_autofree char *path = g_strdup(folder);

	nest(folder, 2 * PATH_MAX / (int)strlen("directory/"));
	worker_folder_remove(folder);
	cr_assert_not(is_there(path));
}

Test(worker_folder, modes_behind_a_link_stay_as_they_are)
{
	g_autofree char *linked = g_build_filename(directory, "linked", NULL);
	char *folder = worker_folder_make(directory);
	g_autofree char *path = g_strdup(folder);
	g_autofree char *link = g_build_filename(folder, "link", NULL);
	struct stat info;

	cr_assert_eq(g_mkdir(linked, 0500), 0);
	cr_assert_eq(symlink(linked, link), 0);
	worker_folder_remove(folder);
	cr_assert_not(is_there(path));
	cr_assert_eq(stat(linked, &info), 0);
	cr_assert_eq(info.st_mode & 07777, 0500);
}

/* The folder's own path is one that a link may have been put at. */
Test(worker_folder, is_not_looked_for_behind_a_link)
{
	g_autofree char *linked = g_build_filename(directory, "linked", NULL);
	g_autofree char *kept = g_build_filename(linked, "kept", NULL);
	char *link = g_build_filename(directory, "link", NULL);

	cr_assert_eq(g_mkdir(linked, 0700), 0);
	cr_assert(g_file_set_contents(kept, "x", 1, NULL));
	cr_assert_eq(symlink(linked, link), 0);
	worker_folder_remove(link);
	cr_assert(is_there(kept));
}

/* Returns the number of a process that has ended. */
static pid_t
ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

static char *
folder_named(const char *form, pid_t pid)
{
	g_autofree char *name = g_strdup_printf("%s%d-abcdef", form, (int)pid);
	char *path = g_build_filename(directory, name, NULL);

	cr_assert_eq(g_mkdir(path, 0700), 0);
	return path;
}

Test(worker_folder, those_of_killed_scanners_are_removed_and_no_others)
{
	pid_t ended = ended_process();
	g_autofree char *left = folder_named("mailtrace-", ended);
	g_autofree char *in_use = folder_named("mailtrace-", getpid());
	g_autofree char *other = folder_named("something-", ended);

	worker_folder_remove_left("");
	worker_folder_remove_left(directory);
	cr_assert_not(is_there(left));
	cr_assert(is_there(in_use));
	cr_assert(is_there(other));
}
