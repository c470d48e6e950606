/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "bus.h"
#include "bus_frames.h"
#include "caps.h"

#define EPOCH "01234567-89ab-4def-8123-456789abcdef"
#define OTHER_EPOCH "f1234567-89ab-4def-8123-456789abcdef"
#define DEADLINE_MS 20000 /* for what must happen */
#define QUIET_MS 400	  /* for what must not */
#define TURN_MS 20	  /* of one end in turn with the other */

/* A collector and the keys of its site. */
struct site {
	char *directory;
	char *list;
	struct key_pair server;
	struct key_pair mx1; /* acme, publish */
	struct key_pair mx2; /* globex, publish */
	struct key_pair soc; /* acme, subscribe */
	struct key_pair stranger;
	struct bus_collector *collector;
};

static struct site site;

static void
authorize(const char *name, const struct key_pair *pair, const char *tenant, guint roles)
{
	struct authorized_key key = {(char *)name, "", (char *)tenant, roles};

	memcpy(key.public_key, pair->public_key, sizeof key.public_key);
	cr_assert(authorized_keys_add(site.list, &key, NULL));
}

static struct authorized_keys *
keys(void)
{
	struct authorized_keys *list = authorized_keys_read(site.list, NULL);

	cr_assert(list);
	return list;
}

static void
start_collector_at(const char *listen, const char *publish)
{
	const char *endpoints[] = {listen, NULL};
	g_autoptr(GError) error = NULL;
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;

	/* The port of one that was just closed is free when libzmq's thread has closed it. */
	do {
		g_clear_error(&error);
		site.collector =
			bus_collector_new(endpoints, publish, &site.server, keys(), &error);
	} while (!site.collector && g_get_monotonic_time() < deadline);
	cr_assert(site.collector, "%s", error ? error->message : "");
}

static void
make_site(void)
{
	site.directory = g_dir_make_tmp("test-bus-XXXXXX", NULL);
	site.list = g_build_filename(site.directory, "authorized_keys", NULL);
	cr_assert(key_pair_generate(&site.server, NULL));
	cr_assert(key_pair_generate(&site.mx1, NULL));
	cr_assert(key_pair_generate(&site.mx2, NULL));
	cr_assert(key_pair_generate(&site.soc, NULL));
	cr_assert(key_pair_generate(&site.stranger, NULL));
	authorize("mx1", &site.mx1, "acme", ROLE_PUBLISH);
	authorize("mx2", &site.mx2, "globex", ROLE_PUBLISH);
	authorize("soc", &site.soc, "acme", ROLE_SUBSCRIBE);
	start_collector_at("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
}

static void
remove_site(void)
{
	g_autoptr(GDir) dir = NULL;
	const char *name;

	bus_collector_free(site.collector);
	dir = g_dir_open(site.directory, 0, NULL);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(site.directory, name, NULL);
		g_unlink(path);
	}
	g_rmdir(site.directory);
	g_free(site.directory);
	g_free(site.list);
}

TestSuite(bus, .init = make_site, .fini = remove_site, .timeout = 120);

static struct bus_sensor *
sensor_of(const struct key_pair *pair, const char *epoch)
{
	g_autoptr(GError) error = NULL;
	struct bus_sensor *sensor = bus_sensor_new(bus_collector_endpoint(site.collector, 0), pair,
						   site.server.public_key, epoch, &error);

	cr_assert(sensor, "%s", error ? error->message : "");
	return sensor;
}

static struct bus_watch *
watch_of(const struct key_pair *pair, const char *tenant)
{
	struct bus_watch *watch = bus_watch_new(bus_collector_endpoint(site.collector, 1), pair,
						site.server.public_key, tenant, NULL);

	cr_assert(watch);
	return watch;
}

/* Lets both ends run in turn until the collector has news of this kind; clear them. */
static struct bus_collector_news
collector_news(struct bus_sensor *sensor, enum bus_collector_event event)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;
	struct bus_collector_news news = {0};
	struct bus_sensor_news sensor_news;

	while (news.event != event) {
		cr_assert_lt(g_get_monotonic_time(), deadline, "no news of kind %d", event);
		bus_collector_news_clear(&news);
		if (sensor)
			bus_sensor_poll(sensor, -1, TURN_MS, &sensor_news);
		bus_collector_poll(site.collector, NULL, 0, TURN_MS, &news);
	}
	return news;
}

/* The same for the sensor; what the collector hears meanwhile is dropped. */
static struct bus_sensor_news
sensor_news(struct bus_sensor *sensor, enum bus_sensor_event event)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;
	struct bus_sensor_news news = {0};

	while (news.event != event) {
		struct bus_collector_news heard;
		cr_assert_lt(g_get_monotonic_time(), deadline, "no news of kind %d", event);
		bus_collector_poll(site.collector, NULL, 0, TURN_MS, &heard);
		bus_collector_news_clear(&heard);
		bus_sensor_poll(sensor, -1, TURN_MS, &news);
	}
	return news;
}

static GPtrArray *
events_of(guint count, const char *text)
{
	GPtrArray *events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	for (guint i = 0; i < count; i++)
		g_ptr_array_add(events, g_bytes_new(text, strlen(text)));
	return events;
}

/* Connects and greets; the HELLO has been heard. */
static struct bus_sensor *
greeted_sensor(const struct key_pair *pair, const char *epoch)
{
	struct bus_sensor *sensor = sensor_of(pair, epoch);
	struct bus_collector_news news = collector_news(sensor, BUS_COLLECTOR_HELLO);

	bus_collector_news_clear(&news);
	return sensor;
}

static void
send_batch(struct bus_sensor *sensor, guint64 first, guint count, const char *text)
{
	g_autoptr(GPtrArray) events = events_of(count, text);

	cr_assert(bus_sensor_send(sensor, first, events));
}

Test(bus, a_sensor_is_known_by_its_key_and_greets_with_its_epoch)
{
	struct bus_sensor *sensor = sensor_of(&site.mx2, EPOCH);
	struct bus_collector_news news = collector_news(sensor, BUS_COLLECTOR_HELLO);

	cr_assert_str_eq(news.sensor, "mx2");
	cr_assert_str_eq(news.tenant, "globex");
	cr_assert_str_eq(news.epoch, EPOCH);
	cr_assert_str_eq(news.address, "127.0.0.1");
	cr_assert(!news.second_peer);
	bus_collector_welcome(site.collector, news.peer, news.epoch, 41);
	cr_assert_eq(sensor_news(sensor, BUS_SENSOR_WELCOME).through, 41);
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
}

Test(bus, a_batch_arrives_as_sent_and_is_acknowledged_and_refused)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	struct bus_collector_news news;
	struct bus_sensor_news heard;

	send_batch(sensor, 7, CAP_BATCH_EVENTS, "{\"a\":1}");
	news = collector_news(sensor, BUS_COLLECTOR_BATCH);
	cr_assert_eq(news.first, 7);
	cr_assert_eq(news.events->len, CAP_BATCH_EVENTS);
	cr_assert_eq(g_bytes_get_size(news.events->pdata[255]), 7);
	cr_assert(memcmp(g_bytes_get_data(news.events->pdata[255], NULL), "{\"a\":1}", 7) == 0);
	bus_collector_refuse(site.collector, news.peer, news.epoch, 8, "not an event");
	bus_collector_ack(site.collector, news.peer, news.epoch, 262);
	heard = sensor_news(sensor, BUS_SENSOR_REFUSE);
	cr_assert_eq(heard.through, 8);
	cr_assert_str_eq(heard.reason, "not an event");
	cr_assert_eq(sensor_news(sensor, BUS_SENSOR_ACK).through, 262);
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
}

Test(bus, a_beat_carries_the_counters)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	struct bus_collector_news news;

	cr_assert(bus_sensor_beat(sensor, 12, "{\"seen\":3}"));
	news = collector_news(sensor, BUS_COLLECTOR_BEAT);
	cr_assert_eq(news.first, 12);
	cr_assert_str_eq(news.counters, "{\"seen\":3}");
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
}

Test(bus, ipc_works_as_tcp_does_and_its_file_is_not_for_others)
{
	g_autofree char *path = g_build_filename(site.directory, "bus.sock", NULL);
	g_autofree char *endpoint = g_strconcat("ipc://", path, NULL);
	struct bus_sensor *sensor;
	struct stat st;

	bus_collector_free(site.collector);
	start_collector_at(endpoint, "");
	cr_assert(stat(path, &st) == 0);
	cr_assert_eq(st.st_mode & 0777, 0660);
	sensor = greeted_sensor(&site.mx1, EPOCH);
	bus_sensor_free(sensor);
	sensor = sensor_of(&site.stranger, EPOCH);
	sensor_news(sensor, BUS_SENSOR_DENIED);
	bus_sensor_free(sensor);
}

Test(bus, an_unknown_key_is_denied_and_learns_it)
{
	struct bus_sensor *sensor = sensor_of(&site.stranger, EPOCH);
	g_autoptr(GPtrArray) events = events_of(1, "x");

	sensor_news(sensor, BUS_SENSOR_DENIED);
	cr_assert(!bus_sensor_send(sensor, 1, events));
	bus_sensor_free(sensor);
}

Test(bus, a_key_without_the_role_is_denied)
{
	struct bus_sensor *sensor = sensor_of(&site.soc, EPOCH);
	struct bus_watch *watch = watch_of(&site.mx1, NULL);
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;

	sensor_news(sensor, BUS_SENSOR_DENIED);
	bus_sensor_free(sensor);
	while (!bus_watch_denied(watch)) {
		struct bus_collector_news heard;
		cr_assert_lt(g_get_monotonic_time(), deadline);
		bus_collector_poll(site.collector, NULL, 0, TURN_MS, &heard);
		bus_collector_news_clear(&heard);
		cr_assert_null(bus_watch_next(watch, TURN_MS));
	}
	bus_watch_free(watch);
}

Test(bus, a_client_without_curve_gets_nothing_in)
{
	void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER);
	struct bus_collector_news news;
	int zero = 0;

	zmq_setsockopt(dealer, ZMQ_LINGER, &zero, sizeof zero);
	cr_assert_eq(zmq_connect(dealer, bus_collector_endpoint(site.collector, 0)), 0);
	zmq_send(dealer, "MT1", 3, ZMQ_SNDMORE);
	zmq_send(dealer, "HELLO", 5, ZMQ_SNDMORE);
	zmq_send(dealer, EPOCH, 36, 0);
	bus_collector_poll(site.collector, NULL, 0, QUIET_MS, &news);
	cr_assert_eq(news.event, BUS_COLLECTOR_NOTHING);
	zmq_close(dealer);
	zmq_ctx_term(context);
}

Test(bus, a_wrong_server_key_connects_to_nobody)
{
	struct bus_sensor *sensor =
		bus_sensor_new(bus_collector_endpoint(site.collector, 0), &site.mx1,
			       site.stranger.public_key, EPOCH, NULL);
	struct bus_collector_news heard;
	struct bus_sensor_news news;

	bus_collector_poll(site.collector, NULL, 0, QUIET_MS, &heard);
	cr_assert_eq(heard.event, BUS_COLLECTOR_NOTHING);
	bus_sensor_poll(sensor, -1, TURN_MS, &news);
	cr_assert_eq(news.event, BUS_SENSOR_NOTHING);
	cr_assert(!bus_sensor_beat(sensor, 1, "{}"));
	bus_sensor_free(sensor);
}

static void
revoke_key(const char *name)
{
	gboolean removed = FALSE;

	cr_assert(authorized_keys_remove(site.list, name, &removed, NULL));
	cr_assert(removed);
	bus_collector_set_keys(site.collector, keys());
}

Test(bus, a_revoked_key_is_not_heard_any_more_and_not_let_in_again)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	struct bus_collector_news news;

	revoke_key("mx1");
	send_batch(sensor, 1, 1, "x");
	news = collector_news(sensor, BUS_COLLECTOR_GARBAGE);
	cr_assert_str_eq(news.sensor, "mx1");
	cr_assert(strstr(news.garbage, "removed"), "%s", news.garbage);
	cr_assert_null(news.events);
	bus_collector_news_clear(&news);
	bus_sensor_reconnect(sensor);
	sensor_news(sensor, BUS_SENSOR_DENIED);
	bus_sensor_free(sensor);
}

Test(bus, a_name_that_was_given_another_key_does_not_serve_the_old_one)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	struct bus_collector_news news;

	revoke_key("mx1");
	authorize("mx1", &site.stranger, "acme", ROLE_PUBLISH);
	bus_collector_set_keys(site.collector, keys());
	send_batch(sensor, 1, 1, "x");
	news = collector_news(sensor, BUS_COLLECTOR_GARBAGE);
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
	sensor = greeted_sensor(&site.stranger, EPOCH);
	bus_sensor_free(sensor);
}

Test(bus, an_added_key_is_let_in_without_a_restart)
{
	struct bus_sensor *sensor = sensor_of(&site.stranger, EPOCH);
	struct bus_collector_news news;

	sensor_news(sensor, BUS_SENSOR_DENIED);
	authorize("mx3", &site.stranger, "acme", ROLE_PUBLISH);
	bus_collector_set_keys(site.collector, keys());
	news = collector_news(sensor, BUS_COLLECTOR_HELLO);
	cr_assert_str_eq(news.sensor, "mx3");
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
}

/* A peer whose key is known but who speaks as it likes. */
static void *
raw_peer(void *context)
{
	void *dealer = zmq_socket(context, ZMQ_DEALER);
	int zero = 0;

	zmq_setsockopt(dealer, ZMQ_LINGER, &zero, sizeof zero);
	zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, site.server.public_key, 41);
	zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, site.mx1.public_key, 41);
	zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, site.mx1.secret_key, 41);
	cr_assert_eq(zmq_connect(dealer, bus_collector_endpoint(site.collector, 0)), 0);
	return dealer;
}

static void
raw_send(void *dealer, const GPtrArray *frames)
{
	for (guint i = 0; i < frames->len; i++) {
		gsize size;
		const void *bytes = g_bytes_get_data(frames->pdata[i], &size);
		cr_assert(zmq_send(dealer, size ? bytes : "", size,
				   i + 1 < frames->len ? ZMQ_SNDMORE : 0) >= 0);
	}
}

static GPtrArray *
frames_of(const struct bus_message *message)
{
	return bus_message_format(message);
}

Test(bus, garbage_is_named_and_the_next_message_is_heard)
{
	void *context = zmq_ctx_new(), *dealer = raw_peer(context);
	static const char *const garbage[][3] = {
		{"MT1"},
		{"", ""},
		{"MT2", "HELLO", EPOCH},
		{"MT1", "PURGE", EPOCH},
		{"MT1", "HELLO", "not an epoch"},
		{"MT1", "ACK", EPOCH},
	};
	struct bus_message hello = {.kind = BUS_KIND_HELLO, .epoch = EPOCH};
	struct bus_message welcome = {.kind = BUS_KIND_WELCOME, .epoch = EPOCH, .n = 3};
	g_autoptr(GPtrArray) good = frames_of(&hello), ours = frames_of(&welcome);
	struct bus_collector_news news;

	for (guint i = 0; i < G_N_ELEMENTS(garbage); i++) {
		for (guint j = 0; j < 3 && garbage[i][j]; j++)
			zmq_send(dealer, garbage[i][j], strlen(garbage[i][j]),
				 j < 2 && garbage[i][j + 1] ? ZMQ_SNDMORE : 0);
		news = collector_news(NULL, BUS_COLLECTOR_GARBAGE);
		cr_assert_str_eq(news.sensor, "mx1");
		cr_assert(news.garbage && *news.garbage, "%u", i);
		bus_collector_news_clear(&news);
	}
	raw_send(dealer, ours);
	news = collector_news(NULL, BUS_COLLECTOR_GARBAGE);
	cr_assert(strstr(news.garbage, "only the collector"));
	bus_collector_news_clear(&news);
	raw_send(dealer, good);
	news = collector_news(NULL, BUS_COLLECTOR_HELLO);
	bus_collector_news_clear(&news);
	zmq_close(dealer);
	zmq_ctx_term(context);
}

Test(bus, more_frames_than_a_batch_may_have_are_garbage)
{
	void *context = zmq_ctx_new(), *dealer = raw_peer(context);
	g_autoptr(GPtrArray) events = events_of(CAP_BATCH_EVENTS + 1, "x");
	struct bus_message batch = {
		.kind = BUS_KIND_BATCH, .epoch = EPOCH, .n = 1, .events = events};
	g_autoptr(GPtrArray) over = frames_of(&batch);
	struct bus_collector_news news;

	raw_send(dealer, over);
	news = collector_news(NULL, BUS_COLLECTOR_GARBAGE);
	cr_assert(strstr(news.garbage, "more frames"), "%s", news.garbage);
	bus_collector_news_clear(&news);
	g_ptr_array_set_size(events, CAP_BATCH_EVENTS);
	g_autoptr(GPtrArray) at = frames_of(&batch);
	raw_send(dealer, at);
	news = collector_news(NULL, BUS_COLLECTOR_BATCH);
	cr_assert_eq(news.events->len, CAP_BATCH_EVENTS);
	bus_collector_news_clear(&news);
	zmq_close(dealer);
	zmq_ctx_term(context);
}

Test(bus, an_oversized_event_is_refused_by_its_number_and_the_others_are_taken)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES + 1, 'x');
	g_autoptr(GPtrArray) events = events_of(1, "small");
	struct bus_collector_news news;
	struct bus_sensor_news heard;

	g_ptr_array_add(events, g_bytes_new(text, CAP_EVENT_BYTES + 1));
	g_ptr_array_add(events, g_bytes_new(text, CAP_EVENT_BYTES));
	cr_assert(bus_sensor_send(sensor, 5, events));
	news = collector_news(sensor, BUS_COLLECTOR_BATCH);
	cr_assert_eq(news.events->len, 3);
	cr_assert_eq(g_bytes_get_size(news.events->pdata[0]), 5);
	cr_assert_eq(g_bytes_get_size(news.events->pdata[1]), 0);
	cr_assert_eq(g_bytes_get_size(news.events->pdata[2]), CAP_EVENT_BYTES);
	bus_collector_news_clear(&news);
	heard = sensor_news(sensor, BUS_SENSOR_REFUSE);
	cr_assert_eq(heard.through, 6);
	cr_assert(strstr(heard.reason, "over the cap"), "%s", heard.reason);
	bus_sensor_free(sensor);
}

Test(bus, two_peers_with_one_key_are_both_heard_and_noticed)
{
	struct bus_sensor *first = greeted_sensor(&site.mx1, EPOCH);
	struct bus_sensor *second = greeted_sensor(&site.mx1, OTHER_EPOCH);
	struct bus_collector_news news;

	send_batch(first, 1, 1, "from the first");
	news = collector_news(NULL, BUS_COLLECTOR_BATCH);
	cr_assert_str_eq(news.epoch, EPOCH);
	cr_assert(news.second_peer);
	bus_collector_ack(site.collector, news.peer, news.epoch, 1);
	bus_collector_news_clear(&news);
	send_batch(second, 1, 1, "from the second");
	news = collector_news(NULL, BUS_COLLECTOR_BATCH);
	cr_assert_str_eq(news.epoch, OTHER_EPOCH);
	cr_assert(news.second_peer);
	bus_collector_ack(site.collector, news.peer, news.epoch, 2);
	bus_collector_news_clear(&news);
	cr_assert_eq(sensor_news(first, BUS_SENSOR_ACK).through, 1);
	cr_assert_eq(sensor_news(second, BUS_SENSOR_ACK).through, 2);
	bus_sensor_free(first);
	bus_sensor_free(second);
}

Test(bus, a_sensor_that_connects_again_is_no_second_peer)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);

	for (int i = 0; i < 3; i++) {
		struct bus_collector_news news;
		bus_sensor_reconnect(sensor);
		news = collector_news(sensor, BUS_COLLECTOR_HELLO);
		cr_assert(!news.second_peer);
		bus_collector_news_clear(&news);
	}
	bus_sensor_free(sensor);
}

Test(bus, a_sensor_greets_again_when_the_collector_comes_back)
{
	g_autofree char *events = g_strdup(bus_collector_endpoint(site.collector, 0));
	g_autofree char *live = g_strdup(bus_collector_endpoint(site.collector, 1));
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	struct bus_collector_news news;

	bus_collector_free(site.collector);
	start_collector_at(events, live);
	news = collector_news(sensor, BUS_COLLECTOR_HELLO);
	cr_assert_str_eq(news.epoch, EPOCH);
	bus_collector_welcome(site.collector, news.peer, news.epoch, 9);
	bus_collector_news_clear(&news);
	cr_assert_eq(sensor_news(sensor, BUS_SENSOR_WELCOME).through, 9);
	bus_sensor_free(sensor);
}

Test(bus, a_collector_that_does_not_read_is_pressed_against_not_buried)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES, 'x');
	g_autoptr(GPtrArray) events = events_of(1, text);
	guint64 sent = 0, heard = 0;

	while (sent < 1000 && bus_sensor_send(sensor, sent + 1, events))
		sent++;
	cr_assert_lt(sent, 100, "%" G_GUINT64_FORMAT " batches of 4 MiB were queued", sent);
	while (heard < sent) {
		struct bus_collector_news news = collector_news(sensor, BUS_COLLECTOR_BATCH);
		cr_assert_eq(news.first, ++heard, "nothing is lost or mixed");
		bus_collector_news_clear(&news);
	}
	cr_assert(bus_sensor_send(sensor, sent + 1, events), "and there is room again");
	bus_sensor_free(sensor);
}

Test(bus, answers_for_another_epoch_are_not_heard)
{
	struct bus_sensor *sensor = sensor_of(&site.mx1, EPOCH);
	struct bus_collector_news news = collector_news(sensor, BUS_COLLECTOR_HELLO);

	bus_collector_ack(site.collector, news.peer, OTHER_EPOCH, 5);
	bus_collector_ack(site.collector, news.peer, EPOCH, 6);
	cr_assert_eq(sensor_news(sensor, BUS_SENSOR_ACK).through, 6);
	bus_collector_news_clear(&news);
	bus_sensor_free(sensor);
}

Test(bus, an_answer_to_a_peer_that_has_gone_is_no_error)
{
	struct bus_sensor *sensor = sensor_of(&site.mx1, EPOCH);
	struct bus_collector_news news = collector_news(sensor, BUS_COLLECTOR_HELLO);
	struct bus_sensor *other;

	bus_sensor_free(sensor);
	for (int i = 0; i < 100; i++)
		bus_collector_ack(site.collector, news.peer, EPOCH, 6);
	bus_collector_news_clear(&news);
	other = greeted_sensor(&site.mx2, EPOCH);
	bus_sensor_free(other);
}

Test(bus, both_ends_wake_for_a_descriptor)
{
	struct bus_sensor *sensor = greeted_sensor(&site.mx1, EPOCH);
	int fd = eventfd(1, EFD_CLOEXEC);
	gint64 start = g_get_monotonic_time();
	struct bus_collector_news heard;
	struct bus_sensor_news news;

	bus_collector_poll(site.collector, &fd, 1, DEADLINE_MS, &heard);
	cr_assert_eq(heard.event, BUS_COLLECTOR_NOTHING);
	bus_sensor_poll(sensor, fd, DEADLINE_MS, &news);
	cr_assert_eq(news.event, BUS_SENSOR_NOTHING);
	cr_assert_lt(g_get_monotonic_time() - start, DEADLINE_MS * 1000 / 2);
	close(fd);
	bus_sensor_free(sensor);
}

Test(bus, endpoints_and_keys_that_cannot_be_are_named)
{
	static const char *const wrong[] = {"", "inproc://x", "ipc://relative", "tcp://127.0.0.1",
					    "udp://127.0.0.1:1"};
	g_autoptr(GError) error = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		cr_assert_null(
			bus_sensor_new(wrong[i], &site.mx1, site.server.public_key, EPOCH, &error));
		cr_assert(g_error_matches(error, BUS_ERROR, BUS_ERROR_ENDPOINT), "%s", wrong[i]);
		g_clear_error(&error);
	}
	cr_assert_null(bus_sensor_new("tcp://127.0.0.1:1", &site.mx1, "short", EPOCH, &error));
	cr_assert(g_error_matches(error, BUS_ERROR, BUS_ERROR_KEY));
	g_clear_error(&error);
	const char *taken[] = {bus_collector_endpoint(site.collector, 0), NULL};
	cr_assert_null(bus_collector_new(taken, "", &site.server, keys(), &error));
	cr_assert(g_error_matches(error, BUS_ERROR, BUS_ERROR_ENDPOINT));
	cr_assert(strstr(error->message, taken[0]));
}

/* ---- the live stream ---- */

/* Publishes until the reader has one, which must be this text. */
static void
assert_reads(struct bus_watch *watch, const char *tenant, const char *sensor, const char *text)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;
	g_autoptr(GBytes) event = g_bytes_new(text, strlen(text));
	GBytes *read = NULL;

	while (!read) {
		struct bus_collector_news heard;
		cr_assert_lt(g_get_monotonic_time(), deadline, "%s was not read", text);
		bus_collector_publish(site.collector, tenant, sensor, event);
		bus_collector_poll(site.collector, NULL, 0, TURN_MS, &heard);
		bus_collector_news_clear(&heard);
		read = bus_watch_next(watch, TURN_MS);
	}
	cr_assert(g_bytes_equal(read, event));
	g_bytes_unref(read);
}

/* Reads what is still under way, which must all be this text, if one is given. */
static void
drain(struct bus_watch *watch, const char *text)
{
	GBytes *read;

	while ((read = bus_watch_next(watch, TURN_MS))) {
		if (text)
			cr_assert(memcmp(g_bytes_get_data(read, NULL), text, strlen(text)) == 0);
		g_bytes_unref(read);
	}
}

/* Publishes for a while; the reader must get none of it. */
static void
assert_does_not_read(struct bus_watch *watch, const char *tenant, const char *sensor)
{
	gint64 deadline = g_get_monotonic_time() + QUIET_MS * 1000;
	g_autoptr(GBytes) event = g_bytes_new("secret", 6);

	while (g_get_monotonic_time() < deadline) {
		struct bus_collector_news heard;
		bus_collector_publish(site.collector, tenant, sensor, event);
		bus_collector_poll(site.collector, NULL, 0, TURN_MS, &heard);
		bus_collector_news_clear(&heard);
		cr_assert_null(bus_watch_next(watch, TURN_MS));
	}
}

Test(bus, a_reader_sees_its_tenant_and_no_other_though_it_asks_for_all)
{
	struct bus_watch *watch = watch_of(&site.soc, NULL);

	assert_reads(watch, "acme", "mx1", "ours");
	drain(watch, "ours");
	assert_does_not_read(watch, "globex", "mx2");
	assert_does_not_read(watch, "acme2", "mx1");
	bus_watch_free(watch);
}

Test(bus, a_reader_that_asks_for_another_tenant_gets_nothing)
{
	struct bus_watch *watch = watch_of(&site.soc, "globex");

	assert_does_not_read(watch, "globex", "mx2");
	assert_does_not_read(watch, "acme", "mx1");
	cr_assert(!bus_watch_denied(watch));
	bus_watch_free(watch);
}

Test(bus, a_reader_that_asks_for_its_own_tenant_gets_it)
{
	struct bus_watch *watch = watch_of(&site.soc, "acme");

	assert_reads(watch, "acme", "mx1", "ours");
	bus_watch_free(watch);
}

Test(bus, a_revoked_reader_reads_no_more_and_the_others_go_on)
{
	struct bus_watch *watch = watch_of(&site.soc, NULL), *other;

	authorize("noc", &site.stranger, "acme", ROLE_SUBSCRIBE);
	bus_collector_set_keys(site.collector, keys());
	other = watch_of(&site.stranger, NULL);
	assert_reads(watch, "acme", "mx1", "ours");
	assert_reads(other, "acme", "mx1", "ours");
	drain(watch, "ours");
	revoke_key("soc");
	drain(watch, "ours");
	assert_does_not_read(watch, "acme", "mx1");
	drain(other, NULL);
	assert_reads(other, "acme", "mx1", "ours again");
	bus_watch_free(watch);
	bus_watch_free(other);
}

Test(bus, a_revoked_reader_of_an_ipc_stream_reads_no_more_and_the_file_stays)
{
	g_autofree char *path = g_build_filename(site.directory, "live.sock", NULL);
	g_autofree char *endpoint = g_strconcat("ipc://", path, NULL);
	struct bus_watch *watch, *other;

	bus_collector_free(site.collector);
	authorize("noc", &site.stranger, "acme", ROLE_SUBSCRIBE);
	start_collector_at("tcp://127.0.0.1:*", endpoint);
	watch = watch_of(&site.soc, NULL);
	assert_reads(watch, "acme", "mx1", "ours");
	drain(watch, "ours");
	revoke_key("soc");
	assert_does_not_read(watch, "acme", "mx1");
	other = watch_of(&site.stranger, NULL);
	assert_reads(other, "acme", "mx1", "ours again");
	cr_assert(g_file_test(path, G_FILE_TEST_EXISTS));
	bus_watch_free(watch);
	bus_watch_free(other);
}
