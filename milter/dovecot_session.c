/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

/* "Disconnected: Logged out top=0/0, retr=2/747, del=1/3, size=1074" */
void
dovecot_session_read_pop3(struct dovecot_line *line, const char *text)
{
	struct log_cursor cursor = {text};
	const char *retr = strstr(text, ", retr=");
	guint taken, deleted, bytes;

	if (!log_cursor_take(&cursor, "Disconnected: ") || retr == NULL)
		return;
	cursor.at = retr;
	if (!log_cursor_take(&cursor, ", retr=") || !log_cursor_number(&cursor, &taken) ||
	    !log_cursor_take(&cursor, "/") || !log_cursor_number(&cursor, &bytes) ||
	    !log_cursor_take(&cursor, ", del=") || !log_cursor_number(&cursor, &deleted) ||
	    taken == 0)
		return;
	dovecot_line_add(line, DELIVERY_DOWNLOADED)->detail =
		g_strdup_printf("retr=%u, del=%u", taken, deleted);
}
