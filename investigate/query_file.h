/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query_file.h - the digests that a question is after, from files that it names: one
 * whose content is looked for, and a list of hashes.  For query.c alone.  Files are
 * bytes here, "-" is the standard input; errors are those of query.h.
 */
#ifndef MAILTRACE_QUERY_FILE_H
#define MAILTRACE_QUERY_FILE_H

#include "query.h"

/* Fills a new TERM_DIGEST with what query_add() says of a file. */
gboolean query_file_want(struct query_term *term, const char *path, GError **error);

/* Fills a new TERM_DIGEST with what query_add_hashes() says of a list. */
gboolean query_hashes_want(struct query_term *term, const char *path, GError **error);
#endif
