/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

/*
 * "Disconnected: Logged out in=560 ... body_count=6 body_bytes=1952": in whatever
 * folders.  Only the end of the line is read.
 */
void
dovecot_session_read_imap(struct dovecot_line *line, const char *text)
{
	static const char mark[] = " body_count=";
	struct log_cursor cursor = {g_strrstr(text, mark)};
	guint bodies, bytes;

	if (cursor.at == NULL || !log_cursor_take(&cursor, mark) ||
	    !log_cursor_number(&cursor, &bodies) || !log_cursor_take(&cursor, " body_bytes=") ||
	    !log_cursor_number(&cursor, &bytes) || *cursor.at != '\0' || bodies == 0)
		return;
	dovecot_line_add(line, DELIVERY_FETCHED)->detail = g_strdup_printf("bodies=%u", bodies);
}

/* "N/BYTES", behind a name. */
static gboolean
take_counts(struct log_cursor *cursor, const char *name, guint *ret_count, guint *ret_bytes)
{
	return log_cursor_take(cursor, name) && log_cursor_number(cursor, ret_count) &&
	       log_cursor_take(cursor, "/") && log_cursor_number(cursor, ret_bytes);
}

/*
 * "Disconnected: Logged out top=0/0, retr=2/747, del=1/3, size=1074": of whatever was
 * in the maildrop, which POP3 has INBOX for.
 */
void
dovecot_session_read_pop3(struct dovecot_line *line, const char *text)
{
	struct log_cursor cursor = {text};
	const char *top = strstr(text, " top=");
	guint looked, looked_bytes, taken, taken_bytes, deleted, all;
	struct delivery *delivery;

	if (!log_cursor_take(&cursor, "Disconnected: ") || top == NULL)
		return;
	cursor.at = top;
	if (!take_counts(&cursor, " top=", &looked, &looked_bytes) ||
	    !take_counts(&cursor, ", retr=", &taken, &taken_bytes) ||
	    !take_counts(&cursor, ", del=", &deleted, &all) || (taken == 0 && looked == 0))
		return;
	delivery = dovecot_line_add(line, DELIVERY_DOWNLOADED);
	delivery->folder = g_strdup("INBOX");
	delivery->detail =
		g_strdup_printf("retr=%u, del=%u, top=%u/%u", taken, deleted, looked, looked_bytes);
}
