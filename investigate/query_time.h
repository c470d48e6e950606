/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query_time.h - times as people write them: --since, --until, --expires.
 *
 * Errors are QUERY_ERROR_TIME of query.h.  Pure but for the local time zone; any thread.
 */
#ifndef MAILTRACE_QUERY_TIME_H
#define MAILTRACE_QUERY_TIME_H

#include <glib.h>

/*
 * Reads a time: RFC 3339, YYYY-MM-DD (local midnight), or 7d, 12h, 30m, 2w
 * before now_us.  FALSE with QUERY_ERROR_TIME.
 */
gboolean query_parse_time(const char *text, gint64 now_us, gint64 *ret_us, GError **error);

/*
 * Reads when something ends: "never" (0), or a time as above, of which 7d, 12h, 30m
 * and 2w count forwards from now_us.  FALSE with QUERY_ERROR_TIME.
 */
gboolean query_parse_expiry(const char *text, gint64 now_us, gint64 *ret_us, GError **error);
#endif
