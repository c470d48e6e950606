/* SPDX-License-Identifier: BSD-2-Clause */
/* What an entity's own header says of its file: names, types, and what it is opened as. */
#include <config.h>

#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "embedded.h"
#include "encoded_word.h"
#include "mail_file.h"

/* Reads a field whose value is a token and parameters; NULL if it is not there. */
static struct content_field *
read_span(struct reader *reader, const struct source *source, struct span span)
{
	struct content_field *field;

	if (!span.begin)
		return NULL;
	field = content_field_parse(source->bytes + span.begin, span.length);
	if (field->cut)
		record_note_cap(reader->record, CAP_PARAMETERS_NAME);
	return field;
}

/* Adds the names of a field that stands there twice, and is the other one for some readers. */
static void
add_names_again(const struct naming *naming, const struct source *source, struct span span)
{
	static const char *const names[] = {"filename", "name"};
	g_autoptr(content_field_t) field = read_span(naming->reader, source, span);

	for (gsize i = 0; field && i < G_N_ELEMENTS(names); i++) {
		mime_add_names(naming, field, names[i], TRUE);
		mime_add_names(naming, field, names[i], FALSE);
	}
}

/* Adds the names of a field for those who decode its encoded words before they look for them. */
static void
add_names_decoded(const struct naming *naming, const struct source *source, struct span span)
{
	static const char *const names[] = {"filename", "name"};
	const char *bytes = source->bytes + span.begin;
	g_autofree char *decoded = NULL;
	g_autoptr(content_field_t) field = NULL;

	span.length = MIN(span.length, CAP_PARAMETER_BYTES);
	if (!span.begin || !memmem(bytes, span.length, "=?", 2))
		return;
	if (naming->file->names->len >= CAP_NAMES) {
		record_note_cap(naming->reader->record, CAP_NAMES_NAME);
		return;
	}
	decoded = header_decode(bytes, span.length, NULL);
	field = content_field_parse(decoded, strlen(decoded));
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		mime_add_names(naming, field, names[i], FALSE);
}

/* A token as text, or NULL when there is none. */
static char *
token_text(struct reader *reader, const struct content_field *field)
{
	if (!field || !*field->token)
		return NULL;
	return mime_bounded_text(reader, field->token, strlen(field->token), CAP_FIELD_BYTES,
				 CAP_FIELD_BYTES_NAME);
}

static char *
content_id(struct reader *reader, const struct source *source, const struct entity *entity)
{
	struct span span = mime_trim(source, entity->fields[FIELD_CONTENT_ID]);

	if (!span.length)
		return NULL;
	if (source->bytes[span.begin] == '<' && span.length >= 2 &&
	    source->bytes[span.begin + span.length - 1] == '>') {
		span.begin++;
		span.length -= 2;
	}
	return mime_field_text(reader, source, span);
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

/* Keeps the character set that an entity declares: its name may be of that, raw. */
static void
keep_charset(struct reader *reader, const struct entity *entity)
{
	const struct parameter *charset = content_field_get(entity->type, "charset", FALSE);
	gsize length = 0;
	const char *bytes = charset ? g_bytes_get_data(charset->value, &length) : NULL;

	reader->charset[0] = '\0';
	if (!length || length >= sizeof(reader->charset))
		return;
	memcpy(reader->charset, bytes, length);
	reader->charset[length] = '\0';
	if (!*reader->first_charset)
		g_strlcpy(reader->first_charset, reader->charset, sizeof(reader->first_charset));
}

/*
 * Whether readers show it in place as long as it has no name: a text of any kind (RFC 2046
 * 4.1.4).  Those of pages saved as mail (RFC 2557) have places that are no names.
 */
static gboolean
is_shown(const struct entity *entity, const struct file *file)
{
	if (entity->kind == ENTITY_MULTIPART || (file->flags & FILE_BODY))
		return TRUE;
	return g_str_has_prefix(entity->type->token, "text/") &&
	       g_strcmp0(file->disposition, "attachment") != 0;
}

/* Sets what the entity's own header says of the file. */
void
mime_describe(struct reader *reader, const struct source *source, const struct entity *entity,
	      struct file *file)
{
	g_autoptr(content_field_t) disposition =
		read_span(reader, source, entity->fields[FIELD_CONTENT_DISPOSITION]);
	g_autoptr(content_field_t) encoding =
		read_span(reader, source, entity->fields[FIELD_CONTENT_TRANSFER_ENCODING]);
	struct naming naming = mime_naming_begin(reader, file);

	if (entity->has_type)
		file->declared_type = token_text(reader, entity->type);
	file->disposition = token_text(reader, disposition);
	file->encoding = token_text(reader, encoding);
	file->content_id = content_id(reader, source, entity);
	keep_charset(reader, entity);
	if (disposition) {
		mime_add_names(&naming, disposition, "filename", TRUE);
		mime_add_names(&naming, disposition, "filename", FALSE);
	}
	mime_add_names(&naming, entity->type, "name", TRUE);
	mime_add_names(&naming, entity->type, "name", FALSE);
	if (entity->kind == ENTITY_MULTIPART)
		file->flags |= FILE_MULTIPART;
	else if (entity_is_message(entity))
		file->flags |= FILE_MESSAGE;
	else if (is_body_type(entity->type->token) && !file->names->len &&
		 g_strcmp0(file->disposition, "attachment") != 0)
		file->flags |= FILE_BODY;
	if (entity->cut)
		file->flags |= FILE_INCOMPLETE;
	/* Names that make no attachment of a text by themselves. */
	if (disposition) {
		mime_add_names(&naming, disposition, "name", TRUE);
		mime_add_names(&naming, disposition, "name", FALSE);
	}
	mime_add_names(&naming, entity->type, "filename", TRUE);
	mime_add_names(&naming, entity->type, "filename", FALSE);
	add_names_again(&naming, source, entity->again[FIELD_CONTENT_DISPOSITION]);
	add_names_again(&naming, source, entity->again[FIELD_CONTENT_TYPE]);
	add_names_decoded(&naming, source, entity->fields[FIELD_CONTENT_DISPOSITION]);
	add_names_decoded(&naming, source, entity->fields[FIELD_CONTENT_TYPE]);
	if (!file->names->len && !is_shown(entity, file))
		mime_add_location(&naming, source, entity->fields[FIELD_CONTENT_LOCATION]);
	mime_naming_end(&naming);
}

/* ---- what it is opened as ---- */

gboolean
mime_is_html(const struct entity *entity)
{
	return g_str_equal(entity->type->token, "text/html") ||
	       g_str_equal(entity->type->token, "text/x-amp-html");
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

/* Whether any of its names is one of a kind. */
static gboolean
has_name(const struct file *file, gboolean (*is_one)(const char *name))
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (is_one(name->text))
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

gboolean
mime_is_tnef(const struct file *file)
{
	return is_typed(file, "ms-tnef", "winmail.dat") ||
	       g_strcmp0(file->detected_type, EMBEDDED_TNEF_TYPE) == 0;
}

gboolean
mime_is_signed(const struct file *file)
{
	return is_typed(file, "pkcs7-mime", ".p7m");
}

gboolean
mime_is_calendar(const struct file *file)
{
	return (file->declared_type && g_str_has_suffix(file->declared_type, "text/calendar")) ||
	       has_name(file, embedded_calendar_is_named);
}

gboolean
mime_opens_in_browser(const struct file *file)
{
	if (file->declared_type && (g_str_equal(file->declared_type, "text/html") ||
				    g_str_equal(file->declared_type, "application/xhtml+xml") ||
				    g_str_equal(file->declared_type, "image/svg+xml")))
		return TRUE;
	return has_name(file, embedded_page_is_named);
}

/* Whether readers show a content of this type of message's as it stands (RFC 3464, 3798, …). */
static gboolean
is_status_type(const char *type)
{
	static const char *const types[] = {"delivery-status",
					    "disposition-notification",
					    "feedback-report",
					    "tracking-status",
					    "external-body",
					    "global-delivery-status",
					    "global-disposition-notification",
					    "global-headers",
					    "http",
					    "imdn+xml",
					    "s-http",
					    "sip",
					    "sipfrag"};

	for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
		if (g_str_equal(type, types[i]))
			return TRUE;
	return FALSE;
}

/* A message/partial (RFC 2046 5.2.2), and for Python any message/… that is none of a status. */
static gboolean
is_message_type(const char *type)
{
	return type && g_str_has_prefix(type, "message/") &&
	       !is_status_type(type + strlen("message/"));
}

gboolean
mime_is_message_otherwise(const struct file *file)
{
	if (file->flags & FILE_MESSAGE)
		return FALSE;
	return is_message_type(file->declared_type) || has_name(file, mail_file_is_named);
}
