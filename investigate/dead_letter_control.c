/* SPDX-License-Identifier: BSD-2-Clause */
#include "dead_letter_control.h"

#include "ingest.h"
#include "store_dead_letters.h"

/* An event that was read after all. */
struct revived {
	char *sensor;
	GBytes *json;
};

/* A request under way, in a transaction. */
struct letters {
	struct store *store;
	const struct control_caller *caller;
	const json_t *request;
	const char *tenant;
	gint64 count;	    /* letters that are no more */
	json_t *refused;    /* of those that still cannot be read */
	GPtrArray *revived; /* of struct revived */
	GError **error;
	gboolean failed;
};

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}

static void
revived_free(struct revived *revived)
{
	g_free(revived->sensor);
	g_bytes_unref(revived->json);
	g_free(revived);
}

static void
note_revived(struct letters *letters, const char *sensor, GBytes *json)
{
	struct revived *revived = g_new0(struct revived, 1);

	revived->sensor = g_strdup(sensor);
	revived->json = json;
	g_ptr_array_add(letters->revived, revived);
}

static gboolean
replay(const struct store_dead_letter *letter, void *data)
{
	struct letters *letters = data;
	g_autofree char *reason = NULL;
	GBytes *json = NULL;

	if (!ingest_dead_letter(letters->store, letter, &json, &reason, letters->error)) {
		letters->failed = TRUE;
		return FALSE;
	}
	if (json)
		note_revived(letters, letter->sensor, json);
	if (reason)
		json_array_append_new(
			letters->refused,
			json_pack("{s:I,s:s}", "id", (json_int_t)letter->id, "reason", reason));
	else
		letters->count++;
	return TRUE;
}

static gboolean
drop(const struct store_dead_letter *letter, void *data)
{
	struct letters *letters = data;

	letters->failed = !store_dead_letter_remove(letters->store, letter->id, letters->error);
	letters->count += !letters->failed;
	return !letters->failed;
}

static gboolean
walk_ids(struct letters *letters, store_dead_letter_fn each, GError **error)
{
	const json_t *ids = json_object_get(letters->request, "ids"), *value;
	gsize i;

	if (json_array_size(ids) == 0 || json_array_size(ids) > DEAD_LETTER_IDS)
		return refuse(error, "a request has 1 to 100 ids");
	json_array_foreach (ids, i, value) {
		if (json_integer_value(value) <= 0)
			return refuse(error, "an id is a number of the list");
		if (!store_dead_letter_each(letters->store, letters->tenant,
					    json_integer_value(value), each, letters, error) ||
		    letters->failed)
			return FALSE;
	}
	return TRUE;
}

static gboolean
write_audit(const struct letters *letters, GError **error)
{
	const char *arguments = json_get_text(letters->request, "arguments");
	const struct store_audit audit = {
		.time_us = letters->caller->time_us,
		.actor = (char *)letters->caller->actor,
		.tenant = (char *)letters->tenant,
		.verb = (char *)"dead-letters",
		.arguments = (char *)(arguments ? arguments : "[]"),
		.case_id = (char *)json_get_text(letters->request, "case"),
		.reason = (char *)json_get_text(letters->request, "reason"),
		.results = letters->count,
	};

	return store_add_audit(letters->store, &audit, error);
}

/* Walks over the letters as one transaction with its audit entry. */
static gboolean
carry_out(struct letters *letters, store_dead_letter_fn each, GError **error)
{
	if (!letters->tenant)
		return refuse(error, "the request needs a tenant");
	if (!store_begin(letters->store, error))
		return FALSE;
	letters->error = error;
	if (walk_ids(letters, each, error) && write_audit(letters, error) &&
	    store_commit(letters->store, error))
		return TRUE;
	store_rollback(letters->store);
	return FALSE;
}

gboolean
dead_letter_replay(struct store *store, const struct control_caller *caller, const json_t *request,
		   json_t *answer, dead_letter_stored_fn stored, void *data, GError **error)
{
	g_autoptr(GPtrArray) revived = g_ptr_array_new_with_free_func((GDestroyNotify)revived_free);
	struct letters letters = {
		.store = store,
		.caller = caller,
		.request = request,
		.tenant = json_get_text(request, "tenant"),
		.refused = json_array(),
		.revived = revived,
	};

	json_object_set_new(answer, "refused", letters.refused);
	if (!carry_out(&letters, replay, error))
		return FALSE;
	json_put_int(answer, "replayed", letters.count);
	for (guint i = 0; i < revived->len; i++) {
		const struct revived *one = g_ptr_array_index(revived, i);

		stored(letters.tenant, one->sensor, one->json, data);
	}
	return TRUE;
}

gboolean
dead_letter_drop(struct store *store, const struct control_caller *caller, const json_t *request,
		 json_t *answer, GError **error)
{
	struct letters letters = {
		.store = store,
		.caller = caller,
		.request = request,
		.tenant = json_get_text(request, "tenant"),
	};

	if (!carry_out(&letters, drop, error))
		return FALSE;
	json_put_int(answer, "dropped", letters.count);
	return TRUE;
}
