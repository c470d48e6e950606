/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_hit.h"

#include "log.h"

static void
log_block(const struct event *event, const struct event_block *block)
{
	const char *match = block->candidate ? "candidate" : "exact";
	g_autofree char *number = g_strdup_printf("%u", block->number);

	if (event->supplements)
		log_event(LOG_LEVEL_WARNING, "block-hit", "queue_id", event->queue_id, "event_id",
			  event->supplements, "block", number, "mode", block_mode_name(block->mode),
			  "match", match, "file", block->file, "opened_by", event->event_id,
			  "effect", "the message has passed: find and contain it", NULL);
	else
		log_event(LOG_LEVEL_WARNING, "block-hit", "queue_id", event->queue_id, "event_id",
			  event->event_id, "block", number, "mode", block_mode_name(block->mode),
			  "match", match, "file", block->file, NULL);
}

void
block_hit_tell(struct engine *engine, const struct event *event)
{
	for (guint i = 0; i < event->blocks->len; i++)
		log_block(event, g_ptr_array_index(event->blocks, i));
	if (event->blocks->len)
		engine_count(engine, COUNT_BLOCKED, 1);
}
