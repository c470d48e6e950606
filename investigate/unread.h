/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unread.h - the messages behind the numbers of a coverage: those whose files
 * were not fully read, with the reason, and those that passed unseen.
 *
 * Rows of their own kinds, "unread" and "unseen".  One thread.
 */
#ifndef MAILTRACE_UNREAD_H
#define MAILTRACE_UNREAD_H

#include "out.h"
#include "store.h"

/* Lists the messages of the question's time and tenant that coverage counts as unread. */
gboolean unread_write(struct out *out, struct store *store, const struct query *query,
		      GError **error);

/* Likewise, those that it counts as unseen. */
gboolean unseen_write(struct out *out, struct store *store, const struct query *query,
		      const struct store_expected *expected, GError **error);
#endif
