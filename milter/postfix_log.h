/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postfix_log.h - what one line of Postfix's log says of a message.
 *
 * Pure, strict and capped: any thread, no I/O.  A line is hostile, since it
 * repeats what clients and next hops said.  So nothing is searched for in it:
 * what decides (program, queue id, action, addresses) is read by position from
 * the left, or, where free text stands between, from a tail that must match
 * to the line's end in exactly one way.  Addresses are those of
 * info_log_addr_form = quoted, Postfix's default from 3.5 on; in the older
 * form a local part can counterfeit the fields behind it.
 *
 * Understood are lines of syslog (RFC 3164 4.1.2, "Nov 23 13:08:31 host
 * tag[pid]: ", as maillog_file has them too) and those with an RFC 3339 stamp.
 * A tag is "postfix/smtpd", "postfix-out/smtp" or "postfix/submission/smtpd":
 * the first name begins with "postfix", the last is the program.
 *
 * | program                          | line                              | kind     |
 * | qmgr                             | from=<>, size=, nrcpt= (queue active) | QUEUED |
 * | qmgr                             | removed                           | DONE     |
 * |                                  | from=<>, status=(force-)expired, ... | EXPIRED |
 * | smtp lmtp local virtual pipe error | to=<>, ... status=sent          | SENT     |
 * |                                  | status=deferred, SOFTBOUNCE       | DEFERRED |
 * |                                  | status=bounced                    | BOUNCED  |
 * | discard                          | status=sent: nobody got it        | BOUNCED  |
 * | cleanup                          | (milter-)reject, (milter-)discard | REFUSED  |
 * | smtpd                            | (milter-)reject: RCPT             | REFUSED, the recipient |
 * |                                  | (milter-)reject: DATA, BDAT, END-OF-MESSAGE | REFUSED |
 * |                                  | (milter-)discard                  | REFUSED  |
 * | cleanup, smtpd, postsuper        | (milter-)hold, placed on hold     | HELD     |
 * | postsuper                        | released from hold                | RELEASED |
 * |                                  | removed                           | DELETED  |
 * | pickup                           | uid= from=<> orig_id=             | REQUEUED |
 * | smtpd                            | client=, orig_queue_id=           | REQUEUED |
 *
 * Both lines of REQUEUED are of the new queue id and name the old one; the delivery is
 * of the old one and names the new one, as "queued as" does.  What a client that logs in
 * calls itself may stand before orig_queue_id=, so that such a line says nothing: a content
 * filter does not log in.
 *
 * Lines with NOQUEUE belong to no message and say nothing; nor do probes
 * (status=deliverable, undeliverable).
 */
#ifndef MAILTRACE_POSTFIX_LOG_H
#define MAILTRACE_POSTFIX_LOG_H

#include <glib.h>

#include "delivery.h"

/*
 * Reads a line.  line: length bytes without the line break, of any content;
 * one over CAP_LOG_LINE_BYTES says nothing.  offset: of the line in its file;
 * the event id is made from both, so that a line read twice, be it from the
 * renamed file, is one event.  now_us: UTC; a stamp without a year is of the
 * latest year that is not more than a day after it.  zone: the zone of stamps
 * that name none, the machine's; where clocks are set back the hour that comes
 * twice is taken for the second (standard time), where they are set forward
 * the missing one for the moment of change.
 *
 * Returns a delivery with all members set but tenant and sensor, or NULL if
 * the line says nothing of a message.  Texts over CAP_DELIVERY_TEXT_BYTES are
 * cut; a line with an address over CAP_ADDRESS_BYTES says nothing, since half
 * an address is another's.  Free with delivery_free().
 */
struct delivery *postfix_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us,
				   GTimeZone *zone);
#endif
