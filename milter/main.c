/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milter - the milter process: libmilter, sessions, spool, publisher.
 *
 * usage: milter [--stderr], started by mailtrace-milter with the sockets of
 * supervision.h.  Never forks, never parses message bytes.  libmilter owns
 * SIGHUP, SIGTERM and SIGINT here; what the supervisor wants comes over the
 * control socket, to a thread of its own.  Exit status: 0; 1 when it could not
 * start; 2 wrong usage.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gio.h>
#include <libmilter/mfapi.h>

#include "anchor_file.h"
#include "block_file.h"
#include "callbacks.h"
#include "drain.h"
#include "engine.h"
#include "engine_metrics.h"
#include "later.h"
#include "liveness.h"
#include "log.h"
#include "metrics_server.h"
#include "publisher.h"
#include "supervision.h"

/* The first as a rule does; each leaves a dead connection in the queue. */
#define WAKE_TRIES 10
#define WAKE_PAUSE_US (20 * 1000)
#define SPOOL_WAIT_MS \
	20000 /* longer than a milter process takes to end: see SUPERVISION_DRAIN_MS */
#define SPOOL_STEP_MS 50

struct process {
	struct engine *engine;
	struct spool *spool;
	struct scanner_client *scanner;
	struct block_file *blocks;
	struct anchor_file *anchors; /* NULL: they cannot be kept */
	struct later *later;	     /* NULL: it cannot keep anything */
	struct publisher *publisher;
	struct metrics_server *metrics;
	GThread *control;
	atomic_bool ended;   /* smfi_main() has returned */
	struct drain drain;  /* the control thread's */
	guint64 connections; /* counted at the last sign of life; likewise */
};

/* Reads a configuration message: the file's name, NUL, its content. */
static struct settings *
settings_of(const struct supervision_message *message, GError **error)
{
	gsize length, name_length;
	const char *text = g_bytes_get_data(message->text, &length);

	name_length = text ? strnlen(text, length) : 0;
	if (name_length == length) {
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "the supervisor sent no configuration");
		return NULL;
	}
	return settings_parse(text, text + name_length + 1, length - name_length - 1, error);
}

/* Waits for the configuration, which comes first. */
static struct settings *
first_settings(GError **error)
{
	struct supervision_message message = {.fd = -1};
	struct settings *settings = NULL;

	if (supervision_receive(SUPERVISION_FD, -1, &message) == SUPERVISION_MESSAGE &&
	    message.kind == SUPERVISION_CONFIG)
		settings = settings_of(&message, error);
	else
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "the supervisor sent no configuration");
	supervision_message_clear(&message);
	return settings;
}

/* ---- the control thread ---- */

static void
reload(struct process *process, const struct supervision_message *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = settings_of(message, &error);

	if (settings && engine_set_settings(process->engine, settings, &error))
		supervision_send(SUPERVISION_FD, SUPERVISION_RELOADED, NULL, 0, -1);
	else
		supervision_send(SUPERVISION_FD, SUPERVISION_REFUSED, error->message,
				 MIN(strlen(error->message), SUPERVISION_TEXT_BYTES), -1);
}

static gpointer
stop_thread(gpointer data)
{
	smfi_stop();
	return NULL;
}

/*
 * Ends smfi_main().  smfi_stop() marks the end, and then waits for the lock that
 * libmilter holds in its poll(): so it needs a thread of its own.
 */
static void
stop_libmilter(struct process *process)
{
	GThread *thread = g_thread_new("stop", stop_thread, NULL);

	for (guint i = 0; i < WAKE_TRIES && !atomic_load(&process->ended); i++) {
		drain_wake_libmilter(&process->drain);
		g_usleep(WAKE_PAUSE_US);
	}
	g_thread_join(thread);
	drain_end(&process->drain);
}

static void
begin_stop(struct process *process)
{
	g_autoptr(settings_t) settings = engine_settings(process->engine);

	if (!drain_is_begun(&process->drain))
		drain_begin(&process->drain, settings->temp_directory);
}

static gboolean
is_drained(const struct process *process)
{
	return drain_is_begun(&process->drain) &&
	       (engine_connections(process->engine) == 0 || drain_is_over(&process->drain));
}

static void
on_message(struct process *process, struct supervision_message *message)
{
	switch (message->kind) {
	case SUPERVISION_CONFIG:
		reload(process, message);
		break;
	case SUPERVISION_SCANNER:
		if (message->fd >= 0)
			scanner_client_attach(process->scanner, message->fd);
		message->fd = -1;
		break;
	case SUPERVISION_STOP:
		begin_stop(process);
		break;
	default:
		break;
	}
}

/* How long to wait for the supervisor: shortly while draining. */
static int
wait_ms(const struct process *process)
{
	return drain_is_begun(&process->drain) ? 50 : SUPERVISION_ALIVE_MS;
}

/*
 * Tells whether libmilter takes connections: new ones were counted since the
 * last time, or one of our own is answered.  While draining none is taken.
 */
static gboolean
is_serving(struct process *process)
{
	guint64 connections = engine_counted(process->engine, COUNT_CONNECTIONS) +
			      engine_counted(process->engine, COUNT_REFUSED_CONNECTIONS);

	if (drain_is_begun(&process->drain))
		return TRUE;
	if (connections == process->connections)
		return liveness_ask(SUPERVISION_LISTEN_FD, SUPERVISION_ALIVE_MS / 2);
	process->connections = connections;
	return TRUE;
}

static void
show_life(struct process *process, gint64 *alive_us)
{
	gint64 now_us = g_get_monotonic_time();

	if (now_us - *alive_us < SUPERVISION_ALIVE_MS * G_TIME_SPAN_MILLISECOND / 2)
		return;
	*alive_us = now_us;
	if (is_serving(process))
		supervision_send(SUPERVISION_FD, SUPERVISION_ALIVE, NULL, 0, -1);
}

/* Waits for what the supervisor says, shows signs of life, and ends libmilter. */
static gpointer
control_thread(gpointer data)
{
	struct process *process = data;
	gint64 alive_us = 0;

	while (!atomic_load(&process->ended) && !is_drained(process)) {
		struct supervision_message message = {.fd = -1};

		show_life(process, &alive_us);
		switch (supervision_receive(SUPERVISION_FD, wait_ms(process), &message)) {
		case SUPERVISION_MESSAGE:
			on_message(process, &message);
			supervision_message_clear(&message);
			break;
		case SUPERVISION_NOTHING:
			break;
		case SUPERVISION_END:
			begin_stop(process);
			g_usleep(50 * 1000); /* poll() says at once that it has ended */
			break;
		}
	}
	stop_libmilter(process);
	return NULL;
}

/* ---- start and end ---- */

static char *
counters(void *data)
{
	return engine_counters_json(((struct process *)data)->engine);
}

static gint64
settled(void *data)
{
	return engine_settled_us(((struct process *)data)->engine);
}

/* What the collector tells of the block list; of the publisher's thread. */
static GBytes *
keep_blocks(void *data, GBytes *bytes)
{
	struct process *process = data;
	g_autoptr(GError) error = NULL;
	struct block_state state;

	if (bytes && !block_file_apply(process->blocks, g_bytes_get_data(bytes, NULL),
				       g_bytes_get_size(bytes), &error))
		log_event(LOG_LEVEL_ERROR, "blocks-not-kept", "error", error->message, "remedy",
			  "make room on or mend the spool's disk; the former blocks hold", NULL);
	state = block_file_state(process->blocks);
	return block_state_format(&state);
}

/* What the collector tells of where its journal stands; likewise. */
static GBytes *
keep_anchor(void *data, GBytes *bytes)
{
	struct process *process = data;
	g_autoptr(GError) error = NULL;
	enum anchor_news news = ANCHOR_SAME;
	const char *last;

	if (!process->anchors)
		return g_bytes_new(NULL, 0);
	if (bytes && !anchor_file_keep(process->anchors, g_bytes_get_data(bytes, NULL),
				       g_bytes_get_size(bytes), g_get_real_time(), &news, &error))
		log_event(LOG_LEVEL_ERROR, "journal-anchor-not-kept", "error", error->message,
			  "remedy", "make room on or mend the spool's disk", NULL);
	last = anchor_file_last(process->anchors);
	if (news == ANCHOR_BACK || news == ANCHOR_ANOTHER)
		log_event(
			LOG_LEVEL_WARNING, "journal-anchor-does-not-follow", "anchor", last,
			"remedy",
			"unless the store was put back from a copy, verify its journal: mailtrace "
			"actions --verify --anchor FILE",
			NULL);
	return g_bytes_new(last, strlen(last));
}

static const struct publisher_topic topics[] = {
	{BLOCK_TOPIC, keep_blocks},
	{ANCHOR_TOPIC, keep_anchor},
	{NULL},
};

static gboolean
start_publisher(struct process *process, const struct settings *settings, GError **error)
{
	const struct publisher_source source = {
		.collector = settings->collector,
		.sensor_key = settings->sensor_key,
		.collector_public_key = settings->collector_public_key,
		.spool = process->spool,
		.counters = counters,
		.settled_us = settled,
		.topics = topics,
		.data = process,
	};

	process->publisher = publisher_start(&source, error);
	return process->publisher || !*settings->collector;
}

static gboolean
open_blocks(struct process *process, const struct settings *settings, GError **error)
{
	process->blocks = block_file_open(settings->spool_directory, error);
	if (!process->blocks)
		return FALSE;
	if (block_file_was_damaged(process->blocks))
		log_event(LOG_LEVEL_WARNING, "blocks-damaged", "directory",
			  settings->spool_directory, "remedy",
			  "none needed: the collector sends them again", NULL);
	engine_set_block_list(process->engine, block_file_list(process->blocks));
	return TRUE;
}

/* Evidence for another program is no reason to leave mail unrecorded. */
static void
open_anchors(struct process *process, const struct settings *settings)
{
	g_autoptr(GError) error = NULL;

	process->anchors = anchor_file_open(settings->spool_directory, ANCHOR_FILE_LINES, &error);
	if (!process->anchors)
		log_event(LOG_LEVEL_ERROR, "journal-anchors-not-kept", "error", error->message,
			  NULL);
}

static char *
metrics_text(void *data)
{
	return engine_metrics(((struct process *)data)->engine);
}

/* A port that is taken is no reason to leave mail unrecorded. */
static void
start_metrics(struct process *process, const struct settings *settings)
{
	g_autoptr(GError) error = NULL;

	process->metrics =
		metrics_server_start(settings->milter_metrics, metrics_text, process, &error);
	if (error)
		log_event(LOG_LEVEL_ERROR, "metrics-not-served", "error", error->message, NULL);
}

/* What cannot be kept for a later mail is recorded all the same. */
static void
open_later(struct process *process, const struct settings *settings)
{
	g_autoptr(GError) error = NULL;

	process->later = later_new(process->engine, settings->spool_directory, &error);
	if (!process->later) {
		log_event(LOG_LEVEL_ERROR, "archives-not-kept", "error", error->message, "effect",
			  "a password in a later mail opens nothing", NULL);
		return;
	}
	later_start(process->later);
	engine_set_later(process->engine, process->later);
}

/* Says what was wrong with the spool, if something was. */
static void
tell_mended(const struct spool *spool)
{
	if (spool_mended(spool))
		log_event(LOG_LEVEL_ERROR, "spool-mended", "what", spool_mended(spool), "remedy",
			  SPOOL_MENDED_REMEDY, NULL);
}

/*
 * Opens the spool; one that another process has is waited for, since it may be
 * the milter process of a supervisor that was killed, which ends soon.
 */
static struct spool *
open_spool(const struct settings *settings, GError **error)
{
	gint64 until_us = g_get_monotonic_time() + SPOOL_WAIT_MS * G_TIME_SPAN_MILLISECOND;

	for (;;) {
		g_autoptr(GError) why = NULL;
		struct spool *spool =
			spool_open(settings->spool_directory, settings->spool_max_bytes, &why);

		if (spool)
			return spool;
		if (!g_error_matches(why, SPOOL_ERROR, SPOOL_ERROR_IN_USE) ||
		    g_get_monotonic_time() >= until_us) {
			g_propagate_error(error, g_steal_pointer(&why));
			return NULL;
		}
		g_usleep(SPOOL_STEP_MS * 1000);
	}
}

static gboolean
open_parts(struct process *process, struct settings *settings, GError **error)
{
	process->spool = open_spool(settings, error);
	if (!process->spool)
		return FALSE;
	tell_mended(process->spool);
	process->scanner = scanner_client_new();
	process->engine = engine_new(settings, process->spool, process->scanner, error);
	if (!process->engine || !open_blocks(process, settings, error))
		return FALSE;
	open_anchors(process, settings);
	open_later(process, settings);
	start_metrics(process, settings);
	return start_publisher(process, settings, error);
}

static gboolean
start_libmilter(struct process *process, const struct settings *settings, GError **error)
{
	g_autofree char *address = g_strdup_printf("fd:%d", SUPERVISION_LISTEN_FD);

	if (callbacks_register(process->engine) && smfi_setconn(address) == MI_SUCCESS &&
	    smfi_setbacklog((int)settings->backlog) == MI_SUCCESS)
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "libmilter refuses to start");
	return FALSE;
}

static gboolean
start(struct process *process, GError **error)
{
	g_autoptr(settings_t) settings = first_settings(error);

	return settings && open_parts(process, settings, error) &&
	       start_libmilter(process, settings, error);
}

/*
 * Ends the process.  smfi_main() does not wait for libmilter's threads: one may
 * have a session, or be about to begin one, so that the parts stay where they
 * are.  Every event that was acknowledged to an MTA is on disk by then, and the
 * spool's file is whole without being closed (WAL).  A build with sanitizers
 * takes them apart when no session is left, so that leaks show.
 */
static void
finish(struct process *process, int status)
{
	publisher_stop(process->publisher, SUPERVISION_FLUSH_MS);
	if (process->engine && engine_connections(process->engine) > 0)
		log_event(LOG_LEVEL_NOTICE, "connections-cut", NULL);
#ifdef MAILTRACE_SANITIZERS
	else {
		metrics_server_stop(process->metrics);
		later_free(process->later);
		engine_free(process->engine);
		block_file_free(process->blocks);
		anchor_file_free(process->anchors);
		scanner_client_free(process->scanner);
		spool_close(process->spool);
		return;
	}
#endif
	log_flush();
	_exit(status);
}

static int
serve(struct process *process)
{
	int failure;

	process->control = g_thread_new("control", control_thread, process);
	supervision_send(SUPERVISION_FD, SUPERVISION_READY, NULL, 0, -1);
	failure = smfi_main();
	atomic_store(&process->ended, TRUE);
	g_thread_join(process->control);
	return failure == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}

static gboolean
is_supervised(void)
{
	int type;
	socklen_t length = sizeof(type);

	return getsockopt(SUPERVISION_FD, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       type == SOCK_SEQPACKET && fcntl(SUPERVISION_FD, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(SUPERVISION_LISTEN_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int
main(int argc, char **argv)
{
	struct process process = {.drain = DRAIN_INIT};
	g_autoptr(GError) error = NULL;
	gboolean to_stderr = argc == 2 && strcmp(argv[1], "--stderr") == 0;
	int status = EXIT_FAILURE;

	log_open("mailtrace-milter", to_stderr ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG);
	if (!is_supervised()) {
		fprintf(stderr, "milter: started by mailtrace-milter, not by hand\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (start(&process, &error))
		status = serve(&process);
	else
		supervision_send(SUPERVISION_FD, SUPERVISION_FAILED, error->message,
				 MIN(strlen(error->message), SUPERVISION_TEXT_BYTES), -1);
	finish(&process, status);
	return status;
}
