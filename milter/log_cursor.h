/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_cursor.h - a line of syslog, taken apart from the left.
 *
 * What the readers of the MTAs' logs share (postfix_log.h, sendmail_log.h): the
 * head of a line, and words, numbers and addresses, each taken only where it
 * stands.  Nothing is searched for in a line, since it repeats what clients and
 * next hops said.  A function that takes nothing leaves the cursor where it is.
 * Pure; any thread.
 */
#ifndef MAILTRACE_LOG_CURSOR_H
#define MAILTRACE_LOG_CURSOR_H

#include <glib.h>

/* What is left of a line: UTF-8, NUL-terminated. */
struct log_cursor {
	const char *at;
};

/*
 * Takes a stamp and the blank behind it: of RFC 3164 4.1.2 ("Nov 23 13:08:31 ")
 * or RFC 3339.  One without a year is of the latest year that is not more than
 * a day after now_us, UTC; one without a zone is of zone.  *ret_us: UTC.
 */
gboolean log_cursor_stamp(struct log_cursor *cursor, gint64 now_us, GTimeZone *zone,
			  gint64 *ret_us);

/* Takes a host's name and the blank behind it.  NULL if there is none; else for g_free(). */
char *log_cursor_host(struct log_cursor *cursor);

/* Takes this text. */
gboolean log_cursor_take(struct log_cursor *cursor, const char *literal);

/*
 * Takes what stands before the first stop, at least one byte and at most max,
 * and the stop itself.  NULL if there is no such; else for g_free().
 */
char *log_cursor_word(struct log_cursor *cursor, const char *stop, gsize max);

/* Takes a number; one over 2^31 - 1 is that. */
gboolean log_cursor_number(struct log_cursor *cursor, guint *ret_number);

/*
 * Takes "<address>", at most CAP_ADDRESS_BYTES between the brackets, perhaps
 * none; a local part with other marks than a dot-atom's must be quoted (RFC 5321
 * 4.1.2).  Returns it without the brackets, for g_free(); NULL if it is none.
 */
char *log_cursor_address(struct log_cursor *cursor);

/* Takes an enhanced status code (RFC 3463 2).  NULL if it is none; else for g_free(). */
char *log_cursor_dsn(struct log_cursor *cursor);

/* Returns length bytes of text, cut at CAP_DELIVERY_TEXT_BYTES.  Free with g_free(). */
char *log_text_capped(const char *text, gsize length);

/*
 * Returns the id of what a line says: made of the line and its place, so that one
 * that is read twice, be it from the renamed file, has it again.  part: which of
 * several things that it says, from 0.  Free with g_free().
 */
char *log_line_id(const char *line, gsize length, guint64 offset, guint part);
#endif
