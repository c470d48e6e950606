/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_labels.h - what people write around a password, in their languages.
 *
 * Owns the tables: the words for "password", the words and marks that stand between
 * it and the password, and those that enclose one.  Refuses to know what becomes of
 * a word.  Pure; any thread.  password_words.c alone includes it.
 */
#ifndef MAILTRACE_PASSWORD_LABELS_H
#define MAILTRACE_PASSWORD_LABELS_H

#include <glib.h>

/*
 * Returns the bytes of the longest label that begins at at, a place in line, with the
 * ending that it has there ("passwords", "Lösenordet"); 0 for none.  line: in small
 * letters, UTF-8, NUL-terminated.  Words of daily use, as "key", are labels only before
 * a colon; *ret_weak says whether it is one of them.
 */
gsize password_label(const char *line, const char *at, gboolean *ret_weak);

/*
 * Returns what stands behind blanks, marks and words as "is" at the beginning of a text
 * of one line; *ret_separated says whether more than blanks and opening quotes did.
 */
const char *password_skip_filler(const char *text, gboolean *ret_separated);

/* Returns what follows the first colon, or word as "is", of a text of one line; or NULL. */
const char *password_behind_verb(const char *text);

/* Returns the length of a word without the marks that close quotes and sentences behind it. */
gsize password_trimmed_length(const char *word, gsize length);

/* Returns the length up to a mark that closes a quotation, which need not be at the end. */
gsize password_quoted_length(const char *word, gsize length);

/*
 * Finds the next text in quotes or brackets, of a line, of at most CAP_PASSWORD_BYTES;
 * it begins at the place returned, or there is none: NULL.  *ret_length: its bytes.
 */
const char *password_next_quoted(const char *line, gsize *ret_length);

#endif
