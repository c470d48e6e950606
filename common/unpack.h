/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unpack.h - what is in the archives of a message, at any depth.
 *
 * Adds a file to the record for each member of an archive, and for each member of
 * a member that is one.  It owns the recursion and its caps; how an archive is read
 * is archive_members.h's.  Nothing is written anywhere: contents are hashed as they
 * come, and only archives are held in memory.  In the sandboxed worker only.
 *
 * A member that is a message (mail_file.h) is read as one by mime.c, and what is in it
 * stands below it: "2!/a.eml!/1.2" is the part 1.2 of that message.
 *
 * A member that holds files as mail programs find them in an attachment (embedded.h: uuencode,
 * TNEF, ...) has these below it in the same way: "2!/a.uue!/f.exe".
 *
 * A member's path is that of its archive, "!/" and its name there, with all of
 * its folders: "2!/dir/a.js", "2!/inner.zip!/a.js".  When that path is there
 * already, "#2", "#3", ... follows.  Its name is the last part, behind any slash or
 * backslash; the raw bytes beside it are those of the whole name.  The
 * character set of names without a label is guessed as those of parts are.  What
 * is compressed by itself (gzip) is an archive of one member, named by
 * what the archive says, then as the tools name it: "a.tar.gz" holds "a.tar".
 *
 * A member that could not be read to its end, or is encrypted, has no digests
 * (all zero), and the size that the archive says.  Of one in a zip the directory's
 * CRC-32 and method are told too; when a word of the message opens it, it is read
 * as any other, is no longer flagged as encrypted, and its method ends with
 * "+opened".
 */
#ifndef MAILTRACE_UNPACK_H
#define MAILTRACE_UNPACK_H

#include <glib.h>

#include "fingerprint.h"
#include "record.h"

/* What one message may cost; those of caps.h but in tests. */
struct unpack_limits {
	guint members;
	guint64 bytes;	    /* of all members */
	guint ratio;	    /* of a part's size to that of its members at all depths */
	guint64 free_bytes; /* of a part's members, before the ratio counts */
	gsize kept_bytes;   /* of archives in memory at one time, the part left out */
	gsize names_bytes;  /* of members' paths and names */
	guint cpu_ms;
};

struct unpacker;

/* To be called once before the sandbox is entered. */
void unpack_preload(void);

/*
 * Returns one for a message.  record, fingerprint: borrowed while it lives; the
 * fingerprint must not be in use during unpack_file().  limits: copied; NULL
 * for those of caps.h.  Ends with unpack_finish().
 */
struct unpacker *unpacker_new(struct record *record, struct fingerprint *fingerprint,
			      const struct unpack_limits *limits);

/*
 * Reads a message that is a member.  bytes: length bytes.  depth: levels above it.
 * limits: what it may cost.  Returns the record of what is in it; *ret_bytes: how
 * many bytes were unpacked of it.
 */
typedef struct record *(*unpack_mail_function)(const char *bytes, gsize length, guint depth,
					       const struct unpack_limits *limits,
					       guint64 *ret_bytes, gpointer user);

/* Sets who reads messages; none reads them before, and they are files like others. */
void unpacker_read_mail_by(struct unpacker *unpacker, unpack_mail_function read, gpointer user);

/*
 * Returns whether a content is one to look into, here or as TNEF (embedded.h), by its
 * first bytes (MAGIC_IMAGE_BYTES of them).  attachment: it is not shown as the text of the mail.
 */
gboolean unpack_is_archive(const void *bytes, gsize length, gboolean attachment);

/*
 * Returns the media type of a whole content: that of its first bytes, or a zip's where those
 * say nothing better than text and a zip ends it.  Static; NULL if it is of no known kind.
 */
const char *unpack_type(const void *bytes, gsize length);

/*
 * Reads a file of the record, if its detected_type is an archive's, a zip ends it, or a rar, 7z,
 * cab or lzh stands in it behind whatever else it is; otherwise does nothing.
 * index: in record->files.  bytes: length bytes of its decoded content; fewer than
 * its size when the rest was too much to keep, which is noted.  depth: levels
 * above it.  Caps that are met are noted in the record, and mark the file.
 */
void unpack_file(struct unpacker *unpacker, guint index, const void *bytes, gsize length,
		 guint depth);

/*
 * Adds a text of the message, in which a password of its archives may stand:
 * length bytes of UTF-8.  Archives that came before are tried as well, at the end.
 */
void unpacker_add_text(struct unpacker *unpacker, const char *text, gsize length, gboolean html);

/*
 * Appends the members to the record, behind its parts: where room is short
 * for all, members give way.  Before that tries to open what is encrypted.  Frees
 * the unpacker.  Returns how many bytes were unpacked.
 */
guint64 unpack_finish(struct unpacker *unpacker);
#endif
