/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journey.h - one message with all its hops, and what the MTA's log said of each.
 *
 * Read at once and then asked by address, since a message may have thousands of
 * recipients.  One thread.
 */
#ifndef MAILTRACE_JOURNEY_H
#define MAILTRACE_JOURNEY_H

#include "event.h"
#include "store.h"

#define JOURNEY_HOPS 32 /* of one message through our own sensors; loops end earlier */

/* A hop: its record, and the lines of the log that were joined to it. */
struct journey_hop {
	struct event *event;
	GPtrArray *lines;     /* of struct delivery, in order of time */
	GHashTable *outcomes; /* of GPtrArray of struct delivery, by search key of either
			       * address: SENT, DEFERRED, BOUNCED, and REFUSED */
	GHashTable *envelope; /* set of the search keys of its recipients */
	GHashTable *settled;  /* set of the search keys of final addresses that have an end */
	guint expected;	      /* final addresses in the queue, as QUEUED told; 0: not told */
	gboolean held;	      /* it waits on hold, by our verdict or by the log */
	gboolean done;	      /* it left the queue */
};

/* What became of a message for one final address, at one hop. */
struct journey_final {
	const char *address;		 /* borrowed from a line */
	const struct delivery *sent;	 /* the line that says so, or NULL; of the others too */
	const struct delivery *deferred; /* it waits in the queue */
	const struct delivery *bounced;
	const struct delivery *refused;
};

struct journey {
	GPtrArray *hops; /* of struct journey_hop, in order of time; [0] is the root */
};

/*
 * Reads the journey of a message by the event of one of its hops.  Returns NULL
 * with an error.  Free with journey_free().
 */
struct journey *journey_read(struct store *store, const char *tenant, const char *event_id,
			     GError **error);

/* Frees a journey.  NULL is allowed. */
void journey_free(struct journey *journey);

/* Returns the place of the hop with this event; 0 if there is none. */
guint journey_place(const struct journey *journey, const char *event_id);

/*
 * Tells what became of the message for an address of a hop's envelope, by final
 * address, which differs behind an alias.  Returns struct journey_final elements,
 * none if no line spoke of it; free with g_array_unref().
 */
GArray *journey_finals(const struct journey_hop *hop, const char *address);

/*
 * Returns TRUE if the message is still in the hop's queue for addresses of which no
 * line spoke yet: an alias has copies that are not known.
 */
gboolean journey_waits(const struct journey_hop *hop);

/*
 * Returns the place of the later hop that a message went to: that with the queue
 * id which the next hop told, else the next with the address in its envelope; 0 if
 * there is none.  queue_id: may be NULL.
 */
guint journey_next(const struct journey *journey, guint hop, const char *queue_id,
		   const char *address);

typedef struct journey journey_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journey_t, journey_free)
#endif
