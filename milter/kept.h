/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept.h - messages with encrypted archives that nobody could open yet.
 *
 * Where the password comes in the next mail, the archive has to be there still.
 * Keeps such messages and their events in a folder of the spool's, each a file
 * that is sealed (sealed.h) under a key made with the folder, and an index in
 * memory of who they were between.  What is over a limit makes the oldest go.
 * Parses no message byte.  Any thread.
 */
#ifndef MAILTRACE_KEPT_H
#define MAILTRACE_KEPT_H

#include <glib.h>

#include "event.h"

struct kept;

/*
 * Opens the folder directory/locked (0700) and its key, directory/locked.key (0600),
 * making what is missing.  A file that the key does not open is removed.  Returns NULL
 * with a G_FILE_ERROR or KEYS_ERROR.
 */
struct kept *kept_open(const char *directory, GError **error);

/* Returns how many files were removed when it was opened, since the key did not open them. */
guint kept_dropped(const struct kept *kept);

/*
 * Keeps a message of at most CAP_LOCKED_BYTES, whose event has this JSON; what was kept
 * under the event's id is replaced, and is no younger for that.  max_bytes: of all that are
 * kept.  The oldest go to make room, in this and in CAP_LOCKED_MESSAGES.
 * FALSE with a G_FILE_ERROR if it cannot be written, is no event or is larger than may
 * be kept.
 */
gboolean kept_add(struct kept *kept, GBytes *json, GBytes *message, guint64 max_bytes,
		  GError **error);

/*
 * Returns the ids of the kept events between the same parties as another: the same
 * sender and a common recipient, or one answers the other.  Newest first, at most
 * CAP_LATER_TRIES; free with g_ptr_array_unref().
 */
GPtrArray *kept_find(struct kept *kept, const struct event *event);

/*
 * Reads what is kept under an event's id; FALSE if it is gone or damaged.  Unref both with
 * g_bytes_unref().
 */
gboolean kept_read(struct kept *kept, const char *event_id, GBytes **ret_json,
		   GBytes **ret_message);

/* Returns the event that json is, or NULL.  Free with event_free(). */
struct event *kept_event(GBytes *json);

/* Removes it; what is not there is no error. */
void kept_remove(struct kept *kept, const char *event_id);

/* Removes what was received before a time, microseconds UTC. */
void kept_expire(struct kept *kept, gint64 before_us);

/* Returns how many are kept. */
guint kept_count(struct kept *kept);

/* Frees it; the files stay.  NULL is allowed. */
void kept_free(struct kept *kept);

typedef struct kept kept_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kept_t, kept_free)
#endif
