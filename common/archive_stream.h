/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * archive_stream.h - compressed streams made plain.  Of archive.c, libarchive's owner.
 * (Named so since <archive.h> is libarchive's own.)
 *
 * Parses hostile bytes: to be called in a sandbox only.  Opens no file and
 * starts no program.  One thread.
 */
#ifndef MAILTRACE_ARCHIVE_STREAM_H
#define MAILTRACE_ARCHIVE_STREAM_H

#include <glib.h>

#define ARCHIVE_STREAM_BLOCK_BYTES 65536

enum archive_stream_error {
	ARCHIVE_STREAM_ERROR_FORM,  /* not compressed, or damaged, or ends early */
	ARCHIVE_STREAM_ERROR_WRITE, /* the caller's function returned FALSE */
};
/* What was written before it stands. */
#define ARCHIVE_STREAM_ERROR (archive_stream_error_quark())
GQuark archive_stream_error_quark(void);

/* Takes plain bytes; FALSE ends the work. */
typedef gboolean (*archive_stream_fn)(const void *bytes, gsize length, void *data);

/*
 * Decompresses length bytes: gzip (RFC 1952, several members too), zstd (RFC
 * 8878), xz or bzip2.  write is called with blocks of at most
 * ARCHIVE_STREAM_BLOCK_BYTES; how much there may be in all is its to judge.  What
 * came before damage was found has been written by then.
 */
gboolean archive_stream_read(const void *bytes, gsize length, archive_stream_fn write, void *data,
			     GError **error);
#endif
