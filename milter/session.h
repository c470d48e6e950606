/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - the life of one SMTP connection and of the messages on it.
 *
 * Collects what the MTA says, has the message read, lets the policy decide,
 * and puts the event into the spool before it answers.  Knows no type of
 * libmilter, so that it can be driven by a test or a fuzzer without a socket.
 * A session is used by one thread at a time (libmilter moves it between its
 * threads); all state hangs from it, none from the thread.
 */
#ifndef MAILTRACE_SESSION_H
#define MAILTRACE_SESSION_H

#include <glib.h>

#include "engine.h"
#include "policy.h"

struct session;

/* Asks the MTA for a macro's value: "i", "{auth_authen}"; NULL if not given. */
typedef const char *(*session_macro_fn)(void *mta, const char *name);

/* A change that the MTA is to make to the message before it is accepted. */
struct session_change {
	enum { CHANGE_REMOVE_HEADER, CHANGE_ADD_HEADER } kind;
	const char *name; /* static */
	guint occurrence; /* of REMOVE: the n-th field of this name, from 1 */
	char *value;	  /* of ADD */
};

/* What session_end_of_message() decided; clear with session_outcome_clear(). */
struct session_outcome {
	struct policy_decision decision;
	GPtrArray *changes; /* of struct session_change, in the order to apply */
};

/*
 * Begins a session.  engine: what all sessions share; borrowed, outlives it.
 * Its settings are taken now and kept for the whole connection.  Returns NULL
 * when max_connections is reached.  Free with session_free().
 */
struct session *session_new(struct engine *engine, session_macro_fn macro);

/*
 * What the MTA agreed to at negotiation: to quarantine, and to have header
 * fields added and removed.  Neither until this is called.
 */
void session_set_abilities(struct session *session, gboolean can_hold, gboolean can_change);

/*
 * The client.  name: as resolved, NULL or "[1.2.3.4]" if not; ip: text, or NULL for local; port 0
 * if unknown.  Of messages of a client in exempt_networks nothing is read, and nothing
 * recorded but that they passed (exempt.h).
 */
void session_connect(struct session *session, void *mta, const char *name, const char *ip,
		     guint port);

/* HELO or EHLO; TLS macros are read now, and again at MAIL. */
void session_helo(struct session *session, void *mta, const char *helo);

/* MAIL: a new message begins; one that was under way is dropped.  argv: NULL-terminated, [0] the
 * address as typed. */
void session_mail(struct session *session, void *mta, char **argv);

/* RCPT: as MAIL. */
void session_rcpt(struct session *session, void *mta, char **argv);

/* DATA: the queue id is read for the first time, where the MTA has it. */
void session_data(struct session *session, void *mta);

/* A header field: name and value as the MTA has them, leading blanks kept, folded with LF. */
void session_header(struct session *session, const char *name, const char *value);

/* The end of the header. */
void session_end_of_header(struct session *session);

/* A piece of the body: length bytes, any content. */
void session_body(struct session *session, const void *bytes, gsize length);

/*
 * The end of the message: reads it, decides, spools.  When it returns, the
 * event is on disk or the decision says that it is not.  ret_outcome is always
 * filled.
 */
void session_end_of_message(struct session *session, void *mta,
			    struct session_outcome *ret_outcome);

/* The message was given up: nothing of it is kept, and no event made. */
void session_abort(struct session *session);

/* Ends the session.  NULL is allowed. */
void session_free(struct session *session);

/*
 * Tells what becomes of a connection that session_new() had no place for: it
 * cannot be recorded.  One that may pass counts as a message that passed
 * unrecorded, however many come by it.
 */
struct policy_decision session_refused(struct engine *engine);

/* Frees what an outcome owns. */
void session_outcome_clear(struct session_outcome *outcome);

typedef struct session session_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(session_t, session_free)
#endif
