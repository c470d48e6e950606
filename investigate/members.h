/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * members.h - what is in a file that a question names.
 *
 * For `who FILE --members`: the file is read as an attachment would be, by the
 * same sandboxed workers, and its members are asked for beside it.
 */
#ifndef MAILTRACE_MEMBERS_H
#define MAILTRACE_MEMBERS_H

#include <glib.h>

#include "query.h"
#include "reader.h"

/* What a member's digest is called as a variant (query.h). */
#define MEMBERS_VARIANT "member"

/* What was found in a file. */
struct members_found {
	guint members;	     /* that are asked for */
	guint small;	     /* left out: below CANDIDATE_MIN_BYTES they are many files' */
	gboolean incomplete; /* there may be others that could not be read */
};

/*
 * Adds to a TERM_DIGEST the digests of all members of the file at path, at any
 * depth, with their variants of line ends.  reader: borrowed.  Returns FALSE with QUERY_ERROR_FILE,
 * or a SCANNER_ERROR where nobody could read it.
 */
gboolean members_add(struct query_term *term, const char *path, struct reader *reader,
		     struct members_found *ret_found, GError **error);
#endif
