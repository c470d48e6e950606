/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_log.h"

#include <string.h>

#include "dovecot_line.h"
#include "text.h"

#define PID_MAX 20

/* "(user)<pid><session>: "; of stats and the like, which say nothing of a user, ": ". */
static gboolean
take_user(struct log_cursor *cursor, struct dovecot_line *line)
{
	g_autofree char *pid = NULL;

	if (!log_cursor_take(cursor, "("))
		return FALSE;
	line->user = log_cursor_word(cursor, ")<", DOVECOT_USER_MAX);
	pid = line->user != NULL ? log_cursor_word(cursor, "><", PID_MAX) : NULL;
	line->session = pid != NULL ? log_cursor_word(cursor, ">: ", DOVECOT_SESSION_MAX) : NULL;
	return line->session != NULL && dovecot_line_is_session(line->session) &&
	       strspn(pid, "0123456789") == strlen(pid) && strpbrk(line->user, "()<> \"") == NULL;
}

/* "host dovecot: " or "host dovecot[pid]: "; nothing in Dovecot's own files. */
static void
take_syslog(struct log_cursor *cursor, struct dovecot_line *line)
{
	struct log_cursor after = *cursor;
	g_autofree char *host = log_cursor_host(&after), *pid = NULL;

	if (host == NULL || !log_cursor_take(&after, "dovecot"))
		return;
	if (log_cursor_take(&after, "["))
		pid = log_cursor_word(&after, "]", PID_MAX);
	if (!log_cursor_take(&after, ": "))
		return;
	g_free(line->host);
	line->host = g_steal_pointer(&host);
	*cursor = after;
}

static gboolean
take_service(struct log_cursor *cursor, struct dovecot_line *line)
{
	gsize length = strspn(cursor->at, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (length == 0 || length > DOVECOT_SERVICE_MAX)
		return FALSE;
	line->service = g_strndup(cursor->at, length);
	cursor->at += length;
	return TRUE;
}

static void
read_text(struct dovecot_line *line, const char *text)
{
	if (dovecot_mail_log_read(line, text))
		return;
	if (strcmp(line->service, "lmtp") == 0)
		dovecot_lmtp_read(line, text);
	else if (g_str_has_prefix(text, "Mailbox "))
		dovecot_mail_log_read_mailbox(line, text);
	else if (strcmp(line->service, "imap") == 0)
		dovecot_session_read_imap(line, text);
	else if (strcmp(line->service, "pop3") == 0)
		dovecot_session_read_pop3(line, text);
}

static void
read_line(struct log_cursor *cursor, struct dovecot_line *line)
{
	gboolean stats, login;

	take_syslog(cursor, line);
	if (!take_service(cursor, line))
		return;
	stats = strcmp(line->service, "stats") == 0;
	login = g_str_has_suffix(line->service, "-login");
	if (stats || login ? !log_cursor_take(cursor, ": ") : !take_user(cursor, line))
		return;
	log_cursor_take(cursor, "Info: ");
	if (login)
		dovecot_login_read(line, cursor->at);
	else if (stats)
		dovecot_export_read(line, cursor->at);
	else
		read_text(line, cursor->at);
}

void
dovecot_log_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone,
		  const char *host, GPtrArray *deliveries, GPtrArray *logins)
{
	g_autofree char *text = NULL;
	struct log_cursor cursor;
	struct dovecot_line parsed = {.raw = line,
				      .length = length,
				      .offset = offset,
				      .deliveries = deliveries,
				      .logins = logins};

	if (length > CAP_LOG_LINE_BYTES)
		return;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	cursor.at = text;
	parsed.host = g_strdup(host);
	if (log_cursor_stamp(&cursor, now_us, zone, &parsed.time_us))
		read_line(&cursor, &parsed);
	dovecot_line_clear(&parsed);
}
