/* SPDX-License-Identifier: BSD-2-Clause */
#include "ingest.h"

#include <string.h>

#include "caps.h"
#include "ocsf.h"

static void
refusal_free(struct ingest_refusal *refusal)
{
	g_free(refusal->reason);
	g_free(refusal);
}

void
ingest_result_clear(struct ingest_result *result)
{
	g_clear_pointer(&result->added, g_ptr_array_unref);
	g_clear_pointer(&result->refusals, g_ptr_array_unref);
}

static void
result_init(struct ingest_result *result)
{
	result->through = 0;
	result->added = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	result->refusals = g_ptr_array_new_with_free_func((GDestroyNotify)refusal_free);
}

/* Returns TRUE if stamping the identity would change what the event says. */
static gboolean
lacks_identity(const struct event *event)
{
	return !event->sensor || !*event->sensor || !event->tenant || !*event->tenant;
}

/*
 * Decodes an event and stamps its identity.  *ret_json: what is to be stored:
 * the bytes as they came, so that what a newer sensor added is kept, or a new
 * encoding if the identity was missing in them.
 */
static struct event *
read_event(const struct ingest_batch *batch, GBytes *bytes, GBytes **ret_json, GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);
	g_autoptr(event_t) event = NULL;
	gboolean anonymous;

	/* The bus hands on an event over the cap as an empty one, to keep its number. */
	if (length == 0 || length > CAP_EVENT_BYTES) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_SYNTAX, "over %d bytes", CAP_EVENT_BYTES);
		return NULL;
	}
	event = ocsf_decode_event(json, length, error);
	if (!event)
		return NULL;
	anonymous = lacks_identity(event);
	if (!ocsf_stamp_identity(event, batch->sensor, batch->tenant, error))
		return NULL;
	*ret_json = anonymous ? ocsf_encode_event(event, CAP_EVENT_BYTES) : g_bytes_ref(bytes);
	return g_steal_pointer(&event);
}

/* Puts an event aside; its number then counts as stored. */
static gboolean
put_aside(struct store *store, const struct ingest_batch *batch,
	  const struct store_sequence *sequence, GBytes *bytes, const char *reason,
	  struct ingest_result *result, GError **error)
{
	struct ingest_refusal *refusal;

	if (!store_add_dead_letter(store, batch->tenant, batch->sensor, sequence, bytes, reason,
				   error))
		return FALSE;
	refusal = g_new0(struct ingest_refusal, 1);
	refusal->n = sequence->n;
	refusal->reason = g_strdup(reason);
	g_ptr_array_add(result->refusals, refusal);
	return TRUE;
}

static gboolean
add_one(struct store *store, const struct ingest_batch *batch, guint index,
	struct ingest_result *result, GError **error)
{
	const struct store_sequence sequence = {batch->epoch, batch->first + index};
	GBytes *bytes = g_ptr_array_index(batch->events, index);
	g_autoptr(GBytes) json = NULL;
	g_autoptr(GError) poison = NULL;
	g_autoptr(event_t) event = read_event(batch, bytes, &json, &poison);
	gboolean added;

	if (!event)
		return put_aside(store, batch, &sequence, bytes, poison->message, result, error);
	if (!store_add_event(store, event, json, &sequence, &added, error))
		return FALSE;
	if (added)
		g_ptr_array_add(result->added, g_steal_pointer(&json));
	return TRUE;
}

static gboolean
add_batch(struct store *store, const struct ingest_batch *batch, struct ingest_result *result,
	  GError **error)
{
	for (guint i = 0; i < batch->events->len; i++)
		if (!add_one(store, batch, i, result, error))
			return FALSE;
	return store_commit(store, error) &&
	       store_sequence_through(store, batch->sensor, batch->epoch, &result->through, error);
}

gboolean
ingest_batch(struct store *store, const struct ingest_batch *batch,
	     struct ingest_result *ret_result, GError **error)
{
	struct ingest_result result;

	if (!store_begin(store, error))
		return FALSE;
	result_init(&result);
	if (add_batch(store, batch, &result, error)) {
		*ret_result = result;
		return TRUE;
	}
	store_rollback(store);
	ingest_result_clear(&result);
	return FALSE;
}

static gboolean
import_one(struct store *store, const char *tenant, GBytes *bytes, guint64 *added, GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);
	g_autoptr(event_t) event = ocsf_decode_event(json, length, error);
	gboolean is_new;

	if (!event)
		return FALSE;
	if (g_strcmp0(event->origin, "import") != 0 || g_strcmp0(event->tenant, tenant) != 0) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_FIELD,
			    "event %s is not an import of tenant %s", event->event_id, tenant);
		return FALSE;
	}
	if (!store_add_event(store, event, bytes, NULL, &is_new, error))
		return FALSE;
	*added += is_new ? 1 : 0;
	return TRUE;
}

static gboolean
import_all(struct store *store, const char *tenant, GPtrArray *events, guint64 *added,
	   GError **error)
{
	for (guint i = 0; i < events->len; i++)
		if (!import_one(store, tenant, g_ptr_array_index(events, i), added, error))
			return FALSE;
	return store_commit(store, error);
}

gboolean
ingest_import(struct store *store, const char *tenant, GPtrArray *events, guint64 *ret_added,
	      GError **error)
{
	guint64 added = 0;

	if (!store_begin(store, error))
		return FALSE;
	if (!import_all(store, tenant, events, &added, error)) {
		store_rollback(store);
		return FALSE;
	}
	*ret_added = added;
	return TRUE;
}
