/* SPDX-License-Identifier: BSD-2-Clause */
#include "dovecot_line.h"

#include <string.h>

void
dovecot_line_clear(struct dovecot_line *line)
{
	g_free(line->host);
	g_free(line->service);
	g_free(line->user);
	g_free(line->session);
}

struct delivery *
dovecot_line_add(struct dovecot_line *line, enum delivery_kind kind)
{
	struct delivery *delivery = delivery_new();

	delivery->event_id =
		log_line_id(line->raw, line->length, line->offset, line->deliveries->len);
	delivery->log_host = g_strdup(line->host);
	delivery->queue_id = g_strdup(line->session);
	delivery->time_us = line->time_us;
	delivery->kind = kind;
	delivery->recipient = g_strdup(line->user);
	delivery->relay = g_strdup(line->service);
	g_ptr_array_add(line->deliveries, delivery);
	return delivery;
}

char *
dovecot_line_text(const char *text)
{
	return log_text_capped(text, strlen(text));
}

gboolean
dovecot_line_is_session(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "+/=:") == strlen(text);
}

char *
dovecot_line_message_id(struct log_cursor *cursor, const char *stop)
{
	const char *at = cursor->at, *start = at;

	if (*at != '<')
		return NULL;
	for (at++; *at > ' ' && strchr("<>\"\\(),", *at) == NULL; at++)
		;
	if (*at == '>')
		at++;
	else if (at - cursor->at < 4 || strncmp(at - 3, "...", 3) != 0)
		return NULL;
	if (*at != '\0' && !g_str_has_prefix(at, stop))
		return NULL;
	cursor->at = at;
	return g_strndup(start, (gsize)(at - start));
}
