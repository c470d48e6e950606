/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

#define CLIENT_MAX 45 /* an address of IPv6 */

/* "Login: user=<U>, method=M, rip=A, lip=…, session=<S>"; what may stand between says nothing. */
void
dovecot_session_read_login(struct dovecot_line *line, const char *text)
{
	static const char mark[] = ", session=<";
	struct log_cursor cursor = {text};
	const char *session = g_strrstr(text, mark);
	g_autofree char *method = NULL, *client = NULL;
	gsize length = strlen(text);

	if (session == NULL || text[length - 1] != '>' || !log_cursor_take(&cursor, "Login: user="))
		return;
	line->user = log_cursor_address(&cursor);
	if (line->user == NULL || *line->user == '\0' || !log_cursor_take(&cursor, ", method="))
		return;
	method = log_cursor_word(&cursor, ", rip=", DOVECOT_SERVICE_MAX);
	client = method != NULL ? log_cursor_word(&cursor, ", ", CLIENT_MAX) : NULL;
	session += sizeof(mark) - 1;
	line->session = g_strndup(session, (gsize)(text + length - 1 - session));
	if (client == NULL || strspn(client, "0123456789abcdefABCDEF.:") != strlen(client) ||
	    *line->session == '\0' || strlen(line->session) > DOVECOT_SESSION_MAX ||
	    !dovecot_line_is_session(line->session))
		return;
	dovecot_line_add(line, DELIVERY_LOGIN)->detail = g_steal_pointer(&client);
}

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
