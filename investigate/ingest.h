/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ingest.h - events, deliveries and logins from outside into the store.
 *
 * The step between the bus, or an import, and the store: each event, delivery or
 * login (ocsf_activity() tells which) is decoded, its identity proved and
 * stamped, and all of a batch stored in one transaction.  What cannot be read is put aside as a
 * dead letter with its reason, so that those behind it go on.  Knows neither ZeroMQ nor SQL.  The
 * thread of the store.
 */
#ifndef MAILTRACE_INGEST_H
#define MAILTRACE_INGEST_H

#include <glib.h>

#include "store.h"
#include "store_dead_letters.h"

/* A batch as it came over the bus. */
struct ingest_batch {
	const char *sensor, *tenant; /* as the bus has proved them */
	const char *epoch;	     /* the sensor's claim; a UUID in text */
	guint64 first;		     /* number of events[0] */
	GPtrArray *events;	     /* of GBytes, JSON, hostile */
};

/* An event that was put aside. */
struct ingest_refusal {
	guint64 n;
	char *reason; /* UTF-8, one line */
};

/* What became of a batch; clear with ingest_result_clear(). */
struct ingest_result {
	guint64 through;     /* everything up to it is in the store */
	GPtrArray *added;    /* of GBytes: JSON of what was new, as stored */
	GPtrArray *refusals; /* of struct ingest_refusal */
};

/*
 * Stores a batch and waits until it is on disk.  An event that claims another
 * sensor or tenant than the batch's, or that is none of the three,
 * becomes a dead letter.  On FALSE (a STORE_ERROR) nothing of the batch is stored, and it is
 * not to be acknowledged.
 */
gboolean ingest_batch(struct store *store, const struct ingest_batch *batch,
		      struct ingest_result *ret_result, GError **error);

/* Frees what a result owns. */
void ingest_result_clear(struct ingest_result *result);

/*
 * Stores events of an import in one transaction.  events: of GBytes.  *ret_added:
 * how many were new.  An event that is not an import's, or another tenant's,
 * fails the whole call with an OCSF_ERROR.
 */
gboolean ingest_import(struct store *store, const char *tenant, GPtrArray *events,
		       guint64 *ret_added, GError **error);

/*
 * Reads a dead letter again, in a transaction of the caller's.  What can be read
 * is stored under its number, and the letter taken away; *ret_added is its JSON
 * if it was new, for g_bytes_unref(), else NULL.  Else *ret_reason says why not
 * (free with g_free()), and the letter stays.  FALSE with a STORE_ERROR.
 */
gboolean ingest_dead_letter(struct store *store, const struct store_dead_letter *letter,
			    GBytes **ret_added, char **ret_reason, GError **error);
#endif
