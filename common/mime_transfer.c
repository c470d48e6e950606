/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfer encodings by the plain reading: which it is, and what is in it. */
#include "mime_reader.h"

#include <gmime/gmime.h>
#include <string.h>

#include "base64.h"
#include "caps.h"
#include "embedded.h"
#include "mail_file.h"
#include "unpack.h"

/* Letters and digits of a transfer encoding that say what it resembles. */
#define RESEMBLED_BYTES 64

/* The names of transfer encodings that all readers know. */
static const struct {
	const char *name;
	enum encoding encoding;
} encodings[] = {
	{"7bit", ENCODING_IDENTITY},
	{"8bit", ENCODING_IDENTITY},
	{"binary", ENCODING_IDENTITY},
	{"base64", ENCODING_BASE64},
	{"quoted-printable", ENCODING_QUOTED_PRINTABLE},
	{"uuencode", ENCODING_UUENCODE},
	{"x-uuencode", ENCODING_UUENCODE},
	{"x-uue", ENCODING_UUENCODE},
};

enum encoding
mime_encoding(const struct file *file)
{
	for (gsize i = 0; file->encoding && i < G_N_ELEMENTS(encodings); i++)
		if (g_ascii_strcasecmp(file->encoding, encodings[i].name) == 0)
			return encodings[i].encoding;
	return ENCODING_IDENTITY;
}

/* Whether the header names a transfer encoding that all readers know, and does so once. */
static enum encoding
resembled(const struct source *source, struct span span)
{
	g_autoptr(GString) name = g_string_new(NULL);

	for (gsize i = 0; i < span.length && name->len < RESEMBLED_BYTES; i++)
		if (g_ascii_isalnum(source->bytes[span.begin + i]))
			g_string_append_c(name, g_ascii_tolower(source->bytes[span.begin + i]));
	if (strstr(name->str, "base64"))
		return ENCODING_BASE64;
	return strstr(name->str, "quotedprintable") ? ENCODING_QUOTED_PRINTABLE : ENCODING_IDENTITY;
}

/* What the multipart around an entity declares, which RFC 2045 6.4 forbids and some inherit. */
static enum encoding
inherited(const struct source *source, const struct entity *entity)
{
	if (entity->parent < 0)
		return ENCODING_IDENTITY;
	entity = &g_array_index(source->entities->list, struct entity, (guint)entity->parent);
	return resembled(source, entity->fields[FIELD_CONTENT_TRANSFER_ENCODING]);
}

/*
 * Whether a field is written so that all know its name and take the same for its value: no
 * blank before the colon, no fold before the value, and nothing after it.
 */
static gboolean
is_plainly_written(const struct source *source, struct span field, struct span value)
{
	const char *name_end = source->bytes + field.begin - 2;
	gsize end = field.begin + field.length;

	if (field.begin >= 2 && g_ascii_isspace(*name_end))
		return FALSE;
	if (memchr(source->bytes + field.begin, '\n', value.begin - field.begin))
		return FALSE;
	return value.begin + value.length == end || !g_ascii_isspace(source->bytes[end - 1]);
}

gboolean
mime_encoding_is_certain(const struct source *source, const struct entity *entity)
{
	struct span field = entity->fields[FIELD_CONTENT_TRANSFER_ENCODING];
	struct span span = mime_trim(source, field);

	if (entity->doubts & DOUBT_ENCODING_TWICE)
		return FALSE;
	if (!field.begin)
		return inherited(source, entity) == ENCODING_IDENTITY;
	if (!is_plainly_written(source, field, span))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(encodings); i++)
		if (span.length == strlen(encodings[i].name) &&
		    g_ascii_strncasecmp(source->bytes + span.begin, encodings[i].name,
					span.length) == 0)
			return TRUE;
	return FALSE;
}

enum encoding
mime_resembled_encoding(const struct source *source, const struct entity *entity)
{
	struct span span = entity->fields[FIELD_CONTENT_TRANSFER_ENCODING];

	return span.begin ? resembled(source, span) : inherited(source, entity);
}

/* ---- decoding ---- */

/* Keeps what is wanted of the first bytes of a content. */
static void
keep_head(struct content *content, const char *bytes, gsize length)
{
	gsize some = MIN(length, content->keep - content->kept->len);

	g_byte_array_append(content->kept, (const guint8 *)bytes, (guint)some);
	if (some == length || content->known)
		return;
	content->known = TRUE;
	if (!unpack_is_archive(content->kept->data, content->kept->len, content->attachment) &&
	    !embedded_begins(content->kept->data, content->kept->len) &&
	    !mail_file_begins((const char *)content->kept->data, content->kept->len))
		return;
	content->keep = CAP_KEPT_BYTES;
	keep_head(content, bytes + some, length - some);
}

static void
keep(struct content *content, const char *bytes, gsize length)
{
	zip_tail_add(&content->tail, bytes, length);
	archive_mark_add(&content->mark, bytes, length);
	keep_head(content, bytes, length);
}

/* Returns the length of what stands before uuencoded lines, "begin" and its line included. */
static gsize
uuencode_head(const char *bytes, gsize length)
{
	const char *at = bytes, *end = bytes + length;

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));

		if (!feed)
			break;
		if (feed - at > 6 && memcmp(at, "begin ", 6) == 0)
			return (gsize)(feed + 1 - bytes);
		at = feed + 1;
	}
	return length;
}

/*
 * Decodes the beginning of base64 on which all readers agree, nearly always all
 * of it but the padded end.  Returns its length.
 */
static gsize
decode_clean(struct reader *reader, const char *bytes, gsize length, struct content *content)
{
	gsize at = 0, taken;

	do {
		gsize done = base64_decode_clean(bytes + at, MIN(length - at, PIECE_BYTES),
						 (guint8 *)reader->piece, &taken);

		fingerprint_add(reader->fingerprint, reader->piece, done);
		keep(content, reader->piece, done);
		at += taken;
	} while (taken);
	return at;
}

/* Decodes base64 or uuencode. */
static void
decode_binary(struct reader *reader, const char *bytes, gsize length, enum encoding encoding,
	      struct content *content)
{
	GMimeEncoding state;
	gsize at = 0, done;
	int held;

	g_mime_encoding_init_decode(&state, encoding == ENCODING_UUENCODE
						    ? GMIME_CONTENT_ENCODING_UUENCODE
						    : GMIME_CONTENT_ENCODING_BASE64);
	if (encoding == ENCODING_UUENCODE) {
		at = uuencode_head(bytes, length);
		state.state = GMIME_UUDECODE_STATE_BEGIN;
	} else {
		at = decode_clean(reader, bytes, length, content);
	}
	for (; at < length; at += PIECE_BYTES) {
		done = g_mime_encoding_step(&state, bytes + at, MIN(length - at, PIECE_BYTES),
					    reader->piece);
		fingerprint_add(reader->fingerprint, reader->piece, done);
		keep(content, reader->piece, done);
	}
	/* Characters of the last four that are there; negative once padding was seen. */
	held = encoding == ENCODING_BASE64 ? MAX(state.state, 0) : 0;
	content->truncated = held > 0;
	if (held < 2)
		return;
	/* The last bytes, whose padding is missing. */
	done = g_mime_encoding_step(&state, "==", (gsize)(4 - held), reader->piece);
	fingerprint_add(reader->fingerprint, reader->piece, done);
	keep(content, reader->piece, done);
}

typedef void (*add_function)(struct fingerprint *fingerprint, const void *bytes, gsize length);

/* Decodes a piece of quoted-printable; length 0 ends it. */
static void
decode_quoted_piece(struct reader *reader, GMimeEncoding *state, const char *bytes, gsize length,
		    add_function add, struct content *content)
{
	gsize done = length ? g_mime_encoding_step(state, bytes, length, reader->piece)
			    : g_mime_encoding_flush(state, "", 0, reader->piece);

	add(reader->fingerprint, reader->piece, done);
	if (content)
		keep(content, reader->piece, done);
}

static void
decode_quoted(struct reader *reader, const char *bytes, gsize length, struct content *content)
{
	GMimeEncoding state;

	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	for (gsize at = 0; at < length; at += PIECE_BYTES)
		decode_quoted_piece(reader, &state, bytes + at, MIN(length - at, PIECE_BYTES),
				    fingerprint_add_exact, content);
	decode_quoted_piece(reader, &state, NULL, 0, fingerprint_add_exact, content);
}

/* The LF form of quoted-printable: its own line ends are LF, what it encodes stays. */
static void
decode_quoted_lf(struct reader *reader, const char *bytes, gsize length)
{
	GMimeEncoding state;
	const char *at = bytes, *end = bytes + length;

	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	while (at < end) {
		const char *most = at + MIN((gsize)(end - at), PIECE_BYTES);
		const char *feed = memchr(at, '\n', (gsize)(most - at));
		const char *stop = feed ? feed : most;
		const char *text_end = stop;

		while (text_end > at && text_end[-1] == '\r')
			text_end--;
		/* CRs at the end of a piece belong to the next. */
		if (!feed && (stop == end || text_end == at))
			text_end = stop;
		if (text_end > at)
			decode_quoted_piece(reader, &state, at, (gsize)(text_end - at),
					    fingerprint_add_lf, NULL);
		if (feed)
			decode_quoted_piece(reader, &state, "\n", 1, fingerprint_add_lf, NULL);
		at = feed ? feed + 1 : text_end;
	}
	decode_quoted_piece(reader, &state, NULL, 0, fingerprint_add_lf, NULL);
}

/* Decodes bytes into the fingerprint, and keeps the first of them. */
void
mime_decode(struct reader *reader, const char *bytes, gsize length, enum encoding encoding,
	    struct content *content)
{
	switch (encoding) {
	case ENCODING_BASE64:
	case ENCODING_UUENCODE:
		return decode_binary(reader, bytes, length, encoding, content);
	case ENCODING_QUOTED_PRINTABLE:
		decode_quoted(reader, bytes, length, content);
		return decode_quoted_lf(reader, bytes, length);
	default:
		fingerprint_add(reader->fingerprint, bytes, length);
		keep(content, bytes, length);
	}
}

/*
 * Returns the bytes of the delimiter's line break that would be part of the
 * decoded content: none in base64, none after a soft line break (RFC 2045 6.7).
 */
gsize
mime_visible_break(const char *bytes, gsize length, gsize break_bytes, enum encoding encoding)
{
	if (encoding == ENCODING_BASE64 || encoding == ENCODING_UUENCODE)
		return 0;
	if (encoding != ENCODING_QUOTED_PRINTABLE)
		return break_bytes;
	while (length && (bytes[length - 1] == ' ' || bytes[length - 1] == '\t'))
		length--;
	return length && bytes[length - 1] == '=' ? 0 : break_bytes;
}
