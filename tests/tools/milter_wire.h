/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milter_wire.h - the MTA's side of the milter protocol, for tests and benchmarks.
 *
 * Speaks version 6 as Postfix and Sendmail do (see <libmilter/mfdef.h> for the
 * packets): honours what the filter negotiates (steps it does not want, replies
 * it does not give, leading blanks of header values, the macros it asks for).
 * Blocking; one thread a connection.  Everything that waits has a deadline.
 */
#ifndef MAILTRACE_TESTS_MILTER_WIRE_H
#define MAILTRACE_TESTS_MILTER_WIRE_H

#include <glib.h>

#define WIRE_CHUNK_BYTES 65535 /* a body packet, as Postfix cuts them */

/* Stages of a message, in order; also the index of macro lists on the wire. */
enum wire_stage {
	WIRE_CONNECT,
	WIRE_HELO,
	WIRE_MAIL,
	WIRE_RCPT,
	WIRE_DATA,
	WIRE_HEADER,
	WIRE_END_OF_HEADER,
	WIRE_BODY,
	WIRE_END_OF_MESSAGE,
	WIRE_STAGES,
};

/* What the filter answered to one event. */
struct wire_reply {
	char command;	    /* SMFIR_*; 0 when the event has no reply */
	char *text;	    /* of SMFIR_REPLYCODE: "451 4.7.1 …"; else NULL */
	char *quarantine;   /* reason, or NULL */
	GPtrArray *changes; /* of char *: "insert 0 Name: value", "change 2 Name: ", … */
};

struct wire;

/* What an MTA offers; WIRE_POSTFIX and WIRE_SENDMAIL differ in their default macros. */
enum wire_mta { WIRE_POSTFIX, WIRE_SENDMAIL };

/* Connects to "unix:/path" or "inet:port@host".  Returns NULL with a G_IO_ERROR. */
struct wire *wire_connect(const char *address, guint timeout_ms, GError **error);

/* Negotiates.  Returns FALSE with a G_IO_ERROR when the filter breaks the protocol. */
gboolean wire_negotiate(struct wire *wire, guint32 actions, guint32 steps, GError **error);

/* Returns what the filter asked for: actions and steps. */
guint32 wire_actions(const struct wire *wire);
guint32 wire_steps(const struct wire *wire);

/* Returns the macros the filter asked for at a stage ("i {auth_type}"), or NULL for the MTA's
 * default. */
const char *wire_wanted_macros(const struct wire *wire, enum wire_stage stage);

/*
 * Sends macros of a stage, unless the filter asked for others.  macros: of
 * name/value pairs, NULL-terminated; those that the filter did not ask for are
 * left out, as an MTA does.
 */
void wire_macros(struct wire *wire, enum wire_stage stage, const char *const *pairs);

/*
 * Sends one event and reads the reply, if the negotiation has one.  payload:
 * length bytes as mfdef.h lays them out.  Returns FALSE with a G_IO_ERROR when
 * the filter went away, was too slow or broke the protocol.  Clear the reply.
 */
gboolean wire_event(struct wire *wire, char command, const void *payload, gsize length,
		    struct wire_reply *ret_reply, GError **error);

/* Sends what is buffered (events without a reply are). */
gboolean wire_flush(struct wire *wire, GError **error);

/* Frees what a reply owns. */
void wire_reply_clear(struct wire_reply *reply);

/* Says QUIT (or not) and closes.  NULL is allowed. */
void wire_close(struct wire *wire, gboolean quit);

#endif
