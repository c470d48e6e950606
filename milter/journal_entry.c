/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_entry.h"

#include <string.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-messages.h>

#include "caps.h"

#define TAG_MAX 128   /* of SYSLOG_IDENTIFIER: names of instance, service and program */
#define HOST_MAX 255  /* RFC 1035 2.3.4 */
#define UNIT_MAX 255  /* systemd.unit(5) */
#define DIGITS_MAX 20 /* of a 64-bit number */

/*
 * Returns the value of a field, borrowed until the next call, or NULL.  *ret_length: it
 * may hold any bytes.
 */
static const char *
field(sd_journal *journal, const char *name, gsize *ret_length)
{
	gsize named = strlen(name) + 1, length;
	const void *data;

	if (sd_journal_get_data(journal, name, &data, &length) < 0 || length < named)
		return NULL;
	*ret_length = length - named;
	return (const char *)data + named;
}

/* Copies a field if it has at most max bytes, all of them visible ASCII; NULL if not. */
static char *
field_word(sd_journal *journal, const char *name, gsize max)
{
	gsize length = 0;
	const char *value = field(journal, name, &length);

	if (value == NULL || length == 0 || length > max)
		return NULL;
	for (gsize i = 0; i < length; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return NULL;
	return g_strndup(value, length);
}

static gboolean
field_number(sd_journal *journal, const char *name, guint64 *ret_number)
{
	g_autofree char *digits = field_word(journal, name, DIGITS_MAX);

	return digits != NULL &&
	       g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, ret_number, NULL);
}

/* Whether a name, of a program or a unit, is one of an MTA's or of Dovecot's. */
static gboolean
is_of_mail(const char *name)
{
	static const char *const begins[] = {"postfix", "sendmail", "sm-mta", "dovecot"};

	for (gsize i = 0; i < G_N_ELEMENTS(begins); i++)
		if (g_str_has_prefix(name, begins[i]))
			return TRUE;
	return FALSE;
}

char *
journal_entry_dropped(sd_journal *journal)
{
	g_autofree char *transport = field_word(journal, "_TRANSPORT", TAG_MAX);
	g_autofree char *id = NULL, *unit = NULL;
	guint64 count = 0;

	/* It is trusted: journald itself says it. */
	if (g_strcmp0(transport, "driver") != 0)
		return NULL;
	id = field_word(journal, "MESSAGE_ID", TAG_MAX);
	if (g_strcmp0(id, SD_MESSAGE_JOURNAL_DROPPED_STR) != 0)
		return NULL;
	unit = field_word(journal, "OBJECT_SYSTEMD_UNIT", UNIT_MAX);
	if (unit != NULL && !is_of_mail(unit))
		return NULL;
	field_number(journal, "N_DROPPED", &count);
	return g_strdup_printf("journald dropped %" G_GUINT64_FORMAT
			       " entries of %s; raise its RateLimitBurst",
			       count, unit ? unit : "a unit that it does not name");
}

/* The kernel's time of the datagram, if it can be that; else journald's of the entry. */
static guint64
entry_time_us(sd_journal *journal)
{
	guint64 at_us = 0, source_us;

	sd_journal_get_realtime_usec(journal, &at_us);
	if (field_number(journal, "_SOURCE_REALTIME_TIMESTAMP", &source_us) && source_us <= at_us &&
	    at_us - source_us <= G_TIME_SPAN_DAY)
		return source_us;
	return at_us;
}

static gboolean
append_stamp(sd_journal *journal, GString *line)
{
	guint64 at_us = entry_time_us(journal);
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc((gint64)(at_us / G_USEC_PER_SEC));
	g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : NULL;

	if (seconds == NULL)
		return FALSE;
	g_string_append_printf(line, "%s.%06u+00:00 ", seconds, (guint)(at_us % G_USEC_PER_SEC));
	return TRUE;
}

/* As much of a message as shows that it is too long, if it is. */
static void
append_message(const char *message, gsize length, GString *line)
{
	for (gsize i = 0; i < length && line->len <= CAP_LOG_LINE_BYTES; i++) {
		guchar c = (guchar)message[i];

		if (c < ' ' || c == 0x7f)
			g_string_append_printf(line, "#%03o", c);
		else
			g_string_append_c(line, (char)c);
	}
}

struct log_line *
journal_entry_line(sd_journal *journal, guint64 number, gboolean *ret_oversized)
{
	g_autofree char *tag = field_word(journal, "SYSLOG_IDENTIFIER", TAG_MAX), *host = NULL;
	g_autoptr(GString) line = g_string_new(NULL);
	const char *message;
	gsize length = 0;
	guint64 pid;

	*ret_oversized = FALSE;
	/* A tag with the marks that end one in a line is none. */
	if (tag == NULL || strpbrk(tag, ":[]") != NULL || !is_of_mail(tag) ||
	    !append_stamp(journal, line))
		return NULL;
	host = field_word(journal, "_HOSTNAME", HOST_MAX);
	g_string_append_printf(line, "%s %s", host ? host : g_get_host_name(), tag);
	if (field_number(journal, "SYSLOG_PID", &pid) || field_number(journal, "_PID", &pid))
		g_string_append_printf(line, "[%" G_GUINT64_FORMAT "]", pid);
	g_string_append(line, ": ");
	message = field(journal, "MESSAGE", &length);
	if (message == NULL)
		return NULL;
	append_message(message, length, line);
	*ret_oversized = line->len > CAP_LOG_LINE_BYTES;
	return *ret_oversized ? NULL : log_line_new(line->str, line->len, number);
}
