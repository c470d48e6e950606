/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner.h - from a question to a plan: every copy of every message that
 * matches, and a command for each.
 *
 * A recipient is followed from hop to hop (store_chain()) and through aliases to
 * its final addresses, by what the MTA's log said (store_deliveries()).  A copy is
 * in a queue, in a mailbox, or beyond reach: refused, bounced, sent on to a host
 * that is not ours, or forbidden.  What is beyond reach is listed with the reason,
 * never left out.  Where no log tells what became of a message, it is taken for
 * delivered.
 *
 * Reads the store, changes nothing.  One thread.
 */
#ifndef MAILTRACE_PLANNER_H
#define MAILTRACE_PLANNER_H

#include "plan.h"
#include "query.h"
#include "store.h"

/* What the planner goes by; all borrowed.  Lists are NULL-terminated. */
struct planner_options {
	const char *const *local_domains; /* whose mailboxes are ours; empty: all are */
	const char *const *never_touch;	  /* deny_list.h */
	const char *const *devices;	  /* hostnames to contain */
	gboolean find_devices;		  /* also those that read a copy (devices.h) */
	gboolean has_log;		  /* a follower tells what became of messages */
	gint64 block_until_us;		  /* of the files at the gateways; 0: for good */
};

/*
 * Adds to a plan, whose scope, tenant, case and reason are set, all that a query
 * finds.  progress: may be NULL.  *ret_hits: recipients found.  FALSE with a
 * STORE_ERROR, PLAN_ERROR_FORM when it is more than a plan can hold, or an
 * OCSF_ERROR of a record that cannot be read.
 */
gboolean planner_fill(struct store *store, const struct query *query,
		      const struct planner_options *options, struct plan *plan,
		      store_progress_fn progress, void *progress_data, guint64 *ret_hits,
		      GError **error);
#endif
