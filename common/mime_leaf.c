/* SPDX-License-Identifier: BSD-2-Clause */
/* A leaf of the tree: its content's digests, and what is in it. */
#include <config.h>

#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "readings.h"
#include "unpack.h"
#include "url.h"
#include "wide.h"

/* Returns a text in UTF-8.  Free with g_free(). */
static char *
text_of(const struct entity *entity, const GByteArray *bytes)
{
	const struct parameter *charset = content_field_get(entity->type, "charset", FALSE);
	g_autofree char *name = NULL;
	char *text = NULL;
	gsize length;

	if (charset) {
		const char *value = g_bytes_get_data(charset->value, &length);

		name = g_strndup(value ? value : "", MIN(length, 64));
		text = charset_convert(name, bytes->data, bytes->len);
	}
	return text ? text : charset_guess(bytes->data, bytes->len, NULL, NULL);
}

/* Searches a body for links, and for words that open archives. */
static void
read_text(struct reader *reader, const struct entity *entity, const GByteArray *bytes)
{
	g_autofree char *text = text_of(entity, bytes);
	gboolean html = mime_is_html(entity);
	gsize length = strlen(text);

	reader->url_scan_bytes += bytes->len;
	url_collect(reader->record, text, length, html);
	if (reader->record == reader->result)
		unpacker_add_text(reader->unpacker, text, length, html);
}

/* Whether an attachment is a text, and short, as people attach a "password.txt": all was kept. */
static gboolean
is_note(const struct file *file, const GByteArray *kept)
{
	return !(file->flags & (FILE_BODY | FILE_MESSAGE)) && kept->len > 0 &&
	       file->size == kept->len && kept->len <= MAGIC_IMAGE_BYTES && file->detected_type &&
	       g_str_has_prefix(file->detected_type, "text/");
}

static void
read_note(struct reader *reader, const struct entity *entity, const GByteArray *bytes)
{
	g_autofree char *text = text_of(entity, bytes);

	unpacker_add_text(reader->unpacker, text, strlen(text), mime_is_html(entity));
}

/* How many bytes of a decoded content are wanted beside its digests. */
static gsize
bytes_to_keep(const struct reader *reader, const struct entity *entity, const struct file *file)
{
	if (file->flags & FILE_MESSAGE || entity->wrapped || mime_is_tnef(file) ||
	    mime_is_signed(file) || mime_is_message_otherwise(file))
		return G_MAXUINT; /* it is split in turn; no longer than what it came from */
	if (file->flags & FILE_BODY)
		return MAX(CAP_URL_SCAN_BYTES - MIN(reader->url_scan_bytes, CAP_URL_SCAN_BYTES),
			   MAGIC_IMAGE_BYTES);
	return mime_opens_in_browser(file) || mime_is_calendar(file) ? CAP_URL_SCAN_BYTES
								     : MAGIC_IMAGE_BYTES;
}

/* Returns a decoded multipart with its Content-Type put before it.  Free with g_string_free(). */
GString *
mime_multipart_message(const struct source *source, const struct entity *entity,
		       const GByteArray *kept)
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
	message = mime_multipart_message(source, entity, kept);
	mime_read_message(reader, message->str, message->len, index, entity->depth + 1);
}

/* Reads an archive, but not of a reading that is merged, whose files are another record's. */
void
mime_look_inside(struct reader *reader, guint index, const GByteArray *bytes, guint depth)
{
	if (reader->record == reader->result)
		unpack_file(reader->unpacker, index, bytes->data, bytes->len, depth);
}

/*
 * Decodes once more a content that a zip ends, or that may have another archive in it, as its head
 * did not say, to keep it whole.
 */
static void
keep_whole(struct reader *reader, const struct source *source, const struct entity *entity,
	   struct file *file, struct content *content)
{
	struct file unused = {0};

	if (file->flags & FILE_BODY || file->size == content->kept->len ||
	    (!content->mark.found && !zip_tail_may_end(&content->tail)))
		return;
	if (file->size > CAP_KEPT_BYTES) {
		record_note_cap(reader->record, CAP_KEPT_BYTES_NAME);
		file->flags |= FILE_INCOMPLETE;
		return;
	}
	g_byte_array_set_size(content->kept, 0);
	content->keep = CAP_KEPT_BYTES;
	content->known = TRUE;
	fingerprint_begin(reader->fingerprint, FALSE);
	mime_decode(reader, source->bytes + entity->body.begin, entity->body.length,
		    mime_encoding(file), content);
	fingerprint_finish(reader->fingerprint, NULL, 0, &unused);
}

/* Reads what was kept of a content: what it is, its links, the message that it is. */
static void
read_kept(struct reader *reader, const struct source *source, const struct entity *entity,
	  int index, const struct content *content)
{
	struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	GByteArray *kept = content->kept;

	file->detected_type =
		g_strdup(file->flags & FILE_BODY ? magic_type(kept->data, kept->len)
						 : unpack_type(kept->data, kept->len));
	if (content->truncated)
		file->flags |= FILE_TRUNCATED;
	if (!(file->flags & FILE_MESSAGE))
		mime_look_inside(reader, (guint)index, kept, entity->depth);
	if (file->flags & FILE_BODY && kept->len && reader->options == &mime_plain_reading) {
		g_byte_array_set_size(kept,
				      (guint)MIN(kept->len, bytes_to_keep(reader, entity, file)));
		if (file->size > kept->len)
			record_note_cap(reader->record, CAP_URL_SCAN_BYTES_NAME);
		read_text(reader, entity, kept);
	}
	if (reader->record == reader->result && is_note(file, kept))
		read_note(reader, entity, kept);
	if (file->flags & FILE_MESSAGE) {
		if (entity->depth >= CAP_NESTING || reader->record->files->len >= CAP_PARTS)
			file->flags |= FILE_INCOMPLETE;
		else
			mime_read_message(reader, (const char *)kept->data, kept->len, index,
					  entity->depth + 1);
	}
	if (entity->wrapped)
		read_multipart(reader, source, entity, index, kept);
}
/* A content of the message in hand, and how it is decoded. */
struct content_span {
	const char *whole; /* the message, or its lines */
	struct span body;
	enum encoding encoding;
	struct file *file; /* which it is by the plain reading, borrowed; else NULL */
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

GHashTable *
mime_spans_new(void)
{
	return g_hash_table_new_full(span_hash, span_equal, g_free, NULL);
}

/* Whether what is in a leaf is read in turn, and by the rules of the reading in hand. */
static gboolean
is_opened(const struct entity *entity, const struct file *file)
{
	return entity_is_message(entity) || mime_is_message_otherwise(file) ||
	       mime_is_signed(file) || entity->wrapped;
}

/* Whether a line begins with such a text, in letters of either case. */
static gboolean
line_begins(const char *line, gsize length, const char *with)
{
	return length >= strlen(with) && g_ascii_strncasecmp(line, with, strlen(with)) == 0;
}

/*
 * Whether the header of a part stands in a text: behind what may be a delimiter, or at its
 * beginning, where the first line may be what is left of one.
 */
static gboolean
has_part_header(const char *text, gsize length)
{
	const char *at = text, *end = text + length;
	gboolean header = TRUE; /* the line in hand may be of one */

	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		gsize size = (gsize)((feed ? feed + 1 : end) - at);

		if (header && (line_begins(at, size, "Content-Type:") ||
			       line_begins(at, size, "Content-Disposition:")))
			return TRUE;
		header = at == text || line_begins(at, size, "--") ||
			 (header && line_begins(at, size, "Content-"));
		at += size;
	}
	return FALSE;
}

/*
 * Whether another reading takes a part, header and all, for a text: one without a type or a
 * name, that some program may show and none saves.  The part itself is what the readings record
 * that know its delimiter.
 */
static gboolean
is_part_shown_as_text(const struct reader *reader, const struct source *source,
		      const struct entity *entity, const struct file *file)
{
	return reader->options != &mime_plain_reading && file->flags & FILE_BODY &&
	       !entity->has_type && mime_encoding(file) == ENCODING_IDENTITY &&
	       has_part_header(source->bytes + entity->body.begin, entity->body.length);
}

/*
 * Whether a content need not be read again: the plain reading has it, or one of
 * those whose rows are joined.  What is read first is kept for the others if it is recorded;
 * a name that the reading in hand alone gives it is the plain one's, too.
 */
READING_CHECK static gboolean
was_read(struct reader *reader, const struct source *source, const struct entity *entity,
	 struct file *file, enum encoding encoding, gboolean recorded)
{
	struct content_span span = {
		.whole = source->bytes, .body = entity->body, .encoding = encoding};
	gboolean plain = reader->options == &mime_plain_reading;
	const struct content_span *same;
	const GByteArray *lines = reader->lines[reader->line_rule];
	gboolean of_lines = lines && source->bytes == (char *)lines->data;

	if ((source->bytes != reader->whole && !of_lines) || is_opened(entity, file))
		return FALSE;
	same = plain ? NULL : g_hash_table_lookup(reader->spans, &span);
	if (same && same->file)
		readings_add_names(reader->result, same->file, file);
	if (same)
		return TRUE;
	/* What is read into another record may not outlive this one's spans. */
	span.file = plain && reader->record == reader->result ? file : NULL;
	if (reader->rows > 1 && g_hash_table_contains(reader->others, &span))
		return TRUE;
	if (recorded)
		g_hash_table_add(plain ? reader->spans : reader->others,
				 g_memdup2(&span, sizeof(span)));
	return FALSE;
}

/* Reads a leaf, or an encoded message as one. */
void
mime_read_leaf(struct reader *reader, const struct source *source, const struct entity *entity,
	       int index)
{
	struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	const char *bytes = source->bytes + entity->body.begin;
	enum encoding encoding = mime_encoding(file);
	gboolean variants =
		encoding != ENCODING_BASE64 || g_str_has_prefix(entity->type->token, "text/");
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct content content = {
		.kept = kept,
		.keep = bytes_to_keep(reader, entity, file),
		.attachment = !(file->flags & FILE_BODY),
	};
	gsize line_break =
		mime_visible_break(bytes, entity->body.length, entity->break_bytes, encoding);
	gboolean recorded = !is_part_shown_as_text(reader, source, entity, file);

	if (was_read(reader, source, entity, file, encoding, recorded))
		return;
	if (source->bytes == reader->whole)
		reader->leaf_begin = entity->body.begin;
	fingerprint_begin(reader->fingerprint, variants);
	mime_decode(reader, bytes, entity->body.length, encoding, &content);
	fingerprint_finish(reader->fingerprint, bytes + entity->body.length, line_break, file);
	keep_whole(reader, source, entity, file, &content);
	mime_read_decodings(reader, source, entity, index, encoding);
	read_kept(reader, source, entity, index, &content);
	if (!(file->flags & FILE_MESSAGE))
		mime_read_embedded(reader, source, entity, index, kept);
	/* What is in it counts; of no bytes it is no content (readings.h). */
	if (!recorded)
		file->size = 0;
}
