/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "mail_file.h"

#include <string.h>

gboolean
mail_file_is_named(const char *name)
{
	static const char *const endings[] = {".eml", ".mht", ".mhtml"};
	gsize length = name ? strlen(name) : 0;

	for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
		gsize ending = strlen(endings[i]);

		if (length > ending && g_ascii_strcasecmp(name + length - ending, endings[i]) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Whether a line is a field that other files than messages do not begin with. */
static gboolean
is_message_field(const char *line, gsize length)
{
	static const char *const names[] = {
		"from:",	 "to:",		  "subject:",	  "date:",
		"message-id:",	 "received:",	  "return-path:", "x-mailer:",
		"delivered-to:", "mime-version:", "content-type:"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (length > strlen(names[i]) &&
		    g_ascii_strncasecmp(line, names[i], strlen(names[i])) == 0)
			return TRUE;
	return FALSE;
}

/* Whether a line may stand in a header: a field, or the rest of one. */
static gboolean
is_header_line(const char *line, gsize length)
{
	gsize i = 0;

	if (*line == ' ' || *line == '\t')
		return TRUE;
	while (i < length && line[i] > ' ' && line[i] < 0x7f && line[i] != ':')
		i++;
	return i > 0 && i < length && line[i] == ':';
}

gboolean
mail_file_begins(const char *bytes, gsize length)
{
	const char *at = bytes, *end = bytes + MIN(length, MAIL_FILE_BYTES), *first;
	guint fields = 0;

	/* What an mbox has above a message. */
	if (end - at > 5 && memcmp(at, "From ", 5) == 0) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));

		at = feed ? feed + 1 : end;
	}
	first = at;

	while (at < end && fields < 2) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end;

		if (stop == at || *at == '\r' || !is_header_line(at, (gsize)(stop - at)))
			return FALSE;
		if (is_message_field(at, (gsize)(stop - at)))
			fields++;
		else if (at == first)
			return FALSE;
		at = feed ? feed + 1 : end;
	}
	return fields >= 2;
}
