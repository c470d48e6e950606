/* SPDX-License-Identifier: BSD-2-Clause */
/* What character set unlabelled bytes are of. */
#include "charset.h"
#include "charset_internal.h"

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

char *
charset_guess(const void *bytes, gsize length, const char *hint, const char **ret_guessed)
{
	const char *hinted = hint ? charset_name(hint) : NULL;
	const char *unused;
	const char **name = ret_guessed ? ret_guessed : &unused;
	char *text = NULL;

	if (jis_has_escape(bytes, length)) {
		*name = "ISO-2022-JP";
		text = charset_convert(*name, bytes, length);
	}
	if (!text && g_utf8_validate(bytes, (gssize)length, NULL)) {
		*name = "UTF-8";
		text = g_strndup(bytes, length);
	}
	if (!text && hinted) {
		*name = hinted;
		text = charset_convert(hint, bytes, length);
	}
	if (!text)
		text = guess_japanese(bytes, length, name);
	if (!text) {
		*name = "Windows-1252";
		text = charset_western(bytes, length);
	}
	return text;
}
