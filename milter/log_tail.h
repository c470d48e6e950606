/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_tail.h - the lines of a log file, each once, across rotation and restarts.
 *
 * Owns the open file and knows where it stands; knows nothing of what lines
 * say.  A place is known by file, offset and a digest of the bytes before it,
 * so that a file that was cut and has grown again is not taken for the old
 * one.  Three kinds of rotation are followed:
 *
 * - renamed: the old file is read to its end, and until the new one has
 *   something in it, since the writer goes on with the old one for a while;
 * - copied and truncated: the rest is read from the copy, found by its digest;
 * - truncated: reading begins again at the file's beginning.
 *
 * Old files are looked for beside the log, under its name with a suffix of
 * digits, dots and dashes ("mail.log.1", "mail.log-20261123"); compressed ones
 * are not read but at the first start (log_history.h), so that a follower that
 * was down for longer, or could not go on while the log was rotated twice, has a gap,
 * which is counted.  One thread.
 */
#ifndef MAILTRACE_LOG_TAIL_H
#define MAILTRACE_LOG_TAIL_H

#include <glib.h>

#include "digest.h"
#include "log_line.h"

struct log_tail;

#define LOG_BEFORE_BYTES 256 /* what a place is known by: a line or two, stamps included */

/* A place: all before it was read. */
struct log_position {
	guint64 device, inode;
	guint64 offset;
	guint before_length; /* of the bytes that the digest is of; at most LOG_BEFORE_BYTES */
	guint8 digest[SHA256_BYTES];
};

/*
 * Makes a follower.  path: of the log, which need not exist yet.  position:
 * where it stood, or NULL at the first start; then from_end begins behind what
 * is there.  Free with log_tail_free().
 */
struct log_tail *log_tail_new(const char *path, const struct log_position *position,
			      gboolean from_end);

/* Returns a descriptor that is readable when there may be more; borrowed, -1 if there is none. */
int log_tail_fd(const struct log_tail *tail);

/*
 * Reads about max_lines complete lines, of at most CAP_LOG_LINE_BYTES each;
 * longer ones are passed over and counted.  Never blocks.  Returns an array of
 * struct log_line, empty when there is no more for now; unref with
 * g_ptr_array_unref().
 */
GPtrArray *log_tail_read(struct log_tail *tail, guint max_lines);

/* Tells where it stands: behind the last line returned. */
void log_tail_position(const struct log_tail *tail, struct log_position *ret_position);

/* Returns how often it had to go on without having found the rest of what was there. */
guint64 log_tail_gaps(const struct log_tail *tail);

/* Returns how many lines over the cap were passed over. */
guint64 log_tail_oversized(const struct log_tail *tail);

/* Returns the file's text form for log_position_parse(), three lines or so.  Free with g_free(). */
char *log_position_format(const struct log_position *position);

/* Reads what log_position_format() wrote.  FALSE if it is anything else. */
gboolean log_position_parse(const char *text, struct log_position *ret_position);

/* Closes.  NULL is allowed. */
void log_tail_free(struct log_tail *tail);
#endif
