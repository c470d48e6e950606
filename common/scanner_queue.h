/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner_queue.h - the workers of a scanner, and the readers that wait for one.
 *
 * The client's side of a scanner's control socket (scanner_protocol.h): takes the
 * workers' channels as they come, lends each to one reader at a time, and tells the
 * scanner which to replace.  Knows nothing of messages.  Any number of threads take
 * and give back; one at a time attaches.
 */
#ifndef MAILTRACE_SCANNER_QUEUE_H
#define MAILTRACE_SCANNER_QUEUE_H

#include <glib.h>

/* The way to one worker; belongs to one reader, or to the list of idle ones. */
struct scanner_channel {
	int fd;
	guint32 worker;
	guint64 scanner; /* which scanner's it is: channels of a former one are not kept */
	guint served;	 /* messages */
};

struct scanner_queue;

/* Returns a queue without a scanner: readers wait for one.  Free with scanner_queue_free(). */
struct scanner_queue *scanner_queue_new(void);

/* As scanner_client_attach() says. */
void scanner_queue_attach(struct scanner_queue *queue, int control_fd);

/*
 * Waits in the queue until the deadline, of g_get_monotonic_time().  failed: the channel
 * of the attempt before, which is given up for that of a worker that has read nothing,
 * and whose reader goes first; or NULL.  Returns a channel for
 * scanner_queue_give_back(), or NULL when the deadline has passed.
 */
struct scanner_channel *scanner_queue_take(struct scanner_queue *queue,
					   struct scanner_channel *failed, gint64 deadline_us);

/*
 * Gives a channel back after a message.  trusted: whether its worker may read another;
 * else, and after WORKER_MESSAGES, it is replaced.
 */
void scanner_queue_give_back(struct scanner_queue *queue, struct scanner_channel *channel,
			     gboolean trusted);

/* Returns how many workers were given up so far. */
guint64 scanner_queue_replaced(struct scanner_queue *queue);

/* As scanner_client_free(), but for NULL. */
void scanner_queue_free(struct scanner_queue *queue);
#endif
