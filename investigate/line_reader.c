/* SPDX-License-Identifier: BSD-2-Clause */
#include "line_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

struct line_reader {
	int fd;
	gsize max_bytes;
	GString *line; /* as far as it was read; the one last handed out until the next call */
	gboolean handed_out;
	gboolean cut;
	char chunk[CHUNK_BYTES];
	gsize at, length; /* what of the chunk is not yet taken */
};

struct line_reader *
line_reader_new(int fd, gsize max_bytes)
{
	struct line_reader *reader = g_new0(struct line_reader, 1);

	reader->fd = fd;
	reader->max_bytes = max_bytes;
	reader->line = g_string_new(NULL);
	return reader;
}

void
line_reader_free(struct line_reader *reader)
{
	if (!reader)
		return;
	g_string_free(reader->line, TRUE);
	g_free(reader);
}

/* Waits until something can be read, or the deadline; rounds up, so as not to spin. */
static enum line_result
await(const struct line_reader *reader, gint64 deadline_us)
{
	struct pollfd ready = {.fd = reader->fd, .events = POLLIN};

	for (;;) {
		gint64 left_us = deadline_us - g_get_monotonic_time();
		int wait_ms = deadline_us ? (int)MIN(left_us / 1000 + 1, G_MAXINT) : -1;
		int got;

		if (deadline_us && left_us <= 0)
			return LINE_TIMEOUT;
		got = poll(&ready, 1, wait_ms);
		if (got > 0)
			return LINE_WHOLE;
		if (got < 0 && errno != EINTR)
			return LINE_ERROR;
	}
}

/* Reads the next chunk. */
static enum line_result
fill(struct line_reader *reader, gint64 deadline_us)
{
	enum line_result result = await(reader, deadline_us);
	ssize_t got;

	if (result != LINE_WHOLE)
		return result;
	do
		got = read(reader->fd, reader->chunk, sizeof(reader->chunk));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return LINE_ERROR;
	reader->at = 0;
	reader->length = (gsize)got;
	return got == 0 ? LINE_END : LINE_WHOLE;
}

/* Moves what belongs to the line out of the chunk.  Returns whether the line has ended. */
static gboolean
take(struct line_reader *reader)
{
	const char *from = reader->chunk + reader->at;
	const char *newline = memchr(from, '\n', reader->length);
	gsize length = newline ? (gsize)(newline - from) : reader->length;
	gsize room = reader->max_bytes - reader->line->len;

	g_string_append_len(reader->line, from, (gssize)MIN(length, room));
	reader->cut = reader->cut || length > room;
	length += newline != NULL;
	reader->at += length;
	reader->length -= length;
	return newline != NULL;
}

enum line_result
line_reader_next(struct line_reader *reader, gint64 deadline_us, const char **ret_line,
		 gsize *ret_length)
{
	if (reader->handed_out) {
		g_string_truncate(reader->line, 0);
		reader->handed_out = reader->cut = FALSE;
	}
	while (!take(reader)) {
		enum line_result result = fill(reader, deadline_us);

		if (result == LINE_END && (reader->line->len > 0 || reader->cut))
			break;
		if (result != LINE_WHOLE)
			return result;
	}
	reader->handed_out = TRUE;
	*ret_line = reader->line->str;
	*ret_length = reader->line->len;
	return reader->cut ? LINE_CUT : LINE_WHOLE;
}

enum line_result
line_reader_bytes(struct line_reader *reader, gint64 deadline_us, const char **ret_bytes,
		  gsize *ret_length)
{
	enum line_result result = reader->length > 0 ? LINE_WHOLE : fill(reader, deadline_us);

	if (result != LINE_WHOLE)
		return result;
	*ret_bytes = reader->chunk + reader->at;
	*ret_length = reader->length;
	reader->length = 0;
	return LINE_WHOLE;
}
