/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out.h - results on stdout: a table for people, JSON Lines or CSV for programs.
 *
 * One vtable, so that a command walks its results once.  A row is a list of
 * typed fields declared beforehand.  Text is made terminal-safe here and
 * nowhere else; columns are aligned by display width; times are local with
 * their zone for people (UTC with --utc), RFC 3339 UTC for programs.  CSV is
 * RFC 4180, and a cell that begins with one of = + - @ TAB CR is led by a
 * quote mark, since spreadsheets would run it.  One thread.
 */
#ifndef MAILTRACE_OUT_H
#define MAILTRACE_OUT_H

#include <glib.h>
#include <stdio.h>

enum out_format { OUT_TABLE, OUT_JSON, OUT_CSV };
enum out_type {
	OUT_TEXT,
	OUT_TIME,
	OUT_INT,
	OUT_BOOL,
	OUT_JSON_VALUE, /* text is JSON: a member as it is; only JSON has it */
};

/* A column: its JSON name, its heading ("" hides it from the table), its type. */
struct out_column {
	const char *name;
	const char *heading;
	enum out_type type;
	int max_width; /* of the table, in columns; 0: no limit */
};

/* A value: the member that the column's type says; text NULL is JSON null. */
struct out_value {
	const char *text;
	gint64 number; /* OUT_INT, OUT_BOOL, OUT_TIME in microseconds UTC (0: null) */
};

struct out;

/* Makes an output to stream.  utc: times for people in UTC.  Free with out_free(). */
struct out *out_new(FILE *stream, enum out_format format, gboolean utc);

/*
 * Begins rows of one kind.  type: the "type" member of JSON lines, or NULL.
 * columns: static, ends with a NULL name.  Tables buffer up to 1000 rows to
 * find their widths.
 */
void out_begin(struct out *out, const char *type, const struct out_column *columns);

/* Writes one row: as many values as columns, borrowed. */
void out_row(struct out *out, const struct out_value *values);

/*
 * Writes a line for people below the row written last (table only), indented and made
 * terminal-safe.
 */
void out_under(struct out *out, const char *text);

/* Ends the rows. */
void out_end(struct out *out);

/* Writes a ready JSON object as a line of its own (JSON only; else nothing). */
void out_json_line(struct out *out, const char *json, gsize length);

/* Writes a line for people (table only), made terminal-safe. */
void out_note(struct out *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Returns a time as this output writes it for people.  Free with g_free(). */
char *out_time(struct out *out, gint64 time_us);

/* Returns a time as programs read it, RFC 3339 in UTC; NULL if the calendar does not have it. */
char *out_time_rfc3339(gint64 time_us);

/* Has what was written so far reach the reader.  Returns FALSE if it cannot. */
gboolean out_flush(struct out *out);

/* Flushes and frees.  Returns FALSE if stdout could not be written (a full disk must not look like
 * success). */
gboolean out_free(struct out *out);
#endif
