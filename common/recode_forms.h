/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recode_forms.h - what the files of the other decodings share; of no interest to others.
 *
 * recode.c has the table; recode_base64.c, recode_quoted.c and recode_uuencode.c decode.  Pure;
 * any thread.
 */
#ifndef MAILTRACE_RECODE_FORMS_H
#define MAILTRACE_RECODE_FORMS_H

#include <string.h>

#include "recode.h"

static inline gboolean
recode_is_break(char byte)
{
	return byte == '\r' || byte == '\n';
}

static inline gboolean
recode_is_space(char byte)
{
	return recode_is_break(byte) || byte == ' ' || byte == '\t';
}

/* Returns the length of the line at at, its break included. */
static inline gsize
recode_line_length(const char *at, const char *end)
{
	const char *feed = memchr(at, '\n', (gsize)(end - at));

	return (gsize)((feed ? feed + 1 : end) - at);
}

/* Returns whether all decode base64 alike; a pass over its lines, for encoded.irregular. */
gboolean recode_base64_is_regular(const struct encoded *encoded);

/* Returns whether irregular base64 is damaged in its lines; a pass over all, for encoded.damaged.
 */
gboolean recode_base64_is_damaged(const struct encoded *encoded);

/* Return whether a content calls for the decoding of the same name. */
gboolean recode_is_hidden_base64(const struct encoded *encoded);
gboolean recode_is_irregular_base64(const struct encoded *encoded);
gboolean recode_is_damaged_base64(const struct encoded *encoded);
gboolean recode_is_base64_behind_padding(const struct encoded *encoded);
gboolean recode_is_url_safe_base64(const struct encoded *encoded);
gboolean recode_is_base64_twice(const struct encoded *encoded);
gboolean recode_is_hidden_quoted(const struct encoded *encoded);
gboolean recode_is_irregular_quoted(const struct encoded *encoded);
gboolean recode_is_carriaged_quoted(const struct encoded *encoded);
gboolean recode_is_oddly_broken_quoted(const struct encoded *encoded);
gboolean recode_is_doubled_quoted(const struct encoded *encoded);
gboolean recode_is_cut_quoted(const struct encoded *encoded);
gboolean recode_is_trailing_quoted(const struct encoded *encoded);
gboolean recode_is_folded_quoted(const struct encoded *encoded);
gboolean recode_is_broken_quoted(const struct encoded *encoded);
gboolean recode_is_irregular_uuencode(const struct encoded *encoded);

/* Decode a content; free with g_byte_array_unref(). */
GByteArray *recode_base64_streams(const struct encoded *encoded);
GByteArray *recode_base64_unpadded(const struct encoded *encoded);
GByteArray *recode_base64_to_padding(const struct encoded *encoded);
GByteArray *recode_base64_whole_fours(const struct encoded *encoded);
GByteArray *recode_base64_to_whole_padding(const struct encoded *encoded);
GByteArray *recode_base64_pad_is_zero(const struct encoded *encoded);
GByteArray *recode_base64_to_stranger(const struct encoded *encoded);
GByteArray *recode_base64_lines_to_padding(const struct encoded *encoded);
GByteArray *recode_base64_clean_lines(const struct encoded *encoded);
GByteArray *recode_base64_whole_lines(const struct encoded *encoded);
GByteArray *recode_base64_url_safe(const struct encoded *encoded);
GByteArray *recode_base64_twice(const struct encoded *encoded);
GByteArray *recode_lenient_quoted(const struct encoded *encoded);
GByteArray *recode_literal_quoted(const struct encoded *encoded);
GByteArray *recode_uncarriaged_quoted(const struct encoded *encoded);
GByteArray *recode_long_broken_quoted(const struct encoded *encoded);
GByteArray *recode_oddly_broken_quoted(const struct encoded *encoded);
GByteArray *recode_doubled_quoted(const struct encoded *encoded);
GByteArray *recode_joined_quoted(const struct encoded *encoded);
GByteArray *recode_carriage_broken_quoted(const struct encoded *encoded);
GByteArray *recode_trimmed_quoted(const struct encoded *encoded);
GByteArray *recode_unfolded_quoted(const struct encoded *encoded);
GByteArray *recode_unbroken_quoted(const struct encoded *encoded);
GByteArray *recode_uuencode_fitting_lines(const struct encoded *encoded);
#endif
