/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow - sends what the MTA's log says of messages to the collector.
 *
 * Lines become deliveries, deliveries go into a spool of the follower's own,
 * and the publisher carries them.  The place in the log is written down after
 * the spool has synced what stands before it: a kill between the two has lines
 * read again, and these give the same event ids, which the store knows.  So
 * nothing is skipped, and nothing counts twice.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "dovecot_log.h"
#include "libexec.h"
#include "log.h"
#include "log_line.h"
#include "log_source.h"
#include "mta_login.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"
#include "postfix_log.h"
#include "publisher.h"
#include "queue_id.h"
#include "sendmail_log.h"
#include "settings.h"
#include "spool.h"

#define EXIT_CONFIG 2
#define POLL_MS 1000		 /* rotation makes no sound that inotify hears of a file */
#define LINES_AT_ONCE 512	 /* and their deliveries: one sync of the spool */
#define SAVE_US G_USEC_PER_SEC	 /* between two writes of the place, while lines come */
#define DRAIN_MS 2000		 /* at the end, for what the collector has not acknowledged */
#define POSITION_NAME "position" /* in the spool's directory */

struct follower {
	struct settings *settings;
	struct spool *spool;
	struct publisher *publisher;
	struct log_source *source;
	GTimeZone *zone;
	char *position_path;
	int signal_fd;
	gboolean stopping;
	gint64 saved_us;      /* monotonic, when the place was written down */
	gboolean moved;	      /* since then */
	GPtrArray *unspooled; /* of GBytes: read, and not yet in the spool */
	atomic_llong lines, deliveries, lost_places, short_ids,
		settled_us; /* the publisher's thread reads them */
};

/* ---- what the collector hears ---- */

static char *
counters(void *data)
{
	struct follower *follower = data;

	return g_strdup_printf("{\"log_lines\":%lld,\"deliveries\":%lld,\"log_gaps\":%lld,"
			       "\"short_queue_ids\":%lld}",
			       atomic_load(&follower->lines), atomic_load(&follower->deliveries),
			       atomic_load(&follower->lost_places),
			       atomic_load(&follower->short_ids));
}

static gint64
settled_us(void *data)
{
	struct follower *follower = data;

	return atomic_load(&follower->settled_us);
}

/* ---- the place ---- */

/* *ret_place: NULL if there is none, at the first start.  FALSE if it cannot be read. */
static gboolean
read_position(const struct follower *follower, char **ret_place, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) why = NULL;
	gsize length = 0;

	if (!g_file_get_contents(follower->position_path, &text, &length, &why) &&
	    !g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (length > LOG_SOURCE_PLACE_BYTES)
		text[0] = '\0'; /* as no place begins */
	*ret_place = g_steal_pointer(&text);
	return TRUE;
}

static void
save_position(struct follower *follower)
{
	g_autofree char *text = log_source_place(follower->source);
	g_autoptr(GError) error = NULL;

	if (text == NULL)
		return;
	if (g_file_set_contents_full(follower->position_path, text, -1,
				     G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
				     0600, &error))
		follower->moved = FALSE;
	else /* lines are read again after a restart, which does no harm */
		log_event(LOG_LEVEL_ERROR, "position-not-saved", "error", error->message, NULL);
	follower->saved_us = g_get_monotonic_time();
}

static void
save_if_due(struct follower *follower, gboolean idle)
{
	if (follower->moved && (idle || g_get_monotonic_time() - follower->saved_us >= SAVE_US))
		save_position(follower);
}

/* ---- lines ---- */

static void
tell_gaps(struct follower *follower)
{
	char *reason;

	while ((reason = log_source_gap(follower->source)) != NULL) {
		atomic_fetch_add(&follower->lost_places, 1);
		log_event(LOG_LEVEL_WARNING, "log-gap", "log", follower->settings->follow_log,
			  "reason", reason, NULL);
		g_free(reason);
	}
}

static void
tell_trouble(struct follower *follower)
{
	g_autofree char *path = log_source_trouble(follower->source);

	if (path != NULL)
		log_event(LOG_LEVEL_WARNING, "old-log-not-read", "log", path, "reason",
			  "it is damaged, unreadable or too large", NULL);
}

static gboolean
is_asked(const struct follower *follower, enum follow_format format)
{
	enum follow_format asked = follower->settings->follow_format;

	return asked == FOLLOW_AUTO || asked == format;
}

/* Reads a line as each of the formats asked: each knows its own by the tag. */
static void
read_line(struct follower *follower, const struct log_line *line, gint64 now_us,
	  GPtrArray *deliveries, GPtrArray *logins)
{
	struct delivery *delivery = NULL;

	if (is_asked(follower, FOLLOW_POSTFIX))
		delivery = postfix_log_parse(line->bytes, line->length, line->offset, now_us,
					     follower->zone);
	if (delivery != NULL) {
		g_ptr_array_add(deliveries, delivery);
		if (!queue_id_is_unique(delivery->queue_id))
			atomic_fetch_add(&follower->short_ids, 1);
	}
	if (deliveries->len == 0 && is_asked(follower, FOLLOW_SENDMAIL))
		sendmail_log_parse(line->bytes, line->length, line->offset, now_us, follower->zone,
				   deliveries);
	if (deliveries->len == 0 && is_asked(follower, FOLLOW_DOVECOT))
		dovecot_log_parse(line->bytes, line->length, line->offset, now_us, follower->zone,
				  g_get_host_name(), deliveries, logins);
}

/* Reads a line that tells of no message for a login to the MTA. */
static void
read_mta_login(struct follower *follower, const struct log_line *line, gint64 now_us,
	       GPtrArray *logins)
{
	struct login *login = NULL;

	if (is_asked(follower, FOLLOW_POSTFIX))
		login = postfix_login_parse(line->bytes, line->length, line->offset, now_us,
					    follower->zone);
	if (login == NULL && is_asked(follower, FOLLOW_SENDMAIL))
		login = sendmail_login_parse(line->bytes, line->length, line->offset, now_us,
					     follower->zone);
	if (login != NULL)
		g_ptr_array_add(logins, login);
}

static void
take_line(struct follower *follower, const struct log_line *line, gint64 read_us)
{
	gint64 now_us = line->before_us ? MIN(line->before_us, read_us) : read_us;
	g_autoptr(GPtrArray) deliveries =
		g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func((GDestroyNotify)login_free);

	read_line(follower, line, now_us, deliveries, logins);
	if (follower->settings->follow_logins == FOLLOW_LOGINS_NO)
		g_ptr_array_set_size(logins, 0);
	else if (deliveries->len == 0 && logins->len == 0)
		read_mta_login(follower, line, now_us, logins);
	for (guint i = 0; i < deliveries->len; i++)
		g_ptr_array_add(follower->unspooled,
				ocsf_encode_delivery(g_ptr_array_index(deliveries, i)));
	for (guint i = 0; i < logins->len; i++)
		g_ptr_array_add(follower->unspooled,
				ocsf_encode_login(g_ptr_array_index(logins, i)));
}

static void
take_lines(struct follower *follower, const GPtrArray *lines)
{
	gint64 now_us = g_get_real_time();

	for (guint i = 0; i < lines->len; i++)
		take_line(follower, g_ptr_array_index(lines, i), now_us);
	atomic_fetch_add(&follower->lines, lines->len);
	follower->moved = follower->moved || lines->len > 0;
}

/*
 * Puts what was read on disk.  FALSE when it has to wait: a full disk is
 * waited for, since the log keeps what is not read; a disk that failed ends
 * the program.
 */
static gboolean
spool_lines(struct follower *follower)
{
	g_autoptr(GError) error = NULL;

	if (follower->unspooled->len == 0)
		return TRUE;
	if (spool_append_all(follower->spool, follower->unspooled, &error)) {
		atomic_fetch_add(&follower->deliveries, follower->unspooled->len);
		g_ptr_array_set_size(follower->unspooled, 0);
		return TRUE;
	}
	log_event(LOG_LEVEL_ERROR, "not-spooled", "error", error->message, NULL);
	if (g_error_matches(error, SPOOL_ERROR, SPOOL_ERROR_WRITE))
		follower->stopping = TRUE;
	return FALSE;
}

/* Reads on.  Returns TRUE if there may be more at once. */
static gboolean
work(struct follower *follower)
{
	gint64 now_us = g_get_real_time();
	g_autoptr(GPtrArray) lines = NULL;
	gboolean all;

	if (!spool_lines(follower))
		return FALSE;
	lines = log_source_read(follower->source, LINES_AT_ONCE, &all);
	tell_gaps(follower);
	tell_trouble(follower);
	take_lines(follower, lines);
	if (!spool_lines(follower))
		return FALSE;
	if (all)
		atomic_store(&follower->settled_us, now_us);
	save_if_due(follower, all);
	return lines->len > 0;
}

/* ---- life ---- */

static void
take_signals(struct follower *follower)
{
	struct signalfd_siginfo info;

	while (read(follower->signal_fd, &info, sizeof(info)) == sizeof(info))
		follower->stopping = TRUE;
}

static void
run(struct follower *follower)
{
	while (!follower->stopping) {
		gboolean more = work(follower);
		struct pollfd fds[] = {
			{.fd = follower->signal_fd, .events = POLLIN},
			{.fd = log_source_fd(follower->source), .events = POLLIN},
		};

		/* While the spool is full, lines that come are no reason to wake. */
		poll(fds, follower->unspooled->len > 0 ? 1 : 2, more ? 0 : POLL_MS);
		take_signals(follower);
		sd_notify(0, "WATCHDOG=1");
	}
}

static gboolean
start_publisher(struct follower *follower, GError **error)
{
	const struct settings *settings = follower->settings;
	const struct publisher_source source = {
		.collector = settings->collector,
		.sensor_key = settings->follow_key,
		.collector_public_key = settings->collector_public_key,
		.spool = follower->spool,
		.counters = counters,
		.settled_us = settled_us,
		.data = follower,
	};

	follower->publisher = publisher_start(&source, error);
	return follower->publisher != NULL;
}

static gboolean
open_source(struct follower *follower, const char *place, GError **error)
{
	const struct settings *settings = follower->settings;
	g_autofree char *decompress = libexec_path("decompress");
	const struct log_source_options options = {
		.log = settings->follow_log,
		.users = (const char *const *)settings->follow_journal_users,
		.decompress = decompress,
		.from_end = settings->follow_from == FOLLOW_FROM_END,
	};
	GError *why = NULL;

	follower->source = log_source_new(&options, place, &why);
	if (follower->source)
		return TRUE;
	if (why->domain == LOG_SOURCE_ERROR)
		g_prefix_error(&why, "%s ", follower->position_path);
	g_propagate_error(error, why);
	return FALSE;
}

static gboolean
follower_open(struct follower *follower, GError **error)
{
	const struct settings *settings = follower->settings;
	g_autofree char *place = NULL;

	follower->unspooled = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	follower->zone = g_time_zone_new_local();
	follower->position_path =
		g_build_filename(settings->follow_spool_directory, POSITION_NAME, NULL);
	follower->spool = spool_open(settings->follow_spool_directory, 0, error);
	if (follower->spool && spool_mended(follower->spool))
		log_event(LOG_LEVEL_ERROR, "spool-mended", "what", spool_mended(follower->spool),
			  "remedy", SPOOL_MENDED_REMEDY, NULL);
	if (!follower->spool || !read_position(follower, &place, error) ||
	    !open_source(follower, place, error))
		return FALSE;
	follower->moved = !place; /* where the first start begins is a place to come back to */
	return start_publisher(follower, error);
}

static void
follower_clear(struct follower *follower)
{
	publisher_stop(follower->publisher, DRAIN_MS);
	spool_close(follower->spool);
	log_source_free(follower->source);
	if (follower->unspooled)
		g_ptr_array_unref(follower->unspooled);
	if (follower->zone)
		g_time_zone_unref(follower->zone);
	settings_unref(follower->settings);
	g_free(follower->position_path);
	if (follower->signal_fd >= 0)
		close(follower->signal_fd);
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
serve(struct follower *follower)
{
	g_autoptr(GError) error = NULL;
	gboolean failed;

	if (!follower_open(follower, &error)) {
		log_event(LOG_LEVEL_ERROR, "not-started", "error", error->message, NULL);
		return EXIT_FAILURE;
	}
	log_event(LOG_LEVEL_NOTICE, "started", "log", follower->settings->follow_log, NULL);
	sd_notify(0, "READY=1");
	run(follower);
	sd_notify(0, "STOPPING=1");
	failed = follower->unspooled->len > 0;
	if (follower->moved && !failed)
		save_position(follower);
	log_event(LOG_LEVEL_NOTICE, "stopped", NULL);
	log_flush();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct follower follower = {.signal_fd = -1};
	g_autoptr(GError) error = NULL;
	int status;

	if (argc != 2) {
		fputs("usage: follow CONFIG; it is started by `mailtrace follow`\n", stderr);
		return EXIT_CONFIG;
	}
	follower.settings = settings_read_for("follow", argv[1], NULL, &error);
	if (!follower.settings) {
		fprintf(stderr, "mailtrace follow: %s\n", error->message);
		return EXIT_CONFIG;
	}
	log_open("mailtrace-follow", LOG_TARGET_STDERR);
	follower.signal_fd = open_signals();
	status = serve(&follower);
	follower_clear(&follower);
	return status;
}
