/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint.h - the digests of a content and of its variants, in one pass.
 *
 * A text on a disk and the same text in a mail differ in their line ends, and
 * readers differ on whose the last one is; so beside a content's own digests
 * stand those of its variants (record.h).  Two passes of hashing make all of
 * them, since a digest's state can be branched.  Knows nothing of MIME.  One
 * thread; reusable.
 */
#ifndef MAILTRACE_FINGERPRINT_H
#define MAILTRACE_FINGERPRINT_H

#include <glib.h>

#include "record.h"

struct fingerprint;

/* Returns one to begin with.  Free with fingerprint_free(). */
struct fingerprint *fingerprint_new(void);

/* Begins a content, and forgets one that was not finished.  variants: whether line ends mean
 * anything in it. */
void fingerprint_begin(struct fingerprint *fingerprint, gboolean variants);

/* Adds length bytes of it; the LF form is made of them, CR LF becoming LF, CR CR LF too. */
void fingerprint_add(struct fingerprint *fingerprint, const void *bytes, gsize length);

/*
 * The same in two steps, for a content whose LF form is not that of its bytes:
 * quoted-printable's line breaks become LF, the CR LF that it encodes as =0D=0A
 * stays.  This one adds to the content alone.
 */
void fingerprint_add_exact(struct fingerprint *fingerprint, const void *bytes, gsize length);

/* And this one to its LF form alone. */
void fingerprint_add_lf(struct fingerprint *fingerprint, const void *bytes, gsize length);

/*
 * Ends the content: sets size and digests of a file, and adds its variants.
 * line_break: the one of the delimiter, break_bytes long (0 for none), as it
 * would follow the content.
 */
void fingerprint_finish(struct fingerprint *fingerprint, const void *line_break, gsize break_bytes,
			struct file *file);

/* Frees it.  NULL is allowed. */
void fingerprint_free(struct fingerprint *fingerprint);

typedef struct fingerprint fingerprint_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint_t, fingerprint_free)
#endif
