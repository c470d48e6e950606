/* SPDX-License-Identifier: BSD-2-Clause */
/* A leaf as other readers decode it, and what stands in it without MIME's saying so. */
#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "embedded.h"
#include "magic.h"
#include "pasted.h"
#include "readings.h"
#include "unpack.h"
#include "wide.h"

/* The leaf whose decodings are tried. */
struct recoding {
	struct reader *reader;
	const struct source *source;
	const struct entity *entity;
	int index;
};

/* Whether one more reading, of so many bytes, may be tried. */
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

/* Adds a content that another reading of a file shows; returns its file, or NULL. */
static struct file *
add_content(const struct recoding *recoding, const char *name, const GByteArray *bytes)
{
	struct reader *reader = recoding->reader;
	struct file scratch = {0};
	struct file *file;

	if (!mime_may_read(reader, bytes->len))
		return NULL;
	fingerprint_begin(reader->fingerprint, FALSE);
	fingerprint_add(reader->fingerprint, bytes->data, bytes->len);
	fingerprint_finish(reader->fingerprint, NULL, 0, &scratch);
	file = readings_add(reader->record, recoding->index, name, bytes->len, &scratch.digests);
	if (!file)
		return NULL;
	file->detected_type = g_strdup(magic_type(bytes->data, bytes->len));
	mime_look_inside(reader, reader->record->files->len - 1, bytes, recoding->entity->depth);
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
	text = mime_bounded_text(recoding->reader, decoded, strlen(decoded), CAP_NAME_BYTES,
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

	if (depth >= CAP_NESTING || !room || !mime_may_read(reader, length))
		return;
	other = record_new();
	reader->record = other;
	/* A level deeper by two: the leaf and the message. */
	mime_read_message(reader, bytes, length, -1, depth + 2);
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

	if (mime_is_html(recoding->entity))
		embedded_in_html(text, length, add_embedded, recoding);
	embedded_in_text(text, length, add_embedded, recoding);
	/* Of other readings' bodies most are a message's source by themselves. */
	if (reader->options == &mime_plain_reading && reader->record == reader->result)
		pasted_messages(text, length, add_pasted, recoding);
}

/* Reads what stands in a leaf without MIME's saying so. */
void
mime_read_embedded(struct reader *reader, const struct source *source, const struct entity *entity,
		   int index, const GByteArray *kept)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	struct recoding recoding = {reader, source, entity, index};
	g_autofree char *wide = wide_text(entity, kept);
	g_autoptr(GByteArray) content = NULL;
	gboolean inner = mime_is_message_otherwise(file);

	if (!kept->len)
		return;
	if (mime_is_tnef(file))
		return embedded_in_tnef(kept->data, kept->len, add_embedded, &recoding);
	if (mime_is_signed(file))
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
	else if (mime_encoding(file) == ENCODING_IDENTITY)
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
		g_autoptr(GString) message =
			mime_multipart_message(recoding->source, entity, bytes);

		return read_inner(reader, recoding->index, name, message->str, message->len,
				  entity->depth);
	}
	if (above->flags & FILE_MESSAGE || mime_is_message_otherwise(above))
		read_inner(reader, recoding->index, name, bytes->data, bytes->len, entity->depth);
	if (above->flags & FILE_MESSAGE)
		return;
	if (add_content(recoding, name, bytes) && body)
		read_in_text(recoding, (const char *)bytes->data, bytes->len);
}

void
mime_read_decodings(struct reader *reader, const struct source *source, const struct entity *entity,
		    int index, enum encoding encoding)
{
	const struct file *file = g_ptr_array_index(reader->record->files, (guint)index);
	struct recoding recoding = {reader, source, entity, index};
	struct encoded encoded = {
		.bytes = source->bytes + entity->body.begin,
		.length = entity->body.length,
		.declared = encoding,
		.certain = mime_encoding_is_certain(source, entity),
		.hinted = mime_resembled_encoding(source, entity),
		.decoded_size = file->size,
		.text = g_str_has_prefix(entity->type->token, "text"),
	};

	if (encoded.length)
		recode_each(&encoded, add_decoding, &recoding);
}
