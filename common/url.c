/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "url.h"

#include <string.h>

#include "caps.h"
#include "record.h"
#include "text.h"

/* What a URL of plain text begins with. */
static const char *const openings[] = {"http://", "https://", "ftp://", "www."};

/* Attributes of HTML whose value is a URL. */
static const char *const attributes[] = {"href",       "src",  "action", "formaction",
					 "background", "data", "poster", "cite"};

/* Elements whose text no reader shows. */
static const char *const hidden_elements[] = {"script", "style"};

/* Character references without which no URL can be read; the others do not occur in one. */
static const struct {
	const char *name;
	const char *text;
} references[] = {
	{"amp", "&"},	   {"quot", "\""},  {"apos", "'"},   {"lt", "<"},     {"gt", ">"},
	{"nbsp", " "},	   {"sol", "/"},    {"colon", ":"},  {"period", "."}, {"num", "#"},
	{"quest", "?"},	   {"equals", "="}, {"percnt", "%"}, {"lowbar", "_"}, {"Tab", "\t"},
	{"NewLine", "\n"}, {"commat", "@"}, {"semi", ";"},   {"excl", "!"},   {"hyphen", "-"},
};

struct collector {
	struct record *record;
	GHashTable *seen; /* the URLs of the record, borrowed; NULL before it is needed */
};

/* Whether an opening begins with c; most characters begin none, and each is asked about. */
static gboolean
may_open(char c)
{
	switch (c) {
	case 'h':
	case 'H':
	case 'f':
	case 'F':
	case 'w':
	case 'W':
		return TRUE;
	default:
		return FALSE;
	}
}

static gsize
opening_length(const char *at, gsize length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
		gsize size = strlen(openings[i]);

		if (length > size && g_ascii_strncasecmp(at, openings[i], size) == 0)
			return size;
	}
	return 0;
}

static void
add_url(struct collector *collector, const char *url, gsize length)
{
	GPtrArray *urls = collector->record->urls;
	gboolean cut = FALSE;
	char *text;

	if (urls->len >= CAP_URLS) {
		record_note_cap(collector->record, CAP_URLS_NAME);
		return;
	}
	if (!collector->seen) {
		collector->seen = g_hash_table_new(g_str_hash, g_str_equal);
		for (guint i = 0; i < urls->len; i++)
			g_hash_table_add(collector->seen, g_ptr_array_index(urls, i));
	}
	text = text_from_bytes(url, length, CAP_URL_BYTES, &cut);
	if (cut)
		record_note_cap(collector->record, CAP_URL_BYTES_NAME);
	if (g_hash_table_contains(collector->seen, text)) {
		g_free(text);
		return;
	}
	g_ptr_array_add(urls, text);
	g_hash_table_add(collector->seen, text);
}

/* ---- plain text ---- */

/*
 * Whether a URL goes on with this character: not with blanks, quotes and
 * brackets that enclose it (RFC 3986 appendix C), nor with the punctuation
 * that East Asian text puts after it without a blank.
 */
static gboolean
continues_url(gunichar c)
{
	if (c <= ' ' || c == 0x7f || strchr("<>\"`{}|\\^", c < 0x80 ? (int)c : 'a'))
		return FALSE;
	if (c < 0x80)
		return TRUE;
	return !g_unichar_isspace(c) && !g_unichar_iscntrl(c) && !(c >= 0x2018 && c <= 0x201f) &&
	       !(c >= 0x3000 && c <= 0x303f) && !(c >= 0xff00 && c <= 0xffef);
}

/* Returns the length without what closes the sentence around it. */
static gsize
trimmed_length(const char *url, gsize length)
{
	int open = 0;

	for (gsize i = 0; i < length; i++)
		open += url[i] == '(' ? 1 : url[i] == ')' ? -1 : 0;
	while (length && strchr(".,;:!?'\")]*", url[length - 1])) {
		if (url[length - 1] == ')' && open++ >= 0)
			break; /* its own, as in Wikipedia's */
		length--;
	}
	return length;
}

/* Reads the URL at at; returns the bytes to go on by. */
static gsize
take_url(struct collector *collector, const char *at, const char *end, gsize opening)
{
	const char *stop = at + opening;
	gsize length;

	while (stop < end && continues_url(g_utf8_get_char(stop)))
		stop = g_utf8_next_char(stop);
	length = trimmed_length(at, (gsize)(stop - at));
	if (length > opening)
		add_url(collector, at, length);
	return (gsize)(stop - at);
}

static void
collect_plain(struct collector *collector, const char *text, gsize length)
{
	const char *at = text, *end = text + length;
	gboolean inside_word = FALSE;

	while (at < end) {
		gsize opening = 0;

		if (!inside_word && may_open(*at))
			opening = opening_length(at, (gsize)(end - at));
		if (opening) {
			at += take_url(collector, at, end, opening);
			continue;
		}
		inside_word = g_ascii_isalnum(*at);
		at++;
	}
}

/* ---- HTML ---- */

gsize
url_reference_decode(const char *at, const char *end, GString *out)
{
	const char *name = at + 1;
	gboolean hex = end - at > 3 && at[1] == '#' && (at[2] == 'x' || at[2] == 'X');
	gsize length = 0, most = MIN((gsize)(end - name), 12);
	gunichar c = 0;

	if (most < 2)
		return 0;
	if (*name != '#') {
		while (length < most && g_ascii_isalnum(name[length]))
			length++;
		for (gsize i = 0; i < G_N_ELEMENTS(references); i++)
			if (strlen(references[i].name) == length &&
			    memcmp(references[i].name, name, length) == 0) {
				g_string_append(out, references[i].text);
				return 1 + length + (length < most && name[length] == ';');
			}
		return 0;
	}
	for (length = hex ? 2 : 1; length < most; length++) {
		int digit = hex ? g_ascii_xdigit_value(name[length])
				: g_ascii_digit_value(name[length]);

		if (digit < 0)
			break;
		c = c * (hex ? 16 : 10) + (gunichar)digit;
		c = MIN(c, 0x110000);
	}
	if (length <= (hex ? 2u : 1u) || !c || !g_unichar_validate(c))
		return 0;
	g_string_append_unichar(out, c);
	return 1 + length + (length < most && name[length] == ';');
}

static void
references_decode(const char *at, const char *end, GString *out)
{
	g_string_truncate(out, 0);
	while (at < end) {
		const char *mark = memchr(at, '&', (gsize)(end - at));
		gsize taken;

		g_string_append_len(out, at, (mark ? mark : end) - at);
		if (!mark)
			return;
		taken = url_reference_decode(mark, end, out);
		if (!taken)
			g_string_append_c(out, *mark);
		at = mark + MAX(taken, 1);
	}
}

/* Takes out what a browser ignores in a URL: line breaks, tabs, blanks around it (WHATWG URL). */
static void
strip_ignored(GString *url)
{
	gsize used = 0;

	for (gsize i = 0; i < url->len; i++)
		if (!strchr("\t\r\n", url->str[i]) || !url->str[i])
			url->str[used++] = url->str[i];
	while (used && url->str[used - 1] == ' ')
		used--;
	g_string_truncate(url, used);
	g_string_erase(url, 0, (gssize)strspn(url->str, " "));
}

static void
add_attribute_url(struct collector *collector, GString *url)
{
	strip_ignored(url);
	if (opening_length(url->str, url->len))
		add_url(collector, url->str, url->len);
}

/* The candidates of a srcset, "url 2x, url 3x"; commas are also within URLs. */
static void
add_srcset(struct collector *collector, const GString *value)
{
	g_auto(GStrv) words = g_strsplit_set(value->str, " \t\r\n", CAP_URLS);

	for (gsize i = 0; words[i]; i++) {
		gsize length = strlen(words[i]);

		while (length && words[i][length - 1] == ',')
			length--;
		if (opening_length(words[i], length))
			add_url(collector, words[i], length);
	}
}

/* The URL of <meta http-equiv=refresh content="0; url=...">. */
static void
add_refresh(struct collector *collector, const GString *value)
{
	g_autofree char *lower = g_ascii_strdown(value->str, -1);
	const char *found = strstr(lower, "url=");
	g_autoptr(GString) url = NULL;

	if (!found)
		return;
	url = g_string_new(value->str + (found + 4 - lower));
	while (url->len && strchr("'\"", url->str[url->len - 1]))
		g_string_truncate(url, url->len - 1);
	g_string_erase(url, 0, (gssize)strspn(url->str, "'\" "));
	add_attribute_url(collector, url);
}

static gboolean
is_one_of(const char *name, gsize length, const char *const *names, gsize count)
{
	for (gsize i = 0; i < count; i++)
		if (strlen(names[i]) == length && g_ascii_strncasecmp(name, names[i], length) == 0)
			return TRUE;
	return FALSE;
}

static void
take_attribute(struct collector *collector, const char *name, gsize name_length, GString *value)
{
	static const char *const srcset[] = {"srcset", "imagesrcset"};
	static const char *const content[] = {"content"};

	if (is_one_of(name, name_length, attributes, G_N_ELEMENTS(attributes)))
		add_attribute_url(collector, value);
	else if (is_one_of(name, name_length, srcset, G_N_ELEMENTS(srcset)))
		add_srcset(collector, value);
	else if (is_one_of(name, name_length, content, G_N_ELEMENTS(content)))
		add_refresh(collector, value);
}

static const char *
skip_spaces(const char *at, const char *end)
{
	while (at < end && g_ascii_isspace(*at))
		at++;
	return at;
}

/* Reads an attribute's value after "="; sets [*ret_begin, *ret_stop), returns where it ends. */
static const char *
read_value(const char *at, const char *end, const char **ret_begin, const char **ret_stop)
{
	const char *stop;

	at = skip_spaces(at, end);
	if (at < end && (*at == '"' || *at == '\'')) {
		stop = memchr(at + 1, *at, (gsize)(end - at - 1));
		*ret_begin = at + 1;
		*ret_stop = stop ? stop : end;
		return stop ? stop + 1 : end;
	}
	for (stop = at; stop < end && !g_ascii_isspace(*stop) && *stop != '>';)
		stop++;
	*ret_begin = at;
	*ret_stop = stop;
	return stop;
}

/* Reads the attributes of a tag; returns where it ends. */
static const char *
take_attributes(struct collector *collector, const char *at, const char *end, GString *scratch)
{
	for (at = skip_spaces(at, end); at < end && *at != '>'; at = skip_spaces(at, end)) {
		const char *name = at, *begin, *stop;
		gsize length;

		while (at < end && !g_ascii_isspace(*at) && !strchr("=>/", *at))
			at++;
		length = (gsize)(at - name);
		at = skip_spaces(at, end);
		if (at < end && *at == '=') {
			at = read_value(at + 1, end, &begin, &stop);
			references_decode(begin, stop, scratch);
			take_attribute(collector, name, length, scratch);
		} else if (!length && at < end && *at != '>') {
			at++; /* "/" and what else stands between attributes */
		}
	}
	return at < end ? at + 1 : end;
}

/* Returns the end of a script's or style's text: its closing tag. */
static const char *
skip_hidden(const char *at, const char *end)
{
	const char *close = memmem(at, (gsize)(end - at), "</", 2);

	while (close && (end - close < 7 || !(g_ascii_strncasecmp(close + 2, "script", 6) == 0 ||
					      g_ascii_strncasecmp(close + 2, "style", 5) == 0)))
		close = memmem(close + 2, (gsize)(end - close - 2), "</", 2);
	return close ? close : end;
}

/* Reads the tag or comment at "<"; returns where it ends. */
static const char *
take_tag(struct collector *collector, const char *at, const char *end, GString *scratch)
{
	const char *name = at + 1, *stop = name;
	gboolean hidden;

	if (end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
		/* Outlook's conditional comments are shown by Outlook: only the mark is passed. */
		return at + 4;
	}
	if (name < end && *name == '/')
		stop = ++name;
	if (name == end || !g_ascii_isalpha(*name))
		return at + 1;
	while (stop < end && g_ascii_isalnum(*stop))
		stop++;
	hidden = at[1] != '/' && is_one_of(name, (gsize)(stop - name), hidden_elements,
					   G_N_ELEMENTS(hidden_elements));
	at = take_attributes(collector, stop, end, scratch);
	return hidden ? skip_hidden(at, end) : at;
}

static void
collect_html(struct collector *collector, const char *text, gsize length)
{
	const char *at = text, *end = text + length;
	g_autoptr(GString) scratch = g_string_new(NULL);

	while (at < end) {
		const char *tag = memchr(at, '<', (gsize)(end - at));
		const char *stop = tag ? tag : end;

		references_decode(at, stop, scratch);
		collect_plain(collector, scratch->str, scratch->len);
		at = tag ? take_tag(collector, tag, end, scratch) : end;
	}
}

void
url_collect(struct record *record, const char *text, gsize length, gboolean html)
{
	struct collector collector = {.record = record};

	if (length > CAP_URL_SCAN_BYTES) {
		record_note_cap(record, CAP_URL_SCAN_BYTES_NAME);
		length = CAP_URL_SCAN_BYTES;
		while (length && ((guchar)text[length] & 0xc0) == 0x80)
			length--; /* not within a character */
	}
	if (html)
		collect_html(&collector, text, length);
	else
		collect_plain(&collector, text, length);
	g_clear_pointer(&collector.seen, g_hash_table_unref);
}
