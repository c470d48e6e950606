/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "wide.h"

#include <string.h>

#include "charset.h"

/* A text says within so many bytes whether its characters are halves NUL. */
#define WIDE_PROBE 64
#define WIDE_LEAST 8

static gboolean
has_mark(const char *bytes, gsize length)
{
	return length >= 2 &&
	       (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0);
}

gboolean
wide_is(const char *bytes, gsize length)
{
	gsize probe = MIN(length, WIDE_PROBE), nuls = 0, ascii = 0;

	if (length < WIDE_LEAST)
		return FALSE;
	if (has_mark(bytes, length))
		return memchr(bytes, '\0', probe) != NULL;
	for (gsize i = 0; i < probe; i++) {
		nuls += bytes[i] == '\0';
		ascii += g_ascii_isprint(bytes[i]) || g_ascii_isspace(bytes[i]);
	}
	/* Some of each and little else; a broken line break shifts a pair. */
	return nuls * 3 >= probe && ascii * 5 >= probe && (nuls + ascii) * 10 >= probe * 9;
}

/* The text without NULs, without its mark, with CR LF where a CR came twice. */
static GByteArray *
without_nuls(const char *bytes, gsize length)
{
	GByteArray *out = g_byte_array_sized_new((guint)length);

	for (gsize i = has_mark(bytes, length) ? 2 : 0; i < length; i++) {
		if (bytes[i] == '\0' ||
		    (bytes[i] == '\r' && out->len && out->data[out->len - 1] == '\r'))
			continue;
		g_byte_array_append(out, (const guint8 *)bytes + i, 1);
	}
	return out;
}

/* Whether a converted text has an ASCII character for nearly each NUL there was. */
static gboolean
was_in_step(const char *text, const char *bytes, gsize length)
{
	gsize nuls = 0, ascii = 0;

	for (gsize i = 0; i < length; i++)
		nuls += bytes[i] == '\0';
	for (; *text; text++)
		ascii += (guchar)*text < 0x80;
	return ascii * 10 >= nuls * 9;
}

GByteArray *
wide_narrow(const char *bytes, gsize length)
{
	gboolean mark = has_mark(bytes, length);
	gboolean big = length && (mark ? bytes[0] == '\xfe' : bytes[0] == '\0');
	gsize begin = mark ? 2 : 0;
	g_autofree char *text = NULL;
	GByteArray *out;

	text = charset_convert(big ? "utf-16be" : "utf-16le", bytes + begin,
			       (length - begin) & ~(gsize)1);
	if (!text || !was_in_step(text, bytes, length))
		return without_nuls(bytes, length);
	out = g_byte_array_new();
	g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
	return out;
}
