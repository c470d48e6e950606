/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of a message: subject, date, addresses, trace fields. */
#include "mime_reader.h"

#include <gmime/gmime.h>
#include <string.h>

#include "caps.h"
#include "charset.h"
#include "encoded_word.h"
#include "text.h"

/* A mark that stands for an encoded word while GMime splits addresses (private use). */
#define WORD_BEGIN "\xee\x80\x80"
#define WORD_END "\xee\x80\x81"

void
mime_header_preload(void)
{
	g_autoptr(GDateTime) date = NULL;

	g_mime_init();
	/* Reads what GLib knows of time zones once. */
	date = g_mime_utils_header_decode_date("Thu, 1 Jan 1970 00:00:00 +0900");
}

/* ---- header fields ---- */

/* Narrows a span to what is between the blanks around it. */
struct span
mime_trim(const struct source *source, struct span span)
{
	while (span.length && g_ascii_isspace(source->bytes[span.begin])) {
		span.begin++;
		span.length--;
	}
	while (span.length && g_ascii_isspace(source->bytes[span.begin + span.length - 1]))
		span.length--;
	return span;
}

char *
mime_bounded_text(struct reader *reader, const char *bytes, gsize length, gsize max_bytes,
		  const char *cap)
{
	gboolean cut = FALSE;
	char *text = text_from_bytes(bytes, length, max_bytes, &cut);

	if (cut)
		record_note_cap(reader->record, cap);
	return text;
}

/* A field's text as written, unfolded. */
char *
mime_field_text(struct reader *reader, const struct source *source, struct span span)
{
	g_autoptr(GString) flat = g_string_new(NULL);

	span = mime_trim(source, span);
	for (gsize i = 0; i < span.length && flat->len <= CAP_FIELD_BYTES; i++)
		if (!strchr("\r\n", source->bytes[span.begin + i]) ||
		    !source->bytes[span.begin + i])
			g_string_append_c(flat, source->bytes[span.begin + i]);
	return mime_bounded_text(reader, flat->str, flat->len, CAP_FIELD_BYTES,
				 CAP_FIELD_BYTES_NAME);
}

gboolean
mime_same_bytes(const char *text, const void *bytes, gsize length)
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
	span = mime_trim(source, span);
	raw = source->bytes + span.begin;
	/* Encoding makes text at most some times longer than what it stands for. */
	length = MIN(span.length, CAP_SUBJECT_BYTES * 4);
	if (length < span.length)
		record_note_cap(record, CAP_SUBJECT_BYTES_NAME);
	decoded = header_decode(raw, length, NULL);
	record->subject = mime_bounded_text(reader, decoded, strlen(decoded), CAP_SUBJECT_BYTES,
					    CAP_SUBJECT_BYTES_NAME);
	if (!mime_same_bytes(record->subject, raw, length))
		record->subject_raw = g_bytes_new(raw, MIN(length, CAP_SUBJECT_BYTES));
}

static void
read_date(struct reader *reader, const struct source *source, struct span span)
{
	struct record *record = reader->record;
	g_autoptr(GDateTime) date = NULL;

	if (record->date)
		return;
	record->date = mime_field_text(reader, source, span);
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
	return mime_bounded_text(reader, decoded, strlen(decoded), CAP_FIELD_BYTES,
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
		g_ptr_array_insert(array, at, mime_field_text(reader, source, span));
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
		*text = mime_field_text(reader, source, span);
}

void
mime_read_field(struct reader *reader, const struct source *source, const struct field *field)
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
