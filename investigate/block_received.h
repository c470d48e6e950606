/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_received.h - who received a file before it was blocked, and the plan against
 * those copies.
 *
 * A block keeps out what is to come; what came before is another step, and the words
 * that make its plan are given.  Reads the store, changes nothing.
 */
#ifndef MAILTRACE_BLOCK_RECEIVED_H
#define MAILTRACE_BLOCK_RECEIVED_H

#include "command.h"
#include "query.h"

#define BLOCK_RECEIVED_SHOWN 20 /* recipients named; the others are counted */

/* A set of these. */
enum block_received_flags {
	BLOCK_RECEIVED_NAMES = 1 << 0, /* whoever asks may know who: else how many */
	BLOCK_RECEIVED_LISTS = 1 << 1, /* the words are lists of hashes */
};

/*
 * Writes the first recipients of what the query asks for, how many there are, and how
 * to plan their containment.  That they were named is an entry of the journal, as of
 * `mailtrace who`, and without it none is.  words: as they were typed, NULL-terminated.
 * A store that cannot be asked is told on standard error.
 */
void block_received_write(struct command *command, const struct query *query, char **words,
			  guint flags, struct out *out);
#endif
