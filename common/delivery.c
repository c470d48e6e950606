/* SPDX-License-Identifier: BSD-2-Clause */
#include "delivery.h"

struct delivery *
delivery_new(void)
{
	return g_new0(struct delivery, 1);
}

void
delivery_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	g_free(delivery->event_id);
	g_free(delivery->tenant);
	g_free(delivery->sensor);
	g_free(delivery->log_host);
	g_free(delivery->queue_id);
	g_free(delivery->recipient);
	g_free(delivery->original);
	g_free(delivery->dsn);
	g_free(delivery->relay);
	g_free(delivery->detail);
	g_free(delivery->next_queue_id);
	g_free(delivery);
}

const char *
delivery_kind_name(enum delivery_kind kind)
{
	static const char *const names[DELIVERY_KIND_COUNT] = {
		"queued", "refused", "held", "sent", "deferred", "bounced", "done",
	};

	g_assert((guint)kind < DELIVERY_KIND_COUNT);
	return names[kind];
}
