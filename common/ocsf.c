/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ocsf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "ocsf_json.h"

/* OCSF 1.8, class email_activity; standards' numbers under their own names. */
#define CATEGORY_NETWORK 4
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

G_DEFINE_QUARK(mailtrace_ocsf_error, ocsf_error)

/* ---- what OCSF has ---- */

static gboolean
is_made_of(const char *text, gsize length, const char *marks)
{
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isalnum(text[i]) && (text[i] == '\0' || !strchr(marks, text[i])))
			return FALSE;
	return length > 0;
}

/*
 * OCSF's pattern: ^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@
 * [a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$, where "+-/" is the range + , - . /
 */
gboolean
ocsf_is_email(const char *text)
{
	const char *at = strchr(text, '@'), *dot;

	if (at == NULL || !is_made_of(text, (gsize)(at - text), "!#$%&'*+,-./=?^_`{|}~"))
		return FALSE;
	dot = strchr(at + 1, '.');
	return dot != NULL && is_made_of(at + 1, (gsize)(dot - at - 1), "-") &&
	       is_made_of(dot + 1, strlen(dot + 1), "-.");
}

/* Labels of letters, digits and inner dashes. */
gboolean
ocsf_is_hostname(const char *text)
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

json_t *
ocsf_metadata_value(const char *event_id, const char *log_name, const char *tenant,
		    const char *profile)
{
	json_t *metadata = json_object(), *product = json_object();

	ocsf_put_text(metadata, "version", OCSF_VERSION);
	ocsf_put_text(metadata, "uid", event_id);
	ocsf_put_text(product, "name", "mailtrace");
	ocsf_put_text(product, "vendor_name", "mailtrace");
	ocsf_put_text(product, "version", PACKAGE_VERSION);
	ocsf_put(metadata, "product", product);
	if (profile != NULL)
		ocsf_put(metadata, "profiles", json_pack("[s]", profile));
	ocsf_put_text(metadata, "log_name", log_name);
	ocsf_put_text(metadata, "tenant_uid", tenant);
	return metadata;
}

static void
put_class(json_t *root, const struct event *event)
{
	int activity = event->direction == DIRECTION_OUTBOUND ? ACTIVITY_SEND : ACTIVITY_RECEIVE;
	gboolean failed = event->verdict == VERDICT_TEMPFAIL || event->verdict == VERDICT_REJECT;

	ocsf_put(root, "category_uid", json_integer(CATEGORY_NETWORK));
	ocsf_put(root, "class_uid", json_integer(OCSF_CLASS_EMAIL_ACTIVITY));
	ocsf_put(root, "activity_id", json_integer(activity));
	ocsf_put(root, "type_uid", json_integer(OCSF_CLASS_EMAIL_ACTIVITY * 100 + activity));
	ocsf_put(root, "severity_id", json_integer(SEVERITY_INFORMATIONAL));
	ocsf_put(root, "status_id", json_integer(failed ? STATUS_FAILURE : STATUS_SUCCESS));
	ocsf_put_text(root, "status_detail", event->verdict_reason);
	ocsf_put(root, "time", json_integer(event->received_at_us / 1000));
	/* OCSF's direction_id has the order of enum direction. */
	ocsf_put(root, "direction_id", json_integer(event->direction));
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

	ocsf_put(root, "action_id", json_integer(ids[verdict].action));
	ocsf_put(root, "disposition_id", json_integer(ids[verdict].disposition));
}

static void
put_endpoints(json_t *root, const struct event *event)
{
	const struct client *client = &event->client;
	json_t *source = json_object(), *destination = json_object();

	ocsf_put_text(source, "ip", client->ip);
	if (client->ip != NULL && client->port > 0)
		ocsf_put_number(source, "port", client->port);
	if (client->name != NULL && ocsf_is_hostname(client->name))
		ocsf_put_text(source, "hostname", client->name);
	ocsf_put_filled(root, "src_endpoint", source);
	if (event->host != NULL && ocsf_is_hostname(event->host))
		ocsf_put_text(destination, "hostname", event->host);
	ocsf_put_filled(root, "dst_endpoint", destination);
}

/* SMTP's envelope, as far as OCSF's type takes it; refused recipients got nothing. */
static void
put_envelope(json_t *root, const struct ocsf_attempt *attempt)
{
	const struct event *event = attempt->event;
	json_t *to = json_array();
	guint count = MIN(event->recipients->len, attempt->limits[LIMIT_TO]);

	if (event->sender != NULL && ocsf_is_email(event->sender->address))
		ocsf_put_text(root, "from", event->sender->address);
	for (guint i = 0; i < count; i++) {
		const struct envelope_address *rcpt = g_ptr_array_index(event->recipients, i);

		if (!rcpt->refused && ocsf_is_email(rcpt->address))
			json_array_append_new(to, ocsf_text(rcpt->address));
	}
	ocsf_put_filled(root, "to", to);
}

static json_t *
conforming(const GPtrArray *addresses, guint most)
{
	json_t *array = json_array();

	for (guint i = 0; i < MIN(addresses->len, most); i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		if (ocsf_is_email(address->address))
			json_array_append_new(array, ocsf_text(address->address));
	}
	return array;
}

/* OCSF's email wants "from" or "to"; a mail without either has an empty "to". */
static void
put_header_addresses(json_t *email, const struct ocsf_attempt *attempt)
{
	const struct record *record = attempt->event->record;
	guint most = attempt->limits[LIMIT_HEADER];
	json_t *from = conforming(record->from, most), *to = conforming(record->to, most);

	if (json_array_size(from) > 0)
		ocsf_put(email, "from", json_incref(json_array_get(from, 0)));
	if (json_array_size(from) > 1)
		ocsf_put(email, "from_list", json_incref(from));
	if (json_array_size(from) == 0 || json_array_size(to) > 0)
		ocsf_put(email, "to", json_incref(to));
	json_decref(from);
	json_decref(to);
	ocsf_put_filled(email, "cc", conforming(record->cc, most));
	ocsf_put_filled(email, "reply_to_list", conforming(record->reply_to, most));
}

static json_t *
fingerprint(int id, const char *algorithm, const guint8 *bytes, gsize length)
{
	json_t *value = json_object();

	ocsf_put(value, "algorithm_id", json_integer(id));
	ocsf_put_text(value, "algorithm", algorithm);
	ocsf_put_hex(value, "value", bytes, length);
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
	ocsf_put(object, "hashes", hashes);
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
	ocsf_put_text(object, "ext", extension);
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
	ocsf_put_text(value, "name", name);
	put_extension(value, name);
	ocsf_put_text(value, "path", file->path);
	ocsf_put(value, "type_id", json_integer(FILE_TYPE_REGULAR));
	ocsf_put_text(value, "mime_type",
		      file->detected_type != NULL ? file->detected_type : file->declared_type);
	ocsf_put_number(value, "size", file->size);
	if ((file->flags & FILE_ENCRYPTED) != 0)
		ocsf_put(value, "is_encrypted", json_true());
	if (digests_are_known(&file->digests))
		put_hashes(value, &file->digests);
	return value;
}

static json_t *
attachments_value(const struct ocsf_attempt *attempt)
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
urls_value(const struct ocsf_attempt *attempt)
{
	const GPtrArray *urls = attempt->event->record->urls;
	json_t *array = json_array();

	for (guint i = 0; i < MIN(urls->len, attempt->limits[LIMIT_URLS]); i++) {
		json_t *url = json_object();

		ocsf_put_text(url, "url_string", g_ptr_array_index(urls, i));
		json_array_append_new(array, url);
	}
	return array;
}

static json_t *
email_value(const struct ocsf_attempt *attempt)
{
	const struct record *record = attempt->event->record;
	json_t *email = json_object();

	put_header_addresses(email, attempt);
	ocsf_put_text(email, "subject", record->subject);
	ocsf_put_text(email, "message_uid", record->message_id);
	ocsf_put_number(email, "size", record->size);
	ocsf_put_filled(email, "files", attachments_value(attempt));
	ocsf_put_filled(email, "urls", urls_value(attempt));
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
								"name", ocsf_text(name)));
		}
	}
	ocsf_put_filled(root, "malware", array);
}

static json_t *
event_value(const struct ocsf_attempt *attempt)
{
	const struct event *event = attempt->event;
	json_t *root = json_object();

	ocsf_put(root, "metadata",
		 ocsf_metadata_value(event->event_id, event->origin, event->tenant,
				     "security_control"));
	put_class(root, event);
	if (event->client.ip != NULL)
		ocsf_put_text(root, "protocol_name", "SMTP");
	if (event->host != NULL && event->queue_id != NULL) {
		g_autofree char *trace = g_strdup_printf("%s/%s", event->host, event->queue_id);

		ocsf_put_text(root, "message_trace_uid", trace);
	}
	ocsf_put_text(root, "command", event->client.helo);
	put_envelope(root, attempt);
	put_endpoints(root, event);
	ocsf_put(root, "email", email_value(attempt));
	put_disposition(root, event->verdict);
	put_malware(root, event->record->files);
	ocsf_put(root, "unmapped", json_pack("{s:o}", "mailtrace", ocsf_mailtrace_value(attempt)));
	return root;
}

/* ---- the bound ---- */

/* Marks the shallowest and first files as kept, up to the limit, and their cut parents. */
static void
choose_files(struct ocsf_attempt *attempt, const guint *order)
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
encode_attempt(struct ocsf_attempt *attempt, const guint *order, gsize max_bytes)
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
limit_length(const struct event *event, enum ocsf_limit limit)
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
encode_most(struct ocsf_attempt *attempt, enum ocsf_limit limit, const guint *order,
	    gsize max_bytes)
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
	struct ocsf_attempt attempt = {.event = event, .kept = kept, .incomplete = incomplete};
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
