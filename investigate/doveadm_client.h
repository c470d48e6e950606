/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm_client.h - a Dovecot's mailboxes, through its doveadm HTTP API.
 *
 * One command a request: 2.3 answers a batch of commands with invalid JSON
 * once one of them fails.  What the server answers is hostile (its mailboxes
 * hold what anybody sent): capped, typed, and text with NULs is never taken for
 * a shorter one.  A client belongs to one thread at a time.
 *
 * Source: https://doc.dovecot.org/2.3/admin_manual/doveadm_http_api/ and
 * doveadm-search-query(7).
 */
#ifndef MAILTRACE_DOVEADM_CLIENT_H
#define MAILTRACE_DOVEADM_CLIENT_H

#include <glib.h>

struct doveadm;

enum doveadm_error {
	DOVEADM_ERROR_UNREACHABLE, /* the server did not answer, or not in time */
	DOVEADM_ERROR_DENIED,	   /* it does not take our key, or we not its certificate */
	DOVEADM_ERROR_NO_USER,	   /* it has no such user */
	DOVEADM_ERROR_NO_MAILBOX,  /* the user has no such mailbox */
	DOVEADM_ERROR_FAILED,	   /* it could not; the exit code of doveadm(1) is in the text */
	DOVEADM_ERROR_TOO_LARGE,   /* the answer is over its cap */
	DOVEADM_ERROR_ANSWER,	   /* the answer is none of this API */
};
/* Its message is for a response; none has the key in it. */
#define DOVEADM_ERROR (doveadm_error_quark())
GQuark doveadm_error_quark(void);

/* A message in a mailbox.  Texts are UTF-8 and never NULL. */
struct doveadm_mail {
	char *mailbox;	    /* as the server names it */
	char *mailbox_guid; /* together with uid: the message's place */
	char *uid;
	char *guid;	    /* kept when the message is moved */
	char **flags;	    /* without \Recent, which belongs to a session */
	char **message_ids; /* of each Message-ID field its value, unfolded */
	char **trace_ids;   /* of each X-Mailtrace-Id field; as above */
	GByteArray *text;   /* as stored, with either line end; NULL if it was not asked for */
	gboolean exact;	    /* text is the message's, and no byte that is no UTF-8 was replaced */
	guint64 size;	    /* bytes as stored, line ends too */
};

/* When an exchange must have ended, and with whom; texts are borrowed. */
struct doveadm_call {
	const char *user;
	gint64 deadline_us; /* monotonic */
};

/*
 * Returns a client.  url: of the API.  ca: file of certificates that may have signed
 * the server's, "" for the system's.  key: the server's doveadm_api_key.  Free with
 * doveadm_free().
 */
struct doveadm *doveadm_new(const char *url, const char *ca, const char *key);

/*
 * Finds messages in all mailboxes that the query names, or in all that are
 * listed.  query: NULL-terminated, of doveadm-search-query(7); the server drops
 * the connection at a wrong one.  with_text: the whole messages, which is often
 * TOO_LARGE.  Returns NULL with a DOVEADM_ERROR; else an array of struct
 * doveadm_mail, at most CAP_COMMAND_COPIES.
 */
GPtrArray *doveadm_find(struct doveadm *doveadm, const struct doveadm_call *call,
			const char *const *query, gboolean with_text, GError **error);

/*
 * Fetches one message with its text, of up to CAP_DOVEADM_TEXT_BYTES as JSON.
 * Returns NULL with a DOVEADM_ERROR, NO_MAILBOX if it is no longer there; else free
 * with doveadm_mail_free().
 */
struct doveadm_mail *doveadm_fetch(struct doveadm *doveadm, const struct doveadm_call *call,
				   const struct doveadm_mail *mail, GError **error);

/*
 * Moves a message to another mailbox, which must exist (NO_MAILBOX).  Says
 * nothing of whether the message was still there: look again.
 */
gboolean doveadm_move(struct doveadm *doveadm, const struct doveadm_call *call,
		      const struct doveadm_mail *mail, const char *mailbox, GError **error);

/* Makes a mailbox, and subscribes the user if asked; one that exists already is an error (FAILED).
 */
gboolean doveadm_create(struct doveadm *doveadm, const struct doveadm_call *call,
			const char *mailbox, gboolean subscribe, GError **error);

/* Closes the connection; the key is cleared.  NULL is allowed. */
void doveadm_free(struct doveadm *doveadm);

/* Frees a struct doveadm_mail; of the form of GDestroyNotify.  NULL is allowed. */
void doveadm_mail_free(void *mail);

typedef struct doveadm doveadm_t;
typedef struct doveadm_mail doveadm_mail_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(doveadm_t, doveadm_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(doveadm_mail_t, doveadm_mail_free)
#endif
