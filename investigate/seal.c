/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal FOLDER FILE - the helper that writes the files of a folder into a zip.
 *
 * Owns libzip's writing.  Each .eml and .json of the folder becomes a member of that name,
 * encrypted with AES-256 by the password, the first line of the standard input: a
 * command line is for everybody to read.  FILE is new.  Exits with 0, or with 1 and
 * a line on standard error, and then there is no file.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "evidence_zip.h"

static gboolean
read_password(char *password, int size)
{
	if (!fgets(password, size, stdin))
		return FALSE;
	password[strcspn(password, "\n")] = '\0';
	return *password != '\0';
}

static gboolean
add_file(zip_t *zip, const char *folder, const char *name, const char *password)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	zip_source_t *source = zip_source_file(zip, path, 0, -1);
	zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;

	if (index < 0) {
		zip_source_free(source);
		return FALSE;
	}
	return zip_file_set_encryption(zip, (zip_uint64_t)index, ZIP_EM_AES_256, password) == 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that the same evidence makes the same list. */
static gboolean
add_folder(zip_t *zip, const char *path, const char *password, GError **error)
{
	g_autoptr(GDir) folder = g_dir_open(path, 0, error);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	if (!folder)
		return FALSE;
	while ((name = g_dir_read_name(folder)))
		if (g_str_has_suffix(name, ".eml") || g_str_has_suffix(name, ".json"))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	for (guint i = 0; i < names->len; i++) {
		if (add_file(zip, path, names->pdata[i], password))
			continue;
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s",
			    (char *)names->pdata[i], zip_strerror(zip));
		return FALSE;
	}
	return TRUE;
}

static gboolean
seal(const char *folder, const char *path, const char *password, GError **error)
{
	int why = 0;
	zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_EXCL, &why);
	zip_error_t reason;

	if (!zip) {
		zip_error_init_with_code(&reason, why);
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", path,
			    zip_error_strerror(&reason));
		zip_error_fini(&reason);
		return FALSE;
	}
	if (add_folder(zip, folder, password, error) && zip_close(zip) == 0)
		return TRUE;
	if (error && !*error)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", path,
			    zip_strerror(zip));
	zip_discard(zip);
	return FALSE;
}

int
main(int argc, char **argv)
{
	char password[EVIDENCE_PASSWORD_MOST + 2];
	g_autoptr(GError) error = NULL;
	gboolean done;

	umask(077);
	if (argc != 3 || !read_password(password, sizeof(password))) {
		fputs("usage: seal FOLDER FILE, with the password on the standard input\n", stderr);
		return 1;
	}
	done = seal(argv[1], argv[2], password, &error);
	explicit_bzero(password, sizeof(password));
	if (!done)
		fprintf(stderr, "%s\n", error->message);
	return done ? 0 : 1;
}
