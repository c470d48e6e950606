/* SPDX-License-Identifier: BSD-2-Clause */
#include "content_field.h"

#include <string.h>

#include "caps.h"

/* Bytes of a field that are read as names once more: all, and some within others. */
#define ROOM_OF_NAMES (2 * CAP_PARAMETER_BYTES)

/* A section of a parameter as it was written (RFC 2231 3 and 4). */
struct section {
	char *name;	   /* lower case, without marks */
	guint number;	   /* n of name*n; 0 when it has none */
	gboolean numbered; /* name*n */
	gboolean extended; /* name* or name*n* */
	gboolean quoted;
	GByteArray *value;
	GByteArray *literal;
	GByteArray *all; /* up to the semicolon, without quotes and comments; or NULL */
};

struct scan {
	const char *at;
	const char *end;
	gboolean comments_end; /* FALSE once one was found without an end */
	gboolean escapes_end;  /* likewise, of raw ISO-2022-JP */
	gboolean went_back;    /* behind a quoted string without an end */
	gsize room;	       /* bytes that read_all() may look at; 0 once it wanted more */
};

static void
section_clear(gpointer data)
{
	struct section *section = data;

	g_free(section->name);
	g_byte_array_unref(section->value);
	g_byte_array_unref(section->literal);
	if (section->all)
		g_byte_array_unref(section->all);
}

static void
parameter_free(gpointer data)
{
	struct parameter *parameter = data;

	g_free(parameter->name);
	g_free(parameter->charset);
	g_bytes_unref(parameter->value);
	g_clear_pointer(&parameter->literal, g_bytes_unref);
	g_clear_pointer(&parameter->word, g_bytes_unref);
	g_clear_pointer(&parameter->token, g_bytes_unref);
	g_clear_pointer(&parameter->unquoted, g_bytes_unref);
	g_free(parameter);
}

/*
 * Returns the length of the comment at "(", nested ones included (RFC 5322
 * 3.2.2), or 0 when it does not end: then no "(" in this field opens one, or
 * each would be searched to the end in turn.
 */
static gsize
comment_length(struct scan *scan)
{
	guint depth = 0;

	if (!scan->comments_end)
		return 0;
	for (const char *at = scan->at; at < scan->end; at++) {
		if (*at == '\\' && at + 1 < scan->end)
			at++;
		else if (*at == '(')
			depth++;
		else if (*at == ')' && --depth == 0)
			return (gsize)(at + 1 - scan->at);
	}
	scan->comments_end = FALSE;
	return 0;
}

static void
skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end) {
		gsize comment = 0;

		if (*scan->at == '(')
			comment = comment_length(scan);
		if (!comment && !g_ascii_isspace(*scan->at))
			return;
		scan->at += comment ? comment : 1;
	}
}

static void
append_byte(GByteArray *bytes, char byte)
{
	g_byte_array_append(bytes, (const guint8 *)&byte, 1);
}

/*
 * Returns the length of raw ISO-2022-JP at an ESC, up to the escape back to
 * ASCII, or 0: its two-byte characters look like quotes and backslashes.  As
 * with comments, one without an end is the last that is looked for.
 */
static gsize
jis_length(struct scan *scan)
{
	if (!scan->escapes_end || scan->end - scan->at < 3 || scan->at[1] != '$')
		return 0;
	for (const char *stop = scan->at + 2; scan->end - stop >= 3; stop++)
		if (stop[0] == 0x1b && stop[1] == '(' && (stop[2] == 'B' || stop[2] == 'J'))
			return (gsize)(stop + 3 - scan->at);
	scan->escapes_end = FALSE;
	return 0;
}

/* Appends one byte of a value to both forms; folds are taken out. */
static void
append_both(struct section *section, char byte)
{
	if (byte == '\r' || byte == '\n')
		return;
	append_byte(section->value, byte);
	append_byte(section->literal, byte);
}

/* Appends raw ISO-2022-JP at an ESC; returns FALSE when it is none. */
static gboolean
read_jis(struct scan *scan, struct section *section)
{
	gsize length = *scan->at == 0x1b ? jis_length(scan) : 0;

	g_byte_array_append(section->value, (const guint8 *)scan->at, (guint)length);
	g_byte_array_append(section->literal, (const guint8 *)scan->at, (guint)length);
	scan->at += length;
	return length > 0;
}

/*
 * Reads a quoted string (RFC 5322 3.2.4) after its opening quote.  Of the first without an end
 * the parameters after its first semicolon are read as well; a second lies within it, where raw
 * ISO-2022-JP hides its quote, or each would be read to the end in turn.
 */
static void
read_quoted(struct scan *scan, struct section *section)
{
	const char *semicolon = memchr(scan->at, ';', (gsize)(scan->end - scan->at));

	while (scan->at < scan->end && *scan->at != '"') {
		if (read_jis(scan, section))
			continue;
		if (*scan->at == '\\' && scan->at + 1 < scan->end) {
			append_byte(section->literal, '\\');
			scan->at++;
		}
		append_both(section, *scan->at++);
	}
	if (scan->at < scan->end)
		scan->at++;
	else if (semicolon && !scan->went_back) {
		scan->went_back = TRUE;
		scan->at = semicolon;
	}
}

static void
trim_end(GByteArray *bytes)
{
	while (bytes->len && g_ascii_isspace(bytes->data[bytes->len - 1]))
		g_byte_array_set_size(bytes, bytes->len - 1);
}

/*
 * Reads the comment at "(" within an unquoted value, and what blanks and
 * comments follow it.  Unless they end the value they are part of it, as in
 * "a (1).pdf".  Returns FALSE when it is no comment.
 */
static gboolean
read_value_comment(struct scan *scan, struct section *section)
{
	struct scan after = *scan;
	gboolean ends;

	skip_blanks(&after);
	scan->comments_end = after.comments_end;
	if (after.at == scan->at)
		return FALSE;
	ends = after.at == after.end || *after.at == ';';
	for (; scan->at < after.at; scan->at++) {
		if (*scan->at == '\r' || *scan->at == '\n')
			continue;
		append_byte(section->literal, *scan->at);
		if (!ends)
			append_byte(section->value, *scan->at);
	}
	return TRUE;
}

/* Reads up to the semicolon what should have been a token, or quoted. */
static void
read_unquoted(struct scan *scan, struct section *section)
{
	while (scan->at < scan->end && *scan->at != ';') {
		if (*scan->at == '(' && read_value_comment(scan, section))
			continue;
		if (!read_jis(scan, section))
			append_both(section, *scan->at++);
	}
	trim_end(section->value);
	trim_end(section->literal);
}

/*
 * Reads all of a value up to the semicolon that ends it, quotes and comments left out wherever
 * they stand, as mime4j, mailparse and Mail::Box do.  NULL when there is no room: values lie
 * within each other where quotes do not come in pairs.
 */
static GByteArray *
read_all(struct scan *scan)
{
	GByteArray *all = g_byte_array_new();
	const char *begin = scan->at, *end = begin + MIN(scan->room, (gsize)(scan->end - begin));
	gboolean quoted = FALSE, whole;

	for (; scan->at < end && (quoted || *scan->at != ';') && all->len <= CAP_NAME_BYTES;
	     scan->at++) {
		gsize comment = *scan->at == '(' && !quoted ? comment_length(scan) : 0;

		if (comment)
			scan->at += comment - 1;
		else if (*scan->at == '"')
			quoted = !quoted;
		else if (*scan->at == '\\' && quoted && scan->end - scan->at > 1)
			append_byte(all, *++scan->at);
		else if (*scan->at != '\r' && *scan->at != '\n')
			append_byte(all, *scan->at);
	}
	whole = scan->at < end || end == scan->end;
	scan->room -= MIN(scan->room, (gsize)(scan->at - begin));
	scan->at = begin;
	if (whole)
		trim_end(all);
	else
		g_clear_pointer(&all, g_byte_array_unref);
	return all;
}

static gboolean
is_of_name(const struct section *section)
{
	return g_str_equal(section->name, "filename") || g_str_equal(section->name, "name");
}

/* Returns a name as lenient readers have it: lower case, without quotes, controls and 8-bit bytes.
 */
static char *
mended_name(const char *name, gsize length)
{
	GString *mended = g_string_sized_new(length);

	for (gsize i = 0; i < length; i++)
		if (g_ascii_isgraph(name[i]) && name[i] != '"')
			g_string_append_c(mended, g_ascii_tolower(name[i]));
	return g_string_free(mended, FALSE);
}

/* Takes RFC 2231's marks off a name: "*", "*n" or "*n*". */
static void
read_marks(struct section *section)
{
	char *star = strchr(section->name, '*');
	char *end;

	if (!star)
		return;
	*star++ = '\0';
	if (!*star) {
		section->extended = TRUE;
		return;
	}
	section->numbered = g_ascii_isdigit(*star);
	section->number = (guint)MIN(g_ascii_strtoull(star, &end, 10), G_MAXUINT);
	section->extended = *end == '*';
}

/* Keeps a comment before an unquoted value, which is part of it for many. */
static void
append_comment(struct section *section, const char *at, const char *end)
{
	while (at < end && g_ascii_isspace(*at))
		at++;
	for (; at < end; at++)
		if (*at != '\r' && *at != '\n')
			append_byte(section->literal, *at);
}

/* Reads "name=value"; returns FALSE, with nothing made, when there is no "=". */
static gboolean
read_section(struct scan *scan, struct section *ret_section)
{
	struct section section = {0};
	const char *name, *value;

	skip_blanks(scan);
	name = scan->at;
	while (scan->at < scan->end && !strchr("=;(", *scan->at) && !g_ascii_isspace(*scan->at))
		scan->at++;
	section.name = mended_name(name, (gsize)(scan->at - name));
	skip_blanks(scan);
	if (scan->at == scan->end || *scan->at != '=') {
		g_free(section.name);
		return FALSE;
	}
	scan->at++;
	value = scan->at;
	skip_blanks(scan);
	read_marks(&section);
	section.value = g_byte_array_new();
	section.literal = g_byte_array_new();
	if (is_of_name(&section))
		section.all = read_all(scan);
	section.quoted = scan->at < scan->end && *scan->at == '"';
	if (section.quoted) {
		scan->at++;
		read_quoted(scan, &section);
	} else {
		append_comment(&section, value, scan->at);
		read_unquoted(scan, &section);
	}
	*ret_section = section;
	return TRUE;
}

/* Passes a semicolon; where a mailer left it out, the next parameter follows at once. */
static void
skip_semicolon(struct scan *scan)
{
	skip_blanks(scan);
	if (scan->at < scan->end && *scan->at == ';')
		scan->at++;
}

static void
skip_past_semicolon(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at != ';') {
		gsize comment = *scan->at == '(' ? comment_length(scan) : 0;

		scan->at += comment ? comment : 1;
	}
	if (scan->at < scan->end)
		scan->at++;
}

/* Undoes percent-encoding (RFC 2231 4) from an offset on. */
static void
append_percent(GByteArray *out, const GByteArray *in, gsize from)
{
	for (gsize i = from; i < in->len; i++) {
		char byte = (char)in->data[i];

		if (byte == '%' && i + 2 < in->len && g_ascii_isxdigit(in->data[i + 1]) &&
		    g_ascii_isxdigit(in->data[i + 2])) {
			byte = (char)(g_ascii_xdigit_value((char)in->data[i + 1]) << 4 |
				      g_ascii_xdigit_value((char)in->data[i + 2]));
			i += 2;
		}
		append_byte(out, byte);
	}
}

/* Reads "charset'language'" of a first section; returns its length, 0 if none. */
static gsize
read_charset(const GByteArray *value, char **ret_charset)
{
	const guint8 *first, *second = NULL;

	if (!value->len)
		return 0;
	first = memchr(value->data, '\'', value->len);
	if (first)
		second = memchr(first + 1, '\'', value->len - (gsize)(first + 1 - value->data));
	if (!second || memchr(value->data, '%', (gsize)(first - value->data)))
		return 0;
	if (first > value->data)
		*ret_charset =
			g_utf8_make_valid((const char *)value->data, (gssize)(first - value->data));
	return (gsize)(second + 1 - value->data);
}

static GBytes *
bytes_copy(const GByteArray *array)
{
	return g_bytes_new(array->data, array->len);
}

static gboolean
arrays_equal(const GByteArray *a, const GByteArray *b)
{
	return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

/* Returns what is before the first of bytes that ends it, or NULL if there is none. */
static GBytes *
bytes_before(const GByteArray *bytes, gboolean (*ends)(char byte))
{
	for (guint i = 0; i < bytes->len; i++)
		if (ends((char)bytes->data[i]))
			return g_bytes_new(bytes->data, i);
	return NULL;
}

static gboolean
is_blank(char byte)
{
	return g_ascii_isspace(byte);
}

/* Whether no token has a character (RFC 2045 5.1: tspecials). */
static gboolean
is_special(char byte)
{
	return byte && strchr("()<>@,;:\\\"/[]?= \t", byte) != NULL;
}

static struct parameter *
parameter_plain(const struct section *section)
{
	struct parameter *parameter = g_new0(struct parameter, 1);

	parameter->name = g_utf8_make_valid(section->name, -1);
	parameter->value = bytes_copy(section->value);
	if (!arrays_equal(section->value, section->literal))
		parameter->literal = bytes_copy(section->literal);
	if (!section->quoted) {
		parameter->word = bytes_before(section->value, is_blank);
		parameter->token = bytes_before(section->literal, is_special);
	}
	/* What is longer is no name, but what stands behind a header that goes on too far. */
	if (section->all && section->all->len <= CAP_NAME_BYTES &&
	    !arrays_equal(section->all, section->value))
		parameter->unquoted = bytes_copy(section->all);
	return parameter;
}

/* Joins count sections of one parameter, sorted; a gap ends it. */
static struct parameter *
parameter_joined(const struct section *sections, guint count)
{
	struct parameter *parameter = g_new0(struct parameter, 1);
	g_autoptr(GByteArray) value = g_byte_array_new();
	guint next = 0;

	parameter->name = g_utf8_make_valid(sections[0].name, -1);
	parameter->extended = TRUE;
	for (guint i = 0; i < count && sections[i].number <= next; i++) {
		const GByteArray *piece = sections[i].value;
		gsize from = 0;

		if (sections[i].number < next)
			continue; /* a second one of this number */
		if (sections[i].extended && next == 0)
			from = read_charset(piece, &parameter->charset);
		if (sections[i].extended)
			append_percent(value, piece, from);
		else
			g_byte_array_append(value, piece->data, piece->len);
		next++;
	}
	parameter->value = bytes_copy(value);
	return parameter;
}

/* Takes the character set off a section for the lenient: each may have one, the first counts. */
static gsize
skip_charset(const GByteArray *piece, struct parameter *parameter)
{
	g_autofree char *charset = NULL;
	gsize length = read_charset(piece, &charset);

	if (!parameter->charset)
		parameter->charset = g_steal_pointer(&charset);
	return length;
}

/* How sections of one number are taken by the lenient. */
enum twice {
	TWICE_LAST,
	TWICE_BOTH,
};

/*
 * Joins them as the lenient do: past gaps, the last of each number or all, and percents undone in
 * all when they are in one, as late as when all are joined.
 */
static struct parameter *
parameter_leniently_joined(const struct section *sections, guint count, enum twice twice)
{
	struct parameter *parameter = g_new0(struct parameter, 1);
	g_autoptr(GByteArray) joined = g_byte_array_new();
	g_autoptr(GByteArray) value = g_byte_array_new();
	gboolean extended = FALSE;

	for (guint i = 0; i < count; i++)
		extended = extended || sections[i].extended;
	parameter->name = g_utf8_make_valid(sections[0].name, -1);
	parameter->extended = TRUE;
	for (guint i = 0; i < count; i++) {
		const GByteArray *piece = sections[i].value;
		gsize from = 0;

		if (twice == TWICE_LAST && i + 1 < count &&
		    sections[i + 1].number == sections[i].number)
			continue;
		if (sections[i].extended || (extended && !joined->len))
			from = skip_charset(piece, parameter);
		if (piece->len > from)
			g_byte_array_append(joined, piece->data + from, piece->len - (guint)from);
	}
	if (extended)
		append_percent(value, joined, 0);
	parameter->value = bytes_copy(extended ? value : joined);
	return parameter;
}

/* Sorts by name, then number; equals stay in their order. */
static int
section_order(gconstpointer a, gconstpointer b, gpointer unused)
{
	const struct section *left = a, *right = b;
	int names = strcmp(left->name, right->name);

	return names ? names : (left->number > right->number) - (left->number < right->number);
}

/* Adds a parameter unless it has the value of one of the last.  Takes it. */
static void
add_otherwise(struct content_field *field, struct parameter *parameter, guint last)
{
	GPtrArray *list = field->parameters;

	for (guint i = list->len - last; i < list->len; i++) {
		const struct parameter *other = g_ptr_array_index(list, i);

		if (g_bytes_equal(parameter->value, other->value))
			return parameter_free(parameter);
	}
	g_ptr_array_add(list, parameter);
}

/* Adds a parameter of sections, and what lenient readers make of them where that differs. */
static void
add_joined(struct content_field *field, const struct section *sections, guint count)
{
	guint before = field->parameters->len;

	g_ptr_array_add(field->parameters, parameter_joined(sections, count));
	add_otherwise(field, parameter_leniently_joined(sections, count, TWICE_LAST), 1);
	add_otherwise(field, parameter_leniently_joined(sections, count, TWICE_BOTH),
		      field->parameters->len - before);
}

static void
join_sections(struct content_field *field, GArray *sections)
{
	guint end;

	g_qsort_with_data(sections->data, (int)sections->len, sizeof(struct section), section_order,
			  NULL);
	for (guint i = 0; i < sections->len; i = end) {
		struct section *first = &g_array_index(sections, struct section, i);

		for (end = i + 1; end < sections->len; end++)
			if (strcmp(first->name,
				   g_array_index(sections, struct section, end).name) != 0)
				break;
		add_joined(field, first, end - i);
	}
}

/* The token, blanks and comments taken out, as "text / plain" is read. */
static void
read_token(struct scan *scan, struct content_field *field)
{
	g_autoptr(GString) token = g_string_new(NULL);
	gboolean slash = FALSE;

	skip_blanks(scan);
	while (scan->at < scan->end && *scan->at != ';') {
		const char *before = scan->at;

		skip_blanks(scan);
		if (scan->at == scan->end || *scan->at == ';')
			break;
		/* A blank ends the token, but around the slash. */
		if (scan->at > before && *scan->at != '/' && !slash && token->len)
			break;
		slash = *scan->at == '/';
		g_string_append_c(token, g_ascii_tolower(*scan->at++));
	}
	field->token = g_utf8_make_valid(token->str, (gssize)token->len);
	skip_semicolon(scan);
}

struct content_field *
content_field_parse(const void *bytes, gsize length)
{
	struct content_field *field = g_new0(struct content_field, 1);
	g_autoptr(GArray) joined = g_array_new(FALSE, FALSE, sizeof(struct section));
	struct scan scan = {.at = bytes, .comments_end = TRUE, .escapes_end = TRUE};
	guint count = 0;

	field->cut = length > CAP_PARAMETER_BYTES;
	scan.end = scan.at + MIN(length, CAP_PARAMETER_BYTES);
	scan.room = ROOM_OF_NAMES;
	field->parameters = g_ptr_array_new_with_free_func(parameter_free);
	g_array_set_clear_func(joined, section_clear);
	read_token(&scan, field);
	/* "filename=x" where a token should stand is read as a parameter. */
	if (strchr(field->token, '='))
		scan.at = bytes;
	for (; scan.at < scan.end && count < CAP_PARAMETERS; count++) {
		struct section section;

		if (!read_section(&scan, &section)) {
			skip_past_semicolon(&scan);
			continue;
		}
		if (section.numbered || section.extended) {
			g_array_append_val(joined, section);
		} else {
			g_ptr_array_add(field->parameters, parameter_plain(&section));
			section_clear(&section);
		}
		skip_semicolon(&scan);
	}
	field->cut = field->cut || scan.at < scan.end || !scan.room;
	join_sections(field, joined);
	return field;
}

const struct parameter *
content_field_get(const struct content_field *field, const char *name, gboolean extended)
{
	for (guint i = 0; i < field->parameters->len; i++) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);

		if (parameter->extended == extended && g_str_equal(parameter->name, name))
			return parameter;
	}
	return NULL;
}

void
content_field_free(struct content_field *field)
{
	if (!field)
		return;
	g_free(field->token);
	g_ptr_array_unref(field->parameters);
	g_free(field);
}
