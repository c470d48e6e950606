/* SPDX-License-Identifier: BSD-2-Clause */
/* Attachments that stand within a calendar (RFC 5545 3.8.1.1). */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

#define ATTACH "ATTACH;"

/* Returns the next content line, folds taken out (RFC 5545 3.1), or NULL at the end. */
static GString *
next_content_line(const char **at, const char *end)
{
	GString *line;

	if (*at == end)
		return NULL;
	line = g_string_new(NULL);
	do {
		const char *feed = memchr(*at, '\n', (gsize)(end - *at));
		const char *stop = feed ? feed : end;
		gsize length = (gsize)(stop - *at);

		if (length && stop[-1] == '\r')
			length--;
		g_string_append_len(line, *at, (gssize)length);
		*at = feed ? feed + 1 : end;
		/* Goes on in the next line, behind its blank. */
		if (*at < end && (**at == ' ' || **at == '\t'))
			(*at)++;
		else
			return line;
	} while (*at < end);
	return line;
}

/* Returns the first such character that stands in no quotes (RFC 5545 3.1), or end. */
static const char *
find_unquoted(const char *at, const char *end, char wanted)
{
	gboolean quoted = FALSE;

	for (; at < end && (quoted || *at != wanted); at++)
		if (*at == '"')
			quoted = !quoted;
	return at;
}

static gboolean
ends_with(const char *at, const char *end, const char *ending)
{
	gsize length = strlen(ending);

	return (gsize)(end - at) >= length &&
	       g_ascii_strncasecmp(end - length, ending, length) == 0;
}

/*
 * Returns the value, without its quotes, of the parameter whose name ends like that, or
 * NULL.  at: where the parameters begin, semicolons between them.  Free with g_free().
 */
static char *
parameter_value(const char *at, const char *end, const char *ending)
{
	const char *stop;

	for (; at < end; at = MIN(stop + 1, end)) {
		const char *equals;

		stop = find_unquoted(at, end, ';');
		equals = memchr(at, '=', (gsize)(stop - at));
		if (equals && ends_with(at, equals, ending)) {
			char *value = g_strndup(equals + 1, (gsize)(stop - equals - 1));

			return g_strstrip(g_strdelimit(value, "\"", ' '));
		}
	}
	return NULL;
}

static void
read_attachment(const GString *line, embedded_function found, gpointer user)
{
	const char *parameters = line->str + strlen(ATTACH);
	const char *end = line->str + line->len;
	const char *colon = find_unquoted(parameters, end, ':');
	g_autofree char *encoding = NULL;
	g_autofree char *name = NULL;
	g_autoptr(GByteArray) data = NULL;

	if (colon == end)
		return;
	encoding = parameter_value(parameters, colon, "ENCODING");
	if (!encoding || g_ascii_strncasecmp(encoding, "B", 1) != 0)
		return;
	name = parameter_value(parameters, colon, "FILENAME");
	data = recode_base64(colon + 1, (gsize)(end - colon - 1));
	if (data->len)
		found("calendar-attachment", (const char *[]){name, NULL}, data, data->len, user);
}

gboolean
embedded_calendar_is_named(const char *name)
{
	gsize length = name ? strlen(name) : 0;

	return length >= 4 && g_ascii_strcasecmp(name + length - 4, ".ics") == 0;
}

void
embedded_in_calendar(const void *bytes, gsize length, embedded_function found, gpointer user)
{
	const char *at = bytes, *end = at + length;
	GString *line;

	while ((line = next_content_line(&at, end)) != NULL) {
		if (line->len > strlen(ATTACH) &&
		    g_ascii_strncasecmp(line->str, ATTACH, strlen(ATTACH)) == 0)
			read_attachment(line, found, user);
		g_string_free(line, TRUE);
	}
}
