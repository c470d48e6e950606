/* SPDX-License-Identifier: BSD-2-Clause */
/* A file's names as its header has them. */
#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "encoded_word.h"

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
written_name_free(gpointer data)
{
	struct written_name *name = data;

	g_free(name->text);
	g_free(name->reading);
	g_bytes_unref(name->raw);
	g_clear_pointer(&name->word, g_bytes_unref);
	g_clear_pointer(&name->token, g_bytes_unref);
	g_clear_pointer(&name->unquoted, g_bytes_unref);
	g_free(name);
}

struct naming
mime_naming_begin(struct reader *reader, struct file *file)
{
	return (struct naming){reader, file, g_ptr_array_new_with_free_func(written_name_free)};
}

void
mime_naming_end(struct naming *naming)
{
	mime_add_name_forms(naming);
	g_ptr_array_unref(naming->written);
}

/* Keeps a name for what readers make of it, which comes behind all that are written. */
static void
remember(const struct naming *naming, const struct parameter *parameter, GBytes *raw,
	 const char *text, const char *reading)
{
	struct written_name *name = g_new0(struct written_name, 1);

	name->text = g_strdup(text);
	name->reading = g_strdup(reading);
	name->raw = g_bytes_ref(raw);
	name->word = parameter->word ? g_bytes_ref(parameter->word) : NULL;
	name->token = parameter->token ? g_bytes_ref(parameter->token) : NULL;
	name->unquoted = parameter->unquoted ? g_bytes_ref(parameter->unquoted) : NULL;
	name->charset = parameter->charset != NULL;
	name->extended = parameter->extended;
	g_ptr_array_add(naming->written, name);
}

static void
add_name(const struct naming *naming, const struct parameter *parameter, GBytes *raw,
	 const char *reading)
{
	struct reader *reader = naming->reader;
	struct file *file = naming->file;
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
	bounded =
		mime_bounded_text(reader, text, strlen(text), CAP_NAME_BYTES, CAP_NAME_BYTES_NAME);
	reader->names_bytes += strlen(bounded) + length;
	if (undecoded)
		file->flags |= FILE_UNDECODED;
	if (*bounded)
		file_add_name(file, bounded, reading,
			      mime_same_bytes(bounded, bytes, length) ? NULL : raw);
	else if (!parameter->unquoted)
		return;
	remember(naming, parameter, raw, bounded, reading);
}

/* Whether a literal is the better reading: its backslashes are halves of characters. */
static gboolean
is_multibyte(GBytes *literal)
{
	gsize length;
	const char *bytes = g_bytes_get_data(literal, &length);

	return memchr(bytes, 0x1b, length) || !g_utf8_validate(bytes, (gssize)length, NULL);
}

void
mime_add_names(const struct naming *naming, const struct content_field *field, const char *name,
	       gboolean extended)
{
	g_autofree char *reading = g_strconcat(name, extended ? "*" : "", NULL);

	for (guint i = 0; i < field->parameters->len; i++) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);

		if (parameter->extended != extended || !g_str_equal(parameter->name, name))
			continue;
		if (parameter->literal && is_multibyte(parameter->literal))
			add_name(naming, parameter, parameter->literal, reading);
		add_name(naming, parameter, parameter->value, reading);
		if (parameter->literal)
			add_name(naming, parameter, parameter->literal, reading);
	}
}

/* Whether a name has an ending, as files do and places of pages do not. */
static gboolean
has_ending(const char *name)
{
	for (const char *dot = name; (dot = strchr(dot, '.')) != NULL; dot++)
		if (dot > name && g_ascii_isalnum(dot[1]))
			return TRUE;
	return FALSE;
}

/* Returns the last part of a URL's path, or NULL; cuts off what follows the path. */
static const char *
location_end(char *url)
{
	const char *path = url, *host, *slash;

	if (g_ascii_strncasecmp(url, "cid:", 4) == 0 || g_ascii_strncasecmp(url, "mid:", 4) == 0)
		return NULL; /* what an entity is called, not a place */
	url[strcspn(url, "?#")] = '\0';
	host = strstr(url, "://");
	if (host)
		path = strchr(host + strlen("://"), '/');
	slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

void
mime_add_location(const struct naming *naming, const struct source *source, struct span location)
{
	static const struct parameter plain = {0};
	struct span span = mime_trim(source, location);
	g_autofree char *url =
		header_decode(source->bytes + span.begin, MIN(span.length, CAP_FIELD_BYTES), NULL);
	const char *written = location_end(url);
	g_autofree char *name = written ? g_uri_unescape_string(written, NULL) : NULL;
	g_autoptr(GBytes) unescaped = NULL;
	g_autoptr(GBytes) raw = NULL;

	if (!written || !has_ending(name ? name : written))
		return;
	raw = g_bytes_new(written, strlen(written));
	if (name && !g_str_equal(name, written)) {
		unescaped = g_bytes_new(name, strlen(name));
		add_name(naming, &plain, unescaped, "content-location");
	}
	add_name(naming, &plain, raw, "content-location");
}
