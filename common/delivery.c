/* SPDX-License-Identifier: BSD-2-Clause */
#include "delivery.h"

struct delivery *
delivery_new(void)
{
	return g_new0(struct delivery, 1);
}

struct delivery *
delivery_copy(const struct delivery *delivery)
{
	struct delivery *copy = g_memdup2(delivery, sizeof(*delivery));

	copy->event_id = g_strdup(delivery->event_id);
	copy->tenant = g_strdup(delivery->tenant);
	copy->sensor = g_strdup(delivery->sensor);
	copy->log_host = g_strdup(delivery->log_host);
	copy->queue_id = g_strdup(delivery->queue_id);
	copy->recipient = g_strdup(delivery->recipient);
	copy->original = g_strdup(delivery->original);
	copy->dsn = g_strdup(delivery->dsn);
	copy->relay = g_strdup(delivery->relay);
	copy->detail = g_strdup(delivery->detail);
	copy->next_queue_id = g_strdup(delivery->next_queue_id);
	copy->folder = g_strdup(delivery->folder);
	copy->from_folder = g_strdup(delivery->from_folder);
	copy->storage_id = g_strdup(delivery->storage_id);
	copy->message_id = g_strdup(delivery->message_id);
	return copy;
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
	g_free(delivery->folder);
	g_free(delivery->from_folder);
	g_free(delivery->storage_id);
	g_free(delivery->message_id);
	g_free(delivery);
}

gboolean
delivery_is_of_mailbox(enum delivery_kind kind)
{
	return (kind >= DELIVERY_STORED && kind <= DELIVERY_EXPUNGED) ||
	       (kind >= DELIVERY_LOGIN && kind <= DELIVERY_RENAMED);
}

const char *
delivery_kind_name(enum delivery_kind kind)
{
	static const char *const names[DELIVERY_KIND_COUNT] = {
		"queued",    "refused",	  "held",     "sent",	 "deferred",   "bounced",
		"done",	     "requeued",  "released", "deleted", "expired",    "stored",
		"discarded", "forwarded", "seen",     "fetched", "downloaded", "copied",
		"expunged",  "aliased",	  "login",    "opened",	 "renamed",    "exempt",
	};

	g_assert((guint)kind < DELIVERY_KIND_COUNT);
	return names[kind];
}
