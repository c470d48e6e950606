/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator-queue - holds, releases and copies messages in the queues of the mail
 * gateways; mailtrace-queue(8).
 *
 * Has no rights of its own: it runs the configured command of the gateway, which ends in the
 * privileged helper there, and believes nothing that comes back but its form.
 */
#include "config.h"

#include <string.h>

#include "actuator.h"
#include "queue_exchange.h"
#include "queue_id.h"

#define HELD_QUEUE "hold" /* where a contained message is, as the copy says */

struct actuator {
	const struct settings *settings;
	struct queue_exchange *exchange;
};

static struct openc2_response *respond(const struct openc2_command *command,
				       enum openc2_outcome outcome, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

static struct openc2_response *
respond(const struct openc2_command *command, enum openc2_outcome outcome, const char *format, ...)
{
	struct openc2_response *response = openc2_response_new(command->command_id, outcome, "");
	va_list list;

	g_free(response->text);
	va_start(list, format);
	response->text = g_strdup_vprintf(format, list);
	va_end(list);
	return response;
}

/* Returns the request that a command is; it borrows from the command. */
static struct queue_request
request_of(const struct openc2_command *command, enum queue_verb verb)
{
	const struct openc2_message *message = command->message;

	return (struct queue_request){
		.verb = verb,
		.queue_id = message->queue_id,
		.command_id = command->command_id,
		.sender = message->sender,
		.arrival_s = message->received_at_us / G_USEC_PER_SEC,
		.size = message->size,
	};
}

static struct queue_answer *
ask(const struct actuator *actuator, const struct openc2_command *command, enum queue_verb verb,
    GError **error)
{
	const struct queue_request request = request_of(command, verb);

	return queue_exchange_ask(actuator->exchange, command->message->gateway, &request, error);
}

/* ---- what an answer means ---- */

static enum openc2_outcome
outcome_of(enum queue_result result)
{
	switch (result) {
	case QUEUE_DONE:
		return OPENC2_DONE;
	case QUEUE_ALREADY:
		return OPENC2_ALREADY;
	case QUEUE_GONE:
	case QUEUE_OTHER:
		return OPENC2_NOT_FOUND;
	case QUEUE_BUSY:
		return OPENC2_UNREACHABLE;
	default:
		return OPENC2_FAILED;
	}
}

static struct openc2_response *
unreachable(const struct openc2_command *command, const GError *error)
{
	return respond(command, OPENC2_UNREACHABLE, "the queue of %s cannot be reached: %s",
		       command->message->gateway, error->message);
}

/* What an undo needs: that the message was put on hold, by us. */
static void
add_copy(struct openc2_response *response, const struct openc2_command *command)
{
	struct openc2_copy *copy = openc2_copy_new();

	copy->guid = g_strdup(command->message->queue_id);
	copy->folder = g_strdup("");
	copy->quarantine = g_strdup(HELD_QUEUE);
	g_ptr_array_add(response->copies, copy);
}

static gboolean
has_copy(const struct openc2_command *command)
{
	for (guint i = 0; command->copies && i < command->copies->len; i++) {
		const struct openc2_copy *copy = g_ptr_array_index(command->copies, i);

		if (g_strcmp0(copy->guid, command->message->queue_id) == 0 &&
		    g_strcmp0(copy->quarantine, HELD_QUEUE) == 0)
			return TRUE;
	}
	return FALSE;
}

/* ---- the three actions ---- */

static struct openc2_response *
contain(const struct actuator *actuator, const struct openc2_command *command)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(queue_answer_t) answer = ask(actuator, command, QUEUE_HOLD, &error);
	struct openc2_response *response;

	if (!answer)
		return unreachable(command, error);
	response = respond(command, outcome_of(answer->result), "%s", answer->text);
	if (answer->ours)
		add_copy(response, command);
	return response;
}

static struct openc2_response *
restore(const struct actuator *actuator, const struct openc2_command *command)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(queue_answer_t) answer = NULL;

	if (!has_copy(command))
		return respond(command, OPENC2_ALREADY,
			       "left as it is: it was not this plan that put it on hold");
	answer = ask(actuator, command, QUEUE_RELEASE, &error);
	if (!answer)
		return unreachable(command, error);
	return respond(command, outcome_of(answer->result), "%s", answer->text);
}

/* Fills the evidence.  Returns NULL when it is whole; else a response. */
static struct openc2_response *
fetch(const struct actuator *actuator, const struct openc2_command *command, int to_fd)
{
	const struct queue_request request = request_of(command, QUEUE_COPY);
	g_autoptr(GError) error = NULL;
	g_autoptr(queue_answer_t) answer = queue_exchange_copy(
		actuator->exchange, command->message->gateway, &request, to_fd, &error);

	if (g_error_matches(error, QUEUE_EXCHANGE_ERROR, QUEUE_EXCHANGE_ERROR_BROKEN))
		return respond(command, OPENC2_FAILED, "%s", error->message);
	if (!answer)
		return unreachable(command, error);
	if (answer->result != QUEUE_DONE)
		return respond(command, outcome_of(answer->result), "%s", answer->text);
	return NULL;
}

static struct openc2_response *
copy(const struct actuator *actuator, const struct actuator_options *options,
     const struct openc2_command *command)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(evidence_t) evidence = evidence_begin(options, command, &path, &error);
	struct openc2_response *response;

	if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_EXIST))
		return respond(command, OPENC2_ALREADY, "%s", path);
	if (!evidence)
		return respond(command, OPENC2_FAILED, "%s", error->message);
	response = fetch(actuator, command, evidence_fd(evidence));
	if (response)
		return response;
	if (!evidence_keep(g_steal_pointer(&evidence), &error))
		return respond(command, OPENC2_FAILED, "%s", error->message);
	return respond(command, OPENC2_DONE, "%s", path);
}

/* ---- the program ---- */

static struct openc2_response *
carry_out(void *data, const struct actuator_options *options, const struct openc2_command *command)
{
	const struct actuator *actuator = data;
	const struct openc2_message *message = command->message;

	if (!gateways_command(actuator->settings->queue_gateways, message->gateway))
		return respond(command, OPENC2_FAILED,
			       "no command leads to the queue of %s; name it in [queue] gateways",
			       message->gateway);
	/* An id alone could be another message's. */
	if (!message->sender || !message->received_at_us)
		return respond(command, OPENC2_FAILED,
			       "sender or time of arrival are missing, without which an id says "
			       "nothing");
	if (!queue_id_is_valid(message->queue_id))
		return respond(command, OPENC2_FAILED, "the queue id is none");
	switch (command->action) {
	case OPENC2_CONTAIN:
		return contain(actuator, command);
	case OPENC2_RESTORE:
		return restore(actuator, command);
	case OPENC2_COPY:
		return copy(actuator, options, command);
	default:
		return respond(command, OPENC2_FAILED, "a queue has no such action");
	}
}

static void *
open_actuator(const struct settings *settings, GError **error)
{
	struct actuator *actuator = g_new0(struct actuator, 1);

	actuator->settings = settings;
	actuator->exchange =
		queue_exchange_new(settings->queue_gateways, settings->queue_timeout_ms);
	return actuator;
}

static void
close_actuator(void *data)
{
	struct actuator *actuator = data;

	queue_exchange_free(actuator->exchange);
	g_free(actuator);
}

static const struct actuator_kind kind = {
	.name = "actuator-queue",
	.summary = "Holds, releases and copies messages in mail servers' queues: OpenC2 commands\n"
		   "on standard input, responses on standard output; see mailtrace-queue(8).",
	.roles = ACTUATOR_ROLE(OPENC2_QUEUE),
	.open = open_actuator,
	.carry_out = carry_out,
	.close = close_actuator,
};

int
main(int argc, char **argv)
{
	return actuator_main(&kind, argc, argv);
}
