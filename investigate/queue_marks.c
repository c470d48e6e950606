/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "queue_marks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "queue_id.h"

#define MARK_BYTES 256		 /* a word, a command's id, a time */
#define KEPT_S (366 * 24 * 3600) /* a hold is for weeks, its undo may come months later */
#define LOCK_STEP_US 20000
#define NEW_NAME ".new"

G_DEFINE_QUARK(mailtrace_queue_marks_error, queue_marks_error)

static const char *const words[] = {NULL, "held", "released", "deleted"};

struct queue_marks {
	int fd; /* of the directory, locked */
};

/* ---- trust ---- */

/* top: what was named itself; the directories above may be sticky. */
static gboolean
check_owner(const char *path, gboolean top, GError **error)
{
	struct stat status;

	if (lstat(path, &status) != 0) {
		g_set_error(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_FILE, "%s: %s", path,
			    g_strerror(errno));
		return FALSE;
	}
	if (status.st_uid == 0 &&
	    (!(status.st_mode & (S_IWGRP | S_IWOTH)) || (!top && (status.st_mode & S_ISVTX))))
		return TRUE;
	g_set_error(
		error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_TRUST,
		"%s can be changed by others than root; name another, or mend its owner and mode",
		path);
	return FALSE;
}

char *
queue_trusted_path(const char *path, GError **error)
{
	g_autofree char *named = g_path_is_absolute(path) ? realpath(path, NULL) : NULL;
	g_autofree char *above = g_strdup(named);

	if (!named) {
		g_set_error(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_FILE, "%s: %s", path,
			    g_path_is_absolute(path) ? g_strerror(errno) : "not an absolute path");
		return NULL;
	}
	if (!check_owner(named, TRUE, error))
		return NULL;
	while (strcmp(above, "/") != 0) {
		char *parent = g_path_get_dirname(above);

		g_free(above);
		above = parent;
		if (!check_owner(above, FALSE, error))
			return NULL;
	}
	return g_steal_pointer(&named);
}

/* ---- the directory ---- */

static gboolean
fail(GError **error, const char *what)
{
	g_set_error(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_FILE, "%s: %s", what,
		    g_strerror(errno));
	return FALSE;
}

static gboolean
lock(int fd, gint64 deadline_us, GError **error)
{
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(error, "cannot lock the directory of marks");
		if (g_get_monotonic_time() >= deadline_us) {
			g_set_error(error, QUEUE_MARKS_ERROR, QUEUE_MARKS_ERROR_BUSY,
				    "another helper is at work on this queue");
			return FALSE;
		}
		g_usleep(LOCK_STEP_US);
	}
	return TRUE;
}

/* Removes marks of messages that nobody has asked for in a year. */
static void
remove_old(int directory_fd)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	time_t oldest = time(NULL) - KEPT_S;
	const struct dirent *entry;
	struct stat status;

	while (directory && (entry = readdir(directory)))
		if (queue_id_is_valid(entry->d_name) &&
		    fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    status.st_mtime < oldest)
			unlinkat(directory_fd, entry->d_name, 0);
	if (directory)
		closedir(directory);
}

/* Makes the directory if it is missing, and only where it can be trusted. */
static char *
make_trusted(const char *directory, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(directory);
	g_autofree char *trusted_parent = queue_trusted_path(parent, error);

	if (!trusted_parent)
		return NULL;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
		fail(error, directory);
		return NULL;
	}
	return queue_trusted_path(directory, error);
}

struct queue_marks *
queue_marks_open(const char *directory, gint64 deadline_us, GError **error)
{
	g_autofree char *trusted = make_trusted(directory, error);
	struct queue_marks *marks;
	int fd;

	if (!trusted)
		return NULL;
	fd = open(trusted, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !lock(fd, deadline_us, error)) {
		if (fd >= 0)
			close(fd);
		else
			fail(error, trusted);
		return NULL;
	}
	remove_old(fd);
	marks = g_new0(struct queue_marks, 1);
	marks->fd = fd;
	return marks;
}

void
queue_marks_free(struct queue_marks *marks)
{
	if (!marks)
		return;
	close(marks->fd);
	g_free(marks);
}

/* ---- marks ---- */

/* Writes the file that becomes the mark. */
static gboolean
write_new(int directory_fd, const char *text)
{
	int fd = openat(directory_fd, NEW_NAME,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	gboolean written;

	if (fd < 0)
		return FALSE;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
	close(fd);
	return written;
}

gboolean
queue_marks_set(struct queue_marks *marks, const char *queue_id, enum queue_mark mark,
		const char *command_id, gint64 arrival_s, GError **error)
{
	g_autofree char *text =
		g_strdup_printf("%s %s %" G_GINT64_FORMAT "\n", words[mark], command_id, arrival_s);

	if (!write_new(marks->fd, text) ||
	    renameat(marks->fd, NEW_NAME, marks->fd, queue_id) != 0 || fsync(marks->fd) != 0)
		return fail(error, "cannot note what is done; nothing was done");
	return TRUE;
}

/* Reads a mark's file into bytes.  Returns FALSE if there is none. */
static gboolean
read_mark(int directory_fd, const char *queue_id, char bytes[MARK_BYTES])
{
	int fd = openat(directory_fd, queue_id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, bytes, MARK_BYTES - 1) : -1;

	if (fd >= 0)
		close(fd);
	bytes[MAX(got, 0)] = '\0';
	return got > 0;
}

enum queue_mark
queue_marks_get(struct queue_marks *marks, const char *queue_id, const struct queue_window *window,
		gint64 arrival_s, char **ret_command_id)
{
	char bytes[MARK_BYTES], word[16], command_id[40];
	long long noted_s;

	if (!read_mark(marks->fd, queue_id, bytes) ||
	    sscanf(bytes, "%15s %39s %lld", word, command_id, &noted_s) != 3 ||
	    !queue_window_holds(window, arrival_s, noted_s))
		return QUEUE_MARK_NONE;
	for (int mark = QUEUE_MARK_HELD; mark <= QUEUE_MARK_DELETED; mark++) {
		if (strcmp(word, words[mark]) != 0)
			continue;
		if (ret_command_id)
			*ret_command_id = g_strdup(command_id);
		return (enum queue_mark)mark;
	}
	return QUEUE_MARK_NONE;
}
