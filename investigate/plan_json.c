/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans as JSON, and back. */
#include "plan.h"

#include <string.h>

#include "caps.h"
#include "digest.h"
#include "event.h"

#define TYPE "mailtrace-plan"

static const char *const kind_names[] = {"contain", "undo"};

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM, "%s", why);
	return FALSE;
}

/* ---- digest ---- */

/* The canonical form: members sorted, no blanks, no digest. */
static char *
digest_of(const json_t *json)
{
	g_autoptr(json_t) copy = json_copy((json_t *)json);
	guint8 sha256[SHA256_BYTES];
	char *text;

	json_object_del(copy, "digest");
	text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
	digest_sha256(text, strlen(text), sha256);
	free(text);
	return hex_encode(sha256, sizeof(sha256));
}

/* ---- writing ---- */

static json_t *
encode_texts(char *const *texts)
{
	json_t *list = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

static json_t *
encode_scope(guint scope)
{
	json_t *list = json_array();

	for (guint part = 1; part <= PLAN_DEVICE; part <<= 1)
		if (scope & part)
			json_array_append_new(list, json_string(plan_scope_name(part)));
	return list;
}

static json_t *
encode_view(const struct plan_view *view)
{
	json_t *json = json_object();

	json_put_text(json, "store", view->store);
	json_put_int(json, "messages", (gint64)view->messages);
	json_put_int(json, "unread", (gint64)view->unread);
	json_put_int(json, "complete_until_us", view->complete_until_us);
	json_object_set_new(json, "reconciled", json_boolean(view->reconciled));
	json_put_int(json, "gaps", (gint64)view->gaps);
	return json;
}

static json_t *
encode_commands(const struct plan *plan)
{
	json_t *list = json_array();

	for (guint i = 0; i < plan->commands->len; i++) {
		g_autofree char *text = openc2_command_encode(g_ptr_array_index(plan->commands, i));

		json_array_append_new(list, json_parse_object(text, strlen(text)));
	}
	return list;
}

static json_t *
encode_recipients(const struct plan *plan)
{
	json_t *list = json_array();

	for (guint i = 0; i < plan->recipients->len; i++) {
		const struct plan_recipient *entry = g_ptr_array_index(plan->recipients, i);
		json_t *json = json_object(), *commands = json_array();

		json_put_text(json, "event_id", entry->event_id);
		json_put_text(json, "recipient", entry->recipient);
		json_put_text(json, "state", entry->state);
		for (guint j = 0; j < entry->commands->len; j++)
			json_array_append_new(commands,
					      json_string(g_ptr_array_index(entry->commands, j)));
		json_object_set_new(json, "commands", commands);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *
encode_beyond(const struct plan *plan)
{
	json_t *list = json_array();

	for (guint i = 0; i < plan->beyond->len; i++) {
		const struct plan_beyond *entry = g_ptr_array_index(plan->beyond, i);
		json_t *json = json_object();

		json_put_text(json, "event_id", entry->event_id);
		json_put_text(json, "recipient", entry->recipient);
		json_put_text(json, "address", entry->address);
		json_put_text(json, "kind", plan_beyond_name(entry->kind));
		json_put_text(json, "why", entry->why);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *
encode_plan(const struct plan *plan)
{
	json_t *json = json_object();

	json_put_text(json, "type", TYPE);
	json_put_int(json, "version", PLAN_VERSION);
	json_put_text(json, "plan_id", plan->plan_id);
	json_put_text(json, "kind", kind_names[plan->kind]);
	json_put_text(json, "tenant", plan->tenant);
	json_object_set_new(json, "query", encode_texts(plan->query));
	json_put_text(json, "created_by", plan->created_by);
	json_put_int(json, "created_us", plan->created_us);
	json_put_int(json, "expires_us", plan->expires_us);
	json_object_set_new(json, "scope", encode_scope(plan->scope));
	json_put_text(json, "case", plan->case_id);
	json_put_text(json, "reason", plan->reason);
	json_object_set_new(json, "view", encode_view(&plan->view));
	json_object_set_new(json, "commands", encode_commands(plan));
	json_object_set_new(json, "recipients", encode_recipients(plan));
	json_object_set_new(json, "beyond", encode_beyond(plan));
	return json;
}

static gboolean
is_small_enough(const json_t *json)
{
	return json_array_size(json_object_get(json, "commands")) <= CAP_PLAN_COMMANDS &&
	       json_array_size(json_object_get(json, "recipients")) <= CAP_PLAN_ENTRIES &&
	       json_array_size(json_object_get(json, "beyond")) <= CAP_PLAN_ENTRIES &&
	       json_dumpb(json, NULL, 0, JSON_COMPACT) <= CAP_PLAN_BYTES;
}

json_t *
plan_encode(struct plan *plan, GError **error)
{
	g_autoptr(json_t) json = encode_plan(plan);
	g_autofree char *digest = digest_of(json);

	/* It is read with its digest, so it is measured with it. */
	json_put_text(json, "digest", digest);
	if (!is_small_enough(json)) {
		refuse(error, "one plan cannot hold that much: ask for less, with --since, "
			      "--until or to:, and make several");
		return NULL;
	}
	g_free(plan->digest);
	plan->digest = g_steal_pointer(&digest);
	return g_steal_pointer(&json);
}

/* ---- reading ---- */

/* Reads a text that must be there. */
static gboolean
read_text(const json_t *json, const char *name, char **ret_text, GError **error)
{
	const char *text = json_get_text(json, name);

	if (!text || strlen(text) > CAP_COMMAND_TEXT_BYTES) {
		g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM, "its \"%s\" is not a plan's", name);
		return FALSE;
	}
	g_free(*ret_text);
	*ret_text = g_strdup(text);
	return TRUE;
}

/* Reads a text that may be null. */
static gboolean
read_optional(const json_t *json, const char *name, char **ret_text, GError **error)
{
	return json_is_null(json_object_get(json, name)) || read_text(json, name, ret_text, error);
}

static gboolean
read_texts(const json_t *list, GPtrArray *texts, GError **error)
{
	const json_t *value;
	gsize i;

	if (!json_is_array(list) || json_array_size(list) > CAP_PLAN_COMMANDS)
		return refuse(error, "a list of texts is not a plan's");
	json_array_foreach (list, i, value) {
		const char *text = json_string_value(value);

		if (!text || strlen(text) > CAP_COMMAND_TEXT_BYTES)
			return refuse(error, "a list of texts is not a plan's");
		g_ptr_array_add(texts, g_strdup(text));
	}
	return TRUE;
}

static gboolean
read_query(const json_t *json, struct plan *plan, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	if (!read_texts(json_object_get(json, "query"), words, error))
		return FALSE;
	g_ptr_array_add(words, NULL);
	plan->query = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
	return TRUE;
}

static gboolean
read_scope(const json_t *json, struct plan *plan, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	if (!read_texts(json_object_get(json, "scope"), words, error))
		return FALSE;
	for (guint i = 0; i < words->len; i++) {
		guint part;

		if (!plan_scope_parse(words->pdata[i], &part, error))
			return FALSE;
		plan->scope |= part;
	}
	return TRUE;
}

static gboolean
read_view(const json_t *json, struct plan *plan, GError **error)
{
	const json_t *view = json_object_get(json, "view");

	if (!json_is_object(view))
		return refuse(error, "it has no view");
	plan->view.messages = (guint64)json_get_int(view, "messages", 0);
	plan->view.unread = (guint64)json_get_int(view, "unread", 0);
	plan->view.complete_until_us = json_get_int(view, "complete_until_us", 0);
	plan->view.reconciled = json_is_true(json_object_get(view, "reconciled"));
	plan->view.gaps = (guint64)json_get_int(view, "gaps", 0);
	return read_optional(view, "store", &plan->view.store, error);
}

static gboolean
read_command(const json_t *json, GHashTable *seen, struct plan *plan, GError **error)
{
	char *line = json_line(json);
	g_autoptr(openc2_command_t) command = openc2_command_decode(line, strlen(line), error);

	free(line);
	if (!command)
		return FALSE;
	if (!g_hash_table_add(seen, command->command_id))
		return refuse(error, "two commands have one id");
	g_ptr_array_add(plan->commands, g_steal_pointer(&command));
	return TRUE;
}

static gboolean
read_commands(const json_t *json, struct plan *plan, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	const json_t *list = json_object_get(json, "commands"), *value;
	gsize i;

	if (!json_is_array(list) || json_array_size(list) > CAP_PLAN_COMMANDS)
		return refuse(error, "its commands are not a plan's");
	json_array_foreach (list, i, value)
		if (!read_command(value, seen, plan, error))
			return FALSE;
	return TRUE;
}

static gboolean
read_recipients(const json_t *json, struct plan *plan, GError **error)
{
	const json_t *list = json_object_get(json, "recipients"), *value;
	gsize i;

	if (!json_is_array(list) || json_array_size(list) > CAP_PLAN_ENTRIES)
		return refuse(error, "its recipients are not a plan's");
	json_array_foreach (list, i, value) {
		struct plan_recipient *entry = plan_add_recipient(plan, NULL, NULL, NULL);

		if (!read_text(value, "event_id", &entry->event_id, error) ||
		    !read_text(value, "recipient", &entry->recipient, error) ||
		    !read_text(value, "state", &entry->state, error) ||
		    !read_texts(json_object_get(value, "commands"), entry->commands, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
read_beyond(const json_t *json, struct plan *plan, GError **error)
{
	const json_t *list = json_object_get(json, "beyond"), *value;
	gsize i;

	if (!json_is_array(list) || json_array_size(list) > CAP_PLAN_ENTRIES)
		return refuse(error, "what is beyond reach is not a plan's");
	json_array_foreach (list, i, value) {
		struct plan_beyond *entry = plan_add_beyond(plan, NULL, NULL, NULL, NULL);

		entry->kind = plan_beyond_parse(json_get_text(value, "kind"));
		if (!read_text(value, "event_id", &entry->event_id, error) ||
		    !read_text(value, "recipient", &entry->recipient, error) ||
		    !read_optional(value, "address", &entry->address, error) ||
		    !read_text(value, "why", &entry->why, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean
read_head(const json_t *json, struct plan *plan, GError **error)
{
	const char *kind = json_get_text(json, "kind");

	if (g_strcmp0(json_get_text(json, "type"), TYPE) != 0)
		return refuse(error, "it is no plan of mailtrace");
	if (json_get_int(json, "version", 0) != PLAN_VERSION)
		return refuse(error, "it is a plan of another version of mailtrace");
	if (g_strcmp0(kind, kind_names[PLAN_CONTAIN]) != 0 &&
	    g_strcmp0(kind, kind_names[PLAN_UNDO]) != 0)
		return refuse(error, "its kind is none of this version");
	plan->kind = strcmp(kind, kind_names[PLAN_UNDO]) == 0 ? PLAN_UNDO : PLAN_CONTAIN;
	plan->created_us = json_get_int(json, "created_us", 0);
	plan->expires_us = json_get_int(json, "expires_us", 0);
	if (!read_text(json, "plan_id", &plan->plan_id, error) ||
	    !read_text(json, "tenant", &plan->tenant, error) ||
	    !read_text(json, "created_by", &plan->created_by, error) ||
	    !read_optional(json, "case", &plan->case_id, error) ||
	    !read_optional(json, "reason", &plan->reason, error))
		return FALSE;
	return event_id_is_valid(plan->plan_id) || refuse(error, "its id is no UUID");
}

/* Edited comes first: a plan that was changed by hand is to be told so, however well it reads. */
static gboolean
check_digest(const json_t *json, struct plan *plan, GError **error)
{
	const char *claimed = json_get_text(json, "digest");

	if (!claimed || json_dumpb(json, NULL, 0, JSON_COMPACT) > CAP_PLAN_BYTES)
		return refuse(error, "it is no plan of mailtrace");
	plan->digest = digest_of(json);
	if (strcmp(plan->digest, claimed) == 0)
		return TRUE;
	g_set_error(error, PLAN_ERROR, PLAN_ERROR_EDITED,
		    "it was changed since it was made (its digest does not match); make it anew");
	return FALSE;
}

struct plan *
plan_decode(const json_t *json, GError **error)
{
	g_autoptr(plan_t) plan = plan_new(PLAN_CONTAIN, "");

	if (!check_digest(json, plan, error) || !read_head(json, plan, error) ||
	    !read_query(json, plan, error) || !read_scope(json, plan, error) ||
	    !read_view(json, plan, error) || !read_commands(json, plan, error) ||
	    !read_recipients(json, plan, error) || !read_beyond(json, plan, error))
		return NULL;
	return g_steal_pointer(&plan);
}
