/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_list.h - the site's own passwords for archives, one a line.
 *
 * Partners who send everything under one password do not write it into each
 * mail.  A file of such words, as secret as a key, UTF-8: empty lines and those
 * that begin with '#' are none of them, blanks at a line's ends neither.  Any
 * thread.
 */
#ifndef MAILTRACE_PASSWORD_LIST_H
#define MAILTRACE_PASSWORD_LIST_H

#include <glib.h>

/*
 * Reads a list, in its order.  Returns NULL with a KEYS_ERROR (keys.h) that names
 * the file: it cannot be read, others may read it, or it has more than
 * CAP_PASSWORDS words, one of more than CAP_PASSWORD_BYTES bytes, or other bytes than
 * UTF-8.  Free with password_list_free().
 */
char **password_list_read(const char *path, GError **error);

/* Wipes and frees a list.  NULL is allowed. */
void password_list_free(char **list);

#endif
