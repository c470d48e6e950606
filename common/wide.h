/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wide.h - text in UTF-16 or UTF-32 that no header declares.
 *
 * Mail carries no such text unencoded by the standard (RFC 2045 2.8 has no NUL,
 * RFC 2781 4.1 forbids it in text), yet some readers go by its mark or pass
 * over NULs, and see the delimiters and fields in it.  Pure; any thread.
 */
#ifndef MAILTRACE_WIDE_H
#define MAILTRACE_WIDE_H

#include <glib.h>

/*
 * Returns whether length bytes are such a text: by the byte order mark, or since
 * its first characters are ASCII and NULs in turn.  Looks at a few bytes only.
 */
gboolean wide_is(const char *bytes, gsize length);

/*
 * Returns such a text with one byte for each ASCII character, the others in
 * UTF-8 where the text is whole.  One whose line breaks were changed on the way
 * is out of step; of it the NULs are left out, which keeps what is ASCII.  No
 * longer than twice the text.  Free with g_byte_array_unref().
 */
GByteArray *wide_narrow(const char *bytes, gsize length);
#endif
