/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - what the programs say to the administrator.
 *
 * One call, key=value, to syslog (facility mail), to the journal or to stderr.
 * Values are untrusted and escaped here and nowhere else (text_for_log()).
 * The same event of the same call is written at most LOG_BURST times in
 * LOG_WINDOW_MS; then one line says how many were held back.  Lines of
 * LOG_LEVEL_INFO are not limited: they are the account of each message, as
 * many as there is mail, and one that is missing could not be looked up.
 * Libraries do not log; programs do, once, at the top.  Any thread.
 */
#ifndef MAILTRACE_LOG_H
#define MAILTRACE_LOG_H

#include <glib.h>

#define LOG_BURST 20
#define LOG_WINDOW_MS 10000

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/*
 * Chooses where lines go.  program: static string, the name lines begin with.
 * Under systemd (JOURNAL_STREAM set) stderr is written with <N> priorities.
 */
void log_open(const char *program, enum log_target target);

/*
 * Writes "event key=value key=value…".  event: a static string, lower case
 * with dashes, by which lines are counted and limited.  Then pairs of const
 * char *key, const char *value (NULL values are left out), ended by NULL.
 */
void log_event(enum log_level level, const char *event, ...) G_GNUC_NULL_TERMINATED;

/* Tells what is still held back; at the end of a program. */
void log_flush(void);

/*
 * How often one event was written: the limiter behind log_event(), which keeps
 * one for each event.  Zeroed when new.
 */
struct log_limit {
	gint64 since_us; /* begin of the window */
	guint written;	 /* lines in it */
	guint64 held;	 /* lines held back in it */
};

/*
 * Asks to write one line at now_us (monotonic).  Returns FALSE if it is to be
 * held back.  *ret_held: lines held back in the window that has just ended,
 * to be told before this line; else 0.
 */
gboolean log_limit_take(struct log_limit *limit, gint64 now_us, guint64 *ret_held);
#endif
