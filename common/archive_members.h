/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * archive_members.h - the files in an archive, one after the other.  Of archive.c, libarchive's
 * owner.
 *
 * Reads zip, 7z, rar, tar, cab, lha, iso, xar, cpio, ar and warc from memory, and
 * what is compressed by itself (gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress,
 * rpm) as an archive of one member, and a zip, 7z or rar behind a program (PE, ELF)
 * that unpacks itself.  One archive deep: what a member is, and how
 * much may be read, is the caller's to judge (unpack.h).
 *
 * Parses hostile bytes: to be called in a sandbox only.  Opens no file and
 * starts no program once archive_members_preload() has run.  One thread.
 */
#ifndef MAILTRACE_ARCHIVE_MEMBERS_H
#define MAILTRACE_ARCHIVE_MEMBERS_H

#include <glib.h>

enum archive_members_error {
	ARCHIVE_MEMBERS_ERROR_FORM, /* damaged, or of a kind that is not understood */
};
/* Of the rest alone: members and bytes that were given before it stand. */
#define ARCHIVE_MEMBERS_ERROR (archive_members_error_quark())
GQuark archive_members_error_quark(void);

/* A file in an archive. */
struct archive_member {
	const char *name;   /* as it stands, NUL-terminated bytes of any character set (names
			     * in UTF-16 as UTF-8); NULL if it has none; until the next */
	gboolean has_size;  /* the archive says its size */
	guint64 size;	    /* of the content, as the archive says: not to be believed */
	gboolean encrypted; /* its content cannot be read without a password */
};

struct archive_members;

/*
 * Loads the character table by which libarchive turns UTF-16 into UTF-8.  To be called once
 * before the sandbox is entered.
 */
void archive_members_preload(void);

/* Returns whether a media type of magic_type() is an archive's; type may be NULL. */
gboolean archive_members_known(const char *type);

/* Returns whether a media type is that of one compressed content, not of named members. */
gboolean archive_members_single(const char *type);

/*
 * Opens an archive.  type: for which archive_members_known() is TRUE.  bytes:
 * length bytes, kept by the caller until archive_members_free().  password: with
 * which encrypted members are read, UTF-8 and not empty; NULL for none.  With a wrong
 * one reading fails, or ends with archive_members_damaged().  Never fails: damage
 * shows at the first member.
 */
struct archive_members *archive_members_open(const char *type, const void *bytes, gsize length,
					     const char *password);

/*
 * Opens what stands at a local header of a zip, as a reader of a stream does: its one member
 * is the header's, none if that is a folder's.  Otherwise as archive_members_open().
 */
struct archive_members *archive_members_open_local(const void *bytes, gsize length);

/* Opens bytes that are one content as they stand, a member without a name that is of use. */
struct archive_members *archive_members_open_plain(const void *bytes, gsize length);

/* The lists of files that an image of a disc may have. */
enum archive_tree {
	ARCHIVE_TREE_JOLIET, /* Windows'; ISO 9660's own where there is none */
	ARCHIVE_TREE_PLAIN,  /* ISO 9660's own, without what Unix adds (Rock Ridge) */
	ARCHIVE_TREES
};

/* Opens an image of a disc by one of its lists; libarchive prefers Rock Ridge's. */
struct archive_members *archive_members_open_tree(enum archive_tree tree, const void *bytes,
						  gsize length);

/* Returns whether a media type is that of an image of a disc. */
gboolean archive_members_disc(const char *type);

/* Returns whether a media type is that of a tar. */
gboolean archive_members_tar(const char *type);

/* Returns whether a media type is that of a zip, or of what is made as one. */
gboolean archive_members_zip(const char *type);

/* Returns whether a media type is that of a rar, or of a program that may have one behind it. */
gboolean archive_members_rar(const char *type);

/*
 * Returns whether the archive is one whose encrypted members can be read with their password,
 * a zip, whatever it stands behind.  Known once archive_members_next() gave a member.
 */
gboolean archive_members_decrypted(const struct archive_members *members);

/*
 * Is told of so many bytes that were decompressed and dropped, maybe of none; FALSE ends the
 * work, as the end of the archive does.
 */
typedef gboolean (*archive_members_dropped)(gsize length, gpointer user);

/*
 * Has dropped told of what is passed over: the contents of folders in a zip, an entry that is no
 * file, and what archive_members_begin_again() decompresses.  Without it there is no bound to that.
 */
void archive_members_watch(struct archive_members *members, archive_members_dropped dropped,
			   gpointer user);

/*
 * Goes to the next file; directories, links and devices are passed over.  But for tar
 * (tar_views.h) and zip (zip_as_files()), what is called a device or, but in an ISO or a cpio, a
 * directory is a file if it has a content.
 * Returns FALSE at the end, without an error, and with an ARCHIVE_MEMBERS_ERROR
 * where the rest cannot be read.  A program in which no archive is found has no files.
 */
gboolean archive_members_next(struct archive_members *members, struct archive_member *ret_member,
			      GError **error);

/*
 * Gives the next bytes of the member's content: *ret_length of them, valid until
 * the next call.  Returns FALSE at its end, without an error, and with an
 * ARCHIVE_MEMBERS_ERROR where the rest of this member cannot be read.
 */
gboolean archive_members_read(struct archive_members *members, const void **ret_bytes,
			      gsize *ret_length, GError **error);

/*
 * To be called once reading what is compressed by itself failed, by archive_members_next() or in
 * the member: begins again with what is whole before the damage, so that the member comes next, as
 * a new one, and is archive_members_damaged().  xz is decompressed for that.
 * Returns FALSE where nothing is whole, of other kinds, and at the second time; then nothing
 * is left to be read.
 */
gboolean archive_members_begin_again(struct archive_members *members);

/*
 * Returns whether the member last read to its end had a wrong checksum or size, or is a
 * compressed content behind which other bytes follow, or damage.
 */
gboolean archive_members_damaged(const struct archive_members *members);

/* Returns whether anything met so far is encrypted, be it the list of members. */
gboolean archive_members_encrypted(const struct archive_members *members);

/* Frees it.  NULL is allowed. */
void archive_members_free(struct archive_members *members);

typedef struct archive_members archive_members_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(archive_members_t, archive_members_free)
#endif
