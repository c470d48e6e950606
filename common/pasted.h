/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pasted.h - messages and parts whose source stands in a text.
 *
 * Bounces of qmail and its kin, and people who forward by hand, put a message
 * into a text as it was, header and all.  ClamAV (libclamav/mbox.c, since 0.70)
 * and UUDeview look for that and decode the files in it, some mail programs of
 * users do so by plug-ins.  A part alone stands in a text, or in another part,
 * where the delimiter before it or the field that announces it is damaged:
 * ripMIME, munpack, UUDeview and ClamAV go by the part's own header and decode
 * it all the same.  Pure; any thread.
 */
#ifndef MAILTRACE_PASTED_H
#define MAILTRACE_PASTED_H

#include <glib.h>

/*
 * A message in a text: length bytes at at, from its header to the next one's, to
 * a line that stands before it too and begins with two dashes, or to the end.  A
 * part: to the next line of two dashes.
 */
typedef void (*pasted_function)(const char *at, gsize length, gpointer user);

/*
 * Calls found for each message in a text of length bytes that holds what the
 * text itself does not show: a content with a name, or in base64.  A header
 * quoted for its own sake, or with a plain text below it, is none.
 */
void pasted_messages(const char *text, gsize length, pasted_function found, gpointer user);

/*
 * Calls found for each part in a text that hides its content likewise, with a
 * header of MIME's fields alone, and that is in no message; with messages, for
 * these as well.
 */
void pasted_parts(const char *text, gsize length, gboolean messages, pasted_function found,
		  gpointer user);
#endif
