/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_list.h - which files are blocked, looked up at every message.
 *
 * The sensor's copy of the site's list, for millions of entries: a table in
 * memory of 24 bytes a place, filled to at most four fifths.  A digest is known
 * by its first 16 bytes: who makes another file agree in them has blocked a file
 * of his own.  An entry says until when it holds, so that it ends without the
 * collector.  Knows no disk (block_file.h) and no wire (block_chunk.h).
 *
 * Any number of threads may look up while one changes it.
 */
#ifndef MAILTRACE_BLOCK_LIST_H
#define MAILTRACE_BLOCK_LIST_H

#include <glib.h>

#include "digest.h"
#include "event.h"

#define BLOCK_KEY_BYTES 16

/* By what a file is known. */
enum block_kind {
	BLOCK_MD5 = DIGEST_MD5,
	BLOCK_SHA1 = DIGEST_SHA1,
	BLOCK_SHA256 = DIGEST_SHA256,
	BLOCK_CANDIDATE, /* CRC-32 and size, of a member that nobody could open */
};
#define BLOCK_KINDS 4

/* A file by one of its digests, or by CRC-32 and size. */
struct block_key {
	enum block_kind kind;
	guint8 bytes[BLOCK_KEY_BYTES];
};

/* One entry. */
struct block_entry {
	struct block_key key;
	enum block_mode mode; /* event.h */
	gboolean removed;     /* there is no block of this key any more */
	guint32 number;	      /* of the block it belongs to, at the collector */
	gint64 expires_us;    /* UTC, kept to the next whole minute; 0: never */
};

struct block_list;

/* Fills in the key of a digest. */
void block_key_of_digest(const struct digest *digest, struct block_key *ret_key);

/* Fills in the key of a member that is known by its CRC-32 and size alone. */
void block_key_of_candidate(guint32 crc32, guint64 size, struct block_key *ret_key);

/* Returns an empty list.  Free with block_list_free(). */
struct block_list *block_list_new(void);

/* Adds an entry or changes the one of its key; takes it out if it says removed. */
void block_list_set(struct block_list *list, const struct block_entry *entry);

/* Puts the entries of another list in the place of all there are, at once.  by: freed. */
void block_list_replace(struct block_list *list, struct block_list *by);

/* Returns TRUE and fills in *ret_entry if a key has an entry that holds at now_us. */
gboolean block_list_find(struct block_list *list, const struct block_key *key, gint64 now_us,
			 struct block_entry *ret_entry);

/* Called for each entry; FALSE stops.  The list must not be changed meanwhile. */
typedef gboolean (*block_entry_fn)(const struct block_entry *entry, void *data);

/* Walks over all entries, those that have expired too, in no order.  FALSE if it was stopped. */
gboolean block_list_each(struct block_list *list, block_entry_fn each, void *data);

/* Returns how many entries there are, expired ones included. */
guint64 block_list_count(struct block_list *list);

/* Returns the bytes of memory that the table takes. */
guint64 block_list_bytes(struct block_list *list);

/*
 * Looks up every file of an event by each digest of its content and of its
 * variants, encrypted members by CRC-32 and size, and notes in event->blocks
 * those that are blocked at now_us: the gravest CAP_BLOCKS of them, each block
 * once a file.
 */
void block_list_match(struct block_list *list, gint64 now_us, struct event *event);

/* Frees a list.  NULL is allowed. */
void block_list_free(struct block_list *list);

typedef struct block_list block_list_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(block_list_t, block_list_free)
#endif
