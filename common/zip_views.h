/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zip_views.h - where readers of a zip disagree on its members.
 *
 * A zip says everything twice (APPNOTE 4.3): in a local header before each
 * member, and in the central directory at the end.  Unzippers that can seek show
 * the directory (Info-ZIP, Windows), those that read a stream show the local
 * headers (Java's ZipInputStream, bsdtar from a pipe), 7-Zip reads the first of
 * two zips that stand one behind the other where others read the last.  Finds
 * the members that one of them shows and another does not, or with another name,
 * size or method; and those with a content that their attributes call no file, as a link,
 * which Windows extracts (4.4.15).  An honest zip has none, and costs no more than its directory.
 *
 * Hostile bytes; decompresses nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_ZIP_VIEWS_H
#define MAILTRACE_ZIP_VIEWS_H

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
 * a reader that goes by them; NULL where none do.  Free with g_free().
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

/* A member as some readers see it. */
struct zip_view {
	const char *reading; /* "zip-local-header" or "zip-central-directory"; static */
	const void *bytes;   /* length bytes: a local header and what follows, to be read
			      * as a stream that has this member first; for the call */
	gsize length;
};

/* Takes one; returns FALSE to end the search. */
typedef gboolean (*zip_view_function)(const struct zip_view *view, gpointer user);

/*
 * Calls found with each view of a member on which readers of the zip disagree: both
 * where directory and header differ, else the one there is.  all: of the others, too, as
 * the directory has them, for one that a reader gives up.  bytes: length bytes.
 * Looks at CAP_MEMBERS entries of the directory, and calls found no more often than
 * twice as many times.  Does nothing where no directory ends the zip.
 */
void zip_views(const void *bytes, gsize length, gboolean all, zip_view_function found,
	       gpointer user);
#endif
