/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_asking.h - a question to the SQLite store on its way; shared by
 * store_who.c, which gives the rows, store_terms.c, which finds candidates, and
 * store_match.c, which holds them against the terms.  Nobody else includes it.
 */
#ifndef MAILTRACE_STORE_ASKING_H
#define MAILTRACE_STORE_ASKING_H

#include <glib.h>

#include "store_internal.h"

/* Where a question continues: behind the row of this event and recipient. */
struct cursor {
	gint64 received_at_us;
	guint8 event_id[UUID_BYTES];
	gint64 n;
};

/* An event that may be an answer; text lives as long as its row. */
struct candidate {
	gint64 id;
	gint64 received_at_us;
	guint8 event_id[UUID_BYTES];
	guint8 root[UUID_BYTES]; /* of its chain; its own id without one */
	gboolean chained;	 /* other events may be of the same message */
	struct sql_stmt *row;
};

/* The file by which a message matches. */
struct matched_file {
	gboolean found;
	gint64 n;
	int rank; /* 0: the very content, 1: a variant, 2: a candidate */
	char *path;
	char *variant;
};

/* A question on its way. */
struct asking {
	struct store *store;
	const struct query *query;
	gint64 tenant;
	gint64 since_us, until_us;
	gboolean with_refused;
	gboolean asks_file; /* some term is about a file */
	guint64 *found;	    /* how much each term was resolved to */
	gboolean has_cursor;
	struct cursor cursor;
	GHashTable *seen; /* of "root recipient", rows given for chains */
	store_hit_fn hit;
	void *data;
	store_progress_fn progress;
	void *progress_data;
	gint64 last_us; /* newest receive time, for the share */
	guint64 looked_at, hits;
	gboolean stopped; /* the limit, or the caller, is satisfied */
};

/* Columns of a candidate's row. */
enum {
	COLUMN_EVENT_ID,
	COLUMN_CHAIN,
	COLUMN_RECEIVED_AT,
	COLUMN_DIRECTION,
	COLUMN_CLIENT_IP,
	COLUMN_SENDER,
	COLUMN_SUBJECT,
	COLUMN_MESSAGE_ID,
	COLUMN_QUEUE_ID,
	COLUMN_SENSOR,
	COLUMN_JOINED,
};

/* Returns TRUE for a term that must hold of the same file as the others of its kind. */
gboolean asking_is_about_file(enum term_kind kind);

/* Returns a term of the question, borrowed. */
const struct query_term *asking_term(const struct asking *asking, guint i);

/* Resolves all terms into temp.found (term, id, variant), and counts them in asking->found. */
gboolean asking_resolve(struct asking *asking, GError **error);

/*
 * Begins the walk over ids of events that may be answers, in order of time.
 * uuid: room that must live as long as the walk.
 */
struct sql_stmt *asking_candidates(struct asking *asking, guint8 uuid[UUID_BYTES]);

/* Holds a candidate against all terms that are about the message as a whole. */
gboolean asking_event_fits(struct asking *asking, const struct candidate *candidate,
			   gboolean *ret_fits, GError **error);

/*
 * Finds the file of an event that all terms about files hold of, the best match
 * first, then the first in the message.  best: zeroed; found says whether there
 * is one.  Clear with matched_file_clear().
 */
gboolean asking_find_file(struct asking *asking, gint64 event, struct matched_file *best,
			  GError **error);

/* Frees what a match owns, and zeroes it. */
void matched_file_clear(struct matched_file *file);
#endif
