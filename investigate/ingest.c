/* SPDX-License-Identifier: BSD-2-Clause */
#include "ingest.h"

#include <string.h>

#include "caps.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"
#include "store_logins.h"

/* ocsf_activity() */
#define ACTIVITY_LOGON 1 /* a login */
#define ACTIVITY_TRACE 4 /* a delivery */

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

/* What the bus brings: one of the three. */
struct arrival {
	struct event *event;
	struct delivery *delivery;
	struct login *login;
	GBytes *json; /* what is to be stored */
};

static void
arrival_clear(struct arrival *arrival)
{
	event_free(arrival->event);
	delivery_free(arrival->delivery);
	login_free(arrival->login);
	g_clear_pointer(&arrival->json, g_bytes_unref);
}

/* Returns TRUE if stamping the identity would change what is said. */
static gboolean
lacks_identity(const char *sensor, const char *tenant)
{
	return !sensor || !*sensor || !tenant || !*tenant;
}

static gboolean
read_event(const struct ingest_batch *batch, GBytes *bytes, struct arrival *arrival, GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);
	struct event *event = ocsf_decode_event(json, length, error);
	gboolean anonymous;

	arrival->event = event;
	if (!event)
		return FALSE;
	anonymous = lacks_identity(event->sensor, event->tenant);
	if (!ocsf_stamp_identity(event, batch->sensor, batch->tenant, error))
		return FALSE;
	arrival->json = anonymous ? ocsf_encode_event(event, CAP_EVENT_BYTES) : g_bytes_ref(bytes);
	return TRUE;
}

static gboolean
read_delivery(const struct ingest_batch *batch, GBytes *bytes, struct arrival *arrival,
	      GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);
	struct delivery *delivery = ocsf_decode_delivery(json, length, error);
	gboolean anonymous;

	arrival->delivery = delivery;
	if (!delivery)
		return FALSE;
	anonymous = lacks_identity(delivery->sensor, delivery->tenant);
	if (!ocsf_stamp_delivery(delivery, batch->sensor, batch->tenant, error))
		return FALSE;
	arrival->json = anonymous ? ocsf_encode_delivery(delivery) : g_bytes_ref(bytes);
	return TRUE;
}

static gboolean
read_login(const struct ingest_batch *batch, GBytes *bytes, struct arrival *arrival, GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);
	struct login *login = ocsf_decode_login(json, length, error);
	gboolean anonymous;

	arrival->login = login;
	if (!login)
		return FALSE;
	anonymous = lacks_identity(login->sensor, login->tenant);
	if (!ocsf_stamp_login(login, batch->sensor, batch->tenant, error))
		return FALSE;
	arrival->json = anonymous ? ocsf_encode_login(login) : g_bytes_ref(bytes);
	return TRUE;
}

/* A follower of before version 15 of the store tells of logins as of deliveries. */
static void
take_old_login(struct arrival *arrival)
{
	static const char suffix[] = "-login";
	const struct delivery *delivery = arrival->delivery;
	guint8 ip[NETWORK_IP_BYTES];
	struct login *login;

	if (delivery->kind != DELIVERY_LOGIN || !*delivery->recipient || !delivery->relay ||
	    !g_str_has_suffix(delivery->relay, suffix) || !network_ip(delivery->detail, ip))
		return;
	login = login_new();
	login->event_id = g_strdup(delivery->event_id);
	login->tenant = g_strdup(delivery->tenant);
	login->sensor = g_strdup(delivery->sensor);
	login->log_host = g_strdup(delivery->log_host);
	login->service = g_strndup(delivery->relay, strlen(delivery->relay) - strlen(suffix));
	login->user = g_strdup(delivery->recipient);
	login->client = network_ip_text(ip);
	login->session = g_strdup(delivery->queue_id);
	login->time_us = delivery->time_us;
	arrival->login = login;
}

/*
 * Decodes an event, a delivery or a login and stamps its identity.  What is to be
 * stored are the bytes as they came, so that what a newer sensor added is kept,
 * or a new encoding if the identity was missing in them.
 */
static gboolean
read_arrival(const struct ingest_batch *batch, GBytes *bytes, struct arrival *arrival,
	     GError **error)
{
	gsize length;
	const void *json = g_bytes_get_data(bytes, &length);

	/* The bus hands on an event over the cap as an empty one, to keep its number, and a sensor
	 * one that is damaged in its spool. */
	if (length == 0 || length > CAP_EVENT_BYTES) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_SYNTAX, "over %d bytes%s",
			    CAP_EVENT_BYTES,
			    length == 0 ? ", or damaged in the sensor's spool" : "");
		return FALSE;
	}
	switch (ocsf_activity(json, length)) {
	case ACTIVITY_LOGON:
		return read_login(batch, bytes, arrival, error);
	case ACTIVITY_TRACE:
		if (!read_delivery(batch, bytes, arrival, error))
			return FALSE;
		take_old_login(arrival);
		return TRUE;
	default:
		return read_event(batch, bytes, arrival, error);
	}
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

/* *ret_reason: why the store cannot have it, static; NULL if it has it. */
static gboolean
store_arrival(struct store *store, const struct arrival *arrival,
	      const struct store_sequence *sequence, gboolean *ret_added, const char **ret_reason,
	      GError **error)
{
	gboolean known = TRUE, done;

	*ret_reason = NULL;
	if (arrival->event && arrival->event->supplements) {
		done = store_add_supplement(store, arrival->event, arrival->json, sequence,
					    ret_added, &known, error);
		if (!known)
			*ret_reason = "it supplements an event that is not here";
		return done;
	}
	if (arrival->login)
		return store_add_login(store, arrival->login, sequence, ret_added, error);
	if (arrival->delivery)
		return store_add_delivery(store, arrival->delivery, arrival->json, sequence,
					  ret_added, error);
	return store_add_event(store, arrival->event, arrival->json, sequence, ret_added, error);
}

static gboolean
add_one(struct store *store, const struct ingest_batch *batch, guint index,
	struct ingest_result *result, GError **error)
{
	const struct store_sequence sequence = {batch->epoch, batch->first + index};
	GBytes *bytes = g_ptr_array_index(batch->events, index);
	struct arrival arrival = {0};
	g_autoptr(GError) poison = NULL;
	const char *reason = NULL;
	gboolean added = FALSE, done = TRUE;

	if (read_arrival(batch, bytes, &arrival, &poison))
		done = store_arrival(store, &arrival, &sequence, &added, &reason, error);
	else
		reason = poison->message;
	if (done && reason)
		done = put_aside(store, batch, &sequence, bytes, reason, result, error);
	if (done && added)
		g_ptr_array_add(result->added, g_steal_pointer(&arrival.json));
	arrival_clear(&arrival);
	return done;
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

gboolean
ingest_dead_letter(struct store *store, const struct store_dead_letter *letter, GBytes **ret_added,
		   char **ret_reason, GError **error)
{
	const struct ingest_batch batch = {letter->sensor, letter->tenant, letter->sequence.epoch,
					   letter->sequence.n, NULL};
	const struct store_sequence *sequence = letter->sequence.epoch ? &letter->sequence : NULL;
	g_autoptr(GBytes) bytes = g_bytes_new(letter->json, letter->length);
	struct arrival arrival = {0};
	g_autoptr(GError) poison = NULL;
	const char *reason = NULL;
	gboolean added = FALSE, done = TRUE;

	*ret_added = NULL;
	*ret_reason = NULL;
	if (read_arrival(&batch, bytes, &arrival, &poison))
		done = store_arrival(store, &arrival, sequence, &added, &reason, error) &&
		       (reason || store_dead_letter_revived(store, letter, error));
	else
		reason = poison->message;
	*ret_reason = g_strdup(reason);
	if (done && added)
		*ret_added = g_steal_pointer(&arrival.json);
	arrival_clear(&arrival);
	return done;
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
