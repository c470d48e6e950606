/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key_file.h - how files with keys are read and made; for keys.c, authorized_keys.c, signing_key.c.
 *
 * Knows no kind of key.  Errors are those of keys.h.  Any thread.
 */
#ifndef MAILTRACE_KEY_FILE_H
#define MAILTRACE_KEY_FILE_H

#include <glib.h>
#include <sys/types.h>

#define KEY_SECRET_REFUSED 0037 /* the group may read (0640), nobody else anything */
#define KEY_PUBLIC_REFUSED 0002 /* who may write the list may let anybody in */

/* The whole text of a key file; cleared when freed, since it may hold a secret. */
typedef struct {
	char *bytes; /* NUL-terminated, without another NUL */
	gsize length;
} key_text;

/* Wipes and frees it. */
void key_text_clear(key_text *text);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(key_text, key_text_clear)

/* Sets "cannot WHAT PATH: errno's text" with a code of enum keys_error; returns FALSE. */
gboolean key_file_errno(GError **error, int code, const char *what, const char *path, int number);

/* Reads a regular file of at most CAP_KEYS_BYTES without NUL, and without these bits of mode. */
gboolean key_file_read(const char *path, mode_t refused, key_text *ret_text, GError **error);

/*
 * Writes a new file that is either there whole or not at all, even after a power
 * cut; KEYS_ERROR_EXISTS if the name is taken.
 */
gboolean key_file_create(const char *path, const char *text, mode_t mode, GError **error);

/*
 * Takes the next line of *cursor's text that is neither empty nor a comment, without
 * the space around it, and counts all lines in *number; a comment begins its line,
 * for '#' is also a digit of Z85.  Returns NULL at the end.
 */
char *key_file_next_line(char **cursor, guint *number);

/* Sets "PATH:NUMBER: WHY" as KEYS_ERROR_FORM; returns FALSE. */
gboolean key_file_wrong_line(GError **error, const char *path, guint number, const char *why);
#endif
