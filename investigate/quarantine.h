/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quarantine.h - where a message lies that was taken out of a folder.
 *
 * Each folder has a mailbox of its own below the quarantine's prefix, whose
 * name tells the folder: "mailtrace-quarantine/Archive=2F2026".  So the mail
 * server itself knows where a message belongs, also when whoever moved it was
 * interrupted before it could tell.  In a name all but ASCII letters, digits,
 * "-", "_" and bytes of UTF-8 sequences is written "=XX", since separators,
 * wildcards and what a file system refuses differ from site to site.  Pure;
 * any thread.
 */
#ifndef MAILTRACE_QUARANTINE_H
#define MAILTRACE_QUARANTINE_H

#include <glib.h>

#define QUARANTINE_NAME_BYTES 160 /* of a name below the prefix; file systems take 255 */

/*
 * Returns the mailbox below prefix for what comes from a folder.  prefix: with
 * its separator.  A folder whose name would be longer than QUARANTINE_NAME_BYTES
 * has a digest in its place, and is not told by quarantine_folder().  Free with
 * g_free().
 */
char *quarantine_mailbox(const char *prefix, const char *folder);

/* Returns whether a mailbox is in the quarantine, or is it. */
gboolean quarantine_has(const char *prefix, const char *mailbox);

/*
 * Returns the folder from which the messages of a mailbox of the quarantine
 * came; NULL if its name does not tell (or is not of our form).  Free with
 * g_free().
 */
char *quarantine_folder(const char *prefix, const char *mailbox);
#endif
