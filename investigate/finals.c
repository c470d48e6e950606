/* SPDX-License-Identifier: BSD-2-Clause */
#include "finals.h"

#include "devices.h"
#include "json.h"

static void
put_time(json_t *object, const char *key, gint64 time_us)
{
	g_autofree char *time = time_us ? out_time_rfc3339(time_us) : NULL;

	json_put_text(object, key, time);
}

static void
put_device(json_t *object, enum device_certainty certainty, const char *device)
{
	json_put_text(object, "device", device);
	json_put_text(object, "certainty", device_certainty_name(certainty));
}

static json_t *
devices_value(const GPtrArray *devices)
{
	json_t *array = json_array();

	for (guint i = 0; i < devices->len; i++) {
		const struct device_use *use = devices->pdata[i];
		json_t *value = json_object();

		put_device(value, use->certainty, use->device);
		json_put_text(value, "address", use->address);
		json_put_text(value, "service", use->service);
		put_time(value, "first", use->first_us);
		put_time(value, "last", use->last_us);
		json_put_int(value, "logins", (gint64)use->count);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
acts_value(const GPtrArray *acts, gboolean with_devices)
{
	json_t *array = json_array();

	for (guint i = 0; i < acts->len; i++) {
		const struct store_act *act = g_ptr_array_index(acts, i);
		json_t *value = json_object();

		json_put_text(value, "what", act->what);
		put_time(value, "at", act->at_us);
		json_object_set_new(value, "perhaps", json_boolean(act->perhaps));
		json_put_text(value, "detail", act->detail);
		json_put_text(value, "by", act->by);
		json_put_text(value, "client", act->client);
		if (with_devices && act->client)
			put_device(value, act->certainty, act->device);
		json_array_append_new(array, value);
	}
	return array;
}

static json_t *
final_value(const struct store_final *final)
{
	json_t *value = json_object();

	json_put_text(value, "address", final->address);
	json_put_text(value, "state", final->state);
	json_put_text(value, "relay", final->relay);
	json_put_text(value, "dsn", final->dsn);
	put_time(value, "at", final->at_us);
	json_put_text(value, "host", final->host);
	json_put_text(value, "queue_id", final->queue_id);
	json_put_text(value, "user", final->user);
	json_put_text(value, "folder", final->folder);
	json_put_text(value, "storage_id", final->storage_id);
	json_object_set_new(value, "acts", acts_value(final->acts, final->devices != NULL));
	if (final->devices)
		json_object_set_new(value, "devices", devices_value(final->devices));
	return value;
}

char *
finals_json(const GPtrArray *finals)
{
	g_autoptr(json_t) array = json_array();
	char *text, *copy;

	for (guint i = 0; i < finals->len; i++)
		json_array_append_new(array, final_value(g_ptr_array_index(finals, i)));
	text = json_dumps(array, JSON_COMPACT);
	copy = g_strdup(text);
	free(text);
	return copy;
}

static void
append(GString *line, const char *before, const char *value)
{
	if (value && *value)
		g_string_append_printf(line, "%s%s", before, value);
}

char *
final_line(struct out *out, const struct store_final *final)
{
	g_autofree char *time = out_time(out, final->at_us);
	g_autoptr(GString) line = g_string_new(final->address);

	append(line, "  ", final->state);
	append(line, "  ", time);
	append(line, " via ", final->relay);
	append(line, ", ", final->dsn);
	append(line, ", in ", final->folder);
	return g_string_free(g_steal_pointer(&line), FALSE);
}

char *
act_line(struct out *out, const struct store_act *act)
{
	g_autofree char *time = out_time(out, act->at_us);
	g_autoptr(GString) line = g_string_new(act->perhaps ? "perhaps " : "");

	append(line, "", act->what);
	append(line, " ", act->detail);
	append(line, "  ", time);
	append(line, " by ", act->by);
	append(line, " from ", act->client);
	return g_string_free(g_steal_pointer(&line), FALSE);
}

char *
device_line(struct out *out, const struct device_use *use)
{
	g_autofree char *first = out_time(out, use->first_us), *last = out_time(out, use->last_us);
	g_autoptr(GString) line = g_string_new("device ");

	g_string_append(line, device_use_name(use->certainty, use->device));
	append(line, "  ", use->service);
	append(line, " from ", use->address);
	append(line, "  ", first);
	if (use->last_us != use->first_us)
		append(line, " to ", last);
	return g_string_free(g_steal_pointer(&line), FALSE);
}
