/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON form of commands and responses: what is written, and what is read as hostile. */
#include <string.h>

#include "caps.h"
#include "json.h"
#include "openc2.h"
#include "openc2_members.h"
#include "text.h"

#define PROFILE "x-mailtrace"
#define ENDPOINT_PROFILE "er" /* endpoint response, OpenC2's own */
#define TARGET_MESSAGE PROFILE ":message"
#define ISOLATION "network_isolation"

/* OpenC2's status of each outcome. */
static const int outcome_status[OPENC2_OUTCOME_COUNT] = {200, 200, 200, 404, 404, 503, 500};

/* ---- texts ---- */

/* A control character would make another line, or another command, of it somewhere. */
static gboolean
is_plain(const char *text)
{
	return text_is_plain(text, CAP_COMMAND_TEXT_BYTES);
}

/* What is not plain is left out, as if it were not known. */
static void
put_text(json_t *object, const char *name, const char *text)
{
	if (text && is_plain(text))
		json_put_text(object, name, text);
}

static void
put_texts(json_t *object, const void *base, const struct text_member *members)
{
	for (; members->name; members++)
		put_text(object, members->name,
			 G_STRUCT_MEMBER(const char *, base, members->offset));
}

static gboolean
refuse(GError **error, const char *name, const char *why)
{
	g_set_error(error, OPENC2_ERROR, OPENC2_ERROR_FIELD, "\"%s\" %s", name, why);
	return FALSE;
}

/* Reads a text that may be missing or null. */
static gboolean
read_text(const json_t *object, const char *name, char **ret_text, GError **error)
{
	const json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return TRUE;
	if (!json_is_string(value) || !is_plain(json_string_value(value)))
		return refuse(error, name, "is no text of the allowed length and characters");
	g_free(*ret_text);
	*ret_text = g_strdup(json_string_value(value));
	return TRUE;
}

static gboolean
read_texts(const json_t *object, void *base, const struct text_member *members, GError **error)
{
	for (; members->name; members++)
		if (!read_text(object, members->name,
			       &G_STRUCT_MEMBER(char *, base, members->offset), error))
			return FALSE;
	return TRUE;
}

static void
put_list(json_t *object, const char *name, char *const *texts)
{
	json_t *list;

	if (!texts)
		return;
	list = json_array();
	for (; *texts; texts++)
		if (is_plain(*texts))
			json_array_append_new(list, json_string(*texts));
	json_object_set_new(object, name, list);
}

/* Reads a list of at most CAP_COMMAND_LIST texts; a missing one is NULL. */
static gboolean
read_list(const json_t *object, const char *name, char ***ret_texts, GError **error)
{
	const json_t *list = json_object_get(object, name);
	g_autoptr(GPtrArray) texts = NULL;

	if (!list)
		return TRUE;
	if (!json_is_array(list) || json_array_size(list) > CAP_COMMAND_LIST)
		return refuse(error, name, "is no list of the allowed length");
	texts = g_ptr_array_new_with_free_func(g_free);
	for (gsize i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !is_plain(text))
			return refuse(error, name, "has what is no text");
		g_ptr_array_add(texts, g_strdup(text));
	}
	g_ptr_array_add(texts, NULL);
	*ret_texts = (char **)g_ptr_array_free(g_steal_pointer(&texts), FALSE);
	return TRUE;
}

/* ---- copies ---- */

static void
put_copies(json_t *object, const GPtrArray *copies)
{
	json_t *list = json_array();

	for (guint i = 0; i < copies->len; i++) {
		const struct openc2_copy *copy = g_ptr_array_index(copies, i);
		json_t *item = json_object();

		put_texts(item, copy, openc2_copy_texts);
		put_list(item, "flags", copy->flags);
		json_object_set_new(item, "sha256_verified", json_boolean(copy->by_digest));
		json_array_append_new(list, item);
	}
	json_object_set_new(object, "copies", list);
}

static gboolean
read_copies(const json_t *object, GPtrArray *copies, GError **error)
{
	const json_t *list = json_object_get(object, "copies");

	if (!list)
		return TRUE;
	if (!json_is_array(list) || json_array_size(list) > CAP_COMMAND_COPIES)
		return refuse(error, "copies", "is no list of the allowed length");
	for (gsize i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		struct openc2_copy *copy = openc2_copy_new();

		g_ptr_array_add(copies, copy);
		if (!json_is_object(item))
			return refuse(error, "copies", "has what is no object");
		if (!read_texts(item, copy, openc2_copy_texts, error) ||
		    !read_list(item, "flags", &copy->flags, error))
			return FALSE;
		copy->by_digest = json_is_true(json_object_get(item, "sha256_verified"));
	}
	return TRUE;
}

/* ---- targets ---- */

/* The digest that a hexadecimal text of this length is, as OpenC2 names it; or NULL. */
static const char *
hash_name(gsize hex_length)
{
	return hex_length == 32	  ? "md5"
	       : hex_length == 40 ? "sha1"
	       : hex_length == 64 ? "sha256"
				  : NULL;
}

static json_t *
file_target(const struct openc2_command *command)
{
	json_t *file = json_object(), *hashes = json_object();
	const char *name = hash_name(strlen(command->file_hash));
	g_autofree char *upper = g_ascii_strup(command->file_hash, -1); /* spec 3.1.5 */

	put_text(file, "name", command->file_name);
	if (name)
		json_put_text(hashes, name, upper);
	json_object_set_new(file, "hashes", hashes);
	return file;
}

static json_t *
message_target(const struct openc2_message *message)
{
	json_t *object = json_object();

	put_texts(object, message, openc2_message_texts);
	if (message->received_at_us)
		json_put_int(object, "received_at_us", message->received_at_us);
	if (message->size)
		json_put_int(object, "size", (gint64)message->size);
	put_list(object, "sha256", message->sha256);
	return object;
}

static json_t *
target_of(const struct openc2_command *command)
{
	json_t *target = json_object();

	if (command->file_hash)
		json_object_set_new(target, "file", file_target(command));
	else if (command->message)
		json_object_set_new(target, TARGET_MESSAGE, message_target(command->message));
	else if (command->hostname)
		json_object_set_new(target, "device",
				    json_pack("{s:s}", "hostname", command->hostname));
	return target;
}

static gboolean
is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == '\0';
}

static gboolean
read_file(const json_t *file, struct openc2_command *command, GError **error)
{
	static const char *const names[] = {"sha256", "sha1", "md5"};
	const json_t *hashes = json_object_get(file, "hashes");

	for (gsize i = 0; i < G_N_ELEMENTS(names) && !command->file_hash; i++) {
		const char *hex = json_get_text(hashes, names[i]);

		if (hex)
			command->file_hash = g_ascii_strdown(hex, -1);
		if (hex && (g_strcmp0(hash_name(strlen(hex)), names[i]) != 0 ||
			    !is_hex(command->file_hash)))
			return refuse(error, names[i], "is no digest");
	}
	if (!command->file_hash)
		return refuse(error, "hashes", "names no digest");
	return read_text(file, "name", &command->file_name, error);
}

static gboolean
read_digests(struct openc2_message *message, GError **error)
{
	for (char **hex = message->sha256; hex && *hex; hex++) {
		char *lower = g_ascii_strdown(*hex, -1);

		g_free(*hex);
		*hex = lower;
		if (strlen(lower) != 64 || !is_hex(lower))
			return refuse(error, "sha256", "has what is no digest");
	}
	return TRUE;
}

static gboolean
read_message(const json_t *object, struct openc2_command *command, GError **error)
{
	struct openc2_message *message = command->message = openc2_message_new();
	gint64 size = json_get_int(object, "size", 0);

	message->received_at_us = json_get_int(object, "received_at_us", 0);
	if (size < 0 || message->received_at_us < 0)
		return refuse(error, "size", "or the time is negative");
	message->size = (guint64)size;
	return read_texts(object, message, openc2_message_texts, error) &&
	       read_list(object, "sha256", &message->sha256, error) && read_digests(message, error);
}

static gboolean
read_target(const json_t *target, struct openc2_command *command, GError **error)
{
	const json_t *value;

	if (json_object_size(target) != 1)
		return refuse(error, "target", "is not exactly one");
	if ((value = json_object_get(target, "file")))
		return read_file(value, command, error);
	if ((value = json_object_get(target, TARGET_MESSAGE)))
		return read_message(value, command, error);
	if ((value = json_object_get(target, "device")))
		return read_text(value, "hostname", &command->hostname, error);
	return refuse(error, "target", "is of a kind that mailtrace does not know");
}

/* Whether what the role needs is there, so that an actuator may rely on it. */
static gboolean
check_target(const struct openc2_command *command, GError **error)
{
	const struct openc2_message *message = command->message;
	gboolean fits = FALSE;

	switch (command->role) {
	case OPENC2_GATEWAY:
		fits = command->file_hash &&
		       (command->action == OPENC2_DENY || command->action == OPENC2_ALLOW);
		break;
	case OPENC2_QUEUE:
		fits = message && message->gateway && message->queue_id &&
		       command->action >= OPENC2_CONTAIN;
		break;
	case OPENC2_MAILSTORE:
		fits = message && message->mailbox && command->action >= OPENC2_CONTAIN;
		break;
	case OPENC2_ENDPOINT:
		fits = command->hostname &&
		       (command->action == OPENC2_CONTAIN || command->action == OPENC2_ALLOW);
		break;
	}
	return fits || refuse(error, "target", "or action does not fit the actuator's role");
}

/* ---- commands ---- */

static json_t *
arguments_of(const struct openc2_command *command)
{
	json_t *args = json_object(), *ours = json_object();

	json_put_text(args, "response_requested", "complete");
	if (command->stop_time_ms)
		json_put_int(args, "stop_time", command->stop_time_ms);
	put_texts(ours, command, openc2_argument_texts);
	if (command->copies)
		put_copies(ours, command->copies);
	json_object_set_new(args, PROFILE, ours);
	if (command->role == OPENC2_ENDPOINT)
		json_object_set_new(args, ENDPOINT_PROFILE,
				    json_pack("{s:s}", "device_containment", ISOLATION));
	return args;
}

char *
openc2_command_encode(const struct openc2_command *command)
{
	json_t *root = json_object();

	json_put_text(root, "action", openc2_action_name(command->action));
	json_object_set_new(root, "target", target_of(command));
	json_object_set_new(root, "args", arguments_of(command));
	json_object_set_new(
		root, "actuator",
		command->role == OPENC2_ENDPOINT
			? json_pack("{s:{}}", ENDPOINT_PROFILE)
			: json_pack("{s:{s:s}}", PROFILE, "role", openc2_role_name(command->role)));
	json_put_text(root, "command_id", command->command_id);
	return json_take_line(root);
}

static gboolean
read_actuator(const json_t *actuator, struct openc2_command *command, GError **error)
{
	if (json_object_size(actuator) == 1 && json_object_get(actuator, ENDPOINT_PROFILE)) {
		command->role = OPENC2_ENDPOINT;
		return TRUE;
	}
	return openc2_role_parse(json_get_text(json_object_get(actuator, PROFILE), "role"),
				 &command->role) ||
	       refuse(error, "actuator", "has no role that mailtrace knows");
}

static gboolean
read_arguments(const json_t *args, struct openc2_command *command, GError **error)
{
	const json_t *ours = json_object_get(args, PROFILE);

	command->stop_time_ms = json_get_int(args, "stop_time", 0);
	if (command->stop_time_ms < 0)
		return refuse(error, "stop_time", "is negative");
	if (!ours)
		return TRUE;
	if (json_object_get(ours, "copies"))
		command->copies = openc2_copies_new();
	return read_texts(ours, command, openc2_argument_texts, error) &&
	       (!command->copies || read_copies(ours, command->copies, error));
}

/* An id is compared and written to logs and names files: hexadecimal and hyphens only. */
static gboolean
read_id(const json_t *object, char **ret_id, GError **error)
{
	const char *id = json_get_text(object, "command_id");

	if (!id || !*id || strlen(id) > OPENC2_ID_BYTES ||
	    id[strspn(id, "0123456789abcdefABCDEF-")] != '\0')
		return refuse(error, "command_id", "is missing or no UUID");
	g_free(*ret_id);
	*ret_id = g_strdup(id);
	return TRUE;
}

static json_t *
parse(const char *json, gsize length, GError **error)
{
	json_t *root = length <= CAP_COMMAND_BYTES ? json_parse_object(json, length) : NULL;

	if (!root)
		g_set_error(error, OPENC2_ERROR, OPENC2_ERROR_SYNTAX,
			    length > CAP_COMMAND_BYTES ? "longer than %d bytes"
						       : "not one JSON object of at most %d bytes",
			    CAP_COMMAND_BYTES);
	return root;
}

struct openc2_command *
openc2_command_decode(const char *json, gsize length, GError **error)
{
	g_autoptr(json_t) root = parse(json, length, error);
	g_autoptr(openc2_command_t) command = g_new0(struct openc2_command, 1);

	if (!root || !read_id(root, &command->command_id, error))
		return NULL;
	if (!openc2_action_parse(json_get_text(root, "action"), &command->action)) {
		refuse(error, "action", "is none that mailtrace knows");
		return NULL;
	}
	if (!read_actuator(json_object_get(root, "actuator"), command, error) ||
	    !read_target(json_object_get(root, "target"), command, error) ||
	    !read_arguments(json_object_get(root, "args"), command, error) ||
	    !check_target(command, error))
		return NULL;
	return g_steal_pointer(&command);
}

/* ---- responses ---- */

char *
openc2_response_encode(const struct openc2_response *response)
{
	json_t *root = json_object(), *ours = json_object();
	g_autofree char *text = g_utf8_make_valid(response->text, -1);

	json_put_int(root, "status", outcome_status[response->outcome]);
	for (char *byte = text; *byte; byte++)
		if (g_ascii_iscntrl(*byte))
			*byte = ' ';
	put_text(root, "status_text", text);
	json_put_text(ours, "command_id", response->command_id);
	json_put_text(ours, "outcome", openc2_outcome_name(response->outcome));
	put_copies(ours, response->copies);
	json_object_set_new(root, "results", json_pack("{s:o}", PROFILE, ours));
	return json_take_line(root);
}

struct openc2_response *
openc2_response_decode(const char *json, gsize length, GError **error)
{
	g_autoptr(json_t) root = parse(json, length, error);
	g_autoptr(openc2_response_t) response = NULL;
	const json_t *ours = json_object_get(json_object_get(root, "results"), PROFILE);

	if (!root)
		return NULL;
	response = openc2_response_new(NULL, OPENC2_FAILED, "");
	if (!read_id(ours, &response->command_id, error) ||
	    !read_text(root, "status_text", &response->text, error) ||
	    !read_copies(ours, response->copies, error))
		return NULL;
	if (!openc2_outcome_parse(json_get_text(ours, "outcome"), &response->outcome)) {
		refuse(error, "outcome", "is none that mailtrace knows");
		return NULL;
	}
	return g_steal_pointer(&response);
}
