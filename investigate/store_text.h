/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_text.h - text that is searched: kept once per tenant, found by parts.
 *
 * A text is known by its kind and its search key (text.h).  grams, an FTS5
 * table, has the distinct pairs of neighbouring characters of each key as
 * words that we make ourselves, so that any script is found from two
 * characters on: a key that contains a needle contains all of its pairs, and
 * each candidate is then compared in full.  (FTS5's own trigrams would miss
 * needles of two characters, which Japanese words often are.)  A needle of one
 * character, or of none, is answered by a walk over the tenant's texts of the
 * kind.  Text beyond TEXT_INDEX_CHARS is kept unindexed and always compared.
 */
#ifndef MAILTRACE_STORE_TEXT_H
#define MAILTRACE_STORE_TEXT_H

#include <glib.h>

#include "store_sqlite.h"

/* Longer texts are not indexed: a mail of a thousand long links would cost seconds. */
#define TEXT_INDEX_CHARS 512

/* In the store's files: never renumber. */
enum text_kind {
	TEXT_SUBJECT = 1,
	TEXT_NAME = 2,
	TEXT_URL = 3,
	TEXT_RECIPIENT = 4, /* of the envelope */
	TEXT_SENDER = 5,    /* of the envelope, or of a From field */
	TEXT_LOGIN = 6,
	TEXT_EXTENSION = 7,
	TEXT_MALWARE = 8,
};

/*
 * Keeps a text and returns its id in *ret_id, that of an earlier time if it was
 * kept before.  key: its search key.  indexed: FALSE when nobody searches its
 * parts, or when it shall be compared instead.
 */
gboolean store_text_keep(struct sql *sql, gint64 tenant, enum text_kind kind, const char *text,
			 const char *key, gboolean indexed, gint64 *ret_id, GError **error);

/* Takes a text away, and its words, if nothing links it any more. */
gboolean store_text_drop(struct sql *sql, gint64 id, GError **error);

/* Returns the number under which a search key is looked up. */
gint64 store_text_hash(const char *key);

/* Returns TRUE if a search key is wanted. */
typedef gboolean (*text_match_fn)(const char *key, const char *needle);

/* The matches there are; key and needle are search keys. */

/* The key contains the needle. */
gboolean text_contains(const char *key, const char *needle);

/* The key is the needle. */
gboolean text_equals(const char *key, const char *needle);

/* The key is an address of the needle, an "@domain". */
gboolean text_is_of_domain(const char *key, const char *needle);
/* The key, or what follows its last slash or backslash, fits the needle, a glob. */
gboolean text_fits_name(const char *key, const char *needle);

/* The key as a whole fits the needle, a glob. */
gboolean text_fits(const char *key, const char *needle);

/*
 * Appends to ids (of gint64) all texts whose key is matched.  needle: a search
 * key; for globs its fixed stretches lead the way.  progress: called with the
 * share of a walk; may be NULL.
 */
gboolean store_text_find(struct sql *sql, gint64 tenant, enum text_kind kind, text_match_fn match,
			 const char *needle, store_progress_fn progress, void *data, GArray *ids,
			 GError **error);
#endif
