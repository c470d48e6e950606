/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - the bytes of one message on their way to a worker.
 *
 * Rebuilds the message from what the MTA gives (header fields with their
 * leading blanks, body pieces) with CR LF line ends in the header, as RFC 5322
 * has them.  Small messages are in memory, larger ones in a memfd; when the
 * engine's cap on bytes in flight is reached, in an unlinked temporary file.  A
 * message that finds no room anywhere is let go of at once, and only counted.  Parses nothing. Used
 * by one thread at a time.
 */
#ifndef MAILTRACE_MESSAGE_H
#define MAILTRACE_MESSAGE_H

#include <glib.h>

#include "engine.h"

struct message;

/* Begins a message.  cap: bytes in flight in memory.  temp_directory: borrowed, for spilling. */
struct message *message_new(struct engine *engine, guint64 cap, const char *temp_directory);

/* Appends "name:value" CR LF; LF in value (folding) becomes CR LF. */
void message_add_header(struct message *message, const char *name, const char *value);

/* Appends the empty line between header and body, once. */
void message_end_header(struct message *message);

/* Appends length bytes of body. */
void message_add_body(struct message *message, const void *bytes, gsize length);

enum message_state {
	MESSAGE_WHOLE,
	MESSAGE_NO_ROOM,   /* the disk is full, or the cap on all messages is reached */
	MESSAGE_TOO_LARGE, /* above CAP_MESSAGE_BYTES: nobody will ever read it */
};

/* Tells whether everything that was appended is there; if not, nothing of it is kept. */
enum message_state message_state(const struct message *message);

/* Returns TRUE if it is MESSAGE_WHOLE. */
gboolean message_is_whole(const struct message *message);

/* Returns the bytes that were appended, kept or not. */
guint64 message_size(const struct message *message);

/*
 * Gives the message for reading.  *ret_fd: a descriptor borrowed from the
 * message, sealed against change if a memfd, or -1 with the bytes at
 * *ret_bytes, borrowed too.  Only for a whole message; nothing may be added
 * after this.
 */
void message_finish(struct message *message, int *ret_fd, const void **ret_bytes);

/* Frees the message and gives its bytes back to the engine.  NULL is allowed. */
void message_free(struct message *message);

typedef struct message message_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(message_t, message_free)
#endif
