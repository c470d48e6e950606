/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mta_login.h - what one line of an MTA's log says of a user who logged in to submit mail.
 *
 * Pure, strict and capped, as postfix_log.h is.  All is read by position from the left.
 * Before the user's name stands only what the MTA itself wrote, the client's host name
 * among it, from which both MTAs take all but the marks of a name.  The name itself is
 * that of somebody who proved to be him; one with a blank, a comma or a bracket is
 * taken for none, since behind it fields could be counterfeited.
 *
 * | MTA      | line                                                              |
 * | Postfix  | smtpd: QUEUEID: client=host[ip](:port), sasl_method=, sasl_username=U |
 * | Sendmail | AUTH=server, relay=host [ip], authid=U, mech=, bits=              |
 *
 * Postfix writes one for each message, Sendmail one for each session, without an id.
 */
#ifndef MAILTRACE_MTA_LOGIN_H
#define MAILTRACE_MTA_LOGIN_H

#include <glib.h>

#include "login.h"

/*
 * Reads a line of Postfix, with the arguments of postfix_log_parse().  Returns a login
 * without tenant and sensor, or NULL if the line tells of none.  Free with login_free().
 */
struct login *postfix_login_parse(const char *line, gsize length, guint64 offset, gint64 now_us,
				  GTimeZone *zone);

/* The same of Sendmail. */
struct login *sendmail_login_parse(const char *line, gsize length, guint64 offset, gint64 now_us,
				   GTimeZone *zone);
#endif
