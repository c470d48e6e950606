/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_cursor.h"

#include <string.h>

#include "caps.h"
#include "event.h"
#include "text.h"

#define HOST_MAX 255	      /* RFC 1035 2.3.4 */
#define STAMP_MAX 40	      /* "2026-11-23T13:08:31.123456789+09:00" */
#define NUMBER_MAX G_MAXINT32 /* of counts and sizes, read digit by digit */

/* ---- pieces ---- */

gboolean
log_cursor_take(struct log_cursor *cursor, const char *literal)
{
	if (!g_str_has_prefix(cursor->at, literal))
		return FALSE;
	cursor->at += strlen(literal);
	return TRUE;
}

/* Takes what stands before the first stop, and the stop; at most max bytes, at least one. */
char *
log_cursor_word(struct log_cursor *cursor, const char *stop, gsize max)
{
	const char *end = strstr(cursor->at, stop);
	char *word;

	if (end == NULL || end == cursor->at || (gsize)(end - cursor->at) > max)
		return NULL;
	word = g_strndup(cursor->at, (gsize)(end - cursor->at));
	cursor->at = end + strlen(stop);
	return word;
}

gboolean
log_cursor_number(struct log_cursor *cursor, guint *ret_number)
{
	guint64 number = 0;
	const char *at = cursor->at;

	for (; g_ascii_isdigit(*at) && number <= NUMBER_MAX; at++)
		number = number * 10 + (guint64)(*at - '0');
	if (at == cursor->at || g_ascii_isdigit(*at))
		return FALSE;
	cursor->at = at;
	*ret_number = (guint)MIN(number, NUMBER_MAX);
	return TRUE;
}

/* Passes over a quoted local part (RFC 5321 4.1.2); NULL if it does not end. */
static const char *
skip_quoted(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
	}
	return at + 1;
}

/*
 * Takes "<address>".  Postfix quotes a local part that is no dot-atom, so that
 * outside of quotes none of these marks can stand in an address.
 */
char *
log_cursor_address(struct log_cursor *cursor)
{
	const char *start, *at;

	if (!log_cursor_take(cursor, "<"))
		return NULL;
	start = at = cursor->at;
	if (*at == '"')
		at = skip_quoted(at);
	if (at == NULL || (at != start && *at != '@' && *at != '>'))
		return NULL;
	while (*at != '\0' && *at != '>' && (guchar)*at > ' ' && strchr("<\"(),;", *at) == NULL)
		at++;
	if (*at != '>' || at - start > CAP_ADDRESS_BYTES)
		return NULL;
	cursor->at = at + 1;
	return g_strndup(start, (gsize)(at - start));
}

/* "2.0.0", RFC 3463 2. */
char *
log_cursor_dsn(struct log_cursor *cursor)
{
	const char *at = cursor->at, *start = at;

	for (int part = 0; part < 3; part++) {
		int digits = 0;

		if (part > 0 && *at++ != '.')
			return NULL;
		while (g_ascii_isdigit(*at) && ++digits <= 3)
			at++;
		if (digits < 1 || digits > 3)
			return NULL;
	}
	cursor->at = at;
	return g_strndup(start, (gsize)(at - start));
}

char *
log_text_capped(const char *text, gsize length)
{
	return text_from_bytes(text, length, CAP_DELIVERY_TEXT_BYTES, NULL);
}

/* ---- the stamp ---- */

static gint64
time_of(GDateTime *time)
{
	return g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time);
}

/* RFC 3339: digits where they belong, then what GLib makes of it. */
static gboolean
take_full_stamp(struct log_cursor *cursor, GTimeZone *zone, gint64 *ret_us)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	g_autofree char *stamp = NULL;
	g_autoptr(GDateTime) time = NULL;

	for (gsize i = 0; i < sizeof(shape) - 1; i++) {
		char c = cursor->at[i];

		if (shape[i] == 'd' ? !g_ascii_isdigit(c) : c != shape[i])
			return FALSE;
	}
	stamp = log_cursor_word(cursor, " ", STAMP_MAX);
	time = stamp != NULL ? g_date_time_new_from_iso8601(stamp, zone) : NULL;
	if (time == NULL || time_of(time) < 0)
		return FALSE;
	*ret_us = time_of(time);
	return TRUE;
}

static int
month_of(const char *text)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int month = 0; month < 12; month++)
		if (strncmp(text, names + 3 * month, 3) == 0)
			return month + 1;
	return 0;
}

static int
two_digits(const char *text)
{
	if (!g_ascii_isdigit(text[1]) || !(g_ascii_isdigit(text[0]) || text[0] == ' '))
		return -1;
	return (text[0] == ' ' ? 0 : text[0] - '0') * 10 + text[1] - '0';
}

/* How far a line's clock may be ahead of the one by which it is read. */
#define AHEAD_US (60 * (gint64)G_USEC_PER_SEC)

/*
 * An hour before, if the clock showed the same then: the hour that comes twice is the
 * second one, unless that is still to come.
 */
static gint64
not_yet(GDateTime *time, gint64 now_us)
{
	g_autoptr(GDateTime) before = NULL;

	if (time_of(time) <= now_us + AHEAD_US)
		return time_of(time);
	before = g_date_time_add_hours(time, -1);
	return before != NULL && g_date_time_get_hour(before) == g_date_time_get_hour(time)
		       ? time_of(before)
		       : time_of(time);
}

/* The latest year in which the day exists and is not after tomorrow; leap days come within eight.
 */
static gboolean
guess_year(const int fields[5], gint64 now_us, GTimeZone *zone, gint64 *ret_us)
{
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);

	for (int back = -1; now != NULL && back <= 8; back++) {
		g_autoptr(GDateTime) time =
			g_date_time_new(zone, g_date_time_get_year(now) - back, fields[0],
					fields[1], fields[2], fields[3], fields[4]);

		if (time == NULL || time_of(time) > now_us + G_TIME_SPAN_DAY || time_of(time) < 0)
			continue;
		*ret_us = not_yet(time, now_us);
		return TRUE;
	}
	return FALSE;
}

/* "Nov 23 13:08:31 ", RFC 3164 4.1.2: a day below ten has a blank before it. */
static gboolean
take_short_stamp(struct log_cursor *cursor, gint64 now_us, GTimeZone *zone, gint64 *ret_us)
{
	const char *at = cursor->at;
	int fields[5];

	if (strnlen(at, 16) < 16 || at[3] != ' ' || at[6] != ' ' || at[9] != ':' || at[12] != ':' ||
	    at[15] != ' ')
		return FALSE;
	fields[0] = month_of(at);
	for (int i = 1; i < 5; i++)
		fields[i] = two_digits(at + 1 + 3 * i);
	cursor->at = at + 16;
	return guess_year(fields, now_us, zone, ret_us);
}

char *
log_line_id(const char *line, gsize length, guint64 offset, guint part)
{
	g_autoptr(GString) key = g_string_new(NULL);

	g_string_printf(key, "log:%" G_GUINT64_FORMAT ":", offset);
	if (part > 0)
		g_string_append_printf(key, "%u:", part);
	g_string_append_len(key, line, (gssize)length);
	return event_id_of(key->str, key->len);
}

gboolean
log_cursor_stamp(struct log_cursor *cursor, gint64 now_us, GTimeZone *zone, gint64 *ret_us)
{
	return take_full_stamp(cursor, zone, ret_us) ||
	       take_short_stamp(cursor, now_us, zone, ret_us);
}

char *
log_cursor_host(struct log_cursor *cursor)
{
	return log_cursor_word(cursor, " ", HOST_MAX);
}
