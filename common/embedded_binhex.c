/* SPDX-License-Identifier: BSD-2-Clause */
/* BinHex 4.0 (RFC 1741) in a text. */
#include <config.h>

#include "embedded_lines.h"

#include <string.h>

#define BINHEX_HEADER 22 /* bytes of its header beside the name */
#define BINHEX_RUN 0x90	 /* repeats the byte before it, so many times */

static int
binhex_value(char byte)
{
	static const char alphabet[] =
		"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
	const char *found = byte ? strchr(alphabet, byte) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

/* Undoes the six bits a character, up to a colon. */
static GByteArray *
binhex_bytes(const char *at, const char *end)
{
	GByteArray *out = g_byte_array_new();
	guint32 bits = 0;
	guint count = 0;

	for (; at < end && *at != ':'; at++) {
		int value = binhex_value(*at);

		if (value < 0)
			continue;
		bits = bits << 6 | (guint32)value;
		count += 6;
		if (count >= 8) {
			guint8 byte = (guint8)(bits >> (count - 8));

			count -= 8;
			g_byte_array_append(out, &byte, 1);
		}
	}
	return out;
}

/*
 * Undoes the runs; puts what is from begin to end of all that they make into ret_bytes,
 * unless that is NULL.  Returns how many bytes of it there are.
 */
static gsize
binhex_expand(const GByteArray *in, gsize begin, gsize end, guint8 *ret_bytes)
{
	guint8 byte = BINHEX_RUN;
	gsize at = 0;

	for (guint i = 0; i < in->len && at < end; i++) {
		gsize times = 1, from, to;

		if (in->data[i] == BINHEX_RUN && i + 1 < in->len) {
			/* Once of the run is there already; none stands for the mark itself. */
			times = in->data[++i];
			byte = times ? byte : BINHEX_RUN;
			times = times ? times - 1 : 1;
		} else {
			byte = in->data[i];
		}
		from = MAX(at, begin);
		to = MIN(at + times, end);
		if (ret_bytes && from < to)
			memset(ret_bytes + from - begin, byte, to - from);
		at += times;
	}
	return CLAMP(at, begin, end) - begin;
}

/* Returns the bytes of the header, which has the name first, or 0 when it is not all there. */
static gsize
binhex_header(const GByteArray *packed, guint8 *ret_header)
{
	gsize bytes;

	if (!binhex_expand(packed, 0, 1, ret_header))
		return 0;
	bytes = ret_header[0] + (gsize)BINHEX_HEADER;
	return binhex_expand(packed, 0, bytes, ret_header) == bytes ? bytes : 0;
}

/* Returns the data fork, up to the room for it, and how many bytes it has. */
static GByteArray *
binhex_data(const GByteArray *packed, const guint8 *header, gsize head, gsize room, gsize *ret_size)
{
	const guint8 *sizes = header + header[0] + 12;
	gsize told =
		(gsize)sizes[0] << 24 | (gsize)sizes[1] << 16 | (gsize)sizes[2] << 8 | sizes[3];
	/* Less may be there than is told: it is counted before there is memory for it. */
	gsize size = binhex_expand(packed, head, head + told, NULL);
	gsize length = MIN(size, room);
	guint8 *bytes = g_malloc(MAX(length, 1));

	binhex_expand(packed, head, head + length, bytes);
	*ret_size = size;
	return g_byte_array_new_take(bytes, length);
}

/* Characters of a line but the last (RFC 1741). */
#define BINHEX_LINE 64

gboolean
embedded_is_binhex_line(const char *line, gsize length)
{
	if (length != BINHEX_LINE || *line != ':')
		return FALSE;
	for (gsize i = 1; i < length; i++)
		if (binhex_value(line[i]) < 0)
			return FALSE;
	return TRUE;
}

/* Whether the CRC at a header's end is of what is before it. */
static gboolean
is_header_whole(const guint8 *header, gsize bytes)
{
	guint crc = 0;

	for (gsize i = 0; i < bytes - 2; i++) {
		crc ^= (guint)header[i] << 8;
		for (guint bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc == ((guint)header[bytes - 2] << 8 | header[bytes - 1]);
}

/*
 * From a colon to the next: another of BinHex has its own colon first, so that each byte is
 * read once however many there are.
 */
void
embedded_read_binhex(const struct lines *lines, gboolean told, gsize *room, embedded_function found,
		     gpointer user)
{
	const char *at = lines->at;
	guint8 header[G_MAXUINT8 + BINHEX_HEADER];
	g_autoptr(GByteArray) packed = NULL, data = NULL;
	g_autofree char *name = NULL;
	gsize head, size;

	while (at < lines->end && g_ascii_isspace(*at))
		at++;
	if (at == lines->end || *at != ':')
		return;
	packed = binhex_bytes(at + 1, lines->end);
	head = binhex_header(packed, header);
	if (!head || (!told && !is_header_whole(header, head)))
		return;
	name = g_strndup((const char *)header + 1, header[0]);
	data = binhex_data(packed, header, head, *room, &size);
	*room -= data->len;
	/* What is found may be looked into, and need the memory. */
	g_clear_pointer(&packed, g_byte_array_unref);
	if (size)
		found("binhex-in-text", (const char *[]){name, NULL}, data, size, user);
}
