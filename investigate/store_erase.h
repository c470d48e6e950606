/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_erase.h - what is known of a person, taken out of the store.
 *
 * The store walks over everything of a tenant and asks, for each record and text,
 * what it is without the person; how that is found out is the caller's.  In steps,
 * as store_retention.h has them, and in the same thread and transactions.
 */
#ifndef MAILTRACE_STORE_ERASE_H
#define MAILTRACE_STORE_ERASE_H

#include <glib.h>

#include "store.h"

#define ERASE_SCOPE_BYTES 16

/*
 * The person.  scope: the same for all records of one message, so that what stands
 * in for an address is the same in them and no other.
 */
struct store_eraser {
	/* Returns a text without the person, to free; NULL if it has nothing of him. */
	char *(*text)(const char *text, const guint8 *scope, void *data);
	/* The same of a record, marked as erased. */
	GBytes *(*record)(GBytes *json, const guint8 *scope, void *data);
	/* Tells whether bytes that are no record have something of the person. */
	gboolean (*bytes)(const void *bytes, gsize length, void *data);
	void *data;
};

/* An erasure under way; zeroed to begin it. */
struct store_erasure {
	guint stage;
	gint64 at; /* row of the stage that was looked at last */
	gint64 last;
	guint64 messages;     /* events that stay, without the person */
	guint64 removed;      /* events of which the person was the only recipient */
	guint64 deliveries;   /* lines of the logs; those of logins are removed */
	guint64 dead_letters; /* removed */
	guint64 held;	      /* events and lines left as they are: legal hold */
	gboolean done;
};

/*
 * Looks at some of a tenant's records.  An event with no recipient but the person
 * goes, and is counted as erased by coverages; of all others what names the person
 * is replaced, in the record, which gets a new digest, and in all that is searched.
 * What was there is overwritten in the file.  On failure nothing of the step is
 * done, and erasure is as it was; STORE_ERROR_DAMAGED if a record cannot be read.
 */
gboolean store_erase(struct store *store, const char *tenant, const struct store_eraser *eraser,
		     struct store_erasure *erasure, GError **error);

/* Returns how much of it is done, 0 to 1. */
double store_erasure_share(const struct store_erasure *erasure);

/* Has the log of what is written overwritten as well, unless somebody reads it just now. */
void store_erase_end(struct store *store);
#endif
