/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in a text, and those of uuencode and base64. */
#include <config.h>

#include "embedded_lines.h"

#include <string.h>

#include "recode.h"

static gboolean
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Whether a line begins with a keyword in either case, and a blank after it. */
static gboolean
begins_with_word(const char *line, gsize length, const char *keyword)
{
	gsize size = strlen(keyword);

	return length > size && g_ascii_strncasecmp(line, keyword, size) == 0 &&
	       is_blank(line[size]);
}

/* A mode has three digits or four, or six with the file's type, as git writes them. */
#define UU_MODE_DIGITS 7

static gsize
after_blanks(const char *line, gsize length, gsize at)
{
	while (at < length && is_blank(line[at]))
		at++;
	return at;
}

/* Returns the name after "begin 644 ", or NULL when the mode is none.  Free with g_free(). */
static char *
name_after_mode(const char *line, gsize length, const char *keyword)
{
	gsize at = strlen(keyword), digits = 0;

	if (!begins_with_word(line, length, keyword))
		return NULL;
	at = after_blanks(line, length, at);
	while (at < length && line[at] >= '0' && line[at] <= '7') {
		at++;
		digits++;
	}
	if (digits < 3 || digits > UU_MODE_DIGITS || at == length || !is_blank(line[at]))
		return NULL;
	at = after_blanks(line, length, at);
	return at < length ? g_strndup(line + at, length - at) : NULL;
}

/* ---- uuencode ---- */

static guint8
uu_value(const char *line, gsize length, gsize at)
{
	return at < length ? (guint8)((line[at] - ' ') & 077) : 0;
}

/* Returns the length of a line without the blanks at its end, if it is longer than least. */
static gsize
uu_trimmed(const char *line, gsize length, gsize least)
{
	while (length > least && is_blank(line[length - 1]))
		length--;
	return length;
}

/* Whether a line is one of uuencode (POSIX): a file's, or the empty one before its end. */
static gboolean
uu_fits(const char *line, gsize length)
{
	gsize wanted = (uu_value(line, length, 0) + (gsize)2) / 3 * 4;

	/* Blanks at its end may be lost on the way, or come, and one check character of any
	   kind be there. */
	length = uu_trimmed(line, length, wanted + 1);
	if (!length || length > wanted + 2 || length + 4 < wanted)
		return FALSE;
	for (gsize i = 0; i < length && i <= wanted; i++)
		if (line[i] < ' ' || line[i] > '`')
			return FALSE;
	return TRUE;
}

/* Decodes a line that fits. */
static void
uu_line(const char *line, gsize length, GByteArray *out)
{
	for (gsize at = 1, left = uu_value(line, length, 0); left; at += 4) {
		guint32 bits = 0;
		guint8 bytes[3];
		gsize some = MIN(left, 3);

		for (gsize i = 0; i < 4; i++)
			bits = bits << 6 | uu_value(line, length, at + i);
		bytes[0] = (guint8)(bits >> 16);
		bytes[1] = (guint8)(bits >> 8);
		bytes[2] = (guint8)bits;
		g_byte_array_append(out, bytes, (guint)some);
		left -= some;
	}
}

/* A line of 45 bytes, as all of a file but the last have them; its end may be lost. */
#define UU_FULL_LINE 61

/* Whether a line is such a one, so that it is no words. */
static gboolean
uu_is_full(const char *line, gsize length)
{
	return length + 2 >= UU_FULL_LINE && *line == 'M' && uu_fits(line, length);
}

/* Returns the name after "begin ", where the mode is missing and a full line follows. */
static char *
name_without_mode(const struct lines *lines, const char *line, gsize length)
{
	struct lines after = *lines;
	gsize at = strlen("begin"), full = 0;
	const char *next = NULL;

	if (!begins_with_word(line, length, "begin"))
		return NULL;
	while (embedded_next_line(&after, &next, &full) && !uu_trimmed(next, full, 0))
		;
	if (!next || !uu_is_full(next, full))
		return NULL;
	at = after_blanks(line, length, at);
	return at < length ? g_strndup(line + at, length - at) : NULL;
}

static gboolean
uu_ends(const char *line, gsize length)
{
	return uu_trimmed(line, length, 0) == 3 && g_ascii_strncasecmp(line, "end", 3) == 0;
}

/*
 * What is known of a file whose lines are read.  Words may look like a short one, so
 * that what is odd needs proof: an end that follows or, of empty lines, that the first
 * with something in it is full.
 */
struct uu {
	gboolean odd;	 /* from here on, unless an end follows */
	gboolean full;	 /* its first line is */
	guint certain;	 /* bytes before what is odd */
	GByteArray *out; /* all bytes */
};

/* Reads a line; returns FALSE when it and what follows is no more of the file. */
static gboolean
uu_read(struct uu *uu, const char *line, gsize length)
{
	if (uu_fits(line, length)) {
		if (!uu->out->len && uu_is_full(line, length)) {
			uu->full = TRUE;
			uu->odd = FALSE;
		}
		uu_line(line, length, uu->out);
	} else if (!uu_trimmed(line, length, 0)) {
		uu->odd = uu->odd || !uu->full;
	} else if (uu->out->len) {
		uu->odd = TRUE;
	} else {
		return FALSE;
	}
	if (!uu->odd)
		uu->certain = uu->out->len;
	return TRUE;
}

/*
 * Reads the lines of a file up to its end; those that are none of uuencode are passed
 * over.  Without an end the file goes to the first that is odd.  The search for it goes
 * no further than the next file, so that the text is read twice at most.  Returns whether
 * something is odd.
 */
static gboolean
read_uuencode(struct lines *lines, gboolean doubtful, GByteArray *out)
{
	struct uu uu = {.odd = doubtful, .out = out};
	struct lines here = *lines, before = *lines;
	const char *line;
	gsize length;

	while (embedded_next_line(&here, &line, &length)) {
		if (uu_ends(line, length)) {
			*lines = here;
			return uu.odd;
		}
		if (embedded_begins_file(&here, line, length) || !uu_read(&uu, line, length))
			break;
		if (!uu.odd)
			before = here;
	}
	g_byte_array_set_size(out, uu.certain);
	*lines = before;
	return FALSE;
}

/* ---- the others in a text ---- */

/* Base64 up to "====", as uuencode -m writes it. */
static gboolean
read_base64(struct lines *lines, G_GNUC_UNUSED gboolean doubtful, GByteArray *out)
{
	const char *begin = lines->at, *line;
	struct lines before = *lines;
	gsize length;
	g_autoptr(GByteArray) bytes = NULL;

	while (embedded_next_line(lines, &line, &length) &&
	       !embedded_line_begins(line, length, "===") && recode_is_base64_line(line, length))
		before = *lines;
	*lines = before;
	bytes = recode_base64(begin, (gsize)(before.at - begin));
	g_byte_array_append(out, bytes->data, bytes->len);
	return FALSE;
}

/* ---- what begins with a line of its own ---- */

static const struct {
	const char *how;
	const char *keyword; /* before the mode */
	/* doubtful: words begin so, too.  Returns whether others may read other bytes. */
	gboolean (*read)(struct lines *lines, gboolean doubtful, GByteArray *out);
} text_forms[] = {
	/* The first may have no mode. */
	{"uuencode-in-text", "begin", read_uuencode},
	{"base64-in-text", "begin-base64", read_base64},
};

/* Returns the name of the file that begins after this line, or NULL.  Free with g_free(). */
static char *
form_name(const struct lines *lines, const char *line, gsize length, gsize *ret_form)
{
	for (gsize form = 0; form < G_N_ELEMENTS(text_forms); form++) {
		char *name = name_after_mode(line, length, text_forms[form].keyword);

		if (name) {
			*ret_form = form;
			return name;
		}
	}
	*ret_form = 0;
	return name_without_mode(lines, line, length);
}

/* Whether a line is the first of a file in yEnc or BinHex. */
static gboolean
begins_other_form(const char *line, gsize length)
{
	return embedded_line_begins(line, length, EMBEDDED_YENC_LINE) ||
	       embedded_line_begins(line, length, EMBEDDED_BINHEX_LINE) ||
	       embedded_is_binhex_line(line, length);
}

gboolean
embedded_begins_file(const struct lines *lines, const char *line, gsize length)
{
	gsize form;
	g_autofree char *name = form_name(lines, line, length, &form);

	return name || begins_other_form(line, length);
}

/* Tells the same lines as others read them, if that differs from those that fit. */
static void
read_by_lines(const char *begin, const char *end, const GByteArray *fitting, const char *name,
	      embedded_function found, gpointer user)
{
	const struct encoded lines = {
		.bytes = begin, .length = (gsize)(end - begin), .declared = ENCODING_UUENCODE};
	g_autoptr(GByteArray) bytes = recode_uuencode_by_lines(&lines);

	if (bytes->len &&
	    (bytes->len != fitting->len || memcmp(bytes->data, fitting->data, bytes->len) != 0))
		found("uuencode-by-lines", (const char *[]){name, NULL}, bytes, bytes->len, user);
}

/* Reads the file that begins after this line, if one does. */
static void
read_form(struct lines *lines, const char *line, gsize length, embedded_function found,
	  gpointer user)
{
	g_autoptr(GByteArray) bytes = NULL;
	struct lines behind = *lines;
	gsize form;
	g_autofree char *name = form_name(lines, line, length, &form);
	gboolean differs;

	if (!name)
		return;
	bytes = g_byte_array_new();
	differs = text_forms[form].read(&behind, *line == 'B', bytes);
	if (bytes->len)
		found(text_forms[form].how, (const char *[]){name, NULL}, bytes, bytes->len, user);
	if (bytes->len && differs)
		read_by_lines(lines->at, behind.at, bytes, name, found, user);
	if (bytes->len)
		*lines = behind;
}

static void
read_told_binhex(const struct lines *lines, gboolean *ret_told, gsize *room,
		 embedded_function found, gpointer user)
{
	*ret_told = TRUE;
	embedded_read_binhex(lines, TRUE, room, found, user);
}

/* Reads BinHex that begins with this line, and no line of its own before it. */
static void
read_untold_binhex(const struct lines *lines, const char *line, gsize *room,
		   embedded_function found, gpointer user)
{
	const struct lines from = {.at = line, .end = lines->end};

	embedded_read_binhex(&from, FALSE, room, found, user);
}

void
embedded_in_text(const void *bytes, gsize length, gsize *room, embedded_function found,
		 gpointer user)
{
	struct lines lines = {.at = bytes, .end = (const char *)bytes + length};
	struct yenc_files yenc = {.text = bytes};
	gboolean told = FALSE; /* the line before was BinHex's */
	const char *line;

	while (embedded_next_line(&lines, &line, &length)) {
		gboolean read = told;

		told = told && length < strlen("begin a");
		if (length < strlen("begin a"))
			continue;
		else if (*line == 'b' || *line == 'B')
			read_form(&lines, line, length, found, user);
		else if (embedded_line_begins(line, length, EMBEDDED_YENC_LINE))
			embedded_read_yenc(&lines, line, length, &yenc, found, user);
		else if (embedded_line_begins(line, length, EMBEDDED_BINHEX_LINE))
			read_told_binhex(&lines, &told, room, found, user);
		else if (!read && embedded_is_binhex_line(line, length))
			read_untold_binhex(&lines, line, room, found, user);
	}
	embedded_end_yenc(&yenc, found, user);
}

gboolean
embedded_begins(const void *bytes, gsize length)
{
	struct lines lines = {.at = bytes, .end = (const char *)bytes + MIN(length, EMBEDDED_HEAD)};
	const char *line;

	while (embedded_next_line(&lines, &line, &length))
		if (begins_with_word(line, length, "begin") ||
		    begins_with_word(line, length, "begin-base64") ||
		    begins_other_form(line, length))
			return TRUE;
	return FALSE;
}
