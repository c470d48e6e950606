/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_text.h - a message's text as it is searched for passwords.
 *
 * Makes HTML the lines that its reader sees, leaves out what nobody sees, and writes
 * full-width, half-width and decomposed characters as people mean them.  Linear in the
 * text, whatever it is.  Pure; any thread.  password_words.c alone includes it.
 */
#ifndef MAILTRACE_PASSWORD_TEXT_H
#define MAILTRACE_PASSWORD_TEXT_H

#include <glib.h>

/*
 * Returns the text of HTML: comments, scripts, styles and tags left out, of which most
 * end a line.  html: UTF-8, NUL-terminated.  Free with g_free().
 */
char *password_text_of_html(const char *html);

/*
 * Returns a text without characters that are never seen, its blanks plain ones and its
 * line breaks '\n'; plain: in NFKC besides.  What would make it more than twice
 * as long (and 64 bytes) is left out.  text: UTF-8, NUL-terminated.  Free with g_free().
 */
char *password_text_clean(const char *text, gboolean plain);

/* Returns a text in small letters, of as many bytes.  Free with g_free(). */
char *password_text_fold(const char *text);

#endif
