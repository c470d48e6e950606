/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "worker_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#define FOLDER_PREFIX "mailtrace-" /* then the scanner's pid, and what makes it the only one */

char *
worker_folder_make(const char *directory)
{
	g_autofree char *path =
		g_strdup_printf("%s/" FOLDER_PREFIX "%d-XXXXXX", directory, (int)getpid());

	return g_mkdtemp_full(path, 0700) ? g_steal_pointer(&path) : NULL;
}

/* ---- removing ---- */

struct removal {
	int top_fd; /* the folder */
	dev_t device;
	guint32 mark; /* which names of what is moved have, unknown to who made the others */
	guint moved;
};

static const char *
next_name(DIR *directory)
{
	struct dirent *entry;

	do
		entry = readdir(directory);
	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry ? entry->d_name : NULL;
}

/* Removes all but a directory that has something in it. */
static gboolean
remove_name(int directory_fd, const char *name)
{
	return unlinkat(directory_fd, name, 0) == 0 ||
	       unlinkat(directory_fd, name, AT_REMOVEDIR) == 0;
}

/* Whether this is a directory of the same file system, which we may enter and move from now on. */
static gboolean
unlock_directory(const struct removal *removal, int parent_fd, const char *name)
{
	struct stat info;

	if (fstatat(parent_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode) ||
	    info.st_dev != removal->device)
		return FALSE;
	return (info.st_mode & S_IRWXU) == S_IRWXU ||
	       fchmodat(parent_fd, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0;
}

static DIR *
open_directory(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

	if (!directory && fd >= 0)
		close(fd);
	return directory;
}

static gboolean
move_to_top(struct removal *removal, int parent_fd, const char *name)
{
	char moved[32];

	g_snprintf(moved, sizeof(moved), "%08x-%u", removal->mark, removal->moved++);
	return unlock_directory(removal, parent_fd, name) &&
	       renameat(parent_fd, name, removal->top_fd, moved) == 0;
}

/* Removes a directory of the folder; those in it that are not empty are moved beside it. */
static gboolean
remove_directory(struct removal *removal, const char *name)
{
	gboolean changed = FALSE;
	DIR *directory = unlock_directory(removal, removal->top_fd, name)
				 ? open_directory(removal->top_fd, name)
				 : NULL;
	const char *below;

	if (!directory)
		return FALSE;
	while ((below = next_name(directory)))
		changed = remove_name(dirfd(directory), below) ||
			  move_to_top(removal, dirfd(directory), below) || changed;
	closedir(directory);
	return remove_name(removal->top_fd, name) || changed;
}

/*
 * Removes what is in the folder.  Directories are nested as deep as a worker likes, beyond
 * the longest path: so there is no recursion and no path, but what is below comes up, level
 * by level.  Ends, since each round removes something or brings it nearer to the top.
 */
static void
remove_contents(DIR *top)
{
	struct removal removal = {.top_fd = dirfd(top), .mark = g_random_int()};
	gboolean changed;
	struct stat info;
	const char *name;

	if (fstat(removal.top_fd, &info) != 0)
		return;
	removal.device = info.st_dev;
	do {
		changed = FALSE;
		rewinddir(top);
		while ((name = next_name(top)))
			changed = remove_name(removal.top_fd, name) ||
				  remove_directory(&removal, name) || changed;
	} while (changed);
}

void
worker_folder_remove(char *folder)
{
	DIR *top = folder ? open_directory(AT_FDCWD, folder) : NULL;

	if (top) {
		remove_contents(top);
		closedir(top);
		rmdir(folder);
	}
	g_free(folder);
}

/* ---- what killed scanners left ---- */

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
