/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standing.h - listing what stands until it ends: blocks and legal holds.
 */
#ifndef MAILTRACE_STANDING_H
#define MAILTRACE_STANDING_H

#include "command.h"
#include "store.h"

/* A list being written. */
struct standing_list {
	struct out *out;
	guint64 count; /* rows so far; whoever writes one counts it */
};

/*
 * Returns the word for how one stands, static: "in force", "expired" or "removed".
 * Times are in microseconds; 0 is never.
 */
const char *standing_state(gint64 ended_us, gint64 expires_us);

/* Walks over the rows of a list, on a struct standing_list.  FALSE with a STORE_ERROR. */
typedef gboolean (*standing_walk_fn)(struct store *store, const char *tenant, gboolean all,
				     struct standing_list *list, GError **error);

/*
 * Writes a whole list.  all: also of what has ended.  Returns an exit status:
 * EXIT_NOTHING when it is empty.
 */
int standing_write(struct command *command, struct store *store, gboolean all, const char *type,
		   const struct out_column *columns, standing_walk_fn walk);
#endif
