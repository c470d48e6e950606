/* SPDX-License-Identifier: BSD-2-Clause */
/* queue_id.h - the name of a message in an MTA's queue.  Pure; any thread. */
#ifndef MAILTRACE_QUEUE_ID_H
#define MAILTRACE_QUEUE_ID_H

#include <glib.h>

/* Returns whether a text has the form of a queue id: letters and digits, so never an option, a
 * list, a path or "ALL". */
gboolean queue_id_is_valid(const char *queue_id);

/*
 * Returns whether an id is of a kind that is never given anew: Postfix's long ones and
 * Sendmail's, which have the time in them and letters beside hexadecimal digits.
 */
gboolean queue_id_is_unique(const char *queue_id);
#endif
