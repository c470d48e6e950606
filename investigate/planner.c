/* SPDX-License-Identifier: BSD-2-Clause */
#include "planner.h"

#include <string.h>

#include "caps.h"
#include "planner_internal.h"

/* ---- what the question finds ---- */

static void
found_free(void *data)
{
	struct found *found = data;

	g_free(found->event_id);
	g_free(found->recipient);
	g_free(found->state);
	g_free(found->sha256);
	g_free(found->name);
	g_free(found);
}

static void
note_digest(struct planning *planning, const struct found *found)
{
	GPtrArray *digests = g_hash_table_lookup(planning->digests, found->event_id);

	if (!digests) {
		digests = g_ptr_array_new();
		g_hash_table_insert(planning->digests, found->event_id, digests);
	}
	if (!g_ptr_array_find_with_equal_func(digests, found->sha256, g_str_equal, NULL))
		g_ptr_array_add(digests, found->sha256);
}

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct planning *planning = data;
	gboolean exact = g_strcmp0(hit->match, "exact") == 0;
	struct found *found = g_new0(struct found, 1);

	found->event_id = g_strdup(hit->event_id);
	found->recipient = g_strdup(hit->recipient);
	found->state = g_strdup(hit->state);
	found->sha256 = exact ? g_strdup(hit->sha256) : NULL;
	found->name = g_strdup(hit->name);
	g_ptr_array_add(planning->found, found);
	if (found->sha256)
		note_digest(planning, found);
	return planning->found->len <= CAP_PLAN_ENTRIES;
}

/* ---- the plan ---- */

static gboolean
tell_progress(const struct planning *planning, guint done, GError **error)
{
	if (!planning->progress ||
	    planning->progress((double)done / planning->found->len, planning->progress_data))
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
	return FALSE;
}

static gboolean
plan_recipients(struct planning *planning, GError **error)
{
	g_autoptr(journey_t) journey = NULL;
	const char *event_id = "";

	for (guint i = 0; i < planning->found->len; i++) {
		const struct found *found = planning->found->pdata[i];

		if (strcmp(found->event_id, event_id) != 0) {
			journey_free(journey);
			journey = journey_read(planning->store, planning->plan->tenant,
					       found->event_id, error);
			event_id = found->event_id;
		}
		if (!journey || !tell_progress(planning, i, error) ||
		    !planner_follow(planning, journey, found, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
names_file(const struct query *query)
{
	for (guint i = 0; i < query->terms->len; i++)
		if (((struct query_term *)query->terms->pdata[i])->kind == TERM_DIGEST)
			return TRUE;
	return FALSE;
}

/* Each matched content once; a candidate's is only guessed, and blocks nothing. */
static void
plan_blocks(struct planning *planning)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < planning->found->len; i++) {
		const struct found *found = planning->found->pdata[i];
		struct openc2_command *command;

		if (!found->sha256 || !g_hash_table_add(seen, found->sha256))
			continue;
		command = planner_command(planning, OPENC2_DENY, OPENC2_GATEWAY);
		command->file_hash = g_strdup(found->sha256);
		command->file_name = g_strdup(found->name);
		command->mode = g_strdup(block_mode_name(BLOCK_REJECT));
		command->stop_time_ms = planning->options->block_until_us / 1000;
	}
}

static void
plan_devices(struct planning *planning)
{
	const char *const *devices = planning->options->devices;

	for (; devices && *devices; devices++)
		planner_add_device(planning, *devices);
}

static gboolean
fill(struct planning *planning, guint64 *ret_hits, GError **error)
{
	const struct planner_options *options = planning->options;
	struct plan *plan = planning->plan;

	if (!store_who(planning->store, planning->query, take_hit, planning, planning->progress,
		       planning->progress_data, ret_hits, error))
		return FALSE;
	if (planning->found->len > CAP_PLAN_ENTRIES) {
		g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
			    "more than %d recipients are more than one plan can hold: ask for "
			    "less, with --since, --until or to:, and make several",
			    CAP_PLAN_ENTRIES);
		return FALSE;
	}
	if (plan->scope & PLAN_GATEWAY && names_file(planning->query))
		plan_blocks(planning);
	if (plan->scope & PLAN_DEVICE && options->devices)
		plan_devices(planning);
	return plan_recipients(planning, error);
}

gboolean
planner_fill(struct store *store, const struct query *query, const struct planner_options *options,
	     struct plan *plan, store_progress_fn progress, void *progress_data, guint64 *ret_hits,
	     GError **error)
{
	struct planning planning = {
		.store = store,
		.query = query,
		.options = options,
		.plan = plan,
		.progress = progress,
		.progress_data = progress_data,
		.found = g_ptr_array_new_with_free_func(found_free),
		.digests = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						 (GDestroyNotify)g_ptr_array_unref),
		.commands = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	gboolean done = fill(&planning, ret_hits, error);

	g_hash_table_unref(planning.commands);
	g_hash_table_unref(planning.digests);
	g_ptr_array_unref(planning.found);
	return done;
}
