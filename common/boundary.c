/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "boundary.h"

#include <string.h>

#include "encoded_word.h"

/* Bytes of a boundary that are looked at, where the standard has 70. */
#define BOUNDARY_BYTES 1024

/* Bytes of a body that are searched for delimiters that nobody announced. */
#define SEEN_BYTES (64 * 1024)

static gboolean
is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Returns what follows the next "boundary" and moves *at behind it, or NULL. */
static const char *
next_mention(const char **at, const char *end)
{
	for (; end - *at >= 8; (*at)++) {
		if (((*at)[0] | 0x20) == 'b' && g_ascii_strncasecmp(*at, "boundary", 8) == 0) {
			*at += 8;
			return *at;
		}
	}
	return NULL;
}

/* Returns where the value of the first boundary parameter begins, or NULL. */
static const char *
raw_value(const char *text, const char *end)
{
	const char *at = text, *value;

	while ((value = next_mention(&at, end)) != NULL) {
		while (value < end && is_blank(*value))
			value++;
		if (value < end && *value == '=') {
			for (value++; value < end && is_blank(*value);)
				value++;
			return value;
		}
	}
	return NULL;
}

/* Whether nothing but blanks stands before the next parameter. */
static gboolean
value_ends(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at == end || *at == ';';
}

/* Whether a quoted value, after its quote, is read alike by everyone. */
static gboolean
is_plainly_quoted(const char *at, const char *end)
{
	const char *close = memchr(at, '"', (gsize)(end - at));

	if (!close || close == at || is_blank(*at) || is_blank(close[-1]))
		return FALSE;
	for (const char *c = at; c < close; c++)
		if (*c == '\0' || *c == '\\' || *c == '\r' || *c == '\n' ||
		    (*c == '=' && c[1] == '?'))
			return FALSE;
	return value_ends(close + 1, end);
}

static gboolean
is_plain_token(const char *at, const char *end)
{
	const char *begin = at;

	while (at<end && * at> ' ' && *at < 0x7f && !strchr("\"\\(),;", *at)) {
		if (*at == '=' && end - at > 1 && at[1] == '?')
			return FALSE;
		at++;
	}
	return at > begin && value_ends(at, end);
}

/* Returns the end of a value that everyone reads alike, or NULL. */
static const char *
plain_value_end(const char *value, const char *end)
{
	if (*value == '"')
		return is_plainly_quoted(value + 1, end)
			       ? (const char *)memchr(value + 1, '"', (gsize)(end - value - 1)) + 1
			       : NULL;
	if (!is_plain_token(value, end))
		return NULL;
	while (value < end && !is_blank(*value) && *value != ';')
		value++;
	return value;
}

/* Whether a "boundary" that was mentioned may be a parameter's name: some readers search for it. */
static gboolean
may_name_parameter(const char *after, const char *end)
{
	while (after < end && is_blank(*after))
		after++;
	return after < end && (*after == '=' || *after == '*');
}

gboolean
boundary_is_doubtful(const char *text, gsize length)
{
	const char *end = text + length, *at = text, *value, *value_end, *again;

	if (!next_mention(&at, end))
		return FALSE;
	value = raw_value(text, end);
	if (!value || value == end || !may_name_parameter(at, end))
		return TRUE;
	value_end = plain_value_end(value, end);
	if (!value_end)
		return TRUE;
	/* The word is in the values of some programs. */
	while ((again = next_mention(&at, end)) != NULL)
		if (again > value_end || may_name_parameter(again, end))
			return TRUE;
	return FALSE;
}

/* ---- the rules ---- */

/* Takes the blanks off the end; NULL when nothing is left. */
static GBytes *
without_end(const char *text, gsize length)
{
	while (length && is_blank(text[length - 1]))
		length--;
	return length ? g_bytes_new(text, length) : NULL;
}

static GBytes *
parameter_text(const struct parameter *parameter)
{
	const char *text;
	gsize length;

	if (!parameter)
		return NULL;
	text = g_bytes_get_data(parameter->value, &length);
	return without_end(text, length);
}

static GBytes *
first_parameter(const struct content_field *field)
{
	const struct parameter *parameter = content_field_get(field, "boundary", FALSE);

	return parameter_text(parameter ? parameter : content_field_get(field, "boundary", TRUE));
}

static GBytes *
last_parameter(const struct content_field *field)
{
	for (guint i = field->parameters->len; i-- > 0;) {
		const struct parameter *parameter = g_ptr_array_index(field->parameters, i);

		if (g_str_equal(parameter->name, "boundary"))
			return parameter_text(parameter);
	}
	return NULL;
}

/* Returns the end of a raw value: at a semicolon that stands in no quotes. */
static const char *
raw_end(const char *value, const char *end)
{
	gboolean quoted = FALSE;

	end = value + MIN(end - value, BOUNDARY_BYTES);
	for (const char *at = value; at < end; at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (*at == ';' && !quoted)
			return at;
	}
	return end;
}

static GBytes *
literal_text(const char *value, const char *end)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const char *at = value;

	end = raw_end(value, end);
	for (; at < end; at++)
		if (*at != '\r' && *at != '\n')
			g_string_append_c(text, *at);
	while (text->len && is_blank(text->str[text->len - 1]))
		g_string_truncate(text, text->len - 1);
	if (text->len > 2 && text->str[0] == '"' && text->str[text->len - 1] == '"')
		return without_end(text->str + 1, text->len - 2);
	return without_end(text->str, text->len);
}

static GBytes *
token_text(const char *value, const char *end)
{
	const char *at;

	while (value < end && (*value == '"' || is_blank(*value)))
		value++;
	for (at = value; at<end && * at> ' ' && *at < 0x7f && !strchr("\"\\(),;", *at);)
		at++;
	return without_end(value, (gsize)(at - value));
}

static GBytes *
squeezed_text(const char *value, const char *end)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint comments = 0;

	end = raw_end(value, end);
	for (const char *at = value; at < end; at++) {
		if (*at == '(')
			comments++;
		if (!comments && *at && !is_blank(*at) && *at != '"' && *at != '\\')
			g_string_append_c(text, *at);
		if (*at == ')' && comments)
			comments--;
	}
	return without_end(text->str, text->len);
}

static GBytes *
decoded_text(const struct content_field *field)
{
	g_autoptr(GBytes) plain = first_parameter(field);
	g_autofree char *text = NULL;
	gsize length;
	const char *bytes;

	if (!plain)
		return NULL;
	bytes = g_bytes_get_data(plain, &length);
	text = header_decode(bytes, MIN(length, BOUNDARY_BYTES), NULL);
	return without_end(text, strlen(text));
}

/* Whether a field of MIME's own begins here. */
static gboolean
begins_content_field(const char *at, const char *end)
{
	return end - at >= 8 && g_ascii_strncasecmp(at, "Content-", 8) == 0;
}

/* Returns what delimits: the first line of two dashes that MIME fields follow, else the first. */
static GBytes *
seen_text(const char *body, gsize length)
{
	const char *end = body + MIN(length, SEEN_BYTES), *at = body, *next;
	g_autoptr(GBytes) first = NULL;

	for (; at < end; at = next) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		gsize size = (gsize)((feed ? feed : end) - at);

		next = feed ? feed + 1 : end;
		if (size < 2 || size > BOUNDARY_BYTES || at[0] != '-' || at[1] != '-')
			continue;
		while (size > 2 && is_blank(at[size - 1]))
			size--;
		if (begins_content_field(next, end))
			return g_bytes_new(at + 2, size - 2);
		if (!first)
			first = g_bytes_new(at + 2, size - 2);
	}
	return g_steal_pointer(&first);
}

GBytes *
boundary_find(enum boundary_rule rule, const struct content_field *field, const char *text,
	      gsize length, const char *body, gsize body_length)
{
	const char *value;

	if (rule == BOUNDARY_FIRST)
		return first_parameter(field);
	if (rule == BOUNDARY_LAST)
		return last_parameter(field);
	if (rule == BOUNDARY_DECODED)
		return decoded_text(field);
	if (rule == BOUNDARY_SEEN)
		return seen_text(body, body_length);
	value = raw_value(text, text + length);
	if (!value)
		return NULL;
	if (rule == BOUNDARY_LITERAL)
		return literal_text(value, text + length);
	if (rule == BOUNDARY_TOKEN)
		return token_text(value, text + length);
	return squeezed_text(value, text + length);
}
