/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encoded_word.h - a header field's text: RFC 2047 words, in and out of their places.
 *
 * Takes what mailers write, not what the standard allows.  What the words' bytes are
 * is charset.h's, whose converters it uses.  Reads each byte twice at most.  One thread.
 */
#ifndef MAILTRACE_ENCODED_WORD_H
#define MAILTRACE_ENCODED_WORD_H

#include <glib.h>

/*
 * Decodes a header field's text: unfolds (RFC 5322 2.2.3), decodes RFC 2047
 * words wherever they stand (also inside quotes, which the standard forbids
 * and mailers do), joins adjacent words whose characters are split, and
 * guesses raw 8-bit runs.  *ret_undecoded (may be NULL) is set TRUE, never
 * FALSE, when a word's set had no converter; the word then stays as written.
 * Returns UTF-8; free with g_free().
 */
char *header_decode(const void *bytes, gsize length, gboolean *ret_undecoded);

/*
 * Returns the length of the encoded word (RFC 2047 section 2) that stands at
 * at, "=?" to "?=", or 0 when none does.  Looks at no more than length bytes.
 */
gsize encoded_word_length(const char *at, gsize length);
#endif
