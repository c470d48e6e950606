/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_head.h"

#include "progress.h"

#include <string.h>
#include <unistd.h>

#include "control.h"
#include "text.h"

#define WORD_BYTES 4096

void
plan_head_fill(struct plan *plan, const struct command *command, char **words)
{
	GPtrArray *query = g_ptr_array_new();

	for (; *words; words++)
		g_ptr_array_add(query, text_from_bytes(*words, strlen(*words), WORD_BYTES, NULL));
	g_ptr_array_add(query, NULL);
	plan->query = (char **)g_ptr_array_free(query, FALSE);
	plan->created_by = control_actor(getuid());
	plan->created_us = g_get_real_time();
	plan->case_id = g_strdup(command->case_id);
	plan->reason = g_strdup(command->reason);
	plan->view.store = g_strdup(command->store_url);
}

struct planner_options
plan_head_options(const struct command *command)
{
	const struct settings *settings = command->settings;

	return (struct planner_options){
		.local_domains = (const char *const *)settings->local_domains,
		.never_touch = (const char *const *)settings->never_touch,
		.has_log = *settings->expected_followers != NULL,
	};
}

static gboolean
draw_finding(double share, void *data)
{
	progress_draw(data, share, "finding every copy");
	return TRUE;
}

gboolean
plan_head_find(const struct command *command, struct store *store, const struct query *query,
	       const struct planner_options *options, struct plan *plan, guint64 *ret_hits,
	       GError **error)
{
	struct progress progress;
	gboolean done;

	progress_init(&progress, command->quiet);
	done = planner_fill(store, query, options, plan, draw_finding, &progress, ret_hits, error);
	progress_end(&progress);
	return done;
}
