/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta_login.h"

#include <string.h>

#include "caps.h"
#include "log_cursor.h"
#include "network.h"
#include "text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define CLIENT_MAX 51 /* "IPv6:" and an address of IPv6 */

/* ---- pieces ---- */

/* "[192.0.2.7]", "[2001:db8::7]", "[IPv6:2001:db8::7]"; FALSE if it is none. */
static gboolean
take_client(struct log_cursor *cursor, struct login *login)
{
	g_autofree char *text = NULL;
	guint8 ip[NETWORK_IP_BYTES];

	if (!log_cursor_take(cursor, "["))
		return FALSE;
	text = log_cursor_word(cursor, "]", CLIENT_MAX);
	if (text == NULL || !network_ip(g_str_has_prefix(text, "IPv6:") ? text + 5 : text, ip))
		return FALSE;
	login->client = network_ip_text(ip);
	return TRUE;
}

/* A name up to a comma or the line's end. */
static gboolean
take_user(struct log_cursor *cursor, struct login *login)
{
	gsize length = 0;

	while ((guchar)cursor->at[length] > ' ' && cursor->at[length] != 0x7f &&
	       strchr("<>()\",;[]", cursor->at[length]) == NULL)
		length++;
	if (length == 0 || length > CAP_ADDRESS_BYTES)
		return FALSE;
	login->user = g_strndup(cursor->at, length);
	cursor->at += length;
	return TRUE;
}

/* A SASL mechanism (RFC 4422 3.1). */
static gboolean
take_method(struct log_cursor *cursor, struct login *login)
{
	gsize length = strspn(cursor->at, LETTERS DIGITS "-_");

	if (length == 0 || length > LOGIN_METHOD_MAX)
		return FALSE;
	login->method = g_strndup(cursor->at, length);
	cursor->at += length;
	return TRUE;
}

/* ---- Postfix ---- */

/*
 * "postfix/smtpd[123]: ", "postfix/submission/smtpd[123]: ": the name between is that of
 * master.cf's service.
 */
static gboolean
take_postfix_tag(struct log_cursor *cursor, struct login *login)
{
	gsize length;
	guint pid;

	if (!log_cursor_take(cursor, "postfix"))
		return FALSE;
	cursor->at += strspn(cursor->at, LETTERS DIGITS "-_");
	if (!log_cursor_take(cursor, "/"))
		return FALSE;
	length = strspn(cursor->at, LETTERS DIGITS "-_");
	if (length > 0 && length <= LOGIN_SERVICE_MAX && cursor->at[length] == '/') {
		login->service = g_strndup(cursor->at, length);
		cursor->at += length + 1;
	} else {
		login->service = g_strdup("smtp");
	}
	return log_cursor_take(cursor, "smtpd[") && log_cursor_number(cursor, &pid) &&
	       log_cursor_take(cursor, "]: ");
}

/* ":52120", with smtpd_client_port_logging. */
static void
skip_port(struct log_cursor *cursor)
{
	struct log_cursor after = *cursor;
	guint port;

	if (log_cursor_take(&after, ":") && log_cursor_number(&after, &port))
		*cursor = after;
}

/* What may stand behind the name: nothing that could be a part of it. */
static gboolean
ends_user(const char *at)
{
	static const char *const next[] = {", sasl_sender=", ", orig_queue_id=", ", orig_client="};

	for (gsize i = 0; i < G_N_ELEMENTS(next); i++)
		if (g_str_has_prefix(at, next[i]))
			return TRUE;
	return *at == '\0';
}

static gboolean
parse_postfix(struct log_cursor *cursor, struct login *login)
{
	if (!take_postfix_tag(cursor, login))
		return FALSE;
	login->session = log_cursor_word(cursor, ": ", LOGIN_SESSION_MAX);
	if (login->session == NULL ||
	    strspn(login->session, LETTERS DIGITS) != strlen(login->session) ||
	    strcmp(login->session, "NOQUEUE") == 0 || !log_cursor_take(cursor, "client="))
		return FALSE;
	cursor->at += strspn(cursor->at, LETTERS DIGITS ".-_");
	if (!take_client(cursor, login))
		return FALSE;
	skip_port(cursor);
	return log_cursor_take(cursor, ", sasl_method=") && take_method(cursor, login) &&
	       log_cursor_take(cursor, ", sasl_username=") && take_user(cursor, login) &&
	       ends_user(cursor->at);
}

/* ---- Sendmail ---- */

/* "AUTH=server, relay=host.example [192.0.2.7] (may be forged), authid=U, mech=M, bits=N" */
static gboolean
parse_sendmail(struct log_cursor *cursor, struct login *login)
{
	guint number;

	if ((!log_cursor_take(cursor, "sendmail[") && !log_cursor_take(cursor, "sm-mta[")) ||
	    !log_cursor_number(cursor, &number) ||
	    !log_cursor_take(cursor, "]: AUTH=server, relay="))
		return FALSE;
	login->service = g_strdup("smtp");
	cursor->at += strspn(cursor->at, LETTERS DIGITS "!#$%&'*+-./^_`{|}~");
	log_cursor_take(cursor, " ");
	if (!take_client(cursor, login))
		return FALSE;
	log_cursor_take(cursor, " (may be forged)");
	return log_cursor_take(cursor, ", authid=") && take_user(cursor, login) &&
	       log_cursor_take(cursor, ", mech=") && take_method(cursor, login) &&
	       log_cursor_take(cursor, ", bits=") && log_cursor_number(cursor, &number) &&
	       *cursor->at == '\0';
}

/* ---- a line ---- */

static struct login *
parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone,
      gboolean (*rest)(struct log_cursor *cursor, struct login *login))
{
	g_autoptr(login_t) login = NULL;
	g_autofree char *text = NULL;
	struct log_cursor cursor;

	if (length > CAP_LOG_LINE_BYTES)
		return NULL;
	text = text_from_bytes(line, length, G_MAXSIZE, NULL);
	cursor.at = text;
	login = login_new();
	if (!log_cursor_stamp(&cursor, now_us, zone, &login->time_us))
		return NULL;
	login->log_host = log_cursor_host(&cursor);
	if (login->log_host == NULL || !rest(&cursor, login))
		return NULL;
	login->event_id = log_line_id(line, length, offset, 0);
	return g_steal_pointer(&login);
}

struct login *
postfix_login_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone)
{
	return parse(line, length, offset, now_us, zone, parse_postfix);
}

struct login *
sendmail_login_parse(const char *line, gsize length, guint64 offset, gint64 now_us, GTimeZone *zone)
{
	return parse(line, length, offset, now_us, zone, parse_sendmail);
}
