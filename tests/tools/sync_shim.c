/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sync_shim - writes down in which order a program writes its spool, syncs it
 * and answers.  Preloaded (LD_PRELOAD) by tests/it/spool_sync.py.
 *
 * SYNC_SHIM_LOG      file to which lines are appended: "write NAME", "sync
 *                    NAME", "answer HEX"; NAME is the last part of the file's
 *                    path, HEX the first five bytes
 * SYNC_SHIM_PROGRAM  the short name of the program to look at, and no other
 * SYNC_SHIM_ANSWER   the first letters of what /proc says of the descriptors
 *                    over which answers go: "pipe:" or "socket:"
 * SYNC_SHIM_NO_SYNC  syncs are left out, as a mistake would, and not noted
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Says what a descriptor is: a path, "pipe:[n]", "socket:[n]"; "" if unknown. */
static void
describe(int fd, char target[PATH_MAX])
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, target, PATH_MAX - 1);
	target[length > 0 ? length : 0] = '\0';
}

/* One write(2) a line, to a file opened for appending: lines of threads do not mix. */
static void
note(const char *what, const char *name)
{
	const char *path = getenv("SYNC_SHIM_LOG");
	char line[PATH_MAX + 16];
	int fd, length;

	if (!path)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			  0600);
	length = snprintf(line, sizeof(line), "%s %s\n", what, name);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, (size_t)length);
		syscall(SYS_close, fd);
	}
}

/* A worker in its sandbox must not be made to call the kernel by us. */
static int
is_watched(void)
{
	const char *program = getenv("SYNC_SHIM_PROGRAM");

	return program && strcmp(program, program_invocation_short_name) == 0;
}

/* Notes what happens to a file of the spool. */
static void
note_file(const char *what, int fd)
{
	char target[PATH_MAX];
	const char *name;

	describe(fd, target);
	name = strrchr(target, '/');
	if (name && strncmp(name, "/spool.db", 9) == 0)
		note(what, name + 1);
}

static void
note_answer(const unsigned char *bytes, size_t size)
{
	char hex[2 * 5 + 1] = "";

	for (size_t i = 0; i < size && i < 5; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	note("answer", hex);
}

/* Notes an answer, or a write to a file of the spool. */
static void
note_write(int fd, const void *bytes, size_t size)
{
	const char *answer = getenv("SYNC_SHIM_ANSWER");
	char target[PATH_MAX];

	if (!is_watched())
		return;
	describe(fd, target);
	if (answer && strncmp(target, answer, strlen(answer)) == 0)
		note_answer(bytes, size);
	else
		note_file("write", fd);
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	note_write(fd, bytes, size);
	return syscall(SYS_write, fd, bytes, size);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (count > 0)
		note_write(fd, parts[0].iov_base, parts[0].iov_len);
	return syscall(SYS_writev, fd, parts, count);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	note_write(fd, bytes, size);
	return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	return pwrite64(fd, bytes, size, offset);
}

static int
sync_with(long number, int fd)
{
	int code;

	if (!is_watched())
		return (int)syscall(number, fd);
	if (getenv("SYNC_SHIM_NO_SYNC"))
		return 0;
	code = (int)syscall(number, fd);
	/* Noted when it has returned: then the bytes are on disk. */
	note_file("sync", fd);
	return code;
}

int
fsync(int fd)
{
	return sync_with(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_with(SYS_fdatasync, fd);
}
