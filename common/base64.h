/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64.h - base64 as nearly every mail has it, quickly decoded.
 *
 * Owns no judgement: it takes the part of a content on which all readers agree
 * and stops before anything else, padding included; what follows is GMime's
 * (mime.c), whose reading of odd base64 is that of many mail programs.
 * Attachments are most of all bytes of mail, and GMime takes twice as
 * long.  Any thread; no state.
 */
#ifndef MAILTRACE_BASE64_H
#define MAILTRACE_BASE64_H

#include <glib.h>

#define BASE64_VALID 0x40 /* set in the value of each character of the alphabet, none else */

/* The values of all characters, as RFC 4648 table 1 has them, with BASE64_VALID. */
extern const guint8 base64_values[256];

/* Returns the six bits of a character of the alphabet, or -1. */
static inline int
base64_value(char byte)
{
	guint8 value = base64_values[(guint8)byte];

	return value ? value - BASE64_VALID : -1;
}

/*
 * Decodes the beginning of length bytes: groups of four characters of the
 * alphabet (RFC 4648 4), with CR and LF before and between groups, never
 * within one.  Returns the bytes written to ret_bytes, which has room for
 * length / 4 * 3, and sets *ret_taken to how many were read; what begins there
 * is no such group, or is cut off by the end.  0 when nothing was read.
 */
gsize base64_decode_clean(const char *bytes, gsize length, guint8 *ret_bytes, gsize *ret_taken);
#endif
