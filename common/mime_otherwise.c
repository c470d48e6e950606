/* SPDX-License-Identifier: BSD-2-Clause */
/* A leaf as other readers decode it, and what stands in it without MIME's saying so. */
#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "embedded.h"
#include "encoded_word.h"
#include "magic.h"
#include "mail_file.h"
#include "pasted.h"
#include "readings.h"
#include "unpack.h"
#include "wide.h"

/* The file whose content is read otherwise. */
struct recoding {
	struct reader *reader;
	const struct source *source;
	const struct entity *entity; /* the leaf that it is, or is in */
	int index;
	gboolean within;       /* it is in another's content, so that the entity is not its own */
	GHashTable *decodings; /* set of char *, SHA-256 of its other decodings, or NULL */
	guint shown;	       /* contents that these showed */
};

static void read_in_content(const struct recoding *recoding, const GByteArray *bytes);

gboolean
mime_may_read(struct reader *reader, guint64 bytes)
{
	reader->readings++;
	reader->reading_bytes += bytes;
	if (reader->readings > CAP_READINGS)
		record_note_cap(reader->record, CAP_READINGS_NAME);
	if (reader->reading_bytes > CAP_READING_BYTES)
		record_note_cap(reader->record, CAP_READING_BYTES_NAME);
	return reader->readings <= CAP_READINGS && reader->reading_bytes <= CAP_READING_BYTES;
}

/* Says that a file has more bytes than were read: their digest is not its own. */
static void
note_unread(struct reader *reader, struct file *file)
{
	record_note_cap(reader->record, CAP_KEPT_BYTES_NAME);
	if (!file)
		return;
	file->flags |= FILE_INCOMPLETE;
	file->digests = (struct digests){0};
}

/*
 * Adds a content that another reading of a file shows; returns its file, or NULL.  size: of
 * the content, of which there are as many bytes as could be read.
 */
static struct file *
add_content(const struct recoding *recoding, const char *name, const GByteArray *bytes,
	    guint64 size)
{
	struct reader *reader = recoding->reader;
	struct file scratch = {0};
	struct file *file;

	if (!mime_may_read(reader, bytes->len))
		return NULL;
	fingerprint_begin(reader->fingerprint, FALSE);
	fingerprint_add(reader->fingerprint, bytes->data, bytes->len);
	fingerprint_finish(reader->fingerprint, NULL, 0, &scratch);
	file = readings_add(reader->record, recoding->index, name, size, &scratch.digests);
	if (size > bytes->len)
		note_unread(reader, file);
	if (!file)
		return NULL;
	file->detected_type = g_strdup(magic_type(bytes->data, bytes->len));
	mime_look_inside(reader, reader->record->files->len - 1, bytes, recoding->entity->depth);
	return file;
}

/* A file in a text or a wrapper has its own name and no type. */
static void
add_embedded(const char *how, const char *const *names, const GByteArray *bytes, guint64 size,
	     gpointer user)
{
	const struct recoding *recoding = user;
	struct recoding inner = *recoding;
	struct file *file = add_content(recoding, how, bytes, size);

	if (!file)
		return;
	g_ptr_array_set_size(file->names, 0);
	g_clear_pointer(&file->declared_type, g_free);
	g_clear_pointer(&file->disposition, g_free);
	for (; *names; names++) {
		g_autofree char *decoded = header_decode(*names, strlen(*names), NULL);
		g_autofree char *text =
			mime_bounded_text(recoding->reader, decoded, strlen(decoded),
					  CAP_NAME_BYTES, CAP_NAME_BYTES_NAME);

		if (*text)
			file_add_name(file, text, how, NULL);
	}
	/* Outlook wraps messages within messages; each level counts for CAP_READINGS. */
	inner.index = (int)recoding->reader->record->files->len - 1;
	inner.within = TRUE;
	read_in_content(&inner, bytes);
}

/* Reads a message that is in a leaf, for the contents that it shows; returns how many are new. */
static guint
read_inner(struct reader *reader, int index, const char *name, const void *bytes, gsize length,
	   guint depth)
{
	struct record *record = reader->record;
	g_autoptr(record_t) other = NULL;
	guint room = CAP_PARTS - MIN(record->files->len, CAP_PARTS);

	if (depth >= CAP_NESTING || !room || !mime_may_read(reader, length))
		return 0;
	other = record_new();
	reader->record = other;
	/* A level deeper by two: the leaf and the message. */
	mime_read_message(reader, bytes, length, -1, depth + 2);
	reader->record = record;
	return readings_merge(record, other, index, name);
}

/* Returns a text in UTF-16 that does not say which, or that it is, or NULL when it is none. */
READING_CHECK static char *
undeclared_wide_text(const GByteArray *kept)
{
	g_autoptr(GByteArray) narrow = NULL;

	if (!wide_is((const char *)kept->data, kept->len))
		return NULL;
	narrow = wide_narrow((const char *)kept->data, kept->len);
	return g_strndup((const char *)narrow->data, narrow->len);
}

/* Whether the name of a character set, in letters and digits, is of one that is no superset of
 * ASCII. */
static gboolean
is_wide_set(const char *name)
{
	static const char *const begins[] = {"utf32",	"utf7",	   "unicode11utf7", "ucs4",
					     "utf16be", "utf16le", "iso10646ucs4"};

	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++)
		if (g_str_has_prefix(name, begins[i]))
			return TRUE;
	return FALSE;
}

/* The bytes of a text in an encoding that is no superset of ASCII, as UTF-8, or NULL. */
static char *
wide_text(const struct entity *entity, const GByteArray *kept)
{
	const struct parameter *charset = content_field_get(entity->type, "charset", FALSE);
	g_autofree char *name = NULL;
	g_autoptr(GString) key = g_string_new(NULL);
	gsize length;
	const char *value = charset ? g_bytes_get_data(charset->value, &length) : NULL;
	char *text = NULL;

	if (!value)
		return undeclared_wide_text(kept);
	name = g_ascii_strdown(value, (gssize)MIN(length, 64));
	for (const char *at = name; *at; at++)
		if (g_ascii_isalnum(*at))
			g_string_append_c(key, *at);
	if (is_wide_set(key->str))
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

static void
add_pasted_part(const char *at, gsize length, gpointer user)
{
	const struct recoding *recoding = user;
	const struct source *source = recoding->source;

	mime_note_anomaly(recoding->reader, source, "part-in-text", (gsize)(at - source->bytes));
	read_inner(recoding->reader, recoding->index, "part-in-text", at, length,
		   recoding->entity->depth);
}

/* Reads what a body shows as text and some readers as files. */
static void
read_in_text(const struct recoding *recoding, const char *text, gsize length)
{
	struct reader *reader = recoding->reader;
	struct recoding into = *recoding;

	if (mime_is_html(recoding->entity))
		embedded_in_html(text, length, add_embedded, &into);
	embedded_in_text(text, length, &reader->runs_room, add_embedded, &into);
	/* Of other readings' bodies most are a message's source by themselves. */
	if (reader->options == &mime_plain_reading && reader->record == reader->result)
		pasted_messages(text, length, add_pasted, &into);
}

/* Reads what stands in the file of an attachment that is opened by itself. */
static void
read_in_attachment(const struct recoding *recoding, const struct file *file,
		   const GByteArray *bytes)
{
	struct recoding into = *recoding;
	const char *text = (const char *)bytes->data;

	if (mail_file_begins(text, bytes->len)) {
		read_inner(recoding->reader, recoding->index, "message-in-file", text, bytes->len,
			   recoding->entity->depth);
		return;
	}
	if (mime_is_calendar(file))
		embedded_in_calendar(text, bytes->len, add_embedded, &into);
	if (mime_opens_in_browser(file))
		embedded_in_html(text, bytes->len, add_embedded, &into);
	if (embedded_begins(text, bytes->len))
		embedded_in_text(text, bytes->len, &recoding->reader->runs_room, add_embedded,
				 &into);
}

/* Reads what stands in a leaf's own content without MIME's saying so. */
static void
read_in_leaf(const struct recoding *recoding, const struct file *file, const GByteArray *bytes)
{
	g_autofree char *wide = recoding->within ? NULL : wide_text(recoding->entity, bytes);

	if (wide)
		read_in_text(recoding, wide, strlen(wide));
	else if (file->flags & FILE_BODY)
		read_in_text(recoding, (const char *)bytes->data, bytes->len);
	else
		read_in_attachment(recoding, file, bytes);
}

/* Reads what stands in a content: a wrapper's, a message's, or a text's. */
static void
read_in_content(const struct recoding *recoding, const GByteArray *bytes)
{
	struct reader *reader = recoding->reader;
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)recoding->index);
	struct recoding into = *recoding;
	g_autoptr(GByteArray) content = NULL;

	if (mime_is_tnef(file) ||
	    g_strcmp0(magic_type(bytes->data, bytes->len), EMBEDDED_TNEF_TYPE) == 0)
		return embedded_in_tnef(bytes->data, bytes->len, add_embedded, &into);
	if (mime_is_signed(file))
		content = embedded_in_signed(bytes->data, bytes->len);
	if (content)
		read_inner(reader, recoding->index, "signed-content", content->data, content->len,
			   recoding->entity->depth);
	else if (mime_is_message_otherwise(file))
		read_inner(reader, recoding->index, "message-in-file", bytes->data, bytes->len,
			   recoding->entity->depth);
	else
		read_in_leaf(recoding, file, bytes);
}

/*
 * Whether files may stand in a content's bytes as they are, and are not read from what was kept
 * of it: of what is not encoded all is at hand, and what begins a file is no base64, as ClamAV
 * finds.
 */
static gboolean
stands_unread(const struct source *source, const struct entity *entity, const struct file *file,
	      const GByteArray *kept)
{
	if (mime_encoding(file) == ENCODING_BASE64)
		return embedded_begins(source->bytes + entity->body.begin, entity->body.length);
	return !(file->flags & FILE_BODY) && mime_encoding(file) == ENCODING_IDENTITY &&
	       !embedded_begins(kept->data, kept->len);
}

void
mime_read_embedded(struct reader *reader, const struct source *source, const struct entity *entity,
		   int index, const GByteArray *kept)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	struct recoding recoding = {reader, source, entity, index, FALSE, NULL, 0};

	if (!kept->len)
		return;
	read_in_content(&recoding, kept);
	/* A part in another one, encoded as it may be: where a delimiter was not found. */
	if (reader->options == &mime_plain_reading && reader->record == reader->result)
		pasted_parts(source->bytes + entity->body.begin, entity->body.length,
			     !(file->flags & FILE_BODY), add_pasted_part, &recoding);
	if (stands_unread(source, entity, file, kept))
		embedded_in_text(source->bytes + entity->body.begin, entity->body.length,
				 &reader->runs_room, add_embedded, &recoding);
}

/* Whether a decoding is of the same bytes as one that was read, or as the plain one. */
static gboolean
was_decoded(const struct recoding *recoding, const struct file *plain, const GByteArray *bytes)
{
	guint8 sha256[SHA256_BYTES];
	char *hex;

	digest_sha256(bytes->data, bytes->len, sha256);
	if (memcmp(sha256, plain->digests.sha256, SHA256_BYTES) == 0)
		return TRUE;
	hex = hex_encode(sha256, SHA256_BYTES);
	return !g_hash_table_add(recoding->decodings, hex);
}

/* How many contents the other decodings of one may show, in the reading in hand. */
static guint
most_shown(const struct reader *reader)
{
	if (reader->rows > 2)
		return CAP_TRIPLE_DECODINGS;
	return reader->rows > 1 ? CAP_PAIR_DECODINGS : CAP_DECODINGS;
}

/* Takes a decoding of a content, and reads what the content would be read for. */
static void
add_decoding(const struct decoding *decoding, const GByteArray *bytes, gpointer user)
{
	struct recoding *recoding = user;
	struct reader *reader = recoding->reader;
	const struct entity *entity = recoding->entity;
	const struct file *above = g_ptr_array_index(reader->record->files, (guint)recoding->index);
	gboolean seen = was_decoded(recoding, above, bytes);

	if (!seen)
		mime_note_anomaly(reader, recoding->source, decoding->anomaly, entity->body.begin);
	if ((entity->wrapped || above->flags & FILE_MESSAGE) && seen)
		return;
	if (!seen && recoding->shown >= most_shown(reader))
		return record_note_cap(reader->record, CAP_DECODINGS_NAME);
	if (entity->wrapped) {
		g_autoptr(GString) message =
			mime_multipart_message(recoding->source, entity, bytes);

		recoding->shown += read_inner(reader, recoding->index, decoding->name, message->str,
					      message->len, entity->depth);
		return;
	}
	if (above->flags & FILE_MESSAGE || mime_is_message_otherwise(above))
		recoding->shown += read_inner(reader, recoding->index, decoding->name, bytes->data,
					      bytes->len, entity->depth);
	if (above->flags & FILE_MESSAGE)
		return;
	if (add_content(recoding, decoding->name, bytes, bytes->len)) {
		recoding->shown++;
		read_in_content(recoding, bytes);
	} else {
		reader->readings--; /* what shows nothing new costs its bytes alone */
	}
}

void
mime_read_decodings(struct reader *reader, const struct source *source, const struct entity *entity,
		    int index, enum encoding encoding)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	g_autoptr(GHashTable) decodings =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct recoding recoding = {reader, source, entity, index, FALSE, decodings, 0};
	struct encoded encoded = {
		.bytes = source->bytes + entity->body.begin,
		.length = entity->body.length,
		.declared = encoding,
		.certain = mime_encoding_is_certain(source, entity),
		.hinted = mime_resembled_encoding(source, entity),
		.decoded_size = file->size,
		.text = g_str_has_prefix(entity->type->token, "text"),
		.body = (file->flags & FILE_BODY) != 0,
	};

	if (encoded.length)
		recode_each(&encoded, add_decoding, &recoding);
}
