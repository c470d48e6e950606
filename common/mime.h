/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime.h - reads a message into a record.  GMime's owner.
 *
 * Called in the sandboxed worker only: it parses hostile bytes.  It does no
 * I/O of its own and opens nothing once mime_preload() has run.  One thread.
 *
 * Paths of files are IMAP's section numbers (RFC 9051 6.4.5.1): a message that
 * is no multipart is "1"; the parts of its multipart are "1", "2", …, those of
 * the multipart "2" are "2.1", "2.2", …; and below the message/rfc822 "3" its
 * content is "3.1" or, if a multipart, in "3.1", "3.2", ….  Such a multipart,
 * which IMAP gives no number of its own, is "0" or "3.0".
 *
 * A message/rfc822 is a file itself, with the digests of its bytes, and its
 * content stands below it.  Beyond CAP_ENCLOSED_BYTES of such messages one is
 * FILE_INCOMPLETE and has no digests (all zero).
 *
 * Where the message departs from the standards it is read again as other
 * readers would (readings.h, recode.h), and each content that the plain
 * reading lacks is added with the names of the readings that show it: as
 * "2@last-content-type", path "2" in that reading and its name.
 *
 * Members of archives (unpack.h) stand behind all of these; an archive that only
 * another division into parts shows is not looked into.
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
