/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmail_qf.h - a control file of Sendmail's queue, as its operations guide
 * (Appendix B, "Summary of support files") describes it.
 *
 * A line's first letter says what it is: T the time, S the sender, R a recipient,
 * q the reason of a quarantine, H a header field.  Lines that are not known are
 * passed over, so that later versions are read.  Pure; any thread.
 */
#ifndef MAILTRACE_SENDMAIL_QF_H
#define MAILTRACE_SENDMAIL_QF_H

#include "queue_entry.h"

/*
 * Reads a control file's text, length bytes, capped by the caller.  header: NULL, or
 * gets the message's own header fields, with LF, without those that Sendmail adds
 * for some mailers only.  Returns an entry without name and id, whose size is that of
 * the header; NULL when time or sender are missing.  Free with queue_entry_free().
 */
struct queue_entry *sendmail_qf_parse(const char *text, gsize length, GString *header);

/*
 * Returns the queue's directory as a sendmail.cf has it ("O QueueDirectory="), which
 * may end in a name with '*'; NULL if it has none.  Free with g_free().
 */
char *sendmail_cf_queue(const char *text);
#endif
