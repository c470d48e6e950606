/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes make a record, and one that keeps what record.h promises: a tree
 * of files, paths that are unique, text that is UTF-8.
 */
#include <stdlib.h>

#include "caps.h"
#include "mime.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void
need(gboolean promise)
{
	if (!promise)
		abort();
}

static void
need_text(const char *text)
{
	need(!text || g_utf8_validate(text, -1, NULL));
}

static void
need_addresses(const GPtrArray *addresses)
{
	need(addresses->len <= CAP_ADDRESSES);
	for (guint i = 0; i < addresses->len; i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		need_text(address->display);
		need(address->address != NULL);
		need_text(address->address);
	}
}

static void
need_file(const struct file *file, guint index, GHashTable *paths)
{
	need(file->parent < (int)index && (index == 0) == (file->parent < 0));
	need(g_hash_table_add(paths, file->path));
	need(file->names->len <= CAP_NAMES);
	for (guint i = 0; i < file->names->len; i++)
		need_text(((struct file_name *)g_ptr_array_index(file->names, i))->text);
	need_text(file->declared_type);
	need_text(file->disposition);
	need_text(file->content_id);
	need_text(file->encoding);
	need(file->variants->len < VARIANT_KIND_COUNT);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(record_t) record = NULL;

	need(mime_preload(NULL));
	record = mime_read(data, size);
	need(record->files->len > 0 && record->files->len <= CAP_FILES);
	for (guint i = 0; i < record->files->len; i++)
		need_file(g_ptr_array_index(record->files, i), i, paths);
	need_text(record->subject);
	need_text(record->message_id);
	need_text(record->date);
	need_text(record->list_id);
	need_addresses(record->from);
	need_addresses(record->to);
	need_addresses(record->cc);
	need_addresses(record->reply_to);
	for (guint i = 0; i < record->urls->len; i++)
		need_text(g_ptr_array_index(record->urls, i));
	return 0;
}
