/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "descriptor.h"

#include <errno.h>
#include <unistd.h>

#define CHUNK_BYTES 16384

gboolean
descriptor_write(int fd, const void *bytes, gsize length)
{
	const guint8 *at = bytes;

	while (length > 0) {
		ssize_t written = TEMP_FAILURE_RETRY(write(fd, at, length));

		if (written <= 0)
			return FALSE;
		at += written;
		length -= (gsize)written;
	}
	return TRUE;
}

GString *
descriptor_read(int fd, gsize max_bytes)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char chunk[CHUNK_BYTES];
	ssize_t got = 1;

	while (got > 0 && text->len <= max_bytes) {
		got = TEMP_FAILURE_RETRY(
			read(fd, chunk, MIN(sizeof chunk, max_bytes + 1 - text->len)));
		if (got > 0)
			g_string_append_len(text, chunk, got);
	}
	return got < 0 ? NULL : g_steal_pointer(&text);
}
