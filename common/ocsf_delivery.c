/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf_delivery.h"

#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "ocsf.h"
#include "ocsf_json.h"

/* OCSF 1.8, class email_activity; the schema's numbers under their own names. */
#define CATEGORY_NETWORK 4
#define ACTIVITY_SEND 1
#define ACTIVITY_RECEIVE 2
#define ACTIVITY_LOGON 1 /* of an authentication */
#define ACTIVITY_TRACE 4
#define SEVERITY_INFORMATIONAL 1
#define DIRECTION_ID_UNKNOWN 0
#define STATUS_SUCCESS 1
#define STATUS_FAILURE 2
#define STATUS_OTHER 99 /* "status" then has the word */

/* ---- writing ---- */

static int
status_of(enum delivery_kind kind)
{
	switch (kind) {
	case DELIVERY_QUEUED:
	case DELIVERY_SENT:
	case DELIVERY_DONE:
	case DELIVERY_REQUEUED:
	case DELIVERY_RELEASED:
	case DELIVERY_STORED:
	case DELIVERY_FORWARDED:
	case DELIVERY_SEEN:
	case DELIVERY_FETCHED:
	case DELIVERY_DOWNLOADED:
	case DELIVERY_COPIED:
	case DELIVERY_EXPUNGED:
	case DELIVERY_ALIASED:
	case DELIVERY_LOGIN:
	case DELIVERY_OPENED:
	case DELIVERY_RENAMED:
	case DELIVERY_EXEMPT:
		return STATUS_SUCCESS;
	case DELIVERY_REFUSED:
	case DELIVERY_DEFERRED:
	case DELIVERY_BOUNCED:
	case DELIVERY_EXPIRED:
		return STATUS_FAILURE;
	case DELIVERY_HELD:
	case DELIVERY_DELETED:
	case DELIVERY_DISCARDED:
		break;
	}
	return STATUS_OTHER;
}

static const char *
origin_of(const struct delivery *delivery)
{
	return delivery->kind == DELIVERY_EXEMPT ? "milter" : "log";
}

static void
put_class(json_t *root, const struct delivery *delivery)
{
	ocsf_put(root, "category_uid", json_integer(CATEGORY_NETWORK));
	ocsf_put(root, "class_uid", json_integer(OCSF_CLASS_EMAIL_ACTIVITY));
	ocsf_put(root, "activity_id", json_integer(ACTIVITY_TRACE));
	ocsf_put(root, "type_uid", json_integer(OCSF_CLASS_EMAIL_ACTIVITY * 100 + ACTIVITY_TRACE));
	ocsf_put(root, "severity_id", json_integer(SEVERITY_INFORMATIONAL));
	ocsf_put(root, "status_id", json_integer(status_of(delivery->kind)));
	ocsf_put_text(root, "status", delivery_kind_name(delivery->kind));
	ocsf_put_text(root, "status_code", delivery->dsn);
	ocsf_put_text(root, "status_detail", delivery->detail);
	ocsf_put(root, "time", json_integer(delivery->time_us / 1000));
	ocsf_put(root, "direction_id", json_integer(DIRECTION_ID_UNKNOWN));
}

/* OCSF's email wants "from" or "to"; what says nothing of one recipient has an empty "to". */
static void
put_recipient(json_t *root, const char *recipient)
{
	json_t *to = json_array();

	if (recipient != NULL && ocsf_is_email(recipient)) {
		json_array_append_new(to, ocsf_text(recipient));
		ocsf_put(root, "to", json_incref(to));
	}
	ocsf_put(root, "email", json_pack("{s:o}", "to", to));
}

/* Where a copy is in a mailbox. */
static void
put_copy(json_t *value, const struct delivery *delivery)
{
	ocsf_put_text(value, "folder", delivery->folder);
	ocsf_put_text(value, "from_folder", delivery->from_folder);
	ocsf_put_text(value, "storage_id", delivery->storage_id);
	ocsf_put_text(value, "message_id", delivery->message_id);
	if (delivery->uid > 0)
		ocsf_put_number(value, "uid", delivery->uid);
	if (delivery->uid_last > 0)
		ocsf_put_number(value, "uid_last", delivery->uid_last);
	if (delivery->number > 0)
		ocsf_put_number(value, "number", delivery->number);
	if (delivery->number_last > 0)
		ocsf_put_number(value, "number_last", delivery->number_last);
}

static json_t *
mailtrace_value(const struct delivery *delivery)
{
	json_t *mailtrace = json_object(), *value = json_object();

	ocsf_put(mailtrace, "version", json_integer(MAILTRACE_EVENT_VERSION));
	ocsf_put_text(mailtrace, "origin", origin_of(delivery));
	ocsf_put_text(mailtrace, "sensor", delivery->sensor);
	ocsf_put_text(mailtrace, "tenant", delivery->tenant);
	ocsf_put_text(value, "kind", delivery_kind_name(delivery->kind));
	ocsf_put_text(value, "host", delivery->log_host);
	ocsf_put_text(value, "queue_id", delivery->queue_id);
	ocsf_put(value, "time_us", json_integer(delivery->time_us));
	ocsf_put_text(value, "recipient", delivery->recipient);
	ocsf_put_text(value, "original", delivery->original);
	ocsf_put_text(value, "dsn", delivery->dsn);
	ocsf_put_text(value, "relay", delivery->relay);
	ocsf_put_text(value, "detail", delivery->detail);
	ocsf_put_text(value, "next_queue_id", delivery->next_queue_id);
	if (delivery->recipients > 0)
		ocsf_put_number(value, "recipients", delivery->recipients);
	put_copy(value, delivery);
	ocsf_put(mailtrace, "delivery", value);
	return mailtrace;
}

GBytes *
ocsf_encode_delivery(const struct delivery *delivery)
{
	json_t *root = json_object();
	g_autofree char *trace = g_strdup_printf("%s/%s", delivery->log_host, delivery->queue_id);
	char *text;

	ocsf_put(root, "metadata",
		 ocsf_metadata_value(delivery->event_id, origin_of(delivery), delivery->tenant,
				     NULL));
	put_class(root, delivery);
	ocsf_put_text(root, "message_trace_uid", trace);
	put_recipient(root, delivery->recipient);
	ocsf_put(root, "unmapped", json_pack("{s:o}", "mailtrace", mailtrace_value(delivery)));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text == NULL)
		g_error("a delivery could not be written");
	return g_bytes_new_with_free_func(text, strlen(text), free, text);
}

/* ---- reading ---- */

static enum delivery_kind
read_kind(struct ocsf_in *in, json_t *value)
{
	const char *names[DELIVERY_KIND_COUNT + 1] = {NULL};

	for (int kind = 0; kind < DELIVERY_KIND_COUNT; kind++)
		names[kind] = delivery_kind_name(kind);
	return (enum delivery_kind)ocsf_need_choice(in, value, "kind", names);
}

/* Reads a text that names something, and so is never empty. */
static char *
need_name(struct ocsf_in *in, json_t *value, const char *key)
{
	const char *text = ocsf_need_string(in, value, key);

	if (*text == '\0')
		ocsf_fail(in, key, "is empty");
	return g_strdup(text);
}

static gboolean
is_of_recipient(enum delivery_kind kind)
{
	return kind == DELIVERY_SENT || kind == DELIVERY_DEFERRED || kind == DELIVERY_BOUNCED ||
	       kind == DELIVERY_ALIASED || delivery_is_of_mailbox(kind);
}

static void
read_copy(struct ocsf_in *in, json_t *value, struct delivery *delivery)
{
	delivery->folder = ocsf_take_text(in, value, "folder");
	delivery->from_folder = ocsf_take_text(in, value, "from_folder");
	delivery->storage_id = ocsf_take_text(in, value, "storage_id");
	delivery->message_id = ocsf_take_text(in, value, "message_id");
	delivery->uid = (guint)ocsf_take_number(in, value, "uid", 0, G_MAXUINT32);
	delivery->uid_last = (guint)ocsf_take_number(in, value, "uid_last", 0, G_MAXUINT32);
	delivery->number = (guint)ocsf_take_number(in, value, "number", 0, G_MAXUINT32);
	delivery->number_last = (guint)ocsf_take_number(in, value, "number_last", 0, G_MAXUINT32);
}

static void
read_delivery(struct ocsf_in *in, json_t *value, struct delivery *delivery)
{
	delivery->kind = read_kind(in, value);
	delivery->log_host = need_name(in, value, "host");
	delivery->queue_id = need_name(in, value, "queue_id");
	delivery->time_us = ocsf_need_number(in, value, "time_us", 0, OCSF_TIME_US_MAX);
	delivery->recipient = ocsf_take_text(in, value, "recipient");
	if (is_of_recipient(delivery->kind) && delivery->recipient == NULL)
		ocsf_fail(in, "recipient", "is missing");
	delivery->original = ocsf_take_text(in, value, "original");
	delivery->dsn = ocsf_take_text(in, value, "dsn");
	delivery->relay = ocsf_take_text(in, value, "relay");
	delivery->detail = ocsf_take_text(in, value, "detail");
	delivery->next_queue_id = ocsf_take_text(in, value, "next_queue_id");
	if (delivery->kind == DELIVERY_ALIASED && delivery->original == NULL)
		ocsf_fail(in, "original", "is missing");
	if (delivery->kind == DELIVERY_REQUEUED && delivery->next_queue_id == NULL)
		ocsf_fail(in, "next_queue_id", "is missing");
	delivery->recipients = (guint)ocsf_take_number(in, value, "recipients", 0, G_MAXINT32);
	read_copy(in, value, delivery);
}

/* Returns unmapped.mailtrace of a delivery, borrowed, or NULL. */
static json_t *
check_activity(json_t *root, GError **error)
{
	json_t *mailtrace = ocsf_check_class(root, error);

	if (mailtrace == NULL)
		return NULL;
	if (json_integer_value(json_object_get(root, "activity_id")) == ACTIVITY_TRACE)
		return mailtrace;
	g_set_error(error, OCSF_ERROR, OCSF_ERROR_CLASS, "event: not a Trace (activity 4)");
	return NULL;
}

struct delivery *
ocsf_decode_delivery(const void *json, gsize length, GError **error)
{
	g_autoptr(delivery_t) delivery = delivery_new();
	struct ocsf_in in = {.error = error};
	json_t *root = ocsf_parse(json, length, CAP_DELIVERY_BYTES, error), *mailtrace;

	if (root == NULL)
		return NULL;
	mailtrace = check_activity(root, error);
	if (mailtrace != NULL) {
		json_t *metadata = ocsf_need(&in, root, "metadata", JSON_OBJECT);

		delivery->event_id = ocsf_read_id(&in, metadata, "uid", TRUE);
		delivery->sensor = ocsf_take_text(&in, mailtrace, "sensor");
		delivery->tenant = ocsf_take_text(&in, mailtrace, "tenant");
		read_delivery(&in, ocsf_need(&in, mailtrace, "delivery", JSON_OBJECT), delivery);
	}
	json_decref(root);
	return mailtrace != NULL && !in.failed ? g_steal_pointer(&delivery) : NULL;
}

int
ocsf_activity(const void *json, gsize length)
{
	json_t *root;
	json_int_t activity = 0;
	gboolean login = FALSE;

	if (length > CAP_DELIVERY_BYTES)
		return ACTIVITY_RECEIVE;
	root = ocsf_parse(json, length, CAP_DELIVERY_BYTES, NULL);
	if (root != NULL && ocsf_check_class(root, NULL) != NULL)
		activity = json_integer_value(json_object_get(root, "activity_id"));
	else if (root != NULL && ocsf_check_class_of(root, OCSF_CLASS_AUTHENTICATION, NULL) != NULL)
		login = TRUE;
	json_decref(root);
	if (login)
		return ACTIVITY_LOGON;
	if (activity == ACTIVITY_SEND)
		return ACTIVITY_RECEIVE;
	return activity == ACTIVITY_RECEIVE || activity == ACTIVITY_TRACE ? (int)activity : 0;
}

/* ---- identity ---- */

gboolean
ocsf_stamp_delivery(struct delivery *delivery, const char *sensor, const char *tenant,
		    GError **error)
{
	if (!ocsf_claim_holds(delivery->sensor, sensor, "sensor", error) ||
	    !ocsf_claim_holds(delivery->tenant, tenant, "tenant", error))
		return FALSE;
	g_free(delivery->sensor);
	delivery->sensor = g_strdup(sensor);
	g_free(delivery->tenant);
	delivery->tenant = g_strdup(tenant);
	return TRUE;
}
