/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect_journal.h - the collector's part in journal and roles: it logs where the
 * journal stands, and refuses, with an entry, what a caller may not have done.
 *
 * Logs for the program.  The collector's thread.
 */
#ifndef MAILTRACE_COLLECT_JOURNAL_H
#define MAILTRACE_COLLECT_JOURNAL_H

#include "anchor_feed.h"
#include "control.h"
#include "settings.h"
#include "store.h"

/* Anchors the journal if it is time, or with force, and logs that or why not. */
void collect_journal_tend(struct anchor_feed *anchors, gboolean force);

/*
 * Whether the roles allow an operation (roles.h); request: hostile.  FALSE with
 * CONTROL_ERROR_REFUSED once the refusal is in the journal, or with a STORE_ERROR
 * if it cannot be entered.
 */
gboolean collect_journal_may(struct store *store, const struct settings *settings,
			     const struct control_caller *caller, const char *operation,
			     const json_t *request, GError **error);
#endif
