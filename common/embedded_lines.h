/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embedded_lines.h - what the readers of files in a text share; of no interest to others.
 *
 * embedded.c finds where a file begins and reads uuencode and base64, embedded_yenc.c and
 * embedded_binhex.c the others.  Pure; any thread.
 */
#ifndef MAILTRACE_EMBEDDED_LINES_H
#define MAILTRACE_EMBEDDED_LINES_H

#include <string.h>

#include "embedded.h"

/* A text, read a line at a time. */
struct lines {
	const char *at;
	const char *end;
	/* The next LF, or the end; before at, or NULL, while it is not known.  Kept since lines
	   that end in a lone CR would search for the same one again and again. */
	const char *feed;
};

/* Takes the next line, its break left out; returns FALSE at the end. */
static inline gboolean
embedded_next_line(struct lines *lines, const char **ret_line, gsize *ret_length)
{
	const char *line = lines->at;
	gsize length;

	if (line == lines->end)
		return FALSE;
	if (!lines->feed || lines->feed < line)
		lines->feed = memchr(line, '\n', (gsize)(lines->end - line));
	if (!lines->feed)
		lines->feed = lines->end;
	length = (gsize)(lines->feed - line);
	lines->at = lines->feed < lines->end ? lines->feed + 1 : lines->end;
	if (length && line[length - 1] == '\r')
		length--;
	*ret_line = line;
	*ret_length = length;
	return TRUE;
}

/* Returns whether a line begins so. */
static inline gboolean
embedded_line_begins(const char *line, gsize length, const char *with)
{
	return length >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* ---- embedded_yenc.c ---- */

/* A file of several parts, up to where they have come. */
struct yenc_parts {
	char *name;
	guint64 size;
	GByteArray *bytes;
};

/* Reads the file, or the part of one, that a line of "=ybegin" begins. */
void embedded_read_yenc(struct lines *lines, const char *line, gsize length,
			struct yenc_parts *parts, embedded_function found, gpointer user);

/* Calls found for what has come of a file, and forgets it. */
void embedded_yenc_flush(struct yenc_parts *parts, embedded_function found, gpointer user);

/* ---- embedded_binhex.c ---- */

#define EMBEDDED_BINHEX_LINE "(This file must be converted with BinHex"

/*
 * Reads the data fork that follows BinHex's line, and takes what it needs of the room for
 * what runs make.
 */
void embedded_read_binhex(struct lines *lines, gsize *room, embedded_function found, gpointer user);
#endif
