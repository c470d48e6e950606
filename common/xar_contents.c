/* SPDX-License-Identifier: BSD-2-Clause */
#include "xar_contents.h"

#include <gio/gio.h>
#include <string.h>

#include "caps.h"

#define HEADER_BYTES 28
#define PACKED_BYTES 8 /* where the header has the length of the compressed table */
#define BLOCK_BYTES 65536
#define MOST_BYTES (800 * CAP_MEMBERS)
#define MOST_ATTRIBUTES 64 /* of one element, and other equals signs in a text */
#define LINK "link"
#define FIRST_BYTES 128 /* in which the encoding is declared */

/* What was seen of a table. */
struct scan {
	gsize bytes;
	guint attributes, links;
	gsize matched; /* of LINK */
	guint8 last;
	char first[FIRST_BYTES + 1];
};

static gboolean
take_byte(struct scan *scan, guint8 byte)
{
	if (scan->bytes < FIRST_BYTES)
		scan->first[scan->bytes] = (char)byte;
	scan->attributes = byte == '<' ? 0 : scan->attributes + (byte == '=');
	scan->matched = byte == (guint8)LINK[scan->matched] ? scan->matched + 1 : byte == LINK[0];
	if (scan->matched == strlen(LINK)) {
		scan->matched = 0;
		scan->links++;
	}
	/* A NUL is of another encoding, an exclamation mark of a declaration or a comment. */
	if (!byte || (scan->last == '<' && byte == '!'))
		return FALSE;
	scan->last = byte;
	return ++scan->bytes <= MOST_BYTES && scan->attributes <= MOST_ATTRIBUTES &&
	       scan->links <= CAP_MEMBERS;
}

/* Whether the encoding is UTF-8, declared or not. */
static gboolean
is_utf8(const struct scan *scan)
{
	g_autofree char *first = g_ascii_strdown(scan->first, -1);
	const char *end = strstr(first, "?>");
	const char *declared = strstr(first, "encoding");

	if (first[0] != '<' || (g_str_has_prefix(first, "<?") && !end))
		return FALSE;
	return !declared || (end && declared > end) || strstr(declared, "utf-8");
}

gboolean
xar_contents_are_bearable(const void *bytes, gsize length)
{
	g_autoptr(GZlibDecompressor) zlib = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
	const guint8 *at = (const guint8 *)bytes + HEADER_BYTES;
	GConverterResult result = G_CONVERTER_CONVERTED;
	struct scan scan = {0};
	guint64 packed;

	if (length < HEADER_BYTES)
		return TRUE;
	memcpy(&packed, (const guint8 *)bytes + PACKED_BYTES, sizeof(packed));
	length = (gsize)MIN(GUINT64_FROM_BE(packed), length - HEADER_BYTES);
	while (result == G_CONVERTER_CONVERTED) {
		guint8 block[BLOCK_BYTES];
		gsize taken = 0, made = 0;

		result = g_converter_convert(G_CONVERTER(zlib), at, length, block, sizeof(block),
					     G_CONVERTER_INPUT_AT_END, &taken, &made, NULL);
		at += taken;
		length -= taken;
		for (gsize i = 0; result != G_CONVERTER_ERROR && i < made; i++)
			if (!take_byte(&scan, block[i]))
				return FALSE;
	}
	return is_utf8(&scan);
}
