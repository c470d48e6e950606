/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"

static char *directory;
static char *key_path;
static struct engine *engine;

static struct settings *
settings_with(const char *extra)
{
	g_autofree char *text = g_strdup_printf("[site]\nsensor = mx1\n%s", extra);
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("test.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	return settings;
}

static struct settings *
settings_with_key(void)
{
	g_autofree char *line = g_strdup_printf("site_key = %s\n", key_path);

	return settings_with(line);
}

static void
set_up(void)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_with("");

	directory = g_dir_make_tmp("test-engine-XXXXXX", NULL);
	key_path = g_build_filename(directory, "site.key", NULL);
	engine = engine_new(settings, NULL, NULL, &error);
	cr_assert(engine, "%s", error ? error->message : "");
	settings_unref(settings);
}

static void
tear_down(void)
{
	engine_free(engine);
	g_unlink(key_path);
	cr_expect_eq(g_rmdir(directory), 0);
	g_free(key_path);
	g_free(directory);
}

TestSuite(engine, .init = set_up, .fini = tear_down);

Test(engine, gives_as_many_places_as_there_are)
{
	cr_assert(engine_enter(engine, 2));
	cr_assert(engine_enter(engine, 2));
	cr_assert_not(engine_enter(engine, 2));
	engine_leave(engine);
	cr_assert(engine_enter(engine, 2));
	cr_assert_eq(engine_connections(engine), 2);
	cr_assert_not(engine_enter(engine, 1), "a smaller cap after a reload counts those inside");
	engine_leave(engine);
	engine_leave(engine);
	cr_assert_eq(engine_connections(engine), 0);
}

Test(engine, bytes_meet_their_cap_to_the_byte)
{
	cr_assert(engine_take_bytes(engine, 60, 100));
	cr_assert_not(engine_take_bytes(engine, 41, 100));
	cr_assert(engine_take_bytes(engine, 40, 100));
	cr_assert_not(engine_take_bytes(engine, 1, 100));
	cr_assert_not(engine_take_bytes(engine, G_MAXUINT64, 100), "no overflow");
	cr_assert_not(engine_take_bytes(engine, 1, 50), "a smaller cap after a reload");
	engine_give_bytes(engine, 100);
	cr_assert(engine_take_bytes(engine, 100, 100));
	engine_give_bytes(engine, 100);
}

Test(engine, files_are_an_account_of_their_own_with_a_larger_cap)
{
	cr_assert(engine_take_bytes(engine, 100, 100));
	cr_assert(engine_take_file_bytes(engine, ENGINE_FILE_FACTOR * 100, 100));
	cr_assert_not(engine_take_file_bytes(engine, 1, 100));
	engine_give_bytes(engine, 100);
	cr_assert_not(engine_take_file_bytes(engine, 1, 100));
	engine_give_file_bytes(engine, ENGINE_FILE_FACTOR * 100);
	cr_assert(engine_take_file_bytes(engine, 1, G_MAXUINT64), "no overflow");
	engine_give_file_bytes(engine, 1);
}

Test(engine, the_cap_in_flight_is_a_quarter_of_the_memory_unless_it_is_set)
{
	struct settings *unset = settings_with("");
	struct settings *set = settings_with("[milter]\nmax_in_flight_bytes = 12345\n");
	guint64 memory = (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);

	cr_assert_eq(engine_in_flight_cap(set), 12345);
	cr_assert_eq(engine_in_flight_cap(unset), memory / 4);
	settings_unref(set);
	settings_unref(unset);
}

Test(engine, has_no_site_key_unless_one_is_set)
{
	guint8 key[SITE_KEY_BYTES] = {7};

	cr_assert_not(engine_site_key(engine, key));
	cr_assert_eq(key[0], 7, "untouched");
}

Test(engine, takes_settings_and_key_together_or_neither)
{
	g_autoptr(GError) error = NULL;
	guint8 written[SITE_KEY_BYTES], key[SITE_KEY_BYTES];
	struct settings *settings = settings_with_key();
	g_autoptr(settings_t) held = NULL;

	cr_assert_not(engine_set_settings(engine, settings, &error), "the key is not there yet");
	cr_assert(error && error->domain == KEYS_ERROR);
	held = engine_settings(engine);
	cr_assert_neq(held, settings, "the former ones hold");
	g_clear_error(&error);
	cr_assert(site_key_write(key_path, &error));
	cr_assert(site_key_read(key_path, written, &error));
	cr_assert(engine_set_settings(engine, settings, &error));
	cr_assert(engine_site_key(engine, key));
	cr_assert_eq(memcmp(key, written, sizeof(key)), 0);
	settings_unref(settings);
}

Test(engine, cannot_be_made_with_a_key_that_cannot_be_read)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_with_key();

	cr_assert_null(engine_new(settings, NULL, NULL, &error));
	cr_assert_not_null(error);
	settings_unref(settings);
}

static gpointer
swap_and_read(gpointer data)
{
	for (guint i = 0; i < 1000; i++) {
		g_autoptr(settings_t) settings = engine_settings(engine);

		cr_assert_str_eq(settings->sensor, "mx1");
		cr_assert(engine_set_settings(engine, data, NULL));
		if (engine_enter(engine, 4))
			engine_leave(engine);
		engine_count(engine, COUNT_SEEN, 1);
		if (engine_take_bytes(engine, 10, 25))
			engine_give_bytes(engine, 10);
	}
	return NULL;
}

Test(engine, threads_swap_and_read_settings_and_lose_no_count)
{
	struct settings *settings = settings_with("");
	GThread *threads[8];

	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("swap", swap_and_read, settings);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	cr_assert_eq(engine_counted(engine, COUNT_SEEN), 8000);
	cr_assert_eq(engine_connections(engine), 0);
	cr_assert(engine_take_bytes(engine, 25, 25));
	engine_give_bytes(engine, 25);
	settings_unref(settings);
}

Test(engine, time_is_settled_only_up_to_the_earliest_message_at_its_end)
{
	gint64 before = engine_settled_us(engine);
	gint64 first = engine_begin_message(engine);
	gint64 second = engine_begin_message(engine);

	cr_assert_leq(before, first);
	cr_assert_eq(engine_settled_us(engine), first);
	engine_end_message(engine, first);
	cr_assert_eq(engine_settled_us(engine), second);
	engine_end_message(engine, second);
	cr_assert_geq(engine_settled_us(engine), second);
}

Test(engine, each_counter_has_a_name_of_its_own_in_the_json)
{
	g_autofree char *text = NULL;
	json_t *json;

	for (guint i = 0; i < ENGINE_COUNTERS; i++)
		engine_count(engine, i, i + 1);
	text = engine_counters_json(engine);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(json, "%s", text);
	cr_assert_eq(json_object_size(json), ENGINE_COUNTERS + 1, "and since when they count");
	cr_assert_gt(json_integer_value(json_object_get(json, "started_us")), 0);
	cr_assert_eq(json_integer_value(json_object_get(json, "connections")),
		     COUNT_CONNECTIONS + 1);
	cr_assert_eq(json_integer_value(json_object_get(json, "spilled")), COUNT_SPILLED + 1);
	json_decref(json);
}
