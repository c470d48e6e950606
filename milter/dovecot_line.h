/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_line.h - a line of Dovecot's log whose head is read, and the readers of its rest.
 *
 * dovecot_log.c takes the head of a line apart: time, host, service, user, session.
 * What stands behind it is read by the file of the part of Dovecot that wrote it.
 * Nobody else includes this.  Pure; any thread.
 */
#ifndef MAILTRACE_DOVECOT_LINE_H
#define MAILTRACE_DOVECOT_LINE_H

#include <glib.h>

#include "caps.h"
#include "delivery.h"
#include "log_cursor.h"

#define DOVECOT_SERVICE_MAX 32
#define DOVECOT_USER_MAX CAP_ADDRESS_BYTES
#define DOVECOT_SESSION_MAX 64
#define DOVECOT_ARROW " -> " /* between the names of a renamed folder */

/* A line on its way to what it says.  Strings but raw are its own; NULL: not said. */
struct dovecot_line {
	const char *raw; /* as it came, for ids; borrowed */
	gsize length;
	guint64 offset;
	gint64 time_us;
	char *host, *service, *user, *session;
	GPtrArray *deliveries; /* of struct delivery *; borrowed */
	GPtrArray *logins;     /* of struct login *; borrowed */
};

/* Frees what the line owns. */
void dovecot_line_clear(struct dovecot_line *line);

/* Adds a delivery of the line, with what its head says; borrowed, to be filled. */
struct delivery *dovecot_line_add(struct dovecot_line *line, enum delivery_kind kind);

/* Returns text cut at CAP_DELIVERY_TEXT_BYTES.  Free with g_free(). */
char *dovecot_line_text(const char *text);

/* Is this what Dovecot makes as the name of a session? */
gboolean dovecot_line_is_session(const char *text);

/*
 * Takes "<id>" as it stands in a Message-ID of ordinary form, or its beginning where
 * Dovecot cut it ("<id..."), up to a stop or the end.  NULL if it is anything else;
 * else for g_free().
 */
char *dovecot_line_message_id(struct log_cursor *cursor, const char *stop);

/* dovecot_lmtp.c: "msgid=...: what was done" of LMTP, perhaps of Sieve. */
void dovecot_lmtp_read(struct dovecot_line *line, const char *text);

/* dovecot_mail_log.c: the mail_log plugin.  FALSE if the text is none of the plugin's. */
gboolean dovecot_mail_log_read(struct dovecot_line *line, const char *text);

/* dovecot_mail_log.c: "Mailbox deleted: FOLDER", "Mailbox renamed: FOLDER -> FOLDER". */
void dovecot_mail_log_read_mailbox(struct dovecot_line *line, const char *text);

/* dovecot_export.c: a line of an event exporter, in JSON; sets service, user and session. */
void dovecot_export_read(struct dovecot_line *line, const char *text);

/* dovecot_login.c: "Login: user=<...>, ..." of a login service. */
void dovecot_login_read(struct dovecot_line *line, const char *text);

/* dovecot_session.c: how a session of IMAP ended, and how much of bodies it had. */
void dovecot_session_read_imap(struct dovecot_line *line, const char *text);

/* dovecot_session.c: how a session of POP3 ended, and what it took. */
void dovecot_session_read_pop3(struct dovecot_line *line, const char *text);
#endif
