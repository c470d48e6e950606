/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit - the helper of `mailtrace apply --emit-only`: an actuator that does nothing
 * itself, but publishes each command for the site's own automation and hands on the
 * responses.
 *
 * Commands go out under the topic "TENANT/openc2"; responses come as the events of a
 * sensor do, acknowledged (bus.h), from keys with the role command.  Readers of a
 * PUB socket may miss what they were not there for: what has no answer is published
 * again, and whoever carries it out knows it by its command_id.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "caps.h"
#include "line_reader.h"
#include "openc2.h"
#include "settings.h"

#define EXIT_CONFIG 2
#define TOPIC "openc2"
#define TICK_MS 100
#define BURST 100	/* commands of one tick: a reader that is slower loses some */
#define LEAVE_MS 300	/* for the last acknowledgement, which whoever answered waits for */
#define REPEAT_TICKS 20 /* then a command without an answer is published again */

/* A command that waits for its answer. */
struct waiting {
	GBytes *line;
	guint64 published_tick; /* 0: never */
};

struct emitter {
	const char *tenant;
	struct bus_collector *bus;
	struct authorized_keys *keys;
	struct line_reader *input;
	GHashTable *waiting; /* of struct waiting, by command id */
	GQueue *order;	     /* ids in the order in which they are due */
	guint64 tick;
	gint64 tick_at_us;
	gboolean ended; /* no more commands come */
	gboolean lost;	/* nobody reads our answers */
};

static void
waiting_free(void *data)
{
	struct waiting *waiting = data;

	g_bytes_unref(waiting->line);
	g_free(waiting);
}

/* ---- commands ---- */

static void
take_command(struct emitter *emitter, const char *line, gsize length)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(openc2_command_t) command = openc2_command_decode(line, length, &error);
	struct waiting *waiting;

	if (!command) {
		fprintf(stderr, "emit: not a command: %s\n", error->message);
		return;
	}
	if (g_hash_table_contains(emitter->waiting, command->command_id))
		return;
	waiting = g_new0(struct waiting, 1);
	waiting->line = g_bytes_new(line, length);
	g_queue_push_head(emitter->order, g_strdup(command->command_id));
	g_hash_table_insert(emitter->waiting, g_strdup(command->command_id), waiting);
}

/* Takes all that is there, without waiting for more. */
static void
read_commands(struct emitter *emitter)
{
	const char *line;
	gsize length;

	for (;;) {
		switch (line_reader_next(emitter->input, g_get_monotonic_time() + 1, &line,
					 &length)) {
		case LINE_WHOLE:
			take_command(emitter, line, length);
			break;
		case LINE_CUT:
			fputs("emit: a command is too long\n", stderr);
			break;
		case LINE_TIMEOUT:
			return;
		case LINE_END:
		case LINE_ERROR:
			emitter->ended = TRUE;
			return;
		}
	}
}

/* The first in the queue is the one that is due next: new ones, then those published longest ago.
 */
static void
publish_due(struct emitter *emitter)
{
	for (guint i = 0; i < BURST && !g_queue_is_empty(emitter->order); i++) {
		const char *id = g_queue_peek_head(emitter->order);
		struct waiting *waiting = g_hash_table_lookup(emitter->waiting, id);

		if (!waiting) { /* answered meanwhile */
			g_free(g_queue_pop_head(emitter->order));
			continue;
		}
		if (waiting->published_tick &&
		    emitter->tick < waiting->published_tick + REPEAT_TICKS)
			return;
		bus_collector_publish(emitter->bus, emitter->tenant, TOPIC, waiting->line);
		waiting->published_tick = emitter->tick;
		g_queue_push_tail(emitter->order, g_queue_pop_head(emitter->order));
	}
}

static void
tick_if_due(struct emitter *emitter)
{
	gint64 now_us = g_get_monotonic_time();

	if (now_us < emitter->tick_at_us)
		return;
	emitter->tick_at_us = now_us + TICK_MS * G_TIME_SPAN_MILLISECOND;
	emitter->tick++;
	publish_due(emitter);
}

/* ---- responses ---- */

static gboolean
may_answer(const struct emitter *emitter, const struct bus_collector_news *news)
{
	const struct authorized_key *key = authorized_keys_find_name(emitter->keys, news->sensor);

	return key && key->roles & ROLE_COMMAND && strcmp(news->tenant, emitter->tenant) == 0;
}

static void
take_response(struct emitter *emitter, GBytes *event)
{
	gsize length;
	const char *json = g_bytes_get_data(event, &length);
	g_autoptr(openc2_response_t) response = openc2_response_decode(json, length, NULL);
	g_autofree char *line = NULL;

	/* What was answered before is sent again when the acknowledgement was lost. */
	if (!response || !g_hash_table_remove(emitter->waiting, response->command_id))
		return;
	line = openc2_response_encode(response);
	if (printf("%s\n", line) < 0 || fflush(stdout) != 0)
		emitter->lost = TRUE;
}

static void
take_batch(struct emitter *emitter, const struct bus_collector_news *news)
{
	if (!may_answer(emitter, news)) {
		fprintf(stderr, "emit: %s has no role to answer commands\n", news->sensor);
		return;
	}
	for (guint i = 0; i < news->events->len; i++)
		take_response(emitter, news->events->pdata[i]);
	bus_collector_ack(emitter->bus, news->peer, news->epoch,
			  news->first + news->events->len - 1);
}

static void
take_news(struct emitter *emitter, const struct bus_collector_news *news)
{
	if (news->event == BUS_COLLECTOR_HELLO)
		bus_collector_welcome(emitter->bus, news->peer, news->epoch, 0);
	else if (news->event == BUS_COLLECTOR_BATCH)
		take_batch(emitter, news);
}

/* ---- life ---- */

static void
run(struct emitter *emitter)
{
	const int input = STDIN_FILENO;

	while (!emitter->lost && !(emitter->ended && !g_hash_table_size(emitter->waiting))) {
		struct bus_collector_news news = {0};

		bus_collector_poll(emitter->bus, &input, emitter->ended ? 0 : 1, TICK_MS, &news);
		take_news(emitter, &news);
		bus_collector_news_clear(&news);
		if (!emitter->ended)
			read_commands(emitter);
		tick_if_due(emitter);
	}
}

/* An acknowledgement is lost to who has not read it when its sender's end closes. */
static void
leave(struct emitter *emitter)
{
	gint64 until_us = g_get_monotonic_time() + LEAVE_MS * G_TIME_SPAN_MILLISECOND;

	while (g_get_monotonic_time() < until_us) {
		struct bus_collector_news news = {0};

		bus_collector_poll(emitter->bus, NULL, 0, TICK_MS, &news);
		take_news(emitter, &news);
		bus_collector_news_clear(&news);
	}
}

static struct bus_collector *
open_bus(const struct settings *settings, GError **error)
{
	const char *const listen[] = {settings->emit_listen, NULL};
	struct authorized_keys *keys = authorized_keys_read(settings->authorized_keys, error);
	struct bus_collector *bus = NULL;
	struct key_pair pair;

	if (keys && key_pair_read(settings->emit_key, &pair, error)) {
		bus = bus_collector_new(listen, settings->emit_publish, &pair, keys, error);
		key_pair_clear(&pair);
		return bus;
	}
	authorized_keys_free(keys);
	return NULL;
}

static int
emit(const struct settings *settings, const char *tenant)
{
	g_autoptr(GError) error = NULL;
	struct emitter emitter = {.tenant = tenant};

	if (!*settings->emit_publish || !*settings->emit_listen) {
		fputs("emit: set emit_publish and emit_listen of [containment] first\n", stderr);
		return EXIT_CONFIG;
	}
	emitter.keys = authorized_keys_read(settings->authorized_keys, &error);
	emitter.bus = emitter.keys ? open_bus(settings, &error) : NULL;
	if (emitter.bus) {
		emitter.input = line_reader_new(STDIN_FILENO, CAP_COMMAND_BYTES);
		emitter.waiting =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, waiting_free);
		emitter.order = g_queue_new();
		run(&emitter);
		leave(&emitter);
		g_queue_free_full(emitter.order, g_free);
		g_hash_table_unref(emitter.waiting);
		line_reader_free(emitter.input);
		bus_collector_free(emitter.bus);
	} else {
		fprintf(stderr, "emit: %s\n", error->message);
	}
	authorized_keys_free(emitter.keys);
	return error || emitter.lost ? EXIT_CONFIG : 0;
}

int
main(int argc, char **argv)
{
	g_autofree char *config = NULL;
	g_autofree char *tenant = NULL;
	int jobs = 0;
	const GOptionEntry entries[] = {
		{"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, "the configuration", "FILE"},
		{"jobs", 'j', 0, G_OPTION_ARG_INT, &jobs, "as of every actuator; unused", "N"},
		{"tenant", 't', 0, G_OPTION_ARG_FILENAME, &tenant, "whose commands", "NAME"},
		{NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(settings_t) settings = NULL;
	g_autoptr(GError) error = NULL;

	signal(SIGPIPE, SIG_IGN);
	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_set_summary(context,
				     "Publishes commands; started by mailtrace apply --emit-only.");
	if (!g_option_context_parse(context, &argc, &argv, &error) || !config || !tenant) {
		fprintf(stderr, "emit: %s\n",
			error ? error->message : "--config and --tenant are needed");
		return EXIT_CONFIG;
	}
	settings = settings_read(config, &error);
	if (!settings) {
		fprintf(stderr, "emit: %s\n", error->message);
		return EXIT_CONFIG;
	}
	return emit(settings, tenant);
}
