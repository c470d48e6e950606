/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf.h"

#include <jansson.h>
#include <string.h>

#include "caps.h"
#include "ocsf_json.h"
#include "text.h"

/* Years 1 to 9999, what RFC 3339 can write. */
#define TIME_US_MIN (-62135596800 * G_USEC_PER_SEC)
#define TIME_US_MAX (253402300800 * G_USEC_PER_SEC - 1)

/* ---- members ---- */

/* A reading under way: after the first fault all that follows is let be. */
struct in {
	GError **error;
	gboolean failed;
};

static void
fail(struct in *in, const char *key, const char *what)
{
	if (!in->failed)
		g_set_error(in->error, OCSF_ERROR, OCSF_ERROR_FIELD, "event: %s %s", key, what);
	in->failed = TRUE;
}

/* Returns a member of this type, borrowed, or NULL if it is absent. */
static json_t *
take(struct in *in, json_t *object, const char *key, json_type type)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL)
		return NULL;
	if (json_typeof(value) != type) {
		fail(in, key, "is of another type");
		return NULL;
	}
	return value;
}

/* The same of a member that must be there. */
static json_t *
need(struct in *in, json_t *object, const char *key, json_type type)
{
	json_t *value = take(in, object, key, type);

	if (value == NULL)
		fail(in, key, "is missing");
	return value;
}

/* Returns an array of at most most members, or NULL. */
static json_t *
take_array(struct in *in, json_t *object, const char *key, gsize most)
{
	json_t *array = take(in, object, key, JSON_ARRAY);

	if (json_array_size(array) <= most)
		return array;
	fail(in, key, "has too many members");
	return NULL;
}

static const char *
need_string(struct in *in, json_t *object, const char *key)
{
	const char *text = json_string_value(need(in, object, key, JSON_STRING));

	return text != NULL ? text : "";
}

static char *
need_text(struct in *in, json_t *object, const char *key)
{
	return g_strdup(need_string(in, object, key));
}

static char *
take_text(struct in *in, json_t *object, const char *key)
{
	return g_strdup(json_string_value(take(in, object, key, JSON_STRING)));
}

static gint64
check_range(struct in *in, const char *key, gint64 number, gint64 least, gint64 most)
{
	if (number < least || number > most)
		fail(in, key, "is out of range");
	return number;
}

static gint64
take_number(struct in *in, json_t *object, const char *key, gint64 least, gint64 most)
{
	json_t *value = take(in, object, key, JSON_INTEGER);

	return value != NULL ? check_range(in, key, json_integer_value(value), least, most) : 0;
}

static gint64
need_number(struct in *in, json_t *object, const char *key, gint64 least, gint64 most)
{
	json_t *value = need(in, object, key, JSON_INTEGER);

	return value != NULL ? check_range(in, key, json_integer_value(value), least, most) : 0;
}

static gboolean
take_flag(struct in *in, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (value != NULL && !json_is_boolean(value))
		fail(in, key, "is of another type");
	return json_is_true(value);
}

static void
take_texts(struct in *in, json_t *object, const char *key, gsize most, GPtrArray *ret_texts)
{
	json_t *array = take_array(in, object, key, most), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		if (!json_is_string(value)) {
			fail(in, key, "has a member of another type");
			return;
		}
		g_ptr_array_add(ret_texts, g_strdup(json_string_value(value)));
	}
}

/* Reads base64 in the one spelling that the encoder has. */
static GBytes *
take_raw(struct in *in, json_t *object, const char *key)
{
	const char *text = json_string_value(take(in, object, key, JSON_STRING));
	g_autofree char *again = NULL;
	guint8 *bytes;
	gsize length;

	if (text == NULL)
		return NULL;
	bytes = g_base64_decode(text, &length);
	again = g_base64_encode(bytes, length);
	if (strcmp(text, again) != 0)
		fail(in, key, "is not base64");
	return g_bytes_new_take(bytes, length);
}

static void
need_hex(struct in *in, json_t *object, const char *key, guint8 *ret_bytes, gsize length)
{
	if (!hex_decode(need_string(in, object, key), ret_bytes, length))
		fail(in, key, "is not hexadecimal of its length");
}

static void
need_digests(struct in *in, json_t *object, struct digests *ret_digests)
{
	need_hex(in, object, "md5", ret_digests->md5, MD5_BYTES);
	need_hex(in, object, "sha1", ret_digests->sha1, SHA1_BYTES);
	need_hex(in, object, "sha256", ret_digests->sha256, SHA256_BYTES);
}

/* Returns the place of a name among count names, given by name_of. */
static guint
need_choice(struct in *in, json_t *object, const char *key, const char *const *names)
{
	const char *text = need_string(in, object, key);

	for (guint i = 0; names[i] != NULL; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	fail(in, key, "is none of its values");
	return 0;
}

/* ---- the envelope ---- */

static void
read_client(struct in *in, json_t *mailtrace, struct client *client)
{
	json_t *value = take(in, mailtrace, "client", JSON_OBJECT);
	json_t *tls = take(in, value, "tls", JSON_OBJECT);
	json_t *sasl = take(in, value, "sasl", JSON_OBJECT);

	client->ip = take_text(in, value, "ip");
	client->port = (guint)take_number(in, value, "port", 0, G_MAXUINT16);
	client->name = take_text(in, value, "name");
	client->helo = take_text(in, value, "helo");
	client->tls_version = take_text(in, tls, "version");
	client->tls_cipher = take_text(in, tls, "cipher");
	client->tls_bits = (guint)take_number(in, tls, "bits", 0, G_MAXUINT16);
	client->tls_subject = take_text(in, tls, "subject");
	client->sasl_user = take_text(in, sasl, "user");
	client->sasl_method = take_text(in, sasl, "method");
	client->sasl_author = take_text(in, sasl, "author");
}

static struct envelope_address *
read_envelope_address(struct in *in, json_t *value)
{
	struct envelope_address *address;

	if (!json_is_object(value))
		fail(in, "rcpt", "has a member of another type");
	address = envelope_address_new(need_string(in, value, "typed"));
	g_free(address->address);
	address->address = need_text(in, value, "address");
	take_texts(in, value, "arguments", CAP_ARGUMENTS, address->arguments);
	address->refused = take_flag(in, value, "refused");
	return address;
}

static void
read_envelope(struct in *in, json_t *mailtrace, struct event *event)
{
	json_t *sender = take(in, mailtrace, "sender", JSON_OBJECT), *value;
	json_t *recipients = take_array(in, mailtrace, "rcpt", CAP_RECIPIENTS);
	gsize i;

	if (sender != NULL)
		event->sender = read_envelope_address(in, sender);
	json_array_foreach (recipients, i, value) {
		if (in->failed)
			return;
		g_ptr_array_add(event->recipients, read_envelope_address(in, value));
	}
}

static char *
read_event_id(struct in *in, json_t *object, const char *key, gboolean required)
{
	char *id = required ? need_text(in, object, key) : take_text(in, object, key);

	if (id != NULL && !event_id_is_valid(id))
		fail(in, key, "is not a UUID");
	return id;
}

static void
read_identity(struct in *in, json_t *root, json_t *mailtrace, struct event *event)
{
	static const char *const origins[] = {"milter", "import", NULL};
	static const char *const directions[] = {"unknown", "inbound", "outbound", "internal",
						 NULL};
	static const char *const verdicts[] = {"accept", "hold",    "tempfail",
					       "reject", "discard", NULL};

	event->event_id = read_event_id(in, need(in, root, "metadata", JSON_OBJECT), "uid", TRUE);
	event->parent_event = read_event_id(in, mailtrace, "parent_event", FALSE);
	event->origin = g_strdup(origins[need_choice(in, mailtrace, "origin", origins)]);
	event->sensor = take_text(in, mailtrace, "sensor");
	event->tenant = take_text(in, mailtrace, "tenant");
	event->received_at_us = need_number(in, mailtrace, "received_at_us", 0, TIME_US_MAX);
	event->direction = (enum direction)need_choice(in, mailtrace, "direction", directions);
	event->host = take_text(in, mailtrace, "host");
	event->mta = take_text(in, mailtrace, "mta");
	event->queue_id = take_text(in, mailtrace, "queue_id");
	event->unread = take_text(in, mailtrace, "unread");
	event->verdict = (enum verdict)need_choice(in, mailtrace, "verdict", verdicts);
	event->verdict_reason = take_text(in, mailtrace, "verdict_reason");
}

/* ---- the record ---- */

static void
read_mail_addresses(struct in *in, json_t *header, const char *key, GPtrArray *ret_addresses)
{
	json_t *array = take_array(in, header, key, CAP_ADDRESSES), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		const char *display = json_string_value(take(in, value, "display", JSON_STRING));

		mail_address_add(ret_addresses, display, need_string(in, value, "address"));
	}
}

static void
read_header(struct in *in, json_t *mailtrace, struct record *record)
{
	json_t *header = take(in, mailtrace, "header", JSON_OBJECT);

	record->subject_raw = take_raw(in, header, "subject_raw");
	record->date = take_text(in, header, "date");
	record->date_us = take_number(in, header, "date_us", TIME_US_MIN, TIME_US_MAX);
	read_mail_addresses(in, header, "from", record->from);
	read_mail_addresses(in, header, "to", record->to);
	read_mail_addresses(in, header, "cc", record->cc);
	read_mail_addresses(in, header, "reply_to", record->reply_to);
	take_texts(in, header, "delivered_to", CAP_ADDRESSES, record->delivered_to);
	take_texts(in, header, "authentication_results", CAP_ADDRESSES,
		   record->authentication_results);
	record->list_id = take_text(in, header, "list_id");
}

static void
read_names(struct in *in, json_t *value, struct file *file)
{
	json_t *array = take_array(in, value, "names", CAP_NAMES), *name;
	gsize i;

	json_array_foreach (array, i, name) {
		g_autoptr(GBytes) raw = take_raw(in, name, "raw");

		file_add_name(file, need_string(in, name, "text"), need_string(in, name, "reading"),
			      raw);
	}
}

static void
read_variants(struct in *in, json_t *value, struct file *file)
{
	static const char *const kinds[] = {"exact", "lf", "delimiter", "trimmed", NULL};
	json_t *array = take_array(in, value, "variants", VARIANT_KIND_COUNT - 1), *entry;
	gsize i;

	json_array_foreach (array, i, entry) {
		enum variant_kind kind = need_choice(in, entry, "kind", kinds);
		guint64 size = (guint64)need_number(in, entry, "size", 0, OCSF_NUMBER_MAX);
		struct digests digests;

		need_digests(in, entry, &digests);
		if (kind == VARIANT_EXACT || file_variant(file, kind) != NULL)
			fail(in, "kind", "is none of a variant, or there twice");
		if (in->failed)
			return;
		file_add_variant(file, kind, size, &digests);
	}
}

static guint32
read_flags(struct in *in, json_t *value)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	guint32 flags = 0;

	take_texts(in, value, "flags", FILE_FLAG_COUNT, names);
	for (guint i = 0; i < names->len; i++) {
		guint bit = 0;

		while (bit < FILE_FLAG_COUNT &&
		       strcmp(g_ptr_array_index(names, i), record_flag_name(bit)) != 0)
			bit++;
		if (bit == FILE_FLAG_COUNT)
			fail(in, "flags", "has one that is none");
		else
			flags |= 1u << bit;
	}
	return flags;
}

static void
read_file_content(struct in *in, json_t *value, struct file *file)
{
	guint32 crc32;

	file->flags = read_flags(in, value);
	file->size = (guint64)need_number(in, value, "size", 0, OCSF_NUMBER_MAX);
	if (json_object_get(value, "sha256") != NULL)
		need_digests(in, value, &file->digests);
	read_variants(in, value, file);
	if (json_object_get(value, "crc32") != NULL) {
		need_hex(in, value, "crc32", (guint8 *)&crc32, sizeof(crc32));
		file->has_crc32 = !in->failed;
		file->crc32 = in->failed ? 0 : GUINT32_FROM_BE(crc32);
	}
	file->method = take_text(in, value, "method");
	take_texts(in, value, "readings", G_MAXSIZE, file->readings);
	take_texts(in, value, "malware", G_MAXSIZE, file->malware);
}

/* Returns the index of the parent, -1 for the first file. */
static int
read_parent(struct in *in, json_t *value, GHashTable *indices, guint index)
{
	const char *parent = json_string_value(take(in, value, "parent", JSON_STRING));
	gpointer found = NULL;

	if ((parent == NULL) != (index == 0) ||
	    (parent != NULL && !g_hash_table_lookup_extended(indices, parent, NULL, &found)))
		fail(in, "parent", "is not that of a file before this one");
	return parent == NULL || in->failed ? -1 : GPOINTER_TO_INT(found);
}

static void
read_file(struct in *in, json_t *value, struct record *record, GHashTable *indices)
{
	const char *path = need_string(in, value, "path");
	guint index = record->files->len;
	int parent = read_parent(in, value, indices, index);
	struct file *file;

	if (*path == '\0' || g_hash_table_contains(indices, path))
		fail(in, "path", "is empty, or there twice");
	file = record_add_file(record, path, parent);
	g_hash_table_insert(indices, file->path, GUINT_TO_POINTER(index));
	read_names(in, value, file);
	file->declared_type = take_text(in, value, "declared_type");
	file->detected_type = take_text(in, value, "detected_type");
	file->disposition = take_text(in, value, "disposition");
	file->content_id = take_text(in, value, "content_id");
	file->encoding = take_text(in, value, "encoding");
	read_file_content(in, value, file);
}

static void
read_files(struct in *in, json_t *mailtrace, struct record *record)
{
	g_autoptr(GHashTable) indices = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *array = take_array(in, mailtrace, "files", CAP_PARTS), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		if (in->failed)
			return;
		read_file(in, value, record, indices);
	}
}

static void
read_anomalies(struct in *in, json_t *mailtrace, struct record *record)
{
	json_t *array = take_array(in, mailtrace, "anomalies", CAP_ANOMALIES), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		gint64 offset = need_number(in, value, "offset", 0, OCSF_NUMBER_MAX);

		record_add_anomaly(record, need_string(in, value, "name"), (guint64)offset);
	}
}

static void
read_email(struct in *in, json_t *root, struct record *record)
{
	json_t *email = need(in, root, "email", JSON_OBJECT), *url;
	json_t *urls = take_array(in, email, "urls", CAP_URLS);
	gsize i;

	record->subject = take_text(in, email, "subject");
	record->message_id = take_text(in, email, "message_uid");
	record->size = (guint64)need_number(in, email, "size", 0, OCSF_NUMBER_MAX);
	json_array_foreach (urls, i, url)
		g_ptr_array_add(record->urls, need_text(in, url, "url_string"));
}

static void
read_record(struct in *in, json_t *root, json_t *mailtrace, struct record *record)
{
	json_t *digests = take(in, mailtrace, "digests", JSON_OBJECT);

	read_email(in, root, record);
	read_header(in, mailtrace, record);
	if (digests != NULL)
		need_digests(in, digests, &record->digests);
	read_files(in, mailtrace, record);
	read_anomalies(in, mailtrace, record);
	take_texts(in, mailtrace, "caps", CAP_ANOMALIES, record->caps);
}

/* Returns unmapped.mailtrace of an event of our class and version, borrowed, or NULL. */
static json_t *
check_class(json_t *root, GError **error)
{
	json_t *unmapped = json_object_get(root, "unmapped");
	json_t *mailtrace = json_object_get(unmapped, "mailtrace");
	json_t *class_uid = json_object_get(root, "class_uid");
	json_t *version = json_object_get(mailtrace, "version");

	if (json_integer_value(class_uid) != OCSF_CLASS_EMAIL_ACTIVITY ||
	    !json_is_object(mailtrace)) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_CLASS,
			    "event: not an email_activity (4009) with unmapped.mailtrace");
		return NULL;
	}
	if (json_integer_value(version) < 1) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_FIELD, "event: version is missing");
		return NULL;
	}
	if (json_integer_value(version) > MAILTRACE_EVENT_VERSION) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_VERSION,
			    "event: version %" JSON_INTEGER_FORMAT " is newer than %d",
			    json_integer_value(version), MAILTRACE_EVENT_VERSION);
		return NULL;
	}
	return mailtrace;
}

struct event *
ocsf_decode_event(const void *json, gsize length, GError **error)
{
	g_autoptr(event_t) event = event_new();
	struct in in = {.error = error};
	json_error_t where = {.text = "longer than an event may be"};
	json_t *root = NULL, *mailtrace;

	if (length <= CAP_EVENT_BYTES)
		root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &where);
	if (root == NULL) {
		g_autofree char *why = text_for_terminal(where.text);

		g_set_error(error, OCSF_ERROR, OCSF_ERROR_SYNTAX, "event: %s", why);
		return NULL;
	}
	mailtrace = check_class(root, error);
	if (mailtrace != NULL) {
		read_identity(&in, root, mailtrace, event);
		read_client(&in, mailtrace, &event->client);
		read_envelope(&in, mailtrace, event);
		read_record(&in, root, mailtrace, event->record);
	}
	json_decref(root);
	return mailtrace != NULL && !in.failed ? g_steal_pointer(&event) : NULL;
}

/* ---- identity ---- */

static gboolean
claim_holds(const char *claim, const char *proved, const char *what, GError **error)
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
	if (!claim_holds(event->sensor, sensor, "sensor", error) ||
	    !claim_holds(event->tenant, tenant, "tenant", error))
		return FALSE;
	g_free(event->sensor);
	event->sensor = g_strdup(sensor);
	g_free(event->tenant);
	event->tenant = g_strdup(tenant);
	return TRUE;
}
