/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_dead_letters.h - events that could not be read, put aside with the reason.
 *
 * A dead letter keeps its bytes as they came, so that a mended or newer mailtrace
 * can read them after all.  Its number in the sensor's sequence counts as stored:
 * nothing waits behind it.  What it tells of is a gap of its sensor in the answers, until it
 * was read after all.  Part of the store (store.h): the same thread and
 * transactions.
 */
#ifndef MAILTRACE_STORE_DEAD_LETTERS_H
#define MAILTRACE_STORE_DEAD_LETTERS_H

#include <glib.h>

#include "store.h"

#define STORE_DEAD_LETTER_GAP "dead-letter" /* in the store's files */

/* A dead letter; everything is borrowed where it is handed to a function. */
struct store_dead_letter {
	gint64 id;
	const char *tenant, *sensor; /* as the bus has proved them */
	struct store_sequence sequence;
	gint64 time_us; /* when it came */
	const char *reason;
	const void *json; /* hostile, and perhaps no JSON at all */
	gsize length;
};

/* Called for each; FALSE stops. */
typedef gboolean (*store_dead_letter_fn)(const struct store_dead_letter *letter, void *data);

/* Walks over a tenant's dead letters in the order in which they came.  id: only that one; 0: all.
 */
gboolean store_dead_letter_each(struct store *store, const char *tenant, gint64 id,
				store_dead_letter_fn each, void *data, GError **error);

/* Puts an event aside; its number then counts as stored.  sequence: NULL if it has none. */
gboolean store_add_dead_letter(struct store *store, const char *tenant, const char *sensor,
			       const struct store_sequence *sequence, GBytes *json,
			       const char *reason, GError **error);

/* Takes one away; one that is not there is no error.  In a transaction of the caller's.  Its
 * gap stays. */
gboolean store_dead_letter_remove(struct store *store, gint64 id, GError **error);

/* Takes one away that was read after all, and its gap.  In a transaction of the caller's. */
gboolean store_dead_letter_revived(struct store *store, const struct store_dead_letter *letter,
				   GError **error);
#endif
