/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_trace.h - where the copies of one recipient went, through one queue after
 * another; shared by store_settle.c, which makes a state of it, and
 * store_finals.c, which tells it.  Nobody else includes it.
 *
 * A line that hands a copy over names the queue id that it has there; what is
 * said under that id counts for the copy, and the line itself no more:
 *  - "forwarded as" of local(8): all that the new message says;
 *  - "queued as" of another MTA: what it says of this very address.  Nothing
 *    else, since a next hop may answer with an id that is not its own;
 *  - REQUEUED: what is said of any address that the copies have had so far.
 * Lines of a queue id are taken from shortly before the hand-over on, and of a
 * short one, which is used again, until it leaves the queue.
 */
#ifndef MAILTRACE_STORE_TRACE_H
#define MAILTRACE_STORE_TRACE_H

#include <glib.h>

#include "store_internal.h"

/* Last times at which something was said of a message as a whole in a queue; 0: never. */
struct queue_life {
	gint64 queued_us, held_us, released_us, deleted_us, expired_us, done_us;
	gboolean released; /* and not held since; of one second, by the order they came in */
};

/* Where a copy is in a mailbox. */
struct trace_place {
	char *folder;
	guint uid; /* 0: not told */
	gint64 from_us;
	gint64 until_us, until_line; /* the line of the log that ended it; 0: it is still there */
	gint64 line;		     /* that copied it there; 0: it was stored there */
};

/* One final address, and what its lines come to. */
struct trace_final {
	char *address, *key; /* as logged last, and its search key */
	enum recipient_state state;
	gint64 at_us; /* of the line that tells the state */
	char *relay, *dsn, *host, *queue_id;
	char *session; /* that put it into a mailbox; NULL if none is known */
	char *user_key, *message_key, *storage_id;
	char *user;
	GPtrArray *places; /* of struct trace_place: where it was stored */
};

/* The copies of one recipient; clear with trace_clear(). */
struct trace {
	GPtrArray *finals;	/* of struct trace_final, in order of their first line */
	struct queue_life life; /* in the newest queue that the message as a whole is in */
	gboolean refused;	/* a line refused this recipient */
};

/* Follows the copies of a recipient of an event.  key: search key of its address. */
gboolean trace_recipient(struct store *store, gint64 tenant, gint64 event, const char *key,
			 struct trace *ret_trace, GError **error);

/*
 * Returns the state of a copy that waits in a queue: deleted, expired, held, or
 * released, by what was said of the message since a time; else otherwise.
 */
enum recipient_state trace_waiting_state(const struct queue_life *life,
					 enum recipient_state otherwise, gint64 since_us);

/* Returns a new place.  Free with trace_place_free(). */
struct trace_place *trace_place_new(const char *folder, guint uid, gint64 from_us);

/* Frees a place. */
void trace_place_free(void *place);

/* Frees what a trace owns. */
void trace_clear(struct trace *trace);
#endif
