/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_entry.h"

#include <string.h>

#include "json.h"
#include "queue_id.h"
#include "text.h"

/* What Postfix and filters may add to a message after it was recorded, and take away. */
#define ADDED_BYTES (64 * 1024)
#define REMOVED_BYTES (4 * 1024)
#define CHANGED_PART 8 /* one part in so many: long lines count more in Postfix's queue file */

/* showq(8) writes the null sender so. */
static const char *
sender_of(const char *shown)
{
	return strcmp(shown, "MAILER-DAEMON") == 0 ? "" : shown;
}

static guint
count_recipients(const json_t *root)
{
	return (guint)json_array_size(json_object_get(root, "recipients"));
}

struct queue_entry *
queue_entry_parse(const char *line, gsize length)
{
	g_autoptr(json_t) root = json_parse_object(line, length);
	const char *queue = json_get_text(root, "queue_name");
	const char *queue_id = json_get_text(root, "queue_id");
	const char *sender = json_get_text(root, "sender");
	gint64 arrival_s = json_get_int(root, "arrival_time", -1);
	gint64 size = json_get_int(root, "message_size", -1);
	struct queue_entry *entry;

	if (!queue || !queue_id_is_valid(queue_id) || !sender || arrival_s < 0 || size < 0)
		return NULL;
	entry = g_new0(struct queue_entry, 1);
	entry->queue_name = g_strdup(queue);
	entry->queue_id = g_strdup(queue_id);
	entry->sender = g_strdup(sender_of(sender));
	entry->arrival_s = arrival_s;
	entry->size = (guint64)size;
	entry->recipients = count_recipients(root);
	entry->held = strcmp(queue, "hold") == 0;
	return entry;
}

struct queue_entry *
queue_entry_dup(const struct queue_entry *entry)
{
	struct queue_entry *dup = entry ? g_memdup2(entry, sizeof(*entry)) : NULL;

	if (!dup)
		return NULL;
	dup->queue_name = g_strdup(entry->queue_name);
	dup->queue_id = g_strdup(entry->queue_id);
	dup->sender = g_strdup(entry->sender);
	return dup;
}

void
queue_entry_free(struct queue_entry *entry)
{
	if (!entry)
		return;
	g_free(entry->queue_name);
	g_free(entry->queue_id);
	g_free(entry->sender);
	g_free(entry);
}

/* Returns an address's key, without the brackets that some write around it. */
static char *
sender_key(const char *sender)
{
	gsize length = strlen(sender);
	g_autofree char *bare = length >= 2 && sender[0] == '<' && sender[length - 1] == '>'
					? g_strndup(sender + 1, length - 2)
					: g_strdup(sender);

	return address_search_key(sender_of(bare));
}

static gboolean
same_sender(const char *a, const char *b)
{
	g_autofree char *key_a = sender_key(a), *key_b = sender_key(b);

	return strcmp(key_a, key_b) == 0;
}

static gboolean
same_size(guint64 recorded, guint64 shown)
{
	guint64 part = recorded / CHANGED_PART;

	return shown + part + REMOVED_BYTES >= recorded && shown <= recorded + part + ADDED_BYTES;
}

gboolean
queue_window_holds(const struct queue_window *window, gint64 recorded_s, gint64 arrival_s)
{
	return arrival_s >= recorded_s - window->before_s &&
	       arrival_s <= recorded_s + window->after_s;
}

const char *
queue_entry_difference(const struct queue_entry *entry, const struct queue_record *record,
		       const struct queue_window *window)
{
	if (!same_sender(entry->sender, record->sender))
		return "another sender";
	if (!queue_window_holds(window, record->arrival_s, entry->arrival_s))
		return "another time of arrival";
	if (record->size && !same_size(record->size, entry->size))
		return "another size";
	return NULL;
}
