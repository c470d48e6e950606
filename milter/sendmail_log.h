/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail_log.h - what one line of Sendmail's log says of a message.
 *
 * As postfix_log.h: pure, strict, capped, read by position.  Lines of syslog with
 * the tag "sendmail" or "sm-mta"; the LogLevel of 9, Sendmail's default, has all
 * but "done", which needs 11.
 *
 * | line                                      | kind                          |
 * | from=<>, size=, class=, nrcpts=N          | QUEUED, N recipients          |
 * | to=..., stat=Sent                         | SENT, each of the recipients  |
 * | to=..., stat=Deferred, or dsn=4.x.x       | DEFERRED                      |
 * | to=..., dsn=5.x.x                         | BOUNCED                       |
 * | to=..., stat= without dsn= and mailer=    | REFUSED, these recipients     |
 * | to=..., stat=quarantined, milter=, quarantine= | HELD                     |
 * | Milter: to=<>, reject=                    | REFUSED, the recipient        |
 * | Milter: data, reject= or discard          | REFUSED; header, eoh, body, eom too |
 * | done;                                     | DONE                          |
 * | alias <A> => b, <c>                       | ALIASED, each of the members  |
 *
 * "from=" comes before the filters have decided on the message, so that a later
 * REFUSED takes it back.  Of an alias Sendmail names final addresses only, but
 * for programs and files, whose controlling user (ctladdr=) is told as original; with
 * LogLevel 11 or more it says which alias was for whom, of which it leaves out what is
 * over 200 bytes.
 */
#ifndef MAILTRACE_SENDMAIL_LOG_H
#define MAILTRACE_SENDMAIL_LOG_H

#include <glib.h>

#include "delivery.h"

#define SENDMAIL_LOG_RECIPIENTS 1000 /* of one line; Sendmail cuts lines long before */

/*
 * Reads a line, with the arguments of postfix_log_parse(), and adds what it says to
 * deliveries (of struct delivery *), without tenant and sensor: several where it names
 * several recipients, nothing where it says nothing of a message.
 */
void sendmail_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us,
			GTimeZone *zone, GPtrArray *deliveries);
#endif
