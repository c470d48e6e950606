/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seven_headers.h - what a 7z says of its encrypted members: size and CRC-32.
 *
 * The header of a 7z (7zFormat.txt of 7-Zip) has each content's CRC-32, of before it
 * was encrypted, which libarchive does not tell.  7-Zip writes the header of an archive
 * of one file as it stands; one that is compressed, as of several files, or encrypted
 * tells nothing here.  Hostile bytes; decrypts and decompresses nothing.  Pure; any
 * thread.
 */
#ifndef MAILTRACE_SEVEN_HEADERS_H
#define MAILTRACE_SEVEN_HEADERS_H

#include <glib.h>

struct seven_member {
	guint64 size;
	gboolean has_crc32;
	guint32 crc32;
};

/*
 * Reads the encrypted members with a content, in order; length bytes.  Returns an array
 * of struct seven_member, at most CAP_MEMBERS, empty where the header tells nothing or is
 * damaged; free with g_array_unref().
 */
GArray *seven_headers_read(const void *bytes, gsize length);
#endif
