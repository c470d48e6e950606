/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dovecot_log.h - what one line of Dovecot's log says of a copy in a mailbox.
 *
 * Pure, strict and capped, as postfix_log.h is: a line repeats the Message-ID and
 * the addresses that a stranger chose, and the names that a user gave to folders.
 * So the ends of a line are read, where these cannot be: what Dovecot did stands
 * behind the last ": ", and a storage id before it has no blank, quote or bracket,
 * while a Message-ID ends with one.  What could be read in two ways is left out.
 *
 * Understood are Dovecot's own files ("Nov 28 15:51:52 lmtp(user)<pid><session>: Info:
 * text", whose host the caller tells) and syslog ("… host dovecot: lmtp(…)…: text"), of
 * Dovecot 2.3 and 2.4:
 *
 * | service | text                                        | kind       |
 * | lmtp    | msgid=...: saved mail to FOLDER             | STORED     |
 * |         | sieve: msgid=...: stored mail into mailbox 'FOLDER' | STORED |
 * |         | sieve: msgid=...: ... discarded             | DISCARDED  |
 * |         | sieve: msgid=...: forwarded to <address>    | FORWARDED, with the address |
 * |         | save:, copy from FOLDER: (mail_log)         | STORED, with the UID |
 * | others  | copy from FOLDER: box=, uid=                | COPIED     |
 * |         | expunge: box=, uid=                         | EXPUNGED   |
 * |         | Mailbox deleted: FOLDER                     | EXPUNGED, all in it |
 * |         | Mailbox renamed: FOLDER -> FOLDER           | RENAMED    |
 * |         | flag_change: ..., flags=(\Seen)             | SEEN; of pop3 DOWNLOADED |
 * |         | flag_change: ..., flags=($Forwarded)        | FORWARDED  |
 * | imap    | ... body_count=N body_bytes=N               | FETCHED, the session |
 * | pop3    | Disconnected: ... top=N/..., retr=N/..., del=N/... | DOWNLOADED, the session |
 * | *-login | Login: user=<>, method=, rip=, ..., session=<> | a login |
 * | stats   | {"event":"imap_command_finished",...}       | FETCHED, if of content |
 * |         | likewise, where a name has an arrow         | RENAMED    |
 * |         | {"event":"mail_opened",...}                 | OPENED, DOWNLOADED |
 *
 * Storage ids come with
 * deliver_log_format = "msgid=%m: size=%p, env_from=<%e>, env_to=<%{to_envelope}>,
 * storage_id=%{storage_id}: %$" alone (mailtrace.conf(5)), UIDs with the mail_log plugin, fetches
 * with an event exporter.
 */
#ifndef MAILTRACE_DOVECOT_LOG_H
#define MAILTRACE_DOVECOT_LOG_H

#include <glib.h>

#include "delivery.h"

#define DOVECOT_LOG_RANGES 100 /* of UIDs, of one command */

/*
 * Reads a line, with the arguments of postfix_log_parse(), and adds what it says to
 * deliveries (of struct delivery *), or to logins (of struct login *, login.h), without
 * tenant and sensor; nothing where it says nothing of a copy or a login.  host: this machine's, for
 * lines that name none.
 */
void dovecot_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us,
		       GTimeZone *zone, const char *host, GPtrArray *deliveries, GPtrArray *logins);
#endif
