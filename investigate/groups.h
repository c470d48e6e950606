/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * groups.h - rows counted by a key, for --group-by.  One thread.
 */
#ifndef MAILTRACE_GROUPS_H
#define MAILTRACE_GROUPS_H

#include "out.h"
#include "store.h"

enum group_by {
	GROUP_NONE,
	GROUP_RECIPIENT,
	GROUP_SENDER,
	GROUP_SENSOR,
	GROUP_SUBJECT,
	GROUP_FILE, /* by SHA-256, else by name */
	GROUP_DAY,
};

struct groups;

/* Reads "recipient", "sender" and so on.  Returns GROUP_NONE for anything else. */
enum group_by group_by_parse(const char *name);

/* Makes an empty count.  utc: days are UTC's, else local.  Free with groups_free(). */
struct groups *groups_new(enum group_by by, gboolean utc);

/* Counts a row. */
void groups_count(struct groups *groups, const struct store_hit *hit);

/* Writes rows of type "group" with the key under the group's name, and count; the largest first,
 * equal ones by key. */
void groups_write(const struct groups *groups, struct out *out);

/* Frees a count.  NULL is allowed. */
void groups_free(struct groups *groups);
#endif
