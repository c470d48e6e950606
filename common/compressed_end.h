/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compressed_end.h - where a compressed content ends, and other bytes follow.
 *
 * The tools write what they decompressed before they complain of bytes behind it;
 * libarchive gives up the whole.  Hostile bytes; decompresses nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_COMPRESSED_END_H
#define MAILTRACE_COMPRESSED_END_H

#include <glib.h>

/*
 * Return how many of length bytes are whole frames of Zstandard (RFC 8878 3.1), or whole
 * streams of xz (xz-file-format.txt 2.1), where bytes follow that are none; otherwise length,
 * as for one that is cut off.
 */
gsize compressed_end_zstd(const void *bytes, gsize length);
gsize compressed_end_xz(const void *bytes, gsize length);
#endif
