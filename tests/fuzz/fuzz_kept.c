/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is found in the folder of kept messages at a start, sealed with its key or not, is
 * taken as what it was or is removed.  The first byte is even for a file that is sealed.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "caps.h"
#include "kept.h"
#include "keys.h"
#include "ocsf.h"
#include "sealed.h"

#define LENGTH_BYTES 4
#define UNKNOWN_ID "019a6b1c-0000-7000-8000-000000000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *directory, *folder;
static guint8 key[SITE_KEY_BYTES];

static void
remove_directory(void)
{
	g_autofree char *path = g_build_filename(directory, "locked.key", NULL);

	g_unlink(path);
	g_rmdir(folder);
	g_rmdir(directory);
	g_free(folder);
	g_free(directory);
}

/* In memory where there is such a file system. */
static void
prepare(void)
{
	g_autoptr(kept_t) kept = NULL;
	g_autofree char *path = NULL;

	if (directory)
		return;
	directory = g_strdup("/dev/shm/mailtrace-fuzz-XXXXXX");
	if (!g_mkdtemp(directory)) {
		g_free(directory);
		directory = g_dir_make_tmp("mailtrace-fuzz-XXXXXX", NULL);
	}
	if (!directory)
		g_error("there is no room for a folder");
	kept = kept_open(directory, NULL);
	folder = g_build_filename(directory, "locked", NULL);
	path = g_build_filename(directory, "locked.key", NULL);
	if (!kept || !site_key_read(path, key, NULL))
		g_error("the folder cannot be made");
	atexit(remove_directory);
}

/* The event that the file says it is of, or NULL. */
static struct event *
event_in(const uint8_t *data, size_t size)
{
	guint32 length;

	if (size < LENGTH_BYTES)
		return NULL;
	memcpy(&length, data, LENGTH_BYTES);
	length = GUINT32_FROM_BE(length);
	if (length > size - LENGTH_BYTES)
		return NULL;
	return ocsf_decode_event(data + LENGTH_BYTES, length, NULL);
}

static void
write_file(const char *path, const char *id, gboolean seals, const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) sealed = seals ? sealed_make(key, id, data, size) : NULL;
	const void *bytes = seals ? g_bytes_get_data(sealed, &size) : data;

	if (!g_file_set_contents_full(path, bytes, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600,
				      NULL))
		g_error("cannot write %s", path);
}

/* What is kept comes back to the byte, and goes when it is too old. */
static void
check_kept(struct kept *kept, const struct event *event, const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) json = NULL, message = NULL;
	g_autoptr(GPtrArray) found = kept_find(kept, event);

	if (!kept_read(kept, event->event_id, &json, &message) || found->len != 0)
		g_error("what is kept cannot be read");
	if (g_bytes_get_size(json) + g_bytes_get_size(message) + LENGTH_BYTES != size ||
	    memcmp(g_bytes_get_data(json, NULL), data + LENGTH_BYTES, g_bytes_get_size(json)) != 0)
		g_error("what is kept does not come back as it was");
	kept_expire(kept, event->received_at_us);
	if (kept_count(kept) != 1)
		g_error("it went before its time");
	kept_expire(kept, G_MAXINT64);
	kept_remove(kept, event->event_id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(kept_t) kept = NULL;
	g_autoptr(event_t) event = NULL;
	g_autofree char *name = NULL, *path = NULL;
	const char *id;
	gboolean seals;

	prepare();
	if (size < 1)
		return 0;
	seals = data[0] % 2 == 0;
	event = event_in(++data, --size);
	id = event ? event->event_id : UNKNOWN_ID;
	name = g_strconcat(id, ".sealed", NULL);
	path = g_build_filename(folder, name, NULL);
	write_file(path, id, seals, data, size);
	kept = kept_open(directory, NULL);
	if (kept_count(kept) != (seals && event ? 1 : 0))
		g_error("what was sealed is not kept, or something else is");
	if (kept_count(kept))
		check_kept(kept, event, data, size);
	if (kept_count(kept) || g_file_test(path, G_FILE_TEST_EXISTS))
		g_error("what is not kept was not removed");
	return 0;
}
