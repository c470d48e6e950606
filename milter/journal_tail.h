/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal_tail.h - the lines of the MTA in systemd's journal, each once.
 *
 * Owns the open journal and knows where it stands; libsystemd's sd-journal is
 * its and journal_entry.h's alone.  Knows nothing of what lines say, but whose
 * they are: an entry is taken if its SYSLOG_IDENTIFIER is that of Postfix,
 * Sendmail or Dovecot, and its _UID one that is trusted.  The first is what the
 * writer says, and any user may write "postfix/smtp"; the second is the kernel's
 * (systemd.journal-fields(7)).
 *
 * An entry becomes (journal_entry.h) the line that a syslog daemon would have
 * written to a file, stamped in microseconds and UTC by
 * _SOURCE_REALTIME_TIMESTAMP, or else by the time at which journald had it;
 * control characters are written as "#ooo", as rsyslog does.
 *
 * A place is the cursor of an entry.  An entry is known again by its boot, its
 * monotonic time and the hash of its fields, which stay when journald moves
 * entries from /run to /var.  An entry that is gone was vacuumed, and perhaps
 * others behind it: that is a gap.  So is what journald says that it dropped
 * of the MTA's (RateLimitBurst= of journald.conf(5)).  One thread.
 */
#ifndef MAILTRACE_JOURNAL_TAIL_H
#define MAILTRACE_JOURNAL_TAIL_H

#include <glib.h>

#include "log_line.h"

struct journal_tail;

enum journal_tail_error {
	JOURNAL_TAIL_ERROR_OPEN,  /* no such journal, or one of the users is not known */
	JOURNAL_TAIL_ERROR_PLACE, /* no place in a journal */
};
/* Its message is one line, for the administrator. */
#define JOURNAL_TAIL_ERROR (journal_tail_error_quark())
GQuark journal_tail_error_quark(void);

/*
 * Opens a journal.  where: "" for this machine's, a namespace of it
 * (LogNamespace= of systemd.exec(5)), or the absolute path of a folder of
 * journal files.  users: names or uids that are trusted, NULL-terminated; none:
 * root, and postfix if there is such a user.  place: what journal_tail_place()
 * returned, or NULL at the first start; then from_end begins behind what is
 * there.  Returns NULL with JOURNAL_TAIL_ERROR_OPEN or, if place is none,
 * JOURNAL_TAIL_ERROR_PLACE.  Free with journal_tail_free().
 */
struct journal_tail *journal_tail_new(const char *where, const char *const *users,
				      const char *place, gboolean from_end, GError **error);

/* Returns a descriptor that is readable when there may be more; borrowed, -1 if there is none. */
int journal_tail_fd(const struct journal_tail *tail);

/*
 * Reads on, up to max_lines lines, of at most CAP_LOG_LINE_BYTES each; longer
 * ones are passed over and counted.  Never waits for entries.  Returns an array
 * of struct log_line; unref with g_ptr_array_unref().  *ret_all: whether there
 * is no more for now.
 */
GPtrArray *journal_tail_read(struct journal_tail *tail, guint max_lines, gboolean *ret_all);

/* Returns where it stands, one line of text for journal_tail_new().  Free with g_free(). */
char *journal_tail_place(const struct journal_tail *tail);

/* Returns the reason of a gap, each once, or NULL.  Free with g_free(). */
char *journal_tail_gap(struct journal_tail *tail);

/* Returns how many lines over the cap were passed over. */
guint64 journal_tail_oversized(const struct journal_tail *tail);

/* Closes.  NULL is allowed. */
void journal_tail_free(struct journal_tail *tail);
#endif
