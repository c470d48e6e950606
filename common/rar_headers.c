/* SPDX-License-Identifier: BSD-2-Clause */
#include "rar_headers.h"

#include <string.h>

#define MARKER "Rar!\x1a\x07" /* and a NUL: version 4 */
#define MARKER_BYTES 7
#define BLOCK_BYTES 7 /* of any block's header, at least */
#define FILE_BYTES 32 /* of a file's, without its name */
#define BLOCK_ARCHIVE 0x73
#define BLOCK_FILE 0x74
#define ARCHIVE_ENCRYPTED 0x0080 /* what follows is */
#define FILE_SPLIT 0x0003	 /* its CRC-32 is of a part */
#define FILE_PASSWORD 0x0004
#define FILE_FOLDER 0x00e0
#define FILE_LARGE 0x0100 /* sizes have upper halves */
#define BLOCK_LONG 0x8000 /* data follows the header */

static guint
u16(const guint8 *at)
{
	return (guint)at[0] | (guint)at[1] << 8;
}

static guint32
u32(const guint8 *at)
{
	return (guint32)u16(at) | (guint32)u16(at + 2) << 16;
}

/* Reads a file's header of size bytes; *ret_packed: how many bytes of content follow. */
static gboolean
read_file(const guint8 *header, gsize size, guint64 *ret_packed, struct rar_member *ret_member)
{
	guint flags = u16(header + 3);

	*ret_packed = u32(header + 7);
	ret_member->size = u32(header + 11);
	ret_member->crc32 = u32(header + 16);
	if (flags & FILE_LARGE && size >= FILE_BYTES + 8) {
		*ret_packed |= (guint64)u32(header + FILE_BYTES) << 32;
		ret_member->size |= (guint64)u32(header + FILE_BYTES + 4) << 32;
	}
	return (flags & FILE_PASSWORD) && !(flags & FILE_SPLIT) &&
	       (flags & FILE_FOLDER) != FILE_FOLDER;
}

gboolean
rar_headers_next(const void *bytes, gsize length, gsize *at, struct rar_member *ret_member)
{
	const guint8 *rar = bytes;

	if (*at == 0) {
		if (length < MARKER_BYTES || memcmp(rar, MARKER, MARKER_BYTES) != 0)
			return FALSE;
		*at = MARKER_BYTES;
	}
	while (*at <= length && length - *at >= BLOCK_BYTES) {
		const guint8 *header = rar + *at;
		guint type = header[2], flags = u16(header + 3);
		gsize size = u16(header + 5), left = length - *at;
		guint64 data = 0;
		gboolean found = FALSE;

		if (size < BLOCK_BYTES || size > left ||
		    (type == BLOCK_ARCHIVE && flags & ARCHIVE_ENCRYPTED))
			return FALSE;
		if (type == BLOCK_FILE && size >= FILE_BYTES)
			found = read_file(header, size, &data, ret_member);
		else if (flags & BLOCK_LONG && size >= BLOCK_BYTES + 4)
			data = u32(header + BLOCK_BYTES);
		*at += size + (gsize)MIN(data, left - size);
		if (found)
			return TRUE;
	}
	return FALSE;
}
