/* SPDX-License-Identifier: BSD-2-Clause */
/* Links that hold their target (RFC 2397), as mail of HTML smuggling has them. */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

/* Types of what a page shows in place; their links are no files to the reader. */
static gboolean
is_shown_in_place(const char *head, gsize length)
{
	static const char *const types[] = {"image/", "font/", "application/font",
					    "application/x-font", "text/css"};

	for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
		if (length >= strlen(types[i]) &&
		    g_ascii_strncasecmp(head, types[i], strlen(types[i])) == 0)
			return TRUE;
	return FALSE;
}

/* Returns where the value of an attribute ends: at its quote, or at a blank or ">". */
static const char *
attribute_end(const char *at, const char *end, char quote)
{
	while (at < end && (quote ? *at != quote : *at > ' ' && *at != '>'))
		at++;
	return at;
}

/* Undoes percent-encoding (RFC 3986 2.1). */
static GByteArray *
percent_bytes(const char *at, const char *end)
{
	GByteArray *out = g_byte_array_sized_new((guint)(end - at));

	for (; at < end; at++) {
		guint8 byte = (guint8)*at;

		if (byte == '%' && end - at > 2 && g_ascii_isxdigit(at[1]) &&
		    g_ascii_isxdigit(at[2])) {
			byte = (guint8)(g_ascii_xdigit_value(at[1]) << 4 |
					g_ascii_xdigit_value(at[2]));
			at += 2;
		}
		g_byte_array_append(out, &byte, 1);
	}
	return out;
}

/* Whether a media type ends with ";base64", blanks about it aside (WHATWG Fetch 6). */
static gboolean
is_base64(const char *head, const char *comma)
{
	while (comma > head && g_ascii_isspace(comma[-1]))
		comma--;
	if (comma - head < 7 || g_ascii_strncasecmp(comma - 6, "base64", 6) != 0)
		return FALSE;
	for (comma -= 6; comma > head && g_ascii_isspace(comma[-1]);)
		comma--;
	return comma > head && comma[-1] == ';';
}

/* Reads a link from behind "data:" to end; href: it is one to follow, whatever its type. */
static void
read_data_link(const char *head, const char *end, gboolean href, embedded_function found,
	       gpointer user)
{
	const char *comma = memchr(head, ',', (gsize)(end - head));
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) data = NULL;

	if (!comma || (!href && is_shown_in_place(head, (gsize)(comma - head))))
		return;
	plain = percent_bytes(comma + 1, end);
	if (is_base64(head, comma))
		data = recode_base64((const char *)plain->data, plain->len);
	else
		data = g_byte_array_ref(plain);
	if (data->len)
		found("data-link", (const char *[]){NULL}, data, data->len, user);
}

/* Returns where the value of the attribute begins that "data:" at at begins, or NULL. */
static const char *
attribute_sign(const char *begin, const char *at, char *ret_quote)
{
	*ret_quote = '\0';
	while (at > begin && g_ascii_isspace(at[-1]))
		at--;
	if (at > begin && (at[-1] == '"' || at[-1] == '\''))
		*ret_quote = *--at;
	while (at > begin && g_ascii_isspace(at[-1]))
		at--;
	return at > begin && at[-1] == '=' ? at - 1 : NULL;
}

/* Whether the attribute whose "=" is at sign is href. */
static gboolean
is_href(const char *begin, const char *sign)
{
	while (sign > begin && g_ascii_isspace(sign[-1]))
		sign--;
	return sign - begin >= 4 && g_ascii_strncasecmp(sign - 4, "href", 4) == 0;
}

/* Returns where "data" begins that ends at at, or NULL; tabs and breaks in it are none (WHATWG
 * URL 4.4). */
static const char *
data_before(const char *begin, const char *at)
{
	static const char word[] = "data";

	for (gsize left = strlen(word); left;) {
		if (at == begin)
			return NULL;
		at--;
		if (*at == '\t' || *at == '\r' || *at == '\n')
			continue;
		if (g_ascii_tolower(*at) != word[--left])
			return NULL;
	}
	return at;
}

static void
read_links(const char *begin, const char *end, embedded_function found, gpointer user)
{
	const char *at = begin;
	char quote;

	for (; (at = memchr(at, ':', (gsize)(end - at))) != NULL; at++) {
		const char *scheme = data_before(begin, at), *sign, *stop;

		if (!scheme)
			continue;
		sign = attribute_sign(begin, scheme, &quote);
		if (!sign)
			continue;
		stop = attribute_end(at + 1, end, quote);
		read_data_link(at + 1, stop, is_href(begin, sign), found, user);
		at = stop - 1;
	}
}

/* ---- character references ---- */

/* Those of HTML's that a link may be written with, and what they stand for. */
static const struct {
	const char *name;
	char stands_for;
} references[] = {
	{"colon", ':'},	 {"comma", ','}, {"semi", ';'},	    {"sol", '/'}, {"plus", '+'},
	{"equals", '='}, {"Tab", '\t'},	 {"NewLine", '\n'}, {"amp", '&'}, {"lpar", '('},
};

/* The longest that is looked at, from "&" on. */
#define REFERENCE_BYTES 16

/* Returns the ASCII character of a numeric reference, from "#" on, or 0. */
static char
numeric_reference(const char *at, const char *end, const char **ret_end)
{
	gboolean hex = end - at > 1 && (at[1] == 'x' || at[1] == 'X');
	guint number = 0;
	const char *digits = at + (hex ? 2 : 1);

	for (at = digits; at < end && (hex ? g_ascii_isxdigit(*at) : g_ascii_isdigit(*at)); at++)
		number = MIN(number * (hex ? 16 : 10) + (guint)g_ascii_xdigit_value(*at), 0xffff);
	if (at == digits || number > 0x7e)
		return 0;
	*ret_end = at < end && *at == ';' ? at + 1 : at;
	return (char)number;
}

/* Returns the character that a reference behind "&" stands for, and its end, or 0. */
static char
reference(const char *at, const char *end, const char **ret_end)
{
	end = at + MIN(end - at, REFERENCE_BYTES);
	if (at < end && *at == '#')
		return numeric_reference(at, end, ret_end);
	for (gsize i = 0; i < G_N_ELEMENTS(references); i++) {
		gsize length = strlen(references[i].name);

		if ((gsize)(end - at) <= length || at[length] != ';' ||
		    memcmp(at, references[i].name, length) != 0)
			continue;
		*ret_end = at + length + 1;
		return references[i].stands_for;
	}
	return 0;
}

/* The text with such references undone, but those of quotes and brackets, which end attributes. */
static GString *
without_references(const char *at, const char *end)
{
	GString *out = g_string_sized_new((gsize)(end - at));
	const char *mark;

	while ((mark = memchr(at, '&', (gsize)(end - at))) != NULL) {
		const char *after = NULL;
		char byte = reference(mark + 1, end, &after);

		g_string_append_len(out, at, (gssize)(mark - at));
		at = mark + 1;
		if (byte && !strchr("\"'<>", byte)) {
			g_string_append_c(out, byte);
			at = after;
		} else {
			g_string_append_c(out, '&');
		}
	}
	g_string_append_len(out, at, (gssize)(end - at));
	return out;
}

gboolean
embedded_page_is_named(const char *name)
{
	static const char *const endings[] = {".htm", ".html", ".xhtml", ".shtml", ".svg"};
	gsize length = name ? strlen(name) : 0;

	for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
		gsize ending = strlen(endings[i]);

		if (length >= ending && g_ascii_strcasecmp(name + length - ending, endings[i]) == 0)
			return TRUE;
	}
	return FALSE;
}

void
embedded_in_html(const void *bytes, gsize length, embedded_function found, gpointer user)
{
	const char *begin = bytes;
	g_autoptr(GString) plain = NULL;

	/* Few texts speak of base64 at all. */
	if (memchr(begin, '&', length) &&
	    (memmem(begin, length, "ase64", 5) || memmem(begin, length, "ASE64", 5))) {
		plain = without_references(begin, begin + length);
		begin = plain->str;
		length = plain->len;
	}
	read_links(begin, begin + length, found, user);
}
