/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox.h - the messages in files: eml, mbox, Maildir, folders of them,
 * compressed ones too.
 *
 * Finds where messages begin and end, and gives each with CR LF line ends, as
 * a milter would have seen it; it reads nothing inside them.  Compressed files
 * (gzip, zstd, xz, bzip2, known by their first bytes) go through the helper
 * program `decompress`, which works in a sandbox.
 *
 * An mbox (RFC 4155) is known by its first line.  A line "From …" with a time
 * of day, after an empty line or at the beginning, starts a message; lines
 * ">From ", ">>From " and so on lose one '>' (mboxrd; the same for the older
 * mboxo, which quotes "From " alone).  A Maildir is a folder with cur and new;
 * its tmp is left out, as are files that are no messages.  Folders are walked
 * in the order of names; symbolic links inside them are not followed.  One
 * thread.
 */
#ifndef MAILTRACE_MAILBOX_H
#define MAILTRACE_MAILBOX_H

#include <glib.h>

#define MAILBOX_DEPTH 64		   /* of folders; mail stores have a handful */
#define MAILBOX_LINE_BYTES 65536	   /* a line is given on in pieces of it */
#define MAILBOX_EXPANSION 1000		   /* zlib's limit; text is far below it */
#define MAILBOX_EXPANSION_FREE (1LL << 30) /* what any compressed file may become */

enum mailbox_error {
	MAILBOX_ERROR_READ,	  /* missing or unreadable */
	MAILBOX_ERROR_FORM,	  /* no message, or not whole */
	MAILBOX_ERROR_LARGE,	  /* over CAP_MESSAGE_BYTES, or expands beyond reason */
	MAILBOX_ERROR_COMPRESSED, /* cannot be decompressed */
};
/* Its message does not name the file: whoever is told of trouble has its path. */
#define MAILBOX_ERROR (mailbox_error_quark())
GQuark mailbox_error_quark(void);

/* A message; all is borrowed from the mailbox. */
struct mailbox_message {
	const char *path;    /* the file it is in */
	guint number;	     /* its place in an mbox, from 1; 0: it is the file */
	const guint8 *bytes; /* CR LF line ends */
	gsize length;
	gint64 received_at_us; /* of the From_ line or the Maildir's file name; 0: not known */
	gint64 changed_at_us;  /* of the file */
	guint64 position;      /* bytes of files that were read so far */
};

/* What a walk calls; either returns FALSE to end the walk. */
struct mailbox_visitor {
	gboolean (*message)(const struct mailbox_message *message, void *data);
	/* A file that could not be read, or not to its end; the walk goes on with the next. */
	gboolean (*trouble)(const char *path, const GError *error, void *data);
	void *data;
};

/*
 * Visits every message of a file or folder; "-" is the standard input.
 * decompress: path of the helper program.  Returns FALSE if a visitor ended it.
 */
gboolean mailbox_walk(const char *path, const char *decompress,
		      const struct mailbox_visitor *visitor);

/* Returns the bytes of all files that mailbox_walk() would read, for a progress bar. */
guint64 mailbox_bytes(const char *path);

/* ---- the pieces, for tests ---- */

/*
 * Reads the time of an mbox's From_ line (asctime with or without a zone, UTC
 * without one).  line: NUL-terminated.  Returns 0 if there is none.
 */
gint64 mailbox_from_line_time(const char *line);

/* Returns TRUE if a compressed file of size bytes that has given so many is a bomb. */
gboolean mailbox_expands_too_far(guint64 size, guint64 given);

struct mailbox_splitter;

/* Called with each message that ends. number: from 1 in an mbox, else 0. */
typedef gboolean (*mailbox_split_fn)(const guint8 *bytes, gsize length, guint number,
				     gint64 received_at_us, void *data);

/* Makes a splitter.  single: an mbox's separators mean nothing, as in a Maildir. */
struct mailbox_splitter *mailbox_splitter_new(gboolean single, mailbox_split_fn message,
					      void *data);

/* Takes bytes as they come.  Returns FALSE with a MAILBOX_ERROR, or without one if the function
 * returned FALSE. */
gboolean mailbox_splitter_add(struct mailbox_splitter *splitter, const void *bytes, gsize length,
			      GError **error);

/* Gives the last message.  Likewise. */
gboolean mailbox_splitter_end(struct mailbox_splitter *splitter, GError **error);

/* Frees a splitter.  NULL is allowed. */
void mailbox_splitter_free(struct mailbox_splitter *splitter);
#endif
