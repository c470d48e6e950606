/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delivery.h - what became of a message after we let it pass.
 *
 * The milter sees a message before the MTA has made up its mind: a later
 * filter, or the MTA itself, may refuse a recipient or all of it.  The MTA's
 * log knows.  `mailtrace follow` turns its lines into deliveries, which travel
 * as OCSF email_activity with activity 4, Trace (ocsf_delivery.h), on the same
 * acknowledged bus as events, and the store joins them to the event by tenant
 * and queue id.  Knows no JSON and no library but GLib.  Text is UTF-8.
 */
#ifndef MAILTRACE_DELIVERY_H
#define MAILTRACE_DELIVERY_H

#include <glib.h>

/* What a line of the log says; recipient is set where it says so of one. */
enum delivery_kind {
	DELIVERY_QUEUED,   /* the MTA accepted the message: active in its queue */
	DELIVERY_REFUSED,  /* the MTA told the client no: message, or one recipient */
	DELIVERY_HELD,	   /* placed on hold */
	DELIVERY_SENT,	   /* recipient: delivered, or taken by the next hop */
	DELIVERY_DEFERRED, /* recipient: will be tried again */
	DELIVERY_BOUNCED,  /* recipient: given up */
	DELIVERY_DONE,	   /* removed from the queue: nothing more will come */
	DELIVERY_REQUEUED, /* it goes on as next_queue_id: requeued, or back from a filter */
	DELIVERY_RELEASED, /* from hold */
	DELIVERY_DELETED,  /* from the queue, by an operator, with the copies not yet sent */
	DELIVERY_EXPIRED,  /* too long in the queue: what was not sent is given up */

	/* Of a mailbox: what its server did with a copy that it was sent. */
	DELIVERY_STORED,    /* in a folder */
	DELIVERY_DISCARDED, /* the user's filter let it vanish */
	DELIVERY_FORWARDED, /* the filter sent it on to detail, or the user says he did */
	/* And what its user did with a copy that is there. */
	DELIVERY_SEEN, /* marked as seen, which is not yet opened */
	/* Its content; detail says which part, or "headers" of parts alone; without folder:
	 * of the session as a whole, and detail says how many bodies. */
	DELIVERY_FETCHED,
	DELIVERY_DOWNLOADED, /* by POP3; uid 0: of the session as a whole, detail says how many */
	DELIVERY_COPIED,     /* from from_folder, where it stays until it is EXPUNGED */
	DELIVERY_EXPUNGED,   /* from the folder; uid 0: all that is in it */

	/* Of the MTA again. */
	DELIVERY_ALIASED, /* original stands for recipient, and perhaps for others */

	/* Of a mailbox again. */
	DELIVERY_LOGIN, /* its user, from the client address in detail; queue_id: the session */
	/* To be sent to the client: by IMAP, and a FETCHED of the session that has its uid or
	 * number follows, or by POP3's TOP, and nobody tells how much of it. */
	DELIVERY_OPENED,
	DELIVERY_RENAMED, /* the folder from_folder to folder, with all in and below it */

	/* Of the milter itself, and of no event: it let the message pass unread and unrecorded,
	 * since its client is in exempt_networks. */
	DELIVERY_EXEMPT,
};
#define DELIVERY_KIND_COUNT 24

#define DELIVERY_LAST G_MAXUINT32

/* One fact of the log. */
struct delivery {
	char *event_id; /* UUIDv8 of the line and its place: the same line gives the same id */
	char *tenant;	/* as struct event has them */
	char *sensor;
	char *log_host; /* the host's name in the log line */
	char *queue_id; /* of a mailbox: the session's id, which LMTP tells the MTA */
	gint64 time_us; /* of the line, UTC */
	enum delivery_kind kind;
	char *recipient; /* final address (to=), without brackets; NULL if of the message;
			    of a mailbox: its user, as the server calls them */
	char *original;	 /* orig_to=, the address before aliases; NULL if the same */
	char *dsn;	 /* enhanced status code, "2.0.0"; NULL if none */
	char *relay;	 /* next hop as logged; of a mailbox: the service; NULL if none */
	char *detail; /* the text in parentheses, "from=<…>, size=N" of QUEUED, capped; or NULL */
	char *next_queue_id; /* "queued as", where the next hop is an MTA that says so, or the
				LMTP session; or NULL */
	guint recipients;    /* nrcpt= of QUEUED; 0 if not told */

	/* Of a mailbox; NULL or 0 where they are not told. */
	char *folder;	   /* where the copy is, or went */
	char *from_folder; /* of COPIED */
	char *storage_id;  /* Dovecot's %{storage_id}; with Maildir the guid */
	char *message_id;  /* with its brackets, as logged: Dovecot cuts it at 80 or 200 */
	guint uid;	   /* in folder */
	guint uid_last;	   /* of FETCHED: all from uid on to it; else 0 */
	/* Its place in the folder, as the session counted (RFC 9051 2.3.1.2); DELIVERY_LAST:
	 * that of the last one.  Of FETCHED without uid: all from number on to number_last. */
	guint number, number_last;
};

/* Returns an empty delivery.  Free with delivery_free(). */
struct delivery *delivery_new(void);

/* Returns a copy of a delivery.  Free with delivery_free(). */
struct delivery *delivery_copy(const struct delivery *delivery);

/* Frees a delivery and all it owns.  NULL is allowed. */
void delivery_free(struct delivery *delivery);

/* Returns whether a kind is of a mailbox. */
gboolean delivery_is_of_mailbox(enum delivery_kind kind);

/* Returns the name of a kind ("queued", "refused"…), static. */
const char *delivery_kind_name(enum delivery_kind kind);

typedef struct delivery delivery_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(delivery_t, delivery_free)
#endif
