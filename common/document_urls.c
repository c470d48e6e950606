/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "document_urls.h"

#include <string.h>

#include "caps.h"
#include "text.h"
#include "url.h"
#include "wide.h"

#define URI_KEY "/URI"

gboolean
document_urls_are_in(const char *name)
{
	gsize length = strlen(name);

	return length > 5 && g_ascii_strcasecmp(name + length - 5, ".rels") == 0;
}

/*
 * The links of a document, which are collected as HTML has them, by whose rules all are.
 * That is up to six times as long, and four times more of bytes that are no UTF-8, so that
 * it is handed over in pieces: of a document the bytes of its links count, not these.
 */
struct links {
	struct record *record;
	GString *html;
	gsize bytes;
};

#define LINK_BEGIN "<a href=\""
#define LINK_END "\">"
#define LINK_MARKUP (sizeof(LINK_BEGIN LINK_END) - 1) /* counts, too: there may be many */

#define HTML_BYTES (CAP_URL_SCAN_BYTES / 16)

static void
links_init(struct links *links, struct record *record)
{
	*links = (struct links){.record = record, .html = g_string_new(NULL)};
}

/* Hands over what there is. */
static void
links_collect(struct links *links)
{
	const GString *html = links->html;
	g_autofree char *text = text_from_bytes(html->str, html->len, html->len * 4 + 1, NULL);

	url_collect(links->record, text, strlen(text), TRUE);
	g_string_truncate(links->html, 0);
}

static void
links_finish(struct links *links)
{
	links_collect(links);
	g_string_free(links->html, TRUE);
}

/* Returns whether there is room for a link, and notes the cap that is met if not. */
static gboolean
has_room(const struct links *links, gsize length)
{
	if (length > CAP_URL_BYTES)
		record_note_cap(links->record, CAP_URL_BYTES_NAME);
	else if (links->bytes + length + LINK_MARKUP > CAP_URL_SCAN_BYTES)
		record_note_cap(links->record, CAP_URL_SCAN_BYTES_NAME);
	else
		return TRUE;
	return FALSE;
}

static void
add_link(struct links *links, const char *link, gsize length)
{
	GString *html = links->html;

	if (length == 0 || !has_room(links, length))
		return;
	links->bytes += length + LINK_MARKUP;
	g_string_append(html, LINK_BEGIN);
	for (gsize i = 0; i < length; i++)
		if (link[i] == '"')
			g_string_append(html, "&quot;");
		else if (link[i] == '&')
			g_string_append(html, "&amp;");
		else if (link[i])
			g_string_append_c(html, link[i]);
	g_string_append(html, LINK_END);
	if (html->len > HTML_BYTES)
		links_collect(links);
}

/* ---- relationship parts ---- */

/*
 * No parser of XML: GMarkup takes a thousand attributes of an element, reads nothing behind
 * what it does not like, and so does not see what others show.  Between a "<" and the next no
 * more than one tag is (XML 1.0 2.3 has none in a value); each is read by itself, in
 * comments too.
 */
struct span {
	const char *at;
	const char *end;
};

static gboolean
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
pass_blanks(struct span *tag)
{
	while (tag->at < tag->end && is_blank(*tag->at))
		tag->at++;
}

/* Takes a name, which may be empty, and the blanks behind it. */
static struct span
take_name(struct span *tag)
{
	struct span name = {tag->at, tag->at};

	while (name.end < tag->end && !is_blank(*name.end) && !strchr("=/>\"'", *name.end))
		name.end++;
	tag->at = name.end;
	pass_blanks(tag);
	return name;
}

/* Takes a value and the "=" before it; returns FALSE when there is none. */
static gboolean
take_value(struct span *tag, struct span *ret_value)
{
	struct span value = *tag;
	const char *close;

	if (value.at == value.end || *value.at != '=')
		return FALSE;
	value.at++;
	pass_blanks(&value);
	if (value.at == value.end || (*value.at != '"' && *value.at != '\''))
		return FALSE;
	close = memchr(value.at + 1, *value.at, (gsize)(value.end - value.at - 1));
	if (!close)
		return FALSE;
	*ret_value = (struct span){value.at + 1, close};
	tag->at = close + 1;
	return TRUE;
}

static gboolean
is_word(struct span name, const char *word)
{
	gsize length = strlen(word);

	return (gsize)(name.end - name.at) == length && memcmp(name.at, word, length) == 0;
}

/* Returns the character of a numeric reference behind its "#", zeros in front or not, or 0. */
static gunichar
numeric_reference(struct span digits)
{
	gboolean hex = digits.at < digits.end && *digits.at == 'x';
	gunichar number = 0;

	for (digits.at += hex; digits.at < digits.end; digits.at++) {
		int digit =
			hex ? g_ascii_xdigit_value(*digits.at) : g_ascii_digit_value(*digits.at);

		if (digit < 0)
			return 0;
		number = MIN(number * (hex ? 16 : 10) + (gunichar)digit, 0x110000);
	}
	return g_unichar_validate(number) ? number : 0;
}

/* Returns what a reference stands for, from behind "&" to before ";" (XML 1.0 4.1), or 0. */
static gunichar
stands_for(struct span name)
{
	static const struct {
		const char *name;
		char character;
	} names[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

	if (name.at < name.end && *name.at == '#')
		return numeric_reference((struct span){name.at + 1, name.end});
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (is_word(name, names[i].name))
			return (gunichar)names[i].character;
	return 0;
}

/* Appends what stands for the reference at "&", or that if it is none; returns its end. */
static const char *
append_reference(GString *out, const char *at, const char *end)
{
	struct span name = {at + 1, at + 1};
	gunichar character;

	while (name.end < end && (g_ascii_isalnum(*name.end) || *name.end == '#'))
		name.end++;
	character = name.end < end && *name.end == ';' ? stands_for(name) : 0;
	g_string_append_unichar(out, character ? character : '&');
	return character ? name.end + 1 : name.at;
}

/* Sets a text to a value, its references undone. */
static void
set_value(GString *text, struct span value)
{
	const char *mark;

	g_string_truncate(text, 0);
	while ((mark = memchr(value.at, '&', (gsize)(value.end - value.at))) != NULL) {
		g_string_append_len(text, value.at, mark - value.at);
		value.at = append_reference(text, mark, value.end);
	}
	g_string_append_len(text, value.at, value.end - value.at);
}

/* Adds the target of a relationship, from behind its element's name on, if it is external. */
static void
read_relationship(struct span tag, struct links *links)
{
	g_autoptr(GString) target = g_string_new(NULL), mode = g_string_new(NULL);

	for (; tag.at < tag.end && *tag.at != '>'; pass_blanks(&tag)) {
		struct span name = take_name(&tag), value;

		if (!take_value(&tag, &value))
			tag.at += name.at == name.end && tag.at < tag.end;
		else if (is_word(name, "Target"))
			set_value(target, value);
		else if (is_word(name, "TargetMode"))
			set_value(mode, value);
	}
	if (tag.at < tag.end && strcmp(mode->str, "External") == 0)
		add_link(links, target->str, target->len);
}

static void
read_tag(struct span tag, struct links *links)
{
	struct span name = take_name(&tag);
	const char *prefix = memchr(name.at, ':', (gsize)(name.end - name.at));

	/* Any prefix may be the namespace's. */
	if (prefix)
		name.at = prefix + 1;
	if (is_word(name, "Relationship"))
		read_relationship(tag, links);
}

void
document_urls_of_relationships(struct record *record, const char *xml, gsize length)
{
	g_autoptr(GByteArray) narrow = NULL;
	struct links links;
	const char *end;

	if (wide_is(xml, length)) {
		narrow = wide_narrow(xml, length);
		xml = (const char *)narrow->data;
		length = narrow->len;
	}
	/* An empty member has no bytes to point to. */
	if (length == 0)
		return;
	end = xml + length;
	links_init(&links, record);
	while ((xml = memchr(xml, '<', (gsize)(end - xml))) != NULL) {
		const char *begin = xml + 1;

		xml = memchr(begin, '<', (gsize)(end - begin));
		xml = xml ? xml : end;
		read_tag((struct span){begin, xml}, &links);
	}
	links_finish(&links);
}

/* ---- PDF ---- */

static gboolean
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\0';
}

/* Reads what an escape in a literal string stands for (7.3.4.2); returns where to go on. */
static const char *
read_escape(const char *at, const char *end, GString *out)
{
	guint value = 0, digits = 0;

	while (digits < 3 && at < end && *at >= '0' && *at <= '7') {
		value = value << 3 | (guint)(*at++ - '0');
		digits++;
	}
	if (digits)
		g_string_append_c(out, (char)value);
	else if (at < end && *at != '\r' && *at != '\n')
		g_string_append_c(out, *at++);
	else if (at < end && *at++ == '\r' && at < end && *at == '\n')
		at++;
	return at;
}

/*
 * Reads a literal string after its parenthesis; returns where it ends, or is given up, for it
 * is too long, or has no end and so is none.
 */
static const char *
read_literal(const char *at, const char *end, GString *out)
{
	guint depth = 1;

	while (at < end && out->len <= CAP_URL_BYTES) {
		char c = *at++;

		if (c == '\\') {
			at = read_escape(at, end, out);
			continue;
		}
		if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return at;
		g_string_append_c(out, c);
	}
	if (out->len <= CAP_URL_BYTES)
		g_string_truncate(out, 0);
	return at;
}

/* Likewise a hexadecimal one after its bracket (7.3.4.3): digits and white space. */
static const char *
read_hexadecimal(const char *at, const char *end, GString *out)
{
	int high = -1;

	for (; at < end && out->len <= CAP_URL_BYTES; at++) {
		int value = g_ascii_xdigit_value(*at);

		if (value < 0 && !is_white(*at))
			break;
		if (value >= 0 && high >= 0)
			g_string_append_c(out, (char)(high << 4 | value));
		if (value >= 0)
			high = high >= 0 ? -1 : value;
	}
	if (out->len <= CAP_URL_BYTES && (at == end || *at != '>'))
		g_string_truncate(out, 0);
	return at;
}

/* Takes a string in UTF-16 (7.9.2.2), of which a link has the lower half. */
static void
narrow(GString *string)
{
	gsize length = 0;

	if (string->len < 2 || memcmp(string->str, "\xfe\xff", 2) != 0)
		return;
	for (gsize i = 2; i + 1 < string->len; i += 2)
		if (!string->str[i])
			string->str[length++] = string->str[i + 1];
	g_string_truncate(string, length);
}

void
document_urls_of_pdf(struct record *record, const char *bytes, gsize length)
{
	g_autoptr(GString) link = g_string_new(NULL);
	const char *at = bytes, *end = bytes + length;
	struct links links;

	links_init(&links, record);
	while ((at = memmem(at, (gsize)(end - at), URI_KEY, strlen(URI_KEY))) != NULL) {
		at += strlen(URI_KEY);
		while (at < end && is_white(*at))
			at++;
		g_string_truncate(link, 0);
		/* What a string holds is searched no more, so that each byte is read once. */
		if (at < end && *at == '(')
			at = read_literal(at + 1, end, link);
		else if (at < end && *at == '<')
			at = read_hexadecimal(at + 1, end, link);
		if (has_room(&links, link->len)) {
			narrow(link);
			add_link(&links, link->str, strlen(link->str));
		}
	}
	links_finish(&links);
}
