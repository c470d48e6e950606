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
 * comments too, and searched as what is no XML.
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

/* A relationship as it is read; what of it was not seen points to nothing. */
struct relationship {
	struct span target;
	struct span last; /* of several targets, of which XML has none */
	gboolean external;
};

static gboolean
says_external(struct span mode)
{
	g_autoptr(GString) text = g_string_new(NULL);

	set_value(text, mode);
	return strcmp(text->str, "External") == 0;
}

/* Reads a relationship from behind its element's name on, as XML has it. */
static struct relationship
read_relationship(struct span tag)
{
	struct relationship read = {0};

	for (; tag.at < tag.end && *tag.at != '>'; pass_blanks(&tag)) {
		struct span name = take_name(&tag), value;

		if (!take_value(&tag, &value)) {
			tag.at += name.at == name.end && tag.at < tag.end;
		} else if (is_word(name, "Target")) {
			read.target = read.target.at ? read.target : value;
			read.last = value;
		} else if (is_word(name, "TargetMode")) {
			read.external = read.external || says_external(value);
		}
	}
	return read;
}

/* Returns the first value of what is called so behind a blank, or nothing. */
static struct span
find_value(struct span tag, const char *name)
{
	struct span value = {0};

	while ((tag.at = memmem(tag.at, (gsize)(tag.end - tag.at), name, strlen(name))) != NULL) {
		gboolean apart = g_ascii_isspace(tag.at[-1]);

		tag.at += strlen(name);
		pass_blanks(&tag);
		if (apart && take_value(&tag, &value))
			break;
	}
	return value;
}

/*
 * Likewise by the names alone, whatever is in a value or a quote too many: of what is no XML
 * a lenient reader sees as much.
 */
static struct relationship
search_relationship(struct span tag)
{
	struct span target = find_value(tag, "Target"), mode = find_value(tag, "TargetMode");

	return (struct relationship){target, target, mode.at && says_external(mode)};
}

/* A part as it is read. */
struct part {
	const char *end;
	const char *searched; /* up to here, so that no byte is in two tags that are */
	struct links links;
};

static void
add_targets(struct part *part, const struct relationship *relationship)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (!relationship->external || !relationship->target.at)
		return;
	set_value(text, relationship->target);
	add_link(&part->links, text->str, text->len);
	if (relationship->last.at == relationship->target.at)
		return;
	set_value(text, relationship->last);
	add_link(&part->links, text->str, text->len);
}

/* Searches what is from behind an element's name to the first ">" for what was not read. */
static void
search_tag(struct part *part, const char *at, const struct relationship *read)
{
	struct relationship found;
	const char *close;

	if (at < part->searched)
		return;
	close = memchr(at, '>', (gsize)(part->end - at));
	part->searched = close ? close : part->end;
	found = search_relationship((struct span){at, part->searched});
	if (!read->external || read->target.at != found.target.at)
		add_targets(part, &found);
}

static void
read_tag(struct part *part, struct span tag)
{
	struct span name = take_name(&tag);
	const char *prefix = memchr(name.at, ':', (gsize)(name.end - name.at));
	struct relationship read;

	/* Any prefix may be the namespace's. */
	if (prefix)
		name.at = prefix + 1;
	if (!is_word(name, "Relationship"))
		return;
	read = read_relationship(tag);
	add_targets(part, &read);
	search_tag(part, tag.at, &read);
}

void
document_urls_of_relationships(struct record *record, const char *xml, gsize length)
{
	g_autoptr(GByteArray) narrow = NULL;
	struct part part;

	if (wide_is(xml, length)) {
		narrow = wide_narrow(xml, length);
		xml = (const char *)narrow->data;
		length = narrow->len;
	}
	/* An empty member has no bytes to point to. */
	if (length == 0)
		return;
	part = (struct part){.end = xml + length, .searched = xml};
	links_init(&part.links, record);
	while ((xml = memchr(xml, '<', (gsize)(part.end - xml))) != NULL) {
		const char *begin = xml + 1;

		xml = memchr(begin, '<', (gsize)(part.end - begin));
		xml = xml ? xml : part.end;
		read_tag(&part, (struct span){begin, xml});
	}
	links_finish(&part.links);
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
		if (link->len && has_room(&links, link->len)) {
			narrow(link);
			add_link(&links, link->str, strlen(link->str));
		}
	}
	links_finish(&links);
}
