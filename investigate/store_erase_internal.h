/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_erase_internal.h - what the parts of an erasure share.
 *
 * store_erase.c          the walk over all that is kept
 * store_erase_event.c    events, and what was found in them later
 * store_erase_delivery.c lines of the logs
 *
 * Only these include it.  Rows are given by their id; one that is gone is no error.
 */
#ifndef MAILTRACE_STORE_ERASE_INTERNAL_H
#define MAILTRACE_STORE_ERASE_INTERNAL_H

#include "store_erase.h"
#include "store_removal.h"

/* A step under way. */
struct erasing {
	struct store *store;
	gint64 tenant;
	const struct store_eraser *eraser;
	gint64 started_us;
	struct store_erasure erasure;
	struct removal removal; /* texts that lose a link, and whole events */
};

/* Returns a text without the person, to free; NULL if it is NULL or has nothing of him. */
char *erasing_without(const struct erasing *erasing, const char *text, const guint8 *scope);

/* Sets STORE_ERROR_DAMAGED for what does not match its digest; returns FALSE. */
gboolean erasing_refuse_damage(const char *what, GError **error);

/* One that would be left without a recipient goes as a whole. */
gboolean erase_event(struct erasing *erasing, gint64 id, GError **error);

/* What was found in an event's files later: its texts are the event's. */
gboolean erase_supplement(struct erasing *erasing, gint64 id, GError **error);

/* A line of the logs, whether or not its event is here. */
gboolean erase_delivery(struct erasing *erasing, gint64 id, GError **error);

/* All lines of an event: at once with it, so that both name the same recipients. */
gboolean erase_lines(struct erasing *erasing, gint64 event, GError **error);
#endif
