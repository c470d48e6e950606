/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_history.h - the old files of a log, at a follower's first start.
 *
 * Finds what rotation left beside a log ("mail.log.1", "mail.log.2.gz",
 * "mail.log-20261123.xz"), and gives their lines, the oldest file's first.  A
 * compressed file is read by the sandboxed helper (decompress), through a pipe; one
 * that becomes more than LOG_EXPANSION times as large, or is damaged, is given as far
 * as it went and told.  A line has the offset that it has in the plain file, so
 * that it has the same event id, compressed or not.  One thread.
 */
#ifndef MAILTRACE_LOG_HISTORY_H
#define MAILTRACE_LOG_HISTORY_H

#include <glib.h>

#include "log_tail.h"

#define LOG_EXPANSION 1000 /* zlib's limit; a log is far below it */

struct log_history;

/*
 * Lists the old files of a log.  path: the log, which is not among them, nor is the file
 * of this device and inode, which may be it by now under another name.  decompress: the
 * helper's path.  Free with log_history_free().
 */
struct log_history *log_history_new(const char *path, guint64 device, guint64 inode,
				    const char *decompress);

/* Returns a descriptor that is readable when there may be more; borrowed, -1 if there is none. */
int log_history_fd(const struct log_history *history);

/*
 * Reads about max_lines complete lines.  Returns an array of struct log_line, empty while
 * the helper has none yet; unref with g_ptr_array_unref().  NULL when all is read.
 */
GPtrArray *log_history_read(struct log_history *history, guint max_lines);

/*
 * Returns the path of the file that could not be read to its end since the last call, or
 * NULL.  Free with g_free().
 */
char *log_history_trouble(struct log_history *history);

/* Returns how many lines over CAP_LOG_LINE_BYTES were passed over. */
guint64 log_history_oversized(const struct log_history *history);

/* Ends the helper, and frees.  NULL is allowed. */
void log_history_free(struct log_history *history);
#endif
