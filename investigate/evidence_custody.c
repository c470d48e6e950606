/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of custody: what goes into the zip beside the messages. */
#include <string.h>

#include "evidence_copies.h"
#include "json.h"
#include "out.h"

#define FILE_NAME "custody.json"

static void
put_time(json_t *object, const char *name, gint64 time_us)
{
	g_autofree char *text = out_time_rfc3339(time_us);

	json_put_text(object, name, text);
}

/* Where it was: what is known of a queue or of a mailbox. */
static json_t *
source_of(const struct evidence_copy *copy)
{
	const struct openc2_message *message = copy->command->message;
	json_t *source = json_object();

	json_put_text(source, "role", openc2_role_name(copy->command->role));
	json_put_text(source, "gateway", message->gateway);
	json_put_text(source, "queue_id", message->queue_id);
	json_put_text(source, "mailbox", message->mailbox);
	json_put_text(source, "folder", copy->folder ? copy->folder : message->folder);
	json_put_text(source, "guid", copy->guid ? copy->guid : message->storage_id);
	return source;
}

static json_t *
item_of(const struct evidence_copy *copy)
{
	const struct openc2_message *message = copy->command->message;
	json_t *item = json_object();

	json_put_text(item, "command_id", copy->command->command_id);
	json_put_text(item, "event_id", message->event_id);
	json_put_text(item, "message_id", message->message_id);
	json_put_text(item, "recipient", message->recipient);
	json_object_set_new(item, "source", source_of(copy));
	json_put_text(item, "outcome", openc2_outcome_name(copy->outcome));
	json_put_text(item, "note", copy->text);
	put_time(item, "answered", copy->answered_us);
	json_put_text(item, "file", copy->file);
	if (copy->file)
		json_put_int(item, "size", (gint64)copy->size);
	json_put_text(item, "sha256", copy->sha256);
	return item;
}

static json_t *
beyond_of(const struct plan *plan)
{
	json_t *array = json_array();

	for (guint i = 0; i < plan->beyond->len; i++) {
		const struct plan_beyond *beyond = plan->beyond->pdata[i];
		json_t *object = json_object();

		json_put_text(object, "event_id", beyond->event_id);
		json_put_text(object, "recipient", beyond->recipient);
		json_put_text(object, "address", beyond->address);
		json_put_text(object, "kind", plan_beyond_name(beyond->kind));
		json_put_text(object, "why", beyond->why);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *
custody_of(const struct evidence_copies *copies, const struct plan *plan, gint64 began_us)
{
	json_t *custody = json_object(), *query = json_array(), *items = json_array();

	json_put_text(custody, "type", "mailtrace-custody");
	json_put_int(custody, "version", 1);
	json_put_text(custody, "actor", plan->created_by);
	json_put_text(custody, "case", plan->case_id);
	json_put_text(custody, "reason", plan->reason);
	json_put_text(custody, "tenant", plan->tenant);
	json_put_text(custody, "store", plan->view.store);
	for (char **word = plan->query; *word; word++)
		json_array_append_new(query, json_string(*word));
	json_object_set_new(custody, "query", query);
	put_time(custody, "began", began_us);
	put_time(custody, "sealed", g_get_real_time());
	for (guint i = 0; i < copies->tried->len; i++)
		json_array_append_new(items, item_of(copies->tried->pdata[i]));
	json_object_set_new(custody, "items", items);
	json_object_set_new(custody, "beyond", beyond_of(plan));
	return custody;
}

gboolean
evidence_custody_write(const struct evidence_copies *copies, const struct plan *plan,
		       const char *folder, gint64 began_us, GError **error)
{
	g_autoptr(json_t) custody = custody_of(copies, plan, began_us);
	g_autofree char *text = json_line(custody);
	g_autofree char *path = g_build_filename(folder, FILE_NAME, NULL);

	return g_file_set_contents_full(path, text, (gssize)strlen(text),
					G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
}
