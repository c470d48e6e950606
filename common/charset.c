/* SPDX-License-Identifier: BSD-2-Clause */
#include "charset.h"

#include <errno.h>
#include <gio/gio.h>
#include <iconv.h>
#include <string.h>

#define ESCAPE 0x1b

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

/* Converters by the index of sets; opened once, closed never. */
struct converters {
	iconv_t of[G_N_ELEMENTS(sets)];
	const char *missing;  /* the first promised set that has none */
	char western[256][5]; /* Windows-1252; its holes and NUL escaped */
};

static char *convert_with(iconv_t converter, const void *bytes, gsize length);

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

/*
 * ISO-2022-JP as mail uses it: with the NEC and IBM rows, half-width katakana
 * (ESC ( I, as CP50221) and JIS X 0212, none of which the C library's own
 * converter takes.  Returns EUC, or NULL when the bytes are not of it.
 */
static GString *
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

static gboolean
is_ascii(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (bytes[i] >= 0x80 || !bytes[i])
			return FALSE;
	return TRUE;
}

static char *
set_convert(const struct set *set, const void *bytes, gsize length)
{
	iconv_t converter = converters_get()->of[set - sets];
	g_autoptr(GString) euc = NULL;

	if (!set->converter) {
		gboolean valid = set == &sets[0] ? g_utf8_validate(bytes, (gssize)length, NULL)
						 : is_ascii(bytes, length);

		return valid ? g_strndup(bytes, length) : NULL;
	}
	if (converter == (iconv_t)-1)
		return NULL;
	if (!g_str_equal(set->name, "ISO-2022-JP"))
		return convert_with(converter, bytes, length);
	euc = jis_to_euc(bytes, length);
	return euc ? convert_with(converter, euc->str, euc->len) : NULL;
}

char *
charset_convert(const char *charset, const void *bytes, gsize length)
{
	const struct set *set = set_find(charset);

	return set ? set_convert(set, bytes, length) : NULL;
}

gboolean
charset_known(const char *charset)
{
	const struct set *set = set_find(charset);

	return set && (!set->converter || converters_get()->of[set - sets] != (iconv_t)-1);
}

/*
 * How much bytes look like Japanese in Shift_JIS; 0 or less when they do not.
 * Windows-1252 text is the danger: its curly quotes and accented letters are
 * lead bytes or half-width katakana.  So only characters that accents and a
 * following ASCII letter cannot make count, and lone katakana count against.
 */
static int
score_shift_jis(const guint8 *bytes, gsize length)
{
	int score = 0;
	gsize run = 0; /* of half-width katakana */

	for (gsize i = 0; i < length; i++) {
		guint8 lead = bytes[i], trail = i + 1 < length ? bytes[i + 1] : 0;
		gboolean katakana = lead >= 0xa1 && lead <= 0xdf;

		if (!katakana && run) {
			score += run >= 3 ? (int)run : -2;
			run = 0;
		}
		if (katakana) {
			run++;
			continue;
		}
		if (lead < 0x80)
			continue;
		if (lead == 0x82 && trail >= 0x9f)
			score += 3; /* hiragana */
		else if (lead == 0x83 && trail >= 0x40 && trail <= 0x96)
			score += 2; /* katakana */
		else if (lead < 0xa0 && (trail >= 0x80 || trail == '\\'))
			score++; /* kanji of the first level; no text has quotes before "\" */
		i++;
	}
	if (run)
		score += run >= 3 ? (int)run : -2;
	return score;
}

/* The same for EUC-JP, whose characters are pairs of high bytes. */
static int
score_euc_jp(const guint8 *bytes, gsize length)
{
	int score = 0;

	for (gsize i = 0; i + 1 < length; i++) {
		if (bytes[i] < 0x80)
			continue;
		if (bytes[i] == 0xa4 || bytes[i] == 0xa5)
			score += 3; /* hiragana, katakana */
		else if (bytes[i] >= 0xb0 && bytes[i] <= 0xcf)
			score += 1; /* kanji of the first level */
		i++;
	}
	return score;
}

static char *
guess_japanese(const void *bytes, gsize length, const char **ret_name)
{
	int score_of_sjis = score_shift_jis(bytes, length);
	int score_of_euc = score_euc_jp(bytes, length);
	g_autofree char *sjis =
		score_of_sjis > 0 ? charset_convert("Shift_JIS", bytes, length) : NULL;
	g_autofree char *euc = score_of_euc > 0 ? charset_convert("EUC-JP", bytes, length) : NULL;

	if (euc && (!sjis || score_of_euc >= score_of_sjis)) {
		*ret_name = "EUC-JP";
		return g_steal_pointer(&euc);
	}
	if (sjis)
		*ret_name = "Shift_JIS";
	return g_steal_pointer(&sjis);
}

static gboolean
has_jis_escape(const guint8 *bytes, gsize length)
{
	const guint8 *at = bytes;

	while ((at = memchr(at, ESCAPE, length - (gsize)(at - bytes)))) {
		at++;
		if (jis_escape_find(at, length - (gsize)(at - bytes)))
			return TRUE;
	}
	return FALSE;
}

/* Bytes as Windows-1252, its five holes and NUL escaped. */
static char *
western(const guint8 *bytes, gsize length)
{
	const struct converters *converters = converters_get();
	GString *text = g_string_sized_new(length + length / 2 + 16);

	for (gsize i = 0; i < length; i++)
		g_string_append(text, converters->western[bytes[i]]);
	return g_string_free(text, FALSE);
}

char *
charset_guess(const void *bytes, gsize length, const char *hint, const char **ret_guessed)
{
	const struct set *hinted = hint ? set_find(hint) : NULL;
	const char *unused;
	const char **name = ret_guessed ? ret_guessed : &unused;
	char *text = NULL;

	if (has_jis_escape(bytes, length)) {
		*name = "ISO-2022-JP";
		text = charset_convert(*name, bytes, length);
	}
	if (!text && g_utf8_validate(bytes, (gssize)length, NULL)) {
		*name = "UTF-8";
		text = g_strndup(bytes, length);
	}
	if (!text && hinted) {
		*name = hinted->name;
		text = set_convert(hinted, bytes, length);
	}
	if (!text)
		text = guess_japanese(bytes, length, name);
	if (!text) {
		*name = "Windows-1252";
		text = western(bytes, length);
	}
	return text;
}

/* An encoded word (RFC 2047 section 2), as it stands in a field. */
struct word {
	char charset[64];
	gboolean base64;
	const char *text;
	gsize text_length;
	gsize length; /* of the whole, "=?" to "?=" */
};

/* Reads "=?charset?E?"; returns its length, 0 when it is none. */
static gsize
word_head(const char *at, gsize length, struct word *word)
{
	gsize i = 2, used = 0;

	if (length < 8 || at[0] != '=' || at[1] != '?')
		return 0;
	for (; i < length && at[i] != '?'; i++) {
		if (!g_ascii_isgraph(at[i]) || used + 1 >= sizeof(word->charset))
			return 0;
		word->charset[used++] = at[i];
	}
	word->charset[used] = '\0';
	if (!used || i + 3 > length || at[i + 2] != '?')
		return 0;
	word->base64 = at[i + 1] == 'B' || at[i + 1] == 'b';
	if (!word->base64 && at[i + 1] != 'Q' && at[i + 1] != 'q')
		return 0;
	return i + 3;
}

/*
 * Reads an encoded word at its "=?".  Blanks within are taken, as mailers write
 * them.  The text ends at the first "?=", and at another "=?" it never was a
 * word, so that each byte is looked at twice at most; but "=?=" is padding of
 * base64 before the end.
 */
static gboolean
word_read(const char *at, gsize length, struct word *ret_word)
{
	gsize i = word_head(at, length, ret_word);

	if (!i)
		return FALSE;
	ret_word->text = at + i;
	for (; i + 1 < length; i++) {
		if (at[i] == '?' && at[i + 1] == '=') {
			ret_word->text_length = (gsize)(at + i - ret_word->text);
			ret_word->length = i + 2;
			return TRUE;
		}
		/* "=?=" is base64's padding and the end. */
		if (at[i] == '=' && at[i + 1] == '?' && at + i > ret_word->text &&
		    (i + 2 == length || at[i + 2] != '='))
			return FALSE;
	}
	return FALSE;
}

gsize
encoded_word_length(const char *at, gsize length)
{
	struct word word;

	return word_read(at, length, &word) ? word.length : 0;
}

static void
decode_base64(GByteArray *out, const char *text, gsize length)
{
	gint state = 0;
	guint save = 0;
	gsize at = out->len, done;

	g_byte_array_set_size(out, (guint)(at + length / 4 * 3 + 6));
	done = g_base64_decode_step(text, length, out->data + at, &state, &save);
	/* Padding that a mailer left out. */
	if (ABS(state) >= 2)
		done += g_base64_decode_step("==", (gsize)(4 - ABS(state)), out->data + at + done,
					     &state, &save);
	g_byte_array_set_size(out, (guint)(at + done));
}

static void
decode_q(GByteArray *out, const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		guint8 byte = (guint8)text[i];

		if (byte == '_') {
			byte = ' ';
		} else if (byte == '=' && i + 2 < length && g_ascii_isxdigit(text[i + 1]) &&
			   g_ascii_isxdigit(text[i + 2])) {
			byte = (guint8)(g_ascii_xdigit_value(text[i + 1]) << 4 |
					g_ascii_xdigit_value(text[i + 2]));
			i += 2;
		}
		g_byte_array_append(out, &byte, 1);
	}
}

static void
word_bytes(const struct word *word, GByteArray *out)
{
	if (word->base64)
		decode_base64(out, word->text, word->text_length);
	else
		decode_q(out, word->text, word->text_length);
}

/* A field's text while it is decoded. */
struct decoding {
	GString *text;
	GByteArray *bytes; /* of adjacent words in one set */
	char charset[64];  /* theirs; empty when there are none */
	const char *from;  /* where they stand */
	gsize from_length;
	gboolean undecoded;
};

/* Appends unlabelled bytes. */
static void
append_raw(struct decoding *decoding, const char *bytes, gsize length)
{
	g_autofree char *text = NULL;

	if (!length)
		return;
	text = charset_guess(bytes, length, NULL, NULL);
	g_string_append(decoding->text, text);
}

/* Converts the words that are waiting. */
static void
flush_words(struct decoding *decoding)
{
	const GByteArray *bytes = decoding->bytes;
	g_autofree char *text = NULL;

	if (!decoding->charset[0])
		return;
	if (charset_known(decoding->charset)) {
		const char *data = bytes->len ? (const char *)bytes->data : "";

		text = charset_convert(decoding->charset, data, bytes->len);
		/* A wrong label is commoner than broken bytes. */
		if (!text)
			text = charset_guess(data, bytes->len, NULL, NULL);
	} else {
		decoding->undecoded = TRUE;
		text = charset_guess(decoding->from, decoding->from_length, NULL, NULL);
	}
	g_string_append(decoding->text, text);
	decoding->charset[0] = '\0';
	g_byte_array_set_size(decoding->bytes, 0);
}

static void
add_word(struct decoding *decoding, const struct word *word, const char *at)
{
	if (g_ascii_strcasecmp(decoding->charset, word->charset) != 0) {
		flush_words(decoding);
		g_strlcpy(decoding->charset, word->charset, sizeof(decoding->charset));
		decoding->from = at;
	}
	decoding->from_length = (gsize)(at - decoding->from) + word->length;
	word_bytes(word, decoding->bytes);
}

static gboolean
only_blanks(const char *at, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (at[i] != ' ' && at[i] != '\t')
			return FALSE;
	return TRUE;
}

/* Takes line breaks out (RFC 5322 2.2.3), and the blanks at either end. */
static GString *
unfold(const char *bytes, gsize length)
{
	GString *flat = g_string_sized_new(length);

	while (length && g_ascii_isspace(bytes[length - 1]))
		length--;
	for (gsize i = 0; i < length; i++)
		if (bytes[i] != '\r' && bytes[i] != '\n')
			g_string_append_c(flat, bytes[i]);
	while (flat->len && (flat->str[0] == ' ' || flat->str[0] == '\t'))
		g_string_erase(flat, 0, (gssize)strspn(flat->str, " \t"));
	return flat;
}

char *
header_decode(const void *bytes, gsize length, gboolean *ret_undecoded)
{
	g_autoptr(GString) flat = unfold(bytes, length);
	g_autoptr(GByteArray) words = g_byte_array_new();
	struct decoding decoding = {.text = g_string_sized_new(flat->len + 16), .bytes = words};
	const char *at = flat->str, *end = at + flat->len, *raw = at;

	while (at < end && (at = memchr(at, '=', (gsize)(end - at)))) {
		struct word word;

		if (!word_read(at, (gsize)(end - at), &word)) {
			at++;
			continue;
		}
		/* Blanks between words are none of the text (RFC 2047 6.2). */
		if (!decoding.charset[0] || !only_blanks(raw, (gsize)(at - raw))) {
			flush_words(&decoding);
			append_raw(&decoding, raw, (gsize)(at - raw));
		}
		add_word(&decoding, &word, at);
		at += word.length;
		raw = at;
	}
	flush_words(&decoding);
	append_raw(&decoding, raw, (gsize)(end - raw));
	if (decoding.undecoded && ret_undecoded)
		*ret_undecoded = TRUE;
	return g_string_free(decoding.text, FALSE);
}
