/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "pasted.h"

#include <string.h>

/* A run of header lines, and the message that one began. */
struct search {
	const char *header;  /* where the lines began, or NULL outside of such */
	gboolean of_message; /* a field among them that parts do not have */
	gboolean of_content; /* a field of MIME's among them */
	gboolean hides;	     /* and it names a file or base64 */
	const char *message; /* the one that is open, or NULL */
	gboolean message_hides;
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

	return strstr(lower, "name=") || strstr(lower, "name*") || strstr(lower, "base64");
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
	if (search->message && search->message_hides)
		search->found(search->message, (gsize)(end - search->message), search->user);
	search->message = NULL;
	search->message_hides = FALSE;
}

/* Takes the empty line that ends a header. */
static void
finish_header(struct search *search)
{
	if (search->header && search->of_content && search->of_message) {
		finish_message(search, search->header);
		search->message = search->header;
	}
	search->message_hides = search->message_hides || search->hides;
	search->header = NULL;
}

static void
take_line(struct search *search, const char *line, gsize length)
{
	gboolean folded = length && (*line == ' ' || *line == '\t');

	if (!length) {
		finish_header(search);
	} else if (!folded && !is_field(line, length)) {
		search->header = NULL;
	} else if (!search->header && !folded) {
		search->header = line;
		search->of_message = search->of_content = search->hides = FALSE;
	}
	if (!search->header)
		return;
	search->of_message = search->of_message || is_message_field(line, length);
	search->of_content = search->of_content || starts_with(line, length, "content-t");
	search->hides = search->hides || hides_content(line, length);
}

void
pasted_messages(const char *text, gsize length, pasted_function found, gpointer user)
{
	struct search search = {.found = found, .user = user};
	const char *at = text, *end = text + length;

	/* Most texts have no such field, in any of its usual spellings. */
	if (!memmem(text, length, "ontent-T", 8) && !memmem(text, length, "ontent-t", 8) &&
	    !memmem(text, length, "ONTENT-T", 8))
		return;
	while (at < end) {
		const char *feed = memchr(at, '\n', (gsize)(end - at));
		const char *stop = feed ? feed : end;

		take_line(&search, at, (gsize)(stop - at) - (stop > at && stop[-1] == '\r'));
		at = feed ? feed + 1 : end;
	}
	finish_message(&search, end);
}
