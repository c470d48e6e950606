/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "caps.h"
#include "directory_fixture.h"
#include "kept.h"
#include "ocsf.h"

#define NOW_US ((gint64)1795383398231456)
#define ROOM (64 * 1024 * 1024)

TestSuite(kept, .init = make_directory, .fini = remove_directory);

static struct kept *
open_kept(void)
{
	g_autoptr(GError) error = NULL;
	struct kept *kept = kept_open(directory, &error);

	cr_assert(kept, "%s", error ? error->message : "");
	return kept;
}

/* A message between a sender and recipients, "a@x b@x c@x" in this order. */
static struct event *
between(const char *parties, gint64 received_at_us)
{
	g_auto(GStrv) each = g_strsplit(parties, " ", -1);
	struct event *event = event_new();

	event->event_id = event_id_new(received_at_us);
	event->origin = g_strdup("milter");
	event->received_at_us = received_at_us;
	event->sender = envelope_address_new(each[0]);
	for (guint i = 1; each[i]; i++)
		g_ptr_array_add(event->recipients, envelope_address_new(each[i]));
	return event;
}

/* Keeps a message of so many bytes; returns its id, or NULL if it may not be kept. */
static char *
keep(struct kept *kept, const char *parties, gint64 received_at_us, gsize bytes, guint64 max_bytes)
{
	g_autoptr(event_t) event = between(parties, received_at_us);
	g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	g_autoptr(GBytes) message = g_bytes_new_take(g_strnfill(bytes, 'm'), bytes);

	return kept_add(kept, json, message, max_bytes, NULL) ? g_strdup(event->event_id) : NULL;
}

/* Keeps an event's message anew, of so many bytes. */
static void
keep_again(struct kept *kept, const char *id, gsize bytes, guint64 max_bytes)
{
	g_autoptr(GBytes) json = NULL, before = NULL;
	g_autoptr(GBytes) message = g_bytes_new_take(g_strnfill(bytes, 'n'), bytes);

	cr_assert(kept_read(kept, id, &json, &before));
	cr_assert(kept_add(kept, json, message, max_bytes, NULL));
}

static guint
found(struct kept *kept, const char *parties)
{
	g_autoptr(event_t) event = between(parties, NOW_US);
	g_autoptr(GPtrArray) ids = kept_find(kept, event);

	return ids->len;
}

Test(kept, is_found_by_the_same_parties_and_by_the_answer)
{
	g_autoptr(kept_t) kept = open_kept();
	g_autofree char *id = keep(kept, "<a@x> <b@x> <c@x>", NOW_US, 10, ROOM);

	cr_assert(id);
	cr_expect_eq(found(kept, "<a@x> <b@x>"), 1);
	cr_expect_eq(found(kept, "<A@X> <d@x> <C@x>"), 1);
	cr_expect_eq(found(kept, "<b@x> <a@x>"), 1);
	cr_expect_eq(found(kept, "<a@x> <d@x>"), 0);
	cr_expect_eq(found(kept, "<d@x> <b@x>"), 0);
	cr_expect_eq(found(kept, "<b@x> <c@x>"), 0);
	cr_expect_eq(found(kept, "<d@x> <a@x>"), 0);
	cr_expect_eq(found(kept, "<> <b@x>"), 0);
}

Test(kept, comes_back_after_a_restart_and_is_sealed)
{
	g_autofree char *id = NULL, *path = NULL, *sealed = NULL;
	g_autoptr(GBytes) json = NULL, message = NULL;
	struct kept *kept = open_kept();
	gsize length;

	id = keep(kept, "<a@x> <b@x>", NOW_US, 100, ROOM);
	kept_free(kept);
	path = g_strdup_printf("%s/locked/%s.sealed", directory, id);
	cr_assert(g_file_get_contents(path, &sealed, &length, NULL));
	cr_assert_null(memmem(sealed, length, "mmmm", 4));
	cr_assert_null(memmem(sealed, length, "a@x", 3));
	kept = open_kept();
	cr_assert_eq(found(kept, "<a@x> <b@x>"), 1);
	cr_assert(kept_read(kept, id, &json, &message));
	cr_assert_eq(g_bytes_get_size(message), 100);
	kept_remove(kept, id);
	cr_assert_eq(kept_count(kept), 0);
	cr_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
	kept_free(kept);
}

Test(kept, a_file_of_another_key_or_a_changed_one_is_removed)
{
	struct kept *kept = open_kept();
	g_autofree char *id = keep(kept, "<a@x> <b@x>", NOW_US, 10, ROOM);
	g_autofree char *path = g_strdup_printf("%s/locked/%s.sealed", directory, id);
	g_autofree char *key = g_strdup_printf("%s/locked.key", directory);

	kept_free(kept);
	cr_assert_eq(g_unlink(key), 0);
	kept = open_kept();
	cr_assert_eq(kept_count(kept), 0);
	cr_assert_eq(kept_dropped(kept), 1);
	cr_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
	kept_free(kept);
}

Test(kept, every_flipped_byte_is_found)
{
	struct kept *kept = open_kept();
	g_autofree char *id = keep(kept, "<a@x> <b@x>", NOW_US, 10, ROOM);
	g_autofree char *path = g_strdup_printf("%s/locked/%s.sealed", directory, id);
	g_autofree char *content = NULL;
	gsize size;

	kept_free(kept);
	cr_assert(g_file_get_contents(path, &content, &size, NULL));
	for (gsize place = 0; place < size; place++) {
		content[place] ^= (char)(1 << place % 8);
		cr_assert(g_file_set_contents(path, content, (gssize)size, NULL));
		content[place] ^= (char)(1 << place % 8);
		kept = open_kept();
		cr_assert(kept_count(kept) == 0 && kept_dropped(kept) == 1, "byte %zu", place);
		kept_free(kept);
	}
	cr_assert(g_file_set_contents(path, content, (gssize)size, NULL));
	kept = open_kept();
	cr_assert_eq(kept_count(kept), 1);
	cr_assert_eq(kept_dropped(kept), 0);
	kept_free(kept);
}

Test(kept, a_key_that_others_may_read_is_refused)
{
	g_autofree char *key = g_strdup_printf("%s/locked.key", directory);

	kept_free(open_kept());
	cr_assert_eq(g_chmod(key, 0644), 0);
	cr_assert_null(kept_open(directory, NULL));
}

Test(kept, expires_to_the_microsecond)
{
	g_autoptr(kept_t) kept = open_kept();
	g_autofree char *old = keep(kept, "<a@x> <b@x>", NOW_US - 1, 10, ROOM);
	g_autofree char *young = keep(kept, "<a@x> <b@x>", NOW_US, 10, ROOM);

	cr_assert(old && young);
	kept_expire(kept, NOW_US - 1);
	cr_assert_eq(kept_count(kept), 2);
	kept_expire(kept, NOW_US);
	cr_assert_eq(kept_count(kept), 1);
	kept_expire(kept, NOW_US + 1);
	cr_assert_eq(kept_count(kept), 0);
	cr_assert_eq(found(kept, "<a@x> <b@x>"), 0);
}

Test(kept, a_message_is_kept_to_the_cap_and_not_beyond)
{
	for (gsize bytes = CAP_LOCKED_BYTES - 1; bytes <= CAP_LOCKED_BYTES + 1; bytes++) {
		g_autoptr(kept_t) kept = open_kept();
		g_autofree char *id = keep(kept, "<a@x> <b@x>", NOW_US, bytes, ROOM);

		cr_expect_eq(id != NULL, bytes <= CAP_LOCKED_BYTES, "%zu", bytes);
		if (id)
			kept_remove(kept, id);
	}
}

Test(kept, the_oldest_go_when_there_are_too_many)
{
	g_autoptr(kept_t) kept = open_kept();

	for (guint i = 0; i <= CAP_LOCKED_MESSAGES; i++) {
		g_autofree char *id =
			keep(kept, i ? "<a@x> <b@x>" : "<old@x> <b@x>", NOW_US + i, 1, ROOM);

		cr_assert(id);
		if (i + 2 >= CAP_LOCKED_MESSAGES) {
			cr_expect_eq(kept_count(kept), MIN(i + 1, CAP_LOCKED_MESSAGES));
			cr_expect_eq(found(kept, "<old@x> <b@x>"), i < CAP_LOCKED_MESSAGES);
		}
	}
	cr_expect_eq(found(kept, "<a@x> <b@x>"), CAP_LATER_TRIES);
}

Test(kept, some_are_found_to_the_cap_the_newest_first)
{
	g_autoptr(kept_t) kept = open_kept();
	g_autoptr(event_t) event = between("<a@x> <b@x>", NOW_US);
	g_autofree char *last = NULL;

	for (guint count = 1; count <= CAP_LATER_TRIES + 1; count++) {
		g_autoptr(GPtrArray) ids = NULL;

		g_free(last);
		last = keep(kept, "<a@x> <b@x>", NOW_US + count, 10, ROOM);
		ids = kept_find(kept, event);
		cr_expect_eq(ids->len, MIN(count, CAP_LATER_TRIES));
		cr_expect_str_eq(ids->pdata[0], last);
	}
}

Test(kept, the_oldest_go_when_they_are_too_large)
{
	g_autoptr(kept_t) kept = open_kept();
	g_autofree char *first = keep(kept, "<a@x> <b@x>", NOW_US, 30000, 80000);
	g_autofree char *second = keep(kept, "<c@x> <b@x>", NOW_US + 1, 30000, 80000);
	g_autofree char *third = NULL, *large = NULL;

	cr_assert(first && second);
	cr_assert_eq(kept_count(kept), 2);
	third = keep(kept, "<d@x> <b@x>", NOW_US + 2, 30000, 80000);
	cr_assert(third);
	cr_assert_eq(kept_count(kept), 2);
	cr_assert_eq(found(kept, "<a@x> <b@x>"), 0);
	cr_assert_eq(found(kept, "<c@x> <b@x>"), 1);
	large = keep(kept, "<e@x> <b@x>", NOW_US + 3, 80000, 80000);
	cr_assert_null(large);
	cr_assert_eq(kept_count(kept), 2);
}

Test(kept, what_is_kept_anew_replaces_what_was_and_is_no_younger)
{
	g_autoptr(kept_t) kept = open_kept();
	g_autofree char *first = keep(kept, "<a@x> <b@x>", NOW_US, 30000, 80000);
	g_autofree char *second = keep(kept, "<c@x> <b@x>", NOW_US + 1, 30000, 80000);
	g_autofree char *third = NULL;
	g_autoptr(GBytes) json = NULL, message = NULL;

	for (guint i = 0; i < 3; i++)
		keep_again(kept, first, 30001, 80000);
	cr_assert_eq(kept_count(kept), 2);
	cr_assert(kept_read(kept, first, &json, &message));
	cr_expect_eq(g_bytes_get_size(message), 30001);
	third = keep(kept, "<d@x> <b@x>", NOW_US + 2, 30000, 80000);
	cr_assert(second && third);
	cr_expect_eq(found(kept, "<a@x> <b@x>"), 0, "the oldest goes first");
	cr_expect_eq(found(kept, "<c@x> <b@x>"), 1);
	keep_again(kept, second, 70000, 80000);
	cr_expect_eq(kept_count(kept), 1, "it is the oldest, and too large beside the third");
	cr_expect_eq(found(kept, "<d@x> <b@x>"), 1);
}

Test(kept, what_is_left_half_written_is_removed)
{
	g_autofree char *path = g_strdup_printf("%s/locked/x.sealed.ABCDEF", directory);

	kept_free(open_kept());
	cr_assert(g_file_set_contents(path, "half", 4, NULL));
	kept_free(open_kept());
	cr_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
