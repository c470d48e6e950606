/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf_json.h"

#include <jansson.h>
#include <string.h>

#include "caps.h"
#include "ocsf.h"
#include "text.h"

/* ---- members ---- */

void
ocsf_put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, value);
}

/* Text is valid by contract; should it not be, it is escaped, never lost. */
json_t *
ocsf_text(const char *text)
{
	json_t *value = json_string(text);
	g_autofree char *valid = NULL;

	if (value != NULL)
		return value;
	valid = text_from_bytes(text, strlen(text), G_MAXSIZE, NULL);
	return json_string(valid);
}

void
ocsf_put_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		ocsf_put(object, key, ocsf_text(text));
}

void
ocsf_put_number(json_t *object, const char *key, guint64 number)
{
	ocsf_put(object, key, json_integer((json_int_t)MIN(number, (guint64)OCSF_NUMBER_MAX)));
}

static void
put_raw(json_t *object, const char *key, GBytes *raw)
{
	g_autofree char *text = NULL;

	if (raw == NULL)
		return;
	text = g_base64_encode(g_bytes_get_data(raw, NULL), g_bytes_get_size(raw));
	ocsf_put_text(object, key, text);
}

void
ocsf_put_hex(json_t *object, const char *key, const guint8 *bytes, gsize length)
{
	g_autofree char *hex = hex_encode(bytes, length);

	ocsf_put_text(object, key, hex);
}

static void
put_digests(json_t *object, const struct digests *digests)
{
	ocsf_put_hex(object, "md5", digests->md5, MD5_BYTES);
	ocsf_put_hex(object, "sha1", digests->sha1, SHA1_BYTES);
	ocsf_put_hex(object, "sha256", digests->sha256, SHA256_BYTES);
}

/* Puts an object or array unless it is empty. */
void
ocsf_put_filled(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value) > 0 || json_array_size(value) > 0)
		ocsf_put(object, key, value);
	else
		json_decref(value);
}

static void
put_texts(json_t *object, const char *key, const GPtrArray *texts, guint most)
{
	json_t *array = json_array();

	for (guint i = 0; i < MIN(texts->len, most); i++)
		json_array_append_new(array, ocsf_text(g_ptr_array_index(texts, i)));
	ocsf_put_filled(object, key, array);
}

/* ---- unmapped.mailtrace ---- */

static json_t *
client_value(const struct client *client)
{
	json_t *value = json_object(), *tls = json_object(), *sasl = json_object();

	ocsf_put_text(value, "ip", client->ip);
	if (client->port > 0)
		ocsf_put_number(value, "port", client->port);
	ocsf_put_text(value, "name", client->name);
	ocsf_put_text(value, "helo", client->helo);
	ocsf_put_text(tls, "version", client->tls_version);
	ocsf_put_text(tls, "cipher", client->tls_cipher);
	if (client->tls_bits > 0)
		ocsf_put_number(tls, "bits", client->tls_bits);
	ocsf_put_text(tls, "subject", client->tls_subject);
	ocsf_put_filled(value, "tls", tls);
	ocsf_put_text(sasl, "user", client->sasl_user);
	ocsf_put_text(sasl, "method", client->sasl_method);
	ocsf_put_text(sasl, "author", client->sasl_author);
	ocsf_put_filled(value, "sasl", sasl);
	return value;
}

static json_t *
envelope_address_value(const struct envelope_address *address, gboolean with_arguments)
{
	json_t *value = json_object();

	ocsf_put_text(value, "typed", address->typed);
	ocsf_put_text(value, "address", address->address);
	put_texts(value, "arguments", address->arguments, with_arguments ? CAP_ARGUMENTS : 0);
	if (address->refused)
		ocsf_put(value, "refused", json_true());
	return value;
}

static json_t *
recipients_value(const struct ocsf_attempt *attempt)
{
	const GPtrArray *recipients = attempt->event->recipients;
	guint count = MIN(recipients->len, MIN(attempt->limits[LIMIT_RECIPIENTS], CAP_RECIPIENTS));
	json_t *array = json_array();

	for (guint i = 0; i < count; i++)
		json_array_append_new(array,
				      envelope_address_value(g_ptr_array_index(recipients, i),
							     i < attempt->limits[LIMIT_ARGUMENTS]));
	return array;
}

static void
put_mail_addresses(json_t *object, const char *key, const GPtrArray *addresses, guint most)
{
	json_t *array = json_array();

	for (guint i = 0; i < MIN(addresses->len, most); i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);
		json_t *value = json_object();

		ocsf_put_text(value, "display", address->display);
		ocsf_put_text(value, "address", address->address);
		json_array_append_new(array, value);
	}
	ocsf_put_filled(object, key, array);
}

static json_t *
header_value(const struct ocsf_attempt *attempt)
{
	const struct record *record = attempt->event->record;
	guint most = attempt->limits[LIMIT_HEADER];
	json_t *value = json_object();

	if (attempt->limits[LIMIT_RAW] > 0)
		put_raw(value, "subject_raw", record->subject_raw);
	ocsf_put_text(value, "date", record->date);
	if (record->date_us != 0)
		ocsf_put(value, "date_us", json_integer(record->date_us));
	put_mail_addresses(value, "from", record->from, most);
	put_mail_addresses(value, "to", record->to, most);
	put_mail_addresses(value, "cc", record->cc, most);
	put_mail_addresses(value, "reply_to", record->reply_to, most);
	put_texts(value, "delivered_to", record->delivered_to, most);
	put_texts(value, "authentication_results", record->authentication_results, most);
	ocsf_put_text(value, "list_id", record->list_id);
	return value;
}

static json_t *
names_value(const GPtrArray *names)
{
	json_t *array = json_array();

	for (guint i = 0; i < names->len; i++) {
		const struct file_name *name = g_ptr_array_index(names, i);
		json_t *value = json_object();

		ocsf_put_text(value, "text", name->text);
		put_raw(value, "raw", name->raw);
		ocsf_put_text(value, "reading", name->reading);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
variants_value(const GArray *variants)
{
	json_t *array = json_array();

	for (guint i = 0; i < variants->len; i++) {
		const struct variant *variant = &g_array_index(variants, struct variant, i);
		json_t *value = json_object();

		ocsf_put_text(value, "kind", variant_kind_name(variant->kind));
		ocsf_put_number(value, "size", variant->size);
		put_digests(value, &variant->digests);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
flags_value(guint32 flags)
{
	json_t *array = json_array();

	for (guint bit = 0; bit < FILE_FLAG_COUNT; bit++)
		if ((flags & 1u << bit) != 0)
			json_array_append_new(array, json_string(record_flag_name(bit)));
	return array;
}

static void
put_file_kind(json_t *value, const struct file *file, guint32 flags)
{
	ocsf_put_filled(value, "names", names_value(file->names));
	ocsf_put_text(value, "declared_type", file->declared_type);
	ocsf_put_text(value, "detected_type", file->detected_type);
	ocsf_put_text(value, "disposition", file->disposition);
	ocsf_put_text(value, "content_id", file->content_id);
	ocsf_put_text(value, "encoding", file->encoding);
	ocsf_put_filled(value, "flags", flags_value(flags));
}

static json_t *
file_value(const struct file *file, const struct file *parent, gboolean incomplete)
{
	json_t *value = json_object();
	guint32 flags = file->flags | (incomplete ? (guint32)FILE_INCOMPLETE : 0);

	ocsf_put_text(value, "path", file->path);
	ocsf_put_text(value, "parent", parent != NULL ? parent->path : NULL);
	put_file_kind(value, file, flags);
	ocsf_put_number(value, "size", file->size);
	if (digests_are_known(&file->digests))
		put_digests(value, &file->digests);
	ocsf_put_filled(value, "variants", variants_value(file->variants));
	if (file->has_crc32) {
		guint32 big = GUINT32_TO_BE(file->crc32);

		ocsf_put_hex(value, "crc32", (const guint8 *)&big, sizeof(big));
	}
	ocsf_put_text(value, "method", file->method);
	put_texts(value, "readings", file->readings, G_MAXUINT);
	put_texts(value, "malware", file->malware, G_MAXUINT);
	return value;
}

static json_t *
files_value(const struct ocsf_attempt *attempt)
{
	const GPtrArray *files = attempt->event->record->files;
	json_t *array = json_array();

	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i), *parent = NULL;

		if (!attempt->kept[i])
			continue;
		if (file->parent >= 0)
			parent = g_ptr_array_index(files, file->parent);
		json_array_append_new(array, file_value(file, parent, attempt->incomplete[i]));
	}
	return array;
}

static json_t *
anomalies_value(const GPtrArray *anomalies)
{
	json_t *array = json_array();

	for (guint i = 0; i < anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(anomalies, i);
		json_t *value = json_object();

		ocsf_put_text(value, "name", anomaly->name);
		ocsf_put_number(value, "offset", anomaly->offset);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
caps_value(const struct ocsf_attempt *attempt)
{
	const GPtrArray *caps = attempt->event->record->caps;
	json_t *array = json_array();
	gboolean cut = FALSE;

	for (int i = 0; i < LIMITS; i++)
		cut |= attempt->limits[i] != G_MAXUINT;
	for (guint i = 0; i < caps->len; i++) {
		const char *name = g_ptr_array_index(caps, i);

		cut &= strcmp(name, CAP_EVENT_BYTES_NAME) != 0;
		json_array_append_new(array, ocsf_text(name));
	}
	if (cut)
		json_array_append_new(array, json_string(CAP_EVENT_BYTES_NAME));
	return array;
}

static void
put_identity(json_t *value, const struct event *event)
{
	ocsf_put(value, "version", json_integer(MAILTRACE_EVENT_VERSION));
	ocsf_put_text(value, "origin", event->origin);
	ocsf_put_text(value, "sensor", event->sensor);
	ocsf_put_text(value, "tenant", event->tenant);
	ocsf_put(value, "received_at_us", json_integer(event->received_at_us));
	ocsf_put_text(value, "direction", direction_name(event->direction));
	ocsf_put_text(value, "parent_event", event->parent_event);
	ocsf_put_text(value, "supplements", event->supplements);
	ocsf_put_text(value, "host", event->host);
	ocsf_put_text(value, "mta", event->mta);
	ocsf_put_text(value, "queue_id", event->queue_id);
}

static json_t *
blocks_value(const GPtrArray *blocks)
{
	json_t *array = json_array();

	for (guint i = 0; i < blocks->len; i++) {
		const struct event_block *block = g_ptr_array_index(blocks, i);
		json_t *value = json_object();

		ocsf_put_number(value, "block", block->number);
		ocsf_put_text(value, "mode", block_mode_name(block->mode));
		ocsf_put_text(value, "match", block->candidate ? "candidate" : "exact");
		ocsf_put_text(value, "file", block->file);
		json_array_append_new(array, value);
	}
	return array;
}

json_t *
ocsf_mailtrace_value(const struct ocsf_attempt *attempt)
{
	static const guint8 unknown[SHA256_BYTES];
	const struct event *event = attempt->event;
	const struct record *record = event->record;
	json_t *value = json_object();

	put_identity(value, event);
	ocsf_put_filled(value, "client", client_value(&event->client));
	if (event->sender != NULL)
		ocsf_put(value, "sender", envelope_address_value(event->sender, TRUE));
	ocsf_put_filled(value, "rcpt", recipients_value(attempt));
	ocsf_put_filled(value, "header", header_value(attempt));
	if (memcmp(record->sha256, unknown, sizeof(unknown)) != 0)
		ocsf_put_hex(value, "sha256", record->sha256, SHA256_BYTES);
	ocsf_put_filled(value, "files", files_value(attempt));
	ocsf_put_text(value, "scanner", record->scanner);
	ocsf_put_filled(value, "anomalies", anomalies_value(record->anomalies));
	ocsf_put_filled(value, "caps", caps_value(attempt));
	ocsf_put_text(value, "unread", event->unread);
	ocsf_put_text(value, "verdict", verdict_name(event->verdict));
	ocsf_put_text(value, "verdict_reason", event->verdict_reason);
	ocsf_put_filled(value, "blocks", blocks_value(event->blocks));
	return value;
}
