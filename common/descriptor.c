/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "descriptor.h"

#include <errno.h>
#include <unistd.h>

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
