/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anchor_file.h - the anchors of the collector's journal (anchor.h), as a sensor
 * keeps them.
 *
 * A file "journal-anchors" in the spool's directory, a line each: when it came,
 * by our clock (RFC 3339), and the anchor.  After ANCHOR_FILE_LINES lines it
 * becomes "journal-anchors.1", in the place of the one before, so that at least
 * so many are kept.  For `mailtrace actions --verify --anchor`.
 *
 * The spool's lock keeps a second process out.  One thread.
 */
#ifndef MAILTRACE_ANCHOR_FILE_H
#define MAILTRACE_ANCHOR_FILE_H

#include <glib.h>

#include "anchor.h"

#define ANCHOR_FILE_NAME "journal-anchors"
#define ANCHOR_FILE_LINES 44640 /* a month, at one a minute: 12 MB */

struct anchor_file;

/* What an anchor says beside the one before it. */
enum anchor_news {
	ANCHOR_FIRST,	/* none is kept yet */
	ANCHOR_ONWARD,	/* the journal has grown */
	ANCHOR_SAME,	/* kept already */
	ANCHOR_BACK,	/* of the same chain, and it was longer or another: it was tampered with,
			   or the store was put back from a copy */
	ANCHOR_ANOTHER, /* another chain */
};

/*
 * Opens the file of a directory, or begins it.  lines: ANCHOR_FILE_LINES, fewer in
 * tests.  NULL with a G_FILE_ERROR.
 */
struct anchor_file *anchor_file_open(const char *directory, guint lines, GError **error);

/*
 * Keeps what the collector sent at time_us, on disk when this returns TRUE;
 * whatever it says, but ANCHOR_SAME.  FALSE with a G_FILE_ERROR, or
 * G_FILE_ERROR_INVAL if it is no anchor.
 */
gboolean anchor_file_keep(struct anchor_file *file, const void *bytes, gsize length, gint64 time_us,
			  enum anchor_news *ret_news, GError **error);

/* Returns the last one's word, borrowed; "" if there is none. */
const char *anchor_file_last(const struct anchor_file *file);

/* Closes it.  NULL is allowed. */
void anchor_file_free(struct anchor_file *file);

typedef struct anchor_file anchor_file_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(anchor_file_t, anchor_file_free)
#endif
