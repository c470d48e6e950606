/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h - a user who logged in to a mail server, and from where.
 *
 * `mailtrace follow` makes one of each line of a log that tells of a login
 * (mta_login.h, dovecot_log.h).
 * It travels as OCSF authentication (ocsf_login.h) on the same acknowledged bus as
 * events, and the store keeps who used which address when (store_logins.h), so that an
 * answer can name the device behind it.  Knows no JSON and no library but GLib.  Text is
 * UTF-8.
 */
#ifndef MAILTRACE_LOGIN_H
#define MAILTRACE_LOGIN_H

#include <glib.h>

/* Limits of a login's words; what is longer is none of ours. */
#define LOGIN_SERVICE_MAX 32 /* "managesieve" has 11 */
#define LOGIN_METHOD_MAX 32  /* a SASL mechanism has at most 20 (RFC 4422 3.1) */
#define LOGIN_SESSION_MAX 64 /* Dovecot's has 16 to 40, a queue id fewer */

struct login {
	char *event_id; /* UUIDv8 of the line and its place: the same line gives the same id */
	char *tenant;	/* as struct event has them */
	char *sensor;
	char *log_host; /* the host's name in the log line */
	char *service;	/* "imap", "pop3", "managesieve", "submission"; of an MTA "smtp", or as
			   its master.cf calls the service */
	char *user;	/* as the server calls him, never empty, at most CAP_ADDRESS_BYTES */
	char *client;	/* the address, as network_ip_text() writes it */
	char *session;	/* Dovecot's id of the session, Postfix's queue id; NULL if there is none */
	char *method;	/* the SASL mechanism; NULL if not told */
	gint64 time_us; /* of the line, UTC */
};

/* Returns an empty login.  Free with login_free(). */
struct login *login_new(void);

/* Frees a login and all it owns.  NULL is allowed. */
void login_free(struct login *login);

typedef struct login login_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(login_t, login_free)
#endif
