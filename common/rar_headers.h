/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rar_headers.h - what a rar says of its encrypted members: their CRC-32.
 *
 * The headers of a rar of version 4 (technote.txt of RAR 4.20) have each member's
 * CRC-32 in the clear, of the content before it was encrypted, which libarchive
 * does not tell.  Those of version 5 have one that the password was mixed into, and
 * 7z has them in a block that is compressed.  Hostile bytes; decrypts nothing.
 * Pure; any thread.
 */
#ifndef MAILTRACE_RAR_HEADERS_H
#define MAILTRACE_RAR_HEADERS_H

#include <glib.h>

/* An encrypted member that is whole in this volume. */
struct rar_member {
	guint64 size; /* of the content */
	guint32 crc32;
};

/*
 * Goes to the next encrypted member of a rar of version 4; length bytes.  *at: 0 at
 * first, moved.  FALSE at the end, where the headers are encrypted too, and where it
 * is no such rar.  Moves on by at least 7 bytes a time, so that it ends.
 */
gboolean rar_headers_next(const void *bytes, gsize length, gsize *at,
			  struct rar_member *ret_member);
#endif
