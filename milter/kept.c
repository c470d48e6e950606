/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "kept.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "keys.h"
#include "ocsf.h"
#include "sealed.h"

G_STATIC_ASSERT(SEALED_KEY_BYTES == SITE_KEY_BYTES);

#define ENDING ".sealed"
#define LENGTH_BYTES 4 /* of the event's JSON, before it and the message */

struct kept {
	char *folder;
	guint8 key[SEALED_KEY_BYTES];
	GMutex lock;	    /* the rest */
	GPtrArray *entries; /* of struct entry, oldest first */
	guint dropped;	    /* files that the key did not open */
	guint64 bytes;
};

/* A message, and who it was between; addresses in lower case. */
struct entry {
	char *event_id;
	gint64 received_at_us;
	char *sender;		/* "" for none */
	GHashTable *recipients; /* set of char * */
	gsize bytes;
};

static void
entry_free(gpointer data)
{
	struct entry *entry = data;

	g_free(entry->event_id);
	g_free(entry->sender);
	g_hash_table_unref(entry->recipients);
	g_free(entry);
}

static struct entry *
entry_new(const struct event *event, gsize bytes)
{
	struct entry *entry = g_new0(struct entry, 1);

	entry->event_id = g_strdup(event->event_id);
	entry->received_at_us = event->received_at_us;
	entry->sender = g_ascii_strdown(event->sender ? event->sender->address : "", -1);
	entry->recipients = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	entry->bytes = bytes;
	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *recipient = event->recipients->pdata[i];

		if (!recipient->refused)
			g_hash_table_add(entry->recipients,
					 g_ascii_strdown(recipient->address, -1));
	}
	return entry;
}

static char *
path_of(const struct kept *kept, const char *event_id)
{
	g_autofree char *name = g_strconcat(event_id, ENDING, NULL);

	return g_build_filename(kept->folder, name, NULL);
}

/* Takes an entry and its file away; with the lock. */
static void
drop(struct kept *kept, guint index)
{
	const struct entry *entry = kept->entries->pdata[index];
	g_autofree char *path = path_of(kept, entry->event_id);

	g_unlink(path);
	kept->bytes -= entry->bytes;
	g_ptr_array_remove_index(kept->entries, index);
}

static int
entry_order(gconstpointer a, gconstpointer b)
{
	const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;

	return (left->received_at_us > right->received_at_us) -
	       (left->received_at_us < right->received_at_us);
}

/* ---- files ---- */

/* Parts what was sealed; FALSE if it is not of that form. */
static gboolean
part(GBytes *open, GBytes **ret_json, GBytes **ret_message)
{
	gsize size;
	const guint8 *at = g_bytes_get_data(open, &size);
	guint32 length;

	if (size < LENGTH_BYTES)
		return FALSE;
	memcpy(&length, at, LENGTH_BYTES);
	length = GUINT32_FROM_BE(length);
	if (length > size - LENGTH_BYTES)
		return FALSE;
	*ret_json = g_bytes_new_from_bytes(open, LENGTH_BYTES, length);
	*ret_message =
		g_bytes_new_from_bytes(open, LENGTH_BYTES + length, size - LENGTH_BYTES - length);
	return TRUE;
}

gboolean
kept_read(struct kept *kept, const char *event_id, GBytes **ret_json, GBytes **ret_message)
{
	g_autofree char *path = path_of(kept, event_id);
	g_autofree char *sealed = NULL;
	g_autoptr(GBytes) open = NULL;
	gsize length;

	if (!g_file_get_contents(path, &sealed, &length, NULL))
		return FALSE;
	open = sealed_open(kept->key, event_id, sealed, length);
	return open && part(open, ret_json, ret_message);
}

struct event *
kept_event(GBytes *json)
{
	gsize length;
	const void *bytes = g_bytes_get_data(json, &length);

	return ocsf_decode_event(bytes, length, NULL);
}

/* Takes a file that was left by an earlier process into the index, or removes it. */
static void
load(struct kept *kept, const char *name)
{
	g_autofree char *path = g_build_filename(kept->folder, name, NULL);
	g_autofree char *id = g_strndup(name, strlen(name) - strlen(ENDING));
	g_autoptr(GBytes) json = NULL, message = NULL;
	g_autoptr(event_t) event = NULL;
	struct entry *entry;

	if (g_str_has_suffix(name, ENDING) && kept_read(kept, id, &json, &message))
		event = kept_event(json);
	if (!event || g_strcmp0(event->event_id, id) != 0) {
		/* One that was being written when the process ended is no damage. */
		kept->dropped += g_str_has_suffix(name, ENDING);
		g_unlink(path);
		return;
	}
	entry = entry_new(event, g_bytes_get_size(json) + g_bytes_get_size(message));
	kept->bytes += entry->bytes;
	g_ptr_array_add(kept->entries, entry);
}

static void
load_all(struct kept *kept)
{
	g_autoptr(GDir) files = g_dir_open(kept->folder, 0, NULL);
	const char *name;

	while (files && (name = g_dir_read_name(files)))
		load(kept, name);
	g_ptr_array_sort(kept->entries, entry_order);
}

static gboolean
open_key(struct kept *kept, const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, "locked.key", NULL);

	if (!g_file_test(path, G_FILE_TEST_EXISTS) && !site_key_write(path, error))
		return FALSE;
	return site_key_read(path, kept->key, error);
}

guint
kept_dropped(const struct kept *kept)
{
	return kept->dropped;
}

struct kept *
kept_open(const char *directory, GError **error)
{
	g_autoptr(kept_t) kept = g_new0(struct kept, 1);

	g_mutex_init(&kept->lock);
	kept->folder = g_build_filename(directory, "locked", NULL);
	kept->entries = g_ptr_array_new_with_free_func(entry_free);
	if (g_mkdir(kept->folder, 0700) != 0 && errno != EEXIST) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
			    "cannot make %s: %s", kept->folder, g_strerror(errno));
		return NULL;
	}
	if (!open_key(kept, directory, error))
		return NULL;
	load_all(kept);
	return g_steal_pointer(&kept);
}

void
kept_free(struct kept *kept)
{
	if (!kept)
		return;
	explicit_bzero(kept->key, sizeof(kept->key));
	g_ptr_array_unref(kept->entries);
	g_mutex_clear(&kept->lock);
	g_free(kept->folder);
	g_free(kept);
}

/* ---- what comes and goes ---- */

static GBytes *
seal(const struct kept *kept, const char *event_id, GBytes *json, GBytes *message)
{
	guint32 length = GUINT32_TO_BE((guint32)g_bytes_get_size(json));
	g_autoptr(GByteArray) whole = g_byte_array_new();

	g_byte_array_append(whole, (const guint8 *)&length, LENGTH_BYTES);
	g_byte_array_append(whole, g_bytes_get_data(json, NULL), (guint)g_bytes_get_size(json));
	g_byte_array_append(whole, g_bytes_get_data(message, NULL),
			    (guint)g_bytes_get_size(message));
	return sealed_make(kept->key, event_id, whole->data, whole->len);
}

static gboolean
write_sealed(struct kept *kept, const struct event *event, GBytes *json, GBytes *message,
	     GError **error)
{
	g_autofree char *path = path_of(kept, event->event_id);
	g_autoptr(GBytes) sealed = seal(kept, event->event_id, json, message);

	if (sealed)
		return g_file_set_contents_full(path, g_bytes_get_data(sealed, NULL),
						(gssize)g_bytes_get_size(sealed),
						G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "libcrypto cannot seal it");
	return FALSE;
}

/* Takes an entry out whose file was written anew; with the lock. */
static void
forget(struct kept *kept, const char *event_id)
{
	for (guint i = kept->entries->len; i-- > 0;) {
		const struct entry *entry = kept->entries->pdata[i];

		if (!g_str_equal(entry->event_id, event_id))
			continue;
		kept->bytes -= entry->bytes;
		g_ptr_array_remove_index(kept->entries, i);
	}
}

gboolean
kept_add(struct kept *kept, GBytes *json, GBytes *message, guint64 max_bytes, GError **error)
{
	g_autoptr(event_t) event = kept_event(json);
	gsize bytes = g_bytes_get_size(json) + g_bytes_get_size(message);
	struct entry *entry;

	if (!event || g_bytes_get_size(message) > CAP_LOCKED_BYTES || bytes > max_bytes) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    event ? "it is larger than may be kept" : "it is no event");
		return FALSE;
	}
	if (!write_sealed(kept, event, json, message, error))
		return FALSE;
	entry = entry_new(event, bytes);
	g_mutex_lock(&kept->lock);
	forget(kept, event->event_id);
	kept->bytes += bytes;
	g_ptr_array_add(kept->entries, entry);
	g_ptr_array_sort(kept->entries, entry_order);
	while (kept->entries->len > CAP_LOCKED_MESSAGES || kept->bytes > max_bytes)
		drop(kept, 0);
	g_mutex_unlock(&kept->lock);
	return TRUE;
}

void
kept_remove(struct kept *kept, const char *event_id)
{
	g_mutex_lock(&kept->lock);
	for (guint i = kept->entries->len; i-- > 0;) {
		const struct entry *entry = kept->entries->pdata[i];

		if (g_str_equal(entry->event_id, event_id))
			drop(kept, i);
	}
	g_mutex_unlock(&kept->lock);
}

void
kept_expire(struct kept *kept, gint64 before_us)
{
	g_mutex_lock(&kept->lock);
	for (guint i = kept->entries->len; i-- > 0;)
		if (((struct entry *)kept->entries->pdata[i])->received_at_us < before_us)
			drop(kept, i);
	g_mutex_unlock(&kept->lock);
}

guint
kept_count(struct kept *kept)
{
	guint count;

	g_mutex_lock(&kept->lock);
	count = kept->entries->len;
	g_mutex_unlock(&kept->lock);
	return count;
}

/* ---- who it was between ---- */

static gboolean
have_common(GHashTable *a, GHashTable *b)
{
	GHashTableIter iter;
	gpointer address;

	g_hash_table_iter_init(&iter, a);
	while (g_hash_table_iter_next(&iter, &address, NULL))
		if (g_hash_table_contains(b, address))
			return TRUE;
	return FALSE;
}

static gboolean
are_between_same(const struct entry *a, const struct entry *b)
{
	if (!*a->sender || !*b->sender)
		return FALSE;
	if (g_str_equal(a->sender, b->sender))
		return have_common(a->recipients, b->recipients);
	return g_hash_table_contains(a->recipients, b->sender) &&
	       g_hash_table_contains(b->recipients, a->sender);
}

GPtrArray *
kept_find(struct kept *kept, const struct event *event)
{
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
	struct entry *wanted;

	/* Mostly nothing is kept, and mail is not to wait for us. */
	if (kept_count(kept) == 0)
		return ids;
	wanted = entry_new(event, 0);
	g_mutex_lock(&kept->lock);
	for (guint i = kept->entries->len; i-- > 0 && ids->len < CAP_LATER_TRIES;) {
		const struct entry *entry = kept->entries->pdata[i];

		if (!g_str_equal(entry->event_id, wanted->event_id) &&
		    are_between_same(entry, wanted))
			g_ptr_array_add(ids, g_strdup(entry->event_id));
	}
	g_mutex_unlock(&kept->lock);
	entry_free(wanted);
	return ids;
}
