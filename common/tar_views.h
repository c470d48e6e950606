/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tar_views.h - where readers of a tar disagree on its files.
 *
 * A tar is a list of headers, and readers differ in which of them have a content, how long
 * that is, and where the list ends: 7-Zip and The Unarchiver extract devices and what
 * Solaris' tar keeps beside its files; GNU tar, and 7-Zip, what has a letter that they do not
 * know; BusyBox and The Unarchiver take no size from pax's records, and like 7-Zip show the
 * map of a sparse file and its pieces as they stand; GNU tar passes what is no header, and
 * with --ignore-zeros the end, too.  Finds the contents of such headers, and of all that
 * follow one behind which readers may go on elsewhere.  An honest tar has none, but for one
 * with sparse files, and costs no more than its headers.
 *
 * Hostile bytes.  Pure; any thread.
 */
#ifndef MAILTRACE_TAR_VIEWS_H
#define MAILTRACE_TAR_VIEWS_H

#include <glib.h>

/* A file as some readers see it. */
struct tar_view {
	const char *name;  /* bytes of any character set, NUL-terminated; for the call */
	const void *bytes; /* its content, length bytes, never none */
	gsize length;
};

/* Takes one; returns FALSE to end the search. */
typedef gboolean (*tar_view_function)(const struct tar_view *view, gpointer user);

/*
 * Calls found with each content, which may be one that all show, too.  bytes: length bytes.
 * Calls it at most CAP_MEMBERS times.  Returns FALSE where that or what it may cost ended the
 * search, and where bytes end in such a content, which is not shown.
 */
gboolean tar_views(const void *bytes, gsize length, tar_view_function found, gpointer user);
#endif
