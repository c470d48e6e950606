/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decompress - makes the file on its standard input plain on its standard
 * output, inside the sandbox.
 *
 * The helper by which the command line reads compressed mailboxes.  The file
 * is mapped before the sandbox is entered; inside, only the output is left.  A
 * file that shrinks meanwhile ends the helper, and with it this one reading.
 * Exit status 0 when all was written, 1 when the input is damaged, 2 when the
 * sandbox could not be entered.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive_stream.h"
#include "descriptor.h"
#include "sandbox.h"

#define EXIT_DAMAGED 1
#define EXIT_UNSAFE 2

static gboolean
write_output(const void *bytes, gsize length, void *data)
{
	const int *fd = data;

	return descriptor_write(*fd, bytes, length);
}

/* Maps the standard input.  Returns NULL if it is no file, or empty. */
static const void *
map_input(gsize *ret_length)
{
	struct stat info;
	void *bytes;

	if (fstat(STDIN_FILENO, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
		return NULL;
	bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
	if (bytes == MAP_FAILED)
		return NULL;
	*ret_length = (gsize)info.st_size;
	return bytes;
}

int
main(void)
{
	struct sandbox_walls walls;
	g_autoptr(GError) error = NULL;
	gboolean good;
	gsize length;
	const void *bytes = map_input(&length);
	int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (!bytes || output < 0) {
		fputs("decompress: the standard input is no file with content\n", stderr);
		return EXIT_DAMAGED;
	}
	if (!sandbox_enter(output, -1, &walls, &error)) {
		fprintf(stderr, "decompress: %s\n", error->message);
		return EXIT_UNSAFE;
	}
	good = archive_stream_read(bytes, length, write_output, &output, &error);
	/*
	 * The bare system call: nothing is left to flush, and what exit(3), or
	 * _exit(2) of a sanitizer, runs before needs more than the sandbox has.
	 */
	return (int)syscall(SYS_exit_group, good ? EXIT_SUCCESS : EXIT_DAMAGED);
}
