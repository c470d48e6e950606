/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "caps.h"
#include "mailbox.h"

enum split_state {
	SPLIT_BEGIN,   /* nothing was seen */
	SPLIT_MBOX,    /* after a From_ line */
	SPLIT_MESSAGE, /* the whole is one message */
};

struct mailbox_splitter {
	mailbox_split_fn message;
	void *data;
	gboolean single;
	enum split_state state;
	GByteArray *line;      /* the line that is not complete, at most MAILBOX_LINE_BYTES */
	gboolean inside_line;  /* its beginning was given on already */
	gboolean after_empty;  /* the line before was empty: a From_ line may follow */
	GByteArray *body;      /* the message so far */
	guint number;	       /* of the message in its mbox */
	gint64 received_at_us; /* of its From_ line */
};

G_DEFINE_QUARK(mailtrace_mailbox_error, mailbox_error)

/* ---- the From_ line ---- */

static int
month_of(const char *word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (strncmp(word, names + 3 * i, 3) == 0 && word[3] == '\0')
			return i + 1;
	return 0;
}

/* Reads "Nov 23 10:00[:00] [+0900] 2026"; words: from the month on. */
static gint64
time_of_words(char **words)
{
	int hour, minute, second = 0;
	int month = month_of(words[0]);
	int day = words[1] ? atoi(words[1]) : 0;
	g_autoptr(GTimeZone) zone = NULL;
	g_autoptr(GDateTime) time = NULL;
	char **year = words + 3;

	if (!month || !words[1] || !words[2] || !words[3] ||
	    sscanf(words[2], "%2d:%2d:%2d", &hour, &minute, &second) < 2)
		return 0;
	if (words[3][0] == '+' || words[3][0] == '-') {
		zone = g_time_zone_new_identifier(words[3]);
		year++;
	}
	if (!*year)
		return 0;
	if (!zone)
		zone = g_time_zone_new_utc();
	time = g_date_time_new(zone, atoi(*year), month, day, hour, minute, second);
	return time ? g_date_time_to_unix(time) * G_USEC_PER_SEC : 0;
}

gint64
mailbox_from_line_time(const char *line)
{
	g_auto(GStrv) split = g_strsplit_set(line, " \t\r\n", -1);
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (char **word = split; *word; word++)
		if (**word)
			g_ptr_array_add(words, *word);
	g_ptr_array_add(words, NULL);
	for (guint i = 1; i + 1 < words->len; i++) {
		char **from = (char **)words->pdata + i;

		if (month_of(*from) && time_of_words(from))
			return time_of_words(from);
	}
	return 0;
}

/* ---- messages ---- */

struct mailbox_splitter *
mailbox_splitter_new(gboolean single, mailbox_split_fn message, void *data)
{
	struct mailbox_splitter *splitter = g_new0(struct mailbox_splitter, 1);

	splitter->message = message;
	splitter->data = data;
	splitter->single = single;
	splitter->line = g_byte_array_new();
	splitter->body = g_byte_array_new();
	return splitter;
}

void
mailbox_splitter_free(struct mailbox_splitter *splitter)
{
	if (!splitter)
		return;
	g_byte_array_unref(splitter->line);
	g_byte_array_unref(splitter->body);
	g_free(splitter);
}

/* The empty line before a From_ line, and at an mbox's end, is the separator's. */
static void
drop_separator(GByteArray *body)
{
	if (body->len >= 4 && memcmp(body->data + body->len - 4, "\r\n\r\n", 4) == 0)
		g_byte_array_set_size(body, body->len - 2);
}

static gboolean
give_message(struct mailbox_splitter *splitter)
{
	const guint8 *nothing = (const guint8 *)"";
	gboolean go_on;

	if (splitter->state == SPLIT_MBOX)
		drop_separator(splitter->body);
	go_on = splitter->message(splitter->body->len ? splitter->body->data : nothing,
				  splitter->body->len, splitter->number, splitter->received_at_us,
				  splitter->data);
	g_byte_array_set_size(splitter->body, 0);
	return go_on;
}

static gboolean
add_to_body(struct mailbox_splitter *splitter, const guint8 *bytes, gsize length, GError **error)
{
	if (splitter->body->len + length > CAP_MESSAGE_BYTES) {
		g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_LARGE,
			    "a message is over %lld bytes", CAP_MESSAGE_BYTES);
		return FALSE;
	}
	g_byte_array_append(splitter->body, bytes, (guint)length);
	return TRUE;
}

/* Returns TRUE for a From_ line; *ret_time: its time, 0 if it has none. */
static gboolean
is_from_line(const guint8 *line, gsize length, gint64 *ret_time)
{
	g_autofree char *text = NULL;

	if (length < 5 || memcmp(line, "From ", 5) != 0)
		return FALSE;
	text = g_strndup((const char *)line, length);
	*ret_time = mailbox_from_line_time(text);
	return TRUE;
}

/* Returns TRUE for a line that could stand first in a message: "Name: …" (RFC 5322 2.2). */
static gboolean
is_field(const guint8 *line, gsize length)
{
	gsize i = 0;

	while (i < length && line[i] > ' ' && line[i] < 127 && line[i] != ':')
		i++;
	while (i < length && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i > 0 && i < length && line[i] == ':';
}

static gboolean
take_first_line(struct mailbox_splitter *splitter, const guint8 *line, gsize length,
		gboolean *ret_consumed, GError **error)
{
	gint64 time = 0;

	*ret_consumed = is_from_line(line, length, &time);
	if (*ret_consumed) {
		splitter->received_at_us = time;
		splitter->state = splitter->single ? SPLIT_MESSAGE : SPLIT_MBOX;
		splitter->number = splitter->single ? 0 : 1;
		return TRUE;
	}
	splitter->state = SPLIT_MESSAGE;
	/* An empty first line is a message without a header. */
	if (length == 0 || is_field(line, length))
		return TRUE;
	g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_FORM,
		    "begins neither with a header field nor with an mbox's From line");
	return FALSE;
}

/* Starts the next message of an mbox if the line says so. */
static gboolean
take_separator(struct mailbox_splitter *splitter, const guint8 *line, gsize length,
	       gboolean *ret_consumed)
{
	gint64 time = 0;

	*ret_consumed = splitter->state == SPLIT_MBOX && splitter->after_empty &&
			is_from_line(line, length, &time) && time != 0;
	if (!*ret_consumed)
		return TRUE;
	if (!give_message(splitter))
		return FALSE;
	splitter->number++;
	splitter->received_at_us = time;
	return TRUE;
}

/* Returns TRUE for ">From ", ">>From " and so on. */
static gboolean
is_quoted(const guint8 *line, gsize length)
{
	gsize i = 0;

	while (i < length && line[i] == '>')
		i++;
	return i > 0 && length - i >= 5 && memcmp(line + i, "From ", 5) == 0;
}

/* Takes the beginning of a line, or all of it; without its line end. */
static gboolean
take_line_begin(struct mailbox_splitter *splitter, const guint8 *line, gsize length,
		gboolean *ret_consumed, GError **error)
{
	gboolean ok = splitter->state == SPLIT_BEGIN
			      ? take_first_line(splitter, line, length, ret_consumed, error)
			      : take_separator(splitter, line, length, ret_consumed);

	splitter->after_empty = length == 0;
	if (!ok || *ret_consumed)
		return ok;
	if (splitter->state == SPLIT_MBOX && is_quoted(line, length)) {
		line++;
		length--;
	}
	return add_to_body(splitter, line, length, error);
}

/* Takes splitter->line and empties it.  ended: a line break stood behind it. */
static gboolean
take_line(struct mailbox_splitter *splitter, gboolean ended, GError **error)
{
	const guint8 *line = splitter->line->data;
	gsize length = splitter->line->len;
	gboolean consumed = FALSE;
	gboolean ok;

	if (ended && length && line[length - 1] == '\r')
		length--;
	ok = splitter->inside_line ? add_to_body(splitter, line, length, error)
				   : take_line_begin(splitter, line, length, &consumed, error);
	if (ok && ended && !consumed)
		ok = add_to_body(splitter, (const guint8 *)"\r\n", 2, error);
	splitter->inside_line = !ended;
	g_byte_array_set_size(splitter->line, 0);
	return ok;
}

/* A line that is too long is given on, but for its last byte: it may be a CR before LF. */
static gboolean
take_piece(struct mailbox_splitter *splitter, GError **error)
{
	guint8 last = splitter->line->data[splitter->line->len - 1];

	g_byte_array_set_size(splitter->line, splitter->line->len - 1);
	if (!take_line(splitter, FALSE, error))
		return FALSE;
	g_byte_array_append(splitter->line, &last, 1);
	return TRUE;
}

gboolean
mailbox_splitter_add(struct mailbox_splitter *splitter, const void *bytes, gsize length,
		     GError **error)
{
	const guint8 *at = bytes;
	const guint8 *end = at + length;

	while (at < end) {
		gsize room = MAILBOX_LINE_BYTES - splitter->line->len;
		gsize span = MIN(room, (gsize)(end - at));
		const guint8 *line_break = memchr(at, '\n', span);

		if (line_break)
			span = (gsize)(line_break - at);
		g_byte_array_append(splitter->line, at, (guint)span);
		at += span + (line_break ? 1 : 0);
		if (line_break ? !take_line(splitter, TRUE, error)
			       : splitter->line->len == MAILBOX_LINE_BYTES &&
					 !take_piece(splitter, error))
			return FALSE;
	}
	return TRUE;
}

gboolean
mailbox_splitter_end(struct mailbox_splitter *splitter, GError **error)
{
	/* SMTP knows no line without an end (RFC 5321 4.1.1.4). */
	if ((splitter->line->len || splitter->inside_line) && !take_line(splitter, TRUE, error))
		return FALSE;
	if (splitter->state == SPLIT_BEGIN) {
		g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_FORM, "is empty");
		return FALSE;
	}
	return give_message(splitter);
}
