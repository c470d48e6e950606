/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * archive_behind.h - where a rar, 7z, cab or lzh begins that stands behind other bytes: a picture
 * with a rar behind it.  A zip is found by its end (zip_end.h).
 *
 * Its readers look for a signature at each byte, and for a header behind it; so does this, by what
 * all of them ask of that: checksums that some pass over are left to who opens it.
 *
 * Hostile bytes; decompresses nothing.  Pure; any thread.
 */
#ifndef MAILTRACE_ARCHIVE_BEHIND_H
#define MAILTRACE_ARCHIVE_BEHIND_H

#include <glib.h>

/* So many bytes tell whether an archive may begin with them. */
#define ARCHIVE_BEHIND_HEAD 32

struct archive_behind {
	const char *type; /* static */
	gsize begin;
	gsize end; /* by its own header; of a rar and an lzh, which do not say it, the content's */
};

/*
 * Returns whether an archive begins in a content of length bytes at from or behind it; *ret_found
 * is the first.
 */
gboolean archive_behind_next(const void *bytes, gsize length, gsize from,
			     struct archive_behind *ret_found);

/* Whether one may begin in a content that comes in pieces, of which not all is kept; begins as 0.
 */
struct archive_mark {
	gboolean found;
	guint8 last[ARCHIVE_BEHIND_HEAD - 1]; /* held of them: its last bytes */
	gsize held;
};

/* Takes a piece: length bytes.  Once found, the whole is worth archive_behind_next(). */
void archive_mark_add(struct archive_mark *mark, const void *bytes, gsize length);
#endif
