/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset.h - from the bytes of a header or a body to UTF-8.
 *
 * Owns iconv and the guesses that mail needs: raw 8-bit text, ISO-2022-JP by its
 * escapes, Shift_JIS against EUC-JP.  Converters are opened by charset_preload(),
 * before the sandbox, and kept.  One thread.
 */
#ifndef MAILTRACE_CHARSET_H
#define MAILTRACE_CHARSET_H

#include <glib.h>

/*
 * Opens and keeps all converters.  Returns FALSE with a G_IO_ERROR naming the
 * first promised one that is missing.  May be called again, to no effect.
 */
gboolean charset_preload(GError **error);

/*
 * Converts bytes of the named character set (any case, aliases of RFC 2047 and
 * of common mailers) to UTF-8.  Returns NULL if the set is unknown or the bytes
 * are not of it.  Free with g_free().
 */
char *charset_convert(const char *charset, const void *bytes, gsize length);

/*
 * The other way: UTF-8, NUL-terminated, in one of the few sets that archives are
 * written with: Shift_JIS, GBK, Windows-1251, Windows-1252, EUC-KR, IBM437, IBM866.
 * Returns NULL where the set is none of them, or lacks a character; else bytes, with
 * NUL behind.  Free with g_free().
 */
char *charset_encode(const char *charset, const char *text);

/* Returns whether charset_convert() has a converter for the named set. */
gboolean charset_known(const char *charset);

/*
 * Guesses the character set of unlabelled bytes and converts them: UTF-8, then
 * ISO-2022-JP by escapes, then hint (may be NULL), then Shift_JIS or EUC-JP
 * when the bytes are well-formed and look Japanese, then Windows-1252.  Never
 * NULL; *ret_guessed (may be NULL) is the set's name, static.  Free with
 * g_free().
 */
char *charset_guess(const void *bytes, gsize length, const char *hint, const char **ret_guessed);
#endif
