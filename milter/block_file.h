/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_file.h - the sensor's copy of the block list on disk.
 *
 * Keeps what the collector told, in the spool's directory, so that blocks hold
 * after a restart and without the collector.  The file "blocks" is the chunks
 * (block_chunk.h) as they came, each led by its length (4 bytes, big-endian) and
 * followed by the SHA-256 of its bytes.  It is written anew when it has grown to
 * several times its content.
 *
 * What was read of a file that is torn or damaged stays in force, since a part
 * of the blocks is better than none; but its state is that of an empty copy, so
 * that the collector sends all of them again.  A copy that is begun anew comes
 * into force when its last chunk is there, and until then the former one holds.
 *
 * The spool's lock keeps a second process out.  One thread changes it; the list
 * may be looked up from any.
 */
#ifndef MAILTRACE_BLOCK_FILE_H
#define MAILTRACE_BLOCK_FILE_H

#include <glib.h>

#include "block_chunk.h"

struct block_file;

/*
 * Opens or makes the file in a directory and fills the list from it.  Returns
 * NULL with a G_FILE_ERROR that names the file.
 */
struct block_file *block_file_open(const char *directory, GError **error);

/* Returns the list, borrowed. */
struct block_list *block_file_list(struct block_file *file);

/* Returns how far the copy has come, on disk. */
struct block_state block_file_state(const struct block_file *file);

/* Returns TRUE if the file was torn or damaged when it was opened. */
gboolean block_file_was_damaged(const struct block_file *file);

/*
 * Takes a chunk: first on disk, then in force.  One that does not follow what
 * is there, or is none, is passed over without an error, since
 * block_file_state() tells the collector what to send.  On FALSE, with a
 * G_FILE_ERROR, nothing has changed.
 */
gboolean block_file_apply(struct block_file *file, const void *bytes, gsize length, GError **error);

/* Closes it; the list goes with it.  NULL is allowed. */
void block_file_free(struct block_file *file);

typedef struct block_file block_file_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(block_file_t, block_file_free)
#endif
