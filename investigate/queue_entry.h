/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_entry.h - one message in an MTA's queue, and whether it is the one meant.
 *
 * A queue id alone names no message: short ids of Postfix are reused within
 * seconds.  So what an MTA shows under an id is compared with what was recorded:
 * sender, arrival, size.  Knows the form of postqueue -j; runs nothing.  Any
 * thread.
 */
#ifndef MAILTRACE_QUEUE_ENTRY_H
#define MAILTRACE_QUEUE_ENTRY_H

#include <glib.h>

struct queue_entry {
	char *queue_name; /* "active", "deferred", "hold"… */
	char *queue_id;
	char *sender; /* "" for <> */
	gint64 arrival_s;
	guint64 size;	  /* bytes, as the MTA counts them */
	guint recipients; /* that have not had it */
	gboolean held;
};

/* What was recorded of a message; of the command that names it. */
struct queue_record {
	const char *sender;
	gint64 arrival_s; /* when the sender was named in SMTP */
	guint64 size;	  /* bytes; 0: not known */
};

/* How far from the record's time an MTA's own arrival time may lie. */
struct queue_window {
	gint64 before_s, after_s;
};

/*
 * Reads one line of postqueue -j (Postfix 3.1 and later): length bytes, capped by
 * the caller at CAP_QUEUE_LINE_BYTES; unknown members are ignored.  Returns NULL
 * when it is no entry.  Free with queue_entry_free().
 */
struct queue_entry *queue_entry_parse(const char *line, gsize length);

/* Returns a copy of an entry; NULL of NULL. */
struct queue_entry *queue_entry_dup(const struct queue_entry *entry);

/* Frees an entry.  NULL is allowed. */
void queue_entry_free(struct queue_entry *entry);

/*
 * Compares an entry with a record.  Returns NULL if it is that message; else what
 * differs, for people.  Senders are compared as address_search_key() has them;
 * sizes loosely, since the MTA and filters behind ours add header fields.
 */
const char *queue_entry_difference(const struct queue_entry *entry,
				   const struct queue_record *record,
				   const struct queue_window *window);

/* Returns whether a time of an MTA's is that of a record. */
gboolean queue_window_holds(const struct queue_window *window, gint64 recorded_s, gint64 arrival_s);

typedef struct queue_entry queue_entry_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(queue_entry_t, queue_entry_free)
#endif
