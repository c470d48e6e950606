/* SPDX-License-Identifier: BSD-2-Clause */
/* A file's names: each that some reader shows. */
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

static gboolean
has_name(const struct file *file, const char *text)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		if (g_str_equal(name->text, text))
			return TRUE;
	}
	return FALSE;
}

/* Adds a name that some reader makes of another; of one file there are fewer at the end. */
static void
add_derived(struct reader *reader, struct file *file, const char *text, const char *reading,
	    const char *how)
{
	g_autofree char *label = g_strconcat(reading, "-", how, NULL);
	gsize length = strlen(text);

	if (!length || length > CAP_NAME_BYTES || file->names->len >= CAP_NAMES ||
	    has_name(file, text))
		return;
	if (reader->derived_bytes + length > CAP_DERIVED_NAMES_BYTES) {
		record_note_cap(reader->record, CAP_DERIVED_NAMES_BYTES_NAME);
		return;
	}
	reader->derived_bytes += length;
	file_add_name(file, text, label, NULL);
}

static gboolean
is_separator(char byte)
{
	return byte == '/' || byte == '\\';
}

/* Returns where a name in UTF-8 ends for those who take blanks of any script off, and marks. */
static const char *
bare_end(const char *begin, const char *end)
{
	while (end > begin) {
		const char *last = g_utf8_prev_char(end);

		if (!strchr("'\"`<> .", *last) && !g_unichar_isspace(g_utf8_get_char(last)))
			break;
		end = last;
	}
	return end;
}

/* Adds a name as clients save it: its last part, without quotes, blanks and dots at its ends. */
static void
add_stripped(struct reader *reader, struct file *file, const char *text, const char *reading)
{
	const char *part, *end = text + strlen(text);
	g_autofree char *last = NULL;
	g_autofree char *bare = NULL;

	while (end > text && is_separator(end[-1]))
		end--;
	for (part = end; part > text && !is_separator(part[-1]);)
		part--;
	last = g_strndup(part, (gsize)(end - part));
	add_derived(reader, file, last, reading, "stripped");
	part = last;
	while (*part && strchr("'\"`< ", *part))
		part++;
	bare = g_strndup(part, (gsize)(bare_end(part, part + strlen(part)) - part));
	add_derived(reader, file, bare, reading, "stripped");
}

/* Adds what raw bytes are in a character set.  how: the set in the name's reading. */
static void
add_in_charset(struct reader *reader, struct file *file, GBytes *raw, const char *reading,
	       const char *charset, const char *how)
{
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);
	g_autofree char *text = charset_convert(charset, bytes, length);

	if (text)
		add_derived(reader, file, text, reading, how);
}

/* Whether bytes are a name that is tried in character sets. */
static gboolean
is_raw(GBytes *raw)
{
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);

	return length && length <= CAP_RAW_NAME_BYTES &&
	       !g_utf8_validate(bytes, (gssize)length, NULL);
}

/* Adds what raw bytes are in the sets that the part declares, and the message's text. */
static void
add_in_declared(struct reader *reader, struct file *file, GBytes *raw, const char *reading)
{
	if (!is_raw(raw))
		return;
	add_in_charset(reader, file, raw, reading, reader->charset, "declared");
	add_in_charset(reader, file, raw, reading, reader->first_charset, "declared");
}

/* Adds what raw bytes are in the character sets that readers have as their own. */
static void
add_in_charsets(struct reader *reader, struct file *file, GBytes *raw, const char *reading)
{
	static const char *const sets[] = {"windows-1252", "windows-1251", "koi8-r", "shift_jis",
					   "euc-jp",	   "gb18030",	   "big5",   "euc-kr"};

	if (!is_raw(raw))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++)
		add_in_charset(reader, file, raw, reading, sets[i], sets[i]);
}

/* Adds what is before a NUL, where a name ends for programs in C, and a name without NULs. */
static void
add_before_nul(struct reader *reader, struct file *file, GBytes *raw, const char *reading)
{
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);
	const char *nul = length ? memchr(bytes, '\0', length) : NULL;
	g_autofree char *text = NULL;
	g_autofree char *whole = NULL;
	g_autoptr(GString) rest = NULL;

	if (!nul)
		return;
	text = header_decode(bytes, (gsize)(nul - bytes), NULL);
	add_derived(reader, file, text, reading, "cut");
	rest = g_string_sized_new(length);
	for (gsize i = 0; i < length; i++)
		if (bytes[i])
			g_string_append_c(rest, bytes[i]);
	whole = header_decode(rest->str, rest->len, NULL);
	add_derived(reader, file, whole, reading, "joined");
}

/*
 * Adds a name with a blank for each run of blanks and control characters, none at its ends;
 * and without the control characters, as a tab that folded the field.
 */
static void
add_folded(struct reader *reader, struct file *file, const char *text, const char *reading)
{
	g_autoptr(GString) folded = g_string_new(NULL);
	g_autoptr(GString) joined = g_string_new(NULL);

	for (const char *at = text; *at; at++) {
		gboolean control = g_ascii_iscntrl(*at);

		if (!control)
			g_string_append_c(joined, *at);
		if (!control && *at != ' ')
			g_string_append_c(folded, *at);
		else if (folded->len && folded->str[folded->len - 1] != ' ')
			g_string_append_c(folded, ' ');
	}
	if (joined->len == strlen(text))
		return;
	if (folded->len && folded->str[folded->len - 1] == ' ')
		g_string_truncate(folded, folded->len - 1);
	add_derived(reader, file, folded->str, reading, "folded");
	add_derived(reader, file, joined->str, reading, "joined");
}

/* Returns the encoding and what follows it of the encoded word that begins at at, or NULL. */
static const char *
word_encoding(const char *at)
{
	for (at = strchr(at + 2, '?'); at; at = strchr(at + 1, '?'))
		if (at[1] && strchr("bBqQ", at[1]) && at[2] == '?')
			return at;
	return NULL;
}

/* Adds a name whose encoded words are of no known character set, read as UTF-8. */
static void
add_of_unknown_set(struct reader *reader, struct file *file, const char *text, const char *reading)
{
	g_autoptr(GString) words = g_string_new(NULL);
	g_autofree char *decoded = NULL;
	const char *at = text, *word, *encoding;

	while ((word = strstr(at, "=?")) != NULL && (encoding = word_encoding(word)) != NULL) {
		g_string_append_len(words, at, word - at);
		g_string_append(words, "=?utf-8");
		g_string_append_len(words, encoding, 3);
		at = encoding + 3;
	}
	if (at == text)
		return;
	g_string_append(words, at);
	decoded = header_decode(words->str, words->len, NULL);
	add_derived(reader, file, decoded, reading, "utf-8");
}

static void
add_forms(struct reader *reader, struct file *file, const struct parameter *parameter, GBytes *raw,
	  const char *text, const char *reading)
{
	g_autofree char *decoded = NULL;

	if (!parameter->charset)
		add_in_declared(reader, file, raw, reading);
	add_stripped(reader, file, text, reading);
	add_before_nul(reader, file, raw, reading);
	add_folded(reader, file, text, reading);
	if (parameter->extended && strstr(text, "=?")) {
		decoded = header_decode(text, strlen(text), NULL);
		add_derived(reader, file, decoded, reading, "decoded");
	}
	if (!parameter->charset)
		add_in_charsets(reader, file, raw, reading);
	add_of_unknown_set(reader, file, text, reading);
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
	bounded =
		mime_bounded_text(reader, text, strlen(text), CAP_NAME_BYTES, CAP_NAME_BYTES_NAME);
	reader->names_bytes += strlen(bounded) + length;
	if (undecoded)
		file->flags |= FILE_UNDECODED;
	if (!*bounded)
		return;
	file_add_name(file, bounded, reading, mime_same_bytes(bounded, bytes, length) ? NULL : raw);
	add_forms(reader, file, parameter, raw, bounded, reading);
}

/* Adds the first word of a name that lacks quotes, which is all of it for the strict. */
static void
add_word(struct reader *reader, struct file *file, GBytes *word, const char *reading)
{
	gsize length;
	const char *bytes = g_bytes_get_data(word, &length);
	g_autofree char *text = header_decode(bytes ? bytes : "", length, NULL);

	add_derived(reader, file, text, reading, "word");
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
mime_add_names(struct reader *reader, struct file *file, const struct content_field *field,
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
		if (parameter->word)
			add_word(reader, file, parameter->word, reading);
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
mime_add_location(struct reader *reader, const struct source *source, struct span location,
		  struct file *file)
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
		add_name(reader, file, &plain, unescaped, "content-location");
	}
	add_name(reader, file, &plain, raw, "content-location");
}
