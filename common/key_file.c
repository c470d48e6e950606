/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"
#include "keys.h"

void
key_text_clear(key_text *text)
{
	if (text->bytes)
		explicit_bzero(text->bytes, text->length);
	g_clear_pointer(&text->bytes, g_free);
}

gboolean
key_file_errno(GError **error, int code, const char *what, const char *path, int number)
{
	g_set_error(error, KEYS_ERROR, code, "cannot %s %s: %s", what, path, g_strerror(number));
	return FALSE;
}

/* Checks the opened file: regular, not too long, and not open to those it must not be. */
static gboolean
file_check(const char *path, int fd, mode_t refused, gsize *ret_size, GError **error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return key_file_errno(error, KEYS_ERROR_READ, "read", path, errno);
	if (!S_ISREG(st.st_mode)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ, "%s: not a regular file", path);
		return FALSE;
	}
	if (st.st_mode & refused) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ,
			    "%s: mode %04o is too open; run: chmod %s %s", path,
			    (guint)st.st_mode & 07777,
			    refused == KEY_SECRET_REFUSED ? "0600" : "o-w", path);
		return FALSE;
	}
	if (st.st_size > CAP_KEYS_BYTES) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: over %d bytes, not a key file",
			    path, CAP_KEYS_BYTES);
		return FALSE;
	}
	*ret_size = (gsize)st.st_size;
	return TRUE;
}

/* Reads up to size bytes; a file that shrinks meanwhile gives what there is. */
static gboolean
read_all(int fd, const char *path, gsize size, key_text *ret_text, GError **error)
{
	g_auto(key_text) text = {g_malloc0(size + 1), size};
	gsize at = 0;

	while (at < size) {
		gssize n = TEMP_FAILURE_RETRY(read(fd, text.bytes + at, size - at));
		if (n < 0)
			return key_file_errno(error, KEYS_ERROR_READ, "read", path, errno);
		if (n == 0)
			break;
		at += (gsize)n;
	}
	if (strlen(text.bytes) != at) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: holds a NUL, not a key file",
			    path);
		return FALSE;
	}
	ret_text->length = size;
	ret_text->bytes = g_steal_pointer(&text.bytes);
	return TRUE;
}

/* O_NONBLOCK, so that a FIFO in the place of a key does not hang a daemon's start. */
gboolean
key_file_read(const char *path, mode_t refused, key_text *ret_text, GError **error)
{
	gsize size = 0;
	gboolean ok;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return key_file_errno(error, KEYS_ERROR_READ, "open", path, errno);
	ok = file_check(path, fd, refused, &size, error) &&
	     read_all(fd, path, size, ret_text, error);
	close(fd);
	return ok;
}

static gboolean
sync_directory_of(const char *path)
{
	g_autofree char *directory = g_path_get_dirname(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gboolean ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * Writes a new file that is either there whole or not at all, even after a
 * power cut: a synced temporary is linked to the name, which fails if the name
 * is taken.
 */
gboolean
key_file_create(const char *path, const char *text, mode_t mode, GError **error)
{
	g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
	int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
	gboolean ok;
	int number;

	if (fd < 0)
		return key_file_errno(error, KEYS_ERROR_READ, "create", path, errno);
	ok = fchmod(fd, mode) == 0 && descriptor_write(fd, text, strlen(text)) && fsync(fd) == 0;
	ok = ok && link(temporary, path) == 0;
	number = errno;
	close(fd);
	unlink(temporary);
	if (!ok && number == EEXIST) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_EXISTS,
			    "%s exists already; remove it first to make a new key", path);
		return FALSE;
	}
	if (!ok)
		return key_file_errno(error, KEYS_ERROR_READ, "write", path, number);
	if (!sync_directory_of(path))
		return key_file_errno(error, KEYS_ERROR_READ, "sync the directory of", path, errno);
	return TRUE;
}

char *
key_file_next_line(char **cursor, guint *number)
{
	while (*cursor && **cursor) {
		char *line = *cursor;
		char *end = strchr(line, '\n');

		(*number)++;
		if (end)
			*end = '\0';
		*cursor = end ? end + 1 : NULL;
		g_strstrip(line);
		if (*line && *line != '#')
			return line;
	}
	return NULL;
}

gboolean
key_file_wrong_line(GError **error, const char *path, guint number, const char *why)
{
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s:%u: %s", path, number, why);
	return FALSE;
}
