/* SPDX-License-Identifier: BSD-2-Clause */
/* Attachments that stand within a calendar (RFC 5545 3.8.1.1). */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "recode.h"

#define ATTACH "ATTACH;"
#define PARAMETERS_BYTES (1024 * 1024) /* of one line: they are parted into many small pieces */

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

/* Returns the length of the parameters, up to the colon that stands in no quotes, or 0. */
static gsize
parameters_length(const char *text, gsize length)
{
	gboolean quoted = FALSE;

	for (gsize i = 0; i < MIN(length, PARAMETERS_BYTES); i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == ':' && !quoted)
			return i;
	}
	return 0;
}

/* Stands for a semicolon in quotes while parameters are parted. */
#define QUOTED_SEMICOLON '\1'

static void
hide_semicolons(char *text)
{
	gboolean quoted = FALSE;

	for (; *text; text++) {
		if (*text == '"')
			quoted = !quoted;
		else if (*text == ';' && quoted)
			*text = QUOTED_SEMICOLON;
	}
}

/* Returns the value of the parameter whose name ends like that, or NULL.  Free with g_free(). */
static char *
parameter_value(const char *parameters, const char *ending)
{
	g_auto(GStrv) list = g_strsplit(parameters, ";", 0);

	for (char **one = list; *one; one++) {
		char *value = strchr(*one, '=');
		g_autofree char *name = value ? g_ascii_strup(*one, (gssize)(value - *one)) : NULL;

		if (!name || !g_str_has_suffix(name, ending))
			continue;
		value = g_strstrip(g_strdelimit(g_strdup(value + 1), "\"", ' '));
		return g_strdelimit(value, (const char[]){QUOTED_SEMICOLON, '\0'}, ';');
	}
	return NULL;
}

static void
read_attachment(const GString *line, embedded_function found, gpointer user)
{
	gsize length = parameters_length(line->str, line->len);
	g_autofree char *parameters = g_strndup(line->str, length);
	g_autofree char *encoding = NULL;
	g_autofree char *name = NULL;
	g_autoptr(GByteArray) data = NULL;

	hide_semicolons(parameters);
	encoding = parameter_value(parameters, "ENCODING");
	if (!length || !encoding || g_ascii_strncasecmp(encoding, "B", 1) != 0)
		return;
	name = parameter_value(parameters, "FILENAME");
	data = recode_base64(line->str + length + 1, line->len - length - 1);
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
