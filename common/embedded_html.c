/* SPDX-License-Identifier: BSD-2-Clause */
/* Links that hold their target (RFC 2397), as mail of HTML smuggling has them. */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

#define DATA_HEAD 256 /* a media type with parameters, up to the comma */

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

/* Reads a link from behind "data:" to end; href: it is one to follow, whatever its type. */
static void
read_data_link(const char *head, const char *end, gboolean href, embedded_function found,
	       gpointer user)
{
	const char *comma = memchr(head, ',', MIN((gsize)(end - head), DATA_HEAD));
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) data = NULL;

	if (!comma || (!href && is_shown_in_place(head, (gsize)(comma - head))))
		return;
	plain = percent_bytes(comma + 1, end);
	if (comma - head >= 7 && g_ascii_strncasecmp(comma - 7, ";base64", 7) == 0)
		data = recode_base64((const char *)plain->data, plain->len);
	else
		data = g_byte_array_ref(plain);
	if (data->len)
		found("data-link", NULL, data, user);
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

void
embedded_in_html(const void *bytes, gsize length, embedded_function found, gpointer user)
{
	const char *begin = bytes, *at = begin, *end = at + length;
	char quote;

	for (; (at = memchr(at, ':', (gsize)(end - at))) != NULL; at++) {
		const char *sign, *stop;

		if (at - begin < 4 || g_ascii_strncasecmp(at - 4, "data", 4) != 0)
			continue;
		sign = attribute_sign(begin, at - 4, &quote);
		if (!sign)
			continue;
		stop = attribute_end(at + 1, end, quote);
		read_data_link(at + 1, stop, is_href(begin, sign), found, user);
		at = stop - 1;
	}
}
