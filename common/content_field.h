/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content_field.h - Content-Type and Content-Disposition: a token, parameters.
 *
 * Reads the fields of RFC 2045 5.1 and RFC 2183 with the continuations and
 * character sets of RFC 2231, and what mailers write instead: values with
 * blanks but no quotes, raw Shift_JIS and ISO-2022-JP whose bytes look like
 * quotes and backslashes.  Keeps bytes and decodes no character set: a name's
 * raw form is evidence.  Linear in the field's length.  Pure; any thread.
 */
#ifndef MAILTRACE_CONTENT_FIELD_H
#define MAILTRACE_CONTENT_FIELD_H

#include <glib.h>

/* One parameter, its sections joined. */
struct parameter {
	char *name;	   /* lower case, without the marks of RFC 2231 */
	gboolean extended; /* RFC 2231: percent-encoding was undone */
	char *charset;	   /* RFC 2231's, or NULL */
	GBytes *value;	   /* without quotes and escapes; any bytes */
	GBytes *literal;   /* as it stands, where that differs: with its
			    * backslashes or comments; else NULL */
	GBytes *word;	   /* what is before the first blank of one that lacks quotes,
			    * where a token ends (RFC 2045 5.1), or NULL */
	GBytes *token;	   /* likewise, before the first character that no token has, or NULL */
	GBytes *unquoted;  /* of a name: all up to the semicolon, quotes and comments left out
			    * wherever they stand, where that differs; or NULL */
};

struct content_field {
	char *token;	       /* "text/plain", "attachment": lower case, UTF-8; "" if none */
	GPtrArray *parameters; /* of struct parameter, in order of appearance */
	gboolean cut;	       /* a cap was met: CAP_PARAMETERS or CAP_PARAMETER_BYTES */
};

/*
 * Reads a field's value.  bytes: length bytes, folded or not, hostile; what is
 * beyond CAP_PARAMETER_BYTES is not looked at.  Never fails.  Free with
 * content_field_free().
 */
struct content_field *content_field_parse(const void *bytes, gsize length);

/*
 * Returns the first parameter of this name (lower case), or NULL; the extended
 * form (RFC 2231) or the plain one, which may both be there.  Borrowed.
 */
const struct parameter *content_field_get(const struct content_field *field, const char *name,
					  gboolean extended);

/* Frees a field.  NULL is allowed. */
void content_field_free(struct content_field *field);

typedef struct content_field content_field_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(content_field_t, content_field_free)
#endif
