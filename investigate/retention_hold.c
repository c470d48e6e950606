/* SPDX-License-Identifier: BSD-2-Clause */
/* Legal holds, as the collector makes and ends them. */
#include "retention_internal.h"
#include "store_holds.h"

/* Puts the events of a request on a hold; *ret_held: how many are there. */
static gboolean
put_events(struct retention *retention, gint64 number, const json_t *request, gint64 *ret_held,
	   GError **error)
{
	const json_t *events = json_object_get(request, "events"), *value;
	gint64 held = 0;
	gsize i;

	if (json_array_size(events) == 0 || json_array_size(events) > RETENTION_EVENTS)
		return retention_refuse(error, "a request has 1 to 256 events");
	json_array_foreach (events, i, value) {
		const char *id = json_string_value(value);
		gboolean there;

		if (!id)
			return retention_refuse(error, "an event is named by its id");
		if (!store_hold_put(retention->store, number, id, &there, error))
			return FALSE;
		held += there;
	}
	*ret_held = held;
	return TRUE;
}

static gboolean
make_hold(struct retention *retention, const struct control_caller *caller, const json_t *request,
	  gint64 *ret_number, gint64 *ret_held, GError **error)
{
	const char *arguments = json_get_text(request, "arguments");
	const struct store_hold hold = {
		.tenant = json_get_text(request, "tenant"),
		.what = arguments ? arguments : "[]",
		.created_us = caller->time_us,
		.expires_us = json_get_int(request, "expires_us", 0),
		.actor = caller->actor,
		.case_id = json_get_text(request, "case"),
		.reason = json_get_text(request, "reason"),
	};

	if (!hold.tenant || !hold.case_id || !hold.reason)
		return retention_refuse(error, "a legal hold needs a tenant, a case and a reason");
	if (hold.expires_us && hold.expires_us <= caller->time_us)
		return retention_refuse(error, "it would have ended already");
	return store_hold_add(retention->store, &hold, ret_number, error) &&
	       put_events(retention, *ret_number, request, ret_held, error) &&
	       retention_audit(retention, caller, "legal-hold", arguments, NULL, request, error);
}

gboolean
retention_hold_add(struct retention *retention, const struct control_caller *caller,
		   const json_t *request, json_t *answer, GError **error)
{
	gint64 number, held;
	struct job *job;

	if (!store_begin(retention->store, error))
		return FALSE;
	if (!make_hold(retention, caller, request, &number, &held, error) ||
	    !store_commit(retention->store, error)) {
		store_rollback(retention->store);
		return FALSE;
	}
	job = retention_add_job(retention, JOB_HOLD, json_get_text(request, "tenant"));
	job->hold = number;
	json_put_int(answer, "number", number);
	json_put_int(answer, "ticket", job->ticket);
	json_put_int(answer, "held", held);
	return TRUE;
}

gboolean
retention_hold_extend(struct retention *retention,
		      const struct control_caller *caller G_GNUC_UNUSED, const json_t *request,
		      json_t *answer, GError **error)
{
	struct job *job = retention_find_job(retention, JOB_HOLD, request, error);
	gint64 held;

	if (!job || !store_begin(retention->store, error))
		return FALSE;
	if (!put_events(retention, job->hold, request, &held, error) ||
	    !store_commit(retention->store, error)) {
		store_rollback(retention->store);
		return FALSE;
	}
	json_put_int(answer, "held", held);
	return TRUE;
}

static gboolean
end_hold(struct retention *retention, const struct control_caller *caller, const json_t *request,
	 GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	gint64 number = json_get_int(request, "number", 0);
	gboolean ended;

	if (!tenant)
		return retention_refuse(error, "the request needs a tenant");
	if (!store_hold_end(retention->store, tenant, number, caller->time_us, &ended, error))
		return FALSE;
	if (!ended)
		return retention_refuse(error, "no hold of this number is in force");
	return retention_audit(retention, caller, "legal-hold", json_get_text(request, "arguments"),
			       NULL, request, error);
}

gboolean
retention_hold_remove(struct retention *retention, const struct control_caller *caller,
		      const json_t *request, json_t *answer G_GNUC_UNUSED, GError **error)
{
	if (!store_begin(retention->store, error))
		return FALSE;
	if (end_hold(retention, caller, request, error) && store_commit(retention->store, error))
		return TRUE;
	store_rollback(retention->store);
	return FALSE;
}
