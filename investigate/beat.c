/* SPDX-License-Identifier: BSD-2-Clause */
#include "beat.h"

#include <string.h>

#include "json.h"

/* No clock is wrong by more; further off is no measurement. */
#define OFFSET_MAX_US (100 * 366 * G_TIME_SPAN_DAY)

static json_t *
parse(const char *counters)
{
	return counters ? json_parse_object(counters, strlen(counters)) : NULL;
}

static gint64
get(const json_t *object, const char *name)
{
	return object ? MAX(json_get_int(object, name, 0), 0) : 0;
}

void
beat_read(const char *counters, gint64 now_us, struct store_beat *ret_beat)
{
	g_autoptr(json_t) object = parse(counters);
	gint64 offset_us =
		object ? json_get_int(object, "clock_offset_us", G_MININT64) : G_MININT64;

	*ret_beat = (struct store_beat){
		.time_us = now_us,
		.complete_us = MIN(get(object, "complete_us"), now_us),
		.counters = counters,
		.started_us = get(object, "started_us"),
		.unrecorded = (guint64)get(object, "unrecorded"),
		.log_gaps = (guint64)get(object, "log_gaps"),
		.has_offset = offset_us >= -OFFSET_MAX_US && offset_us <= OFFSET_MAX_US,
	};
	if (ret_beat->has_offset)
		ret_beat->offset_us = offset_us;
}

gint64
beat_number(const char *counters, const char *name, gint64 fallback)
{
	g_autoptr(json_t) object = parse(counters);

	return object ? json_get_int(object, name, fallback) : fallback;
}
