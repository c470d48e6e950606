/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_mailbox.h - what became of a copy in its mailbox, by Dovecot's log; for
 * store_finals.c alone.
 *
 * A copy is known by its user and its Message-ID, and by folder and UID as far as
 * they are told.  A copy to another folder is one place more where it is; when it is
 * expunged from a place while it is in another, it was moved, and from the last one,
 * deleted.  Two mails to one user with one Message-ID are told apart by their UIDs, and
 * without these have each other's deeds.  A mail whose Message-ID is of no ordinary form
 * is followed in the folder where it was stored alone, under whatever name.
 *
 * Folders that are renamed, and those below them, have their copies in them.
 */
#ifndef MAILTRACE_STORE_MAILBOX_H
#define MAILTRACE_STORE_MAILBOX_H

#include <glib.h>

#include "store_trace.h"

/*
 * Tells what was done with a copy, and where it is now (*ret_folder, NULL if nowhere that is
 * known).  event: the record of the message.  final: its places are changed.  *ret_acts: of struct
 * store_act, in order of time.
 */
gboolean mailbox_acts(struct store *store, gint64 tenant, gint64 event, struct trace_final *final,
		      char **ret_folder, GPtrArray **ret_acts, GError **error);
#endif
