/* SPDX-License-Identifier: BSD-2-Clause */
#include "password_list.h"

#include <string.h>

#include "caps.h"
#include "keys.h"

void
password_list_free(char **list)
{
	for (char **word = list; word && *word; word++)
		explicit_bzero(*word, strlen(*word));
	g_strfreev(list);
}

static gboolean
refuse(const char *path, guint line, const char *why, GError **error)
{
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s:%u: %s", path, line, why);
	return FALSE;
}

/* Takes a line, NUL-terminated, which loses the blanks around it. */
static gboolean
take_line(const char *path, guint number, char *line, GPtrArray *words, GError **error)
{
	g_strstrip(line);
	if (!*line || *line == '#')
		return TRUE;
	if (strlen(line) > CAP_PASSWORD_BYTES)
		return refuse(path, number, "a password is too long", error);
	if (!g_utf8_validate(line, -1, NULL))
		return refuse(path, number, "a password is not UTF-8", error);
	if (words->len >= CAP_PASSWORDS)
		return refuse(path, number,
			      "there are more passwords than are ever tried; leave 20", error);
	g_ptr_array_add(words, g_strdup(line));
	return TRUE;
}

static gboolean
take_lines(const char *path, char *text, GPtrArray *words, GError **error)
{
	guint number = 0;
	char *end;

	for (char *line = text; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!take_line(path, ++number, line, words, error))
			return FALSE;
	}
	return TRUE;
}

char **
password_list_read(const char *path, GError **error)
{
	GPtrArray *words = g_ptr_array_new();
	gsize length;
	char *text = secret_text_read(path, &length, error);
	gboolean ok = text && take_lines(path, text, words, error);
	char **list;

	if (text)
		explicit_bzero(text, length);
	g_free(text);
	g_ptr_array_add(words, NULL);
	list = (char **)g_ptr_array_free(words, FALSE);
	if (ok)
		return list;
	password_list_free(list);
	return NULL;
}
