/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "engine.h"
#include "authorized_keys.h"
#include "publisher.h"
#include "settings.h"
#include "spool.h"

#define DEADLINE_MS 20000

/* What a collector does with batches; changed while it runs. */
enum manner { MANNER_STORE, MANNER_IGNORE, MANNER_ACK_TOO_FAR };

/* A site: a sensor's spool and publisher, and a collector with a store in memory. */
static struct {
	char *directory;
	char *endpoint;
	struct settings *settings;
	struct spool *spool;
	struct engine *engine;
	struct publisher *publisher;

	struct bus_collector *bus;
	GThread *thread;
	gint stopping;
	gint manner;

	GMutex mutex;
	GCond told;	    /* something came */
	GHashTable *stored; /* "epoch/n" → text of the event */
	guint64 twice;	    /* numbers that came again with another text */
	GString *order;	    /* texts as they were first stored, a space after each */
	guint64 refuse;	    /* the number to be refused */
	guint hellos;
	char *counters;
	guint64 last;
} site;

static char *
in_directory(const char *name)
{
	return g_build_filename(site.directory, name, NULL);
}

/* ---- the collector ---- */

static char *
number_key(const char *epoch, guint64 n)
{
	return g_strdup_printf("%s/%" G_GUINT64_FORMAT, epoch, n);
}

/* Complete from 1 on up to what it returns, as store_sequence_through() says. */
static guint64
through(const char *epoch)
{
	for (guint64 n = 1;; n++) {
		g_autofree char *key = number_key(epoch, n);
		if (!g_hash_table_contains(site.stored, key))
			return n - 1;
	}
}

static void
store_event(const char *epoch, guint64 n, GBytes *event)
{
	g_autofree char *key = number_key(epoch, n);
	gsize size;
	const char *bytes = g_bytes_get_data(event, &size);
	g_autofree char *text = g_strndup(size ? bytes : "", size);
	const char *known = g_hash_table_lookup(site.stored, key);

	if (known) {
		site.twice += !g_str_equal(known, text);
		return;
	}
	g_string_append_printf(site.order, "%s ", text);
	g_hash_table_insert(site.stored, g_steal_pointer(&key), g_steal_pointer(&text));
}

static void
take_batch(const struct bus_collector_news *news)
{
	int manner = g_atomic_int_get(&site.manner);

	if (manner == MANNER_ACK_TOO_FAR)
		bus_collector_ack(site.bus, news->peer, news->epoch, 1000000);
	if (manner != MANNER_STORE)
		return;
	for (guint i = 0; i < news->events->len; i++) {
		GBytes *event = news->events->pdata[i];
		guint64 n = news->first + i;
		store_event(news->epoch, n, event);
		if (n == site.refuse || g_bytes_get_size(event) == 0)
			bus_collector_refuse(site.bus, news->peer, news->epoch, n, "not an event");
	}
	bus_collector_ack(site.bus, news->peer, news->epoch, through(news->epoch));
}

static void
take_news(const struct bus_collector_news *news)
{
	g_mutex_lock(&site.mutex);
	if (news->event == BUS_COLLECTOR_HELLO) {
		site.hellos++;
		bus_collector_welcome(site.bus, news->peer, news->epoch, through(news->epoch));
	}
	if (news->event == BUS_COLLECTOR_BATCH)
		take_batch(news);
	if (news->event == BUS_COLLECTOR_BEAT) {
		g_free(site.counters);
		site.counters = g_strdup(news->counters);
		site.last = news->first;
	}
	if (news->event != BUS_COLLECTOR_NOTHING)
		g_cond_broadcast(&site.told);
	g_mutex_unlock(&site.mutex);
}

static gpointer
collector_main(gpointer data)
{
	while (!g_atomic_int_get(&site.stopping)) {
		struct bus_collector_news news;
		bus_collector_poll(site.bus, NULL, 0, 20, &news);
		take_news(&news);
		bus_collector_news_clear(&news);
	}
	return data;
}

static void
start_collector(void)
{
	g_autofree char *key = in_directory("collector.key"), *list = in_directory("keys");
	const char *listen[] = {site.endpoint, NULL};
	g_autoptr(GError) error = NULL;
	struct key_pair pair;

	cr_assert(key_pair_read(key, &pair, NULL));
	site.bus = bus_collector_new(listen, "", &pair, authorized_keys_read(list, NULL), &error);
	cr_assert(site.bus, "%s", error ? error->message : "");
	g_atomic_int_set(&site.stopping, FALSE);
	site.thread = g_thread_new("collector", collector_main, NULL);
}

static void
stop_collector(void)
{
	if (!site.thread)
		return;
	g_atomic_int_set(&site.stopping, TRUE);
	g_thread_join(g_steal_pointer(&site.thread));
	g_clear_pointer(&site.bus, bus_collector_free);
}

/* ---- the sensor ---- */

static void
make_keys(void)
{
	g_autofree char *list = in_directory("keys");
	struct authorized_key entry = {(char *)"mx1", "", (char *)"acme", ROLE_PUBLISH};
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(site.directory, "collector", &pair, NULL));
	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(site.directory, "mx1", &pair, NULL));
	memcpy(entry.public_key, pair.public_key, sizeof entry.public_key);
	cr_assert(authorized_keys_add(list, &entry, NULL));
}

static struct settings *
read_settings(const char *collector)
{
	g_autofree char *text = g_strdup_printf(
		"[site]\nsensor=mx1\n[spool]\ndirectory=%s\n"
		"[bus]\ncollector=%s\nsensor_key=%s/mx1.key\ncollector_public_key=%s/collector.pub\n",
		site.directory, collector, site.directory, site.directory);
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("test.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	return settings;
}

static void
open_sensor(void)
{
	g_autoptr(GError) error = NULL;

	site.spool = spool_open(site.directory, 0, &error);
	cr_assert(site.spool, "%s", error ? error->message : "");
	site.engine = engine_new(site.settings, site.spool, NULL, &error);
	cr_assert(site.engine, "%s", error ? error->message : "");
}

static char *
engine_counters(void *engine)
{
	return engine_counters_json(engine);
}

static gint64
engine_settled(void *engine)
{
	return engine_settled_us(engine);
}

static struct publisher *
start_for(struct engine *engine, GError **error)
{
	g_autoptr(settings_t) settings = engine_settings(engine);
	const struct publisher_source source = {
		.collector = settings->collector,
		.sensor_key = settings->sensor_key,
		.collector_public_key = settings->collector_public_key,
		.spool = engine_spool(engine),
		.counters = engine_counters,
		.settled_us = engine_settled,
		.data = engine,
	};

	return publisher_start(&source, error);
}

static void
start_publisher(void)
{
	g_autoptr(GError) error = NULL;

	site.publisher = start_for(site.engine, &error);
	cr_assert(site.publisher, "%s", error ? error->message : "no collector");
}

static void
stop_publisher(guint drain_ms)
{
	publisher_stop(g_steal_pointer(&site.publisher), drain_ms);
}

static void
close_sensor(void)
{
	stop_publisher(0);
	engine_free(g_steal_pointer(&site.engine));
	spool_close(g_steal_pointer(&site.spool));
}

static void
make_site(void)
{
	site.directory = g_dir_make_tmp("test-publisher-XXXXXX", NULL);
	site.endpoint = g_strdup_printf("ipc://%s/bus", site.directory);
	site.stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	site.order = g_string_new(NULL);
	g_mutex_init(&site.mutex);
	g_cond_init(&site.told);
	make_keys();
	site.settings = read_settings(site.endpoint);
	open_sensor();
}

static void
remove_site(void)
{
	g_autoptr(GDir) dir = NULL;
	const char *name;

	close_sensor();
	stop_collector();
	settings_unref(site.settings);
	g_hash_table_unref(site.stored);
	g_string_free(site.order, TRUE);
	g_free(site.counters);
	dir = g_dir_open(site.directory, 0, NULL);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = in_directory(name);
		g_unlink(path);
	}
	g_rmdir(site.directory);
	g_free(site.directory);
	g_free(site.endpoint);
}

TestSuite(publisher, .init = make_site, .fini = remove_site, .timeout = 120);

static void
append(const char *text)
{
	g_autoptr(GBytes) event = g_bytes_new(text, strlen(text));
	g_autoptr(GError) error = NULL;

	cr_assert(spool_append(site.spool, event, NULL, &error), "%s", error ? error->message : "");
}

static void
append_numbers(guint first, guint last)
{
	for (guint i = first; i <= last; i++) {
		g_autofree char *text = g_strdup_printf("%u", i);
		append(text);
	}
}

static char *
order(void)
{
	char *text;

	g_mutex_lock(&site.mutex);
	text = g_strdup(site.order->str);
	g_mutex_unlock(&site.mutex);
	return text;
}

static struct spool_status
status(void)
{
	struct spool_status now;

	spool_status(site.spool, &now);
	return now;
}

/* Waits until nothing is left in the spool; nobody tells when it is. */
static void
wait_for_empty_spool(void)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;

	while (status().entries > 0) {
		cr_assert_lt(g_get_monotonic_time(), deadline, "%" G_GUINT64_FORMAT " are left",
			     status().entries);
		g_usleep(2000);
	}
}

/* Asserts that these numbers were stored, in order, each once. */
static void
assert_stored(guint first, guint last)
{
	g_autoptr(GString) expected = g_string_new(NULL);
	g_autofree char *stored = order();

	for (guint i = first; i <= last; i++)
		g_string_append_printf(expected, "%u ", i);
	cr_assert_str_eq(stored, expected->str);
	cr_assert_eq(site.twice, 0);
}

/*
 * Asserts that these numbers were stored, each once.  A batch may overtake
 * those before it when the connection is lost and made again meanwhile.
 */
static void
assert_stored_in_any_order(guint last)
{
	g_mutex_lock(&site.mutex);
	cr_assert_eq(g_hash_table_size(site.stored), last);
	for (guint n = 1; n <= last; n++) {
		g_autofree char *key = number_key(spool_epoch(site.spool), n);
		g_autofree char *text = g_strdup_printf("%u", n);
		cr_assert_str_eq(g_hash_table_lookup(site.stored, key), text);
	}
	cr_assert_eq(site.twice, 0);
	g_mutex_unlock(&site.mutex);
}

/* Waits, with the mutex held, for the collector to be told something. */
static void
wait_until_told(gint64 deadline, const char *complaint)
{
	cr_assert(g_cond_wait_until(&site.told, &site.mutex, deadline), "%s", complaint);
}

static void
wait_for_hellos(guint count)
{
	gint64 deadline = g_get_monotonic_time() + 2 * DEADLINE_MS * 1000;

	g_mutex_lock(&site.mutex);
	while (site.hellos < count)
		wait_until_told(deadline, "no HELLO came");
	g_mutex_unlock(&site.mutex);
}

Test(publisher, what_is_appended_arrives_once_and_in_order_and_leaves_the_spool)
{
	append_numbers(1, 10);
	start_collector();
	start_publisher();
	append_numbers(11, 1500);
	wait_for_empty_spool();
	assert_stored(1, 1500);
	cr_assert_eq(status().acknowledged, 1500);
}

Test(publisher, a_collector_that_stops_and_comes_back_misses_nothing_and_has_nothing_twice)
{
	start_collector();
	start_publisher();
	append_numbers(1, 300);
	stop_collector();
	append_numbers(301, 600);
	start_collector();
	append_numbers(601, 900);
	stop_collector();
	start_collector();
	wait_for_empty_spool();
	assert_stored_in_any_order(900);
}

Test(publisher, a_sensor_that_stops_and_comes_back_goes_on_where_it_was)
{
	start_collector();
	start_publisher();
	append_numbers(1, 200);
	close_sensor();
	open_sensor();
	append_numbers(201, 400);
	start_publisher();
	wait_for_empty_spool();
	assert_stored(1, 400);
}

Test(publisher, what_was_stored_but_not_acknowledged_is_not_sent_again)
{
	start_collector();
	start_publisher();
	append_numbers(1, 5);
	wait_for_empty_spool();
	stop_publisher(0);
	append_numbers(6, 10);
	for (guint64 n = 6; n <= 10; n++) { /* as if the ACK had been lost */
		g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, n);
		g_autoptr(GBytes) event = g_bytes_new(text, strlen(text));
		g_mutex_lock(&site.mutex);
		store_event(spool_epoch(site.spool), n, event);
		g_mutex_unlock(&site.mutex);
	}
	start_publisher();
	wait_for_empty_spool();
	assert_stored(1, 10);
}

Test(publisher, a_refused_event_becomes_a_dead_letter_and_the_others_go_on)
{
	site.refuse = 3;
	start_collector();
	start_publisher();
	append_numbers(1, 6);
	wait_for_empty_spool();
	assert_stored(1, 6);
	cr_assert_eq(status().dead, 1);
	cr_assert_eq(status().dead_bytes, 1);
}

/* Runs SQL on the spool while nobody has it. */
static void
tamper(const char *sql)
{
	g_autofree char *path = in_directory("spool.db");
	sqlite3 *db;

	close_sensor();
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	open_sensor();
}

Test(publisher, a_damaged_entry_does_not_hold_up_those_behind_it)
{
	g_autofree char *stored = NULL;

	append_numbers(1, 6);
	tamper("UPDATE entry SET event = 'x' WHERE n IN (1, 4)");
	start_collector();
	start_publisher();
	wait_for_empty_spool();
	stored = order();
	cr_assert_str_eq(stored, " 2 3  5 6 ", "the damaged ones are known as missing");
	cr_assert_eq(status().dead, 2);
	cr_assert_eq(status().acknowledged, 6);
}

Test(publisher, a_spool_put_back_from_a_copy_sends_all_it_has_under_a_new_epoch)
{
	g_autofree char *epoch = g_strdup(spool_epoch(site.spool));

	for (guint64 n = 1; n <= 5; n++) {
		g_autoptr(GBytes) event = g_bytes_new("later", 5);
		store_event(epoch, n, event);
	}
	g_string_truncate(site.order, 0);
	append_numbers(1, 3);
	start_collector();
	start_publisher();
	wait_for_empty_spool();
	assert_stored(1, 3);
	cr_assert_str_neq(spool_epoch(site.spool), epoch);
}

Test(publisher, a_collector_that_lost_its_store_gets_what_is_left_under_a_new_epoch)
{
	g_autofree char *epoch = g_strdup(spool_epoch(site.spool));

	start_collector();
	start_publisher();
	append_numbers(1, 5);
	wait_for_empty_spool();
	stop_collector();
	g_hash_table_remove_all(site.stored);
	g_string_truncate(site.order, 0);
	append_numbers(6, 8);
	start_collector();
	wait_for_empty_spool();
	assert_stored(6, 8);
	cr_assert_str_neq(spool_epoch(site.spool), epoch);
}

Test(publisher, an_acknowledgement_of_what_was_not_sent_removes_nothing)
{
	g_atomic_int_set(&site.manner, MANNER_ACK_TOO_FAR);
	start_collector();
	start_publisher();
	append_numbers(1, 3);
	wait_for_hellos(2); /* it waited in vain for one of what it sent */
	cr_assert_eq(status().entries, 3);
	g_atomic_int_set(&site.manner, MANNER_STORE);
	stop_publisher(0);
	start_publisher();
	wait_for_empty_spool();
	assert_stored(1, 3);
}

Test(publisher, a_collector_that_is_silent_is_asked_again_on_a_new_connection)
{
	g_atomic_int_set(&site.manner, MANNER_IGNORE);
	start_collector();
	start_publisher();
	append_numbers(1, 3);
	wait_for_hellos(2);
	g_atomic_int_set(&site.manner, MANNER_STORE);
	stop_collector();
	start_collector();
	wait_for_empty_spool();
	assert_stored(1, 3);
}

Test(publisher, beats_tell_how_engine_and_spool_stand)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;
	g_autofree char *counters = NULL;

	append_numbers(1, 3);
	engine_count(site.engine, COUNT_SEEN, 3);
	start_collector();
	start_publisher();
	g_mutex_lock(&site.mutex);
	while (!site.counters)
		wait_until_told(deadline, "no BEAT came");
	counters = g_steal_pointer(&site.counters);
	g_mutex_unlock(&site.mutex);
	cr_assert_eq(site.last, 3);
	cr_assert(g_str_has_prefix(counters, "{\""), "%s", counters);
	cr_assert(strstr(counters, "\"seen\":3"), "%s", counters);
	cr_assert(strstr(counters, "\"started_us\":1"), "%s", counters);
	cr_assert(strstr(counters, "\"sent_us\":1"), "%s", counters);
	cr_assert(strstr(counters, "\"spool_writable\":true,\"spool_alarm\":0,"), "%s", counters);
}

Test(publisher, stopping_sends_what_is_left_within_its_time)
{
	start_collector();
	start_publisher();
	append_numbers(1, 500);
	stop_publisher(DEADLINE_MS);
	cr_assert_eq(status().entries, 0);
	assert_stored(1, 500);
}

Test(publisher, stopping_does_not_wait_longer_for_a_collector_that_is_not_there)
{
	gint64 start;

	start_publisher();
	append_numbers(1, 3);
	start = g_get_monotonic_time();
	stop_publisher(300);
	cr_assert_lt(g_get_monotonic_time() - start, 5 * G_USEC_PER_SEC);
	cr_assert_eq(status().entries, 3);
}

Test(publisher, without_a_collector_there_is_none_and_no_error)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = read_settings("");
	struct engine *engine = engine_new(settings, site.spool, NULL, NULL);

	cr_assert_null(start_for(engine, &error));
	cr_assert_null(error);
	publisher_stop(NULL, 0);
	engine_free(engine);
	settings_unref(settings);
}

Test(publisher, keys_that_cannot_be_read_are_named)
{
	g_autofree char *key = in_directory("mx1.key"), *pub = in_directory("collector.pub");
	g_autoptr(GError) error = NULL;

	cr_assert(g_chmod(key, 0644) == 0);
	cr_assert_null(start_for(site.engine, &error));
	cr_assert(strstr(error->message, "mx1.key"), "%s", error->message);
	g_clear_error(&error);
	cr_assert(g_chmod(key, 0600) == 0);
	cr_assert(g_unlink(pub) == 0);
	cr_assert_null(start_for(site.engine, &error));
	cr_assert(strstr(error->message, "collector.pub"), "%s", error->message);
}
