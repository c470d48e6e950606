/* SPDX-License-Identifier: BSD-2-Clause */
/* Erasure on request, as the collector does it. */
#include <stdlib.h>

#include "retention_internal.h"

static struct erasure *
read_addresses(const json_t *request, gint64 now_us, GError **error)
{
	const json_t *list = json_object_get(request, "addresses"), *value;
	const char *addresses[ERASURE_ADDRESSES + 1] = {NULL};
	gsize i;

	if (json_array_size(list) == 0 || json_array_size(list) > ERASURE_ADDRESSES) {
		retention_refuse(error, "a request has 1 to 16 addresses");
		return NULL;
	}
	json_array_foreach (list, i, value) {
		addresses[i] = json_string_value(value);
		if (!addresses[i]) {
			retention_refuse(error, "an address is a string");
			return NULL;
		}
	}
	return erasure_new(addresses, now_us, error);
}

static gboolean
enter(struct retention *retention, const struct control_caller *caller,
      const struct erasure *erasure, const char *detail, const json_t *request, GError **error)
{
	char *arguments = erasure_arguments(erasure);
	gboolean entered =
		retention_audit(retention, caller, "erase", arguments, detail, request, error);

	free(arguments);
	return entered;
}

gboolean
retention_erase_begin(struct retention *retention, const struct control_caller *caller,
		      const json_t *request, json_t *answer, GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	g_autoptr(erasure_t) erasure = NULL;
	struct job *job;

	if (!tenant)
		return retention_refuse(error, "the request needs a tenant");
	erasure = read_addresses(request, caller->time_us, error);
	if (!erasure || !store_begin(retention->store, error))
		return FALSE;
	if (!enter(retention, caller, erasure, NULL, request, error) ||
	    !store_commit(retention->store, error)) {
		store_rollback(retention->store);
		return FALSE;
	}
	job = retention_add_job(retention, JOB_ERASURE, tenant);
	job->erasure = g_steal_pointer(&erasure);
	json_put_int(answer, "ticket", job->ticket);
	return TRUE;
}

static void
tell(const struct store_erasure *erased, json_t *answer)
{
	json_put_int(answer, "messages", (gint64)erased->messages);
	json_put_int(answer, "removed", (gint64)erased->removed);
	json_put_int(answer, "deliveries", (gint64)erased->deliveries);
	json_put_int(answer, "dead_letters", (gint64)erased->dead_letters);
	json_put_int(answer, "held", (gint64)erased->held);
	json_object_set_new(answer, "done", json_boolean(erased->done));
	json_put_int(answer, "share", (gint64)(store_erasure_share(erased) * 1000));
}

/* The last step and its entry are one transaction. */
static gboolean
step(struct retention *retention, const struct control_caller *caller, struct job *job,
     GError **error)
{
	g_autoptr(json_t) said = json_object();
	g_autofree char *detail = NULL;
	struct store_erasure erased = job->erased;

	if (!store_erase(retention->store, job->tenant, erasure_eraser(job->erasure), &erased,
			 error))
		return FALSE;
	json_put_text(said, "tenant", job->tenant);
	json_put_int(said, "results", (gint64)(erased.messages + erased.removed));
	detail = g_strdup_printf("%" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
				 " removed, %" G_GUINT64_FORMAT " on legal hold",
				 erased.messages, erased.removed, erased.held);
	if (erased.done && !enter(retention, caller, job->erasure, detail, said, error))
		return FALSE;
	job->erased = erased;
	return TRUE;
}

gboolean
retention_erase_step(struct retention *retention, const struct control_caller *caller,
		     const json_t *request, json_t *answer, GError **error)
{
	struct job *job = retention_find_job(retention, JOB_ERASURE, request, error);
	struct store_erasure before;

	if (!job || !store_begin(retention->store, error))
		return FALSE;
	before = job->erased;
	if (!step(retention, caller, job, error) || !store_commit(retention->store, error)) {
		store_rollback(retention->store);
		job->erased = before;
		return FALSE;
	}
	tell(&job->erased, answer);
	if (job->erased.done) {
		retention_end_job(retention, job);
		store_erase_end(retention->store);
	}
	return TRUE;
}
