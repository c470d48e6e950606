/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf.h"

#include <jansson.h>
#include <string.h>

#include "caps.h"
#include "ocsf_json.h"

/* ---- members of our own kinds ---- */

/* Reads base64 in the one spelling that the encoder has. */
static GBytes *
take_raw(struct ocsf_in *in, json_t *object, const char *key)
{
	const char *text = json_string_value(ocsf_take(in, object, key, JSON_STRING));
	g_autofree char *again = NULL;
	guint8 *bytes;
	gsize length;

	if (text == NULL)
		return NULL;
	bytes = g_base64_decode(text, &length);
	again = g_base64_encode(bytes, length);
	if (strcmp(text, again) != 0)
		ocsf_fail(in, key, "is not base64");
	return g_bytes_new_take(bytes, length);
}

static void
need_digests(struct ocsf_in *in, json_t *object, struct digests *ret_digests)
{
	ocsf_need_hex(in, object, "md5", ret_digests->md5, MD5_BYTES);
	ocsf_need_hex(in, object, "sha1", ret_digests->sha1, SHA1_BYTES);
	ocsf_need_hex(in, object, "sha256", ret_digests->sha256, SHA256_BYTES);
}

/* ---- the envelope ---- */

static void
read_client(struct ocsf_in *in, json_t *mailtrace, struct client *client)
{
	json_t *value = ocsf_take(in, mailtrace, "client", JSON_OBJECT);
	json_t *tls = ocsf_take(in, value, "tls", JSON_OBJECT);
	json_t *sasl = ocsf_take(in, value, "sasl", JSON_OBJECT);

	client->ip = ocsf_take_text(in, value, "ip");
	client->port = (guint)ocsf_take_number(in, value, "port", 0, G_MAXUINT16);
	client->name = ocsf_take_text(in, value, "name");
	client->helo = ocsf_take_text(in, value, "helo");
	client->tls_version = ocsf_take_text(in, tls, "version");
	client->tls_cipher = ocsf_take_text(in, tls, "cipher");
	client->tls_bits = (guint)ocsf_take_number(in, tls, "bits", 0, G_MAXUINT16);
	client->tls_subject = ocsf_take_text(in, tls, "subject");
	client->sasl_user = ocsf_take_text(in, sasl, "user");
	client->sasl_method = ocsf_take_text(in, sasl, "method");
	client->sasl_author = ocsf_take_text(in, sasl, "author");
}

static struct envelope_address *
read_envelope_address(struct ocsf_in *in, json_t *value)
{
	struct envelope_address *address;

	if (!json_is_object(value))
		ocsf_fail(in, "rcpt", "has a member of another type");
	address = envelope_address_new(ocsf_need_string(in, value, "typed"));
	g_free(address->address);
	address->address = ocsf_need_text(in, value, "address");
	ocsf_take_texts(in, value, "arguments", CAP_ARGUMENTS, address->arguments);
	address->refused = ocsf_take_flag(in, value, "refused");
	return address;
}

static void
read_envelope(struct ocsf_in *in, json_t *mailtrace, struct event *event)
{
	json_t *sender = ocsf_take(in, mailtrace, "sender", JSON_OBJECT), *value;
	json_t *recipients = ocsf_take_array(in, mailtrace, "rcpt", CAP_RECIPIENTS);
	gsize i;

	if (sender != NULL)
		event->sender = read_envelope_address(in, sender);
	json_array_foreach (recipients, i, value) {
		if (in->failed)
			return;
		g_ptr_array_add(event->recipients, read_envelope_address(in, value));
	}
}

static void
read_identity(struct ocsf_in *in, json_t *root, json_t *mailtrace, struct event *event)
{
	static const char *const origins[] = {"milter", "import", NULL};
	static const char *const directions[] = {"unknown", "inbound", "outbound", "internal",
						 NULL};
	static const char *const verdicts[] = {"accept", "hold",    "tempfail",
					       "reject", "discard", NULL};

	event->event_id =
		ocsf_read_id(in, ocsf_need(in, root, "metadata", JSON_OBJECT), "uid", TRUE);
	event->parent_event = ocsf_read_id(in, mailtrace, "parent_event", FALSE);
	event->supplements = ocsf_read_id(in, mailtrace, "supplements", FALSE);
	event->origin = g_strdup(origins[ocsf_need_choice(in, mailtrace, "origin", origins)]);
	event->sensor = ocsf_take_text(in, mailtrace, "sensor");
	event->tenant = ocsf_take_text(in, mailtrace, "tenant");
	event->received_at_us =
		ocsf_need_number(in, mailtrace, "received_at_us", 0, OCSF_TIME_US_MAX);
	event->direction = (enum direction)ocsf_need_choice(in, mailtrace, "direction", directions);
	event->host = ocsf_take_text(in, mailtrace, "host");
	event->mta = ocsf_take_text(in, mailtrace, "mta");
	event->queue_id = ocsf_take_text(in, mailtrace, "queue_id");
	event->unread = ocsf_take_text(in, mailtrace, "unread");
	event->verdict = (enum verdict)ocsf_need_choice(in, mailtrace, "verdict", verdicts);
	event->verdict_reason = ocsf_take_text(in, mailtrace, "verdict_reason");
}

/* ---- the record ---- */

static void
read_mail_addresses(struct ocsf_in *in, json_t *header, const char *key, GPtrArray *ret_addresses)
{
	json_t *array = ocsf_take_array(in, header, key, CAP_ADDRESSES), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		const char *display =
			json_string_value(ocsf_take(in, value, "display", JSON_STRING));

		mail_address_add(ret_addresses, display, ocsf_need_string(in, value, "address"));
	}
}

static void
read_header(struct ocsf_in *in, json_t *mailtrace, struct record *record)
{
	json_t *header = ocsf_take(in, mailtrace, "header", JSON_OBJECT);

	record->subject_raw = take_raw(in, header, "subject_raw");
	record->date = ocsf_take_text(in, header, "date");
	record->date_us =
		ocsf_take_number(in, header, "date_us", OCSF_TIME_US_MIN, OCSF_TIME_US_MAX);
	read_mail_addresses(in, header, "from", record->from);
	read_mail_addresses(in, header, "to", record->to);
	read_mail_addresses(in, header, "cc", record->cc);
	read_mail_addresses(in, header, "reply_to", record->reply_to);
	ocsf_take_texts(in, header, "delivered_to", CAP_ADDRESSES, record->delivered_to);
	ocsf_take_texts(in, header, "authentication_results", CAP_ADDRESSES,
			record->authentication_results);
	record->list_id = ocsf_take_text(in, header, "list_id");
}

static void
read_names(struct ocsf_in *in, json_t *value, struct file *file)
{
	json_t *array = ocsf_take_array(in, value, "names", CAP_NAMES), *name;
	gsize i;

	json_array_foreach (array, i, name) {
		g_autoptr(GBytes) raw = take_raw(in, name, "raw");

		file_add_name(file, ocsf_need_string(in, name, "text"),
			      ocsf_need_string(in, name, "reading"), raw);
	}
}

static void
read_variants(struct ocsf_in *in, json_t *value, struct file *file)
{
	static const char *const kinds[] = {"exact", "lf", "delimiter", "trimmed", NULL};
	json_t *array = ocsf_take_array(in, value, "variants", VARIANT_KIND_COUNT - 1), *entry;
	gsize i;

	json_array_foreach (array, i, entry) {
		enum variant_kind kind = ocsf_need_choice(in, entry, "kind", kinds);
		guint64 size = (guint64)ocsf_need_number(in, entry, "size", 0, OCSF_NUMBER_MAX);
		struct digests digests;

		need_digests(in, entry, &digests);
		if (kind == VARIANT_EXACT || file_variant(file, kind) != NULL)
			ocsf_fail(in, "kind", "is none of a variant, or there twice");
		if (in->failed)
			return;
		file_add_variant(file, kind, size, &digests);
	}
}

static guint32
read_flags(struct ocsf_in *in, json_t *value)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	guint32 flags = 0;

	ocsf_take_texts(in, value, "flags", FILE_FLAG_COUNT, names);
	for (guint i = 0; i < names->len; i++) {
		guint bit = 0;

		while (bit < FILE_FLAG_COUNT &&
		       strcmp(g_ptr_array_index(names, i), record_flag_name(bit)) != 0)
			bit++;
		if (bit == FILE_FLAG_COUNT)
			ocsf_fail(in, "flags", "has one that is none");
		else
			flags |= 1u << bit;
	}
	return flags;
}

static void
read_file_content(struct ocsf_in *in, json_t *value, struct file *file)
{
	guint32 crc32;

	file->flags = read_flags(in, value);
	file->size = (guint64)ocsf_need_number(in, value, "size", 0, OCSF_NUMBER_MAX);
	if (json_object_get(value, "sha256") != NULL)
		need_digests(in, value, &file->digests);
	read_variants(in, value, file);
	if (json_object_get(value, "crc32") != NULL) {
		ocsf_need_hex(in, value, "crc32", (guint8 *)&crc32, sizeof(crc32));
		file->has_crc32 = !in->failed;
		file->crc32 = in->failed ? 0 : GUINT32_FROM_BE(crc32);
	}
	file->method = ocsf_take_text(in, value, "method");
	ocsf_take_texts(in, value, "readings", G_MAXSIZE, file->readings);
	ocsf_take_texts(in, value, "malware", G_MAXSIZE, file->malware);
}

/* Returns the index of the parent, -1 for the first file. */
static int
read_parent(struct ocsf_in *in, json_t *value, GHashTable *indices, guint index)
{
	const char *parent = json_string_value(ocsf_take(in, value, "parent", JSON_STRING));
	gpointer found = NULL;

	if ((parent == NULL) != (index == 0) ||
	    (parent != NULL && !g_hash_table_lookup_extended(indices, parent, NULL, &found)))
		ocsf_fail(in, "parent", "is not that of a file before this one");
	return parent == NULL || in->failed ? -1 : GPOINTER_TO_INT(found);
}

static void
read_file(struct ocsf_in *in, json_t *value, struct record *record, GHashTable *indices)
{
	const char *path = ocsf_need_string(in, value, "path");
	guint index = record->files->len;
	int parent = read_parent(in, value, indices, index);
	struct file *file;

	if (*path == '\0' || g_hash_table_contains(indices, path))
		ocsf_fail(in, "path", "is empty, or there twice");
	file = record_add_file(record, path, parent);
	g_hash_table_insert(indices, file->path, GUINT_TO_POINTER(index));
	read_names(in, value, file);
	file->declared_type = ocsf_take_text(in, value, "declared_type");
	file->detected_type = ocsf_take_text(in, value, "detected_type");
	file->disposition = ocsf_take_text(in, value, "disposition");
	file->content_id = ocsf_take_text(in, value, "content_id");
	file->encoding = ocsf_take_text(in, value, "encoding");
	read_file_content(in, value, file);
}

static void
read_files(struct ocsf_in *in, json_t *mailtrace, struct record *record)
{
	g_autoptr(GHashTable) indices = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *array = ocsf_take_array(in, mailtrace, "files", CAP_FILES), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		if (in->failed)
			return;
		read_file(in, value, record, indices);
	}
}

static void
read_anomalies(struct ocsf_in *in, json_t *mailtrace, struct record *record)
{
	json_t *array = ocsf_take_array(in, mailtrace, "anomalies", CAP_ANOMALIES), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		gint64 offset = ocsf_need_number(in, value, "offset", 0, OCSF_NUMBER_MAX);

		record_add_anomaly(record, ocsf_need_string(in, value, "name"), (guint64)offset);
	}
}

static void
read_email(struct ocsf_in *in, json_t *root, struct record *record)
{
	json_t *email = ocsf_need(in, root, "email", JSON_OBJECT), *url;
	json_t *urls = ocsf_take_array(in, email, "urls", CAP_URLS);
	gsize i;

	record->subject = ocsf_take_text(in, email, "subject");
	record->message_id = ocsf_take_text(in, email, "message_uid");
	record->size = (guint64)ocsf_need_number(in, email, "size", 0, OCSF_NUMBER_MAX);
	json_array_foreach (urls, i, url)
		g_ptr_array_add(record->urls, ocsf_need_text(in, url, "url_string"));
}

static void
read_record(struct ocsf_in *in, json_t *root, json_t *mailtrace, struct record *record)
{
	read_email(in, root, record);
	read_header(in, mailtrace, record);
	if (json_object_get(mailtrace, "sha256") != NULL)
		ocsf_need_hex(in, mailtrace, "sha256", record->sha256, SHA256_BYTES);
	record->scanner = ocsf_take_text(in, mailtrace, "scanner");
	read_files(in, mailtrace, record);
	read_anomalies(in, mailtrace, record);
	ocsf_take_texts(in, mailtrace, "caps", CAP_ANOMALIES, record->caps);
}

static void
read_blocks(struct ocsf_in *in, json_t *mailtrace, struct event *event)
{
	static const char *const modes[] = {"observe", "hold", "discard", "reject", NULL};
	static const char *const matches[] = {"exact", "candidate", NULL};
	json_t *array = ocsf_take_array(in, mailtrace, "blocks", CAP_BLOCKS), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		gint64 number = ocsf_need_number(in, value, "block", 0, G_MAXUINT32);
		enum block_mode mode = ocsf_need_choice(in, value, "mode", modes);
		gboolean candidate = ocsf_need_choice(in, value, "match", matches) == 1;

		event_add_block(event, (guint32)number, mode, candidate,
				ocsf_need_string(in, value, "file"));
	}
}

struct event *
ocsf_decode_event(const void *json, gsize length, GError **error)
{
	g_autoptr(event_t) event = event_new();
	struct ocsf_in in = {.error = error};
	json_t *root = ocsf_parse(json, length, CAP_EVENT_BYTES, error), *mailtrace;

	if (root == NULL)
		return NULL;
	mailtrace = ocsf_check_class(root, error);
	if (mailtrace != NULL) {
		read_identity(&in, root, mailtrace, event);
		read_client(&in, mailtrace, &event->client);
		read_envelope(&in, mailtrace, event);
		read_record(&in, root, mailtrace, event->record);
		read_blocks(&in, mailtrace, event);
	}
	json_decref(root);
	return mailtrace != NULL && !in.failed ? g_steal_pointer(&event) : NULL;
}

/* ---- identity ---- */

gboolean
ocsf_claim_holds(const char *claim, const char *proved, const char *what, GError **error)
{
	if (claim == NULL || *claim == '\0' || strcmp(claim, proved) == 0)
		return TRUE;
	g_set_error(error, OCSF_ERROR, OCSF_ERROR_FIELD,
		    "event: claims another %s than its key's, %s", what, proved);
	return FALSE;
}

gboolean
ocsf_stamp_identity(struct event *event, const char *sensor, const char *tenant, GError **error)
{
	if (!ocsf_claim_holds(event->sensor, sensor, "sensor", error) ||
	    !ocsf_claim_holds(event->tenant, tenant, "tenant", error))
		return FALSE;
	g_free(event->sensor);
	event->sensor = g_strdup(sensor);
	g_free(event->tenant);
	event->tenant = g_strdup(tenant);
	return TRUE;
}
