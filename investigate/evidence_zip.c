/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* renameat2() needs _GNU_SOURCE */

#include "evidence_zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "subprocess.h"

#define RANDOM_BYTES 18 /* 24 characters, without padding */
#define SEAL_HOURS 1
#define PIECE_BYTES 65536
#define ZIP_NAME "evidence.zip" /* while it is made */

static gboolean
fail(GError **error, const char *what, const char *path)
{
	int number = errno;

	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "%s: %s: %s", path, what,
		    g_strerror(number));
	return FALSE;
}

/* ---- the password ---- */

void
evidence_password_free(char *password)
{
	if (password)
		explicit_bzero(password, strlen(password));
	g_free(password);
}

static gboolean
is_usable(const char *password, const char *path, GError **error)
{
	gsize length = strlen(password);

	if (length >= EVIDENCE_PASSWORD_LEAST && length <= EVIDENCE_PASSWORD_MOST &&
	    g_utf8_validate(password, (gssize)length, NULL))
		return TRUE;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "%s: the first line is the password, UTF-8 of %d to %d bytes", path,
		    EVIDENCE_PASSWORD_LEAST, EVIDENCE_PASSWORD_MOST);
	return FALSE;
}

char *
evidence_password_read(const char *path, GError **error)
{
	char line[EVIDENCE_PASSWORD_MOST + 3] = "";
	FILE *file = fopen(path, "re");
	char *password = NULL;

	if (!file) {
		fail(error, "cannot be read", path);
		return NULL;
	}
	if (!fgets(line, sizeof(line), file))
		*line = '\0';
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	if (is_usable(line, path, error))
		password = g_strdup(line);
	explicit_bzero(line, sizeof(line));
	return password;
}

char *
evidence_password_new(GError **error)
{
	guint8 bytes[RANDOM_BYTES];
	char *password;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		fail(error, "no random bytes", "password");
		return NULL;
	}
	password = g_base64_encode(bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	return password;
}

/* ---- files ---- */

static gboolean
digest_fd(int fd, struct digester *digester, guint64 *ret_size)
{
	guint8 piece[PIECE_BYTES];
	guint64 size = 0;
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return FALSE;
		digester_add(digester, piece, (gsize)got);
		size += (guint64)got;
	}
	*ret_size = size;
	return TRUE;
}

static int
open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	if (fd >= 0) {
		close(fd);
		errno = EINVAL;
	}
	return -1;
}

gboolean
evidence_file_digest(const char *path, char **ret_sha256, guint64 *ret_size, GError **error)
{
	g_autoptr(digester_t) digester = digester_new();
	int fd = open_regular(path);
	struct digests digests;
	guint64 size = 0;
	gboolean done;

	if (fd < 0)
		return fail(error, "cannot be read", path);
	done = digest_fd(fd, digester, &size) || fail(error, "cannot be read", path);
	close(fd);
	if (!done)
		return FALSE;
	digester_finish(digester, &digests);
	*ret_sha256 = hex_encode(digests.sha256, sizeof(digests.sha256));
	*ret_size = size;
	return TRUE;
}

/* ---- the zip ---- */

/* Neither replaces a file; there are file systems that know only one of the two. */
static gboolean
move_to_new(const char *from, const char *path)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return TRUE;
	return (errno == EINVAL || errno == ENOSYS) && link(from, path) == 0;
}

static gboolean
flush(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	gboolean done = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* The folder is beside the path, so that the file comes there whole or not at all. */
static gboolean
give_away(const char *from, const char *path, char **ret_sha256, guint64 *ret_size, GError **error)
{
	g_autofree char *sha256 = NULL;
	guint64 size = 0;

	if (!evidence_file_digest(from, &sha256, &size, error))
		return FALSE;
	if (!flush(from) || !move_to_new(from, path))
		return fail(error, "cannot be written", path);
	*ret_sha256 = g_steal_pointer(&sha256);
	*ret_size = size;
	return TRUE;
}

gboolean
evidence_zip_write(const char *helper, const char *folder, const char *password, const char *path,
		   char **ret_sha256, guint64 *ret_size, GError **error)
{
	g_autofree char *zip = g_build_filename(folder, ZIP_NAME, NULL);
	const char *const argv[] = {helper, folder, zip, NULL};
	char *input = g_strconcat(password, "\n", NULL);
	gint64 deadline_us = g_get_monotonic_time() + SEAL_HOURS * G_TIME_SPAN_HOUR;
	gboolean sealed = subprocess_run(argv, NULL, input, deadline_us, error);

	evidence_password_free(input);
	return sealed && give_away(zip, path, ret_sha256, ret_size, error);
}
