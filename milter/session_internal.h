/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_internal.h - what the parts of a session share; nobody else includes it.
 *
 * session.c        the connection and the envelope
 * session_header.c the header: what is kept of it, what of it is to be changed
 * session_end.c    the end of a message
 */
#ifndef MAILTRACE_SESSION_INTERNAL_H
#define MAILTRACE_SESSION_INTERNAL_H

#include "event.h"
#include "keys.h"
#include "message.h"
#include "session.h"
#include "trace_id.h"

/* One X-Mailtrace-Id field of the message under way. */
struct trace_field {
	guint occurrence; /* among the fields of this name, from 1 */
	enum trace_id_kind kind;
	char event_id[EVENT_ID_LENGTH + 1]; /* of TRACE_ID_VALID */
};

struct session {
	struct engine *engine; /* borrowed */
	struct settings *settings;
	session_macro_fn macro;
	gboolean has_key;
	guint8 key[SITE_KEY_BYTES];
	GPtrArray *own_sensors; /* of const char *, borrowed from settings; NULL-terminated */
	gboolean can_hold;
	gboolean can_change;

	/* the connection */
	gboolean exempt;
	struct client client; /* the SASL members are the message's */
	char *host;
	char *mta;
	GPtrArray *connection_caps; /* of const char *, static: met before the first message */

	/* the message under way; event is NULL between messages */
	struct event *event;
	struct message *message;
	GPtrArray *caps;    /* of const char *, static: met in the envelope or the header */
	GArray *trace;	    /* of struct trace_field, at most CAP_TRACE_HEADERS */
	guint trace_fields; /* X-Mailtrace-Id fields, those beyond the cap included */
	char *message_id;   /* as they stand in the header, should nobody read the message */
	char *subject;
};

/* Notes that a cap was met, once: in the message under way, or in the connection. */
void session_note_cap(struct session *session, const char *name);

/*
 * Returns outside text made valid UTF-8 and cut at max_bytes, which is noted as cap_name
 * (static); NULL for NULL and for "".  Free with g_free().
 */
char *session_bounded(struct session *session, const char *text, gsize max_bytes,
		      const char *cap_name);

/* Replaces *place, which owns its text, by a macro's value, where the MTA gives one. */
void session_read_macro(struct session *session, void *mta, const char *name, char **place);

/* Forgets the message under way. */
void session_drop_message(struct session *session);

/*
 * Returns the place in session->trace of the field that we believe, or -1.  The
 * first is taken: a hop of ours puts its stamp above what was there.
 */
int session_believed_field(const struct session *session);

/* Returns an empty list of struct session_change, which owns them; unref it. */
GPtrArray *session_changes_new(void);

/*
 * Appends what the MTA is to change in the header.  believed: what
 * session_believed_field() said.  An event that is nowhere is not named in the message.
 */
void session_fill_changes(const struct session *session, int believed,
			  const struct policy_facts *facts, GPtrArray *changes);
#endif
