/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf_json.h"

#include <jansson.h>
#include <string.h>

#include "event.h"
#include "ocsf.h"
#include "text.h"

void
ocsf_fail(struct ocsf_in *in, const char *key, const char *what)
{
	if (!in->failed)
		g_set_error(in->error, OCSF_ERROR, OCSF_ERROR_FIELD, "event: %s %s", key, what);
	in->failed = TRUE;
}

json_t *
ocsf_take(struct ocsf_in *in, json_t *object, const char *key, json_type type)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL)
		return NULL;
	if (json_typeof(value) != type) {
		ocsf_fail(in, key, "is of another type");
		return NULL;
	}
	return value;
}

json_t *
ocsf_need(struct ocsf_in *in, json_t *object, const char *key, json_type type)
{
	json_t *value = ocsf_take(in, object, key, type);

	if (value == NULL)
		ocsf_fail(in, key, "is missing");
	return value;
}

json_t *
ocsf_take_array(struct ocsf_in *in, json_t *object, const char *key, gsize most)
{
	json_t *array = ocsf_take(in, object, key, JSON_ARRAY);

	if (json_array_size(array) <= most)
		return array;
	ocsf_fail(in, key, "has too many members");
	return NULL;
}

const char *
ocsf_need_string(struct ocsf_in *in, json_t *object, const char *key)
{
	const char *text = json_string_value(ocsf_need(in, object, key, JSON_STRING));

	return text != NULL ? text : "";
}

char *
ocsf_need_text(struct ocsf_in *in, json_t *object, const char *key)
{
	return g_strdup(ocsf_need_string(in, object, key));
}

char *
ocsf_take_text(struct ocsf_in *in, json_t *object, const char *key)
{
	return g_strdup(json_string_value(ocsf_take(in, object, key, JSON_STRING)));
}

static gint64
check_range(struct ocsf_in *in, const char *key, gint64 number, gint64 least, gint64 most)
{
	if (number < least || number > most)
		ocsf_fail(in, key, "is out of range");
	return number;
}

gint64
ocsf_take_number(struct ocsf_in *in, json_t *object, const char *key, gint64 least, gint64 most)
{
	json_t *value = ocsf_take(in, object, key, JSON_INTEGER);

	return value != NULL ? check_range(in, key, json_integer_value(value), least, most) : 0;
}

gint64
ocsf_need_number(struct ocsf_in *in, json_t *object, const char *key, gint64 least, gint64 most)
{
	json_t *value = ocsf_need(in, object, key, JSON_INTEGER);

	return value != NULL ? check_range(in, key, json_integer_value(value), least, most) : 0;
}

gboolean
ocsf_take_flag(struct ocsf_in *in, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (value != NULL && !json_is_boolean(value))
		ocsf_fail(in, key, "is of another type");
	return json_is_true(value);
}

void
ocsf_take_texts(struct ocsf_in *in, json_t *object, const char *key, gsize most,
		GPtrArray *ret_texts)
{
	json_t *array = ocsf_take_array(in, object, key, most), *value;
	gsize i;

	json_array_foreach (array, i, value) {
		if (!json_is_string(value)) {
			ocsf_fail(in, key, "has a member of another type");
			return;
		}
		g_ptr_array_add(ret_texts, g_strdup(json_string_value(value)));
	}
}

guint
ocsf_need_choice(struct ocsf_in *in, json_t *object, const char *key, const char *const *names)
{
	const char *text = ocsf_need_string(in, object, key);

	for (guint i = 0; names[i] != NULL; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	ocsf_fail(in, key, "is none of its values");
	return 0;
}

char *
ocsf_read_id(struct ocsf_in *in, json_t *object, const char *key, gboolean required)
{
	char *id = required ? ocsf_need_text(in, object, key) : ocsf_take_text(in, object, key);

	if (id != NULL && !event_id_is_valid(id))
		ocsf_fail(in, key, "is not a UUID");
	return id;
}

json_t *
ocsf_parse(const void *json, gsize length, gsize max_bytes, GError **error)
{
	json_error_t where = {.text = "longer than an event may be"};
	g_autofree char *why = NULL;
	json_t *root = NULL;

	if (length <= max_bytes)
		root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &where);
	if (root != NULL)
		return root;
	why = text_for_terminal(where.text);
	g_set_error(error, OCSF_ERROR, OCSF_ERROR_SYNTAX, "event: %s", why);
	return NULL;
}

json_t *
ocsf_check_class(json_t *root, GError **error)
{
	return ocsf_check_class_of(root, OCSF_CLASS_EMAIL_ACTIVITY, error);
}

json_t *
ocsf_check_class_of(json_t *root, int class_uid, GError **error)
{
	json_t *unmapped = json_object_get(root, "unmapped");
	json_t *mailtrace = json_object_get(unmapped, "mailtrace");
	json_t *version = json_object_get(mailtrace, "version");

	if (json_integer_value(json_object_get(root, "class_uid")) != class_uid ||
	    !json_is_object(mailtrace)) {
		g_set_error(error, OCSF_ERROR, OCSF_ERROR_CLASS,
			    "event: not an %s (%d) with unmapped.mailtrace",
			    class_uid == OCSF_CLASS_AUTHENTICATION ? "authentication"
								   : "email_activity",
			    class_uid);
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

void
ocsf_need_hex(struct ocsf_in *in, json_t *object, const char *key, guint8 *ret_bytes, gsize length)
{
	if (!hex_decode(ocsf_need_string(in, object, key), ret_bytes, length))
		ocsf_fail(in, key, "is not hexadecimal of its length");
}
