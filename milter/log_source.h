/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_source.h - the lines of a log, wherever it is kept.
 *
 * What `mailtrace follow` reads: a file with its old ones (log_tail.h,
 * log_history.h), or systemd's journal (journal_tail.h).  Each line is given
 * once, across rotation and restarts; where that cannot be, a gap is told.
 * Owns what it opens; one thread.
 */
#ifndef MAILTRACE_LOG_SOURCE_H
#define MAILTRACE_LOG_SOURCE_H

#include <glib.h>

struct log_source;

enum log_source_error {
	LOG_SOURCE_ERROR_PLACE, /* no place in such a log */
};
/* Its message goes on behind the name of the file in which the place is kept. */
#define LOG_SOURCE_ERROR (log_source_error_quark())
GQuark log_source_error_quark(void);

#define LOG_SOURCE_PLACE_BYTES 1024 /* of a place as text; it has some 200 */

struct log_source_options {
	const char *log;	  /* [follow] log: path of a file, or "journal:…" */
	const char *const *users; /* of the journal: see journal_tail_new() */
	const char *decompress;	  /* path of the helper for old files */
	gboolean from_end;	  /* the first start begins behind what is there */
};

/*
 * Opens a log.  place: what log_source_place() returned, or NULL at the first
 * start.  Returns NULL with LOG_SOURCE_ERROR_PLACE if that is no place in such
 * a log, or JOURNAL_TAIL_ERROR.  Free with log_source_free().
 */
struct log_source *log_source_new(const struct log_source_options *options, const char *place,
				  GError **error);

/* Returns a descriptor that is readable when there may be more; borrowed, -1 if there is none. */
int log_source_fd(const struct log_source *source);

/*
 * Reads on, about max_lines lines.  Never waits.  Returns an array of struct
 * log_line; unref with g_ptr_array_unref().  *ret_all: whether there is no
 * more for now.
 */
GPtrArray *log_source_read(struct log_source *source, guint max_lines, gboolean *ret_all);

/*
 * Returns where it stands, behind the last line given: text of at most
 * LOG_SOURCE_PLACE_BYTES.  NULL while there is no place to come back to: no file
 * yet, or old files being read.  Free with g_free().
 */
char *log_source_place(const struct log_source *source);

/* Returns the reason of a gap, each once, or NULL: a place that was lost, or a line over
 * CAP_LOG_LINE_BYTES, which nobody read.  Free with g_free(). */
char *log_source_gap(struct log_source *source);

/* Returns the path of an old file that could not be read to its end, or NULL.  Free with g_free().
 */
char *log_source_trouble(struct log_source *source);

/* Closes.  NULL is allowed. */
void log_source_free(struct log_source *source);
#endif
