/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect_control.h"

#include "asset_control.h"
#include "block_control.h"
#include "collect_journal.h"
#include "dead_letter_control.h"
#include "ingest.h"
#include "journal_control.h"
#include "plan_control.h"
#include "roles.h"

static gboolean
on_audit(void *data, const struct store_audit *audit, GError **error)
{
	const struct collect_control *control = data;

	if (!store_begin(control->store, error))
		return FALSE;
	if (store_add_audit(control->store, audit, error) && store_commit(control->store, error))
		return TRUE;
	store_rollback(control->store);
	return FALSE;
}

static gboolean
on_may(void *data, const struct control_caller *caller, const char *operation,
       const json_t *request, GError **error)
{
	const struct collect_control *control = data;

	return collect_journal_may(control->store, control->settings, caller, operation, request,
				   error);
}

static gboolean
on_ingest(void *data, const char *tenant, GPtrArray *events, guint64 *ret_added, GError **error)
{
	const struct collect_control *control = data;

	return ingest_import(control->store, tenant, events, ret_added, error);
}

static gboolean
on_reload(void *data, GError **error)
{
	const struct collect_control *control = data;

	return control->reload(control->data, error);
}

static struct block_control
block_control_of(const struct collect_control *control)
{
	return (struct block_control){control->store, control->blocks,
				      (const char *const *)control->settings->expected_sensors};
}

static gboolean
on_block_add(void *data, const struct control_caller *caller, const json_t *request, json_t *answer,
	     GError **error)
{
	const struct collect_control *control = data;
	const struct block_control blocks = block_control_of(data);

	/* Who has the file already is a question of its own. */
	json_object_set_new(answer, "may_ask",
			    json_boolean(roles_may(control->settings, caller->uid, "who")));
	return block_control_add(&blocks, caller, request, answer, error);
}

static gboolean
on_block_remove(void *data, const struct control_caller *caller, const json_t *request,
		json_t *answer, GError **error)
{
	const struct block_control blocks = block_control_of(data);

	return block_control_remove(&blocks, caller, request, answer, error);
}

static gboolean
on_block_force(void *data, const struct control_caller *caller, const json_t *request,
	       json_t *answer, GError **error)
{
	const struct block_control blocks = block_control_of(data);

	return block_control_force(&blocks, request, answer, error);
}

static gboolean
on_journal_head(void *data, const struct control_caller *caller, const json_t *request,
		json_t *answer, GError **error)
{
	const struct collect_control *control = data;

	return journal_control_head(control->store, answer, error);
}

static gboolean
on_journal_read(void *data, const struct control_caller *caller, const json_t *request,
		json_t *answer, GError **error)
{
	const struct collect_control *control = data;

	return journal_control_read(control->store, request, answer, error);
}

static void
publish_revived(const char *tenant, const char *sensor, GBytes *json, void *data)
{
	const struct collect_control *control = data;

	bus_collector_publish(control->bus, tenant, sensor, json);
}

static gboolean
on_dead_letter_replay(void *data, const struct control_caller *caller, const json_t *request,
		      json_t *answer, GError **error)
{
	const struct collect_control *control = data;

	return dead_letter_replay(control->store, caller, request, answer, publish_revived, data,
				  error);
}

static gboolean
on_dead_letter_drop(void *data, const struct control_caller *caller, const json_t *request,
		    json_t *answer, GError **error)
{
	const struct collect_control *control = data;

	return dead_letter_drop(control->store, caller, request, answer, error);
}

static gboolean
on_retention(void *data, const struct control_caller *caller, const json_t *request, json_t *answer,
	     GError **error)
{
	const struct collect_control *control = data;

	return retention_serve(control->retention, caller, request, answer, error);
}

static gboolean
on_asset(void *data, const struct control_caller *caller, const json_t *request, json_t *answer,
	 GError **error)
{
	const struct collect_control *control = data;

	return asset_control_serve(control->store, caller, request, answer, error);
}

static struct plan_control
plan_control_of(const struct collect_control *control)
{
	return (struct plan_control){control->store, control->blocks, control->settings};
}

static gboolean
on_plan_begin(void *data, const struct control_caller *caller, const json_t *request,
	      json_t *answer, GError **error)
{
	const struct plan_control plans = plan_control_of(data);

	return plan_control_begin(&plans, caller, request, answer, error);
}

static gboolean
on_plan_result(void *data, const struct control_caller *caller, const json_t *request,
	       json_t *answer, GError **error)
{
	const struct plan_control plans = plan_control_of(data);

	return plan_control_result(&plans, caller, request, answer, error);
}

static gboolean
on_plan_gateway(void *data, const struct control_caller *caller, const json_t *request,
		json_t *answer, GError **error)
{
	const struct plan_control plans = plan_control_of(data);

	return plan_control_gateway(&plans, caller, request, answer, error);
}

static gboolean
on_approve(void *data, const struct control_caller *caller, const json_t *request, json_t *answer,
	   GError **error)
{
	const struct plan_control plans = plan_control_of(data);

	return plan_control_approve(&plans, caller, request, answer, error);
}

static const struct control_operation operations[] = {
	{"plan-begin", on_plan_begin},
	{"plan-result", on_plan_result},
	{"plan-gateway", on_plan_gateway},
	{"approve", on_approve},
	{"block-add", on_block_add},
	{"block-remove", on_block_remove},
	{"block-force", on_block_force},
	{"dead-letter-replay", on_dead_letter_replay},
	{"dead-letter-drop", on_dead_letter_drop},
	{"journal-head", on_journal_head},
	{"journal-read", on_journal_read},
	{"asset-import", on_asset},
	{"asset-remove", on_asset},
	{"expire-begin", on_retention},
	{"expire-step", on_retention},
	{"erase-begin", on_retention},
	{"erase-step", on_retention},
	{"legal-hold-add", on_retention},
	{"legal-hold-extend", on_retention},
	{"legal-hold-remove", on_retention},
	{NULL},
};

const struct control_handlers collect_control_handlers = {on_audit, on_ingest, on_reload,
							  operations, on_may};
