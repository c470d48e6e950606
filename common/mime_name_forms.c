/* SPDX-License-Identifier: BSD-2-Clause */
/* What readers make of a file's names: bytes in other character sets, the last part of a path. */
#include <config.h>

#include "mime_reader.h"

#include <string.h>

#include "caps.h"
#include "charset.h"
#include "encoded_word.h"

/* Adds a name that some reader makes of one that is written.  how: which. */
static void
add_derived(const struct naming *naming, const struct written_name *from, const char *text,
	    const char *how)
{
	struct reader *reader = naming->reader;
	struct file *file = naming->file;
	g_autofree char *label = g_strconcat(from->reading, "-", how, NULL);
	g_autofree char *bounded =
		mime_bounded_text(reader, text, strlen(text), CAP_NAME_BYTES, CAP_NAME_BYTES_NAME);
	gsize length = strlen(bounded);

	if (!length || file_has_name(file, bounded))
		return;
	if (file->names->len >= CAP_NAMES) {
		record_note_cap(reader->record, CAP_NAMES_NAME);
		return;
	}
	if (reader->derived_bytes + length > CAP_DERIVED_NAMES_BYTES) {
		record_note_cap(reader->record, CAP_DERIVED_NAMES_BYTES_NAME);
		return;
	}
	reader->derived_bytes += length;
	file_add_name(file, bounded, label, NULL);
}

/* Whether what stands for a byte that is no text (text_from_bytes()) begins at a backslash. */
static gboolean
is_escaped_byte(const struct written_name *from, const char *at)
{
	gsize length;
	const char *raw = g_bytes_get_data(from->raw, &length);

	/* Of a name that has backslashes, or is encoded, they may be its own. */
	return g_ascii_isxdigit(at[1] == 'x' ? at[2] : 0) && g_ascii_isxdigit(at[3]) &&
	       !memchr(raw, '\\', length) && !memmem(raw, length, "=?", 2);
}

static gboolean
is_separator(const struct written_name *from, const char *at)
{
	return *at == '/' || (*at == '\\' && !is_escaped_byte(from, at));
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
add_stripped(const struct naming *naming, const struct written_name *from)
{
	const char *text = from->text, *part, *end = text + strlen(text);
	g_autofree char *last = NULL;
	g_autofree char *bare = NULL;

	while (end > text && is_separator(from, end - 1))
		end--;
	for (part = end; part > text && !is_separator(from, part - 1);)
		part--;
	last = g_strndup(part, (gsize)(end - part));
	add_derived(naming, from, last, "stripped");
	part = last;
	while (*part && strchr("'\"`< ", *part))
		part++;
	bare = g_strndup(part, (gsize)(bare_end(part, part + strlen(part)) - part));
	add_derived(naming, from, bare, "stripped");
}

/* Adds what raw bytes are in a character set.  how: the set in the name's reading. */
static void
add_in_charset(const struct naming *naming, const struct written_name *from, const char *charset,
	       const char *how)
{
	gsize length;
	const char *bytes = g_bytes_get_data(from->raw, &length);
	g_autofree char *text = charset_convert(charset, bytes, length);

	if (text)
		add_derived(naming, from, text, how);
}

/* Whether bytes are a name that is tried in character sets. */
static gboolean
is_raw(const struct written_name *from)
{
	gsize length;
	const char *bytes = g_bytes_get_data(from->raw, &length);

	return length && length <= CAP_RAW_NAME_BYTES &&
	       !g_utf8_validate(bytes, (gssize)length, NULL);
}

/* Adds what raw bytes are in the sets that the part declares, and the message's text. */
static void
add_in_declared(const struct naming *naming, const struct written_name *from)
{
	if (from->charset || !is_raw(from))
		return;
	add_in_charset(naming, from, naming->reader->charset, "declared");
	add_in_charset(naming, from, naming->reader->first_charset, "declared");
}

/* Adds what raw bytes are in the character sets that readers have as their own. */
static void
add_in_charsets(const struct naming *naming, const struct written_name *from)
{
	static const char *const sets[] = {"windows-1252", "windows-1251", "koi8-r", "shift_jis",
					   "euc-jp",	   "gb18030",	   "big5",   "euc-kr"};

	if (from->charset || !is_raw(from))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(sets); i++)
		add_in_charset(naming, from, sets[i], sets[i]);
}

/* Adds what is before a NUL, where a name ends for programs in C, and a name without NULs. */
static void
add_before_nul(const struct naming *naming, const struct written_name *from)
{
	gsize length;
	const char *bytes = g_bytes_get_data(from->raw, &length);
	const char *nul = length ? memchr(bytes, '\0', length) : NULL;
	g_autofree char *text = NULL;
	g_autofree char *whole = NULL;
	g_autoptr(GString) rest = NULL;

	if (!nul)
		return;
	text = header_decode(bytes, (gsize)(nul - bytes), NULL);
	add_derived(naming, from, text, "cut");
	rest = g_string_sized_new(length);
	for (gsize i = 0; i < length; i++)
		if (bytes[i])
			g_string_append_c(rest, bytes[i]);
	whole = header_decode(rest->str, rest->len, NULL);
	add_derived(naming, from, whole, "joined");
}

/*
 * Adds a name with a blank for each run of blanks and control characters, none at its ends;
 * and without the control characters, as a tab that folded the field.
 */
static void
add_folded(const struct naming *naming, const struct written_name *from)
{
	g_autoptr(GString) folded = g_string_new(NULL);
	g_autoptr(GString) joined = g_string_new(NULL);

	for (const char *at = from->text; *at; at++) {
		gboolean control = g_ascii_iscntrl(*at);

		if (!control)
			g_string_append_c(joined, *at);
		if (!control && *at != ' ')
			g_string_append_c(folded, *at);
		else if (folded->len && folded->str[folded->len - 1] != ' ')
			g_string_append_c(folded, ' ');
	}
	if (joined->len == strlen(from->text))
		return;
	if (folded->len && folded->str[folded->len - 1] == ' ')
		g_string_truncate(folded, folded->len - 1);
	add_derived(naming, from, folded->str, "folded");
	add_derived(naming, from, joined->str, "joined");
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
add_of_unknown_set(const struct naming *naming, const struct written_name *from)
{
	g_autoptr(GString) words = g_string_new(NULL);
	g_autofree char *decoded = NULL;
	const char *at = from->text, *word, *encoding;

	while ((word = strstr(at, "=?")) != NULL && (encoding = word_encoding(word)) != NULL) {
		g_string_append_len(words, at, word - at);
		g_string_append(words, "=?utf-8");
		g_string_append_len(words, encoding, 3);
		at = encoding + 3;
	}
	if (at == from->text)
		return;
	g_string_append(words, at);
	decoded = header_decode(words->str, words->len, NULL);
	add_derived(naming, from, decoded, "utf-8");
}

/* Adds a part of what is written, if there is one. */
static void
add_part(const struct naming *naming, const struct written_name *from, GBytes *part,
	 const char *how)
{
	gsize length;
	const char *bytes = part ? g_bytes_get_data(part, &length) : NULL;
	g_autofree char *text = bytes ? header_decode(bytes, length, NULL) : NULL;

	if (text)
		add_derived(naming, from, text, how);
}

/*
 * Adds the first word of a name that lacks quotes, or the first token, which is all of it for
 * the strict; and all of one that goes on behind its quotes, or has them or comments within.
 */
static void
add_parts(const struct naming *naming, const struct written_name *from)
{
	add_part(naming, from, from->word, "word");
	add_part(naming, from, from->unquoted, "unquoted");
	add_part(naming, from, from->token, "token");
}

/* Adds a name as it is written whose encoded word is none for those who want a blank before it. */
static void
add_undecoded(const struct naming *naming, const struct written_name *from)
{
	gsize length;
	const char *bytes = g_bytes_get_data(from->raw, &length);
	const char *word = length ? memmem(bytes, length, "=?", 2) : NULL;
	g_autofree char *text = NULL;

	if (from->extended || !word || word == bytes || g_ascii_isspace(word[-1]))
		return;
	text = g_strndup(bytes, length);
	if (g_utf8_validate(text, -1, NULL))
		add_derived(naming, from, text, "undecoded");
}

/* Adds what encoded words are in a parameter of RFC 2231, where they have no place. */
static void
add_decoded(const struct naming *naming, const struct written_name *from)
{
	g_autofree char *decoded = NULL;

	if (!from->extended || !strstr(from->text, "=?"))
		return;
	decoded = header_decode(from->text, strlen(from->text), NULL);
	add_derived(naming, from, decoded, "decoded");
}

/* In an order of which the first are worth most, since there is room for so many names. */
void
mime_add_name_forms(const struct naming *naming)
{
	static void (*const forms[])(const struct naming *naming,
				     const struct written_name *from) = {
		add_parts,   add_stripped,  add_before_nul,	add_in_declared, add_folded,
		add_decoded, add_undecoded, add_of_unknown_set, add_in_charsets,
	};

	for (gsize form = 0; form < G_N_ELEMENTS(forms); form++)
		for (guint i = 0; i < naming->written->len; i++)
			forms[form](naming, g_ptr_array_index(naming->written, i));
}
