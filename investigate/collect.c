/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect - the collector: receives, stores, acknowledges, publishes.
 *
 * One thread and one loop: a batch is acknowledged once it is on disk, and
 * published to the live stream after that.  The only writer of the store while
 * it runs; the command line comes through the control socket.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "anchor_feed.h"
#include "bus.h"
#include "collect_control.h"
#include "collect_journal.h"
#include "collect_metrics.h"
#include "collect_news.h"
#include "authorized_keys.h"
#include "log.h"
#include "metrics_server.h"
#include "settings.h"
#include "store.h"

#define EXIT_CONFIG 2
#define POLL_MS 1000 /* also the pace of the watchdog */
#define POLL_FDS 64  /* signals and the callers of the control socket */

struct collector {
	const char *config_path;
	struct settings *settings;
	char *store_url;
	struct store *store;
	struct bus_collector *bus;
	struct block_feed *blocks;
	struct anchor_feed *anchors;
	struct retention *retention;
	struct collect_news news;
	struct collect_control served;
	struct control_server *control;
	struct collect_metrics *metrics;
	struct metrics_server *metrics_server; /* NULL: nobody asks */
	int signal_fd;
	gint64 tend_at_ms;
	gboolean stopping;
};

static gint64
now_ms(void)
{
	return g_get_monotonic_time() / 1000;
}

/* ---- configuration and keys ---- */

static gboolean
reload_keys(struct collector *collector, GError **error)
{
	struct authorized_keys *keys =
		authorized_keys_read(collector->settings->authorized_keys, error);

	if (!keys)
		return FALSE;
	bus_collector_set_keys(collector->bus, keys);
	log_event(LOG_LEVEL_NOTICE, "keys-reloaded", "file", collector->settings->authorized_keys,
		  NULL);
	return TRUE;
}

/* ---- what is sent over the bus ---- */

static void
send_blocks(void *data, GBytes *peer, const char *epoch, GBytes *chunk)
{
	struct collector *collector = data;

	bus_collector_tell(collector->bus, peer, epoch, BLOCK_TOPIC, chunk);
}

static void
send_anchor(void *data, GBytes *peer, const char *epoch, GBytes *anchor)
{
	struct collector *collector = data;

	bus_collector_tell(collector->bus, peer, epoch, ANCHOR_TOPIC, anchor);
}

/* ---- signals ---- */

static void
reload(struct collector *collector)
{
	g_autoptr(settings_t) settings = NULL;
	g_autoptr(GError) error = NULL;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
	settings = settings_read_for("collect", collector->config_path, NULL, &error);
	if (settings) {
		/* Sockets and the store stay as they were opened; the list of keys may move. */
		settings_unref(collector->settings);
		collector->settings = g_steal_pointer(&settings);
		collector->served.settings = collector->settings;
	}
	if (error || !reload_keys(collector, &error))
		log_event(LOG_LEVEL_ERROR, "reload-failed", "error", error->message, "remedy",
			  "the former keys stay in force; mend the file and reload", NULL);
	sd_notify(0, "READY=1");
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
take_signals(struct collector *collector)
{
	struct signalfd_siginfo info;

	while (read(collector->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(collector);
		else
			collector->stopping = TRUE;
	}
}

/* ---- life ---- */

/* What is too old goes; a failure passes or is told by what comes in, which waits for it. */
static void
tend_records(struct collector *collector)
{
	g_autoptr(GError) error = NULL;
	guint64 gone = 0;

	if (collect_news_rests(&collector->news))
		return;
	if (retention_tend(collector->retention, collector->settings->keep_days, &gone, &error))
		collect_metrics_count(collector->metrics, COLLECT_EXPIRED, gone);
	else
		log_event(LOG_LEVEL_ERROR, "records-not-expired", "store", collector->store_url,
			  "error", error->message, NULL);
}

/* What is done once a second, however much comes. */
static void
tend_if_due(struct collector *collector)
{
	if (now_ms() < collector->tend_at_ms)
		return;
	collector->tend_at_ms = now_ms() + POLL_MS;
	collect_news_tend(&collector->news);
	collect_journal_tend(collector->anchors, FALSE);
	tend_records(collector);
}

static void
run(struct collector *collector)
{
	while (!collector->stopping) {
		int fds[POLL_FDS] = {collector->signal_fd};
		gsize count = 1 + control_server_fds(collector->control, fds + 1, POLL_FDS - 1);
		struct bus_collector_news news = {0};

		bus_collector_poll(collector->bus, fds, count, POLL_MS, &news);
		collect_news_take(&collector->news, &news);
		bus_collector_news_clear(&news);
		control_server_serve(collector->control);
		tend_if_due(collector);
		take_signals(collector);
		sd_notify(0, "WATCHDOG=1");
	}
}

static gboolean
open_bus(struct collector *collector, GError **error)
{
	const struct settings *settings = collector->settings;
	struct authorized_keys *keys = authorized_keys_read(settings->authorized_keys, error);
	struct key_pair pair;

	if (!keys)
		return FALSE;
	if (!key_pair_read(settings->collector_key, &pair, error)) {
		authorized_keys_free(keys);
		return FALSE;
	}
	collector->bus = bus_collector_new((const char *const *)settings->listen, settings->publish,
					   &pair, keys, error);
	key_pair_clear(&pair);
	return collector->bus != NULL;
}

static gboolean
open_anchors(struct collector *collector, GError **error)
{
	const char *path = collector->settings->journal_key;
	struct signing_key *key = *path ? signing_key_read(path, error) : NULL;

	if (*path && !key)
		return FALSE;
	collector->anchors = anchor_feed_new(collector->store, key, send_anchor, collector);
	return TRUE;
}

/* A port that is taken is no reason to collect nothing. */
static void
start_metrics(struct collector *collector)
{
	g_autoptr(GError) error = NULL;

	collector->metrics_server =
		metrics_server_start(collector->settings->collector_metrics, collect_metrics_text,
				     collector->metrics, &error);
	if (error)
		log_event(LOG_LEVEL_ERROR, "metrics-not-served", "error", error->message, NULL);
}

/* The control socket comes last: who sees it finds a collector that works. */
static gboolean
reload_keys_on_request(void *data, GError **error)
{
	return reload_keys(data, error);
}

static gboolean
open_control(struct collector *collector, GError **error)
{
	collector->served = (struct collect_control){
		.store = collector->store,
		.bus = collector->bus,
		.blocks = collector->blocks,
		.retention = collector->retention,
		.settings = collector->settings,
		.reload = reload_keys_on_request,
		.data = collector,
	};
	collector->control =
		control_server_new(collector->settings->control_socket, &collect_control_handlers,
				   &collector->served, error);
	return collector->control != NULL;
}

static gboolean
collector_open(struct collector *collector, GError **error)
{
	collector->metrics = collect_metrics_new();
	collector->store = store_open(collector->store_url, STORE_WRITE, error);
	if (!collector->store || !open_bus(collector, error))
		return FALSE;
	collector->blocks = block_feed_new(collector->store, send_blocks, collector);
	if (!open_anchors(collector, error))
		return FALSE;
	collector->retention = retention_new(collector->store);
	start_metrics(collector);
	collector->news = (struct collect_news){
		.store = collector->store,
		.store_url = collector->store_url,
		.bus = collector->bus,
		.blocks = collector->blocks,
		.anchors = collector->anchors,
		.metrics = collector->metrics,
		.scraped = collector->metrics_server != NULL,
	};
	return open_control(collector, error);
}

static void
collector_clear(struct collector *collector)
{
	control_server_free(collector->control);
	metrics_server_stop(collector->metrics_server);
	collect_metrics_free(collector->metrics);
	anchor_feed_free(collector->anchors);
	retention_free(collector->retention);
	block_feed_free(collector->blocks);
	bus_collector_free(collector->bus);
	store_close(collector->store);
	settings_unref(collector->settings);
	g_free(collector->store_url);
	if (collector->signal_fd >= 0)
		close(collector->signal_fd);
}

static int
serve(struct collector *collector)
{
	g_autoptr(GError) error = NULL;

	if (!collector_open(collector, &error)) {
		log_event(LOG_LEVEL_ERROR, "not-started", "error", error->message, NULL);
		return EXIT_FAILURE;
	}
	log_event(LOG_LEVEL_NOTICE, "started", "store", collector->store_url, "control",
		  collector->settings->control_socket, NULL);
	sd_notify(0, "READY=1");
	run(collector);
	sd_notify(0, "STOPPING=1");
	collect_journal_tend(collector->anchors, TRUE);
	log_event(LOG_LEVEL_NOTICE, "stopped", NULL);
	log_flush();
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct collector collector = {.signal_fd = -1};
	g_autoptr(GError) error = NULL;
	int status;

	if (argc < 2 || argc > 3) {
		fputs("usage: collect CONFIG [STORE]; it is started by `mailtrace collect`\n",
		      stderr);
		return EXIT_CONFIG;
	}
	collector.config_path = argv[1];
	collector.settings = settings_read_for("collect", argv[1], NULL, &error);
	if (!collector.settings) {
		fprintf(stderr, "mailtrace collect: %s\n", error->message);
		return EXIT_CONFIG;
	}
	collector.store_url = g_strdup(argc == 3 ? argv[2] : collector.settings->store);
	log_open("mailtrace-collect", LOG_TARGET_STDERR);
	collector.signal_fd = open_signals();
	status = serve(&collector);
	collector_clear(&collector);
	return status;
}
