/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

/* A text, read a line at a time. */
struct lines {
	const char *at;
	const char *end;
};

/* Takes the next line, its break left out; returns FALSE at the end. */
static gboolean
next_line(struct lines *lines, const char **ret_line, gsize *ret_length)
{
	const char *line = lines->at, *feed;
	gsize length;

	if (line == lines->end)
		return FALSE;
	feed = memchr(line, '\n', (gsize)(lines->end - line));
	length = (gsize)((feed ? feed : lines->end) - line);
	lines->at = feed ? feed + 1 : lines->end;
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

/* A mode has three digits or four, or six with the file's type, as git writes them. */
#define UU_MODE_DIGITS 7

static gsize
after_blanks(const char *line, gsize length, gsize at)
{
	while (at < length && line[at] == ' ')
		at++;
	return at;
}

/* Returns the name after "begin 644 ", or NULL when the mode is none.  Free with g_free(). */
static char *
name_after_mode(const char *line, gsize length, const char *keyword)
{
	gsize at = strlen(keyword), digits = 0;

	if (!begins(line, length, keyword))
		return NULL;
	at = after_blanks(line, length, at);
	while (at < length && line[at] >= '0' && line[at] <= '7') {
		at++;
		digits++;
	}
	if (digits < 3 || digits > UU_MODE_DIGITS || at == length || line[at] != ' ')
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

/* Decodes a line of uuencode (POSIX); returns FALSE when it is none, or the last. */
static gboolean
uu_line(const char *line, gsize length, GByteArray *out)
{
	gsize count = uu_value(line, length, 0), wanted = (count + 2) / 3 * 4;

	/* Blanks at its end may be lost on the way, and a check character be there. */
	if (!count || length > wanted + 2 || length + 4 < wanted)
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '`')
			return FALSE;
	for (gsize at = 1, left = count; left; at += 4) {
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
	return TRUE;
}

/* A line of 45 bytes, as all of a file but the last have them; its end may be lost. */
#define UU_FULL_LINE 61

/* Returns the name after "begin ", where the mode is missing and a full line follows. */
static char *
name_without_mode(const struct lines *lines, const char *line, gsize length)
{
	struct lines after = *lines;
	gsize at = strlen("begin "), full;
	const char *next;

	if (!begins(line, length, "begin ") || !next_line(&after, &next, &full) || *next != 'M' ||
	    full + 2 < UU_FULL_LINE || full > UU_FULL_LINE)
		return NULL;
	for (gsize i = 0; i < full; i++)
		if (next[i] < ' ' || next[i] > '`')
			return NULL;
	at = after_blanks(line, length, at);
	return at < length ? g_strndup(line + at, length - at) : NULL;
}

static void
read_uuencode(struct lines *lines, GByteArray *out)
{
	struct lines before = *lines;
	const char *line;
	gsize length;

	while (next_line(lines, &line, &length) && uu_line(line, length, out))
		before = *lines;
	*lines = before;
}

/* ---- the others in a text ---- */

/* Base64 up to "====", as uuencode -m writes it. */
static void
read_base64(struct lines *lines, GByteArray *out)
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
		found("yenc-in-text", (const char *[]){parts->name, NULL}, parts->bytes, user);
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
#define BINHEX_GROWTH 16 /* runs make no more of a text than that; real ones double it */

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

static GByteArray *
binhex_expand(const GByteArray *in)
{
	GByteArray *out = g_byte_array_new();

	for (guint i = 0; i < in->len && out->len / BINHEX_GROWTH <= in->len; i++) {
		guint8 byte = in->data[i];
		guint times = 1;

		if (byte == BINHEX_RUN && i + 1 < in->len) {
			times = in->data[++i];
			/* Once of the run is there already; none stands for the mark itself. */
			byte = times && out->len ? out->data[out->len - 1] : BINHEX_RUN;
			times = times ? times - 1 : 1;
		}
		while (times--)
			g_byte_array_append(out, &byte, 1);
	}
	return out;
}

/* Reads the data fork that follows BinHex's line. */
static void
read_binhex(struct lines *lines, embedded_function found, gpointer user)
{
	g_autoptr(GByteArray) packed = NULL, all = NULL, data = NULL;
	g_autofree char *name = NULL;
	const guint8 *sizes;
	guint32 size;
	gsize head;

	while (lines->at < lines->end && g_ascii_isspace(*lines->at))
		lines->at++;
	if (lines->at == lines->end || *lines->at != ':')
		return;
	lines->at++;
	packed = binhex_bytes(lines);
	all = binhex_expand(packed);
	head = all->len ? all->data[0] + (gsize)BINHEX_HEADER : 0;
	if (!head || all->len < head)
		return;
	name = g_strndup((const char *)all->data + 1, all->data[0]);
	sizes = all->data + all->data[0] + 12;
	size = (guint32)sizes[0] << 24 | (guint32)sizes[1] << 16 | (guint32)sizes[2] << 8 |
	       sizes[3];
	data = g_byte_array_new();
	g_byte_array_append(data, all->data + head, (guint)MIN(size, all->len - head));
	if (data->len)
		found("binhex-in-text", (const char *[]){name, NULL}, data, user);
}

/* ---- what begins with a line of its own ---- */

static const struct {
	const char *how;
	const char *keyword; /* before the mode */
	void (*read)(struct lines *lines, GByteArray *out);
} text_forms[] = {
	/* The first may have no mode. */
	{"uuencode-in-text", "begin ", read_uuencode},
	{"base64-in-text", "begin-base64 ", read_base64},
};

/* Reads the file that begins after this line, if one does. */
static void
read_form(struct lines *lines, const char *line, gsize length, embedded_function found,
	  gpointer user)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree char *name = NULL;
	gsize form = 0;

	while (form < G_N_ELEMENTS(text_forms) && !name)
		name = name_after_mode(line, length, text_forms[form++].keyword);
	if (!name) {
		name = name_without_mode(lines, line, length);
		form = 1;
	}
	if (!name)
		return;
	text_forms[form - 1].read(lines, bytes);
	if (bytes->len)
		found(text_forms[form - 1].how, (const char *[]){name, NULL}, bytes, user);
}

void
embedded_in_text(const void *bytes, gsize length, embedded_function found, gpointer user)
{
	struct lines lines = {bytes, (const char *)bytes + length};
	struct parts parts = {0};
	const char *line;

	while (next_line(&lines, &line, &length))
		if (begins(line, length, "=ybegin "))
			read_yenc_file(&lines, line, length, &parts, found, user);
		else if (length > 8 && *line == 'b')
			read_form(&lines, line, length, found, user);
		else if (begins(line, length, BINHEX_LINE))
			read_binhex(&lines, found, user);
	parts_flush(&parts, found, user);
}

gboolean
embedded_begins(const void *bytes, gsize length)
{
	struct lines lines = {bytes, (const char *)bytes + MIN(length, EMBEDDED_HEAD)};
	const char *line;

	while (next_line(&lines, &line, &length))
		if (begins(line, length, "begin ") || begins(line, length, "begin-base64 ") ||
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
