/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_add.h - an event on its way into the tables.
 *
 * store_add.c        the event: its texts and recipients
 * store_add_parts.c  its files
 * store_add_chain.c  its place among the others of the same mail
 * store_supplement.c files that are found later
 *
 * Only these include it; in one transaction.
 */
#ifndef MAILTRACE_STORE_ADD_H
#define MAILTRACE_STORE_ADD_H

#include "store_internal.h"

/* An event on its way into the tables. */
struct addition {
	struct store *store;
	const struct event *event;
	gint64 tenant, sensor;
	guint8 event_id[UUID_BYTES];
	guint8 chain[UUID_BYTES]; /* the root's id; the event's own when it is the root */
	gboolean chained;	  /* it has a root other than itself */
	gboolean counted;
	gint64 message_key; /* 0 without a Message-ID */
	gboolean joinable;  /* content says what mail this is */
	guint8 content[SHA256_BYTES];
	gboolean imported;
	gint64 id; /* row of events */
};

/*
 * Fills in who the event is: ids, tenant, sensor and what it can be joined by.  FALSE
 * with STORE_ERROR_EVENT if it has no valid id, tenant or sensor.
 */
gboolean addition_begin(struct addition *add, GError **error);

/* Keeps a text of the event's tenant (store_text_keep()): *ret_id is its row. */
gboolean addition_keep_text(struct addition *add, enum text_kind kind, const char *text,
			    const char *key, gboolean indexed, gint64 *ret_id, GError **error);

/* Adds all files of the event that are looked for. */
gboolean addition_add_parts(struct addition *add, GError **error);

/* Adds one, as number n of the event's. */
gboolean addition_add_part(struct addition *add, guint n, const struct file *file, GError **error);

/*
 * Finds the root of the event's chain: that of its parent, if we have it, or the
 * parent; joins later hops that came before; decides whether the event may count.
 */
gboolean addition_join_chain(struct addition *add, GError **error);

/*
 * Takes the recipients out of imports of the same mail, and these out of the count: a
 * sensor's record, which has been inserted, stands for them.
 */
gboolean addition_supersede_imports(struct addition *add, GError **error);
#endif
