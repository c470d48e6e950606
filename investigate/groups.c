/* SPDX-License-Identifier: BSD-2-Clause */
#include "groups.h"

#include <string.h>

struct groups {
	enum group_by by;
	gboolean utc;
	GHashTable *counts; /* of guint64, by key */
};

static const char *const names[] = {"", "recipient", "sender", "sensor", "subject", "file", "day"};

enum group_by
group_by_parse(const char *name)
{
	for (guint i = GROUP_RECIPIENT; i < G_N_ELEMENTS(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum group_by)i;
	return GROUP_NONE;
}

struct groups *
groups_new(enum group_by by, gboolean utc)
{
	struct groups *groups = g_new0(struct groups, 1);

	groups->by = by;
	groups->utc = utc;
	groups->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return groups;
}

void
groups_free(struct groups *groups)
{
	if (!groups)
		return;
	g_hash_table_unref(groups->counts);
	g_free(groups);
}

static char *
day_of(gint64 time_us, gboolean utc)
{
	gint64 seconds = time_us / G_USEC_PER_SEC;
	g_autoptr(GDateTime) time = utc ? g_date_time_new_from_unix_utc(seconds)
					: g_date_time_new_from_unix_local(seconds);

	return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("");
}

static char *
key_of(const struct groups *groups, const struct store_hit *hit)
{
	const char *text = NULL;

	switch (groups->by) {
	case GROUP_RECIPIENT:
		text = hit->recipient;
		break;
	case GROUP_SENDER:
		text = hit->from;
		break;
	case GROUP_SENSOR:
		text = hit->sensor;
		break;
	case GROUP_SUBJECT:
		text = hit->subject;
		break;
	case GROUP_FILE:
		text = hit->sha256 ? hit->sha256 : hit->name;
		break;
	case GROUP_DAY:
		return day_of(hit->received_at_us, groups->utc);
	case GROUP_NONE:
		break;
	}
	return g_strdup(text ? text : "");
}

void
groups_count(struct groups *groups, const struct store_hit *hit)
{
	g_autofree char *key = key_of(groups, hit);
	guint64 *count = g_hash_table_lookup(groups->counts, key);

	if (!count) {
		count = g_new0(guint64, 1);
		g_hash_table_insert(groups->counts, g_steal_pointer(&key), count);
	}
	(*count)++;
}

struct group {
	const char *key;
	guint64 count;
};

static int
compare_groups(const void *a, const void *b)
{
	const struct group *one = a;
	const struct group *other = b;

	if (one->count != other->count)
		return one->count < other->count ? 1 : -1;
	return strcmp(one->key, other->key);
}

static GArray *
sorted_groups(const struct groups *groups)
{
	GArray *sorted = g_array_new(FALSE, FALSE, sizeof(struct group));
	GHashTableIter iter;
	void *key, *count;

	g_hash_table_iter_init(&iter, groups->counts);
	while (g_hash_table_iter_next(&iter, &key, &count)) {
		const struct group group = {key, *(guint64 *)count};

		g_array_append_val(sorted, group);
	}
	g_array_sort(sorted, compare_groups);
	return sorted;
}

void
groups_write(const struct groups *groups, struct out *out)
{
	g_autofree char *heading = g_ascii_strup(names[groups->by], -1);
	const struct out_column columns[] = {
		{names[groups->by], heading, OUT_TEXT, 0},
		{"count", "COUNT", OUT_INT, 0},
		{NULL},
	};
	g_autoptr(GArray) sorted = sorted_groups(groups);

	out_begin(out, "group", columns);
	for (guint i = 0; i < sorted->len; i++) {
		const struct group *group = &g_array_index(sorted, struct group, i);

		out_row(out,
			(const struct out_value[]){{group->key, 0}, {NULL, (gint64)group->count}});
	}
	out_end(out);
}
