/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of an entry: writing it, and reading it again. */
#include "config.h"

#include "journal.h"

#include <string.h>

#include "caps.h"
#include "digest.h"
#include "text.h"

#define OCSF_VERSION "1.8.0"
#define SEVERITY_INFORMATIONAL 1
#define FINGERPRINT_SHA256 3 /* fingerprint.algorithm_id */
#define STATUS_OTHER 99
#define ACTIVITY_OTHER 99

/* ---- names ---- */

/* In the order of enum audit_status; OCSF numbers those of remediation_activity from 1. */
static const char *const status_names[] = {"success", "failure",     "does-not-exist",
					   "partial", "unsupported", "error"};

static const char *
status_name(const char *text)
{
	for (gsize i = 0; text && i < G_N_ELEMENTS(status_names); i++)
		if (strcmp(status_names[i], text) == 0)
			return status_names[i];
	return "unknown";
}

/* An api_activity knows success and failure only. */
static int
status_id(const struct store_audit *audit)
{
	if (!audit->command_uid && audit->status > AUDIT_FAILED)
		return STATUS_OTHER;
	return (int)audit->status + 1;
}

/* api_activity's activity_id: 1 Create, 2 Read, 3 Update. */
static int
activity_of_verb(const char *verb)
{
	static const struct {
		const char *verb;
		int activity;
	} known[] = {{"who", 2},    {"show", 2},   {"actions", 2}, {"backup", 2},
		     {"import", 1}, {"sensor", 3}, {"block", 3}};

	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		if (strcmp(known[i].verb, verb) == 0)
			return known[i].activity;
	return ACTIVITY_OTHER;
}

/* ---- writing ---- */

/* Puts text, made valid and cut to max_bytes, unless it is NULL. */
static void
put_cut(json_t *object, const char *key, const char *text, gsize max_bytes)
{
	g_autofree char *valid = text ? text_from_bytes(text, strlen(text), max_bytes, NULL) : NULL;

	if (valid)
		json_put_text(object, key, valid);
}

static json_t *
metadata_value(const struct journal_head *next, const struct store_audit *audit)
{
	json_t *metadata = json_object();

	json_put_text(metadata, "version", OCSF_VERSION);
	json_put_text(metadata, "uid", next->uid);
	json_object_set_new(metadata, "product",
			    json_pack("{s:s,s:s,s:s}", "name", "mailtrace", "vendor_name",
				      "mailtrace", "version", PACKAGE_VERSION));
	json_put_text(metadata, "log_name", "journal");
	json_put_int(metadata, "sequence", next->seq);
	put_cut(metadata, "tenant_uid", audit->tenant, JOURNAL_NAME_BYTES);
	put_cut(metadata, "correlation_uid", audit->case_id, JOURNAL_NAME_BYTES);
	return metadata;
}

/* "uid=1000(name)" has its parts apart; whoever is named otherwise is a name. */
static json_t *
actor_value(const char *actor)
{
	json_t *user = json_object();
	gsize digits = g_str_has_prefix(actor, "uid=") ? strspn(actor + 4, "0123456789") : 0;
	const char *rest = actor + 4 + digits;

	if (!digits || (*rest && (*rest != '(' || actor[strlen(actor) - 1] != ')'))) {
		put_cut(user, "name", actor, JOURNAL_NAME_BYTES);
	} else {
		g_autofree char *uid = g_strndup(actor + 4, digits);

		json_put_text(user, "uid", uid);
		if (*rest) {
			g_autofree char *name = g_strndup(rest + 1, strlen(rest) - 2);

			put_cut(user, "name", name, JOURNAL_NAME_BYTES);
		}
	}
	return json_pack("{s:o}", "user", user);
}

/* Arguments are a JSON array; any other text is the only one. */
static json_t *
arguments_of(const char *text)
{
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_array(value))
		return value;
	json_decref(value);
	value = json_array();
	if (*text) {
		g_autofree char *valid =
			text_from_bytes(text, strlen(text), CAP_JOURNAL_ARGUMENTS_BYTES, NULL);

		json_array_append_new(value, json_string(valid));
	}
	return value;
}

/* How many of the arguments fit, from the first on. */
static gsize
count_fitting(const json_t *arguments)
{
	gsize bytes = 2, i;
	json_t *value;

	json_array_foreach (arguments, i, value) {
		char *text = json_line(value);

		bytes += strlen(text) + 1;
		free(text);
		if (bytes > CAP_JOURNAL_ARGUMENTS_BYTES)
			return i;
	}
	return json_array_size(arguments);
}

static void
put_arguments(json_t *ours, const char *text)
{
	g_autoptr(json_t) arguments = arguments_of(text);
	gsize all = json_array_size(arguments), fitting = count_fitting(arguments);
	guint8 sha256[JOURNAL_HASH_BYTES];
	g_autofree char *hex = NULL;

	json_object_set(ours, "arguments", arguments);
	if (fitting == all)
		return;
	for (gsize i = all; i > fitting; i--)
		json_array_remove(arguments, i - 1);
	digest_sha256(text, strlen(text), sha256);
	hex = hex_encode(sha256, sizeof(sha256));
	json_put_int(ours, "arguments_left_out", (gint64)(all - fitting));
	json_put_text(ours, "arguments_sha256", hex);
}

static json_t *
mailtrace_value(const struct store_audit *audit)
{
	json_t *ours = json_object();

	put_cut(ours, "verb", audit->verb, JOURNAL_NAME_BYTES);
	json_put_int(ours, "time_us", audit->time_us);
	put_arguments(ours, audit->arguments ? audit->arguments : "");
	put_cut(ours, "reason", audit->reason, JOURNAL_REASON_BYTES);
	if (audit->results >= 0)
		json_put_int(ours, "results", audit->results);
	return ours;
}

/* The chain, and the entry before; as the profile record_integrity of OCSF 1.9 has it. */
static json_t *
attestation_value(const struct journal_head *head)
{
	json_t *attestation = json_object();
	g_autofree char *hex = hex_encode(head->hash, sizeof(head->hash));

	json_put_text(attestation, "chain_uid", head->chain);
	if (head->seq)
		json_object_set_new(attestation, "prev_event",
				    json_pack("{s:s,s:I,s:{s:i,s:s,s:s}}", "uid", head->uid,
					      "type_uid", (json_int_t)head->type_uid, "fingerprint",
					      "algorithm_id", FINGERPRINT_SHA256, "algorithm",
					      "SHA-256", "value", hex));
	return json_pack("[o]", attestation);
}

/* The class, and what it requires. */
static void
put_class(json_t *root, const struct store_audit *audit, gint64 *ret_type_uid)
{
	int class = audit->command_uid ? OCSF_CLASS_REMEDIATION_ACTIVITY : OCSF_CLASS_API_ACTIVITY;
	int activity = audit->command_uid ? (int)audit->remedy : activity_of_verb(audit->verb);

	*ret_type_uid = class * 100 + activity;
	json_put_int(root, "category_uid", class / 1000);
	json_put_int(root, "class_uid", class);
	json_put_int(root, "activity_id", activity);
	if (activity == ACTIVITY_OTHER)
		put_cut(root, "activity_name", audit->verb, JOURNAL_NAME_BYTES);
	json_put_int(root, "type_uid", *ret_type_uid);
	json_put_int(root, "severity_id", SEVERITY_INFORMATIONAL);
	json_put_int(root, "status_id", status_id(audit));
	json_put_text(root, "status", status_names[audit->status]);
	put_cut(root, "status_detail", audit->detail, JOURNAL_REASON_BYTES);
	json_put_int(root, "time", audit->time_us / 1000);
	json_object_set_new(root, "actor", actor_value(audit->actor));
	if (audit->command_uid) {
		put_cut(root, "command_uid", audit->command_uid, JOURNAL_NAME_BYTES);
	} else {
		json_object_set_new(root, "api", json_object());
		put_cut(json_object_get(root, "api"), "operation", audit->verb, JOURNAL_NAME_BYTES);
		json_object_set_new(root, "src_endpoint",
				    json_pack("{s:s}", "svc_name", "mailtrace"));
	}
}

static json_t *
entry_value(const struct journal_head *head, struct journal_head *next,
	    const struct store_audit *audit)
{
	json_t *root = json_object(), *unmapped = json_object(), *ours = mailtrace_value(audit);
	const json_t *more = audit->event;

	/* actor is of the profile host in a remediation_activity, and of the class in the other */
	json_object_set_new(root, "metadata", metadata_value(next, audit));
	if (audit->command_uid)
		json_object_set_new(json_object_get(root, "metadata"), "profiles",
				    json_pack("[s]", "host"));
	put_class(root, audit, &next->type_uid);
	json_object_set_new(unmapped, "mailtrace", ours);
	json_object_set_new(unmapped, "attestation_list", attestation_value(head));
	json_object_set_new(root, "unmapped", unmapped);
	if (more) {
		json_t *their = json_object_get(more, "unmapped");

		json_object_update_missing(ours, json_object_get(their, "mailtrace"));
		json_object_update_missing(unmapped, their);
		json_object_update_missing(root, (json_t *)more);
	}
	return root;
}

GBytes *
journal_write(struct journal_head *head, const struct store_audit *audit, GError **error)
{
	g_autofree char *uid = event_id_new(MAX(audit->time_us, 0));
	struct journal_head next = *head;
	g_autoptr(json_t) root = NULL;
	gsize length;
	char *line;

	if (!audit->tenant || !audit->verb || !audit->actor || audit->status > AUDIT_ERROR) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "an entry of the journal needs tenant, verb, actor and status");
		return NULL;
	}
	next.seq++;
	g_strlcpy(next.uid, uid, sizeof(next.uid));
	root = entry_value(head, &next, audit);
	line = json_line(root);
	length = line ? strlen(line) : G_MAXSIZE;
	if (length > CAP_JOURNAL_ENTRY_BYTES) {
		free(line);
		g_set_error(error, STORE_ERROR, STORE_ERROR_EVENT,
			    "an entry of the journal is at most %d bytes long",
			    CAP_JOURNAL_ENTRY_BYTES);
		return NULL;
	}
	digest_sha256(line, length, next.hash);
	*head = next;
	return g_bytes_new_with_free_func(line, length, free, line);
}

/* ---- reading ---- */

static char *
actor_text(const json_t *root)
{
	const json_t *user = json_object_get(json_object_get(root, "actor"), "user");
	const char *uid = json_get_text(user, "uid"), *name = json_get_text(user, "name");

	if (uid && name)
		return g_strdup_printf("uid=%s(%s)", uid, name);
	return uid ? g_strconcat("uid=", uid, NULL) : g_strdup(name ? name : "");
}

static char *
arguments_text(const json_t *ours)
{
	const json_t *arguments = json_object_get(ours, "arguments");
	char *line = json_is_array(arguments) ? json_line(arguments) : NULL;
	char *text = g_strdup(line ? line : "[]");

	free(line);
	return text;
}

static void
read_members(struct journal_entry *entry)
{
	const json_t *root = entry->root, *metadata = json_object_get(root, "metadata");
	const json_t *unmapped = json_object_get(root, "unmapped");
	const json_t *ours = json_object_get(unmapped, "mailtrace");
	const json_t *attestation =
		json_array_get(json_object_get(unmapped, "attestation_list"), 0);
	const json_t *before = json_object_get(attestation, "prev_event");

	entry->seq = json_get_int(metadata, "sequence", 0);
	entry->uid = json_get_text(metadata, "uid");
	entry->tenant = json_get_text(metadata, "tenant_uid");
	entry->case_id = json_get_text(metadata, "correlation_uid");
	entry->type_uid = json_get_int(root, "type_uid", 0);
	entry->command_uid = json_get_text(root, "command_uid");
	entry->status = status_name(json_get_text(root, "status"));
	entry->detail = json_get_text(root, "status_detail");
	entry->time_us = json_get_int(ours, "time_us", 0);
	entry->verb = json_get_text(ours, "verb");
	entry->reason = json_get_text(ours, "reason");
	entry->results = json_get_int(ours, "results", -1);
	entry->chain = json_get_text(attestation, "chain_uid");
	entry->prev = json_get_text(json_object_get(before, "fingerprint"), "value");
}

gboolean
journal_read(const char *line, gsize length, struct journal_entry *ret_entry)
{
	struct journal_entry entry = {.root = json_parse_object(line, length)};

	if (!entry.root)
		return FALSE;
	read_members(&entry);
	if (entry.seq < 1 || !entry.uid || !event_id_is_valid(entry.uid) || !entry.chain ||
	    !event_id_is_valid(entry.chain) || !entry.verb || !entry.tenant) {
		json_decref(entry.root);
		return FALSE;
	}
	entry.actor = actor_text(entry.root);
	entry.arguments = arguments_text(
		json_object_get(json_object_get(entry.root, "unmapped"), "mailtrace"));
	*ret_entry = entry;
	return TRUE;
}

void
journal_entry_clear(struct journal_entry *entry)
{
	json_decref(entry->root);
	g_free(entry->actor);
	g_free(entry->arguments);
	*entry = (struct journal_entry){0};
}
