/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_exchange.h"

#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"
#include "line_reader.h"
#include "subprocess.h"

#define HURRY_US (G_USEC_PER_SEC / 2) /* for one that says nothing of use any more to end */

G_DEFINE_QUARK(mailtrace_queue_exchange_error, queue_exchange_error)

/* One request that waits for its answer. */
struct waiting {
	const struct queue_request *request;
	struct queue_answer *answer;
	GError *error;
	gboolean settled; /* there is either of them */
};

/* Who waits for the helper of one gateway. */
struct line {
	GPtrArray *waiting;
	gboolean running; /* somebody runs the helper, for those who are not in waiting any more */
};

struct queue_exchange {
	const struct gateways *gateways;
	gint64 wait_us;
	GMutex mutex;
	GCond changed;
	GHashTable *lines; /* gateway -> struct line */
};

static void
line_free(gpointer data)
{
	struct line *line = data;

	g_ptr_array_unref(line->waiting);
	g_free(line);
}

struct queue_exchange *
queue_exchange_new(const struct gateways *gateways, guint timeout_ms)
{
	struct queue_exchange *exchange = g_new0(struct queue_exchange, 1);

	exchange->gateways = gateways;
	exchange->wait_us = (gint64)timeout_ms * 1000;
	exchange->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, line_free);
	g_mutex_init(&exchange->mutex);
	g_cond_init(&exchange->changed);
	return exchange;
}

void
queue_exchange_free(struct queue_exchange *exchange)
{
	g_hash_table_unref(exchange->lines);
	g_mutex_clear(&exchange->mutex);
	g_cond_clear(&exchange->changed);
	g_free(exchange);
}

/* ---- one run of a helper ---- */

struct run {
	struct subprocess *process;
	struct line_reader *reader;
	gint64 wait_us;
};

static gint64
deadline_of(const struct run *run)
{
	return g_get_monotonic_time() + run->wait_us;
}

static void
add_request(GString *input, const struct queue_request *request)
{
	g_autofree char *json = queue_request_encode(request);

	g_string_append(input, json);
	g_string_append_c(input, '\n');
}

static gboolean
begin(const struct queue_exchange *exchange, const char *gateway, const char *input,
      struct run *run, GError **error)
{
	g_autoptr(GError) why = NULL;

	run->wait_us = exchange->wait_us;
	run->process =
		subprocess_start(gateways_command(exchange->gateways, gateway), NULL, input, &why);
	if (!run->process) {
		g_set_error_literal(error, QUEUE_EXCHANGE_ERROR, QUEUE_EXCHANGE_ERROR_SILENT,
				    why->message);
		return FALSE;
	}
	run->reader = line_reader_new(subprocess_output(run->process), CAP_QUEUE_ANSWER_BYTES);
	return TRUE;
}

/* Reads the next answer.  NULL if there came none, or what is none. */
static struct queue_answer *
read_answer(const struct run *run)
{
	const char *line;
	gsize length;

	if (line_reader_next(run->reader, deadline_of(run), &line, &length) != LINE_WHOLE)
		return NULL;
	return queue_answer_decode(line, length);
}

/* Ends a run.  hurry: whether what it still does is of no use. */
static gboolean
end(struct run *run, gboolean hurry, GError **error)
{
	line_reader_free(run->reader);
	return subprocess_end(run->process,
			      hurry ? g_get_monotonic_time() + HURRY_US : deadline_of(run), error);
}

static GError *
silence(const GError *why)
{
	return g_error_new_literal(QUEUE_EXCHANGE_ERROR, QUEUE_EXCHANGE_ERROR_SILENT,
				   why ? why->message : "what the helper said is no answer");
}

/* Runs the helper for several requests; each is settled then. */
static void
settle(const struct queue_exchange *exchange, const char *gateway, const GPtrArray *batch)
{
	g_autoptr(GString) input = g_string_new(NULL);
	g_autoptr(GError) why = NULL;
	struct run run;
	gboolean heard = TRUE;

	for (guint i = 0; i < batch->len; i++)
		add_request(input, ((struct waiting *)g_ptr_array_index(batch, i))->request);
	if (begin(exchange, gateway, input->str, &run, &why)) {
		for (guint i = 0; i < batch->len && heard; i++) {
			struct waiting *waiting = g_ptr_array_index(batch, i);

			waiting->answer = read_answer(&run);
			heard = waiting->answer != NULL;
		}
		end(&run, !heard, &why);
	}
	for (guint i = 0; i < batch->len; i++) {
		struct waiting *waiting = g_ptr_array_index(batch, i);

		if (!waiting->answer)
			waiting->error = silence(why);
	}
}

/* ---- many who ask ---- */

static struct line *
line_of(struct queue_exchange *exchange, const char *gateway)
{
	struct line *line = g_hash_table_lookup(exchange->lines, gateway);

	if (line)
		return line;
	line = g_new0(struct line, 1);
	line->waiting = g_ptr_array_new();
	g_hash_table_insert(exchange->lines, g_strdup(gateway), line);
	return line;
}

/* Takes from the front of a line as many as one run may have. */
static GPtrArray *
take_batch(struct line *line)
{
	GPtrArray *batch = g_ptr_array_new();
	guint count = MIN(line->waiting->len, CAP_QUEUE_REQUESTS);

	for (guint i = 0; i < count; i++)
		g_ptr_array_add(batch, g_ptr_array_index(line->waiting, i));
	g_ptr_array_remove_range(line->waiting, 0, count);
	return batch;
}

/* Runs the helper for those who wait.  Called, and returns, with the lock held. */
static void
serve(struct queue_exchange *exchange, const char *gateway, struct line *line)
{
	g_autoptr(GPtrArray) batch = take_batch(line);

	line->running = TRUE;
	g_mutex_unlock(&exchange->mutex);
	settle(exchange, gateway, batch);
	g_mutex_lock(&exchange->mutex);
	line->running = FALSE;
	for (guint i = 0; i < batch->len; i++)
		((struct waiting *)g_ptr_array_index(batch, i))->settled = TRUE;
	g_cond_broadcast(&exchange->changed);
}

struct queue_answer *
queue_exchange_ask(struct queue_exchange *exchange, const char *gateway,
		   const struct queue_request *request, GError **error)
{
	struct waiting waiting = {.request = request};
	struct line *line;

	g_mutex_lock(&exchange->mutex);
	line = line_of(exchange, gateway);
	g_ptr_array_add(line->waiting, &waiting);
	while (!waiting.settled) {
		if (line->running)
			g_cond_wait(&exchange->changed, &exchange->mutex);
		else
			serve(exchange, gateway, line);
	}
	g_mutex_unlock(&exchange->mutex);
	if (waiting.error)
		g_propagate_error(error, waiting.error);
	return waiting.answer;
}

/* ---- copies ---- */

/* Moves the message that follows an answer into a file; returns NULL, or why it could not. */
static const char *
take_message(const struct run *run, int to_fd)
{
	enum line_result result;
	guint64 total = 0;
	const char *bytes;
	gsize length;

	while ((result = line_reader_bytes(run->reader, deadline_of(run), &bytes, &length)) ==
	       LINE_WHOLE) {
		total += length;
		if (total > CAP_MESSAGE_BYTES)
			return "the message is larger than any that is recorded";
		if (!descriptor_write(to_fd, bytes, length))
			return "the copy cannot be written; is the disk full?";
	}
	return result == LINE_END ? NULL : "the message stopped in the middle";
}

struct queue_answer *
queue_exchange_copy(struct queue_exchange *exchange, const char *gateway,
		    const struct queue_request *request, int to_fd, GError **error)
{
	g_autoptr(GString) input = g_string_new(NULL);
	g_autoptr(queue_answer_t) answer = NULL;
	g_autoptr(GError) why = NULL;
	const char *broken = NULL;
	struct run run;
	gboolean ended;

	add_request(input, request);
	if (!begin(exchange, gateway, input->str, &run, error))
		return NULL;
	answer = read_answer(&run);
	if (answer && answer->result == QUEUE_DONE)
		broken = take_message(&run, to_fd);
	ended = end(&run, !answer || broken, &why);
	if (!answer) {
		g_propagate_error(error, silence(why));
		return NULL;
	}
	if (answer->result == QUEUE_DONE && (broken || !ended)) {
		g_set_error_literal(error, QUEUE_EXCHANGE_ERROR, QUEUE_EXCHANGE_ERROR_BROKEN,
				    broken ? broken : why->message);
		return NULL;
	}
	return g_steal_pointer(&answer);
}
