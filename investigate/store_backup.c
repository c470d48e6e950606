/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of the store, made while it is written. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "store_internal.h"

static gboolean
file_error(const char *what, const char *path, GError **error)
{
	g_set_error(error, STORE_ERROR, STORE_ERROR_WRITE, "cannot %s %s: %s", what, path,
		    g_strerror(errno));
	return FALSE;
}

static gboolean
make_part(const char *part, GError **error)
{
	int fd = open(part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) {
		close(fd);
		return TRUE;
	}
	if (errno != EEXIST)
		return file_error("make", part, error);
	g_set_error(error, STORE_ERROR, STORE_ERROR_WRITE,
		    "%s is there: a backup is running, or one was cut off; then remove it", part);
	return FALSE;
}

/*
 * Gives the copy its name, never that of a file that is there: link(2) refuses
 * where rename(2) would replace.
 */
static gboolean
name_copy(const char *part, const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int fd;
	gboolean synced;

	if (link(part, path) != 0)
		return file_error("make", path, error);
	unlink(part);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	synced = fd >= 0 && fsync(fd) == 0;
	if (!synced)
		file_error("sync", folder, error);
	if (fd >= 0)
		close(fd);
	return synced;
}

/* One transaction holds the state that is copied; see sql_copy(). */
static gboolean
copy_state(struct store *store, const char *part, store_progress_fn progress, void *data,
	   GError **error)
{
	gint64 version;
	gboolean own, done;

	if (!store_begin_question(store, &own, error))
		return FALSE;
	done = sql_number(sql_bind(store->sql, "SELECT count(*) FROM sqlite_schema", ""), 0,
			  &version, error) &&
	       sql_copy(store->sql, part, progress, data, error);
	store_end_question(store, own);
	return done;
}

gboolean
store_backup(struct store *store, const char *path, store_progress_fn progress, void *progress_data,
	     GError **error)
{
	g_autofree char *part = g_strconcat(path, ".part", NULL);

	if (g_access(path, F_OK) == 0) {
		errno = EEXIST;
		return file_error("make", path, error);
	}
	if (!make_part(part, error))
		return FALSE;
	if (copy_state(store, part, progress, progress_data, error))
		return name_copy(part, path, error);
	g_prefix_error(error, "cannot copy the store to %s: ", path);
	unlink(part);
	return FALSE;
}
