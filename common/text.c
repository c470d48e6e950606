/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <string.h>

#define LOG_VALUE_CHARACTERS                                                \
	256 /* enough for an address or a reason, and a line stays readable \
	     */

#define ZERO_WIDTH_JOINER 0x200d
#define VARIATION_EMOJI 0xfe0f
#define ENCLOSING_KEYCAP 0x20e3
#define ELLIPSIS "\xe2\x80\xa6"

/* An inclusive range of code points. */
struct span {
	gunichar first, last;
};

/* Extended_Pictographic of emoji-data.txt (UTS #51), what ZWJ joins; sorted. */
static const struct span pictographs[] = {
	{0xa9, 0xa9},	    {0xae, 0xae},	{0x203c, 0x203c},   {0x2049, 0x2049},
	{0x2122, 0x2122},   {0x2139, 0x2139},	{0x2194, 0x2199},   {0x21a9, 0x21aa},
	{0x231a, 0x231b},   {0x2328, 0x2328},	{0x2388, 0x2388},   {0x23cf, 0x23cf},
	{0x23e9, 0x23f3},   {0x23f8, 0x23fa},	{0x24c2, 0x24c2},   {0x25aa, 0x25ab},
	{0x25b6, 0x25b6},   {0x25c0, 0x25c0},	{0x25fb, 0x25fe},   {0x2600, 0x2605},
	{0x2607, 0x2612},   {0x2614, 0x2685},	{0x2690, 0x2705},   {0x2708, 0x2712},
	{0x2714, 0x2714},   {0x2716, 0x2716},	{0x271d, 0x271d},   {0x2721, 0x2721},
	{0x2728, 0x2728},   {0x2733, 0x2734},	{0x2744, 0x2744},   {0x2747, 0x2747},
	{0x274c, 0x274c},   {0x274e, 0x274e},	{0x2753, 0x2755},   {0x2757, 0x2757},
	{0x2763, 0x2767},   {0x2795, 0x2797},	{0x27a1, 0x27a1},   {0x27b0, 0x27b0},
	{0x27bf, 0x27bf},   {0x2934, 0x2935},	{0x2b05, 0x2b07},   {0x2b1b, 0x2b1c},
	{0x2b50, 0x2b50},   {0x2b55, 0x2b55},	{0x3030, 0x3030},   {0x303d, 0x303d},
	{0x3297, 0x3297},   {0x3299, 0x3299},	{0x1f000, 0x1f0ff}, {0x1f10d, 0x1f10f},
	{0x1f12f, 0x1f12f}, {0x1f16c, 0x1f171}, {0x1f17e, 0x1f17f}, {0x1f18e, 0x1f18e},
	{0x1f191, 0x1f19a}, {0x1f1ad, 0x1f1e5}, {0x1f201, 0x1f20f}, {0x1f21a, 0x1f21a},
	{0x1f22f, 0x1f22f}, {0x1f232, 0x1f23a}, {0x1f23c, 0x1f23f}, {0x1f249, 0x1f3fa},
	{0x1f400, 0x1f53d}, {0x1f546, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f774, 0x1f77f},
	{0x1f7d5, 0x1f7ff}, {0x1f80c, 0x1f80f}, {0x1f848, 0x1f84f}, {0x1f85a, 0x1f85f},
	{0x1f888, 0x1f88f}, {0x1f8ae, 0x1f8ff}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945},
	{0x1f947, 0x1faff}, {0x1fc00, 0x1fffd},
};

/* Default ignorable code points (UAX #44) that are not of the format class; sorted. */
static const struct span ignorables[] = {
	{0x34f, 0x34f},	  {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2065, 0x2065},
	{0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0xe0000, 0xe0fff},
};

static gboolean
is_within(gunichar c, const struct span *spans, gsize count)
{
	gsize low = 0, high = count;

	while (low < high) {
		gsize middle = low + (high - low) / 2;

		if (c > spans[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && c >= spans[low].first;
}

static gboolean
is_pictograph(gunichar c)
{
	return is_within(c, pictographs, G_N_ELEMENTS(pictographs));
}

static gboolean
is_regional_indicator(gunichar c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static gboolean
is_emoji_modifier(gunichar c)
{
	return c >= 0x1f3fb && c <= 0x1f3ff;
}

static gboolean
is_variation_selector(gunichar c)
{
	return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

/* ---- validity ---- */

/* Appends at most room bytes of valid UTF-8, whole characters; returns FALSE if it was cut. */
static gboolean
append_cut(GString *text, const char *bytes, gsize length, gsize room)
{
	gsize fits = MIN(length, room);

	while (fits > 0 && fits < length && ((guchar)bytes[fits] & 0xc0) == 0x80)
		fits--;
	g_string_append_len(text, bytes, (gssize)fits);
	return fits == length;
}

char *
text_from_bytes(const void *bytes, gsize length, gsize max_bytes, gboolean *ret_cut)
{
	g_autoptr(GString) text = g_string_sized_new(MIN(length, max_bytes) + 1);
	const char *at = bytes;
	gboolean whole = TRUE;

	while (length > 0 && whole) {
		const char *end = at;

		g_utf8_validate_len(at, length, &end);
		whole = append_cut(text, at, (gsize)(end - at), max_bytes - text->len);
		length -= (gsize)(end - at);
		at = end;
		if (length > 0 && whole) {
			char escape[5];

			g_snprintf(escape, sizeof(escape), "\\x%02x", (guchar)*at);
			whole = max_bytes - text->len >= 4;
			if (whole)
				g_string_append(text, escape);
			at++;
			length--;
		}
	}
	if (ret_cut != NULL)
		*ret_cut = !whole;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- terminals and logs ---- */

static gboolean
is_terminal_safe(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_UNASSIGNED:
		return FALSE;
	case G_UNICODE_FORMAT:
		return c == ZERO_WIDTH_JOINER || is_variation_selector(c);
	default:
		return TRUE;
	}
}

static void
append_escape(GString *text, gunichar c)
{
	if (c < 0x100)
		g_string_append_printf(text, "\\x%02x", c);
	else if (c < 0x10000)
		g_string_append_printf(text, "\\u%04x", c);
	else
		g_string_append_printf(text, "\\U%08x", c);
}

char *
text_for_terminal(const char *text)
{
	g_autofree char *valid = text_from_bytes(text, strlen(text), G_MAXSIZE, NULL);
	g_autoptr(GString) safe = g_string_sized_new(strlen(valid) + 1);

	for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		if (is_terminal_safe(c))
			g_string_append_len(safe, at, g_utf8_next_char(at) - at);
		else
			append_escape(safe, c);
	}
	return g_string_free(g_steal_pointer(&safe), FALSE);
}

static gboolean
needs_quotes(const char *text)
{
	for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at))
		if (*at == '"' || *at == '=' || g_unichar_isspace(g_utf8_get_char(at)))
			return TRUE;
	return *text == '\0';
}

char *
text_for_log(const char *text)
{
	g_autofree char *safe = text_for_terminal(text);
	g_autoptr(GString) quoted = NULL;

	if (g_utf8_strlen(safe, -1) > LOG_VALUE_CHARACTERS) {
		char *end = g_utf8_offset_to_pointer(safe, LOG_VALUE_CHARACTERS - 1);
		char *cut;

		*end = '\0';
		cut = g_strconcat(safe, ELLIPSIS, NULL);
		g_free(safe);
		safe = cut;
	}
	if (!needs_quotes(safe))
		return g_steal_pointer(&safe);
	quoted = g_string_new("\"");
	for (const char *at = safe; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			g_string_append_c(quoted, '\\');
		g_string_append_c(quoted, *at);
	}
	g_string_append_c(quoted, '"');
	return g_string_free(g_steal_pointer(&quoted), FALSE);
}

/* ---- width ---- */

static int
character_width(gunichar c)
{
	if (g_unichar_iszerowidth(c))
		return 0;
	return g_unichar_iswide(c) ? 2 : 1;
}

/* A mark or joiner that belongs to the character before it (UAX #29 GB9, GB9a). */
static gboolean
continues_grapheme(gunichar c)
{
	return g_unichar_iszerowidth(c) || g_unichar_type(c) == G_UNICODE_SPACING_MARK;
}

/*
 * Returns the end of the grapheme cluster that begins at text (UAX #29, as far
 * as terminals follow it) and its columns.  text is not empty.
 */
static const char *
grapheme_next(const char *text, int *ret_width)
{
	gunichar base = g_utf8_get_char(text);
	gboolean pictograph = is_pictograph(base), joined = FALSE;
	int width = character_width(base);
	const char *at = g_utf8_next_char(text);

	if (is_regional_indicator(base) && is_regional_indicator(g_utf8_get_char(at))) {
		width = 2;
		at = g_utf8_next_char(at);
	}
	for (; *at != '\0'; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		if (pictograph && (is_emoji_modifier(c) || (joined && is_pictograph(c))))
			width = 2;
		else if (!continues_grapheme(c))
			break;
		else if ((c == VARIATION_EMOJI && pictograph) || c == ENCLOSING_KEYCAP)
			width = 2;
		else
			width += character_width(c);
		joined = c == ZERO_WIDTH_JOINER;
	}
	*ret_width = width;
	return at;
}

int
text_width(const char *text)
{
	int total = 0, width;

	while (*text != '\0') {
		text = grapheme_next(text, &width);
		total += width;
	}
	return total;
}

/* Appends blanks up to width columns. */
static char *
padded(GString *text, int used, int width)
{
	for (; used < width; used++)
		g_string_append_c(text, ' ');
	return g_string_free(text, FALSE);
}

char *
text_fit(const char *text, int width)
{
	GString *fitted = g_string_new(NULL);
	int used = text_width(text), next_width;
	const char *at = text, *next;

	if (used <= width)
		return padded(g_string_append(fitted, text), used, width);
	for (used = 0; width > 0; used += next_width, at = next) {
		next = grapheme_next(at, &next_width);
		if (used + next_width > width - 1)
			break;
		g_string_append_len(fitted, at, next - at);
	}
	if (width > 0) {
		g_string_append(fitted, ELLIPSIS);
		used++;
	}
	return padded(fitted, used, width);
}

/* ---- search ---- */

static gboolean
is_unseen(gunichar c)
{
	return g_unichar_type(c) == G_UNICODE_FORMAT ||
	       is_within(c, ignorables, G_N_ELEMENTS(ignorables));
}

static void
remove_unseen(char *text)
{
	char *to = text;

	for (const char *at = text; *at != '\0';) {
		const char *next = g_utf8_next_char(at);

		if (!is_unseen(g_utf8_get_char(at))) {
			memmove(to, at, (gsize)(next - at));
			to += next - at;
		}
		at = next;
	}
	*to = '\0';
}

/*
 * Unicode folds Cherokee to its capitals, being the older; g_utf8_casefold()
 * swaps both cases instead, so that a key would not be its own key.  Both
 * forms of a letter are three bytes.
 */
static void
mend_cherokee(char *text)
{
	for (char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);

		if (c >= 0xab70 && c <= 0xabbf)
			g_unichar_to_utf8(c - 0xab70 + 0x13a0, at);
		else if (c >= 0x13f8 && c <= 0x13fd)
			g_unichar_to_utf8(c - 8, at);
	}
}

char *
text_search_key(const char *text)
{
	g_autofree char *seen = text_from_bytes(text, strlen(text), G_MAXSIZE, NULL);
	g_autofree char *composed = NULL, *key = NULL;

	remove_unseen(seen);
	composed = g_utf8_normalize(seen, -1, G_NORMALIZE_ALL_COMPOSE);
	key = g_utf8_casefold(composed, -1);
	mend_cherokee(key);
	/* U+3164 and its like become unseen only by composing. */
	remove_unseen(key);
	return g_utf8_normalize(key, -1, G_NORMALIZE_ALL_COMPOSE);
}

char *
address_search_key(const char *address)
{
	const char *at = strrchr(address, '@');
	g_autofree char *domain = NULL, *unicode = NULL, *whole = NULL;
	gsize length;

	if (at == NULL)
		return text_search_key(address);
	domain = g_strdup(at + 1);
	length = strlen(domain);
	if (length > 1 && domain[length - 1] == '.')
		domain[length - 1] = '\0';
	unicode = g_hostname_to_unicode(domain);
	whole = g_strdup_printf("%.*s@%s", (int)(at - address), address,
				unicode != NULL ? unicode : domain);
	return text_search_key(whole);
}

/* ---- words ---- */

int
text_place(const char *word, const char *const *words, gsize count)
{
	for (gsize i = 0; word && i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	return -1;
}

gboolean
text_is_plain(const char *text, gsize max_bytes)
{
	if (strlen(text) > max_bytes || !g_utf8_validate(text, -1, NULL))
		return FALSE;
	for (; *text; text = g_utf8_next_char(text))
		if (g_unichar_iscntrl(g_utf8_get_char(text)))
			return FALSE;
	return TRUE;
}
