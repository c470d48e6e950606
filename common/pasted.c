/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "pasted.h"

#include <string.h>

/* A run of header lines, and the message or part that one began. */
struct search {
	gboolean of_parts; /* what is looked for */
	gboolean of_messages;
	const char *header;  /* where the lines began, or NULL outside of such */
	gboolean of_message; /* a field among them that parts do not have */
	gboolean of_content; /* a field of MIME's among them */
	gboolean content;    /* the last one is such */
	gboolean hides;	     /* and one of them names a file or base64 */
	const char *message; /* the one that is open, or NULL */
	gboolean message_hides;
	const char *part;   /* likewise, of no message */
	gboolean bare;	    /* and nothing is in it but its header */
	const char *dashes; /* the last line of two dashes outside of a message, or NULL */
	gsize dashes_length;
	pasted_function found;
	gpointer user;
};

static gboolean
starts_with(const char *line, gsize length, const char *with)
{
	return length >= strlen(with) && g_ascii_strncasecmp(line, with, strlen(with)) == 0;
}

static gboolean
is_message_field(const char *line, gsize length)
{
	static const char *const names[] = {
		"from:", "to:", "subject:", "date:", "message-id:", "received:", "mime-version:"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (starts_with(line, length, names[i]))
			return TRUE;
	return FALSE;
}

/* Whether a line of a field of MIME's says that something is not shown in place. */
static gboolean
hides_content(const char *line, gsize length)
{
	g_autofree char *lower = g_ascii_strdown(line, (gssize)MIN(length, 1024));

	return strstr(lower, "name=") || strstr(lower, "name*") || strstr(lower, "base64") ||
	       strstr(lower, "uuencode") || strstr(lower, "attachment");
}

static gboolean
is_field(const char *line, gsize length)
{
	gsize i = 0;

	while (i < length && line[i] > ' ' && line[i] < 0x7f && line[i] != ':')
		i++;
	return i && i < length && line[i] == ':';
}

static void
finish_message(struct search *search, const char *end)
{
	if (search->message && search->message_hides && search->of_messages)
		search->found(search->message, (gsize)(end - search->message), search->user);
	search->message = NULL;
	search->message_hides = FALSE;
}

static void
finish_part(struct search *search, const char *end)
{
	if (search->part && search->of_parts)
		search->found(search->part, (gsize)(end - search->part), search->user);
	search->part = NULL;
}

/* Takes the empty line that ends a header. */
static void
finish_header(struct search *search)
{
	if (search->header && search->of_content && search->of_message) {
		finish_message(search, search->header);
		search->message = search->header;
	} else if (search->header && search->of_content && !search->message &&
		   (search->hides || (search->part && search->bare))) {
		finish_part(search, search->header);
		search->part = search->header;
		search->bare = TRUE;
	}
	search->message_hides = search->message_hides || search->hides;
	search->header = NULL;
}

/* Takes a line of two dashes, which ends a part, and a message that it stands before too. */
static void
take_dashes(struct search *search, const char *line, gsize length)
{
	finish_part(search, line);
	if (search->message && search->dashes && length >= search->dashes_length &&
	    memcmp(line, search->dashes, search->dashes_length) == 0)
		finish_message(search, line);
	if (search->message)
		return;
	search->dashes = line;
	search->dashes_length = length;
}

static void
take_line(struct search *search, const char *line, gsize length)
{
	gboolean folded = length && (*line == ' ' || *line == '\t');

	if (!length) {
		finish_header(search);
	} else if (!folded && !is_field(line, length)) {
		search->header = NULL;
		search->bare = FALSE;
	} else if (!search->header && !folded) {
		search->header = line;
		search->of_message = search->of_content = search->hides = FALSE;
	}
	if (!search->header)
		return;
	if (!folded)
		search->content = starts_with(line, length, "content-");
	search->of_message = search->of_message || is_message_field(line, length);
	search->of_content = search->of_content || starts_with(line, length, "content-t");
	search->hides = search->hides || (search->content && hides_content(line, length));
}

/* Whether there is a field of MIME's at all; base64 has no dash, and most texts no such. */
static gboolean
has_content_field(const char *text, gsize length)
{
	const char *dash = text, *end = text + length;

	for (; (dash = memchr(dash, '-', (gsize)(end - dash))) != NULL; dash++)
		if (dash - text >= 7 && g_ascii_strncasecmp(dash - 7, "content-", 8) == 0)
			return TRUE;
	return FALSE;
}

static void
search_text(struct search *search, const char *text, gsize length)
{
	const char *at = text, *end = text + length;

	if (!has_content_field(text, length))
		return;
	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end;

		gsize line = (gsize)(stop - at) - (stop > at && stop[-1] == '\r');

		if (starts_with(at, line, "--"))
			take_dashes(search, at, line);
		take_line(search, at, line);
		at = feed ? feed + 1 : end;
	}
	finish_message(search, end);
	finish_part(search, end);
}

void
pasted_messages(const char *text, gsize length, pasted_function found, gpointer user)
{
	struct search search = {.of_messages = TRUE, .found = found, .user = user};

	search_text(&search, text, length);
}

void
pasted_parts(const char *text, gsize length, gboolean messages, pasted_function found,
	     gpointer user)
{
	struct search search = {
		.of_parts = TRUE, .of_messages = messages, .found = found, .user = user};

	search_text(&search, text, length);
}
