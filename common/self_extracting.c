/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "self_extracting.h"

#include <string.h>

#define SEVEN_ZIP "7z\xbc\xaf\x27\x1c\0"
#define SEVEN_ZIP_BYTES 32 /* of its first header (7zFormat.txt) */

static guint64
little_endian_64(const guint8 *at)
{
	guint64 value;

	memcpy(&value, at, sizeof(value));
	return GUINT64_FROM_LE(value);
}

const guint8 *
self_extracting_7z(const void *bytes, gsize length)
{
	const guint8 *at = bytes, *end = at + length;

	while ((at = memmem(at, (gsize)(end - at), SEVEN_ZIP, sizeof(SEVEN_ZIP) - 1)) != NULL) {
		guint64 left = (guint64)(end - at), begin, size;

		if (left < SEVEN_ZIP_BYTES)
			return NULL;
		begin = little_endian_64(at + 12);
		size = little_endian_64(at + 20);
		left -= SEVEN_ZIP_BYTES;
		if (size && begin <= left && size <= left - begin)
			return at;
		at++;
	}
	return NULL;
}
