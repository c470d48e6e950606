/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

#include "login.h"
#include "network.h"

#define CLIENT_MAX 45 /* an address of IPv6 */

/* ", session=<S>" at the end; NULL where login_log_format_elements has it left out, or elsewhere.
 */
static char *
session_of(const char *text)
{
	static const char mark[] = ", session=<";
	const char *session = g_strrstr(text, mark);
	gsize length = strlen(text);
	g_autofree char *id = NULL;

	if (session == NULL || text[length - 1] != '>')
		return NULL;
	session += sizeof(mark) - 1;
	id = g_strndup(session, (gsize)(text + length - 1 - session));
	return *id != '\0' && strlen(id) <= LOGIN_SESSION_MAX && dovecot_line_is_session(id)
		       ? g_steal_pointer(&id)
		       : NULL;
}

/* "U>, method=M, rip=A, " or A at the end, of a line that begins so. */
static gboolean
take_parties(struct log_cursor *cursor, struct login *login)
{
	g_autofree char *client = NULL;
	guint8 ip[NETWORK_IP_BYTES];
	gsize length;

	login->user = log_cursor_address(cursor);
	if (login->user == NULL || *login->user == '\0' || !log_cursor_take(cursor, ", method="))
		return FALSE;
	length = strcspn(cursor->at, ",");
	if (length > LOGIN_METHOD_MAX)
		return FALSE;
	login->method = length > 0 ? g_strndup(cursor->at, length) : NULL;
	cursor->at += length;
	if (!log_cursor_take(cursor, ", rip="))
		return FALSE;
	length = strcspn(cursor->at, ",");
	client = g_strndup(cursor->at, MIN(length, CLIENT_MAX + 1));
	if (length > CLIENT_MAX || !network_ip(client, ip))
		return FALSE;
	login->client = network_ip_text(ip);
	return TRUE;
}

/* What may stand between the address and the session says nothing. */
void
dovecot_login_read(struct dovecot_line *line, const char *text)
{
	static const char suffix[] = "-login";
	struct log_cursor cursor = {text};
	g_autoptr(login_t) login = login_new();

	if (strlen(line->service) < sizeof(suffix) || !log_cursor_take(&cursor, "Login: user=") ||
	    !take_parties(&cursor, login))
		return;
	login->event_id = log_line_id(line->raw, line->length, line->offset, line->logins->len);
	login->log_host = g_strdup(line->host);
	login->service = g_strndup(line->service, strlen(line->service) - (sizeof(suffix) - 1));
	login->session = session_of(cursor.at);
	login->time_us = line->time_us;
	g_ptr_array_add(line->logins, g_steal_pointer(&login));
}
