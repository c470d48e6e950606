/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "compressed_end.h"

#include <lzma.h>
#include <string.h>

#include "caps.h"

static guint32
little_endian(const guint8 *at, gsize bytes)
{
	guint32 value = 0;

	while (bytes-- > 0)
		value = value << 8 | at[bytes];
	return value;
}

/* ---- Zstandard ---- */

#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"
#define SKIPPED_MAGIC_END "\x2a\x4d\x18" /* behind 0x50 to 0x5f */
#define BLOCK_HEADER_BYTES 3
#define CHECKSUM_BYTES 4

/* Whether a frame that begins here is one to be skipped (3.1.2). */
static gboolean
is_skipped(const guint8 *bytes)
{
	return (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, SKIPPED_MAGIC_END, 3) == 0;
}

/* The length of a frame's header (3.1.1.1). */
static gsize
header_bytes(guint8 descriptor)
{
	static const guint8 id_bytes[] = {0, 1, 2, 4}, size_bytes[] = {0, 2, 4, 8};
	gboolean single = descriptor >> 5 & 1;
	gsize size = size_bytes[descriptor >> 6];

	if (single && !size)
		size = 1;
	return 5 + (single ? 0 : 1) + id_bytes[descriptor & 3] + size;
}

/* The length of a frame's blocks (3.1.1.2); length + 1 if they are cut off or damaged. */
static gsize
blocks_bytes(const guint8 *bytes, gsize length)
{
	gsize at = 0;
	guint32 header = 0;

	while (!(header & 1)) {
		if (length - at < BLOCK_HEADER_BYTES)
			return length + 1;
		header = little_endian(bytes + at, BLOCK_HEADER_BYTES);
		at += BLOCK_HEADER_BYTES;
		/* One byte that is repeated, or as many as are said; 3 is reserved. */
		at += (header >> 1 & 3) == 1 ? 1 : header >> 3;
		if ((header >> 1 & 3) == 3 || at > length)
			return length + 1;
	}
	return at;
}

/* The length of the frame that begins here; 0 if none does, length + 1 if it is cut off. */
static gsize
frame_bytes(const guint8 *bytes, gsize length)
{
	gsize size;

	if (length < 4)
		return 0;
	if (is_skipped(bytes))
		return length < 8 ? length + 1
				  : MIN(8 + (gsize)little_endian(bytes + 4, 4), length + 1);
	if (memcmp(bytes, ZSTD_MAGIC, 4) != 0)
		return 0;
	size = length > 4 ? header_bytes(bytes[4]) : length;
	if (size >= length)
		return length + 1;
	size += blocks_bytes(bytes + size, length - size);
	if (size <= length && bytes[4] >> 2 & 1)
		size += CHECKSUM_BYTES;
	return MIN(size, length + 1);
}

gsize
compressed_end_zstd(const void *bytes, gsize length, gsize taken)
{
	const guint8 *at = bytes;
	gsize end = 0, size;
	gboolean content = FALSE;

	while (end < length && (size = frame_bytes(at + end, length - end)) > 0) {
		if (size > MIN(length, taken) - end)
			break;
		content = content || !is_skipped(at + end);
		end += size;
	}
	return content ? end : 0;
}

/* ---- xz ---- */

#define XZ_HEADER_BYTES 12
#define XZ_FOOTER_BYTES 12
#define XZ_FOOTER_FLAGS 8
#define XZ_MOST_CHECK 15
#define DROPPED_BYTES 65536
#define PADDING "\0\0\0\0" /* between streams, any number of times (2.2) */

/* Whether a stream's footer stands here, and its index where it says (2.1.2, 4.1). */
static gboolean
is_xz_footer(const guint8 *bytes, gsize at)
{
	const guint8 *footer = bytes + at;
	guint64 index = ((guint64)little_endian(footer + 4, 4) + 1) * 4;

	return footer[XZ_FOOTER_FLAGS] == 0 && footer[XZ_FOOTER_FLAGS + 1] <= XZ_MOST_CHECK &&
	       memcmp(footer + XZ_FOOTER_FLAGS + 2, "YZ", 2) == 0 &&
	       index <= at - XZ_HEADER_BYTES && bytes[at - index] == 0;
}

/* Whether the bytes are padding: zeros, by fours. */
static gboolean
is_xz_padding(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (bytes[i])
			return FALSE;
	return length % 4 == 0;
}

gsize
compressed_end_xz_by_form(const void *bytes, gsize length)
{
	const guint8 *at = bytes;
	gsize end = length;

	while (end >= XZ_HEADER_BYTES + XZ_FOOTER_BYTES && !is_xz_footer(at, end - XZ_FOOTER_BYTES))
		end--;
	if (end < XZ_HEADER_BYTES + XZ_FOOTER_BYTES)
		return 0;
	return is_xz_padding(at + end, length - end) ? length : end;
}

/* Decompresses the stream that begins here, and passes it; FALSE if it is not whole. */
static gboolean
pass_stream(lzma_stream *xz, compressed_end_function dropped, gpointer user)
{
	guint8 made[DROPPED_BYTES];
	lzma_ret result = lzma_stream_decoder(xz, WORKER_MEMORY_BYTES, 0);

	while (result == LZMA_OK) {
		xz->next_out = made;
		xz->avail_out = sizeof(made);
		result = lzma_code(xz, LZMA_FINISH);
		if (!dropped(sizeof(made) - xz->avail_out, user))
			return FALSE;
	}
	return result == LZMA_STREAM_END;
}

gsize
compressed_end_xz(const void *bytes, gsize length, compressed_end_function dropped, gpointer user)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	gsize end = 0;

	xz.next_in = bytes;
	xz.avail_in = length;
	while (pass_stream(&xz, dropped, user)) {
		end = length - xz.avail_in;
		for (; xz.avail_in >= 4 && memcmp(xz.next_in, PADDING, 4) == 0; xz.avail_in -= 4)
			xz.next_in += 4;
	}
	lzma_end(&xz);
	return end;
}
