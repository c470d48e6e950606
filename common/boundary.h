/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boundary.h - what readers take for the boundary of a multipart.
 *
 * RFC 2046 5.1.1 has one boundary a multipart; where its parameter is written
 * against the grammar (RFC 2045 5.1), or twice, readers disagree.  A rule here
 * is what one family of readers does.  Pure; any thread.
 */
#ifndef MAILTRACE_BOUNDARY_H
#define MAILTRACE_BOUNDARY_H

#include <glib.h>

#include "content_field.h"

enum boundary_rule {
	BOUNDARY_FIRST,	   /* the first parameter, by the grammar: the plain reading */
	BOUNDARY_LAST,	   /* the last one, RFC 2231's after the others */
	BOUNDARY_LITERAL,  /* the text as it stands: backslashes, comments, stray quotes */
	BOUNDARY_TOKEN,	   /* up to the first byte that no token has; inside quotes too */
	BOUNDARY_SQUEEZED, /* without blanks, quotes, backslashes, comments and NULs */
	BOUNDARY_DECODED,  /* encoded words decoded (RFC 2047 5 forbids them there) */
	BOUNDARY_SEEN,	   /* whatever the field says, what delimits parts in the body */
};

/*
 * Returns whether a Content-Type field's boundary leaves a choice: it is there
 * twice, or is not plainly a token or a quoted string.  text: length bytes of
 * the field's value, hostile.
 */
gboolean boundary_is_doubtful(const char *text, gsize length);

/*
 * Returns the boundary by a rule, or NULL if there is none.  field: what was
 * parsed of text, which is length bytes.  body: body_length bytes that the
 * multipart may delimit, for BOUNDARY_SEEN.  Free with g_bytes_unref().
 */
GBytes *boundary_find(enum boundary_rule rule, const struct content_field *field, const char *text,
		      gsize length, const char *body, gsize body_length);
#endif
