/* SPDX-License-Identifier: BSD-2-Clause */
#include "sendmail_qf.h"

#include <string.h>

#define OWN_FIELD "H??" /* of every mailer: "H?P?" is of those with flag P alone */

struct reading {
	struct queue_entry *entry;
	GString *header;   /* or NULL */
	gboolean in_field; /* continued lines belong to a field of the message's own */
	gboolean has_time;
};

/* A line of the message's header counts with the CR LF that it had. */
static void
take_field(struct reading *reading, const char *line, gsize length)
{
	reading->entry->size += length + 2;
	if (!reading->header)
		return;
	g_string_append_len(reading->header, line, (gssize)length);
	g_string_append_c(reading->header, '\n');
}

static void
take_time(struct reading *reading, const char *digits)
{
	guint64 time_s;

	if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, &time_s, NULL))
		return;
	reading->entry->arrival_s = (gint64)time_s;
	reading->has_time = TRUE;
}

static void
take_sender(struct reading *reading, const char *sender, gsize length)
{
	if (length >= 2 && sender[0] == '<' && sender[length - 1] == '>') {
		sender++;
		length -= 2;
	}
	g_free(reading->entry->sender);
	reading->entry->sender = g_utf8_make_valid(sender, (gssize)length);
}

static void
take_line(struct reading *reading, const char *line, gsize length)
{
	if (length == 0 || *line == ' ' || *line == '\t') {
		if (reading->in_field)
			take_field(reading, line, length);
		return;
	}
	reading->in_field =
		length >= strlen(OWN_FIELD) && memcmp(line, OWN_FIELD, strlen(OWN_FIELD)) == 0;
	if (reading->in_field)
		take_field(reading, line + strlen(OWN_FIELD), length - strlen(OWN_FIELD));
	else if (*line == 'T')
		take_time(reading, line + 1);
	else if (*line == 'S')
		take_sender(reading, line + 1, length - 1);
	else if (*line == 'R')
		reading->entry->recipients++;
	else if (*line == 'q')
		reading->entry->held = TRUE;
}

struct queue_entry *
sendmail_qf_parse(const char *text, gsize length, GString *header)
{
	struct reading reading = {.entry = g_new0(struct queue_entry, 1), .header = header};
	const char *end = text + length;

	while (text < end) {
		const char *newline = memchr(text, '\n', (gsize)(end - text));
		gsize line_length = (gsize)((newline ? newline : end) - text);
		g_autofree char *line = g_strndup(text, line_length);

		/* What follows a NUL would be read one way here and another there. */
		take_line(&reading, line, strlen(line));
		text += line_length + 1;
	}
	if (reading.has_time && reading.entry->sender)
		return reading.entry;
	queue_entry_free(reading.entry);
	return NULL;
}

char *
sendmail_cf_queue(const char *text)
{
	static const char option[] = "O QueueDirectory=";
	const char *found = text;

	while ((found = strstr(found, option))) {
		const char *value = found + strlen(option);

		if (found == text || found[-1] == '\n')
			return g_strchomp(g_strndup(value, strcspn(value, "\n")));
		found = value;
	}
	return NULL;
}
