/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "document_urls.h"

#include <string.h>

#include "caps.h"
#include "text.h"
#include "url.h"

#define RELATIONSHIP "<Relationship"
#define URI_KEY "/URI"

gboolean
document_urls_are_in(const char *name)
{
	gsize length = strlen(name);

	return length > 5 && g_ascii_strcasecmp(name + length - 5, ".rels") == 0;
}

/* Adds a link as HTML has it, by whose rules all are collected; target: with its references. */
static void
add_link(GString *html, const char *target, gsize length)
{
	if (length == 0 || length > CAP_URL_BYTES || html->len > CAP_URL_SCAN_BYTES)
		return;
	g_string_append(html, "<a href=\"");
	for (gsize i = 0; i < length; i++)
		if (target[i] == '"')
			g_string_append(html, "&quot;");
		else if (target[i])
			g_string_append_c(html, target[i]);
	g_string_append(html, "\">");
}

static void
collect(struct record *record, const GString *html)
{
	g_autofree char *text = text_from_bytes(html->str, html->len, html->len + 1, NULL);

	url_collect(record, text, strlen(text), TRUE);
}

/* ---- relationship parts ---- */

/* Returns the value of an attribute of a tag, *ret_length bytes of it, or NULL. */
static const char *
attribute(const char *tag, const char *end, const char *name, gsize *ret_length)
{
	gsize size = strlen(name);

	for (const char *at = tag; (at = memmem(at, (gsize)(end - at), name, size)) != NULL; at++) {
		const char *value = at + size, *close;

		if (!g_ascii_isspace(at[-1]))
			continue;
		while (value < end && g_ascii_isspace(*value))
			value++;
		if (value == end || *value++ != '=')
			continue;
		while (value < end && g_ascii_isspace(*value))
			value++;
		if (value == end || (*value != '"' && *value != '\''))
			continue;
		close = memchr(value + 1, *value, (gsize)(end - value - 1));
		if (!close)
			return NULL;
		*ret_length = (gsize)(close - value - 1);
		return value + 1;
	}
	return NULL;
}

static gboolean
is_external(const char *tag, const char *end)
{
	gsize length;
	const char *mode = attribute(tag, end, "TargetMode", &length);

	return mode && length == 8 && memcmp(mode, "External", 8) == 0;
}

void
document_urls_of_relationships(struct record *record, const char *xml, gsize length)
{
	g_autoptr(GString) html = g_string_new(NULL);
	const char *at = xml, *end;

	/* An empty member has no bytes to point to. */
	if (length == 0)
		return;
	end = xml + length;
	while ((at = memmem(at, (gsize)(end - at), RELATIONSHIP, strlen(RELATIONSHIP))) != NULL) {
		const char *tag = at + strlen(RELATIONSHIP);
		const char *close = memchr(tag, '>', (gsize)(end - tag));
		gsize size = 0;
		const char *target;

		if (!close)
			break;
		target = attribute(tag, close, "Target", &size);
		if (target && is_external(tag, close))
			add_link(html, target, size);
		at = close;
	}
	collect(record, html);
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

/* Reads a literal string after its parenthesis; returns where it ends, or is given up. */
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
	if (at == end || *at != '>')
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
	g_autoptr(GString) html = g_string_new(NULL);
	g_autoptr(GString) link = g_string_new(NULL);
	const char *at = bytes, *end = bytes + length;

	while ((at = memmem(at, (gsize)(end - at), URI_KEY, strlen(URI_KEY))) != NULL) {
		g_autofree char *escaped = NULL;

		at += strlen(URI_KEY);
		while (at < end && is_white(*at))
			at++;
		g_string_truncate(link, 0);
		/* What a string holds is searched no more, so that each byte is read once. */
		if (at < end && *at == '(')
			at = read_literal(at + 1, end, link);
		else if (at < end && *at == '<')
			at = read_hexadecimal(at + 1, end, link);
		narrow(link);
		if (!link->len)
			continue;
		escaped = g_markup_escape_text(link->str, (gssize)strlen(link->str));
		add_link(html, escaped, strlen(escaped));
	}
	collect(record, html);
}
