/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_lines.h - the lines of a log, by the message and the queue that they are
 * of; for store_trace.c alone.
 */
#ifndef MAILTRACE_STORE_LINES_H
#define MAILTRACE_STORE_LINES_H

#include <glib.h>

#include "store_trace.h"

/* A message in a queue: a recorded event's own, or one that a line names. */
struct place {
	gint64 event; /* 0: by the others */
	char *queue_id, *host;
	gint64 from_us, until_us;
	gboolean mailbox; /* queue_id is of an LMTP session */
};

/* A line that is about one recipient. */
struct line {
	gint64 id;
	char *recipient, *recipient_key, *original_key;
	enum delivery_kind kind;
	gint64 time_us;
	char *relay, *dsn, *next_queue_id, *host, *queue_id;
	char *folder, *storage_id, *message_key; /* of a mailbox's */
	guint uid;
};

/* A queue id under which a message as a whole goes on. */
struct onward {
	char *queue_id, *host;
	gint64 time_us;
};

/* Frees what a place owns. */
void place_clear(struct place *place);

/*
 * Finds the message that a hand-over at a time names, on a host or any (NULL).
 * queue_id of *ret_place stays as it is if nothing is known of it.  Clear with
 * place_clear().
 */
gboolean lines_find_place(struct store *store, gint64 tenant, const char *queue_id,
			  const char *host, gint64 time_us, struct place *ret_place,
			  GError **error);

/*
 * Reads the lines of a place about any of the keys, or all (NULL), in order of
 * time, at most max.  lines: gets struct line, and must free them (line_free()).
 */
gboolean lines_read(struct store *store, gint64 tenant, const struct place *place,
		    const GPtrArray *keys, guint max, GPtrArray *lines, GError **error);

/* Reads what was said of the message as a whole. */
gboolean lines_read_life(struct store *store, gint64 tenant, const struct place *place,
			 struct queue_life *ret_life, GError **error);

/* Reads where it went on as a whole.  onwards: gets struct onward, and must free them. */
gboolean lines_read_onwards(struct store *store, gint64 tenant, const struct place *place,
			    GPtrArray *onwards, GError **error);

/* Frees a struct line and what it owns. */
void line_free(void *line);

/* Frees a struct onward and what it owns. */
void onward_free(void *onward);
#endif
