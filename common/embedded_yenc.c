/* SPDX-License-Identifier: BSD-2-Clause */
/* yEnc 1.3 in a text. */
#include <config.h>

#include "embedded_lines.h"

#include <string.h>

static void
parts_clear(struct yenc_parts *parts)
{
	g_clear_pointer(&parts->bytes, g_byte_array_unref);
	g_clear_pointer(&parts->name, g_free);
}

static gboolean
parts_equal(const struct yenc_parts *a, const struct yenc_parts *b)
{
	return a->bytes && b->bytes && a->bytes->len == b->bytes->len &&
	       memcmp(a->bytes->data, b->bytes->data, a->bytes->len) == 0 &&
	       g_str_equal(a->name, b->name);
}

/* Tells a file, and forgets it. */
static void
tell_parts(struct yenc_files *files, embedded_function found, gpointer user)
{
	struct yenc_parts *parts = &files->parts;

	if (!parts->bytes || !parts->bytes->len)
		return parts_clear(parts);
	found("yenc-in-text", (const char *[]){parts->name, NULL}, parts->bytes, parts->bytes->len,
	      user);
	parts_clear(&files->told);
	files->told = *parts;
	*parts = (struct yenc_parts){0};
}

/* Likewise what other readers have, if it differs. */
static void
tell_others(struct yenc_files *files, embedded_function found, gpointer user)
{
	struct yenc_parts *parts = &files->others;

	if (parts->bytes && parts->bytes->len && !parts_equal(parts, &files->told))
		found("yenc-by-lines", (const char *[]){parts->name, NULL}, parts->bytes,
		      parts->bytes->len, user);
	parts_clear(parts);
}

void
embedded_end_yenc(struct yenc_files *files, embedded_function found, gpointer user)
{
	tell_parts(files, found, user);
	tell_others(files, found, user);
	parts_clear(&files->told);
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

/* A part as it is read. */
struct part {
	struct yenc_parts file; /* as if it were all */
	guint64 begin;		/* where it is in the file, counted from one */
};

/* Reads a line of "=ypart"; returns how many bytes are announced, a size if it says nothing. */
static guint64
read_limits(struct part *part, const char *line, gsize length, guint64 size)
{
	guint64 end = yenc_number(line, length, " end=");

	part->begin = yenc_number(line, length, " begin=");
	return end && end >= part->begin ? end - part->begin + 1 : size;
}

/*
 * Reads up to "=yend", of what has no end as much as the file has.  Without an end it goes no
 * further than the next file, since others read that one, unless to_size is set and as much as
 * was announced is there; and never further than the next in yEnc, whose line no data make, so
 * that each line is read once.
 */
static void
read_yenc(struct lines lines, gboolean to_size, struct part *part)
{
	GByteArray *out = part->file.bytes;
	guint64 size = part->file.size, announced = size;
	guint certain = G_MAXUINT; /* so many are before the next file */
	const char *line;
	gsize length;

	while (embedded_next_line(&lines, &line, &length) &&
	       !embedded_line_begins(line, length, EMBEDDED_YENC_LINE)) {
		if (embedded_line_begins(line, length, "=yend"))
			return;
		if (certain == G_MAXUINT && embedded_begins_file(&lines, line, length))
			certain = out->len;
		if (embedded_line_begins(line, length, "=ypart"))
			announced = read_limits(part, line, length, announced);
		else
			yenc_line(line, length, out);
	}
	if (!to_size || !announced || out->len < announced)
		g_byte_array_set_size(out, MIN(out->len, certain));
	if (size && size < out->len)
		g_byte_array_set_size(out, (guint)size);
}

/* Reads the part that begins after this line. */
static struct part
read_part(const struct lines *lines, const char *line, gsize length, gboolean to_size)
{
	struct part part = {.file = {.name = yenc_name(line, length),
				     .size = yenc_number(line, length, " size="),
				     .bytes = g_byte_array_new()},
			    .begin = 1};

	read_yenc(*lines, to_size, &part);
	return part;
}

/*
 * Likewise as other readers do, whose files go on over the lines of others to their size, and
 * whose lines end in LF alone; these if it begins one of them, so that none is read twice, and
 * if others follow.
 */
static struct part
read_other_part(const struct lines *lines, const char *line, gsize length, const char *text)
{
	struct lines by_feed = {.at = line, .end = lines->end, .by_feed = TRUE};
	const char *whole;
	gsize size;
	struct part part;

	/* Where all of the file is in the first of them, LF ends none of its lines. */
	if ((line == text || line[-1] == '\n') && embedded_next_line(&by_feed, &whole, &size) &&
	    !memmem(whole, size, "\r=yend", 6)) {
		part = read_part(&by_feed, whole, size, TRUE);
		if (part.file.bytes->len)
			return part;
		parts_clear(&part.file);
	}
	return read_part(lines, line, length, TRUE);
}

/* Whether it is the one that the parts of a file go on with. */
static gboolean
goes_on(const struct yenc_parts *parts, const struct part *part)
{
	return parts->bytes && part->begin == parts->bytes->len + (guint64)1 &&
	       g_str_equal(part->file.name, parts->name);
}

/* Adds a part, which is taken over, to those that it goes on, of which there are none else. */
static void
add_part(struct yenc_parts *parts, struct part *part)
{
	if (!parts->bytes) {
		*parts = part->file;
		return;
	}
	g_byte_array_append(parts->bytes, part->file.bytes->data, part->file.bytes->len);
	parts_clear(&part->file);
}

static gboolean
is_whole(const struct yenc_parts *parts)
{
	return parts->bytes->len >= parts->size;
}

void
embedded_read_yenc(const struct lines *lines, const char *line, gsize length,
		   struct yenc_files *files, embedded_function found, gpointer user)
{
	struct part part = read_part(lines, line, length, FALSE);
	struct part other = read_other_part(lines, line, length, files->text);

	/* Each of the others behind what it may be the same as. */
	if (!goes_on(&files->parts, &part))
		tell_parts(files, found, user);
	if (!goes_on(&files->others, &other))
		tell_others(files, found, user);
	add_part(&files->parts, &part);
	add_part(&files->others, &other);
	if (is_whole(&files->parts))
		tell_parts(files, found, user);
	if (is_whole(&files->others))
		tell_others(files, found, user);
}
