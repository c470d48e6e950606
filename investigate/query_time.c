/* SPDX-License-Identifier: BSD-2-Clause */
#include "query_time.h"

#include <string.h>

#include "query.h"
#include "text.h"

/* Reads "7d": a number and a unit of time before now. */
static gboolean
parse_ago(const char *text, gint64 now_us, gint64 *ret_us)
{
	static const struct {
		char unit;
		gint64 seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	char *end = NULL;
	guint64 count;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	count = g_ascii_strtoull(text, &end, 10);
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (end[0] == units[i].unit && end[1] == '\0' &&
		    count <= (guint64)G_MAXINT64 / G_USEC_PER_SEC / units[i].seconds &&
		    now_us >= (gint64)count * units[i].seconds * G_USEC_PER_SEC) {
			*ret_us = now_us - (gint64)count * units[i].seconds * G_USEC_PER_SEC;
			return TRUE;
		}
	}
	return FALSE;
}

/* Returns TRUE for "2026-11-23": four digits, two, two. */
static gboolean
is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (gsize i = 0; i < sizeof(form); i++) {
		if (form[i] == 'd' ? !g_ascii_isdigit(text[i]) : text[i] != form[i])
			return FALSE;
	}
	return TRUE;
}

gboolean
query_parse_time(const char *text, gint64 now_us, gint64 *ret_us, GError **error)
{
	g_autoptr(GTimeZone) local = g_time_zone_new_local();
	g_autoptr(GDateTime) time = NULL;
	g_autofree char *shown = NULL;

	if (parse_ago(text, now_us, ret_us))
		return TRUE;
	if (is_date(text)) {
		g_autofree char *midnight = g_strconcat(text, "T00:00:00", NULL);

		time = g_date_time_new_from_iso8601(midnight, local);
	} else if (strchr(text, '-')) {
		time = g_date_time_new_from_iso8601(text, local);
	}
	if (time) {
		*ret_us = g_date_time_to_unix(time) * G_USEC_PER_SEC +
			  g_date_time_get_microsecond(time);
		return TRUE;
	}
	shown = text_for_terminal(text);
	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TIME,
		    "'%s' is no time: write 2026-11-23, 2026-11-23T10:00:00Z, or 7d, 12h, 30m, 2w "
		    "before now",
		    shown);
	return FALSE;
}

gboolean
query_parse_expiry(const char *text, gint64 now_us, gint64 *ret_us, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	gint64 time_us;

	if (strcmp(text, "never") == 0) {
		*ret_us = 0;
		return TRUE;
	}
	if (!query_parse_time(text, now_us, &time_us, error))
		return FALSE;
	/* The same words as of --since, which count backwards. */
	if (digits > 0 && g_ascii_isalpha(text[digits]) && !text[digits + 1])
		time_us = now_us + (now_us - time_us);
	*ret_us = time_us;
	return TRUE;
}
