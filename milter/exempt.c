/* SPDX-License-Identifier: BSD-2-Clause */
#include "exempt.h"

#include <string.h>

#include "caps.h"
#include "delivery.h"
#include "event.h"
#include "log.h"
#include "ocsf_delivery.h"
#include "spool.h"
#include "text.h"

/* Of a message whose queue id the MTA did not tell; no MTA has such a one. */
#define NO_QUEUE_ID "unknown"

static struct delivery *
delivery_of(const char *host, const char *queue_id, gint64 time_us)
{
	struct delivery *delivery = delivery_new();

	if (!queue_id || !*queue_id)
		queue_id = NO_QUEUE_ID;
	delivery->event_id = event_id_new(time_us);
	delivery->kind = DELIVERY_EXEMPT;
	delivery->time_us = time_us;
	delivery->log_host = g_strdup(host && *host ? host : g_get_host_name());
	delivery->queue_id = text_from_bytes(queue_id, strlen(queue_id), CAP_FIELD_BYTES, NULL);
	return delivery;
}

static gboolean
record(struct engine *engine, const struct delivery *delivery)
{
	g_autoptr(GBytes) bytes = ocsf_encode_delivery(delivery);
	g_autoptr(GError) error = NULL;

	if (spool_append(engine_spool(engine), bytes, NULL, &error))
		return TRUE;
	log_event(LOG_LEVEL_ERROR, "exemption-not-recorded", "queue_id", delivery->queue_id,
		  "error", error->message, NULL);
	return FALSE;
}

void
exempt_message(struct engine *engine, const char *host, const char *queue_id)
{
	gint64 time_us = engine_begin_message(engine);
	g_autoptr(delivery_t) delivery = delivery_of(host, queue_id, time_us);

	engine_count(engine, COUNT_EXEMPT, 1);
	if (!record(engine, delivery))
		engine_count(engine, COUNT_UNRECORDED, 1);
	engine_end_message(engine, time_us);
}
