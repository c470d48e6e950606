/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_holds.h - legal holds: messages that neither expire nor are erased.
 *
 * A hold is of the messages that were recorded when it was made, each with all
 * its hops and what the MTA's log says of them; what comes later is not held.  It
 * ends when it is taken off or at its time, and stays in the list.  Part of the
 * store (store.h): the same thread and transactions.
 */
#ifndef MAILTRACE_STORE_HOLDS_H
#define MAILTRACE_STORE_HOLDS_H

#include <glib.h>

#include "store.h"

/* A hold; everything is borrowed where it is handed to a function. */
struct store_hold {
	gint64 number;
	const char *tenant;
	const char *what; /* the question that it was made by, a JSON array of words */
	gint64 created_us;
	gint64 expires_us; /* 0: never */
	gint64 ended_us;   /* 0: in force */
	const char *actor, *case_id, *reason;
	guint64 events; /* on it; of the list */
};

/* Makes a hold without messages; *ret_number: under which it is known. */
gboolean store_hold_add(struct store *store, const struct store_hold *hold, gint64 *ret_number,
			GError **error);

/*
 * Puts a message on a hold, by the id of any of its events.  *ret_there: FALSE if
 * the tenant of the hold has none of that id.
 */
gboolean store_hold_put(struct store *store, gint64 number, const char *event_id,
			gboolean *ret_there, GError **error);

/* Ends a tenant's hold.  *ret_ended: FALSE if it has none of that number in force. */
gboolean store_hold_end(struct store *store, const char *tenant, gint64 number, gint64 now_us,
			gboolean *ret_ended, GError **error);

/* Ends those whose time has come. */
gboolean store_holds_settle(struct store *store, gint64 now_us, GError **error);

/* Called for each; FALSE stops. */
typedef gboolean (*store_hold_fn)(const struct store_hold *hold, void *data);

/* Walks over a tenant's holds, the oldest first; with_ended: also those. */
gboolean store_hold_each(struct store *store, const char *tenant, gboolean with_ended,
			 store_hold_fn each, void *data, GError **error);

/* Counts a tenant's events of before a time that are held (*ret_count). */
gboolean store_count_held(struct store *store, const char *tenant, gint64 before_us,
			  guint64 *ret_count, GError **error);
#endif
