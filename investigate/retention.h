/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retention.h - how long records stay: what the collector does for `mailtrace
 * expire`, `mailtrace legal-hold` and `mailtrace erase`, and by itself for [store] keep_days.
 *
 * Operations of the control socket (control.h).  What takes long is a job: one
 * request begins it, as one transaction with its entry in the journal, and each
 * further one takes a step of a few hundredths of a second, so that ingest goes on
 * between them.  What a job does is said once, when it begins; it ends with its
 * last step, when RETENTION_JOBS others have begun since, or with the collector.
 *
 *  - "expire-begin": tenant, arguments, case, reason, before_us (before now), and
 *    results, how many messages the caller has counted.  The answer has ticket.
 *  - "expire-step": ticket.  The answer has messages, deliveries, dead_letters and
 *    intervals that have gone so far, and done.
 *  - "erase-begin": tenant, case, reason, and addresses, as erasure.h wants them.
 *    The journal has their hashes.  The answer has ticket.
 *  - "erase-step": ticket.  The answer has messages, removed, deliveries, dead_letters
 *    and held so far, done, and share, of 1000.  The last step is entered into the
 *    journal with what came of it.
 *  - "legal-hold-add": tenant, arguments, case and reason, both needed, expires_us (0:
 *    never), results, and events: at most RETENTION_EVENTS ids.  The answer has
 *    number, ticket, and held, how many of the events are there.
 *  - "legal-hold-extend": ticket, events.  The answer has held.
 *  - "legal-hold-remove": tenant, arguments, case, reason, number.
 *
 * One thread, the store's.
 */
#ifndef MAILTRACE_RETENTION_H
#define MAILTRACE_RETENTION_H

#include "control.h"
#include "store.h"

#define RETENTION_JOBS 16
#define RETENTION_EVENTS 256 /* of one request: a step of their store's takes no longer */

struct retention;

/* Makes it for a store opened for writing, borrowed.  Free with retention_free(). */
struct retention *retention_new(struct store *store);

/* Frees it, and all jobs.  NULL is allowed. */
void retention_free(struct retention *retention);

/* Serves one of the operations, named by the request's "op". */
gboolean retention_serve(struct retention *retention, const struct control_caller *caller,
			 const json_t *request, json_t *answer, GError **error);

/*
 * Takes away what is older than keep_days (0: nothing), of all tenants, for at most
 * a twentieth of a second; to be called once a second.  *ret_messages: how many.
 * After a failure it rests for a minute.
 */
gboolean retention_tend(struct retention *retention, guint keep_days, guint64 *ret_messages,
			GError **error);
#endif
