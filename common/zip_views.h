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
 * size or method; those whose name in UTF-8 in a field (4.6.9), which not all know, is another than
 * their own; and those with a content that their attributes or their name call no file, as a link,
 * which Windows extracts (4.4.15).  An honest zip has at most the second, and costs else no more
 * than its directory.
 *
 * Hostile bytes; decompresses nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_ZIP_VIEWS_H
#define MAILTRACE_ZIP_VIEWS_H

#include <glib.h>

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
