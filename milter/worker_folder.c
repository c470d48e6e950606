/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "worker_folder.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#define FOLDER_PREFIX "mailtrace-" /* then the scanner's pid, and what makes it the only one */
#define FOLDER_DESCRIPTORS 16	   /* at once, to remove a folder */

char *
worker_folder_make(const char *directory)
{
	g_autofree char *path =
		g_strdup_printf("%s/" FOLDER_PREFIX "%d-XXXXXX", directory, (int)getpid());

	return g_mkdtemp_full(path, 0700) ? g_steal_pointer(&path) : NULL;
}

static int
remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	return remove(path);
}

void
worker_folder_remove(char *folder)
{
	if (folder)
		nftw(folder, remove_entry, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	g_free(folder);
}

/* Whether a folder is of a scanner of our user that was killed. */
static gboolean
is_left_behind(const char *path, const char *name)
{
	struct stat info;
	guint64 pid;
	g_autofree char *digits = g_strndup(name + strlen(FOLDER_PREFIX),
					    strspn(name + strlen(FOLDER_PREFIX), "0123456789"));

	return g_ascii_string_to_unsigned(digits, 10, 1, G_MAXINT, &pid, NULL) &&
	       lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
	       kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void
worker_folder_remove_left(const char *directory)
{
	g_autoptr(GDir) entries = *directory ? g_dir_open(directory, 0, NULL) : NULL;
	const char *name;

	while (entries && (name = g_dir_read_name(entries))) {
		char *path = g_build_filename(directory, name, NULL);

		if (g_str_has_prefix(name, FOLDER_PREFIX) && is_left_behind(path, name))
			worker_folder_remove(path);
		else
			g_free(path);
	}
}
