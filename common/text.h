/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - text that came from outside: made valid, made harmless, compared.
 *
 * Owns every rule about untrusted text: what is valid, how it is escaped for a
 * terminal or a log, how wide it is on a screen, and the key under which it is
 * searched.  Pure functions on GLib; any thread.
 */
#ifndef MAILTRACE_TEXT_H
#define MAILTRACE_TEXT_H

#include <glib.h>

/*
 * Returns valid UTF-8 without NUL from any bytes: invalid bytes and NUL become
 * \xHH (the backslash itself is kept).  Cut at a character's boundary to at
 * most max_bytes; *ret_cut (may be NULL) says whether it was.  Free with
 * g_free().
 */
char *text_from_bytes(const void *bytes, gsize length, gsize max_bytes, gboolean *ret_cut);

/*
 * Returns text fit for a terminal: C0 and C1 controls, DEL, bidirectional
 * controls (U+202A to U+202E, U+2066 to U+2069, U+200E, U+200F, U+061C), other
 * format characters but ZWJ and variation selectors, line and paragraph
 * separators, private use and unassigned code points are shown as escapes
 * (\x1b, \u202e).  Lines are not broken.  Free with g_free().
 */
char *text_for_terminal(const char *text);

/*
 * Returns text fit for a value in a log line of key=value pairs: as for a
 * terminal, and in double quotes with \" and \\ when it has a blank, a quote,
 * an equals sign or is empty.  Cut to 256 characters with "…".  Free with
 * g_free().
 */
char *text_for_log(const char *text);

/*
 * Returns the columns that text takes on a terminal: 0 for combining marks and
 * format characters, 2 for wide East Asian and emoji, an emoji sequence joined
 * by ZWJ or with a modifier counts once, two regional indicators are one flag.
 */
int text_width(const char *text);

/*
 * Returns text padded with blanks, or cut with "…", to exactly width columns,
 * never splitting a grapheme.  text must be terminal-safe.  Free with g_free().
 */
char *text_fit(const char *text, int width);

/*
 * Returns the key under which text is searched: Unicode NFKC with case folding
 * (macOS sends NFD names) and without characters that are never seen (zero
 * width spaces and joiners, soft hyphens, variation selectors), so that two
 * spellings that a person holds for the same are equal.  A key's key is
 * itself.  Free with g_free().
 */
char *text_search_key(const char *text);

/*
 * Returns an address's search key: domain and local part folded, the domain's
 * A-labels (RFC 5890, "xn--") as U-labels, a final dot left out.  Free with
 * g_free().
 */
char *address_search_key(const char *address);

/* Returns the place of a word in a table of so many; -1 if it is none of them, or NULL. */
int text_place(const char *word, const char *const *words, gsize count);

/* Returns whether a text is UTF-8 of at most so many bytes, without control characters. */
gboolean text_is_plain(const char *text, gsize max_bytes);
#endif
