/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime.h - reads a message into a record.  GMime's owner.
 *
 * Called in the sandboxed worker only: it parses hostile bytes.  It does no
 * I/O of its own and opens nothing once mime_preload() has run.  One thread.
 */
#ifndef MAILTRACE_MIME_H
#define MAILTRACE_MIME_H

#include <glib.h>

#include "record.h"

/*
 * Opens all that reading will need: GMime, every character-set converter,
 * digests, the time zone.  To be called once, before the sandbox is entered:
 * iconv loads its modules lazily and, inside a sandbox, fails without a word.
 * Returns FALSE with a G_IO_ERROR if a converter that we promise (UTF-8,
 * ISO-2022-JP, Shift_JIS, EUC-JP, the ISO 8859 and Windows families, GBK,
 * GB18030, Big5, EUC-KR, KOI8-R) is missing.
 */
gboolean mime_preload(GError **error);

/*
 * Reads a message (RFC 5322, RFC 2045-2049).  bytes: length bytes, any
 * content, CR LF or bare LF; not kept.  Never fails: what could not be read is
 * noted in the record's caps and flags.  Free with record_free().
 */
struct record *mime_read(const void *bytes, gsize length);
#endif
