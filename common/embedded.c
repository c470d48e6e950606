/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

/* A text, read a line at a time. */
struct lines {
	const char *at;
	const char *end;
	/* The next LF, or the end; before at, or NULL, while it is not known.  Kept since lines
	   that end in a lone CR would search for the same one again and again. */
	const char *feed;
};

/* Takes the next line, its break left out; returns FALSE at the end. */
static gboolean
next_line(struct lines *lines, const char **ret_line, gsize *ret_length)
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

static gboolean
begins(const char *line, gsize length, const char *with)
{
	return length >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

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

/* Takes the next line, as next_line() does; here a lone CR ends one, too. */
static gboolean
next_uu_line(struct lines *lines, const char **ret_line, gsize *ret_length)
{
	const char *line = lines->at, *at = line;

	if (line == lines->end)
		return FALSE;
	while (at < lines->end && *at != '\r' && *at != '\n')
		at++;
	*ret_line = line;
	*ret_length = (gsize)(at - line);
	if (at < lines->end && *at == '\r')
		at++;
	if (at < lines->end && *at == '\n')
		at++;
	lines->at = at;
	return TRUE;
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
	while (next_uu_line(&after, &next, &full) && !uu_trimmed(next, full, 0))
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

/* Whether another file, of any form, begins after this line. */
static gboolean begins_file(const struct lines *lines, const char *line, gsize length);

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

	while (next_uu_line(&here, &line, &length)) {
		if (uu_ends(line, length)) {
			*lines = here;
			return uu.odd;
		}
		if (begins_file(&here, line, length) || !uu_read(&uu, line, length))
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

	while (next_line(lines, &line, &length) && !begins(line, length, "===") &&
	       recode_is_base64_line(line, length))
		before = *lines;
	*lines = before;
	bytes = recode_base64(begin, (gsize)(before.at - begin));
	g_byte_array_append(out, bytes->data, bytes->len);
	return FALSE;
}

/* ---- yEnc 1.3 ---- */

/* A file of several parts, up to where they have come. */
struct parts {
	char *name;
	guint64 size;
	GByteArray *bytes;
};

static void
parts_flush(struct parts *parts, embedded_function found, gpointer user)
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

/* Reads up to "=yend", of what has no end as much as was announced; returns where it begins. */
static guint64
read_yenc(struct lines *lines, guint64 size, GByteArray *out)
{
	guint64 begin = 1;
	const char *line;
	gsize length;
	gboolean ended = FALSE;

	while (!ended && next_line(lines, &line, &length)) {
		ended = begins(line, length, "=yend");
		if (begins(line, length, "=ypart"))
			begin = yenc_number(line, length, " begin=");
		else if (!ended)
			yenc_line(line, length, out);
	}
	if (!ended && size && size < out->len)
		g_byte_array_set_size(out, (guint)size);
	return begin;
}

/* Reads the file, or the part of one, that begins after this line; parts are put together. */
static void
read_yenc_file(struct lines *lines, const char *line, gsize length, struct parts *parts,
	       embedded_function found, gpointer user)
{
	struct parts part = {.name = yenc_name(line, length),
			     .size = yenc_number(line, length, " size="),
			     .bytes = g_byte_array_new()};
	guint64 begin = read_yenc(lines, part.size, part.bytes);

	if (parts->bytes && begin == parts->bytes->len + (guint64)1 &&
	    g_str_equal(part.name, parts->name)) {
		g_byte_array_append(parts->bytes, part.bytes->data, part.bytes->len);
		g_byte_array_unref(part.bytes);
		g_free(part.name);
	} else {
		parts_flush(parts, found, user);
		*parts = part;
	}
	if (parts->bytes->len >= parts->size)
		parts_flush(parts, found, user);
}

/* ---- BinHex 4.0 (RFC 1741) ---- */

#define BINHEX_LINE "(This file must be converted with BinHex"
#define BINHEX_HEADER 22 /* bytes of its header beside the name */
#define BINHEX_RUN 0x90	 /* repeats the byte before it, so many times */

static int
binhex_value(char byte)
{
	static const char alphabet[] =
		"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
	const char *found = byte ? strchr(alphabet, byte) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

/* Undoes the six bits a character, from a colon to the next. */
static GByteArray *
binhex_bytes(struct lines *lines)
{
	GByteArray *out = g_byte_array_new();
	guint32 bits = 0;
	guint count = 0;

	for (; lines->at < lines->end && *lines->at != ':'; lines->at++) {
		int value = binhex_value(*lines->at);

		if (value < 0)
			continue;
		bits = bits << 6 | (guint32)value;
		count += 6;
		if (count >= 8) {
			guint8 byte = (guint8)(bits >> (count - 8));

			count -= 8;
			g_byte_array_append(out, &byte, 1);
		}
	}
	return out;
}

/*
 * Undoes the runs; puts what is from begin to end of all that they make into ret_bytes,
 * unless that is NULL.  Returns how many bytes of it there are.
 */
static gsize
binhex_expand(const GByteArray *in, gsize begin, gsize end, guint8 *ret_bytes)
{
	guint8 byte = BINHEX_RUN;
	gsize at = 0;

	for (guint i = 0; i < in->len && at < end; i++) {
		gsize times = 1, from, to;

		if (in->data[i] == BINHEX_RUN && i + 1 < in->len) {
			/* Once of the run is there already; none stands for the mark itself. */
			times = in->data[++i];
			byte = times ? byte : BINHEX_RUN;
			times = times ? times - 1 : 1;
		} else {
			byte = in->data[i];
		}
		from = MAX(at, begin);
		to = MIN(at + times, end);
		if (ret_bytes && from < to)
			memset(ret_bytes + from - begin, byte, to - from);
		at += times;
	}
	return CLAMP(at, begin, end) - begin;
}

/* Returns the bytes of the header, which has the name first, or 0 when it is not all there. */
static gsize
binhex_header(const GByteArray *packed, guint8 *ret_header)
{
	gsize bytes;

	if (!binhex_expand(packed, 0, 1, ret_header))
		return 0;
	bytes = ret_header[0] + (gsize)BINHEX_HEADER;
	return binhex_expand(packed, 0, bytes, ret_header) == bytes ? bytes : 0;
}

/* Returns the data fork, up to the room for it, and how many bytes it has. */
static GByteArray *
binhex_data(const GByteArray *packed, const guint8 *header, gsize head, gsize room, gsize *ret_size)
{
	const guint8 *sizes = header + header[0] + 12;
	gsize told =
		(gsize)sizes[0] << 24 | (gsize)sizes[1] << 16 | (gsize)sizes[2] << 8 | sizes[3];
	/* Less may be there than is told: it is counted before there is memory for it. */
	gsize size = binhex_expand(packed, head, head + told, NULL);
	gsize length = MIN(size, room);
	guint8 *bytes = g_malloc(MAX(length, 1));

	binhex_expand(packed, head, head + length, bytes);
	*ret_size = size;
	return g_byte_array_new_take(bytes, length);
}

/* Reads the data fork that follows BinHex's line, and takes what it needs of the room. */
static void
read_binhex(struct lines *lines, gsize *room, embedded_function found, gpointer user)
{
	guint8 header[G_MAXUINT8 + BINHEX_HEADER];
	g_autoptr(GByteArray) packed = NULL, data = NULL;
	g_autofree char *name = NULL;
	gsize head, size;

	while (lines->at < lines->end && g_ascii_isspace(*lines->at))
		lines->at++;
	if (lines->at == lines->end || *lines->at != ':')
		return;
	lines->at++;
	packed = binhex_bytes(lines);
	head = binhex_header(packed, header);
	if (!head)
		return;
	name = g_strndup((const char *)header + 1, header[0]);
	data = binhex_data(packed, header, head, *room, &size);
	*room -= data->len;
	/* What is found may be looked into, and need the memory. */
	g_clear_pointer(&packed, g_byte_array_unref);
	if (size)
		found("binhex-in-text", (const char *[]){name, NULL}, data, size, user);
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

static gboolean
begins_file(const struct lines *lines, const char *line, gsize length)
{
	gsize form;
	g_autofree char *name = form_name(lines, line, length, &form);

	return name || begins(line, length, "=ybegin ") || begins(line, length, BINHEX_LINE);
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
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	const char *cr = memchr(line, '\r', length), *begin;
	struct lines behind = *lines;
	g_autofree char *name = NULL;
	gsize form;
	gboolean differs;

	/* Its lines may end in CR alone. */
	if (cr)
		behind.at = cr + 1;
	name = form_name(&behind, line, cr ? (gsize)(cr - line) : length, &form);
	if (!name)
		return;
	begin = behind.at;
	differs = text_forms[form].read(&behind, *line == 'B', bytes);
	if (!bytes->len)
		return;
	*lines = behind;
	found(text_forms[form].how, (const char *[]){name, NULL}, bytes, bytes->len, user);
	if (differs)
		read_by_lines(begin, behind.at, bytes, name, found, user);
}

void
embedded_in_text(const void *bytes, gsize length, gsize *room, embedded_function found,
		 gpointer user)
{
	struct lines lines = {bytes, (const char *)bytes + length};
	struct parts parts = {0};
	const char *line;

	while (next_line(&lines, &line, &length))
		if (begins(line, length, "=ybegin "))
			read_yenc_file(&lines, line, length, &parts, found, user);
		else if (length > 8 && (*line == 'b' || *line == 'B'))
			read_form(&lines, line, length, found, user);
		else if (begins(line, length, BINHEX_LINE))
			read_binhex(&lines, room, found, user);
	parts_flush(&parts, found, user);
}

gboolean
embedded_begins(const void *bytes, gsize length)
{
	struct lines lines = {bytes, (const char *)bytes + MIN(length, EMBEDDED_HEAD)};
	const char *line;

	while (next_line(&lines, &line, &length))
		if (begins_with_word(line, length, "begin") ||
		    begins_with_word(line, length, "begin-base64") ||
		    begins(line, length, "=ybegin ") || begins(line, length, BINHEX_LINE))
			return TRUE;
	return FALSE;
}

/* ---- S/MIME ---- */

/* The OIDs of signed-data and of data (RFC 5652 5.1 and 4), as DER has them. */
static const guint8 signed_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				     0xf7, 0x0d, 0x01, 0x07, 0x02};
static const guint8 plain_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				    0xf7, 0x0d, 0x01, 0x07, 0x01};

/* Where signed-data's OID is, at the latest: behind a tag and a length. */
#define SIGNED_PROBE 32

struct der {
	const guint8 *at;
	const guint8 *end;
};

/* Takes a tag and its length (X.690 8.1); indefinite is all that is left. */
static gboolean
der_open(struct der *der, guint8 tag, struct der *ret_value)
{
	gsize size = 0, octets;

	if (der->end - der->at < 2 || der->at[0] != tag)
		return FALSE;
	octets = der->at[1];
	der->at += 2;
	if (octets == 0x80) {
		size = (gsize)(der->end - der->at);
	} else if (octets < 0x80) {
		size = octets;
	} else {
		octets &= 0x7f;
		if (octets > 4 || (gsize)(der->end - der->at) < octets)
			return FALSE;
		while (octets--)
			size = size << 8 | *der->at++;
	}
	size = MIN(size, (gsize)(der->end - der->at));
	*ret_value = (struct der){der->at, der->at + size};
	der->at += size;
	return TRUE;
}

GByteArray *
embedded_in_signed(const void *bytes, gsize length)
{
	const guint8 *oid;
	struct der content, octets, whole;
	GByteArray *out;

	if (length < SIGNED_PROBE || *(const guint8 *)bytes != 0x30 ||
	    !memmem(bytes, SIGNED_PROBE, signed_data, sizeof(signed_data)))
		return NULL;
	oid = memmem(bytes, length, plain_data, sizeof(plain_data));
	if (!oid)
		return NULL;
	whole = (struct der){oid + sizeof(plain_data), (const guint8 *)bytes + length};
	if (!der_open(&whole, 0xa0, &content))
		return NULL;
	out = g_byte_array_new();
	/* One octet string, or one that is made of several (BER). */
	if (content.at < content.end && *content.at == 0x24)
		der_open(&content, 0x24, &octets);
	else
		octets = content;
	while (der_open(&octets, 0x04, &content))
		g_byte_array_append(out, content.at, (guint)(content.end - content.at));
	return out;
}
