/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "self_extracting.h"

#include <string.h>

#define SEVEN_ZIP "7z\xbc\xaf\x27\x1c\0"
#define SEVEN_ZIP_BYTES 32 /* of its first header (7zFormat.txt) */

#define RAR "Rar!\x1a\x07"
#define RAR_HEADER_BYTES 20 /* a signature, and a first header of version 4 */

static guint64
little_endian_64(const guint8 *at)
{
	guint64 value;

	memcpy(&value, at, sizeof(value));
	return GUINT64_FROM_LE(value);
}

gboolean
self_extracting_begins_7z(const guint8 *at, gsize left, gsize *ret_length)
{
	guint64 begin, size;

	if (left < SEVEN_ZIP_BYTES || memcmp(at, SEVEN_ZIP, sizeof(SEVEN_ZIP) - 1) != 0)
		return FALSE;
	begin = little_endian_64(at + 12);
	size = little_endian_64(at + 20);
	left -= SEVEN_ZIP_BYTES;
	if (!size || begin > left || size > left - begin)
		return FALSE;
	*ret_length = SEVEN_ZIP_BYTES + (gsize)(begin + size);
	return TRUE;
}

const guint8 *
self_extracting_7z(const void *bytes, gsize length)
{
	const guint8 *at = bytes, *end = at + length;
	gsize own;

	while ((at = memmem(at, (gsize)(end - at), SEVEN_ZIP, sizeof(SEVEN_ZIP) - 1)) != NULL) {
		if (self_extracting_begins_7z(at, (gsize)(end - at), &own))
			return at;
		at++;
	}
	return NULL;
}

gboolean
self_extracting_begins_rar(const guint8 *at, gsize left)
{
	if (left < RAR_HEADER_BYTES || memcmp(at, RAR, sizeof(RAR) - 1) != 0)
		return FALSE;
	/* Behind the signature and a checksum: type, flags and length (technote.txt 4.20). */
	if (at[6] == 0)
		return at[9] == 0x73 && at[12] >= 13 && at[13] == 0;
	/* A length, then the type of the archive's own header or that of encryption (5). */
	return at[6] == 1 && at[7] == 0 && at[12] && !(at[12] & 0x80) &&
	       (at[13] == 1 || at[13] == 4);
}

const guint8 *
self_extracting_rar(const void *bytes, gsize length)
{
	const guint8 *at = bytes, *end = at + MIN(length, RAR_PROGRAM_BYTES);

	while ((at = memmem(at, (gsize)(end - at), RAR, sizeof(RAR) - 1)) != NULL) {
		if (self_extracting_begins_rar(at, length - (gsize)(at - (const guint8 *)bytes)))
			return at;
		at++;
	}
	return NULL;
}
