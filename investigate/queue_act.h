/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_act.h - look, act, look again: what the privileged helper does with
 * requests.
 *
 * Never acts on a message that does not agree with the request, nor twice on one
 * that does.  To look costs an MTA as much for many messages as for one, so many
 * are looked for at once.  Knows no MTA but by queue_mta.h.  One thread.
 */
#ifndef MAILTRACE_QUEUE_ACT_H
#define MAILTRACE_QUEUE_ACT_H

#include "queue_marks.h"
#include "queue_mta.h"

/* Whose queue, and where it is remembered what was done. */
struct queue_helper {
	const struct queue_mta *mta;
	struct queue_site site;
	const char *marks_directory;
	gboolean allow_delete;
	gboolean rewritten_senders; /* of unique ids, compare time and size alone */
};

/*
 * Carries out requests but QUEUE_COPY, in their order for each message.  requests:
 * of struct queue_request.  Returns their answers in the same order, of struct
 * queue_answer; free with g_ptr_array_unref().
 */
GPtrArray *queue_act(const struct queue_helper *helper, const GPtrArray *requests);

/*
 * Writes the answer to a QUEUE_COPY to a descriptor, as a line, and after QUEUE_DONE
 * the message.  Returns whether all of it was written, and still was that message at
 * the end; else, after saying why on standard error, what was written is to be
 * thrown away.
 */
gboolean queue_copy(const struct queue_helper *helper, const struct queue_request *request, int fd);
#endif
