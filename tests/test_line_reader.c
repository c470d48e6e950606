/* SPDX-License-Identifier: BSD-2-Clause */
#include "line_reader.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define MOST 8

/* Returns the reading end of a pipe that holds some bytes; *ret_writer may be NULL. */
static int
pipe_with(const char *bytes, gsize length, int *ret_writer)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], bytes, length), (ssize_t)length);
	if (ret_writer)
		*ret_writer = ends[1];
	else
		close(ends[1]);
	return ends[0];
}

static void
expect(struct line_reader *reader, enum line_result wanted, const char *text, gsize wanted_length)
{
	const char *line = NULL;
	gsize length = 0;

	cr_assert_eq(line_reader_next(reader, 0, &line, &length), wanted);
	cr_assert_eq(length, wanted_length);
	cr_assert(!text || memcmp(line, text, length) == 0, "%s", line);
}

Test(line_reader, lines_at_the_limit_are_whole_and_longer_ones_cut)
{
	static const char bytes[] = "1234567\n12345678\n123456789\n\nx\0y\nlast";
	int fd = pipe_with(bytes, sizeof(bytes) - 1, NULL);
	g_autoptr(line_reader_t) reader = line_reader_new(fd, MOST);

	expect(reader, LINE_WHOLE, "1234567", 7);
	expect(reader, LINE_WHOLE, "12345678", 8);
	expect(reader, LINE_CUT, "12345678", 8);
	expect(reader, LINE_WHOLE, "", 0);
	expect(reader, LINE_WHOLE, "x\0y", 3);
	expect(reader, LINE_WHOLE, "last", 4);
	expect(reader, LINE_END, NULL, 0);
	close(fd);
}

Test(line_reader, an_endless_line_takes_no_memory_and_its_successor_is_read)
{
	int writer, fd = pipe_with("", 0, &writer);
	g_autoptr(line_reader_t) reader = line_reader_new(fd, MOST);
	pid_t child = fork();
	char block[4096];

	if (child == 0) {
		memset(block, 'a', sizeof(block));
		for (guint i = 0; i < 1000; i++)
			if (write(writer, block, sizeof(block)) != sizeof(block))
				_exit(1);
		_exit(write(writer, "\nnext\n", 6) == 6 ? 0 : 1);
	}
	close(writer);
	expect(reader, LINE_CUT, "aaaaaaaa", 8);
	expect(reader, LINE_WHOLE, "next", 4);
	expect(reader, LINE_END, NULL, 0);
	close(fd);
}

Test(line_reader, a_deadline_ends_the_waiting_and_keeps_what_came)
{
	int writer, fd = pipe_with("ha", 2, &writer);
	g_autoptr(line_reader_t) reader = line_reader_new(fd, MOST);
	const char *line;
	gsize length;

	cr_assert_eq(line_reader_next(reader, g_get_monotonic_time() + 20000, &line, &length),
		     LINE_TIMEOUT);
	cr_assert_eq(write(writer, "lf\n", 3), 3);
	expect(reader, LINE_WHOLE, "half", 4);
	close(writer);
	close(fd);
}

Test(line_reader, the_rest_goes_on_as_bytes)
{
	int fd = pipe_with("head\nbody\nmore", 14, NULL);
	g_autoptr(line_reader_t) reader = line_reader_new(fd, MOST);
	const char *bytes;
	gsize length;

	expect(reader, LINE_WHOLE, "head", 4);
	cr_assert_eq(line_reader_bytes(reader, 0, &bytes, &length), LINE_WHOLE);
	cr_assert_eq(length, 9);
	cr_assert_eq(memcmp(bytes, "body\nmore", 9), 0);
	cr_assert_eq(line_reader_bytes(reader, 0, &bytes, &length), LINE_END);
	close(fd);
}
