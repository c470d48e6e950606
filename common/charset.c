/* SPDX-License-Identifier: BSD-2-Clause */
#include "charset.h"

#include <errno.h>
#include <gio/gio.h>
#include <iconv.h>
#include <string.h>

#include "charset_internal.h"

/*
 * The sets that mail names, under the converter that reads the widest use of
 * the name: mailers say GB2312 and send GBK, Shift_JIS and send Windows-31J,
 * ISO-8859-1 and send Windows-1252, as browsers take it (WHATWG Encoding).
 * Aliases are in the form of set_key().
 */
static const struct set {
	const char *name;
	const char *converter; /* for iconv; NULL where no iconv is needed */
	gboolean promised;
	const char *aliases;
} sets[] = {
	{"UTF-8", NULL, TRUE, " utf8 unicode11utf8 xunicode20utf8 cp65001 utf8mb4 "},
	{"US-ASCII", NULL, TRUE, " usascii ascii ansix341968 iso646us cp367 646 7bit "},
	{"ISO-2022-JP", "EUC-JP-MS", TRUE,
	 " iso2022jp csiso2022jp iso2022jpms cp50220 cp50221 cp50222 iso2022jp1 jis "},
	{"ISO-2022-JP-3", "ISO-2022-JP-3", FALSE, " iso2022jp3 iso2022jp2004 "},
	{"ISO-2022-JP-2", "ISO-2022-JP-2", FALSE, " iso2022jp2 "},
	{"Shift_JIS", "CP932", TRUE,
	 " shiftjis sjis xsjis mskanji windows31j cp932 ms932 csshiftjis cswindows31j "
	 "windows932 shiftjisms "},
	{"EUC-JP", "EUC-JP-MS", TRUE, " eucjp xeucjp ujis eucjpms eucjpwin cp51932 xeuc "},
	{"ISO-8859-1", "WINDOWS-1252", TRUE, " iso88591 latin1 l1 cp819 iso885911987 "},
	{"ISO-8859-2", "ISO-8859-2", TRUE, " iso88592 latin2 l2 "},
	{"ISO-8859-3", "ISO-8859-3", TRUE, " iso88593 latin3 "},
	{"ISO-8859-4", "ISO-8859-4", TRUE, " iso88594 latin4 "},
	{"ISO-8859-5", "ISO-8859-5", TRUE, " iso88595 cyrillic "},
	{"ISO-8859-6", "ISO-8859-6", TRUE, " iso88596 arabic iso88596i iso88596e "},
	{"ISO-8859-7", "ISO-8859-7", TRUE, " iso88597 greek "},
	{"ISO-8859-8", "ISO-8859-8", TRUE, " iso88598 hebrew iso88598i iso88598e "},
	{"ISO-8859-9", "WINDOWS-1254", TRUE, " iso88599 latin5 "},
	{"ISO-8859-10", "ISO-8859-10", TRUE, " iso885910 latin6 "},
	{"ISO-8859-11", "CP874", TRUE, " iso885911 tis620 windows874 cp874 "},
	{"ISO-8859-13", "ISO-8859-13", TRUE, " iso885913 latin7 "},
	{"ISO-8859-14", "ISO-8859-14", TRUE, " iso885914 latin8 "},
	{"ISO-8859-15", "ISO-8859-15", TRUE, " iso885915 latin9 "},
	{"ISO-8859-16", "ISO-8859-16", TRUE, " iso885916 latin10 "},
	{"Windows-1250", "WINDOWS-1250", TRUE, " windows1250 cp1250 xcp1250 "},
	{"Windows-1251", "WINDOWS-1251", TRUE, " windows1251 cp1251 xcp1251 "},
	{"Windows-1252", "WINDOWS-1252", TRUE, " windows1252 cp1252 xcp1252 ansi "},
	{"Windows-1253", "WINDOWS-1253", TRUE, " windows1253 cp1253 "},
	{"Windows-1254", "WINDOWS-1254", TRUE, " windows1254 cp1254 "},
	{"Windows-1255", "WINDOWS-1255", TRUE, " windows1255 cp1255 "},
	{"Windows-1256", "WINDOWS-1256", TRUE, " windows1256 cp1256 "},
	{"Windows-1257", "WINDOWS-1257", TRUE, " windows1257 cp1257 "},
	{"Windows-1258", "WINDOWS-1258", TRUE, " windows1258 cp1258 "},
	{"GBK", "GB18030", TRUE, " gbk gb2312 xgbk cp936 csgb2312 gb231280 euccn ms936 "},
	{"GB18030", "GB18030", TRUE, " gb18030 "},
	{"Big5", "BIG5-HKSCS", TRUE, " big5 big5hkscs cnbig5 cp950 xxbig5 csbig5 "},
	{"EUC-KR", "CP949", TRUE,
	 " euckr ksc56011987 ksc5601 cp949 uhc windows949 cseuckr xwindows949 "},
	{"KOI8-R", "KOI8-R", TRUE, " koi8r koi8 cskoi8r "},
	{"KOI8-U", "KOI8-U", FALSE, " koi8u koi8ru "},
	{"EUC-TW", "EUC-TW", FALSE, " euctw "},
	{"ISO-2022-KR", "ISO-2022-KR", FALSE, " iso2022kr csiso2022kr "},
	{"ISO-2022-CN", "ISO-2022-CN", FALSE, " iso2022cn "},
	{"JOHAB", "JOHAB", FALSE, " johab cp1361 "},
	{"VISCII", "VISCII", FALSE, " viscii csviscii "},
	{"TCVN", "TCVN5712-1", FALSE, " tcvn tcvn57121 "},
	{"IBM437", "IBM437", FALSE, " ibm437 cp437 437 "},
	{"IBM850", "IBM850", FALSE, " ibm850 cp850 850 "},
	{"IBM852", "IBM852", FALSE, " ibm852 cp852 852 "},
	{"IBM866", "IBM866", FALSE, " ibm866 cp866 866 "},
	{"Macintosh", "MACINTOSH", FALSE, " macintosh mac macroman xmacroman csmacintosh "},
	{"UTF-7", "UTF-7", FALSE, " utf7 unicode11utf7 csunicode11utf7 "},
	{"UTF-16", "UTF-16", FALSE, " utf16 ucs2 iso10646ucs2 unicode "},
	{"UTF-16LE", "UTF-16LE", FALSE, " utf16le ucs2le "},
	{"UTF-16BE", "UTF-16BE", FALSE, " utf16be ucs2be "},
	{"UTF-32", "UTF-32", FALSE, " utf32 ucs4 iso10646ucs4 "},
};

/* Sets that text is written in as well, by their names above. */
static const char *const written[] = {"Shift_JIS", "GBK",    "Windows-1251", "Windows-1252",
				      "EUC-KR",	   "IBM437", "IBM866"};

/* Converters by the index of sets; opened once, closed never. */
struct converters {
	iconv_t to[G_N_ELEMENTS(written)];
	iconv_t of[G_N_ELEMENTS(sets)];
	const char *missing;  /* the first promised set that has none */
	char western[256][5]; /* Windows-1252; its holes and NUL escaped */
};

static char *
convert_with(iconv_t converter, const void *bytes, gsize length)
{
	g_autoptr(GString) text = g_string_sized_new(length + length / 2 + 16);
	char *in = (char *)bytes;
	char chunk[1024];
	gboolean flushing = FALSE; /* what the converter holds back, at the end */

	iconv(converter, NULL, NULL, NULL, NULL);
	for (;;) {
		char *out = chunk;
		gsize room = sizeof(chunk);
		gsize done = iconv(converter, flushing ? NULL : &in, &length, &out, &room);

		g_string_append_len(text, chunk, out - chunk);
		if (done == (gsize)-1 && errno != E2BIG)
			return NULL;
		if (done != (gsize)-1 && flushing)
			break;
		flushing = flushing || done != (gsize)-1;
	}
	if (strlen(text->str) != text->len)
		return NULL;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
fill_western(struct converters *converters)
{
	iconv_t converter = iconv_open("UTF-8", "WINDOWS-1252");

	for (guint i = 0; i < 256; i++) {
		guint8 byte = (guint8)i;
		g_autofree char *text = NULL;

		if (converter != (iconv_t)-1 && i)
			text = convert_with(converter, &byte, 1);
		if (text)
			g_strlcpy(converters->western[i], text, sizeof(converters->western[i]));
		else
			g_snprintf(converters->western[i], sizeof(converters->western[i]),
				   "\\x%02x", i);
	}
	if (converter != (iconv_t)-1)
		iconv_close(converter);
}

/* A set's name without what mailers vary: case and punctuation. */
static void
set_key(const char *charset, char ret_key[32])
{
	gsize used = 0;

	ret_key[used++] = ' ';
	for (; *charset && *charset != '*' && used < 30; charset++)
		if (g_ascii_isalnum(*charset))
			ret_key[used++] = g_ascii_tolower(*charset);
	ret_key[used++] = ' ';
	ret_key[used] = '\0';
}

static const struct set *
set_find(const char *charset)
{
	char key[32];

	set_key(charset, key);
	if (!key[2])
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++)
		if (strstr(sets[i].aliases, key))
			return &sets[i];
	return NULL;
}

static gpointer
converters_open(gpointer unused)
{
	struct converters *converters = g_new0(struct converters, 1);

	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
		if (!sets[i].converter)
			continue;
		converters->of[i] = iconv_open("UTF-8", sets[i].converter);
		if (converters->of[i] == (iconv_t)-1 && sets[i].promised && !converters->missing)
			converters->missing = sets[i].name;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(written); i++)
		converters->to[i] = iconv_open(set_find(written[i])->converter, "UTF-8");
	fill_western(converters);
	return converters;
}

static struct converters *
converters_get(void)
{
	static GOnce once = G_ONCE_INIT;

	return g_once(&once, converters_open, NULL);
}

gboolean
charset_preload(GError **error)
{
	const struct converters *converters = converters_get();

	if (converters->missing) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
			    "the C library has no converter for %s: install its gconv modules",
			    converters->missing);
		return FALSE;
	}
	return TRUE;
}

static gboolean
is_ascii(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (bytes[i] >= 0x80 || !bytes[i])
			return FALSE;
	return TRUE;
}

char *
charset_convert(const char *charset, const void *bytes, gsize length)
{
	const struct set *set = set_find(charset);
	g_autoptr(GString) euc = NULL;
	iconv_t converter;

	if (!set)
		return NULL;
	if (!set->converter) {
		gboolean valid = set == &sets[0] ? g_utf8_validate(bytes, (gssize)length, NULL)
						 : is_ascii(bytes, length);

		return valid ? g_strndup(bytes, length) : NULL;
	}
	converter = converters_get()->of[set - sets];
	if (converter == (iconv_t)-1)
		return NULL;
	if (!g_str_equal(set->name, "ISO-2022-JP"))
		return convert_with(converter, bytes, length);
	euc = jis_to_euc(bytes, length);
	return euc ? convert_with(converter, euc->str, euc->len) : NULL;
}

char *
charset_encode(const char *charset, const char *text)
{
	const struct converters *converters = converters_get();

	for (gsize i = 0; i < G_N_ELEMENTS(written); i++)
		if (g_str_equal(written[i], charset) && converters->to[i] != (iconv_t)-1)
			return convert_with(converters->to[i], text, strlen(text));
	return NULL;
}

gboolean
charset_known(const char *charset)
{
	const struct set *set = set_find(charset);

	return set && (!set->converter || converters_get()->of[set - sets] != (iconv_t)-1);
}

char *
charset_western(const guint8 *bytes, gsize length)
{
	const struct converters *converters = converters_get();
	GString *text = g_string_sized_new(length + length / 2 + 16);

	for (gsize i = 0; i < length; i++)
		g_string_append(text, converters->western[bytes[i]]);
	return g_string_free(text, FALSE);
}

const char *
charset_name(const char *charset)
{
	const struct set *set = set_find(charset);

	return set ? set->name : NULL;
}
