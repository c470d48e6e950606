/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes are a file that may be an archive. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "scan.h"
#include "unpack.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void
need(gboolean truth)
{
	if (!truth)
		abort();
}

/* Small, so that a run tries many inputs and not one for long. */
static const struct unpack_limits limits = {
	.members = 200,
	.bytes = 4 << 20,
	.ratio = 100,
	.free_bytes = 1 << 20,
	.kept_bytes = 1 << 20,
	.names_bytes = 1 << 18,
	.cpu_ms = 1000,
};

static char *folder;

static void
remove_folder(void)
{
	g_rmdir(folder);
	g_free(folder);
}

/* The engine opens what libarchive does not, as in a worker. */
static void
prepare_engine(void)
{
	if (folder)
		return;
	folder = g_dir_make_tmp("mailtrace-fuzz-XXXXXX", NULL);
	need(folder && scan_preload(NULL, NULL));
	scan_use_folder(folder);
	atexit(remove_folder);
}

static void
need_file(const struct file *file, guint index, GHashTable *paths)
{
	need(file->parent < (int)index && (index == 0) == (file->parent < 0));
	need(g_hash_table_add(paths, file->path));
	need(g_utf8_validate(file->path, -1, NULL));
	need(file->names->len <= CAP_NAMES);
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		need(g_utf8_validate(name->text, -1, NULL));
		need(strlen(name->text) <= CAP_NAME_BYTES);
	}
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	g_autoptr(record_t) record = record_new();
	struct unpacker *unpacker;
	struct file *file;

	prepare_engine();
	unpack_preload();
	need(charset_preload(NULL));
	unpacker = unpacker_new(record, fingerprint, &limits);
	file = record_add_file(record, "1", -1);
	file->size = size;
	file->detected_type = g_strdup(magic_type(data, size));
	unpack_file(unpacker, 0, data, size, 0);
	unpack_finish(unpacker);
	need(record->files->len <= limits.members + 1);
	for (guint i = 0; i < record->files->len; i++)
		need_file(g_ptr_array_index(record->files, i), i, paths);
	return 0;
}
