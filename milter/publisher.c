/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "publisher.h"

#include <string.h>
#include <sys/eventfd.h>

#include "bus.h"
#include "bus_frames.h"
#include "caps.h"
#include "keys.h"
#include "log.h"
#include "spool.h"

#define WINDOW 4	 /* batches that may wait for their ACK */
#define RETRY_MS 100	 /* after back-pressure, or when the spool could not be read */
#define DRAIN_STEP_MS 50 /* at the end, between looks at the clock */
#define CLOCK_ROUND_US (2 * G_USEC_PER_SEC) /* a beat and its answer, to be a measurement */

struct publisher {
	struct spool *spool;
	struct publisher_source source; /* spool, functions and data; its texts are gone */
	char *endpoint;
	struct key_pair pair;
	char server_key[KEY_Z85_LENGTH + 1];
	GThread *thread;
	gint stopping;	/* atomic */
	guint drain_ms; /* set before stopping is */

	/* The thread's own. */
	struct bus_sensor *bus;
	gboolean welcomed;    /* on this connection */
	guint64 acked;	      /* the collector has everything up to it */
	guint64 sent;	      /* on this connection, up to it */
	guint64 ends[WINDOW]; /* the last numbers of the batches that wait for their ACK */
	guint in_flight;
	GPtrArray *pending; /* read and not yet sent, or NULL */
	guint64 pending_first;
	GQueue damaged; /* of guint64 *: sent as empty events, in order */
	gint64 progress_us;
	gint64 beat_us; /* when the next one is due */
	gint64 stop_us; /* 0 until stopping is seen */
	gboolean retry;
	gboolean told_silent;	 /* since it was last connected */
	guint alarm;		 /* of the spool, as it was last told; percent */
	gint64 sent_us, sent_at; /* the last beat: by the clock, and monotonic */
	gboolean has_offset;
	gint64 offset_us; /* of our clock before the collector's */
	gint64 round_us;  /* how long its answer took: offset_us is wrong by half at most */
};

/* ---- what is said to the administrator ---- */

static void
log_number(enum log_level level, const char *event, guint64 n, const char *why)
{
	g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, n);

	log_event(level, event, "n", number, "reason", why, NULL);
}

/* Says once when the spool reaches 50 and 80 percent, and when it is well below again. */
static void
check_alarm(struct publisher *publisher, const struct spool_status *status)
{
	guint64 used_bytes = status->bytes + status->dead_bytes;
	gboolean rises = status->alarm > publisher->alarm;
	guint told = rises ? status->alarm : publisher->alarm;
	g_autofree char *alarm = NULL, *used = NULL;

	if (status->alarm == publisher->alarm)
		return;
	alarm = g_strdup_printf("%u", told);
	used = g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, used_bytes,
			       status->max_bytes);
	log_event(rises ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
		  rises ? "spool-fills" : "spool-empties", "percent", alarm, "bytes", used,
		  "remedy",
		  rises ? "see why the collector takes nothing, or raise max_bytes" : NULL, NULL);
	publisher->alarm = status->alarm;
}

/* ---- the connection ---- */

/* What is not acknowledged is sent again on the next connection. */
static void
forget_connection(struct publisher *publisher)
{
	publisher->welcomed = FALSE;
	publisher->in_flight = 0;
	g_clear_pointer(&publisher->pending, g_ptr_array_unref);
	publisher->progress_us = g_get_monotonic_time();
}

static struct bus_sensor *
make_bus(struct publisher *publisher, GError **error)
{
	return bus_sensor_new(publisher->endpoint, &publisher->pair, publisher->server_key,
			      spool_epoch(publisher->spool), error);
}

/*
 * Begins a new sequence: the collector's account of the old one cannot be
 * true.  Either this spool was put back from a copy, and its numbers were
 * given before to other events; or the collector's store was, and waits for
 * numbers that have left this spool.  Events that arrive twice are one in the
 * store by their ids.
 */
static void
renew_sequence(struct publisher *publisher, guint64 through)
{
	g_autoptr(GError) error = NULL;
	struct bus_sensor *bus = NULL;

	log_number(LOG_LEVEL_WARNING, "sequence-renewed", through,
		   "the collector's account does not fit: spool or store was put back from a copy");
	if (spool_renew_epoch(publisher->spool, &error))
		bus = make_bus(publisher, &error);
	forget_connection(publisher);
	g_queue_clear_full(&publisher->damaged, g_free);
	publisher->acked = publisher->sent = 0;
	if (bus) {
		bus_sensor_free(publisher->bus);
		publisher->bus = bus;
		return;
	}
	log_event(LOG_LEVEL_ERROR, "sequence-not-renewed", "error", error->message, NULL);
}

/* ---- what the collector says ---- */

/* Puts the damaged entries that the collector has noted among the dead letters. */
static void
bury_damaged(struct publisher *publisher, guint64 through)
{
	guint64 *n;

	while ((n = g_queue_peek_head(&publisher->damaged)) && *n <= through) {
		spool_refuse(publisher->spool, *n, "damaged at rest", NULL);
		g_free(g_queue_pop_head(&publisher->damaged));
	}
}

static void
acknowledge(struct publisher *publisher, guint64 through)
{
	g_autoptr(GError) error = NULL;
	guint done = 0;

	if (through <= publisher->acked)
		return;
	bury_damaged(publisher, through);
	/* What cannot be removed now goes with the next one, or is sent again after a restart. */
	if (!spool_acknowledge(publisher->spool, through, &error))
		log_event(LOG_LEVEL_ERROR, "spool-not-cleared", "error", error->message, NULL);
	publisher->acked = through;
	publisher->progress_us = g_get_monotonic_time();
	while (done < publisher->in_flight && publisher->ends[done] <= through)
		done++;
	publisher->in_flight -= done;
	memmove(publisher->ends, publisher->ends + done,
		publisher->in_flight * sizeof publisher->ends[0]);
}

/*
 * Has the program keep what came under a topic, and says how far it has come.
 * On a new connection, name is NULL: nothing came, and of all topics it is said.
 */
static void
tell_program(struct publisher *publisher, const char *name, GBytes *bytes)
{
	const struct publisher_topic *topic = publisher->source.topics;

	for (; topic && topic->name; topic++) {
		if (!name || strcmp(topic->name, name) == 0) {
			g_autoptr(GBytes) state = topic->told(publisher->source.data, bytes);

			bus_sensor_have(publisher->bus, topic->name, state);
		}
	}
}

/*
 * The answer to our last beat: it came to the collector between sending and
 * now, in the middle as far as we know.  One that took long tells little.
 */
static void
take_clock(struct publisher *publisher, GBytes *bytes)
{
	gint64 round_us = g_get_monotonic_time() - publisher->sent_at;
	gint64 sent_us, came_us;

	if (!bus_clock_parse(bytes, &sent_us, &came_us) || sent_us != publisher->sent_us ||
	    round_us > CLOCK_ROUND_US)
		return;
	publisher->has_offset = TRUE;
	publisher->round_us = round_us;
	publisher->offset_us = sent_us + round_us / 2 - came_us;
}

static void
on_tell(struct publisher *publisher, const struct bus_sensor_news *news)
{
	if (!publisher->welcomed)
		return;
	if (strcmp(news->topic, BUS_CLOCK_TOPIC) == 0)
		take_clock(publisher, news->payload);
	else
		tell_program(publisher, news->topic, news->payload);
}

static void
on_welcome(struct publisher *publisher, guint64 through)
{
	struct spool_status status;

	spool_status(publisher->spool, &status);
	if (through > status.last || through < status.acknowledged) {
		renew_sequence(publisher, through);
		return;
	}
	forget_connection(publisher);
	acknowledge(publisher, through);
	publisher->sent = through;
	publisher->welcomed = TRUE;
	publisher->told_silent = FALSE;
	publisher->beat_us = 0;
	log_event(LOG_LEVEL_INFO, "collector-connected", "endpoint", publisher->endpoint, NULL);
	tell_program(publisher, NULL, NULL);
}

static void
on_ack(struct publisher *publisher, guint64 through)
{
	if (publisher->welcomed && through <= publisher->sent)
		acknowledge(publisher, through);
	else
		log_number(LOG_LEVEL_WARNING, "ack-ignored", through, "was not sent");
}

static void
on_refuse(struct publisher *publisher, guint64 n, const char *reason)
{
	g_autoptr(GError) error = NULL;

	if (!publisher->welcomed || n > publisher->sent)
		return;
	log_number(LOG_LEVEL_WARNING, "event-refused", n, reason);
	if (!spool_refuse(publisher->spool, n, reason, &error))
		log_event(LOG_LEVEL_ERROR, "spool-not-cleared", "error", error->message, NULL);
}

static void
take_news(struct publisher *publisher, const struct bus_sensor_news *news)
{
	switch (news->event) {
	case BUS_SENSOR_NOTHING:
		break;
	case BUS_SENSOR_WELCOME:
		on_welcome(publisher, news->through);
		break;
	case BUS_SENSOR_ACK:
		on_ack(publisher, news->through);
		break;
	case BUS_SENSOR_REFUSE:
		on_refuse(publisher, news->through, news->reason);
		break;
	case BUS_SENSOR_DENIED:
		log_event(LOG_LEVEL_WARNING, "collector-denied", "endpoint", publisher->endpoint,
			  "remedy", "mailtrace sensor add, at the collector", NULL);
		break;
	case BUS_SENSOR_TELL:
		on_tell(publisher, news);
		break;
	}
}

/* ---- what is said to the collector ---- */

/*
 * A damaged entry is sent as an empty event: the collector notes its number
 * as a dead letter, and those behind it do not wait for it for ever.
 */
static void
send_damaged(struct publisher *publisher, guint64 n, const char *why)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, n);
	guint64 *number = g_new(guint64, 1);

	log_event(LOG_LEVEL_ERROR, "spool-damaged", "n", text, "reason", why, "effect",
		  "kept as a dead letter, no part of it is stored", "remedy",
		  "check the disk; mailtrace import makes the record of a delivered message anew",
		  NULL);
	*number = n;
	g_queue_push_tail(&publisher->damaged, number);
	publisher->pending = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	publisher->pending_first = n;
	g_ptr_array_add(publisher->pending, g_bytes_new_static("", 0));
}

/* Reads the next batch into pending.  FALSE when there is none. */
static gboolean
read_batch(struct publisher *publisher)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) events = NULL;

	if (publisher->pending)
		return TRUE;
	events = spool_read(publisher->spool, publisher->sent, CAP_BATCH_EVENTS, CAP_BATCH_BYTES,
			    &publisher->pending_first, &error);
	if (events && events->len == 0)
		return FALSE;
	if (events) {
		publisher->pending = g_steal_pointer(&events);
		return TRUE;
	}
	if (g_error_matches(error, SPOOL_ERROR, SPOOL_ERROR_DAMAGED)) {
		send_damaged(publisher, publisher->pending_first, error->message);
		return TRUE;
	}
	log_event(LOG_LEVEL_ERROR, "spool-unreadable", "error", error->message, NULL);
	publisher->retry = TRUE;
	return FALSE;
}

static void
fill_window(struct publisher *publisher)
{
	publisher->retry = FALSE;
	while (publisher->welcomed && publisher->in_flight < WINDOW && read_batch(publisher)) {
		if (!bus_sensor_send(publisher->bus, publisher->pending_first,
				     publisher->pending)) {
			publisher->retry = TRUE;
			return;
		}
		if (publisher->in_flight == 0)
			publisher->progress_us = g_get_monotonic_time();
		publisher->sent = publisher->pending_first + publisher->pending->len - 1;
		publisher->ends[publisher->in_flight++] = publisher->sent;
		g_clear_pointer(&publisher->pending, g_ptr_array_unref);
	}
}

/* What is known of the clock, as members of an object, each with a comma before it. */
static void
add_clock(struct publisher *publisher, GString *json)
{
	g_string_append_printf(json, ",\"sent_us\":%" G_GINT64_FORMAT, publisher->sent_us);
	if (publisher->has_offset)
		g_string_append_printf(json,
				       ",\"clock_offset_us\":%" G_GINT64_FORMAT
				       ",\"clock_round_us\":%" G_GINT64_FORMAT,
				       publisher->offset_us, publisher->round_us);
}

/* The program's counters, how the spool stands and the clock, as one JSON object. */
static char *
counters(struct publisher *publisher, gint64 settled_us, const struct spool_status *status)
{
	g_autofree char *own = publisher->source.counters(publisher->source.data);
	gsize length = strlen(own);
	GString *json = g_string_new_len(own, (gssize)length - 1);

	g_string_append_printf(
		json,
		"%s\"complete_us\":%" G_GINT64_FORMAT ",\"spool_entries\":%" G_GUINT64_FORMAT
		",\"spool_bytes\":%" G_GUINT64_FORMAT ",\"spool_max_bytes\":%" G_GUINT64_FORMAT
		",\"spool_dead\":%" G_GUINT64_FORMAT ",\"spool_oldest_us\":%" G_GINT64_FORMAT
		",\"spool_writable\":%s,\"spool_alarm\":%u",
		length > 2 ? "," : "", settled_us, status->entries, status->bytes,
		status->max_bytes, status->dead, status->oldest_us,
		status->writable ? "true" : "false", status->alarm);
	add_clock(publisher, json);
	g_string_append_c(json, '}');
	return g_string_free(json, FALSE);
}

static void
beat_if_due(struct publisher *publisher)
{
	gint64 now = g_get_monotonic_time();
	g_autofree char *json = NULL;
	struct spool_status status;
	gint64 settled_us;

	if (now < publisher->beat_us)
		return;
	/* First: what is in the spool now is all there was until then. */
	settled_us = publisher->source.settled_us(publisher->source.data);
	publisher->beat_us = now + BUS_HEARTBEAT_MS * 1000;
	spool_status(publisher->spool, &status);
	check_alarm(publisher, &status);
	if (!publisher->welcomed)
		return;
	publisher->sent_us = g_get_real_time();
	publisher->sent_at = g_get_monotonic_time();
	json = counters(publisher, settled_us, &status);
	bus_sensor_beat(publisher->bus, status.last, json);
}

/* ---- the thread ---- */

/* The connection is made anew when an answer is owed for too long. */
static void
check_deadline(struct publisher *publisher)
{
	gint64 now = g_get_monotonic_time();
	gboolean owed = publisher->in_flight > 0 || !publisher->welcomed;

	if (!owed || now - publisher->progress_us < BUS_ACK_DEADLINE_MS * G_GINT64_CONSTANT(1000))
		return;
	/* Each connection that falls silent; of those that never came about the first. */
	if (publisher->welcomed || !publisher->told_silent)
		log_event(LOG_LEVEL_WARNING, "collector-silent", "endpoint", publisher->endpoint,
			  NULL);
	publisher->told_silent = TRUE;
	forget_connection(publisher);
	bus_sensor_reconnect(publisher->bus);
}

/* Returns TRUE when it was asked to stop, and nothing is left or the time is up. */
static gboolean
is_finished(struct publisher *publisher)
{
	gint64 now = g_get_monotonic_time();
	struct spool_status status;

	if (!g_atomic_int_get(&publisher->stopping))
		return FALSE;
	if (publisher->stop_us == 0)
		publisher->stop_us = now + publisher->drain_ms * G_GINT64_CONSTANT(1000);
	spool_status(publisher->spool, &status);
	return publisher->acked >= status.last || status.entries == 0 || now >= publisher->stop_us;
}

static guint
wait_ms(struct publisher *publisher)
{
	gint64 until_beat_us = publisher->beat_us - g_get_monotonic_time();
	guint wait = (guint)(CLAMP(until_beat_us, 0, BUS_HEARTBEAT_MS * 1000) / 1000) + 1;

	if (publisher->retry)
		wait = MIN(wait, RETRY_MS);
	if (publisher->stop_us)
		wait = MIN(wait, DRAIN_STEP_MS);
	return wait;
}

static gpointer
publisher_main(gpointer data)
{
	struct publisher *publisher = data;
	int wake_fd = spool_wake_fd(publisher->spool);

	publisher->progress_us = g_get_monotonic_time();
	while (!is_finished(publisher)) {
		struct bus_sensor_news news;
		eventfd_t count;

		bus_sensor_poll(publisher->bus, wake_fd, wait_ms(publisher), &news);
		eventfd_read(wake_fd, &count);
		take_news(publisher, &news);
		bus_sensor_news_clear(&news);
		check_deadline(publisher);
		fill_window(publisher);
		beat_if_due(publisher);
	}
	return NULL;
}

static void
publisher_free(struct publisher *publisher)
{
	bus_sensor_free(publisher->bus);
	g_clear_pointer(&publisher->pending, g_ptr_array_unref);
	g_queue_clear_full(&publisher->damaged, g_free);
	key_pair_clear(&publisher->pair);
	g_free(publisher->endpoint);
	g_free(publisher);
}

static gboolean
publisher_open(struct publisher *publisher, const struct publisher_source *source, GError **error)
{
	if (!key_pair_read(source->sensor_key, &publisher->pair, error) ||
	    !public_key_read(source->collector_public_key, publisher->server_key, error))
		return FALSE;
	publisher->bus = make_bus(publisher, error);
	if (!publisher->bus)
		return FALSE;
	publisher->thread = g_thread_try_new("publisher", publisher_main, publisher, error);
	return publisher->thread != NULL;
}

struct publisher *
publisher_start(const struct publisher_source *source, GError **error)
{
	struct publisher *publisher;

	if (!*source->collector)
		return NULL;
	publisher = g_new0(struct publisher, 1);
	publisher->source = *source;
	publisher->spool = source->spool;
	publisher->endpoint = g_strdup(source->collector);
	g_queue_init(&publisher->damaged);
	if (publisher_open(publisher, source, error))
		return publisher;
	publisher_free(publisher);
	return NULL;
}

void
publisher_stop(struct publisher *publisher, guint drain_ms)
{
	if (!publisher)
		return;
	publisher->drain_ms = drain_ms;
	g_atomic_int_set(&publisher->stopping, TRUE);
	eventfd_write(spool_wake_fd(publisher->spool), 1);
	g_thread_join(publisher->thread);
	publisher_free(publisher);
}
