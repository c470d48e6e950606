/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embedded.h - files that stand in a text or a wrapper of mail.
 *
 * Mail programs offer as attachments what a text holds as uuencode, yEnc or a
 * "begin-base64" block or as BinHex, what is in a calendar, what Outlook wraps in TNEF
 * (MS-OXTNEF) and the content of opaquely signed S/MIME (RFC 8551 3.5.2, of DER and BER), without
 * MIME saying that it is there.  Bounded by the content: no file is longer than it, but of
 * BinHex, whose runs the caller bounds. Pure; any thread.
 */
#ifndef MAILTRACE_EMBEDDED_H
#define MAILTRACE_EMBEDDED_H

#include <glib.h>

/* So many names of one file are told. */
#define EMBEDDED_NAMES 4

/*
 * how: a label, static, of how a file was embedded.  names: as written, up to a NULL; some
 * may be empty.  Neither names nor bytes are kept.  size: bytes that the file has; there are fewer
 * where there was no room for more.
 */
typedef void (*embedded_function)(const char *how, const char *const *names,
				  const GByteArray *bytes, guint64 size, gpointer user);

/*
 * Calls found for each file in a text of length bytes.  room: so many bytes may those in BinHex
 * have, whose runs make up to 95 times of a text; what they take of it is taken away.
 */
void embedded_in_text(const void *bytes, gsize length, gsize *room, embedded_function found,
		      gpointer user);

/* So many bytes of a file tell whether it holds others as a text does. */
#define EMBEDDED_HEAD 4096

/* Returns whether a file of length bytes, that is none shown as text, may hold some all the same.
 */
gboolean embedded_begins(const void *bytes, gsize length);

/*
 * Calls found for each link of HTML whose target is in it (RFC 2397), but those
 * of images and fonts that a page shows in place.
 */
void embedded_in_html(const void *bytes, gsize length, embedded_function found, gpointer user);

/* Returns whether a file of this name is opened by a browser, as a page.  name: may be NULL. */
gboolean embedded_page_is_named(const char *name);

/* Calls found for each attachment in base64 of a calendar of length bytes (RFC 5545). */
void embedded_in_calendar(const void *bytes, gsize length, embedded_function found, gpointer user);

/* Returns whether a file of this name is a calendar.  name: may be NULL. */
gboolean embedded_calendar_is_named(const char *name);

/* What magic_type() says of a TNEF stream. */
#define EMBEDDED_TNEF_TYPE "application/ms-tnef"

/*
 * Calls found for each attachment in a TNEF stream, twice if its data stand there as an
 * attribute and as a property; not at all if it is none.  An embedded message is a TNEF
 * stream.
 */
void embedded_in_tnef(const void *bytes, gsize length, embedded_function found, gpointer user);

/*
 * Returns the content that S/MIME signs, or NULL when it is no such, empty or detached.
 * Free with g_byte_array_unref().
 */
GByteArray *embedded_in_signed(const void *bytes, gsize length);
#endif
