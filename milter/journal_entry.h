/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal_entry.h - what one entry of systemd's journal says, as a line of syslog.
 *
 * Reads the entry at which a journal stands, and moves nothing.  What an entry
 * holds may be any bytes of any length; the fields that begin with "_" are
 * journald's own, and trusted if the journal's files are (systemd.journal-fields(7)).
 * Whose entries are believed, the caller has decided before (journal_tail.h).
 */
#ifndef MAILTRACE_JOURNAL_ENTRY_H
#define MAILTRACE_JOURNAL_ENTRY_H

#include <glib.h>

#include "log_line.h"

struct sd_journal;

/*
 * Returns the entry as a line, if its SYSLOG_IDENTIFIER is that of Postfix,
 * Sendmail or Dovecot, else NULL.  number: becomes the line's offset.
 * *ret_oversized: it is one, but has over CAP_LOG_LINE_BYTES, and NULL is
 * returned.  Free with log_line_free().
 */
struct log_line *journal_entry_line(struct sd_journal *journal, guint64 number,
				    gboolean *ret_oversized);

/*
 * journald tells, before it takes the next entry of a unit, how many it has not
 * taken.  Returns what is to be told of that, if this is such an entry and the
 * unit is the MTA's or not named; else NULL.  Free with g_free().
 */
char *journal_entry_dropped(struct sd_journal *journal);
#endif
