/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ocsf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "text.h"

/* OCSF 1.8, class email_activity; standards' numbers under their own names. */
#define CATEGORY_NETWORK 4
#define CLASS_EMAIL_ACTIVITY 4009
#define ACTIVITY_SEND 1
#define ACTIVITY_RECEIVE 2
#define SEVERITY_INFORMATIONAL 1
#define STATUS_SUCCESS 1
#define STATUS_FAILURE 2
#define FILE_TYPE_REGULAR 1
#define MALWARE_CLASSIFICATION_UNKNOWN 0
#define ALGORITHM_MD5 1
#define ALGORITHM_SHA1 2
#define ALGORITHM_SHA256 3

#define EXTENSION_BYTES_MAX 16 /* what people call an extension is shorter */
#define MALWARE_MAX 64	       /* distinct names at the top level; all are in files[] */

/* RFC 8259 6: beyond this, readers that hold numbers as doubles lose digits. */
#define NUMBER_MAX ((G_GINT64_CONSTANT(1) << 53) - 1)

/* Years 1 to 9999, what RFC 3339 can write. */
#define TIME_US_MIN (-62135596800 * G_USEC_PER_SEC)
#define TIME_US_MAX (253402300800 * G_USEC_PER_SEC - 1)

G_DEFINE_QUARK(mailtrace - ocsf - error - quark, ocsf_error)

/* What is left out of an event that is too long, in this order. */
enum limit {
	LIMIT_FILES,	  /* deepest and last first */
	LIMIT_URLS,	  /* last first */
	LIMIT_ARGUMENTS,  /* recipients whose arguments are kept */
	LIMIT_HEADER,	  /* entries of each list of header values */
	LIMIT_RAW,	  /* the subject's raw bytes */
	LIMIT_TO,	  /* OCSF's copy of the recipients */
	LIMIT_RECIPIENTS, /* rcpt[] itself */
	LIMITS,
};

/* One attempt at an event. */
struct attempt {
	const struct event *event;
	guint limits[LIMITS];
	gboolean *kept;	      /* of the files, by index */
	gboolean *incomplete; /* those below which files are left out */
};

/* ---- writing: members ---- */

static void
put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, value);
}

/* Text is valid by contract; should it not be, it is escaped, never lost. */
static json_t *
text_value(const char *text)
{
	json_t *value = json_string(text);
	g_autofree char *valid = NULL;

	if (value != NULL)
		return value;
	valid = text_from_bytes(text, strlen(text), G_MAXSIZE, NULL);
	return json_string(valid);
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		put(object, key, text_value(text));
}

static void
put_number(json_t *object, const char *key, guint64 number)
{
	put(object, key, json_integer((json_int_t)MIN(number, (guint64)NUMBER_MAX)));
}

static void
put_raw(json_t *object, const char *key, GBytes *raw)
{
	g_autofree char *text = NULL;

	if (raw == NULL)
		return;
	text = g_base64_encode(g_bytes_get_data(raw, NULL), g_bytes_get_size(raw));
	put_text(object, key, text);
}

static void
put_hex(json_t *object, const char *key, const guint8 *bytes, gsize length)
{
	g_autofree char *hex = hex_encode(bytes, length);

	put_text(object, key, hex);
}

static void
put_digests(json_t *object, const struct digests *digests)
{
	put_hex(object, "md5", digests->md5, MD5_BYTES);
	put_hex(object, "sha1", digests->sha1, SHA1_BYTES);
	put_hex(object, "sha256", digests->sha256, SHA256_BYTES);
}

static gboolean
has_digests(const struct digests *digests)
{
	static const struct digests none;

	return memcmp(digests, &none, sizeof(none)) != 0;
}

/* Puts an object or array unless it is empty. */
static void
put_filled(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value) > 0 || json_array_size(value) > 0)
		put(object, key, value);
	else
		json_decref(value);
}

static void
put_texts(json_t *object, const char *key, const GPtrArray *texts, guint most)
{
	json_t *array = json_array();

	for (guint i = 0; i < MIN(texts->len, most); i++)
		json_array_append_new(array, text_value(g_ptr_array_index(texts, i)));
	put_filled(object, key, array);
}

/* ---- writing: what OCSF has ---- */

static gboolean
is_made_of(const char *text, gsize length, const char *marks)
{
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isalnum(text[i]) && (text[i] == '\0' || !strchr(marks, text[i])))
			return FALSE;
	return length > 0;
}

/*
 * Whether text is OCSF's email_t: ^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@
 * [a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$, where "+-/" is the range + , - . /
 */
static gboolean
is_email_type(const char *text)
{
	const char *at = strchr(text, '@'), *dot;

	if (at == NULL || !is_made_of(text, (gsize)(at - text), "!#$%&'*+,-./=?^_`{|}~"))
		return FALSE;
	dot = strchr(at + 1, '.');
	return dot != NULL && is_made_of(at + 1, (gsize)(dot - at - 1), "-") &&
	       is_made_of(dot + 1, strlen(dot + 1), "-.");
}

/* Whether text is OCSF's hostname_t: labels of letters, digits and inner dashes. */
static gboolean
is_hostname_type(const char *text)
{
	g_auto(GStrv) labels = g_strsplit(text, ".", -1);

	for (char **label = labels; *label != NULL; label++) {
		gsize length = strlen(*label);

		if (!is_made_of(*label, length, "-") || (*label)[0] == '-' ||
		    (*label)[length - 1] == '-')
			return FALSE;
	}
	return labels[0] != NULL;
}

static json_t *
metadata_value(const struct event *event)
{
	json_t *metadata = json_object(), *product = json_object();

	put_text(metadata, "version", OCSF_VERSION);
	put_text(metadata, "uid", event->event_id);
	put_text(product, "name", "mailtrace");
	put_text(product, "vendor_name", "mailtrace");
	put_text(product, "version", PACKAGE_VERSION);
	put(metadata, "product", product);
	put(metadata, "profiles", json_pack("[s]", "security_control"));
	put_text(metadata, "log_name", event->origin);
	put_text(metadata, "tenant_uid", event->tenant);
	return metadata;
}

static void
put_class(json_t *root, const struct event *event)
{
	int activity = event->direction == DIRECTION_OUTBOUND ? ACTIVITY_SEND : ACTIVITY_RECEIVE;
	gboolean failed = event->verdict == VERDICT_TEMPFAIL || event->verdict == VERDICT_REJECT;

	put(root, "category_uid", json_integer(CATEGORY_NETWORK));
	put(root, "class_uid", json_integer(CLASS_EMAIL_ACTIVITY));
	put(root, "activity_id", json_integer(activity));
	put(root, "type_uid", json_integer(CLASS_EMAIL_ACTIVITY * 100 + activity));
	put(root, "severity_id", json_integer(SEVERITY_INFORMATIONAL));
	put(root, "status_id", json_integer(failed ? STATUS_FAILURE : STATUS_SUCCESS));
	put_text(root, "status_detail", event->verdict_reason);
	put(root, "time", json_integer(event->received_at_us / 1000));
	/* OCSF's direction_id has the order of enum direction. */
	put(root, "direction_id", json_integer(event->direction));
}

/* The action and disposition of profile security_control. */
static void
put_disposition(json_t *root, enum verdict verdict)
{
	static const struct {
		int action, disposition;
	} ids[] = {
		[VERDICT_ACCEPT] = {1, 17},   /* Allowed, Logged */
		[VERDICT_HOLD] = {2, 3},      /* Denied, Quarantined */
		[VERDICT_TEMPFAIL] = {2, 14}, /* Denied, Delayed */
		[VERDICT_REJECT] = {2, 25},   /* Denied, Rejected */
		[VERDICT_DISCARD] = {2, 6},   /* Denied, Dropped */
	};

	put(root, "action_id", json_integer(ids[verdict].action));
	put(root, "disposition_id", json_integer(ids[verdict].disposition));
}

static void
put_endpoints(json_t *root, const struct event *event)
{
	const struct client *client = &event->client;
	json_t *source = json_object(), *destination = json_object();

	put_text(source, "ip", client->ip);
	if (client->ip != NULL && client->port > 0)
		put_number(source, "port", client->port);
	if (client->name != NULL && is_hostname_type(client->name))
		put_text(source, "hostname", client->name);
	put_filled(root, "src_endpoint", source);
	if (event->host != NULL && is_hostname_type(event->host))
		put_text(destination, "hostname", event->host);
	put_filled(root, "dst_endpoint", destination);
}

/* SMTP's envelope, as far as OCSF's type takes it; refused recipients got nothing. */
static void
put_envelope(json_t *root, const struct attempt *attempt)
{
	const struct event *event = attempt->event;
	json_t *to = json_array();
	guint count = MIN(event->recipients->len, attempt->limits[LIMIT_TO]);

	if (event->sender != NULL && is_email_type(event->sender->address))
		put_text(root, "from", event->sender->address);
	for (guint i = 0; i < count; i++) {
		const struct envelope_address *rcpt = g_ptr_array_index(event->recipients, i);

		if (!rcpt->refused && is_email_type(rcpt->address))
			json_array_append_new(to, text_value(rcpt->address));
	}
	put_filled(root, "to", to);
}

static json_t *
conforming(const GPtrArray *addresses, guint most)
{
	json_t *array = json_array();

	for (guint i = 0; i < MIN(addresses->len, most); i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		if (is_email_type(address->address))
			json_array_append_new(array, text_value(address->address));
	}
	return array;
}

/* OCSF's email wants "from" or "to"; a mail without either has an empty "to". */
static void
put_header_addresses(json_t *email, const struct attempt *attempt)
{
	const struct record *record = attempt->event->record;
	guint most = attempt->limits[LIMIT_HEADER];
	json_t *from = conforming(record->from, most), *to = conforming(record->to, most);

	if (json_array_size(from) > 0)
		put(email, "from", json_incref(json_array_get(from, 0)));
	if (json_array_size(from) > 1)
		put(email, "from_list", json_incref(from));
	if (json_array_size(from) == 0 || json_array_size(to) > 0)
		put(email, "to", json_incref(to));
	json_decref(from);
	json_decref(to);
	put_filled(email, "cc", conforming(record->cc, most));
	put_filled(email, "reply_to_list", conforming(record->reply_to, most));
}

static json_t *
fingerprint(int id, const char *algorithm, const guint8 *bytes, gsize length)
{
	json_t *value = json_object();

	put(value, "algorithm_id", json_integer(id));
	put_text(value, "algorithm", algorithm);
	put_hex(value, "value", bytes, length);
	return value;
}

static void
put_hashes(json_t *object, const struct digests *digests)
{
	json_t *hashes = json_array();

	json_array_append_new(hashes, fingerprint(ALGORITHM_MD5, "MD5", digests->md5, MD5_BYTES));
	json_array_append_new(hashes,
			      fingerprint(ALGORITHM_SHA1, "SHA-1", digests->sha1, SHA1_BYTES));
	json_array_append_new(
		hashes, fingerprint(ALGORITHM_SHA256, "SHA-256", digests->sha256, SHA256_BYTES));
	put(object, "hashes", hashes);
}

static void
put_extension(json_t *object, const char *name)
{
	const char *dot = strrchr(name, '.');
	g_autofree char *extension = NULL;

	if (dot == NULL || strlen(dot + 1) > EXTENSION_BYTES_MAX ||
	    !is_made_of(dot + 1, strlen(dot + 1), ""))
		return;
	extension = g_ascii_strdown(dot + 1, -1);
	put_text(object, "ext", extension);
}

/* OCSF's file wants a name; a part without one is named by its place. */
static json_t *
attachment_value(const struct file *file)
{
	json_t *value = json_object();
	const char *name = file_best_name(file);
	g_autofree char *fallback = g_strdup_printf("part-%s", file->path);

	if (name == NULL || *name == '\0')
		name = fallback;
	put_text(value, "name", name);
	put_extension(value, name);
	put_text(value, "path", file->path);
	put(value, "type_id", json_integer(FILE_TYPE_REGULAR));
	put_text(value, "mime_type",
		 file->detected_type != NULL ? file->detected_type : file->declared_type);
	put_number(value, "size", file->size);
	if ((file->flags & FILE_ENCRYPTED) != 0)
		put(value, "is_encrypted", json_true());
	if (has_digests(&file->digests))
		put_hashes(value, &file->digests);
	return value;
}

static json_t *
attachments_value(const struct attempt *attempt)
{
	const GPtrArray *files = attempt->event->record->files;
	json_t *array = json_array();

	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if (attempt->kept[i] && file_is_attachment(file))
			json_array_append_new(array, attachment_value(file));
	}
	return array;
}

static json_t *
urls_value(const struct attempt *attempt)
{
	const GPtrArray *urls = attempt->event->record->urls;
	json_t *array = json_array();

	for (guint i = 0; i < MIN(urls->len, attempt->limits[LIMIT_URLS]); i++) {
		json_t *url = json_object();

		put_text(url, "url_string", g_ptr_array_index(urls, i));
		json_array_append_new(array, url);
	}
	return array;
}

static json_t *
email_value(const struct attempt *attempt)
{
	const struct record *record = attempt->event->record;
	json_t *email = json_object();

	put_header_addresses(email, attempt);
	put_text(email, "subject", record->subject);
	put_text(email, "message_uid", record->message_id);
	put_number(email, "size", record->size);
	put_filled(email, "files", attachments_value(attempt));
	put_filled(email, "urls", urls_value(attempt));
	return email;
}

/* The names of all signatures, each once. */
static void
put_malware(json_t *root, const GPtrArray *files)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *array = json_array();

	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		for (guint n = 0; n < file->malware->len; n++) {
			char *name = g_ptr_array_index(file->malware, n);

			if (g_hash_table_size(seen) < MALWARE_MAX && g_hash_table_add(seen, name))
				json_array_append_new(array,
						      json_pack("{s:[i],s:o}", "classification_ids",
								MALWARE_CLASSIFICATION_UNKNOWN,
								"name", text_value(name)));
		}
	}
	put_filled(root, "malware", array);
}

/* ---- writing: unmapped.mailtrace ---- */

static json_t *
client_value(const struct client *client)
{
	json_t *value = json_object(), *tls = json_object(), *sasl = json_object();

	put_text(value, "ip", client->ip);
	if (client->port > 0)
		put_number(value, "port", client->port);
	put_text(value, "name", client->name);
	put_text(value, "helo", client->helo);
	put_text(tls, "version", client->tls_version);
	put_text(tls, "cipher", client->tls_cipher);
	if (client->tls_bits > 0)
		put_number(tls, "bits", client->tls_bits);
	put_text(tls, "subject", client->tls_subject);
	put_filled(value, "tls", tls);
	put_text(sasl, "user", client->sasl_user);
	put_text(sasl, "method", client->sasl_method);
	put_text(sasl, "author", client->sasl_author);
	put_filled(value, "sasl", sasl);
	return value;
}

static json_t *
envelope_address_value(const struct envelope_address *address, gboolean with_arguments)
{
	json_t *value = json_object();

	put_text(value, "typed", address->typed);
	put_text(value, "address", address->address);
	put_texts(value, "arguments", address->arguments, with_arguments ? CAP_ARGUMENTS : 0);
	if (address->refused)
		put(value, "refused", json_true());
	return value;
}

static json_t *
recipients_value(const struct attempt *attempt)
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

		put_text(value, "display", address->display);
		put_text(value, "address", address->address);
		json_array_append_new(array, value);
	}
	put_filled(object, key, array);
}

static json_t *
header_value(const struct attempt *attempt)
{
	const struct record *record = attempt->event->record;
	guint most = attempt->limits[LIMIT_HEADER];
	json_t *value = json_object();

	if (attempt->limits[LIMIT_RAW] > 0)
		put_raw(value, "subject_raw", record->subject_raw);
	put_text(value, "date", record->date);
	if (record->date_us != 0)
		put(value, "date_us", json_integer(record->date_us));
	put_mail_addresses(value, "from", record->from, most);
	put_mail_addresses(value, "to", record->to, most);
	put_mail_addresses(value, "cc", record->cc, most);
	put_mail_addresses(value, "reply_to", record->reply_to, most);
	put_texts(value, "delivered_to", record->delivered_to, most);
	put_texts(value, "authentication_results", record->authentication_results, most);
	put_text(value, "list_id", record->list_id);
	return value;
}

static json_t *
names_value(const GPtrArray *names)
{
	json_t *array = json_array();

	for (guint i = 0; i < names->len; i++) {
		const struct file_name *name = g_ptr_array_index(names, i);
		json_t *value = json_object();

		put_text(value, "text", name->text);
		put_raw(value, "raw", name->raw);
		put_text(value, "reading", name->reading);
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

		put_text(value, "kind", variant_kind_name(variant->kind));
		put_number(value, "size", variant->size);
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
	put_filled(value, "names", names_value(file->names));
	put_text(value, "declared_type", file->declared_type);
	put_text(value, "detected_type", file->detected_type);
	put_text(value, "disposition", file->disposition);
	put_text(value, "content_id", file->content_id);
	put_text(value, "encoding", file->encoding);
	put_filled(value, "flags", flags_value(flags));
}

static json_t *
file_value(const struct file *file, const struct file *parent, gboolean incomplete)
{
	json_t *value = json_object();
	guint32 flags = file->flags | (incomplete ? (guint32)FILE_INCOMPLETE : 0);

	put_text(value, "path", file->path);
	put_text(value, "parent", parent != NULL ? parent->path : NULL);
	put_file_kind(value, file, flags);
	put_number(value, "size", file->size);
	if (has_digests(&file->digests))
		put_digests(value, &file->digests);
	put_filled(value, "variants", variants_value(file->variants));
	if (file->has_crc32) {
		guint32 big = GUINT32_TO_BE(file->crc32);

		put_hex(value, "crc32", (const guint8 *)&big, sizeof(big));
	}
	put_text(value, "method", file->method);
	put_texts(value, "readings", file->readings, G_MAXUINT);
	put_texts(value, "malware", file->malware, G_MAXUINT);
	return value;
}

static json_t *
files_value(const struct attempt *attempt)
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

		put_text(value, "name", anomaly->name);
		put_number(value, "offset", anomaly->offset);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
caps_value(const struct attempt *attempt)
{
	const GPtrArray *caps = attempt->event->record->caps;
	json_t *array = json_array();
	gboolean cut = FALSE;

	for (int i = 0; i < LIMITS; i++)
		cut |= attempt->limits[i] != G_MAXUINT;
	for (guint i = 0; i < caps->len; i++) {
		const char *name = g_ptr_array_index(caps, i);

		cut &= strcmp(name, CAP_EVENT_BYTES_NAME) != 0;
		json_array_append_new(array, text_value(name));
	}
	if (cut)
		json_array_append_new(array, json_string(CAP_EVENT_BYTES_NAME));
	return array;
}

static void
put_identity(json_t *value, const struct event *event)
{
	put(value, "version", json_integer(MAILTRACE_EVENT_VERSION));
	put_text(value, "origin", event->origin);
	put_text(value, "sensor", event->sensor);
	put_text(value, "tenant", event->tenant);
	put(value, "received_at_us", json_integer(event->received_at_us));
	put_text(value, "direction", direction_name(event->direction));
	put_text(value, "parent_event", event->parent_event);
	put_text(value, "host", event->host);
	put_text(value, "mta", event->mta);
	put_text(value, "queue_id", event->queue_id);
}

static json_t *
mailtrace_value(const struct attempt *attempt)
{
	const struct event *event = attempt->event;
	const struct record *record = event->record;
	json_t *value = json_object();

	put_identity(value, event);
	put_filled(value, "client", client_value(&event->client));
	if (event->sender != NULL)
		put(value, "sender", envelope_address_value(event->sender, TRUE));
	put_filled(value, "rcpt", recipients_value(attempt));
	put_filled(value, "header", header_value(attempt));
	if (has_digests(&record->digests)) {
		json_t *digests = json_object();

		put_digests(digests, &record->digests);
		put(value, "digests", digests);
	}
	put_filled(value, "files", files_value(attempt));
	put_filled(value, "anomalies", anomalies_value(record->anomalies));
	put_filled(value, "caps", caps_value(attempt));
	put_text(value, "unread", event->unread);
	put_text(value, "verdict", verdict_name(event->verdict));
	put_text(value, "verdict_reason", event->verdict_reason);
	return value;
}

static json_t *
event_value(const struct attempt *attempt)
{
	const struct event *event = attempt->event;
	json_t *root = json_object();

	put(root, "metadata", metadata_value(event));
	put_class(root, event);
	if (event->client.ip != NULL)
		put_text(root, "protocol_name", "SMTP");
	if (event->host != NULL && event->queue_id != NULL) {
		g_autofree char *trace = g_strdup_printf("%s/%s", event->host, event->queue_id);

		put_text(root, "message_trace_uid", trace);
	}
	put_text(root, "command", event->client.helo);
	put_envelope(root, attempt);
	put_endpoints(root, event);
	put(root, "email", email_value(attempt));
	put_disposition(root, event->verdict);
	put_malware(root, event->record->files);
	put(root, "unmapped", json_pack("{s:o}", "mailtrace", mailtrace_value(attempt)));
	return root;
}

/* ---- writing: the bound ---- */

/* Marks the shallowest and first files as kept, up to the limit, and their cut parents. */
static void
choose_files(struct attempt *attempt, const guint *order)
{
	const GPtrArray *files = attempt->event->record->files;

	for (guint i = 0; i < files->len; i++)
		attempt->incomplete[i] = FALSE;
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, order[i]);

		attempt->kept[order[i]] = i < attempt->limits[LIMIT_FILES];
		if (!attempt->kept[order[i]] && file->parent >= 0)
			attempt->incomplete[file->parent] = TRUE;
	}
}

/* Returns the files' indices, shallow before deep and first before last; counting sort. */
static guint *
files_by_depth(const GPtrArray *files)
{
	guint count = files->len, *order = g_new(guint, count + 1);
	g_autofree guint *depths = g_new0(guint, count + 1);
	g_autofree guint *starts = g_new0(guint, count + 2);

	for (guint i = 0; i < count; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		depths[i] = file->parent >= 0 ? depths[file->parent] + 1 : 0;
		starts[depths[i] + 1]++;
	}
	for (guint depth = 1; depth <= count; depth++)
		starts[depth] += starts[depth - 1];
	for (guint i = 0; i < count; i++)
		order[starts[depths[i]]++] = i;
	return order;
}

/* Returns the event's bytes, or NULL when they are more than max_bytes. */
static GBytes *
encode_attempt(struct attempt *attempt, const guint *order, gsize max_bytes)
{
	json_t *root;
	char *text;
	gsize length;

	choose_files(attempt, order);
	root = event_value(attempt);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text == NULL)
		g_error("an event could not be written");
	length = strlen(text);
	if (length > max_bytes) {
		free(text);
		return NULL;
	}
	return g_bytes_new_with_free_func(text, length, free, text);
}

static guint
limit_length(const struct event *event, enum limit limit)
{
	switch (limit) {
	case LIMIT_FILES:
		return event->record->files->len;
	case LIMIT_URLS:
		return event->record->urls->len;
	case LIMIT_HEADER:
		return CAP_ADDRESSES;
	case LIMIT_RAW:
		return 1;
	case LIMIT_ARGUMENTS:
	case LIMIT_TO:
	case LIMIT_RECIPIENTS:
	case LIMITS:
		break;
	}
	return event->recipients->len;
}

/*
 * Finds the most of one list with which the event fits.  Returns NULL, with
 * nothing of the list left, when it is too long all the same.
 */
static GBytes *
encode_most(struct attempt *attempt, enum limit limit, const guint *order, gsize max_bytes)
{
	guint fits = 0, fails = limit_length(attempt->event, limit) + 1;
	GBytes *best;

	attempt->limits[limit] = 0;
	best = encode_attempt(attempt, order, max_bytes);
	while (best != NULL && fails - fits > 1) {
		GBytes *bytes;

		attempt->limits[limit] = fits + (fails - fits) / 2;
		bytes = encode_attempt(attempt, order, max_bytes);
		if (bytes == NULL) {
			fails = attempt->limits[limit];
			continue;
		}
		fits = attempt->limits[limit];
		g_bytes_unref(best);
		best = bytes;
	}
	return best;
}

GBytes *
ocsf_encode_event(const struct event *event, gsize max_bytes)
{
	guint count = event->record->files->len;
	g_autofree guint *order = files_by_depth(event->record->files);
	g_autofree gboolean *kept = g_new0(gboolean, count + 1);
	g_autofree gboolean *incomplete = g_new0(gboolean, count + 1);
	struct attempt attempt = {.event = event, .kept = kept, .incomplete = incomplete};
	GBytes *bytes;

	for (int i = 0; i < LIMITS; i++)
		attempt.limits[i] = G_MAXUINT;
	bytes = encode_attempt(&attempt, order, max_bytes);
	for (int i = 0; bytes == NULL && i < LIMITS; i++)
		bytes = encode_most(&attempt, i, order, max_bytes);
	if (bytes == NULL)
		bytes = encode_attempt(&attempt, order, G_MAXSIZE);
	return bytes;
}

/* ---- reading: members ---- */

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

/* ---- reading: the envelope ---- */

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

/* ---- reading: the record ---- */

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
		guint64 size = (guint64)need_number(in, entry, "size", 0, NUMBER_MAX);
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
	file->size = (guint64)need_number(in, value, "size", 0, NUMBER_MAX);
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
		gint64 offset = need_number(in, value, "offset", 0, NUMBER_MAX);

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
	record->size = (guint64)need_number(in, email, "size", 0, NUMBER_MAX);
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

	if (json_integer_value(class_uid) != CLASS_EMAIL_ACTIVITY || !json_is_object(mailtrace)) {
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
