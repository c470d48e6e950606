/* SPDX-License-Identifier: BSD-2-Clause */
/* ISO-2022-JP (RFC 1468) as mail uses it. */
#include <string.h>

#include "charset_internal.h"

#define ESCAPE 0x1b

/* The graphic sets that ISO-2022-JP's escapes call to G0. */
enum jis_set { JIS_ASCII, JIS_KATAKANA, JIS_X0208, JIS_X0212, JIS_NONE };

static const struct jis_escape {
	const char *bytes;
	enum jis_set set;
} jis_escapes[] = {
	{"(B", JIS_ASCII},  {"(J", JIS_ASCII}, {"(H", JIS_ASCII},  {"(I", JIS_KATAKANA},
	{"$@", JIS_X0208},  {"$B", JIS_X0208}, {"$(@", JIS_X0208}, {"$(B", JIS_X0208},
	{"$(D", JIS_X0212}, {"&@", JIS_NONE},
};

/* Returns the escape sequence that follows an ESC, or NULL. */
static const struct jis_escape *
jis_escape_find(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(jis_escapes); i++) {
		gsize size = strlen(jis_escapes[i].bytes);

		if (size <= length && memcmp(bytes, jis_escapes[i].bytes, size) == 0)
			return &jis_escapes[i];
	}
	return NULL;
}

/* One character of a set in EUC; returns the bytes that it took, 0 when it is none. */
static gsize
jis_character(GString *euc, enum jis_set set, const guint8 *bytes, gsize length)
{
	if (set == JIS_ASCII || bytes[0] <= ' ' || bytes[0] == 0x7f) {
		if (bytes[0] >= 0xa1 && bytes[0] <= 0xdf)
			g_string_append_c(euc, (char)0x8e); /* 8-bit katakana, JIS X 0201 */
		else if (bytes[0] >= 0x80)
			return 0;
		g_string_append_c(euc, (char)bytes[0]);
		return 1;
	}
	if (set == JIS_KATAKANA) {
		g_string_append_c(euc, (char)0x8e);
		g_string_append_c(euc, (char)(bytes[0] | 0x80));
		return 1;
	}
	if (length < 2 || bytes[1] <= ' ')
		return 0;
	if (set == JIS_X0212)
		g_string_append_c(euc, (char)0x8f);
	g_string_append_c(euc, (char)(bytes[0] | 0x80));
	g_string_append_c(euc, (char)(bytes[1] | 0x80));
	return 2;
}

GString *
jis_to_euc(const guint8 *bytes, gsize length)
{
	g_autoptr(GString) euc = g_string_sized_new(length + 16);
	enum jis_set set = JIS_ASCII;

	for (gsize i = 0; i < length;) {
		const struct jis_escape *escape = NULL;
		gsize taken;

		if (bytes[i] == ESCAPE)
			escape = jis_escape_find(bytes + i + 1, length - i - 1);
		if (escape) {
			if (escape->set != JIS_NONE)
				set = escape->set;
			i += 1 + strlen(escape->bytes);
			continue;
		}
		/* A line ends in ASCII (RFC 1468); some mailers forget to say so. */
		if (bytes[i] == '\n')
			set = JIS_ASCII;
		taken = jis_character(euc, set, bytes + i, length - i);
		if (!taken)
			return NULL;
		i += taken;
	}
	return g_steal_pointer(&euc);
}

gboolean
jis_has_escape(const guint8 *bytes, gsize length)
{
	const guint8 *at = bytes;

	while ((at = memchr(at, ESCAPE, length - (gsize)(at - bytes)))) {
		at++;
		if (jis_escape_find(at, length - (gsize)(at - bytes)))
			return TRUE;
	}
	return FALSE;
}
