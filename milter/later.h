/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * later.h - the password that comes in the next mail.
 *
 * Many send an encrypted archive in one mail and its password in another.  A
 * message with an archive that no word of it opened is kept (kept.h); when a
 * later one passes between the same parties, both are read by a worker as one, so
 * that its words are tried, and what opens is told in a supplementary event
 * (event.h).  What is still locked then waits on, and is told when it opens; nothing is
 * told twice.  Does so in a thread of its own, after the MTA has its answer: mail
 * never waits for it, and what is in hand when the process ends is let go of.
 * Parses no message byte.  Any thread.
 */
#ifndef MAILTRACE_LATER_H
#define MAILTRACE_LATER_H

#include <glib.h>

#include "engine.h"
#include "message.h"

struct later;

/*
 * Opens what is kept in the directory of the spool.  engine: borrowed.  Returns NULL
 * with an error of kept_open().
 */
struct later *later_new(struct engine *engine, const char *directory, GError **error);

/* Starts the thread: not before all forking is done. */
void later_start(struct later *later);

/*
 * Takes a message that passed and whose event is in the spool: to be kept, or for its
 * words, or neither, which is nearly always so and costs nothing.  message: whole.
 * Copies what it needs.  later: NULL does nothing.  Returns FALSE, and logs it, if it
 * was passed over, since CAP_LATER_QUEUE wait.
 */
gboolean later_message(struct later *later, const struct event *event, struct message *message);

/* Ends the thread when it has done what it was given, and frees.  NULL is allowed. */
void later_free(struct later *later);
#endif
