/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner_exchange.h - one message to one worker, and its answer back.
 *
 * The client's half of a channel (scanner_protocol.h).  What comes back is
 * hostile: each packet's size, ticket and place are checked before a byte of
 * it is kept, and at most CAP_ANSWER_BYTES are.  Knows nothing of queues and
 * of other workers.  Any thread; one at a time for a channel.
 */
#ifndef MAILTRACE_SCANNER_EXCHANGE_H
#define MAILTRACE_SCANNER_EXCHANGE_H

#include <glib.h>

#include "record.h"

/* One message on its way; all borrowed. */
struct scanner_message {
	int fd;		   /* a file of length bytes to be mapped, or -1 */
	const void *bytes; /* the message when fd is -1 */
	gsize length;	   /* at most CAP_INLINE_BYTES when fd is -1 */
	guint64 ticket;
	gint64 deadline_us; /* g_get_monotonic_time() */
};

/*
 * Has the worker at channel_fd read a message.  Returns NULL with a
 * SCANNER_ERROR (TIMEOUT, DIED, ANSWER), after which the channel is of no use;
 * else a record to free with record_free().
 */
struct record *scanner_exchange(int channel_fd, const struct scanner_message *message,
				GError **error);
#endif
