/* SPDX-License-Identifier: BSD-2-Clause */
/* yEnc 1.3 in a text. */
#include <config.h>

#include "embedded_lines.h"

#include <string.h>

void
embedded_yenc_flush(struct yenc_parts *parts, embedded_function found, gpointer user)
{
	if (parts->bytes && parts->bytes->len)
		found("yenc-in-text", (const char *[]){parts->name, NULL}, parts->bytes,
		      parts->bytes->len, user);
	g_clear_pointer(&parts->bytes, g_byte_array_unref);
	g_clear_pointer(&parts->name, g_free);
}

/* Returns the number behind " key=" in a line, or 0. */
static guint64
yenc_number(const char *line, gsize length, const char *key)
{
	const char *at = memmem(line, length, key, strlen(key));
	guint64 number = 0;

	if (!at)
		return 0;
	for (at += strlen(key); at < line + length && g_ascii_isdigit(*at); at++)
		number = MIN(number, G_MAXUINT32) * 10 + (guint64)(*at - '0');
	return number;
}

/* Returns what follows "name=" to the end of the line, or "".  Free with g_free(). */
static char *
yenc_name(const char *line, gsize length)
{
	const char *name = memmem(line, length, " name=", 6);

	return name ? g_strndup(name + 6, (gsize)(line + length - name - 6)) : g_strdup("");
}

/* Undoes a line: each byte plus 42; "=" escapes, by 64 more. */
static void
yenc_line(const char *line, gsize length, GByteArray *out)
{
	for (gsize i = 0; i < length; i++) {
		guint8 byte = (guint8)line[i];

		if (byte == '=' && i + 1 < length)
			byte = (guint8)(line[++i] - 64);
		byte = (guint8)(byte - 42);
		g_byte_array_append(out, &byte, 1);
	}
}

/*
 * Reads up to "=yend", of what has no end as much as was announced; returns where it begins.
 * Without an end it goes no further than the next file, since others read that one; and never
 * further than the next in yEnc, whose line no data make, so that each line is read once.
 */
static guint64
read_yenc(struct lines lines, guint64 size, GByteArray *out)
{
	guint64 begin = 1;
	guint certain = G_MAXUINT; /* so many are before the next file */
	const char *line;
	gsize length;
	gboolean ended = FALSE;

	while (!ended && embedded_next_line(&lines, &line, &length) &&
	       !embedded_line_begins(line, length, EMBEDDED_YENC_LINE)) {
		ended = embedded_line_begins(line, length, "=yend");
		if (certain == G_MAXUINT && embedded_begins_file(&lines, line, length))
			certain = out->len;
		if (embedded_line_begins(line, length, "=ypart"))
			begin = yenc_number(line, length, " begin=");
		else if (!ended)
			yenc_line(line, length, out);
	}
	if (!ended)
		g_byte_array_set_size(out, MIN(out->len, certain));
	if (!ended && size && size < out->len)
		g_byte_array_set_size(out, (guint)size);
	return begin;
}

/* Reads the file, or the part of one, that begins after this line; parts are put together. */
void
embedded_read_yenc(const struct lines *lines, const char *line, gsize length,
		   struct yenc_parts *parts, embedded_function found, gpointer user)
{
	struct yenc_parts part = {.name = yenc_name(line, length),
				  .size = yenc_number(line, length, " size="),
				  .bytes = g_byte_array_new()};
	guint64 begin = read_yenc(*lines, part.size, part.bytes);

	if (parts->bytes && begin == parts->bytes->len + (guint64)1 &&
	    g_str_equal(part.name, parts->name)) {
		g_byte_array_append(parts->bytes, part.bytes->data, part.bytes->len);
		g_byte_array_unref(part.bytes);
		g_free(part.name);
	} else {
		embedded_yenc_flush(parts, found, user);
		*parts = part;
	}
	if (parts->bytes->len >= parts->size)
		embedded_yenc_flush(parts, found, user);
}
