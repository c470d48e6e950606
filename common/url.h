/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * url.h - links in text and HTML bodies.
 *
 * Finds http, https, ftp and mailto-free URLs as readers would make them
 * clickable: in plain text by scheme or "www.", in HTML in href, src, action,
 * background, meta refresh and srcset, with character references decoded, and
 * in the visible text.  Called in the worker.  Pure; one pass, no backtracking.
 */
#ifndef MAILTRACE_URL_H
#define MAILTRACE_URL_H

#include <glib.h>

struct record;

/*
 * Adds the distinct URLs of a body to record->urls, in order of appearance, up
 * to the caps of caps.h (noted when met).  text: length bytes of UTF-8.  html:
 * whether it is HTML.
 */
void url_collect(struct record *record, const char *text, gsize length, gboolean html);

/*
 * Appends what the character reference (HTML 13.5) at at stands for: a number, or one
 * of the names that occur in URLs.  at: at a "&"; end: where the text ends.  Returns
 * the reference's bytes, 0 when it is none, and then nothing is appended.
 */
gsize url_reference_decode(const char *at, const char *end, GString *out);
#endif
