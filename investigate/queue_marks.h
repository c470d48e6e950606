/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_marks.h - what the queue helper remembers: who held or released what.
 *
 * Postfix keeps no reason with a message on hold.  So the helper notes before it
 * acts for which command it does, a small file a message in a directory of
 * root's: a command that is run again after an interruption knows its own hold,
 * and nobody else's.  The directory's lock keeps helpers apart.  One thread.
 */
#ifndef MAILTRACE_QUEUE_MARKS_H
#define MAILTRACE_QUEUE_MARKS_H

#include "queue_entry.h"

enum queue_mark { QUEUE_MARK_NONE, QUEUE_MARK_HELD, QUEUE_MARK_RELEASED, QUEUE_MARK_DELETED };

enum queue_marks_error {
	QUEUE_MARKS_ERROR_TRUST, /* others than root could change the path */
	QUEUE_MARKS_ERROR_FILE,	 /* it is not there, or cannot be read or written */
	QUEUE_MARKS_ERROR_BUSY,	 /* locked until the deadline */
};
/* Its message names the path. */
#define QUEUE_MARKS_ERROR (queue_marks_error_quark())
GQuark queue_marks_error_quark(void);

/*
 * Checks that nobody but root can change a file or directory, or what leads to it:
 * owned by root, and writable by no other; a directory above it may be sticky
 * (/tmp).  Returns its path without symbolic links, to be used in its place and
 * freed with g_free(); or NULL with QUEUE_MARKS_ERROR_TRUST, or _FILE when it is not
 * there.
 */
char *queue_trusted_path(const char *path, GError **error);

struct queue_marks;

/*
 * Opens the directory, which is made if it is missing, and locks it until
 * queue_marks_free(); waits for others until deadline_us (monotonic).  Marks that
 * nobody touched for a year are removed.
 */
struct queue_marks *queue_marks_open(const char *directory, gint64 deadline_us, GError **error);

/* Unlocks and frees.  NULL is allowed. */
void queue_marks_free(struct queue_marks *marks);

/*
 * Notes, on disk when it returns, what is about to be done with a message for a
 * command.  FALSE with QUEUE_MARKS_ERROR_FILE.
 */
gboolean queue_marks_set(struct queue_marks *marks, const char *queue_id, enum queue_mark mark,
			 const char *command_id, gint64 arrival_s, GError **error);

/*
 * Returns what was last noted of a message whose time of arrival lies in the window
 * about arrival_s; QUEUE_MARK_NONE if nothing.  *ret_command_id: for which command,
 * to be freed with g_free(); untouched when nothing was noted; may be NULL.
 */
enum queue_mark queue_marks_get(struct queue_marks *marks, const char *queue_id,
				const struct queue_window *window, gint64 arrival_s,
				char **ret_command_id);

typedef struct queue_marks queue_marks_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(queue_marks_t, queue_marks_free)
#endif
