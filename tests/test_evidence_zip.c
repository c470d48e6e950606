/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence_zip.h"
#include "private_folder.h"

static char *root;

static void
set_up(void)
{
	root = g_dir_make_tmp("mailtrace-test.XXXXXX", NULL);
}

static void
tear_down(void)
{
	g_autoptr(GDir) folder = g_dir_open(root, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(folder))) {
		g_autofree char *path = g_build_filename(root, name, NULL);

		g_remove(path);
	}
	g_rmdir(root);
	g_free(root);
}

TestSuite(evidence_zip, .init = set_up, .fini = tear_down);

/* Returns a file of the test with such a content. */
static char *
file_with(const char *name, const char *content)
{
	char *path = g_build_filename(root, name, NULL);

	cr_assert(g_file_set_contents(path, content, -1, NULL));
	return path;
}

/* Returns the password that is read from a file of such a content; NULL if none is. */
static char *
read_back(const char *content)
{
	g_autofree char *path = file_with("password", content);
	g_autoptr(GError) error = NULL;
	char *password = evidence_password_read(path, &error);

	cr_expect_eq(password == NULL, error != NULL);
	return password;
}

static void
expect_length(gsize length, gboolean taken)
{
	g_autofree char *line = g_strnfill(length, 'x');
	g_autofree char *content = g_strconcat(line, "\nsecond line\n", NULL);
	char *password = read_back(content);

	cr_expect_eq(password != NULL, taken, "%zu bytes", length);
	if (password)
		cr_expect_str_eq(password, line);
	evidence_password_free(password);
}

Test(evidence_zip, a_password_is_a_line_between_its_caps)
{
	expect_length(0, FALSE);
	expect_length(EVIDENCE_PASSWORD_LEAST - 1, FALSE);
	expect_length(EVIDENCE_PASSWORD_LEAST, TRUE);
	expect_length(EVIDENCE_PASSWORD_MOST, TRUE);
	expect_length(EVIDENCE_PASSWORD_MOST + 1, FALSE);
	expect_length(10 * EVIDENCE_PASSWORD_MOST, FALSE);
}

Test(evidence_zip, a_password_is_text_and_its_line_may_end_as_on_windows)
{
	char *password = read_back("p\303\244sswords\r\n");

	cr_assert_not_null(password);
	cr_expect_str_eq(password, "p\303\244sswords");
	evidence_password_free(password);
	cr_expect_null(read_back("no UTF-8 \377\376\n"));
	cr_expect_null(read_back(""));
}

Test(evidence_zip, no_two_passwords_are_alike)
{
	char *one = evidence_password_new(NULL), *other = evidence_password_new(NULL);

	cr_assert(one && other);
	cr_expect_eq(strlen(one), 24);
	cr_expect_str_neq(one, other);
	evidence_password_free(one);
	evidence_password_free(other);
	evidence_password_free(NULL);
}

Test(evidence_zip, only_a_regular_file_has_a_digest)
{
	g_autofree char *path = file_with("abc", "abc");
	g_autofree char *link_path = g_build_filename(root, "link", NULL);
	g_autofree char *fifo = g_build_filename(root, "fifo", NULL);
	g_autofree char *sha256 = NULL;
	guint64 size = 7;

	cr_assert(symlink(path, link_path) == 0 && mkfifo(fifo, 0600) == 0);
	cr_expect_not(evidence_file_digest(link_path, &sha256, &size, NULL));
	cr_expect_not(evidence_file_digest(fifo, &sha256, &size, NULL));
	cr_expect_not(evidence_file_digest(root, &sha256, &size, NULL));
	cr_expect(size == 7 && !sha256, "untouched");
	cr_assert(evidence_file_digest(path, &sha256, &size, NULL));
	cr_expect_eq(size, 3);
	cr_expect_str_eq(sha256, /* FIPS 180-4's example */
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A helper that makes a zip of its own kind: what it leaves is given away as it is. */
Test(evidence_zip, a_file_that_is_there_is_never_replaced)
{
	g_autofree char *helper =
		file_with("helper", "#!/bin/sh\nread -r line && echo \"$line\" > \"$2\"\n");
	g_autofree char *path = g_build_filename(root, "out.zip", NULL);
	g_autofree char *sha256 = NULL, *content = NULL;
	g_autoptr(private_folder_t) folder = private_folder_new(path, NULL);
	g_autoptr(GError) error = NULL;
	guint64 size = 0;

	cr_assert(folder && g_chmod(helper, 0700) == 0);
	cr_assert(evidence_zip_write(helper, private_folder_path(folder), "password 1", path,
				     &sha256, &size, &error));
	cr_expect_eq(size, strlen("password 1\n"));
	cr_expect_not(evidence_zip_write(helper, private_folder_path(folder), "password 2", path,
					 &sha256, &size, &error));
	cr_expect(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_EXIST));
	cr_assert(g_file_get_contents(path, &content, NULL, NULL));
	cr_expect_str_eq(content, "password 1\n");
}

Test(evidence_zip, a_private_folder_goes_with_its_files)
{
	g_autofree char *beside = g_build_filename(root, "out.zip", NULL);
	struct private_folder *folder = private_folder_new(beside, NULL);
	g_autofree char *path = NULL, *file = NULL;
	g_autoptr(GError) error = NULL;
	struct stat status;

	cr_assert_not_null(folder);
	path = g_strdup(private_folder_path(folder));
	file = g_build_filename(path, "x.eml", NULL);
	cr_assert(stat(path, &status) == 0);
	cr_expect_eq(status.st_mode & 07777, 0700);
	cr_assert(g_file_set_contents(file, "mail", -1, NULL));
	private_folder_free(folder);
	cr_expect(stat(path, &status) < 0 && errno == ENOENT);
	cr_expect_null(private_folder_new("/no/such/folder/x", &error));
	cr_expect(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
	private_folder_free(NULL);
}
