/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line_reader.h - lines from a program or a person that may be hostile.
 *
 * Reads lines of a bounded length from a file descriptor, which stays its
 * caller's.  What a line says is not its business.  One thread at a time.
 */
#ifndef MAILTRACE_LINE_READER_H
#define MAILTRACE_LINE_READER_H

#include <glib.h>

enum line_result {
	LINE_WHOLE,
	LINE_CUT, /* longer than allowed: its first bytes; the others are passed over */
	LINE_END,
	LINE_TIMEOUT,
	LINE_ERROR, /* errno says which */
};

struct line_reader;

/* Reads lines of at most max_bytes, without their line break.  Free with line_reader_free(). */
struct line_reader *line_reader_new(int fd, gsize max_bytes);

/* Frees a reader; its descriptor stays open.  NULL is allowed. */
void line_reader_free(struct line_reader *reader);

/*
 * Reads the next line; the last one needs no line break.  deadline_us: monotonic
 * time, 0 for none.  *ret_line: *ret_length bytes and a NUL, may hold NULs,
 * borrowed until the next call; set with LINE_WHOLE and LINE_CUT alone.
 */
enum line_result line_reader_next(struct line_reader *reader, gint64 deadline_us,
				  const char **ret_line, gsize *ret_length);

/*
 * Goes on as bytes after a line: takes some of what follows.  LINE_WHOLE with
 * *ret_length bytes, at least one, borrowed until the next call; else as above.
 */
enum line_result line_reader_bytes(struct line_reader *reader, gint64 deadline_us,
				   const char **ret_bytes, gsize *ret_length);

typedef struct line_reader line_reader_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(line_reader_t, line_reader_free)
#endif
