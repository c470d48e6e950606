/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unpack_private.h - what the files of unpack.h share, and nobody else includes.
 *
 * unpack.c goes from a content to what opens it; unpack_member.c makes a file of each
 * member; unpack_account.c has the limits; unpack_locked.c archives that are encrypted,
 * unpack_views.c zips on whose members readers disagree, unpack_wrapper.c members
 * that are no archives but hold files, unpack_engine.c what libclamav opens.  Runs in the worker:
 * all of it is an attacker's bytes.
 */
#ifndef MAILTRACE_UNPACK_PRIVATE_H
#define MAILTRACE_UNPACK_PRIVATE_H

#include "archive_behind.h"
#include "archive_members.h"
#include "passwords.h"
#include "unpack.h"
#include "zip_end.h"

struct unpacker {
	struct record *record;
	struct fingerprint *fingerprint;
	struct unpack_limits limits;
	GPtrArray
		*members; /* of struct file; its parent is a member's index or, of a part, ~index */
	GHashTable *paths; /* to how many members had it */
	guint64 bytes;
	guint64 part_bytes; /* of the part in hand: of its members, and what they may have */
	guint64 part_most;
	gsize kept_bytes;
	gsize names_bytes;
	gsize link_bytes;     /* of members that were searched for links */
	gboolean links;	      /* the member in hand is one of them */
	gboolean keep_all;    /* it is to be kept, whatever it is */
	gboolean whole;	      /* all of it is wanted: for that, by its name or by its first bytes */
	gboolean asked;	      /* whether these were asked */
	struct zip_tail tail; /* of it */
	struct archive_mark mark; /* likewise */
	unpack_mail_function read_mail;
	gpointer mail_user;
	GPtrArray *locked; /* of struct locked_archive, until the end */
	struct passwords *passwords;
	gint64 cpu_us;	      /* used by the parts before */
	gint64 part_start_us; /* the clock when the part was begun */
	gboolean spent;	      /* for all of the message */
	gboolean part_spent;  /* for the part in hand */
};

/* An archive in hand. */
struct container {
	struct file *file;
	const char *type; /* as which it is opened; static, set by unpack_content() */
	int parent;	  /* what its members have as theirs */
	guint depth;
	gboolean single;
};

/* An archive with encrypted members, kept until all words of the message are known. */
struct locked_archive {
	struct container container;
	GBytes *bytes;
	GPtrArray *files; /* of struct file, in the archive's order */
	GPtrArray *names; /* of char *: their raw names */
};

/* ---- unpack.c ---- */

/* Opens a content by whatever opens its type; the record has its file already. */
void unpack_content(struct unpacker *unpacker, const struct container *container, const void *bytes,
		    gsize length);

/*
 * Reads a member once more, whole, and opens it as the zip that may end it, or the archives that
 * may stand behind its first bytes.  members: where it is to be read; index: its own among the
 * members.
 */
void unpack_read_ended(struct unpacker *unpacker, const struct container *container,
		       struct archive_members *members, guint index);

/*
 * Opens an archive of container->type; of a zip as far as the end record that has its directory.
 * password: or NULL.  Free with archive_members_free().
 */
struct archive_members *unpack_open_members(struct unpacker *unpacker,
					    const struct container *container, const void *bytes,
					    gsize length, const char *password);

/* Whether anything here opens contents of a type. */
gboolean unpack_is_opened(const char *type);

/* ---- unpack_account.c: what it may cost ---- */

/* Notes the cap that ends the work on the part, or with whole on all of the message; FALSE. */
gboolean unpack_spend(struct unpacker *unpacker, const char *cap, gboolean whole);

/* Whether there is time left; notes the cap if not. */
gboolean unpack_within_cpu(struct unpacker *unpacker);

/* The same at a moment of the clock of part_start_us. */
gboolean unpack_within_cpu_at(struct unpacker *unpacker, gint64 now_us);

/* Counts bytes that were unpacked; FALSE, and the cap is noted, if they are too many. */
gboolean unpack_within_bytes(struct unpacker *unpacker, gsize length);

/* Begins the account of a part of so many bytes; parts do not nest. */
void unpack_begin_part(struct unpacker *unpacker, guint64 size);

/* Ends it: the time that it took is put to the message's account. */
void unpack_end_part(struct unpacker *unpacker);

/* Returns what is left of the limits for a message in the part in hand. */
struct unpack_limits unpack_limits_left(const struct unpacker *unpacker);

/* ---- unpack_member.c ---- */

/*
 * Returns what stands behind the last separator that is not at the end; borrowed from name.  raw:
 * the bytes that name is the text of, or NULL where it is they.
 */
const char *unpack_base_name(const char *name, GBytes *raw);

/* Returns a member's name as text; *ret_raw: its bytes, where they differ.  Both are the caller's.
 */
char *unpack_member_name(struct unpacker *unpacker, const char *bytes, GBytes **ret_raw);

/*
 * Makes the file of a member, the last of unpacker->members; NULL when a cap leaves no
 * room for it.  other: a second name, or NULL; raw: the name's bytes, or NULL.
 */
struct file *unpack_add_member(struct unpacker *unpacker, const struct container *container,
			       const char *name, const char *other, GBytes *raw);

/* Likewise, with what the archive says of it. */
struct file *unpack_describe_member(struct unpacker *unpacker, const struct container *container,
				    const struct archive_member *member);

/*
 * Hashes the content of a member whose file is given, up to fingerprint_finish(), and
 * keeps in kept, which is empty, what is to be looked into; of what is damaged and compressed by
 * itself the whole part.  FALSE when not all of it could be read.
 */
gboolean unpack_read_pieces(struct unpacker *unpacker, struct archive_members *members,
			    const struct file *file, GByteArray *kept);

/* Likewise, and fills in size and digests of the file. */
gboolean unpack_read_content(struct unpacker *unpacker, struct archive_members *members,
			     struct file *file, GByteArray *kept);

/*
 * Once reading what is compressed by itself failed: begins again with what is whole of it, within
 * the time that is left.  FALSE when nothing is, or a cap is met.
 */
gboolean unpack_begin_again(struct unpacker *unpacker, struct archive_members *members);

/* Reads what is in a member; index: its own among the members. */
void unpack_look_into(struct unpacker *unpacker, const struct container *container,
		      struct file *file, guint index, const GByteArray *kept);

/* Whether an archive may stand behind the first bytes of the member just read, which alone were
 * kept. */
gboolean unpack_may_end(const struct unpacker *unpacker, const struct file *file,
			const GByteArray *kept);

/*
 * Reads a member, and what is in it; an encrypted one is added to locked.  Returns whether
 * an archive may stand behind its first bytes, which alone were kept.
 */
gboolean unpack_read_member(struct unpacker *unpacker, const struct container *container,
			    struct archive_members *members, const struct archive_member *member,
			    struct locked_archive *locked);

/* ---- unpack_locked.c ---- */

struct locked_archive *locked_archive_new(const struct container *container);
/* Frees an archive and what it owns. */
void locked_archive_free(struct locked_archive *locked);

/*
 * Keeps an archive that has encrypted members and may be opened, where there is room
 * for it; of others than a zip it takes what their headers say.  Takes ownership of locked.
 */
void unpack_keep_locked(struct unpacker *unpacker, struct locked_archive *locked, gboolean zip,
			const void *bytes, gsize length);

/* Tries the words of the message on what was kept: a part's worth of limits for each. */
void unpack_open_locked(struct unpacker *unpacker);

/* ---- unpack_views.c ---- */

/*
 * Reads the members of a zip that its other readers show; all: those on which they agree, too,
 * since listing them failed or gave none.  first: the first of those read already.
 */
void unpack_read_views(struct unpacker *unpacker, const struct container *container, guint first,
		       gboolean all, const void *bytes, gsize length);

/*
 * Reads the files of an image of a disc that are in another of its lists, as Windows reads them;
 * notes that it has one by UDF, which is not read.  first: as above.
 */
void unpack_read_trees(struct unpacker *unpacker, const struct container *container, guint first,
		       const void *bytes, gsize length);

/*
 * Reads the files of a tar that its other readers show.  first: the first of those read already.
 */
void unpack_read_tar_views(struct unpacker *unpacker, const struct container *container,
			   guint first, const void *bytes, gsize length);

/* ---- unpack_wrapper.c ---- */

/* Returns whether a member may hold files as an attachment may (embedded.h), by its name. */
gboolean unpack_wrapper_is_named(const char *name);

/* Likewise by its first bytes.  type: what magic_type() says of them. */
gboolean unpack_wrapper_begins(const char *type, const void *bytes, gsize length);

/* Reads the files that a member holds, if it may; each is a member below it. */
void unpack_read_wrapper(struct unpacker *unpacker, const struct container *container,
			 const void *bytes, gsize length);

/* ---- unpack_engine.c ---- */

/* Whether the engine is to open a file. */
gboolean unpack_is_to_scan(const struct unpacker *unpacker, const struct file *file);

/*
 * Has the engine open a content, and match it where there are signatures.  first: of
 * the members that are in it already.
 */
void unpack_scan(struct unpacker *unpacker, const struct container *container, const void *bytes,
		 gsize length, guint first);

/* Matches a content with the signatures, where others look into it; what they find is theirs. */
void unpack_match(struct unpacker *unpacker, struct file *file, const void *bytes, gsize length);
#endif
