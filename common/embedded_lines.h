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
	/* The next LF and the next CR, or the end; before at, or NULL, while they are not
	   known.  Kept since lines that end in the one would search for the same one of
	   the other again and again. */
	const char *feed;
	const char *cr;
	gboolean by_feed; /* whether a lone CR is a byte like any other */
};

/* Returns the next such byte, or the end; known: the one that was found before, or NULL. */
static inline const char *
embedded_next_byte(const struct lines *lines, char byte, const char *known)
{
	if (known && known >= lines->at)
		return known;
	known = memchr(lines->at, byte, (gsize)(lines->end - lines->at));
	return known ? known : lines->end;
}

/* Passes the break of a line that ends at an LF or a CR. */
static inline void
embedded_pass_break(struct lines *lines, const char *last)
{
	const char *feed = lines->feed;

	if (last == lines->end)
		return;
	if (last < feed && (feed == lines->end || feed - last > 1 + (last[1] == '\r'))) {
		lines->at = last + 1;
		return;
	}
	lines->at = feed + 1;
	if (lines->end - feed > 2 && feed[1] == '\r' && feed[2] != '\n')
		lines->at++;
}

/*
 * Takes the next line, its break left out; returns FALSE at the end.  A lone CR is a
 * break, too, as decoders have it, unless lines go by LF; CR CR LF is one, and LF CR.
 */
static inline gboolean
embedded_next_line(struct lines *lines, const char **ret_line, gsize *ret_length)
{
	const char *line = lines->at, *last;

	if (line == lines->end)
		return FALSE;
	lines->feed = embedded_next_byte(lines, '\n', lines->feed);
	if (lines->by_feed) {
		last = lines->feed;
		lines->at = last + (last < lines->end);
		/* CR CR LF is no more than a break that was made twice. */
		while (last > line && last[-1] == '\r')
			last--;
		*ret_line = line;
		*ret_length = (gsize)(last - line);
		return TRUE;
	}
	lines->cr = embedded_next_byte(lines, '\r', lines->cr);
	last = MIN(lines->cr, lines->feed);
	lines->at = last;
	embedded_pass_break(lines, last);
	*ret_line = line;
	*ret_length = (gsize)(last - line);
	return TRUE;
}

/* Returns whether a line begins so. */
static inline gboolean
embedded_line_begins(const char *line, gsize length, const char *with)
{
	return length >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* ---- embedded.c ---- */

/* Returns whether a file, of any form, begins with this line, which lines stands behind. */
gboolean embedded_begins_file(const struct lines *lines, const char *line, gsize length);

/* ---- embedded_yenc.c ---- */

#define EMBEDDED_YENC_LINE "=ybegin "

/* A file of several parts, up to where they have come. */
struct yenc_parts {
	char *name;
	guint64 size;
	GByteArray *bytes;
};

/* The files in yEnc of a text, which is all that is set before the first. */
struct yenc_files {
	const char *text;
	struct yenc_parts parts;
	struct yenc_parts others; /* as other readers have them */
	struct yenc_parts told;	  /* the last of the former, from which the latter may differ */
};

/*
 * Reads the file, or the part of one, that a line of "=ybegin" begins.  lines is left
 * where it is: the lines of a file, too, may hold what others read as one.
 */
void embedded_read_yenc(const struct lines *lines, const char *line, gsize length,
			struct yenc_files *files, embedded_function found, gpointer user);

/* Calls found for what has come of a file, and forgets all. */
void embedded_end_yenc(struct yenc_files *files, embedded_function found, gpointer user);

/* ---- embedded_binhex.c ---- */

#define EMBEDDED_BINHEX_LINE "(This file must be converted with BinHex"

/* Returns whether a line may be the first of BinHex, which UUDeview finds without BinHex's own. */
gboolean embedded_is_binhex_line(const char *line, gsize length);

/*
 * Reads the data fork that follows, and takes what it needs of the room for what runs make.
 * told: BinHex's line was there; else its header's CRC has to be right.  lines is left where
 * it is.
 */
void embedded_read_binhex(const struct lines *lines, gboolean told, gsize *room,
			  embedded_function found, gpointer user);
#endif
