/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_journal.h - the journal, as the store keeps it.
 *
 * Append-only: the tables refuse to change or delete an entry.  Entries of all
 * tenants are one chain (journal.h); where it stands is kept beside it.
 *
 * Part of the store (store.h): the same thread and transactions.
 */
#ifndef MAILTRACE_STORE_JOURNAL_H
#define MAILTRACE_STORE_JOURNAL_H

#include "journal.h"
#include "store.h"
#include "store_sqlite.h"

/* Which entries are meant, and in which order. */
struct journal_span {
	gint64 after, before;	   /* numbers, both exclusive; before 0: no end */
	gint64 since_us, until_us; /* from, and before; 0: no bound */
	const char *tenant;	   /* NULL: of all */
	gboolean newest_first;
};

/* Called for each entry; FALSE stops.  line: borrowed.  Nothing may be asked of the store in it. */
typedef gboolean (*journal_line_fn)(const struct journal_line *line, void *data);

/* Walks over entries, as they are: nothing is checked. */
gboolean store_journal_each(struct store *store, const struct journal_span *span,
			    journal_line_fn line, void *data, GError **error);

/* Tells where the chain stands by what was noted when its last entry was written. */
gboolean store_journal_head(struct store *store, struct journal_head *ret_head, GError **error);

/* Reads the newest anchor (anchor.h); NULL in *ret_word if there is none.  Free with g_free(). */
gboolean store_journal_anchor(struct store *store, char **ret_word, GError **error);

/* Keeps an anchor in the place of the one before; on disk when this returns TRUE. */
gboolean store_journal_set_anchor(struct store *store, const char *word, GError **error);

/*
 * Makes the chain of a store that has none, and enters what its audit log (its
 * schema's version 5) has; to be called in the transaction of that step.
 */
gboolean store_journal_adopt(struct sql *sql, GError **error);
#endif
