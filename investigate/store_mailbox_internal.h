/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_mailbox_internal.h - a copy being followed through its mailbox, for
 * store_mailbox.c and store_taken.c alone.
 *
 * One thread.
 */
#ifndef MAILTRACE_STORE_MAILBOX_INTERNAL_H
#define MAILTRACE_STORE_MAILBOX_INTERNAL_H

#include <glib.h>

#include "store_trace.h"

struct following {
	struct store *store;
	gint64 tenant, event;
	struct trace_final *final;
	GPtrArray *acts;   /* of struct store_act */
	GHashTable *known; /* of "what detail perhaps": told once */
};

/* A deed of the log. */
struct deed {
	enum delivery_kind kind;
	gint64 time_us;
	gint64 id;
	char *folder, *from_folder, *detail, *service, *session, *client;
	gint64 login_us; /* when its session began; 0: not known */
	guint uid;
	gint64 extra; /* what its question asked besides */
};

/*
 * The columns of a deed, from deliveries; detail, extra: SQL.  Of the question ?1 is the
 * tenant and ?2 the user's key.
 */
#define DEED(detail, extra)                                                                         \
	"SELECT id, kind, time_us, folder, from_folder, " detail ", relay, queue_id, uid,"          \
	" (SELECT l.detail FROM deliveries l INDEXED BY deliveries_queue WHERE l.tenant=?1"         \
	" AND l.queue_id=deliveries.queue_id AND l.recipient_key=?2 AND l.kind=20 LIMIT 1), " extra \
	" FROM deliveries"

/* Returns an array for struct deed. */
GPtrArray *mailbox_deeds_new(void);

/* Reads rows of DEED() to their end, and adds them to deeds, with the logins of their sessions. */
gboolean mailbox_read_deeds(const struct following *following, struct sql_stmt *rows,
			    GPtrArray *deeds, GError **error);

/*
 * Tells what was done (what: static), with the deed's own detail; the same again, which tells
 * nothing new, is left out.
 */
void mailbox_add_act_once(struct following *following, const char *what, const struct deed *deed,
			  gboolean perhaps);

/* store_taken.c: tells what was fetched and downloaded of the copy in the places where it was. */
gboolean mailbox_taken(struct following *following, GError **error);
#endif
