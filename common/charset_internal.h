/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset_internal.h - what the parts of charset.h share; nobody else includes it.
 *
 * charset.c       the sets, their names and converters
 * charset_jis.c   ISO-2022-JP, which the C library reads too narrowly
 * charset_guess.c unlabelled bytes
 */
#ifndef MAILTRACE_CHARSET_INTERNAL_H
#define MAILTRACE_CHARSET_INTERNAL_H

#include <glib.h>

/* Returns the name that this code uses for a set of that name, static, or NULL if unknown. */
const char *charset_name(const char *charset);

/* Returns bytes as Windows-1252, its five holes and NUL escaped: never NULL; free with g_free(). */
char *charset_western(const guint8 *bytes, gsize length);

/*
 * Converts ISO-2022-JP with the NEC and IBM rows, half-width katakana (ESC ( I, as
 * CP50221) and JIS X 0212, none of which the C library's own converter takes.  Returns
 * EUC, to free, or NULL when the bytes are not of it.
 */
GString *jis_to_euc(const guint8 *bytes, gsize length);

/* Tells whether one of its escape sequences stands in bytes. */
gboolean jis_has_escape(const guint8 *bytes, gsize length);
#endif
