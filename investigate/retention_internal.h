/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retention_internal.h - what the files of retention.h share; nobody else
 * includes it.
 */
#ifndef MAILTRACE_RETENTION_INTERNAL_H
#define MAILTRACE_RETENTION_INTERNAL_H

#include "erasure.h"
#include "retention.h"
#include "store_retention.h"

enum job_kind { JOB_EXPIRY, JOB_HOLD, JOB_ERASURE };

/* Something that a caller has begun. */
struct job {
	enum job_kind kind;
	gint64 ticket;
	char *tenant;
	struct store_expiry expiry; /* of JOB_EXPIRY */
	gint64 hold;		    /* of JOB_HOLD: its number */
	struct erasure *erasure;    /* of JOB_ERASURE, and how far it is */
	struct store_erasure erased;
};

/* The round over all tenants that the collector makes by itself. */
struct expiry_round {
	GPtrArray *tenants; /* of char *; NULL: none is under way */
	guint at;
	struct store_expiry expiry; /* of the tenant at hand */
	gint64 next_us;		    /* when the next may begin; g_get_monotonic_time() */
};

struct retention {
	struct store *store;
	GPtrArray *jobs; /* of struct job, the oldest first */
	gint64 last_ticket;
	struct expiry_round round;
};

/* Sets CONTROL_ERROR_REFUSED and returns FALSE. */
gboolean retention_refuse(GError **error, const char *why);

/* Adds a job, and ends the oldest where there are too many. */
struct job *retention_add_job(struct retention *retention, enum job_kind kind, const char *tenant);

/* Finds a job by the ticket of a request; NULL with an error. */
struct job *retention_find_job(const struct retention *retention, enum job_kind kind,
			       const json_t *request, GError **error);

/* Ends and frees a job. */
void retention_end_job(struct retention *retention, struct job *job);

/*
 * Enters what is done into the journal, in the caller's transaction: tenant, case,
 * reason and results as the request has them.  arguments: a JSON array, or NULL.
 * detail: what came of it, or NULL.
 */
gboolean retention_audit(struct retention *retention, const struct control_caller *caller,
			 const char *verb, const char *arguments, const char *detail,
			 const json_t *request, GError **error);

/*
 * Operations of the control socket; each FALSE with an error that its caller is told,
 * and nothing done.  This one notes who is to be erased, and answers with a ticket.
 */
gboolean retention_erase_begin(struct retention *retention, const struct control_caller *caller,
			       const json_t *request, json_t *answer, GError **error);

/* Takes one step of the erasure with the request's ticket, and answers how far it is. */
gboolean retention_erase_step(struct retention *retention, const struct control_caller *caller,
			      const json_t *request, json_t *answer, GError **error);

/* Begins a legal hold; answers with its number, a ticket, and how many messages it holds. */
gboolean retention_hold_add(struct retention *retention, const struct control_caller *caller,
			    const json_t *request, json_t *answer, GError **error);

/* Adds messages to the hold with the request's ticket; answers how many of them are there. */
gboolean retention_hold_extend(struct retention *retention, const struct control_caller *caller,
			       const json_t *request, json_t *answer, GError **error);

/* Ends a hold: its messages may be expired and erased from then on. */
gboolean retention_hold_remove(struct retention *retention, const struct control_caller *caller,
			       const json_t *request, json_t *answer, GError **error);
#endif
