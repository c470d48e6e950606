/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_retention.h - records that go: those that are too old.
 *
 * Part of the store (store.h): the same thread and transactions.  What goes, goes
 * in steps of a few hundredths of a second, so that neither what comes meanwhile
 * nor who asks waits for long.  The file of the store does not shrink: its free
 * room is used for what comes.
 */
#ifndef MAILTRACE_STORE_RETENTION_H
#define MAILTRACE_STORE_RETENTION_H

#include <glib.h>

#include "store.h"

/* What is older than a border, or what of it has gone so far. */
struct store_expired {
	guint64 messages;     /* events, with their files, texts and recipients */
	guint64 deliveries;   /* lines of the logs, of these and of no event, and of logins */
	guint64 dead_letters; /* by when they came */
	guint64 intervals;    /* stretches of time in which mail passed unseen */
};

/* An expiry under way: before_us and nothing else is set to begin it. */
struct store_expiry {
	gint64 before_us; /* what is older goes, by its receive time */
	gint64 from_us;	  /* all before is done */
	struct store_expired gone;
	gboolean done;
};

/*
 * Takes away some of a tenant's records from before a border; expiry->done says
 * whether that was the last.  From the first that goes on, answers tell the border
 * (struct store_coverage).  A message counts where it did, as long as a hop of it
 * is left.  Never touched: messages on legal hold (store_holds.h), the journal,
 * blocks, and what is known of sensors.
 * On failure nothing of the step is done, and expiry is as it was.
 */
gboolean store_expire(struct store *store, const char *tenant, struct store_expiry *expiry,
		      GError **error);

/* Counts what store_expire() would take away in all. */
gboolean store_count_expirable(struct store *store, const char *tenant, gint64 before_us,
			       struct store_expired *ret_expired, GError **error);

/* Names all tenants (*ret_names: of char *, to unref). */
gboolean store_tenants(struct store *store, GPtrArray **ret_names, GError **error);

/* Tells how much of the store's file is free room (*ret_bytes). */
gboolean store_free_bytes(struct store *store, guint64 *ret_bytes, GError **error);
#endif
