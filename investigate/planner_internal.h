/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner_internal.h - what the parts of the planner share: planner.c asks and
 * makes the plan, planner_follow.c follows each recipient to its copies, planner_devices.c
 * to the devices that read them.
 */
#ifndef MAILTRACE_PLANNER_INTERNAL_H
#define MAILTRACE_PLANNER_INTERNAL_H

#include "journey.h"
#include "planner.h"

/* A recipient that the question found. */
struct found {
	char *event_id, *recipient, *state;
	char *sha256, *name; /* of the file that matched exactly; or NULL */
};

struct planning {
	struct store *store;
	const struct query *query;
	const struct planner_options *options;
	struct plan *plan;
	store_progress_fn progress;
	void *progress_data;
	GPtrArray *found;     /* of struct found */
	GHashTable *digests;  /* by event id, of GPtrArray of char *: its files that matched */
	GHashTable *commands; /* by place ("mailbox …", "queue …", "device …"), of struct
				 openc2_command */
};

/* Returns a new command of the plan, which owns it, with its case and reason. */
struct openc2_command *planner_command(const struct planning *planning, enum openc2_action action,
				       enum openc2_role role);

/* Adds a command that contains a device, unless there is one already. */
void planner_add_device(struct planning *planning, const char *name);

/*
 * Adds one for each device from which the mailboxes of a recipient were used since the copies
 * came (devices.h); where the device is ambiguous, unknown, never touched or no host's
 * name, that is beyond reach.  finals: of struct store_final.
 */
gboolean planner_devices(struct planning *planning, const struct found *found,
			 const GPtrArray *finals, GError **error);

/*
 * Adds to the plan where the copies of a recipient are, a command for each place,
 * and those beyond reach.  journey: that of its message.
 */
gboolean planner_follow(struct planning *planning, const struct journey *journey,
			const struct found *found, GError **error);
#endif
