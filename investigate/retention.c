/* SPDX-License-Identifier: BSD-2-Clause */
#include "retention_internal.h"

#define DAY_US (24 * 3600 * (gint64)G_USEC_PER_SEC)
/* Of the time of a second, what the rest of the collector does not miss. */
#define TEND_US (50 * G_TIME_SPAN_MILLISECOND)
/* When nothing is too old, nothing will be for a while. */
#define REST_US (60 * (gint64)G_USEC_PER_SEC)

static void
job_free(void *data)
{
	struct job *job = data;

	g_free(job->tenant);
	erasure_free(job->erasure);
	g_free(job);
}

struct retention *
retention_new(struct store *store)
{
	struct retention *retention = g_new0(struct retention, 1);

	retention->store = store;
	retention->jobs = g_ptr_array_new_with_free_func(job_free);
	/* No ticket of an earlier collector is one of ours. */
	retention->last_ticket = g_get_real_time();
	return retention;
}

void
retention_free(struct retention *retention)
{
	if (!retention)
		return;
	g_ptr_array_unref(retention->jobs);
	g_clear_pointer(&retention->round.tenants, g_ptr_array_unref);
	g_free(retention);
}

gboolean
retention_refuse(GError **error, const char *why)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}

/* ---- jobs ---- */

struct job *
retention_add_job(struct retention *retention, enum job_kind kind, const char *tenant)
{
	struct job *job = g_new0(struct job, 1);

	job->kind = kind;
	job->ticket = ++retention->last_ticket;
	job->tenant = g_strdup(tenant);
	if (retention->jobs->len == RETENTION_JOBS)
		g_ptr_array_remove_index(retention->jobs, 0);
	g_ptr_array_add(retention->jobs, job);
	return job;
}

struct job *
retention_find_job(const struct retention *retention, enum job_kind kind, const json_t *request,
		   GError **error)
{
	gint64 ticket = json_get_int(request, "ticket", 0);

	for (guint i = 0; i < retention->jobs->len; i++) {
		struct job *job = g_ptr_array_index(retention->jobs, i);

		if (job->ticket == ticket && job->kind == kind)
			return job;
	}
	retention_refuse(error,
			 "this is not under way: the collector was started anew; begin again");
	return NULL;
}

void
retention_end_job(struct retention *retention, struct job *job)
{
	g_ptr_array_remove(retention->jobs, job);
}

gboolean
retention_audit(struct retention *retention, const struct control_caller *caller, const char *verb,
		const char *arguments, const char *detail, const json_t *request, GError **error)
{
	const struct store_audit audit = {
		.time_us = caller->time_us,
		.actor = (char *)caller->actor,
		.tenant = (char *)json_get_text(request, "tenant"),
		.verb = (char *)verb,
		.arguments = (char *)(arguments ? arguments : "[]"),
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
		.results = json_get_int(request, "results", -1),
		.detail = (char *)detail,
	};

	return store_add_audit(retention->store, &audit, error);
}

/* ---- expire ---- */

static gboolean
begin_expiry(struct retention *retention, const struct control_caller *caller,
	     const json_t *request, json_t *answer, GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	gint64 before_us = json_get_int(request, "before_us", 0);
	struct job *job;

	if (!tenant || before_us <= 0 || before_us > caller->time_us)
		return retention_refuse(error,
					"the request needs a tenant and a time that has passed");
	if (!store_begin(retention->store, error))
		return FALSE;
	if (!retention_audit(retention, caller, "expire", json_get_text(request, "arguments"), NULL,
			     request, error) ||
	    !store_commit(retention->store, error)) {
		store_rollback(retention->store);
		return FALSE;
	}
	job = retention_add_job(retention, JOB_EXPIRY, tenant);
	job->expiry.before_us = before_us;
	json_put_int(answer, "ticket", job->ticket);
	return TRUE;
}

static gboolean
step_expiry(struct retention *retention, const struct control_caller *caller G_GNUC_UNUSED,
	    const json_t *request, json_t *answer, GError **error)
{
	struct job *job = retention_find_job(retention, JOB_EXPIRY, request, error);

	if (!job || !store_expire(retention->store, job->tenant, &job->expiry, error))
		return FALSE;
	json_put_int(answer, "messages", (gint64)job->expiry.gone.messages);
	json_put_int(answer, "deliveries", (gint64)job->expiry.gone.deliveries);
	json_put_int(answer, "dead_letters", (gint64)job->expiry.gone.dead_letters);
	json_put_int(answer, "intervals", (gint64)job->expiry.gone.intervals);
	json_object_set_new(answer, "done", json_boolean(job->expiry.done));
	if (job->expiry.done)
		retention_end_job(retention, job);
	return TRUE;
}

gboolean
retention_serve(struct retention *retention, const struct control_caller *caller,
		const json_t *request, json_t *answer, GError **error)
{
	static const struct {
		const char *name;
		gboolean (*serve)(struct retention *, const struct control_caller *, const json_t *,
				  json_t *, GError **);
	} all[] = {
		{"expire-begin", begin_expiry},
		{"expire-step", step_expiry},
		{"erase-begin", retention_erase_begin},
		{"erase-step", retention_erase_step},
		{"legal-hold-add", retention_hold_add},
		{"legal-hold-extend", retention_hold_extend},
		{"legal-hold-remove", retention_hold_remove},
	};
	const char *operation = json_get_text(request, "op");

	for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
		if (g_strcmp0(operation, all[i].name) == 0)
			return all[i].serve(retention, caller, request, answer, error);
	return retention_refuse(error, "no such operation");
}

/* ---- keep_days ---- */

static void
end_round(struct expiry_round *round)
{
	g_clear_pointer(&round->tenants, g_ptr_array_unref);
	round->next_us = g_get_monotonic_time() + REST_US;
}

static void
begin_tenant(struct expiry_round *round, guint at, guint keep_days)
{
	round->at = at;
	round->expiry = (struct store_expiry){.before_us = g_get_real_time() - keep_days * DAY_US};
}

/* Takes one step, and goes on to the next tenant. */
static gboolean
step_round(struct retention *retention, guint keep_days, guint64 *messages, GError **error)
{
	struct expiry_round *round = &retention->round;
	guint64 before = round->expiry.gone.messages;

	if (round->at == round->tenants->len) {
		end_round(round);
		return TRUE;
	}
	if (!store_expire(retention->store, g_ptr_array_index(round->tenants, round->at),
			  &round->expiry, error)) {
		end_round(round);
		return FALSE;
	}
	*messages += round->expiry.gone.messages - before;
	if (round->expiry.done)
		begin_tenant(round, round->at + 1, keep_days);
	return TRUE;
}

gboolean
retention_tend(struct retention *retention, guint keep_days, guint64 *ret_messages, GError **error)
{
	struct expiry_round *round = &retention->round;
	gint64 started_us = g_get_monotonic_time();
	guint64 messages = 0;

	if (!keep_days)
		g_clear_pointer(&round->tenants, g_ptr_array_unref);
	if (keep_days && !round->tenants && started_us >= round->next_us) {
		if (!store_tenants(retention->store, &round->tenants, error)) {
			end_round(round);
			return FALSE;
		}
		begin_tenant(round, 0, keep_days);
	}
	while (round->tenants && g_get_monotonic_time() - started_us < TEND_US) {
		if (!step_round(retention, keep_days, &messages, error))
			return FALSE;
	}
	*ret_messages = messages;
	return TRUE;
}
