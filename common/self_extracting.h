/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * self_extracting.h - where the archive of a program is that unpacks it.
 *
 * libarchive finds zip, rar, cab and lha behind any program, and a 7z only behind one as
 * large as 7-Zip's own; there are smaller ones.  Hostile bytes.  Pure; any thread.
 */
#ifndef MAILTRACE_SELF_EXTRACTING_H
#define MAILTRACE_SELF_EXTRACTING_H

#include <glib.h>

/*
 * Returns where a 7z (7zFormat.txt) begins in a program of length bytes, or NULL: its
 * signature, with a header at its end that lies within.  Borrowed from bytes.
 */
const guint8 *self_extracting_7z(const void *bytes, gsize length);
#endif
