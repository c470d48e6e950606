/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"

#define PIECE 4096
#define BYTES (1024 * 1024) /* many times what a pipe holds */

static void
on_signal(int number)
{
}

/* A reader that interrupts the writer before each piece that it takes. */
struct reader {
	int fd;
	pthread_t writer;
	GByteArray *bytes;
};

static gpointer
read_pieces(gpointer data)
{
	struct reader *reader = data;
	guint8 piece[PIECE];
	ssize_t got;

	do {
		pthread_kill(reader->writer, SIGUSR1);
		got = read(reader->fd, piece, sizeof piece);
		if (got > 0)
			g_byte_array_append(reader->bytes, piece, (guint)got);
	} while (got > 0);
	return NULL;
}

Test(descriptor, all_is_written_in_pieces_and_through_signals, .timeout = 60)
{
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
	struct reader reader = {.writer = pthread_self(), .bytes = g_byte_array_new()};
	g_autofree guint8 *bytes = g_malloc(BYTES);
	GThread *thread;
	int ends[2];

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	for (gsize i = 0; i < BYTES; i++)
		bytes[i] = (guint8)(i * 31 >> 3);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	reader.fd = ends[0];
	thread = g_thread_new("reader", read_pieces, &reader);
	cr_assert(descriptor_write(ends[1], bytes, BYTES));
	close(ends[1]);
	g_thread_join(thread);
	close(ends[0]);
	cr_assert_eq(reader.bytes->len, BYTES);
	cr_assert_eq(memcmp(reader.bytes->data, bytes, BYTES), 0);
	g_byte_array_unref(reader.bytes);
}

Test(descriptor, a_device_without_room_is_told)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert(descriptor_write(fd, "", 0));
	cr_assert_not(descriptor_write(fd, "x", 1));
	cr_assert_eq(errno, ENOSPC);
	close(fd);
}

/* Returns how much is read of so many bytes in a pipe, with that cap. */
static gsize
read_of(gsize count, gsize max_bytes)
{
	g_autofree char *bytes = g_strnfill(count, 'x');
	g_autoptr(GString) text = NULL;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert(descriptor_write(ends[1], bytes, count));
	close(ends[1]);
	text = descriptor_read(ends[0], max_bytes);
	close(ends[0]);
	cr_assert_not_null(text);
	return text->len;
}

Test(descriptor, all_is_read_and_of_too_much_one_byte_more)
{
	cr_expect_eq(read_of(0, 30000), 0);
	cr_expect_eq(read_of(29999, 30000), 29999);
	cr_expect_eq(read_of(30000, 30000), 30000);
	cr_expect_eq(read_of(30001, 30000), 30001);
	cr_expect_eq(read_of(60000, 30000), 30001);
}

Test(descriptor, what_cannot_be_read_is_told)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_null(descriptor_read(fd, 10));
	cr_assert_eq(errno, EISDIR);
	close(fd);
}
