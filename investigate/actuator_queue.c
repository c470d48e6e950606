/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator-queue - holds, releases and copies messages in the queues of the mail
 * gateways; mailtrace-queue(8).
 *
 * Has no rights of its own: for each command it runs the configured command of the
 * gateway, which ends in the privileged helper there, and believes nothing that
 * comes back but its form.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "actuator.h"
#include "caps.h"
#include "gateways.h"
#include "line_reader.h"
#include "queue_request.h"
#include "subprocess.h"

#define HELD_QUEUE "hold" /* where a contained message is, as the copy says */

struct actuator {
	const struct settings *settings;
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

/* ---- the exchange with a helper ---- */

static char *
request_line(const struct openc2_command *command, enum queue_verb verb)
{
	const struct openc2_message *message = command->message;
	const struct queue_request request = {
		.verb = verb,
		.queue_id = message->queue_id,
		.command_id = command->command_id,
		.sender = message->sender,
		.arrival_s = message->received_at_us / G_USEC_PER_SEC,
		.size = message->size,
	};
	g_autofree char *json = queue_request_encode(&request);

	return g_strconcat(json, "\n", NULL);
}

/* One run of a gateway's command. */
struct exchange {
	struct subprocess *process;
	struct line_reader *reader;
	gint64 wait_us; /* for an answer, and for each part of a message */
};

static gint64
deadline_of(const struct exchange *exchange)
{
	return g_get_monotonic_time() + exchange->wait_us;
}

/* Reads the answer.  NULL if there came none, or what is none. */
static struct queue_answer *
read_answer(const struct exchange *exchange)
{
	const char *line;
	gsize length;

	if (line_reader_next(exchange->reader, deadline_of(exchange), &line, &length) != LINE_WHOLE)
		return NULL;
	return queue_answer_decode(line, length);
}

static gboolean
write_all(int fd, const char *bytes, gsize length)
{
	while (length > 0) {
		ssize_t put = write(fd, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return FALSE;
		bytes += put;
		length -= (gsize)put;
	}
	return TRUE;
}

/* Moves the message that follows an answer into a file; returns NULL, or why it could not. */
static const char *
take_message(const struct exchange *exchange, int to)
{
	guint64 total = 0;
	const char *bytes;
	gsize length;

	for (;;) {
		switch (line_reader_bytes(exchange->reader, deadline_of(exchange), &bytes,
					  &length)) {
		case LINE_WHOLE:
			break;
		case LINE_END:
			return NULL;
		default:
			return "the message stopped in the middle";
		}
		total += length;
		if (total > CAP_MESSAGE_BYTES)
			return "the message is larger than any that is recorded";
		if (!write_all(to, bytes, length))
			return "the evidence cannot be written; is the disk full?";
	}
}

static gboolean
begin(struct exchange *exchange, const struct actuator *actuator,
      const struct openc2_command *command, enum queue_verb verb, GError **error)
{
	const char *const *argv =
		gateways_command(actuator->settings->queue_gateways, command->message->gateway);
	g_autofree char *request = request_line(command, verb);

	exchange->wait_us = (gint64)actuator->settings->queue_timeout_ms * 1000;
	exchange->process = subprocess_start(argv, NULL, request, error);
	if (!exchange->process)
		return FALSE;
	exchange->reader =
		line_reader_new(subprocess_output(exchange->process), CAP_QUEUE_ANSWER_BYTES);
	return TRUE;
}

static gboolean
end(struct exchange *exchange, GError **error)
{
	line_reader_free(exchange->reader);
	return subprocess_end(exchange->process, deadline_of(exchange), error);
}

/* Asks for what is answered in one line.  NULL with an error if no answer came. */
static struct queue_answer *
ask(const struct actuator *actuator, const struct openc2_command *command, enum queue_verb verb,
    GError **error)
{
	struct exchange exchange = {.process = NULL};
	g_autoptr(queue_answer_t) answer = NULL;
	g_autoptr(GError) why = NULL;

	if (!begin(&exchange, actuator, command, verb, error))
		return NULL;
	answer = read_answer(&exchange);
	if (!end(&exchange, &why) && !answer)
		g_propagate_error(error, g_steal_pointer(&why));
	else if (!answer)
		g_set_error(error, SUBPROCESS_ERROR, SUBPROCESS_ERROR_FAILED,
			    "what the helper said is no answer");
	return g_steal_pointer(&answer);
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
fetch(const struct actuator *actuator, const struct openc2_command *command, int to)
{
	struct exchange exchange = {.process = NULL};
	g_autoptr(queue_answer_t) answer = NULL;
	const char *why = NULL;
	g_autoptr(GError) error = NULL;
	gboolean ended;

	if (!begin(&exchange, actuator, command, QUEUE_COPY, &error))
		return unreachable(command, error);
	answer = read_answer(&exchange);
	if (answer && answer->result == QUEUE_DONE)
		why = take_message(&exchange, to);
	ended = end(&exchange, &error);
	if (!answer && ended)
		return respond(command, OPENC2_UNREACHABLE, "what the helper said is no answer");
	if (!answer)
		return unreachable(command, error);
	if (answer->result != QUEUE_DONE)
		return respond(command, outcome_of(answer->result), "%s", answer->text);
	if (why || !ended)
		return respond(command, OPENC2_FAILED, "%s", why ? why : error->message);
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
	return actuator;
}

static const struct actuator_kind kind = {
	.name = "actuator-queue",
	.summary = "Holds, releases and copies messages in mail servers' queues: OpenC2 commands\n"
		   "on standard input, responses on standard output; see mailtrace-queue(8).",
	.role = OPENC2_QUEUE,
	.open = open_actuator,
	.carry_out = carry_out,
	.close = g_free,
};

int
main(int argc, char **argv)
{
	return actuator_main(&kind, argc, argv);
}
