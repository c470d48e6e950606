/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal_control.h - the journal over the control socket, for those who may read
 * it and not the store's file.
 *
 *  - "journal-head": the answer has chain, seq, hash (hexadecimal) and anchor, as
 *    the store has noted them.
 *  - "journal-read": after, before, since_us, until_us, tenant (null: all),
 *    newest_first, as struct journal_span.  The answer has lines, as many as it
 *    takes, of {"seq": N, "time_us": N, "tenant": TEXT, "hash": HEX, "text": LINE}.
 *    None: there are no more.
 *
 * The command line's end, and the collector's; one thread each.
 */
#ifndef MAILTRACE_JOURNAL_CONTROL_H
#define MAILTRACE_JOURNAL_CONTROL_H

#include "control.h"
#include "store_journal.h"

/* "journal-head"; as struct control_operation, on a store. */
gboolean journal_control_head(struct store *store, json_t *answer, GError **error);

/* "journal-read", likewise. */
gboolean journal_control_read(struct store *store, const json_t *request, json_t *answer,
			      GError **error);

/* Asks for the head.  *ret_anchor: NULL if there is none; for g_free(). */
gboolean journal_control_ask_head(struct control *control, struct journal_head *ret_head,
				  char **ret_anchor, GError **error);

/* Walks over entries as store_journal_each() does, asking as often as it takes. */
gboolean journal_control_each(struct control *control, const struct journal_span *span,
			      journal_line_fn line, void *data, GError **error);
#endif
