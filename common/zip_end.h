/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zip_end.h - where a zip ends, whatever stands before it, and what its directory tells there.
 *
 * Hostile bytes; decompresses nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_ZIP_END_H
#define MAILTRACE_ZIP_END_H

#include <glib.h>

/*
 * Returns where the zip ends, its comment included, that ends a content of length bytes, whatever
 * stands before it; 0 where none does.  Its end record is there, and the directory before that
 * (APPNOTE 4.3.16); readers go by these alone, let some bytes follow, and pass end records in
 * the comment that have no directory.
 */
gsize zip_ends(const void *bytes, gsize length);

/*
 * Likewise, where the end record itself ends; length where none does.  A reader that has no more
 * than that sees this record as the last, and no comment is too long for it to look for one.
 */
gsize zip_record_ends(const void *bytes, gsize length);

/*
 * Returns the offsets in the content of the local headers that the directory names, guint64 in
 * its order, CAP_MEMBERS at most; *ret_begin: where the zip begins from which it counts.  Empty
 * where no zip ends the content.  Free with g_array_unref().
 */
GArray *zip_offsets(const void *bytes, gsize length, gsize *ret_begin);

/*
 * Returns a copy of a zip in which no attributes call a content a link, a folder or a device, for
 * a reader that goes by them; NULL where none do, or where a member stands in another.  Free with
 * g_free().
 */
void *zip_as_files(const void *bytes, gsize length);

/* What is known of a content's end that comes in pieces, of which not all is kept; begins as 0. */
struct zip_tail {
	guint64 length;	    /* so far */
	guint64 record_end; /* where the signature of its last end record of a zip ends; or 0 */
	guint8 last[3];	    /* held of them: its last bytes */
	gsize held;
};

/* Takes a piece: length bytes. */
void zip_tail_add(struct zip_tail *tail, const void *bytes, gsize length);

/* Returns whether the last end record of a zip, with its comment, may end the content: the whole is
 * worth zip_ends(). */
gboolean zip_tail_may_end(const struct zip_tail *tail);
#endif
