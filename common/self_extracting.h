/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * self_extracting.h - where the archive of a program is that unpacks it.
 *
 * libarchive finds zip, cab and lha behind any program, a 7z only behind one as large as
 * 7-Zip's own, and a rar only at some places in 64 KiB behind the first; there are others.
 * Hostile bytes.  Pure; any thread.
 */
#ifndef MAILTRACE_SELF_EXTRACTING_H
#define MAILTRACE_SELF_EXTRACTING_H

#include <glib.h>

/*
 * Returns whether a 7z (7zFormat.txt) begins there, of left bytes to the content's end: its
 * signature, with a header at its end that lies within.  *ret_length: of all of it.
 */
gboolean self_extracting_begins_7z(const guint8 *at, gsize left, gsize *ret_length);

/*
 * Likewise a rar of version 4 or 5: its signature, with a first header whose length and type are
 * such a one's.
 */
gboolean self_extracting_begins_rar(const guint8 *at, gsize left);

/* Returns where a 7z begins in a program of length bytes, or NULL.  Borrowed from bytes. */
const guint8 *self_extracting_7z(const void *bytes, gsize length);

/* As far as unrar looks for a rar (MAXSFXSIZE of version 7). */
#define RAR_PROGRAM_BYTES (4 * 1024 * 1024)

/* Likewise a rar, where unrar looks for it. */
const guint8 *self_extracting_rar(const void *bytes, gsize length);
#endif
