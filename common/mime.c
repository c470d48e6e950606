/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structure of a message is split by entity.c, in one bounded pass: GMime's
 * own parser recurses once a level and compares each line with every open
 * boundary.  GMime is given what it reads best and what is bounded: transfer
 * encodings, a piece at a time, clean base64 apart (base64.h), and addresses and
 * dates of one field.
 */
#include "mime.h"

#include <gmime/gmime.h>
#include <string.h>

#include "base64.h"
#include "caps.h"
#include "charset.h"
#include "content_field.h"
#include "embedded.h"
#include "entity.h"
#include "fingerprint.h"
#include "magic.h"
#include "pasted.h"
#include "readings.h"
#include "scan.h"
#include "recode.h"
#include "text.h"
#include "unpack.h"
#include "url.h"
#include "wide.h"

/* Letters and digits of a transfer encoding that say what it resembles. */
#define RESEMBLED_BYTES 64

/* Encoded bytes are decoded in pieces of this size. */
#define PIECE_BYTES (32 * 1024)

/* A mark that stands for an encoded word while GMime splits addresses (private use). */
#define WORD_BEGIN "\xee\x80\x80"
#define WORD_END "\xee\x80\x81"

/* All zero: as the standards say, and where they are broken, as most readers do. */
static const struct split_options plain_reading;

struct reader {
	struct record *record;
	struct fingerprint *fingerprint;
	struct record *result; /* the record, also while that of a reading is made */
	struct unpacker *unpacker;
	gsize names_bytes;    /* of names kept so far */
	gsize url_scan_bytes; /* of text searched for links so far */
	gsize enclosed_bytes; /* of enclosed messages hashed so far */
	guint delivered;      /* Delivered-To fields so far */
	const struct split_options *options;
	guint doubts;	       /* of enum doubt, met by the plain reading */
	guint readings;	       /* other readings and decodings tried so far */
	guint64 reading_bytes; /* and what they read */
	const char *whole;     /* the message in hand, as it came */
	GHashTable *spans;     /* set of contents of it that the plain reading saw */
	GHashTable *others;    /* likewise, of those that another reading saw */
	GByteArray *lines;     /* it with CR LF for each CR, once it was wanted */
	gboolean carriage;     /* the reading in hand takes a lone CR for a line's end */
	gboolean joined;       /* it is of two rows */
	guint depth;	       /* levels above the message, of one that is in an archive */
	char *piece;	       /* PIECE_BYTES * 2 */
};

/* A message in hand: the whole, or one that was decoded from a part. */
struct source {
	const char *bytes;
	gsize length;
	struct entities *entities;
	int *files; /* index of each entity's file */
};

/* A content while it is decoded. */
struct content {
	GByteArray *kept; /* the first bytes of it */
	gsize keep;	  /* as many of them; of archives all */
	gboolean known;	  /* whether it is an archive was asked */
	gboolean attachment;
	gboolean truncated;
};

gboolean
mime_preload(GError **error)
{
	g_autoptr(GDateTime) date = NULL;

	g_mime_init();
	if (!digest_preload()) {
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
				    "libcrypto has no MD5, SHA-1 or SHA-256");
		return FALSE;
	}
	/* Reads what GLib knows of time zones once. */
	date = g_mime_utils_header_decode_date("Thu, 1 Jan 1970 00:00:00 +0900");
	unpack_preload();
	return charset_preload(error);
}

/* ---- header fields ---- */

/* Narrows a span to what is between the blanks around it. */
static struct span
trim(const struct source *source, struct span span)
{
	while (span.length && g_ascii_isspace(source->bytes[span.begin])) {
		span.begin++;
		span.length--;
	}
	while (span.length && g_ascii_isspace(source->bytes[span.begin + span.length - 1]))
		span.length--;
	return span;
}

static char *
bounded_text(struct reader *reader, const char *bytes, gsize length, gsize max_bytes,
	     const char *cap)
{
	gboolean cut = FALSE;
	char *text = text_from_bytes(bytes, length, max_bytes, &cut);

	if (cut)
		record_note_cap(reader->record, cap);
	return text;
}

/* A field's text as written, unfolded. */
static char *
field_text(struct reader *reader, const struct source *source, struct span span)
{
	g_autoptr(GString) flat = g_string_new(NULL);

	span = trim(source, span);
	for (gsize i = 0; i < span.length && flat->len <= CAP_FIELD_BYTES; i++)
		if (!strchr("\r\n", source->bytes[span.begin + i]) ||
		    !source->bytes[span.begin + i])
			g_string_append_c(flat, source->bytes[span.begin + i]);
	return bounded_text(reader, flat->str, flat->len, CAP_FIELD_BYTES, CAP_FIELD_BYTES_NAME);
}

static gboolean
same_bytes(const char *text, const void *bytes, gsize length)
{
	return strlen(text) == length && memcmp(text, bytes, length) == 0;
}

static void
read_subject(struct reader *reader, const struct source *source, struct span span)
{
	struct record *record = reader->record;
	g_autofree char *decoded = NULL;
	const char *raw;
	gsize length;

	if (record->subject)
		return;
	span = trim(source, span);
	raw = source->bytes + span.begin;
	/* Encoding makes text at most some times longer than what it stands for. */
	length = MIN(span.length, CAP_SUBJECT_BYTES * 4);
	if (length < span.length)
		record_note_cap(record, CAP_SUBJECT_BYTES_NAME);
	decoded = header_decode(raw, length, NULL);
	record->subject = bounded_text(reader, decoded, strlen(decoded), CAP_SUBJECT_BYTES,
				       CAP_SUBJECT_BYTES_NAME);
	if (!same_bytes(record->subject, raw, length))
		record->subject_raw = g_bytes_new(raw, MIN(length, CAP_SUBJECT_BYTES));
}

static void
read_date(struct reader *reader, const struct source *source, struct span span)
{
	struct record *record = reader->record;
	g_autoptr(GDateTime) date = NULL;

	if (record->date)
		return;
	record->date = field_text(reader, source, span);
	date = g_mime_utils_header_decode_date(record->date);
	if (date)
		record->date_us = g_date_time_to_unix(date) * G_USEC_PER_SEC;
}

/* ---- addresses ---- */

/*
 * Puts a mark in the place of each encoded word: what is in a word must not
 * decide where an address ends, and GMime would decode it by itself, with
 * converters of its own.
 */
static GString *
hide_words(const char *text, gsize length, GPtrArray *words)
{
	GString *hidden = g_string_sized_new(length);
	const char *at = text, *end = text + length;

	while (at < end) {
		gsize word = *at == '=' ? encoded_word_length(at, (gsize)(end - at)) : 0;

		if (word) {
			g_string_append_printf(hidden, WORD_BEGIN "%u" WORD_END, words->len);
			g_ptr_array_add(words, g_strndup(at, word));
			at += word;
		} else {
			g_string_append_c(hidden, *at++);
		}
	}
	return hidden;
}

/* Puts the words back, and decodes the text.  Free with g_free(). */
static char *
show_words(struct reader *reader, const char *text, const GPtrArray *words)
{
	g_autoptr(GString) shown = g_string_new(NULL);
	g_autofree char *decoded = NULL;

	while (*text && shown->len <= CAP_FIELD_BYTES * 4) {
		guint64 index;
		char *end;

		if (!g_str_has_prefix(text, WORD_BEGIN)) {
			g_string_append_c(shown, *text++);
			continue;
		}
		index = g_ascii_strtoull(text + strlen(WORD_BEGIN), &end, 10);
		if (index < words->len)
			g_string_append(shown, g_ptr_array_index(words, index));
		text = g_str_has_prefix(end, WORD_END) ? end + strlen(WORD_END) : end;
	}
	decoded = header_decode(shown->str, shown->len, NULL);
	return bounded_text(reader, decoded, strlen(decoded), CAP_FIELD_BYTES,
			    CAP_FIELD_BYTES_NAME);
}

static void
add_address(struct reader *reader, GPtrArray *array, const char *name, const char *address,
	    const GPtrArray *words)
{
	g_autofree char *shown_name = name && *name ? show_words(reader, name, words) : NULL;
	g_autofree char *shown = show_words(reader, address ? address : "", words);

	if (array->len >= CAP_ADDRESSES)
		record_note_cap(reader->record, CAP_ADDRESSES_NAME);
	else
		mail_address_add(array, shown_name, shown);
}

/* A group's members stand for it (RFC 5322 3.4); groups hold no groups. */
static void
add_addresses(struct reader *reader, GPtrArray *array, InternetAddressList *list,
	      const GPtrArray *words, gboolean groups)
{
	int count = internet_address_list_length(list);

	for (int i = 0; i < count && array->len <= CAP_ADDRESSES; i++) {
		InternetAddress *one = internet_address_list_get_address(list, i);
		const char *address = NULL;

		if (INTERNET_ADDRESS_IS_GROUP(one)) {
			InternetAddressGroup *group = INTERNET_ADDRESS_GROUP(one);

			if (groups)
				add_addresses(reader, array,
					      internet_address_group_get_members(group), words,
					      FALSE);
			continue;
		}
		if (INTERNET_ADDRESS_IS_MAILBOX(one))
			address = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one));
		add_address(reader, array, internet_address_get_name(one), address, words);
	}
}

/*
 * Returns the length up to the colon that is one too many: GMime recurses at
 * each that could begin a group, and a hostile field has hundreds of thousands.
 */
static gsize
length_within_groups(const char *text)
{
	const char *at = text;

	for (guint i = 0; i < CAP_ADDRESSES; i++) {
		at += strcspn(at, ":");
		if (!*at++)
			return strlen(text);
	}
	return (gsize)(at - text);
}

static void
read_addresses(struct reader *reader, const struct source *source, struct span span,
	       GPtrArray *array)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = NULL;
	g_autoptr(GString) hidden = NULL;
	InternetAddressList *list;
	gsize length;

	if (span.length > CAP_ADDRESS_FIELD_BYTES) {
		record_note_cap(reader->record, CAP_ADDRESSES_NAME);
		span.length = CAP_ADDRESS_FIELD_BYTES;
	}
	hidden = hide_words(source->bytes + span.begin, span.length, words);
	text = charset_guess(hidden->str, hidden->len, NULL, NULL);
	length = length_within_groups(text);
	if (text[length])
		record_note_cap(reader->record, CAP_ADDRESSES_NAME);
	text[length] = '\0';
	list = internet_address_list_parse(NULL, text);
	if (!list)
		return;
	add_addresses(reader, array, list, words, TRUE);
	g_object_unref(list);
}

/* ---- the header of the message ---- */

/* at: where it goes in the array, -1 for its end. */
static void
add_trace(struct reader *reader, const struct source *source, struct span span, GPtrArray *array,
	  gint at)
{
	if (array->len < CAP_TRACE_FIELDS)
		g_ptr_array_insert(array, at, field_text(reader, source, span));
	else
		record_note_cap(reader->record, CAP_TRACE_FIELDS_NAME);
}

/* The mailbox stands before the address that led to it, in whatever order they come. */
static void
add_delivered_to(struct reader *reader, const struct source *source, struct span span)
{
	GPtrArray *array = reader->record->delivered_to;
	guint before = array->len;

	add_trace(reader, source, span, array, (gint)reader->delivered);
	reader->delivered += array->len - before;
}

static void
set_once(struct reader *reader, const struct source *source, struct span span, char **text)
{
	if (!*text)
		*text = field_text(reader, source, span);
}

static void
read_field(struct reader *reader, const struct source *source, const struct field *field)
{
	struct record *record = reader->record;

	switch (field->kind) {
	case FIELD_SUBJECT:
		return read_subject(reader, source, field->value);
	case FIELD_MESSAGE_ID:
		return set_once(reader, source, field->value, &record->message_id);
	case FIELD_DATE:
		return read_date(reader, source, field->value);
	case FIELD_FROM:
		return read_addresses(reader, source, field->value, record->from);
	case FIELD_TO:
		return read_addresses(reader, source, field->value, record->to);
	case FIELD_CC:
		return read_addresses(reader, source, field->value, record->cc);
	case FIELD_REPLY_TO:
		return read_addresses(reader, source, field->value, record->reply_to);
	case FIELD_LIST_ID:
		return set_once(reader, source, field->value, &record->list_id);
	case FIELD_DELIVERED_TO:
		return add_delivered_to(reader, source, field->value);
	case FIELD_ORIGINAL_TO:
		return add_trace(reader, source, field->value, record->delivered_to, -1);
	case FIELD_AUTHENTICATION_RESULTS:
		return add_trace(reader, source, field->value, record->authentication_results, -1);
	default:
		return; /* of every entity; read with its file */
	}
}

/* ---- names ---- */

/* A name's bytes as text. */
static char *
name_text(const struct parameter *parameter, GBytes *raw, gboolean *ret_undecoded)
{
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);
	char *text = NULL;

	if (!bytes)
		bytes = "";
	if (parameter->extended && parameter->charset) {
		text = charset_convert(parameter->charset, bytes, length);
		if (!text && !charset_known(parameter->charset))
			*ret_undecoded = TRUE;
		if (!text)
			text = charset_guess(bytes, length, NULL, NULL);
		return text;
	}
	return header_decode(bytes, length, ret_undecoded);
}

static void
add_name(struct reader *reader, struct file *file, const struct parameter *parameter, GBytes *raw,
	 const char *reading)
{
	gboolean undecoded = FALSE;
	g_autofree char *text = NULL;
	g_autofree char *bounded = NULL;
	gsize length;
	const void *bytes = g_bytes_get_data(raw, &length);

	if (file->names->len >= CAP_NAMES) {
		record_note_cap(reader->record, CAP_NAMES_NAME);
		return;
	}
	if (reader->names_bytes + length > CAP_NAMES_BYTES) {
		record_note_cap(reader->record, CAP_NAMES_BYTES_NAME);
		return;
	}
	text = name_text(parameter, raw, &undecoded);
	bounded = bounded_text(reader, text, strlen(text), CAP_NAME_BYTES, CAP_NAME_BYTES_NAME);
	reader->names_bytes += strlen(bounded) + length;
	if (undecoded)
		file->flags |= FILE_UNDECODED;
	if (*bounded)
		file_add_name(file, bounded, reading,
			      same_bytes(bounded, bytes, length) ? NULL : raw);
}

/* Whether a literal is the better reading: its backslashes are halves of characters. */
static gboolean
is_multibyte(GBytes *literal)
{
	gsize length;
	const char *bytes = g_bytes_get_data(literal, &length);

	return memchr(bytes, 0x1b, length) || !g_utf8_validate(bytes, (gssize)length, NULL);
}

/* Adds the names that one field gives, of one form (RFC 2231 or plain). */
static void
add_names(struct reader *reader, struct file *file, const struct content_field *field,
	  const char *name, gboolean extended)
{
	g_autofree char *reading = g_strconcat(name, extended ? "*" : "", NULL);

	for (guint i = 0; i < field->parameters->len; i++) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);

		if (parameter->extended != extended || !g_str_equal(parameter->name, name))
			continue;
		if (parameter->literal && is_multibyte(parameter->literal))
			add_name(reader, file, parameter, parameter->literal, reading);
		add_name(reader, file, parameter, parameter->value, reading);
		if (parameter->literal)
			add_name(reader, file, parameter, parameter->literal, reading);
	}
}

/* ---- one file ---- */

/* Reads a field of an entity whose value is a token and parameters; NULL if it is not there. */
static struct content_field *
entity_field(struct reader *reader, const struct source *source, const struct entity *entity,
	     enum field_kind kind)
{
	struct span span = entity->fields[kind];
	struct content_field *field;

	if (!span.begin)
		return NULL;
	field = content_field_parse(source->bytes + span.begin, span.length);
	if (field->cut)
		record_note_cap(reader->record, CAP_PARAMETERS_NAME);
	return field;
}

/* A token as text, or NULL when there is none. */
static char *
token_text(struct reader *reader, const struct content_field *field)
{
	if (!field || !*field->token)
		return NULL;
	return bounded_text(reader, field->token, strlen(field->token), CAP_FIELD_BYTES,
			    CAP_FIELD_BYTES_NAME);
}

static char *
content_id(struct reader *reader, const struct source *source, const struct entity *entity)
{
	struct span span = trim(source, entity->fields[FIELD_CONTENT_ID]);

	if (!span.length)
		return NULL;
	if (source->bytes[span.begin] == '<' && span.length >= 2 &&
	    source->bytes[span.begin + span.length - 1] == '>') {
		span.begin++;
		span.length -= 2;
	}
	return field_text(reader, source, span);
}

/* Whether readers show a content of this type in place. */
static gboolean
is_body_type(const char *type)
{
	static const char *const types[] = {"text/plain",    "text/html",	"text",
					    "text/enriched", "text/x-amp-html", "text/richtext"};

	for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
		if (g_str_equal(type, types[i]))
			return TRUE;
	return FALSE;
}

/* Sets what the entity's own header says of the file. */
static void
describe_file(struct reader *reader, const struct source *source, const struct entity *entity,
	      struct file *file)
{
	g_autoptr(content_field_t) disposition =
		entity_field(reader, source, entity, FIELD_CONTENT_DISPOSITION);
	g_autoptr(content_field_t) encoding =
		entity_field(reader, source, entity, FIELD_CONTENT_TRANSFER_ENCODING);

	if (entity->has_type)
		file->declared_type = token_text(reader, entity->type);
	file->disposition = token_text(reader, disposition);
	file->encoding = token_text(reader, encoding);
	file->content_id = content_id(reader, source, entity);
	if (disposition) {
		add_names(reader, file, disposition, "filename", TRUE);
		add_names(reader, file, disposition, "filename", FALSE);
	}
	add_names(reader, file, entity->type, "name", TRUE);
	add_names(reader, file, entity->type, "name", FALSE);
	if (entity->kind == ENTITY_MULTIPART)
		file->flags |= FILE_MULTIPART;
	else if (entity_is_message(entity))
		file->flags |= FILE_MESSAGE;
	else if (is_body_type(entity->type->token) && !file->names->len &&
		 g_strcmp0(file->disposition, "attachment") != 0)
		file->flags |= FILE_BODY;
	if (entity->cut)
		file->flags |= FILE_INCOMPLETE;
}

/* ---- content ---- */

static GMimeContentEncoding
encoding_of(const struct file *file)
{
	if (!file->encoding)
		return GMIME_CONTENT_ENCODING_BINARY;
	return g_mime_content_encoding_from_string(file->encoding);
}

/* Keeps what is wanted of the first bytes of a content. */
static void
keep(struct content *content, const char *bytes, gsize length)
{
	gsize some = MIN(length, content->keep - content->kept->len);

	g_byte_array_append(content->kept, (const guint8 *)bytes, (guint)some);
	if (some == length || content->known)
		return;
	content->known = TRUE;
	if (!unpack_is_archive(content->kept->data, content->kept->len, content->attachment))
		return;
	content->keep = CAP_KEPT_BYTES;
	keep(content, bytes + some, length - some);
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
decode_binary(struct reader *reader, const char *bytes, gsize length, GMimeContentEncoding encoding,
	      struct content *content)
{
	GMimeEncoding state;
	gsize at = 0, done;
	int held;

	g_mime_encoding_init_decode(&state, encoding);
	if (encoding == GMIME_CONTENT_ENCODING_UUENCODE) {
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
	held = encoding == GMIME_CONTENT_ENCODING_BASE64 ? MAX(state.state, 0) : 0;
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
		gboolean carriage = feed && stop > at && stop[-1] == '\r';

		/* A CR at the very end of a piece belongs to the next. */
		if (!feed && stop < end && stop - at > 1 && stop[-1] == '\r')
			stop--;
		if (stop - at > carriage)
			decode_quoted_piece(reader, &state, at, (gsize)(stop - at) - carriage,
					    fingerprint_add_lf, NULL);
		if (feed)
			decode_quoted_piece(reader, &state, "\n", 1, fingerprint_add_lf, NULL);
		at = feed ? feed + 1 : stop;
	}
	decode_quoted_piece(reader, &state, NULL, 0, fingerprint_add_lf, NULL);
}

/* Decodes bytes into the fingerprint, and keeps the first of them. */
static void
decode(struct reader *reader, const char *bytes, gsize length, GMimeContentEncoding encoding,
       struct content *content)
{
	switch (encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
	case GMIME_CONTENT_ENCODING_UUENCODE:
		return decode_binary(reader, bytes, length, encoding, content);
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
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
static gsize
visible_break(const char *bytes, gsize length, gsize break_bytes, GMimeContentEncoding encoding)
{
	if (encoding == GMIME_CONTENT_ENCODING_BASE64 ||
	    encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		return 0;
	if (encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
		return break_bytes;
	while (length && (bytes[length - 1] == ' ' || bytes[length - 1] == '\t'))
		length--;
	return length && bytes[length - 1] == '=' ? 0 : break_bytes;
}

static gboolean
is_html(const struct entity *entity)
{
	return g_str_equal(entity->type->token, "text/html") ||
	       g_str_equal(entity->type->token, "text/x-amp-html");
}

/* Searches a body for links, and for words that open archives. */
static void
read_text(struct reader *reader, const struct entity *entity, const GByteArray *bytes)
{
	const struct parameter *charset = content_field_get(entity->type, "charset", FALSE);
	g_autofree char *name = NULL;
	g_autofree char *text = NULL;
	gboolean html;
	gsize length;

	if (charset) {
		const char *value = g_bytes_get_data(charset->value, &length);

		name = g_strndup(value ? value : "", MIN(length, 64));
		text = charset_convert(name, bytes->data, bytes->len);
	}
	if (!text)
		text = charset_guess(bytes->data, bytes->len, NULL, NULL);
	html = is_html(entity);
	length = strlen(text);
	reader->url_scan_bytes += bytes->len;
	url_collect(reader->record, text, length, html);
	if (reader->record == reader->result)
		unpacker_add_text(reader->unpacker, text, length, html);
}

static gboolean
is_named(const struct file *file, const char *suffix)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);
		g_autofree char *lower = g_ascii_strdown(name->text, -1);

		if (g_str_has_suffix(lower, suffix))
			return TRUE;
	}
	return FALSE;
}

static gboolean
is_typed(const struct file *file, const char *type, const char *suffix)
{
	return (file->declared_type && g_str_has_suffix(file->declared_type, type)) ||
	       is_named(file, suffix);
}

static gboolean
is_tnef(const struct file *file)
{
	return is_typed(file, "ms-tnef", "winmail.dat") ||
	       g_strcmp0(file->detected_type, EMBEDDED_TNEF_TYPE) == 0;
}

static gboolean
is_signed(const struct file *file)
{
	return is_typed(file, "pkcs7-mime", ".p7m");
}

/* A leaf that mail programs open as a message though it is none by its type. */
static gboolean
is_message_otherwise(const struct file *file)
{
	return !(file->flags & FILE_MESSAGE) && is_typed(file, "message/partial", ".eml");
}

/* How many bytes of a decoded content are wanted beside its digests. */
static gsize
bytes_to_keep(const struct reader *reader, const struct entity *entity, const struct file *file)
{
	if (file->flags & FILE_MESSAGE || entity->wrapped || is_tnef(file) || is_signed(file) ||
	    is_message_otherwise(file))
		return G_MAXUINT; /* it is split in turn; no longer than what it came from */
	if (file->flags & FILE_BODY)
		return MAX(CAP_URL_SCAN_BYTES - MIN(reader->url_scan_bytes, CAP_URL_SCAN_BYTES),
			   MAGIC_IMAGE_BYTES);
	return MAGIC_IMAGE_BYTES;
}

static void read_message(struct reader *reader, const char *bytes, gsize length, int parent,
			 guint depth);

/* Returns a decoded multipart with its Content-Type put before it.  Free with g_string_free(). */
static GString *
multipart_message(const struct source *source, const struct entity *entity, const GByteArray *kept)
{
	struct span type = entity->fields[FIELD_CONTENT_TYPE];
	GString *message = g_string_new("Content-Type:");
	g_autoptr(GByteArray) narrow = NULL;

	g_string_append_len(message, source->bytes + type.begin, (gssize)type.length);
	g_string_append(message, "\r\n\r\n");
	if (wide_is((const char *)kept->data, kept->len))
		kept = narrow = wide_narrow((const char *)kept->data, kept->len);
	g_string_append_len(message, (const char *)kept->data, kept->len);
	return message;
}

/* Reads a multipart that was decoded. */
static void
read_multipart(struct reader *reader, const struct source *source, const struct entity *entity,
	       int index, const GByteArray *kept)
{
	g_autoptr(GString) message = NULL;

	if (entity->depth >= CAP_NESTING || reader->record->files->len >= CAP_PARTS)
		return;
	message = multipart_message(source, entity, kept);
	read_message(reader, message->str, message->len, index, entity->depth + 1);
}

/* Reads an archive, but not of a reading that is merged, whose files are another record's. */
static void
look_inside(struct reader *reader, guint index, const GByteArray *bytes, guint depth)
{
	if (reader->record == reader->result)
		unpack_file(reader->unpacker, index, bytes->data, bytes->len, depth);
}

/* Reads what was kept of a content: what it is, its links, the message that it is. */
static void
read_kept(struct reader *reader, const struct source *source, const struct entity *entity,
	  int index, const struct content *content)
{
	struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	GByteArray *kept = content->kept;

	file->detected_type = g_strdup(magic_type(kept->data, kept->len));
	if (content->truncated)
		file->flags |= FILE_TRUNCATED;
	if (!(file->flags & FILE_MESSAGE))
		look_inside(reader, (guint)index, kept, entity->depth);
	if (file->flags & FILE_BODY && kept->len && reader->options == &plain_reading) {
		g_byte_array_set_size(kept,
				      (guint)MIN(kept->len, bytes_to_keep(reader, entity, file)));
		if (file->size > kept->len)
			record_note_cap(reader->record, CAP_URL_SCAN_BYTES_NAME);
		read_text(reader, entity, kept);
	}
	if (file->flags & FILE_MESSAGE) {
		if (entity->depth >= CAP_NESTING || reader->record->files->len >= CAP_PARTS)
			file->flags |= FILE_INCOMPLETE;
		else
			read_message(reader, (const char *)kept->data, kept->len, index,
				     entity->depth + 1);
	}
	if (entity->wrapped)
		read_multipart(reader, source, entity, index, kept);
}

/* ---- other decodings ---- */

static enum encoding
plain_encoding(GMimeContentEncoding encoding)
{
	switch (encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return ENCODING_BASE64;
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return ENCODING_QUOTED_PRINTABLE;
	case GMIME_CONTENT_ENCODING_UUENCODE:
		return ENCODING_UUENCODE;
	default:
		return ENCODING_IDENTITY;
	}
}

/* Whether the header names a transfer encoding that all readers know, and does so once. */
static gboolean
encoding_is_certain(const struct source *source, const struct entity *entity)
{
	static const char *const known[] = {
		"7bit", "8bit", "binary", "base64", "quoted-printable", "uuencode", "x-uuencode"};
	struct span span = trim(source, entity->fields[FIELD_CONTENT_TRANSFER_ENCODING]);

	if (entity->doubts & DOUBT_ENCODING_TWICE)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		if (span.length == strlen(known[i]) &&
		    g_ascii_strncasecmp(source->bytes + span.begin, known[i], span.length) == 0)
			return TRUE;
	return !entity->fields[FIELD_CONTENT_TRANSFER_ENCODING].begin;
}

/* What a transfer encoding's name resembles, with everything but letters and digits left out. */
static enum encoding
resembled_encoding(const struct source *source, const struct entity *entity)
{
	struct span span = entity->fields[FIELD_CONTENT_TRANSFER_ENCODING];
	g_autoptr(GString) name = g_string_new(NULL);

	for (gsize i = 0; i < span.length && name->len < RESEMBLED_BYTES; i++)
		if (g_ascii_isalnum(source->bytes[span.begin + i]))
			g_string_append_c(name, g_ascii_tolower(source->bytes[span.begin + i]));
	if (strstr(name->str, "base64"))
		return ENCODING_BASE64;
	return strstr(name->str, "quotedprintable") ? ENCODING_QUOTED_PRINTABLE : ENCODING_IDENTITY;
}

/* The leaf whose decodings are tried. */
struct recoding {
	struct reader *reader;
	const struct source *source;
	const struct entity *entity;
	int index;
};

/* Whether one more reading, of so many bytes, may be tried. */
static gboolean
may_read(struct reader *reader, guint64 bytes)
{
	reader->readings++;
	reader->reading_bytes += bytes;
	if (reader->readings > CAP_READINGS)
		record_note_cap(reader->record, CAP_READINGS_NAME);
	if (reader->reading_bytes > CAP_READING_BYTES)
		record_note_cap(reader->record, CAP_READING_BYTES_NAME);
	return reader->readings <= CAP_READINGS && reader->reading_bytes <= CAP_READING_BYTES;
}

/* Adds a content that another reading of a file shows; returns its file, or NULL. */
static struct file *
add_content(const struct recoding *recoding, const char *name, const GByteArray *bytes)
{
	struct reader *reader = recoding->reader;
	struct file scratch = {0};
	struct file *file;

	if (!may_read(reader, bytes->len))
		return NULL;
	fingerprint_begin(reader->fingerprint, FALSE);
	fingerprint_add(reader->fingerprint, bytes->data, bytes->len);
	fingerprint_finish(reader->fingerprint, NULL, 0, &scratch);
	file = readings_add(reader->record, recoding->index, name, bytes->len, &scratch.digests);
	if (!file)
		return NULL;
	file->detected_type = g_strdup(magic_type(bytes->data, bytes->len));
	look_inside(reader, reader->record->files->len - 1, bytes, recoding->entity->depth);
	return file;
}

/* A file in a text or a wrapper has its own name and no type. */
static void
add_embedded(const char *how, const char *name, const GByteArray *bytes, gpointer user)
{
	const struct recoding *recoding = user;
	struct file *file = add_content(recoding, how, bytes);
	g_autofree char *decoded = NULL;
	g_autofree char *text = NULL;

	if (!file)
		return;
	g_ptr_array_set_size(file->names, 0);
	g_clear_pointer(&file->declared_type, g_free);
	g_clear_pointer(&file->disposition, g_free);
	if (!name || !*name)
		return;
	decoded = header_decode(name, strlen(name), NULL);
	text = bounded_text(recoding->reader, decoded, strlen(decoded), CAP_NAME_BYTES,
			    CAP_NAME_BYTES_NAME);
	file_add_name(file, text, how, NULL);
}

/* Reads a message that is in a leaf, for the contents that it shows. */
static void
read_inner(struct reader *reader, int index, const char *name, const void *bytes, gsize length,
	   guint depth)
{
	struct record *record = reader->record;
	g_autoptr(record_t) other = NULL;
	guint room = CAP_PARTS - MIN(record->files->len, CAP_PARTS);

	if (depth >= CAP_NESTING || !room || !may_read(reader, length))
		return;
	other = record_new();
	reader->record = other;
	/* A level deeper by two: the leaf and the message. */
	read_message(reader, bytes, length, -1, depth + 2);
	reader->record = record;
	readings_merge(record, other, index, name);
}

/* Returns a text in UTF-16 that does not say so, or NULL when it is none. */
static char *
undeclared_wide_text(const GByteArray *kept)
{
	g_autoptr(GByteArray) narrow = NULL;

	if (!wide_is((const char *)kept->data, kept->len))
		return NULL;
	narrow = wide_narrow((const char *)kept->data, kept->len);
	return g_strndup((const char *)narrow->data, narrow->len);
}

/* The bytes of a text in an encoding that is no superset of ASCII, as UTF-8, or NULL. */
static char *
wide_text(const struct entity *entity, const GByteArray *kept)
{
	const struct parameter *charset = content_field_get(entity->type, "charset", FALSE);
	g_autofree char *name = NULL;
	gsize length;
	const char *value = charset ? g_bytes_get_data(charset->value, &length) : NULL;
	char *text = NULL;

	if (!value)
		return undeclared_wide_text(kept);
	name = g_ascii_strdown(value, (gssize)MIN(length, 64));
	if (g_str_has_prefix(name, "utf-16") || g_str_has_prefix(name, "utf-32") ||
	    g_str_equal(name, "utf-7"))
		text = charset_convert(name, kept->data, kept->len);
	return text ? text : undeclared_wide_text(kept);
}

static void
add_pasted(const char *at, gsize length, gpointer user)
{
	const struct recoding *recoding = user;

	read_inner(recoding->reader, recoding->index, "message-in-text", at, length,
		   recoding->entity->depth);
}

/* Reads what a body shows as text and some readers as files. */
static void
read_in_text(struct recoding *recoding, const char *text, gsize length)
{
	const struct reader *reader = recoding->reader;

	if (is_html(recoding->entity))
		embedded_in_html(text, length, add_embedded, recoding);
	embedded_in_text(text, length, add_embedded, recoding);
	/* Of other readings' bodies most are a message's source by themselves. */
	if (reader->options == &plain_reading && reader->record == reader->result)
		pasted_messages(text, length, add_pasted, recoding);
}

/* Reads what stands in a leaf without MIME's saying so. */
static void
read_embedded(struct reader *reader, const struct source *source, const struct entity *entity,
	      int index, const GByteArray *kept)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	struct recoding recoding = {reader, source, entity, index};
	g_autofree char *wide = wide_text(entity, kept);
	g_autoptr(GByteArray) content = NULL;
	gboolean inner = is_message_otherwise(file);

	if (!kept->len)
		return;
	if (is_tnef(file))
		return embedded_in_tnef(kept->data, kept->len, add_embedded, &recoding);
	if (is_signed(file))
		content = embedded_in_signed(kept->data, kept->len);
	if (content)
		return read_inner(reader, index, "signed-content", content->data, content->len,
				  entity->depth);
	if (inner)
		return read_inner(reader, index, "message-in-file", kept->data, kept->len,
				  entity->depth);
	if (wide)
		read_in_text(&recoding, wide, strlen(wide));
	else if (file->flags & FILE_BODY)
		read_in_text(&recoding, (const char *)kept->data, kept->len);
	else if (plain_encoding(encoding_of(file)) == ENCODING_IDENTITY)
		embedded_in_text(source->bytes + entity->body.begin, entity->body.length,
				 add_embedded, &recoding);
}

/* Takes a decoding of a content, and reads what the content would be read for. */
static void
add_decoding(const char *name, const GByteArray *bytes, gpointer user)
{
	struct recoding *recoding = user;
	struct reader *reader = recoding->reader;
	const struct entity *entity = recoding->entity;
	const struct file *above = g_ptr_array_index(reader->record->files, (guint)recoding->index);
	gboolean body = (above->flags & FILE_BODY) != 0;

	if (entity->wrapped) {
		g_autoptr(GString) message = multipart_message(recoding->source, entity, bytes);

		return read_inner(reader, recoding->index, name, message->str, message->len,
				  entity->depth);
	}
	if (above->flags & FILE_MESSAGE || is_message_otherwise(above))
		read_inner(reader, recoding->index, name, bytes->data, bytes->len, entity->depth);
	if (above->flags & FILE_MESSAGE)
		return;
	if (add_content(recoding, name, bytes) && body)
		read_in_text(recoding, (const char *)bytes->data, bytes->len);
}

static void
read_decodings(struct reader *reader, const struct source *source, const struct entity *entity,
	       int index, GMimeContentEncoding encoding)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	struct recoding recoding = {reader, source, entity, index};
	struct encoded encoded = {
		.bytes = source->bytes + entity->body.begin,
		.length = entity->body.length,
		.declared = plain_encoding(encoding),
		.certain = encoding_is_certain(source, entity),
		.hinted = resembled_encoding(source, entity),
		.decoded_size = file->size,
		.text = g_str_has_prefix(entity->type->token, "text"),
	};

	if (encoded.length)
		recode_each(&encoded, add_decoding, &recoding);
}

/* A content of the message in hand, and how it is decoded. */
struct content_span {
	const char *whole; /* the message, or its lines */
	struct span body;
	GMimeContentEncoding encoding;
};

static guint
span_hash(gconstpointer data)
{
	const struct content_span *span = data;
	guint64 begin = span->body.begin;

	return g_int64_hash(&begin) ^ (guint)span->body.length;
}

static gboolean
span_equal(gconstpointer a, gconstpointer b)
{
	const struct content_span *left = a, *right = b;

	return left->whole == right->whole && left->body.begin == right->body.begin &&
	       left->body.length == right->body.length && left->encoding == right->encoding;
}

/* Whether what is in a leaf is read in turn, and by the rules of the reading in hand. */
static gboolean
is_opened(const struct entity *entity, const struct file *file)
{
	return entity_is_message(entity) || is_message_otherwise(file) || is_signed(file) ||
	       entity->wrapped;
}

/*
 * Whether a content need not be read again: the plain reading has it, or one of
 * those whose rows are joined.  What is read first is kept for the others.
 */
static gboolean
was_read(struct reader *reader, const struct source *source, const struct entity *entity,
	 const struct file *file, GMimeContentEncoding encoding)
{
	struct content_span span = {
		.whole = source->bytes, .body = entity->body, .encoding = encoding};
	gboolean plain = reader->options == &plain_reading;
	gboolean carriage = reader->lines && source->bytes == (char *)reader->lines->data;

	if ((source->bytes != reader->whole && !carriage) || is_opened(entity, file))
		return FALSE;
	if (!plain && g_hash_table_contains(reader->spans, &span))
		return TRUE;
	if (reader->joined && g_hash_table_contains(reader->others, &span))
		return TRUE;
	g_hash_table_add(plain ? reader->spans : reader->others, g_memdup2(&span, sizeof(span)));
	return FALSE;
}

/* Reads a leaf, or an encoded message as one. */
static void
read_leaf(struct reader *reader, const struct source *source, const struct entity *entity,
	  int index)
{
	struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	const char *bytes = source->bytes + entity->body.begin;
	GMimeContentEncoding encoding = encoding_of(file);
	gboolean variants = encoding != GMIME_CONTENT_ENCODING_BASE64 ||
			    g_str_has_prefix(entity->type->token, "text/");
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct content content = {
		.kept = kept,
		.keep = bytes_to_keep(reader, entity, file),
		.attachment = !(file->flags & FILE_BODY),
	};
	gsize line_break = visible_break(bytes, entity->body.length, entity->break_bytes, encoding);

	if (was_read(reader, source, entity, file, encoding))
		return;
	fingerprint_begin(reader->fingerprint, variants);
	decode(reader, bytes, entity->body.length, encoding, &content);
	fingerprint_finish(reader->fingerprint, bytes + entity->body.length, line_break, file);
	read_decodings(reader, source, entity, index, encoding);
	read_kept(reader, source, entity, index, &content);
	if (!(file->flags & FILE_MESSAGE))
		read_embedded(reader, source, entity, index, kept);
}

/*
 * Takes the digests of a message that stands unencoded.  Each level hashes what
 * is below it again, so the sum is bounded; beyond it the message has none.
 */
static void
hash_enclosed(struct reader *reader, const struct source *source, const struct entity *entity,
	      struct file *file)
{
	const char *bytes = source->bytes + entity->body.begin;

	file->size = entity->body.length;
	file->detected_type = g_strdup(magic_type(bytes, entity->body.length));
	reader->enclosed_bytes += entity->body.length;
	if (reader->enclosed_bytes > CAP_ENCLOSED_BYTES) {
		record_note_cap(reader->record, CAP_ENCLOSED_BYTES_NAME);
		file->flags |= FILE_INCOMPLETE;
		return;
	}
	fingerprint_begin(reader->fingerprint, TRUE);
	fingerprint_add(reader->fingerprint, bytes, entity->body.length);
	fingerprint_finish(reader->fingerprint, bytes + entity->body.length, entity->break_bytes,
			   file);
}

/* ---- the tree ---- */

/*
 * The path of an entity, as mime.h says: IMAP's section number (RFC 9051
 * 6.4.5.1), and ".0" for the multipart that it leaves without one.
 */
static char *
entity_path(const struct reader *reader, const struct entity *entity, int parent)
{
	gboolean multipart = entity->kind == ENTITY_MULTIPART;
	const struct file *above;
	gsize length;

	if (parent < 0)
		return g_strdup(multipart ? "0" : "1");
	above = g_ptr_array_index(reader->record->files, (guint)parent);
	if (above->flags & FILE_MESSAGE)
		return g_strdup_printf("%s.%d", above->path, multipart ? 0 : 1);
	length = strlen(above->path);
	if (g_str_equal(above->path, "0"))
		return g_strdup_printf("%u", entity->number);
	if (g_str_has_suffix(above->path, ".0"))
		length -= 2;
	return g_strdup_printf("%.*s.%u", (int)length, above->path, entity->number);
}

static void
read_entity(struct reader *reader, const struct source *source, guint i, int parent)
{
	const struct entity *entity = &g_array_index(source->entities->list, struct entity, i);
	g_autofree char *path = NULL;
	struct file *file;

	if (entity->parent >= 0)
		parent = source->files[entity->parent];
	path = entity_path(reader, entity, parent);
	source->files[i] = (int)reader->record->files->len;
	file = record_add_file(reader->record, path, parent);
	describe_file(reader, source, entity, file);
	if (entity->kind == ENTITY_LEAF)
		read_leaf(reader, source, entity, source->files[i]);
	else if (entity->kind == ENTITY_MESSAGE && reader->options == &plain_reading)
		hash_enclosed(reader, source, entity, file);
	else
		file->size = entity->body.length;
}

/* Notes what splitting met. */
static void
note_findings(struct reader *reader, const struct source *source, gboolean whole)
{
	const struct entities *entities = source->entities;

	for (guint i = 0; i < entities->caps->len; i++)
		if (whole || !g_str_equal(entities->caps->pdata[i], CAP_ANOMALIES_NAME))
			record_note_cap(reader->record, entities->caps->pdata[i]);
	/* Offsets in a decoded message are not offsets of this one. */
	for (guint i = 0; whole && i < entities->departures->len; i++) {
		const struct departure *departure =
			&g_array_index(entities->departures, struct departure, i);
		struct anomaly *anomaly = g_new0(struct anomaly, 1);

		anomaly->name = g_strdup(departure->name);
		anomaly->offset = departure->offset;
		g_ptr_array_add(reader->record->anomalies, anomaly);
	}
}

/* Reads a message whose lines end as the reading in hand wants them. */
static void
read_lines(struct reader *reader, const char *bytes, gsize length, int parent, guint depth)
{
	guint room = CAP_PARTS - reader->record->files->len;
	g_autoptr(entities_t) entities =
		entities_split_as(reader->options, bytes, length, depth, room);
	g_autofree int *files = g_new(int, entities->list->len);
	struct source source = {
		.bytes = bytes, .length = length, .entities = entities, .files = files};
	/* Of others, and of what is in a leaf, only the files are wanted. */
	gboolean whole = parent < 0 && depth == 0 && reader->options == &plain_reading;

	reader->doubts |= entities->doubts;
	note_findings(reader, &source, whole);
	if (whole)
		for (guint i = 0; i < entities->fields->len; i++)
			read_field(reader, &source,
				   &g_array_index(entities->fields, struct field, i));
	for (guint i = 0; i < entities->list->len; i++) {
		if (reader->record->files->len >= CAP_PARTS) {
			record_note_cap(reader->record, CAP_PARTS_NAME);
			break;
		}
		read_entity(reader, &source, i, parent);
	}
}

/*
 * Reads a message, and those in it; recurses only into encoded ones, CAP_NESTING
 * at most.  nullable: an empty one may be NULL, as an empty GByteArray has it.
 */
static void
read_message(struct reader *reader, const char *nullable, gsize length, int parent, guint depth)
{
	const char *bytes = nullable ? nullable : ""; /* C knows no NULL + 0 */
	g_autoptr(GByteArray) lines = NULL;

	if (!reader->carriage)
		return read_lines(reader, bytes, length, parent, depth);
	if (bytes == reader->whole && reader->lines)
		lines = g_byte_array_ref(reader->lines);
	else
		lines = readings_carriage_lines(bytes, length);
	if (bytes == reader->whole && !reader->lines)
		reader->lines = g_byte_array_ref(lines);
	read_lines(reader, lines->data ? (const char *)lines->data : "", lines->len, parent, depth);
}

/* Reads the message once more, as a reader of the table would, and takes what is new. */
static void
read_as(struct reader *reader, const struct reading *reading, const char *message, gsize length)
{
	struct record *record = reader->record;
	g_autoptr(record_t) other = record_new();

	reader->record = other;
	reader->options = &reading->options;
	reader->carriage = reading->carriage_lines;
	read_message(reader, message, length, -1, reader->depth);
	reader->carriage = FALSE;
	readings_merge(record, other, -1, reading->name);
	reader->record = record;
	reader->options = &plain_reading;
}

/* Reads a message by each row that its doubts call for; met: the doubts each row met, or 0. */
static void
read_by_rows(struct reader *reader, const char *message, gsize length, guint *met)
{
	guint doubts = reader->doubts;
	gsize count;
	const struct reading *table = readings_table(&count);

	for (gsize i = 0; i < count; i++) {
		if (!(table[i].doubts & doubts))
			continue;
		if (!may_read(reader, length))
			return;
		reader->doubts = 0;
		read_as(reader, &table[i], message, length);
		met[i] = reader->doubts;
	}
}

/*
 * Reads a message by two rows at once: by one that was tried, and by each that
 * is called for by a doubt which that one met.  So two departures that hide a
 * file together do not hide it, nor one that shows only when another is read.
 */
static void
read_by_pairs(struct reader *reader, const char *message, gsize length, const guint *met)
{
	gsize count;
	const struct reading *table = readings_table(&count);
	char name[READING_NAME_BYTES];
	struct reading joined;

	reader->joined = TRUE;
	for (gsize i = 0; i < count; i++) {
		for (gsize j = 0; j < count; j++) {
			/* The other way about it was tried. */
			gboolean again = j < i && met[j] & table[i].doubts;

			if (j == i || again || !(met[i] & table[j].doubts) ||
			    !readings_join(&table[MIN(i, j)], &table[MAX(i, j)], name, &joined) ||
			    joined.name == table[i].name ||
			    (joined.name == table[j].name && met[j]))
				continue;
			if (!may_read(reader, length))
				return;
			read_as(reader, &joined, message, length);
		}
	}
}

/* Reads a message in all the ways that its doubts call for. */
static void
read_otherwise(struct reader *reader, const char *message, gsize length)
{
	gsize count;
	g_autofree guint *met = NULL;

	readings_table(&count);
	met = g_new0(guint, count);
	read_by_rows(reader, message, length, met);
	read_by_pairs(reader, message, length, met);
}

static struct record *read_member_mail(const char *bytes, gsize length, guint depth,
				       const struct unpack_limits *limits, guint64 *ret_bytes,
				       gpointer user);

/* Reads a message in every way, and what is in its archives; returns the bytes unpacked. */
static guint64
read_every_way(struct reader *reader, const char *message, gsize length,
	       const struct unpack_limits *limits)
{
	g_autoptr(GHashTable) spans = g_hash_table_new_full(span_hash, span_equal, g_free, NULL);
	g_autoptr(GHashTable) others = g_hash_table_new_full(span_hash, span_equal, g_free, NULL);

	reader->options = &plain_reading;
	reader->whole = message;
	reader->spans = spans;
	reader->others = others;
	reader->result = reader->record;
	reader->unpacker = unpacker_new(reader->record, reader->fingerprint, limits);
	unpacker_read_mail_by(reader->unpacker, read_member_mail, reader);
	read_message(reader, message, length, -1, reader->depth);
	if (reader->doubts)
		read_otherwise(reader, message, length);
	g_clear_pointer(&reader->lines, g_byte_array_unref);
	return unpack_finish(reader->unpacker);
}

/* Reads a message that is in an archive; what it costs counts for the message around it. */
static struct record *
read_member_mail(const char *bytes, gsize length, guint depth, const struct unpack_limits *limits,
		 guint64 *ret_bytes, gpointer user)
{
	struct reader *outer = user;
	struct reader reader = {
		.record = record_new(),
		.fingerprint = outer->fingerprint,
		.piece = outer->piece,
		.names_bytes = outer->names_bytes,
		.url_scan_bytes = outer->url_scan_bytes,
		.enclosed_bytes = outer->enclosed_bytes,
		.readings = outer->readings,
		.reading_bytes = outer->reading_bytes,
		.depth = depth,
	};

	*ret_bytes = read_every_way(&reader, bytes, length, limits);
	outer->names_bytes = reader.names_bytes;
	outer->url_scan_bytes = reader.url_scan_bytes;
	outer->enclosed_bytes = reader.enclosed_bytes;
	outer->readings = reader.readings;
	outer->reading_bytes = reader.reading_bytes;
	return reader.record;
}

struct record *
mime_read(const void *bytes, gsize length)
{
	g_autofree char *piece = g_malloc(PIECE_BYTES * 2);
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	struct record *record = record_new();
	struct reader reader = {.record = record, .fingerprint = fingerprint, .piece = piece};
	const char *message = length ? bytes : "";

	record->size = length;
	digest_sha256(message, length, record->sha256);
	read_every_way(&reader, message, length, NULL);
	record->scanner = g_strdup(scan_description());
	return record;
}
