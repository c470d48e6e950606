/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail_file.h - whether a file is a message.
 *
 * Mail is sent on in archives: saved messages (.eml), web pages in MIME (.mht),
 * folders of a Maildir in a tar, whose names say nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_MAIL_FILE_H
#define MAILTRACE_MAIL_FILE_H

#include <glib.h>

/* So many bytes of a file tell whether it is a message. */
#define MAIL_FILE_BYTES 16384

/* Returns whether a file of this name is one, by its ending.  name: may be NULL. */
gboolean mail_file_is_named(const char *name);

/*
 * Returns whether a file that begins with these bytes, length of them, is one: a
 * header whose first field only messages have, and a second such field in it.
 */
gboolean mail_file_begins(const char *bytes, gsize length);
#endif
