/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "rar_headers.h"

#include <string.h>

#include "self_extracting.h"

#define MARKER "Rar!\x1a\x07" /* then NUL: version 4; 1 and NUL: version 5 */
#define MARKER_BYTES 6

/* Version 4. */
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

/* Version 5. */
#define HEAD_BYTES 7	  /* CRC-32, size, type, flags; of any block, at least */
#define HEAD_SIZE_BYTES 3 /* of a header's size, at most */
#define NUMBER_BYTES 10	  /* of any other number */
#define HEAD_FILE 2
#define HEAD_ENCRYPTION 4
#define HEAD_EXTRA 0x01
#define HEAD_DATA 0x02
#define HEAD_SPLIT 0x18
#define ENTRY_FOLDER 0x01
#define ENTRY_TIME 0x02
#define ENTRY_CRC32 0x04
#define EXTRA_ENCRYPTION 1
#define ENCRYPTION_TWEAKED 0x02 /* the password is mixed into the CRC-32 */

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

/* Moves on, to the end where it would be beyond. */
static void
move(struct rar_headers *headers, guint64 bytes)
{
	headers->at += (gsize)MIN(bytes, headers->length - headers->at);
}

/* ---- version 4 ---- */

/* Reads a file's header of size bytes; *ret_packed: how many bytes of content follow. */
static gboolean
read_file(const guint8 *header, gsize size, guint64 *ret_packed, struct rar_member *ret_member)
{
	guint flags = u16(header + 3);
	gsize name = FILE_BYTES;

	*ret_packed = u32(header + 7);
	ret_member->size = u32(header + 11);
	ret_member->crc32 = u32(header + 16);
	if (flags & FILE_LARGE && size >= FILE_BYTES + 8) {
		*ret_packed |= (guint64)u32(header + FILE_BYTES) << 32;
		ret_member->size |= (guint64)u32(header + FILE_BYTES + 4) << 32;
		name += 8;
	}
	ret_member->name = (const char *)header + name;
	ret_member->name_length = MIN(u16(header + 26), size - name);
	ret_member->encrypted = (flags & FILE_PASSWORD) != 0;
	ret_member->has_crc32 = !(flags & FILE_SPLIT);
	return (flags & FILE_FOLDER) != FILE_FOLDER;
}

static gboolean
next_of_4(struct rar_headers *headers, struct rar_member *ret_member)
{
	while (!headers->hidden && headers->length - headers->at >= BLOCK_BYTES) {
		const guint8 *header = headers->bytes + headers->at;
		guint type = header[2], flags = u16(header + 3);
		gsize size = u16(header + 5);
		guint64 data = 0;
		gboolean found = FALSE;

		if (size < BLOCK_BYTES || size > headers->length - headers->at)
			return FALSE;
		headers->hidden = type == BLOCK_ARCHIVE && flags & ARCHIVE_ENCRYPTED;
		if (type == BLOCK_FILE && size >= FILE_BYTES)
			found = read_file(header, size, &data, ret_member);
		else if (flags & BLOCK_LONG && size >= BLOCK_BYTES + 4)
			data = u32(header + BLOCK_BYTES);
		move(headers, size);
		move(headers, data);
		if (found)
			return TRUE;
	}
	return FALSE;
}

/* ---- version 5 ---- */

/* A piece of a header, read from its beginning. */
struct piece {
	const guint8 *at, *end;
	gboolean damaged; /* it was shorter than it says; numbers are 0 then */
};

/* Takes a number: seven bits a byte, the lowest first, the eighth where more follow. */
static guint64
take_number(struct piece *piece, guint most)
{
	guint64 number = 0;

	for (guint i = 0; i < most && piece->at < piece->end; i++) {
		guint8 byte = *piece->at++;

		number |= (guint64)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return number;
	}
	piece->damaged = TRUE;
	return 0;
}

static const guint8 *
take_bytes(struct piece *piece, guint64 count)
{
	const guint8 *bytes = piece->at;

	if (count > (guint64)(piece->end - piece->at)) {
		piece->damaged = TRUE;
		return NULL;
	}
	piece->at += count;
	return bytes;
}

/* Looks for the record of encryption among those at the end of a file's header. */
static void
read_extra(struct piece extra, struct rar_member *member)
{
	while (extra.at < extra.end && !extra.damaged) {
		guint64 size = take_number(&extra, NUMBER_BYTES);
		const guint8 *bytes = take_bytes(&extra, size);
		struct piece record = {bytes, extra.at};

		if (!bytes || take_number(&record, NUMBER_BYTES) != EXTRA_ENCRYPTION ||
		    record.damaged)
			continue;
		member->encrypted = TRUE;
		take_number(&record, NUMBER_BYTES); /* its version */
		if (take_number(&record, NUMBER_BYTES) & ENCRYPTION_TWEAKED)
			member->has_crc32 = FALSE;
	}
}

/* Reads what stands in a file's header behind its sizes. */
static gboolean
read_entry(struct piece *header, struct piece extra, guint64 flags, struct rar_member *ret_member)
{
	guint64 entry = take_number(header, NUMBER_BYTES);
	const guint8 *bytes;

	*ret_member = (struct rar_member){.size = take_number(header, NUMBER_BYTES)};
	take_number(header, NUMBER_BYTES); /* attributes */
	if (entry & ENTRY_TIME)
		take_bytes(header, 4);
	bytes = entry & ENTRY_CRC32 ? take_bytes(header, 4) : NULL;
	if (bytes)
		ret_member->crc32 = u32(bytes);
	ret_member->has_crc32 = bytes && !(flags & HEAD_SPLIT);
	take_number(header, NUMBER_BYTES); /* compression */
	take_number(header, NUMBER_BYTES); /* system */
	ret_member->name_length = take_number(header, NUMBER_BYTES);
	ret_member->name = (const char *)take_bytes(header, ret_member->name_length);
	read_extra(extra, ret_member);
	return !header->damaged && !(entry & ENTRY_FOLDER);
}

static guint32
crc32_of(const guint8 *bytes, gsize length)
{
	static const guint32 nibbles[] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	guint32 crc = ~0u;

	for (; length--; bytes++) {
		crc = crc >> 4 ^ nibbles[(crc ^ *bytes) & 15];
		crc = crc >> 4 ^ nibbles[(crc ^ *bytes >> 4) & 15];
	}
	return ~crc;
}

/* Whether what stands there is the content itself, though it is said to be encrypted. */
static gboolean
is_clear(const struct rar_headers *headers, guint64 data, const struct rar_member *member)
{
	return member->has_crc32 && data == member->size && data <= headers->length - headers->at &&
	       crc32_of(headers->bytes + headers->at, (gsize)data) == member->crc32;
}

static gboolean
next_of_5(struct rar_headers *headers, struct rar_member *ret_member)
{
	while (!headers->hidden && headers->length - headers->at >= HEAD_BYTES) {
		struct piece header = {headers->bytes + headers->at + 4,
				       headers->bytes + headers->length};
		guint64 size = take_number(&header, HEAD_SIZE_BYTES);
		guint64 type, flags, extra, data;
		gboolean found;

		if (header.damaged || size > (guint64)(header.end - header.at))
			return FALSE;
		header.end = header.at + size;
		headers->at = (gsize)(header.end - headers->bytes);
		type = take_number(&header, NUMBER_BYTES);
		flags = take_number(&header, NUMBER_BYTES);
		extra = flags & HEAD_EXTRA ? take_number(&header, NUMBER_BYTES) : 0;
		data = flags & HEAD_DATA ? take_number(&header, NUMBER_BYTES) : 0;
		if (header.damaged || extra > (guint64)(header.end - header.at))
			return FALSE;
		headers->hidden = type == HEAD_ENCRYPTION;
		header.end -= extra;
		found = type == HEAD_FILE &&
			read_entry(&header, (struct piece){header.end, header.end + extra}, flags,
				   ret_member);
		if (found && ret_member->encrypted && is_clear(headers, data, ret_member))
			ret_member->encrypted = FALSE;
		move(headers, data);
		if (found)
			return TRUE;
	}
	return FALSE;
}

void
rar_headers_init(struct rar_headers *headers, const void *bytes, gsize length)
{
	gboolean first = length >= MARKER_BYTES && memcmp(bytes, MARKER, MARKER_BYTES) == 0;
	const guint8 *marker = first ? bytes : length ? self_extracting_rar(bytes, length) : NULL;
	const guint8 *behind = marker ? marker + MARKER_BYTES : NULL;
	gsize left = marker ? length - (gsize)(behind - (const guint8 *)bytes) : 0;

	*headers = (struct rar_headers){.bytes = bytes, .length = length};
	if (left >= 1 && behind[0] == 0)
		headers->version = 4;
	else if (left >= 2 && behind[0] == 1 && behind[1] == 0)
		headers->version = 5;
	else
		return;
	headers->at = length - left + headers->version - 3;
}

gboolean
rar_headers_next(struct rar_headers *headers, struct rar_member *ret_member)
{
	if (headers->version == 0)
		return FALSE;
	return headers->version == 4 ? next_of_4(headers, ret_member)
				     : next_of_5(headers, ret_member);
}
