/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_removal.h - events taken out of the SQLite store, and all that only they
 * had.  Only files of the store include it; one thread.
 */
#ifndef MAILTRACE_STORE_REMOVAL_H
#define MAILTRACE_STORE_REMOVAL_H

#include <glib.h>

#include "store_internal.h"

/* A removal under way, in a transaction: prepared, fed, ended, cleared. */
struct removal {
	struct store *store;
	gint64 tenant;
	GHashTable *texts, *files; /* of gint64: perhaps nobody links them any more */
	guint64 messages, deliveries;
};

/* Prepares a removal of a tenant's events. */
void removal_init(struct removal *removal, struct store *store, gint64 tenant);

/*
 * Takes an event (row of events) away with its deliveries, and imports of the same
 * mail that were joined to it.  One that is not there is no error; one on legal
 * hold is, and the caller asks before.
 */
gboolean removal_event(struct removal *removal, gint64 event, GError **error);

/* Takes away the texts and files that nobody links any more. */
gboolean removal_end(struct removal *removal, GError **error);

/* Frees what a removal owns. */
void removal_clear(struct removal *removal);
#endif
