/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_exchange.h - the actuator's talk with the queue helpers of the gateways.
 *
 * Runs a gateway's command, gives it requests, takes answers.  To look at a queue
 * costs a helper as much for one message as for many: so requests that come while a
 * helper of their gateway runs wait for the next run, and go with it together.  What
 * an answer means is not its business.  Any thread, many at once.
 */
#ifndef MAILTRACE_QUEUE_EXCHANGE_H
#define MAILTRACE_QUEUE_EXCHANGE_H

#include "gateways.h"
#include "queue_request.h"

enum queue_exchange_error {
	QUEUE_EXCHANGE_ERROR_SILENT, /* no answer came, or what is none */
	QUEUE_EXCHANGE_ERROR_BROKEN, /* a message that was to be copied did not come whole */
};
/* After SILENT it is not known what the helper did: ask again what is there. */
#define QUEUE_EXCHANGE_ERROR (queue_exchange_error_quark())
GQuark queue_exchange_error_quark(void);

struct queue_exchange;

/*
 * gateways: with their commands, kept by the caller until queue_exchange_free().
 * timeout_ms: for an answer, and for each part of a message.
 */
struct queue_exchange *queue_exchange_new(const struct gateways *gateways, guint timeout_ms);

/* Frees an exchange that nobody uses any more. */
void queue_exchange_free(struct queue_exchange *exchange);

/*
 * Asks the helper of a gateway, which has a command, for anything but a copy.  Returns
 * its answer, to be freed with queue_answer_free(); NULL with
 * QUEUE_EXCHANGE_ERROR_SILENT.
 */
struct queue_answer *queue_exchange_ask(struct queue_exchange *exchange, const char *gateway,
					const struct queue_request *request, GError **error);

/*
 * Asks for a copy, which is written to a descriptor when the answer is QUEUE_DONE.
 * Returns the answer; NULL with an error, and then what was written is to be thrown
 * away.
 */
struct queue_answer *queue_exchange_copy(struct queue_exchange *exchange, const char *gateway,
					 const struct queue_request *request, int to_fd,
					 GError **error);
#endif
