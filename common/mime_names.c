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

/* Adds a name that some reader makes of another; these meet no cap, there are fewer then. */
static void
add_derived(struct reader *reader, struct file *file, const char *text, const char *reading,
	    const char *how)
{
	g_autofree char *label = g_strconcat(reading, "-", how, NULL);
	gsize length = strlen(text);

	if (!length || length > CAP_NAME_BYTES || file->names->len >= CAP_NAMES ||
	    has_name(file, text) || reader->derived_bytes + length > CAP_DERIVED_NAMES_BYTES)
		return;
	reader->derived_bytes += length;
	file_add_name(file, text, label, NULL);
}

/* Adds a name as clients save it: its last part, without quotes, blanks and dots at its ends. */
static void
add_stripped(struct reader *reader, struct file *file, const char *text, const char *reading)
{
	const char *part = text + strlen(text), *end;
	g_autofree char *bare = NULL;

	while (part > text && part[-1] != '/' && part[-1] != '\\')
		part--;
	add_derived(reader, file, part, reading, "stripped");
	while (*part && strchr("'\"` ", *part))
		part++;
	for (end = part + strlen(part); end > part && strchr("'\"` .", end[-1]);)
		end--;
	bare = g_strndup(part, (gsize)(end - part));
	add_derived(reader, file, bare, reading, "stripped");
}

/* Adds what raw bytes are in the character sets that readers have as their own. */
static void
add_in_charsets(struct reader *reader, struct file *file, GBytes *raw, const char *reading)
{
	static const char *const sets[] = {"windows-1252", "windows-1251", "koi8-r", "shift_jis",
					   "euc-jp",	   "gb18030",	   "big5",   "euc-kr"};
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);

	if (!length || length > CAP_RAW_NAME_BYTES || g_utf8_validate(bytes, (gssize)length, NULL))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
		g_autofree char *text = charset_convert(sets[i], bytes, length);

		if (text)
			add_derived(reader, file, text, reading, sets[i]);
	}
}

/* Adds what is before a NUL, where a name ends for programs in C. */
static void
add_before_nul(struct reader *reader, struct file *file, GBytes *raw, const char *reading)
{
	gsize length;
	const char *bytes = g_bytes_get_data(raw, &length);
	const char *nul = length ? memchr(bytes, '\0', length) : NULL;
	g_autofree char *text = NULL;

	if (!nul)
		return;
	text = header_decode(bytes, (gsize)(nul - bytes), NULL);
	add_derived(reader, file, text, reading, "cut");
}

/* Adds a name with a blank for each run of blanks and control characters, none at its ends. */
static void
add_folded(struct reader *reader, struct file *file, const char *text, const char *reading)
{
	g_autoptr(GString) folded = g_string_new(NULL);
	gboolean control = FALSE;

	for (const char *at = text; *at; at++) {
		gboolean blank = g_ascii_iscntrl(*at) || *at == ' ';

		control = control || (blank && *at != ' ');
		if (!blank)
			g_string_append_c(folded, *at);
		else if (folded->len && folded->str[folded->len - 1] != ' ')
			g_string_append_c(folded, ' ');
	}
	if (folded->len && folded->str[folded->len - 1] == ' ')
		g_string_truncate(folded, folded->len - 1);
	if (control)
		add_derived(reader, file, folded->str, reading, "folded");
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
	}
}
