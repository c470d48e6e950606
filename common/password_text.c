/* SPDX-License-Identifier: BSD-2-Clause */
#include "password_text.h"

#include <string.h>

#include "text.h"
#include "url.h"

/* ---- HTML ---- */

/* Named references that url.h has no use for: in labels, around a password and in one. */
static const struct {
	const char *name, *text;
} references[] = {
	{"&shy;", ""},	   {"&zwnj;", ""},    {"&ensp;", " "},	 {"&emsp;", " "},
	{"&thinsp;", " "}, {"&laquo;", "«"},  {"&raquo;", "»"},	 {"&lsaquo;", "‹"},
	{"&rsaquo;", "›"}, {"&ldquo;", "“"},  {"&rdquo;", "”"},	 {"&bdquo;", "„"},
	{"&lsquo;", "‘"},  {"&rsquo;", "’"},  {"&ndash;", "–"},	 {"&mdash;", "—"},
	{"&rarr;", "→"},   {"&hellip;", "…"}, {"&auml;", "ä"},	 {"&ouml;", "ö"},
	{"&uuml;", "ü"},   {"&Auml;", "Ä"},   {"&Ouml;", "Ö"},	 {"&Uuml;", "Ü"},
	{"&szlig;", "ß"},  {"&eacute;", "é"}, {"&egrave;", "è"}, {"&Egrave;", "È"},
	{"&agrave;", "à"}, {"&ntilde;", "ñ"}, {"&Ntilde;", "Ñ"}, {"&ccedil;", "ç"},
	{"&oacute;", "ó"}, {"&aring;", "å"},  {"&oslash;", "ø"},
};

/* Writes the character that a "&" stands for, or itself; returns the bytes to go on by. */
static gsize
take_reference(const char *at, GString *out)
{
	gsize length;

	for (gsize i = 0; i < G_N_ELEMENTS(references); i++) {
		if (g_str_has_prefix(at, references[i].name)) {
			g_string_append(out, references[i].text);
			return strlen(references[i].name);
		}
	}
	length = url_reference_decode(at, at + strnlen(at, 16), out);
	if (length)
		return length;
	g_string_append_c(out, *at);
	return 1;
}

/* Elements that stand within a line; the tag of any other ends it. */
static const char *const inline_elements[] = {
	"b",   "strong", "span", "font",  "i",	 "em",	"code", "u",   "wbr",	 "a",	 "mark",
	"big", "small",	 "sub",	 "sup",	  "tt",	 "s",	"del",	"ins", "kbd",	 "samp", "var",
	"q",   "cite",	 "abbr", "label", "bdi", "bdo", "nobr", "o",   "strike",
};

static const char *const hidden_elements[] = {"script", "style", "title"};

/* Where one reads HTML; what was sought to its end without success is not sought again. */
struct html {
	const char *at;
	gboolean preformatted;
	gboolean tags_end; /* no tag is closed any more */
};

static gboolean
is_element(const char *name, gsize length, const char *const *names, gsize count)
{
	for (gsize i = 0; i < count; i++)
		if (strlen(names[i]) == length && g_ascii_strncasecmp(name, names[i], length) == 0)
			return TRUE;
	return FALSE;
}

/* Goes behind the next of a text, or to the end where there is none. */
static void
skip_past(struct html *html, const char *text)
{
	const char *found = strstr(html->at, text);

	html->at = found ? found + strlen(text) : html->at + strlen(html->at);
}

/* Goes to the end tag of an element whose text nobody sees, or to the end. */
static void
skip_hidden(struct html *html, const char *name, gsize length)
{
	do {
		skip_past(html, "</");
	} while (*html->at && g_ascii_strncasecmp(html->at, name, length) != 0);
}

/* Goes behind a tag, whose ">" is at end. */
static void
take_tag(struct html *html, const char *end, GString *out)
{
	gboolean closing = html->at[1] == '/';
	const char *name = html->at + 1 + closing;
	gsize length = 0;

	while (g_ascii_isalnum(name[length]))
		length++;
	if (length == 3 && g_ascii_strncasecmp(name, "pre", 3) == 0)
		html->preformatted = !closing;
	if (!is_element(name, length, inline_elements, G_N_ELEMENTS(inline_elements)))
		g_string_append_c(out, '\n');
	html->at = end + 1;
	if (!closing && is_element(name, length, hidden_elements, G_N_ELEMENTS(hidden_elements)))
		skip_hidden(html, name, length);
}

/* Returns the end of the tag that a "<" begins; NULL where it begins none. */
static const char *
end_of_tag(struct html *html)
{
	const char *end;

	if (html->tags_end || !(g_ascii_isalpha(html->at[1]) || strchr("/!?", html->at[1])))
		return NULL;
	end = strchr(html->at, '>');
	html->tags_end = end == NULL;
	return end;
}

static void
take_mark(struct html *html, GString *out)
{
	const char *end;

	/* Outlook shows what is within its conditional comments. */
	if (g_str_has_prefix(html->at, "<!--") && !g_str_has_prefix(html->at, "<!--[if")) {
		skip_past(html, "-->");
		return;
	}
	end = end_of_tag(html);
	if (end)
		take_tag(html, end, out);
	else
		g_string_append_c(out, *html->at++);
}

char *
password_text_of_html(const char *text)
{
	struct html html = {.at = text};
	GString *out = g_string_new(NULL);

	while (*html.at) {
		gsize plain = strcspn(html.at, "<&\r\n");

		g_string_append_len(out, html.at, (gssize)plain);
		html.at += plain;
		if (*html.at == '<')
			take_mark(&html, out);
		else if (*html.at == '&')
			html.at += take_reference(html.at, out);
		else if (*html.at)
			g_string_append_c(out, html.preformatted ? '\n' : ' '), html.at++;
	}
	return g_string_free(out, FALSE);
}

/* ---- characters ---- */

static gboolean
is_unseen(gunichar c)
{
	return c == 0xad || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xfeff;
}

/* Writes a character, together with the one before where both make one. */
static void
append_composed(GString *out, gunichar c)
{
	const char *last = out->len ? g_utf8_prev_char(out->str + out->len) : NULL;
	gunichar both;

	if (last && g_unichar_compose(g_utf8_get_char(last), c, &both)) {
		g_string_truncate(out, (gsize)(last - out->str));
		c = both;
	}
	g_string_append_unichar(out, c);
}

/*
 * NFKC but for the order of marks upon a letter: to sort these, as GLib does, takes the
 * square of their number.
 */
static void
append_plain(GString *out, gunichar c)
{
	gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
	gsize count = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));

	for (gsize i = 0; i < count; i++)
		append_composed(out, parts[i]);
}

static void
append_clean(GString *out, gunichar c, gboolean plain)
{
	if (c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029)
		g_string_append_c(out, '\n');
	else if (c < 0x80)
		g_string_append_c(out, c == '\v' || c == '\f' ? ' ' : (char)c);
	else if (g_unichar_isspace(c))
		g_string_append_c(out, ' ');
	else if (is_unseen(c))
		return;
	else if (plain)
		append_plain(out, c);
	else
		g_string_append_unichar(out, c);
}

char *
password_text_clean(const char *text, gboolean plain)
{
	gsize most = 2 * strlen(text) + 64;
	GString *out = g_string_sized_new(strlen(text) + 64);

	for (; *text && out->len < most; text = g_utf8_next_char(text))
		append_clean(out, g_utf8_get_char(text), plain);
	return g_string_free(out, FALSE);
}

char *
password_text_fold(const char *text)
{
	GString *out = g_string_sized_new(strlen(text) + 1);
	const char *next;

	for (; *text; text = next) {
		char bytes[6];
		gsize length;

		next = g_utf8_next_char(text);
		if ((guchar)*text < 0x80) {
			g_string_append_c(out, g_ascii_tolower(*text));
			continue;
		}
		length = (gsize)g_unichar_to_utf8(g_unichar_tolower(g_utf8_get_char(text)), bytes);
		if (length == (gsize)(next - text))
			g_string_append_len(out, bytes, (gssize)length);
		else
			g_string_append_len(out, text, next - text);
	}
	return g_string_free(out, FALSE);
}
