/* SPDX-License-Identifier: BSD-2-Clause */
#include "journey.h"

#include <string.h>

#include "ocsf.h"
#include "text.h"

/* ---- reading ---- */

static void
hop_free(void *data)
{
	struct journey_hop *hop = data;

	event_free(hop->event);
	g_hash_table_unref(hop->outcomes);
	g_hash_table_unref(hop->envelope);
	g_hash_table_unref(hop->settled);
	g_ptr_array_unref(hop->lines);
	g_free(hop);
}

void
journey_free(struct journey *journey)
{
	if (!journey)
		return;
	g_ptr_array_unref(journey->hops);
	g_free(journey);
}

static struct journey_hop *
hop_new(struct event *event)
{
	struct journey_hop *hop = g_new0(struct journey_hop, 1);

	hop->event = event;
	hop->lines = g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	hop->outcomes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					      (GDestroyNotify)g_ptr_array_unref);
	hop->envelope = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	hop->settled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	hop->held = event->verdict == VERDICT_HOLD;
	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *to = event->recipients->pdata[i];

		g_hash_table_add(hop->envelope, address_search_key(to->address));
	}
	return hop;
}

static void
add_outcome(struct journey_hop *hop, const char *address, struct delivery *line)
{
	g_autofree char *key = address_search_key(address);
	GPtrArray *lines = g_hash_table_lookup(hop->outcomes, key);

	if (!lines) {
		lines = g_ptr_array_new();
		g_hash_table_insert(hop->outcomes, g_steal_pointer(&key), lines);
	}
	g_ptr_array_add(lines, line);
}

static gboolean
is_outcome(enum delivery_kind kind)
{
	return kind == DELIVERY_SENT || kind == DELIVERY_DEFERRED || kind == DELIVERY_BOUNCED ||
	       kind == DELIVERY_REFUSED;
}

static gboolean
take_line(const struct delivery *delivery, GBytes *json, void *data)
{
	struct journey_hop *hop = data;
	struct delivery *line = delivery_copy(delivery);

	g_ptr_array_add(hop->lines, line);
	if (line->kind == DELIVERY_HELD)
		hop->held = TRUE;
	if (line->kind == DELIVERY_QUEUED) {
		hop->held = FALSE;
		hop->expected = MAX(hop->expected, line->recipients);
	}
	if (line->kind == DELIVERY_RELEASED)
		hop->held = FALSE;
	if (line->kind == DELIVERY_DONE || line->kind == DELIVERY_DELETED ||
	    line->kind == DELIVERY_EXPIRED)
		hop->done = TRUE;
	if (!line->recipient || !is_outcome(line->kind))
		return TRUE;
	add_outcome(hop, line->recipient, line);
	if (line->kind == DELIVERY_SENT || line->kind == DELIVERY_BOUNCED)
		g_hash_table_add(hop->settled, address_search_key(line->recipient));
	if (line->original)
		add_outcome(hop, line->original, line);
	return TRUE;
}

static gboolean
take_hop(const char *event_id, void *data)
{
	GPtrArray *ids = data;

	g_ptr_array_add(ids, g_strdup(event_id));
	return ids->len < JOURNEY_HOPS;
}

static gboolean
read_hop(struct store *store, const char *tenant, const char *event_id, struct journey *journey,
	 GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(GBytes) json = store_event(store, tenant, event_id, &failure);
	struct journey_hop *hop;
	struct event *event;

	if (failure) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return FALSE;
	}
	if (!json)
		return TRUE;
	event = ocsf_decode_event(g_bytes_get_data(json, NULL), g_bytes_get_size(json), error);
	if (!event)
		return FALSE;
	hop = hop_new(event);
	g_ptr_array_add(journey->hops, hop);
	return store_deliveries(store, tenant, event_id, take_line, hop, error);
}

struct journey *
journey_read(struct store *store, const char *tenant, const char *event_id, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(journey_t) journey = g_new0(struct journey, 1);

	journey->hops = g_ptr_array_new_with_free_func(hop_free);
	if (!store_chain(store, tenant, event_id, take_hop, ids, error))
		return NULL;
	for (guint i = 0; i < ids->len; i++)
		if (!read_hop(store, tenant, ids->pdata[i], journey, error))
			return NULL;
	if (journey->hops->len)
		return g_steal_pointer(&journey);
	g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT, "event %s is not in the store any more",
		    event_id);
	return NULL;
}

/* ---- asking ---- */

guint
journey_place(const struct journey *journey, const char *event_id)
{
	for (guint i = 0; i < journey->hops->len; i++) {
		const struct journey_hop *hop = journey->hops->pdata[i];

		if (strcmp(hop->event->event_id, event_id) == 0)
			return i;
	}
	return 0;
}

static struct journey_final *
find_final(GArray *finals, const char *address)
{
	struct journey_final new_one = {.address = address};

	for (guint i = 0; i < finals->len; i++) {
		struct journey_final *final = &g_array_index(finals, struct journey_final, i);

		if (strcmp(final->address, address) == 0)
			return final;
	}
	g_array_append_val(finals, new_one);
	return &g_array_index(finals, struct journey_final, finals->len - 1);
}

static void
note_line(struct journey_final *final, const struct delivery *line)
{
	switch (line->kind) {
	case DELIVERY_SENT:
		final->sent = line;
		break;
	case DELIVERY_DEFERRED:
		final->deferred = line;
		break;
	case DELIVERY_BOUNCED:
		final->bounced = line;
		break;
	case DELIVERY_REFUSED:
		final->refused = line;
		break;
	default: /* of the message, or of a mailbox */
		break;
	}
}

GArray *
journey_finals(const struct journey_hop *hop, const char *address)
{
	g_autofree char *key = address_search_key(address);
	const GPtrArray *lines = g_hash_table_lookup(hop->outcomes, key);
	GArray *finals = g_array_new(FALSE, FALSE, sizeof(struct journey_final));

	for (guint i = 0; lines && i < lines->len; i++) {
		const struct delivery *line = lines->pdata[i];

		note_line(find_final(finals, line->recipient), line);
	}
	return finals;
}

gboolean
journey_waits(const struct journey_hop *hop)
{
	return !hop->done && g_hash_table_size(hop->settled) < hop->expected;
}

guint
journey_next(const struct journey *journey, guint hop, const char *queue_id, const char *address)
{
	g_autofree char *key = address_search_key(address);

	for (guint i = hop + 1; queue_id && i < journey->hops->len; i++) {
		const struct journey_hop *later = journey->hops->pdata[i];

		if (g_strcmp0(later->event->queue_id, queue_id) == 0)
			return i;
	}
	for (guint i = hop + 1; i < journey->hops->len; i++) {
		const struct journey_hop *later = journey->hops->pdata[i];

		if (g_hash_table_contains(later->envelope, key))
			return i;
	}
	return 0;
}
