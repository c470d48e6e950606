/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compressed_end.h - how much of a damaged compressed content is whole.
 *
 * The tools write what they decompressed before they complain of what is damaged, or is none of
 * it, behind that; libarchive gives up the whole.
 *
 * Owns liblzma.  Hostile bytes: to be called in a sandbox only.  Any thread.
 */
#ifndef MAILTRACE_COMPRESSED_END_H
#define MAILTRACE_COMPRESSED_END_H

#include <glib.h>

/* Is told of so many bytes that were decompressed and dropped; returns FALSE to end the work. */
typedef gboolean (*compressed_end_function)(gsize length, gpointer user);

/*
 * Return how many of length bytes, from the first on, are whole frames of Zstandard (RFC 8878 3.1)
 * or whole streams of xz (xz-file-format.txt 2.1); 0 if not one is, which has a content.
 *
 * By their form alone: frames that end at taken bytes or before; streams up to the last footer,
 * which may be one in what follows them.
 */
gsize compressed_end_zstd(const void *bytes, gsize length, gsize taken);
gsize compressed_end_xz_by_form(const void *bytes, gsize length);

/*
 * By decompressing them, once, with WORKER_MEMORY_BYTES at most: the streams before damage, and
 * before dropped returned FALSE.
 */
gsize compressed_end_xz(const void *bytes, gsize length, compressed_end_function dropped,
			gpointer user);
#endif
