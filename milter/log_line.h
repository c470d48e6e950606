/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_line.h - one line of a log, with its place, whatever the log is kept in.
 */
#ifndef MAILTRACE_LOG_LINE_H
#define MAILTRACE_LOG_LINE_H

#include <glib.h>

/* A line without its line break. */
struct log_line {
	guint64 offset; /* in its file; in the journal, what tells equal lines apart */
	gsize length;
	char *bytes;	  /* any; NUL behind them */
	gint64 before_us; /* it was written before, UTC; 0: nobody knows but that it is there */
};

/* Copies length bytes.  Free with log_line_free(). */
struct log_line *log_line_new(const char *bytes, gsize length, guint64 offset);

/* Frees; a GDestroyNotify. */
void log_line_free(void *line);
#endif
