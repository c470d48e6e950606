/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "directory_fixture.h"
#include "spool.h"

TestSuite(spool, .init = make_directory, .fini = remove_directory, .timeout = 120);

static struct spool *
open_spool(guint64 max_bytes)
{
	g_autoptr(GError) error = NULL;
	struct spool *spool = spool_open(directory, max_bytes, &error);

	cr_assert(spool, "%s", error ? error->message : "");
	return spool;
}

static char *
db_path(void)
{
	return g_build_filename(directory, "spool.db", NULL);
}

static guint64
append(struct spool *spool, const char *text)
{
	g_autoptr(GBytes) event = g_bytes_new(text, strlen(text));
	g_autoptr(GError) error = NULL;
	guint64 n = 0;

	cr_assert(spool_append(spool, event, &n, &error), "%s", error ? error->message : "");
	return n;
}

static GPtrArray *
read_after(struct spool *spool, guint64 n, guint64 *ret_first)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *events = spool_read(spool, n, 1000, 1 << 30, ret_first, &error);

	cr_assert(events, "%s", error ? error->message : "");
	return events;
}

static void
assert_event(GPtrArray *events, guint i, const char *text)
{
	gsize size;
	const char *bytes = g_bytes_get_data(events->pdata[i], &size);

	cr_assert_eq(size, strlen(text));
	cr_assert(size == 0 || memcmp(bytes, text, size) == 0, "%.*s is not %s", (int)size, bytes,
		  text);
}

static void
assert_error(GError *error, int code, const char *part)
{
	cr_assert(g_error_matches(error, SPOOL_ERROR, code), "%s",
		  error ? error->message : "no error");
	cr_assert(strstr(error->message, part), "\"%s\" is not in \"%s\"", part, error->message);
}

static struct spool_status
status_of(struct spool *spool)
{
	struct spool_status status;

	spool_status(spool, &status);
	return status;
}

/* Runs SQL on the file as an administrator or a failing disk would. */
static void
tamper(const char *sql)
{
	g_autofree char *path = db_path();
	char *message = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s", message);
	sqlite3_close(db);
}

Test(spool, entries_come_back_in_order_as_they_were)
{
	struct spool *spool = open_spool(0);
	guint64 first = 99;
	GPtrArray *events = read_after(spool, 0, &first);

	cr_assert_eq(events->len, 0);
	cr_assert_eq(first, 99, "untouched when there is nothing");
	g_ptr_array_unref(events);
	cr_assert_eq(append(spool, "one"), 1);
	cr_assert_eq(append(spool, ""), 2);
	cr_assert_eq(append(spool, "three"), 3);
	events = read_after(spool, 0, &first);
	cr_assert_eq(first, 1);
	cr_assert_eq(events->len, 3);
	assert_event(events, 0, "one");
	assert_event(events, 1, "");
	assert_event(events, 2, "three");
	g_ptr_array_unref(events);
	events = read_after(spool, 2, &first);
	cr_assert_eq(first, 3);
	cr_assert_eq(events->len, 1);
	g_ptr_array_unref(events);
	spool_close(spool);
}

Test(spool, entries_epoch_and_counts_survive_a_restart)
{
	struct spool *spool = open_spool(0);
	g_autofree char *epoch = g_strdup(spool_epoch(spool));
	guint64 first;

	append(spool, "one");
	append(spool, "two");
	append(spool, "three");
	cr_assert(spool_acknowledge(spool, 1, NULL));
	cr_assert(spool_refuse(spool, 3, "poison", NULL));
	spool_close(spool);
	spool = open_spool(0);
	cr_assert_str_eq(spool_epoch(spool), epoch);
	GPtrArray *events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1);
	cr_assert_eq(first, 2);
	assert_event(events, 0, "two");
	g_ptr_array_unref(events);
	struct spool_status status = status_of(spool);
	cr_assert_eq(status.entries, 1);
	cr_assert_eq(status.bytes, 3);
	cr_assert_eq(status.acknowledged, 1);
	cr_assert_eq(status.last, 3);
	cr_assert_eq(status.dead, 1);
	cr_assert_eq(status.dead_bytes, 5);
	cr_assert_gt(status.oldest_us, g_get_real_time() - 60 * G_USEC_PER_SEC);
	spool_close(spool);
}

Test(spool, numbers_are_never_given_twice)
{
	struct spool *spool = open_spool(0);

	append(spool, "one");
	append(spool, "two");
	cr_assert(spool_acknowledge(spool, 2, NULL));
	spool_close(spool);
	spool = open_spool(0);
	cr_assert_eq(status_of(spool).last, 2);
	cr_assert_eq(append(spool, "three"), 3);
	spool_close(spool);
}

Test(spool, each_new_file_has_another_epoch)
{
	struct spool *spool = open_spool(0);
	g_autofree char *epoch = g_strdup(spool_epoch(spool));

	cr_assert(g_uuid_string_is_valid(epoch));
	spool_close(spool);
	remove_directory();
	make_directory();
	spool = open_spool(0);
	cr_assert_str_neq(spool_epoch(spool), epoch);
	spool_close(spool);
}

Test(spool, a_renewed_epoch_counts_from_one_without_a_gap_and_loses_nothing)
{
	static const char *const texts[] = {"1", "2", "3", "4", "5", "6"};
	struct spool *spool = open_spool(0);
	g_autofree char *epoch = g_strdup(spool_epoch(spool));
	g_autofree char *renewed = NULL;
	guint64 first;

	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		append(spool, texts[i]);
	cr_assert(spool_acknowledge(spool, 2, NULL));
	cr_assert(spool_refuse(spool, 4, "poison", NULL));
	cr_assert(spool_renew_epoch(spool, NULL));
	renewed = g_strdup(spool_epoch(spool));
	cr_assert_str_neq(renewed, epoch);
	cr_assert_eq(status_of(spool).acknowledged, 0);
	spool_close(spool);
	spool = open_spool(0);
	cr_assert_str_eq(spool_epoch(spool), renewed);
	GPtrArray *events = read_after(spool, 0, &first);
	cr_assert_eq(first, 1);
	cr_assert_eq(events->len, 3);
	assert_event(events, 0, "3");
	assert_event(events, 1, "5");
	assert_event(events, 2, "6");
	g_ptr_array_unref(events);
	cr_assert_eq(append(spool, "7"), 4);
	cr_assert(spool_acknowledge(spool, 4, NULL));
	cr_assert(spool_renew_epoch(spool, NULL), "an empty one too");
	cr_assert_eq(append(spool, "8"), 1);
	spool_close(spool);
}

Test(spool, an_acknowledgement_of_what_was_never_given_removes_nothing)
{
	struct spool *spool = open_spool(0);
	g_autoptr(GError) error = NULL;

	append(spool, "one");
	cr_assert(!spool_acknowledge(spool, 2, &error));
	assert_error(error, SPOOL_ERROR_NUMBER, "newest is 1");
	cr_assert(!spool_acknowledge(spool, G_MAXUINT64, NULL));
	cr_assert_eq(status_of(spool).entries, 1);
	cr_assert(spool_acknowledge(spool, 1, NULL));
	cr_assert(spool_acknowledge(spool, 1, NULL), "twice is no error");
	cr_assert(spool_acknowledge(spool, 0, NULL), "nor an older one");
	cr_assert_eq(status_of(spool).acknowledged, 1);
	spool_close(spool);
}

Test(spool, a_refused_entry_is_kept_apart_with_its_reason)
{
	g_autofree char *path = db_path();
	struct spool *spool = open_spool(0);
	guint64 first;
	sqlite3_stmt *dead;
	sqlite3 *db;

	append(spool, "one");
	append(spool, "poison");
	append(spool, "three");
	cr_assert(spool_refuse(spool, 2, "not \xffJSON", NULL));
	cr_assert(spool_refuse(spool, 2, "again", NULL), "twice is no error");
	GPtrArray *events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1, "numbers follow each other within one answer");
	g_ptr_array_unref(events);
	events = read_after(spool, 1, &first);
	cr_assert_eq(first, 3);
	assert_event(events, 0, "three");
	g_ptr_array_unref(events);
	cr_assert_eq(status_of(spool).dead, 1);
	spool_close(spool);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "SELECT n, reason, event FROM dead", -1, &dead, NULL),
		     SQLITE_OK);
	cr_assert_eq(sqlite3_step(dead), SQLITE_ROW);
	cr_assert_eq(sqlite3_column_int64(dead, 0), 2);
	cr_assert_str_eq((const char *)sqlite3_column_text(dead, 1), "not \357\277\275JSON");
	cr_assert_eq(sqlite3_column_bytes(dead, 2), 6);
	sqlite3_finalize(dead);
	sqlite3_close(db);
}

Test(spool, reading_keeps_to_the_limits_but_gives_at_least_one)
{
	struct spool *spool = open_spool(0);
	guint64 first;
	GPtrArray *events;

	for (int i = 0; i < 10; i++)
		append(spool, "0123456789");
	events = spool_read(spool, 0, 3, 1000, &first, NULL);
	cr_assert_eq(events->len, 3);
	g_ptr_array_unref(events);
	events = spool_read(spool, 0, 100, 20, &first, NULL);
	cr_assert_eq(events->len, 2);
	g_ptr_array_unref(events);
	events = spool_read(spool, 0, 100, 1, &first, NULL);
	cr_assert_eq(events->len, 1);
	g_ptr_array_unref(events);
	spool_close(spool);
}

/* Returns how many of three events the publisher's batch has; the last is of last_bytes. */
static guint
batch_of(gsize last_bytes)
{
	struct spool *spool = open_spool(0);
	const gsize sizes[] = {CAP_EVENT_BYTES, CAP_BATCH_BYTES - CAP_EVENT_BYTES - 2, last_bytes};
	guint64 before = status_of(spool).acknowledged, first;
	GPtrArray *events;
	guint count;

	for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *text = g_strnfill(sizes[i], 'e');

		append(spool, text);
	}
	events = spool_read(spool, before, CAP_BATCH_EVENTS, CAP_BATCH_BYTES, &first, NULL);
	count = events->len;
	g_ptr_array_unref(events);
	cr_assert(spool_acknowledge(spool, before + 3, NULL));
	spool_close(spool);
	return count;
}

Test(spool, a_batch_is_read_to_its_cap_of_bytes)
{
	cr_expect_eq(batch_of(1), 3, "at the cap - 1");
	cr_expect_eq(batch_of(2), 3, "at the cap");
	cr_expect_eq(batch_of(3), 2, "at the cap + 1");
}

Test(spool, a_flipped_byte_is_found_and_what_is_behind_it_goes_on)
{
	struct spool *spool = open_spool(0);
	g_autoptr(GError) error = NULL;
	guint64 first = 0;

	append(spool, "one");
	append(spool, "two");
	append(spool, "three");
	spool_close(spool);
	tamper("UPDATE entry SET event = 'twp' WHERE n = 2");
	spool = open_spool(0);
	GPtrArray *events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1, "the sound ones before it");
	g_ptr_array_unref(events);
	cr_assert_null(spool_read(spool, 1, 100, 100, &first, &error));
	assert_error(error, SPOOL_ERROR_DAMAGED, "entry 2");
	cr_assert_eq(first, 2);
	cr_assert(spool_refuse(spool, first, "damaged at rest", NULL));
	events = read_after(spool, 1, &first);
	cr_assert_eq(first, 3);
	assert_event(events, 0, "three");
	g_ptr_array_unref(events);
	spool_close(spool);
}

static void
flip_at(const char *path, goffset offset)
{
	FILE *file = fopen(path, "r+b");
	int byte;

	cr_assert(file);
	fseek(file, offset, SEEK_SET);
	byte = fgetc(file);
	fseek(file, offset, SEEK_SET);
	fputc(byte ^ 0x40, file);
	fclose(file);
}

/* Flips a byte of the file.  By a process of its own: closing a file ends all locks one has on it.
 */
static void
flip(goffset offset)
{
	g_autofree char *path = db_path();
	int status;
	pid_t child = fork();

	if (child == 0) {
		flip_at(path, offset);
		_exit(0);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
}

/* Whether the directory has a file of the name. */
static gboolean
has_file(const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
remove_file(const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	cr_assert_eq(g_unlink(path), 0);
}

/* Reads behind n, where the entry should be; it is told, and what is behind it goes on. */
static void
assert_damaged(struct spool *spool, guint64 n, guint64 damaged)
{
	g_autofree char *part = g_strdup_printf("entry %" G_GUINT64_FORMAT, damaged);
	g_autoptr(GError) error = NULL;
	guint64 first = 0;

	cr_assert_null(spool_read(spool, n, 100, 1000, &first, &error));
	assert_error(error, SPOOL_ERROR_DAMAGED, part);
	cr_assert_eq(first, damaged);
	cr_assert(spool_refuse(spool, damaged, "damaged at rest", NULL));
}

Test(spool, a_damaged_file_is_kept_and_replaced_and_what_it_had_is_told)
{
	g_autoptr(GError) error = NULL;
	struct spool *spool = open_spool(0);

	cr_assert_null(spool_mended(spool));
	append(spool, "one");
	spool_close(spool);
	flip(5);
	spool = open_spool(0);
	cr_assert(strstr(spool_mended(spool), "kept as spool.db.damaged"));
	cr_assert(strstr(spool_mended(spool), "1 are lost"), "%s", spool_mended(spool));
	assert_damaged(spool, 0, 1);
	cr_assert_eq(append(spool, "two"), 2);
	spool_close(spool);
	flip(5);
	cr_assert_null(spool_open(directory, 0, &error), "a second one would fill the disk");
	assert_error(error, SPOOL_ERROR_OPEN, "check the disk, take spool.db.damaged away");
	cr_assert(has_file("spool.db.damaged"));
	remove_file("spool.db.damaged");
	spool = open_spool(0);
	cr_assert_eq(append(spool, "three"), 2, "behind the one that is lost");
	spool_close(spool);
	spool = open_spool(0);
	cr_assert_null(spool_mended(spool), "once");
	spool_close(spool);
}

Test(spool, a_file_that_is_no_database_is_refused_where_none_of_ours_was)
{
	g_autoptr(GError) error = NULL;
	struct spool *spool = open_spool(0);

	append(spool, "one");
	spool_close(spool);
	remove_file("spool.mark");
	flip(5);
	cr_assert_null(spool_open(directory, 0, &error));
	assert_error(error, SPOOL_ERROR_OPEN, "check the disk");
	flip(5);
	spool = open_spool(0);
	cr_assert_eq(status_of(spool).entries, 1, "it is left as it is");
	spool_close(spool);
}

Test(spool, a_replacement_that_a_crash_kept_from_its_place_is_taken_up)
{
	static const char *const names[] = {"spool.db", "spool.db-wal"};
	struct spool *spool = open_spool(0);
	g_autofree char *made = g_build_filename(directory, "spool.db.new", NULL);
	g_autofree char *path = db_path();

	append(spool, "one");
	spool_close(spool);
	cr_assert_eq(g_rename(path, made), 0);
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *old = g_build_filename(directory, names[i], NULL);

		cr_assert(g_file_set_contents(old, "damaged", -1, NULL));
	}
	spool = open_spool(0);
	cr_assert_eq(status_of(spool).entries, 1);
	cr_assert(has_file("spool.db.damaged") && has_file("spool.db.damaged-wal"));
	spool_close(spool);
}

Test(spool, a_file_that_is_gone_is_told)
{
	struct spool *spool = open_spool(0);

	append(spool, "one");
	append(spool, "two");
	cr_assert(spool_acknowledge(spool, 1, NULL));
	spool_close(spool);
	remove_file("spool.db");
	spool = open_spool(0);
	cr_assert(strstr(spool_mended(spool), "1 are lost"), "%s", spool_mended(spool));
	assert_damaged(spool, 0, 1);
	spool_close(spool);
}

Test(spool, a_copy_that_is_put_back_gives_no_number_twice)
{
	g_autofree char *path = db_path();
	g_autofree char *copy = NULL, *epoch = NULL;
	struct spool *spool = open_spool(0);
	gsize size;

	append(spool, "one");
	spool_close(spool);
	cr_assert(g_file_get_contents(path, &copy, &size, NULL));
	spool = open_spool(0);
	append(spool, "two");
	cr_assert(spool_acknowledge(spool, 2, NULL));
	epoch = g_strdup(spool_epoch(spool));
	spool_close(spool);
	cr_assert(g_file_set_contents(path, copy, (gssize)size, NULL));
	spool = open_spool(0);
	cr_assert_str_neq(spool_epoch(spool), epoch, "the second would be another event");
	cr_assert(strstr(spool_mended(spool), "0 are lost"), "%s", spool_mended(spool));
	cr_assert_eq(status_of(spool).entries, 1);
	spool_close(spool);
}

/* Where the page is by which entries are found. */
static goffset
entry_page(void)
{
	g_autofree char *path = db_path();
	sqlite3_stmt *row;
	sqlite3 *db;
	goffset page;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db,
					"SELECT rootpage FROM sqlite_schema WHERE name = 'entry'",
					-1, &row, NULL),
		     SQLITE_OK);
	cr_assert_eq(sqlite3_step(row), SQLITE_ROW);
	page = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return (page - 1) * 4096;
}

/* Where the first cell of that page is, in it: behind the head stands a list of them. */
static goffset
first_cell(void)
{
	g_autofree char *path = db_path();
	FILE *file = fopen(path, "rb");
	int high, low;

	cr_assert(file);
	fseek(file, entry_page() + 12, SEEK_SET);
	high = fgetc(file);
	low = fgetc(file);
	fclose(file);
	return high << 8 | low;
}

Test(spool, damage_that_is_met_closes_it_and_the_next_start_mends_it)
{
	g_autofree char *text = g_strnfill(1000, 'x');
	g_autoptr(GBytes) event = g_bytes_new(text, 1000);
	g_autoptr(GError) error = NULL;
	struct spool *spool = open_spool(0);

	for (guint i = 0; i < 100; i++)
		append(spool, text);
	spool_close(spool);
	spool = open_spool(0);
	flip(entry_page() + 5); /* where its cells begin; read when one is added */
	tamper("UPDATE state SET bytes = bytes + 1"); /* what was read before is read again */
	for (guint i = 0; i < 100 && !error; i++)
		spool_append(spool, event, NULL, &error);
	assert_error(error, SPOOL_ERROR_WRITE, "check the disk and restart");
	g_clear_error(&error);
	cr_assert(!status_of(spool).writable);
	cr_assert(!spool_append(spool, event, NULL, &error));
	assert_error(error, SPOOL_ERROR_WRITE, "damaged; check the disk and restart");
	spool_close(spool);
	spool = open_spool(0);
	cr_assert(strstr(spool_mended(spool), "kept as spool.db.damaged"));
	cr_assert_geq(status_of(spool).entries, 100, "each is there, or its loss is told");
	append(spool, "it goes on");
	spool_close(spool);
}

Test(spool, an_entry_that_is_gone_is_told_and_what_is_behind_it_goes_on)
{
	struct spool *spool = open_spool(0);
	GPtrArray *events;
	guint64 first = 0;

	for (guint i = 1; i <= 5; i++)
		append(spool, "x");
	cr_assert(spool_refuse(spool, 3, "poison", NULL));
	spool_close(spool);
	tamper("DELETE FROM entry WHERE n = 2");
	spool = open_spool(0);
	events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1, "the sound ones before it");
	g_ptr_array_unref(events);
	assert_damaged(spool, 1, 2);
	events = read_after(spool, 2, &first);
	cr_assert_eq(first, 4, "the third was refused, and is not missing");
	cr_assert_eq(events->len, 2);
	g_ptr_array_unref(events);
	spool_close(spool);
}

Test(spool, the_newest_entry_that_is_gone_is_told_when_it_is_opened)
{
	struct spool *spool = open_spool(0);
	GPtrArray *events;
	guint64 first = 0;

	append(spool, "one");
	append(spool, "two");
	spool_close(spool);
	tamper("DELETE FROM entry WHERE n = 2");
	spool = open_spool(0);
	events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1);
	g_ptr_array_unref(events);
	assert_damaged(spool, 1, 2);
	spool_close(spool);
}

Test(spool, entries_that_a_damaged_index_hides_are_told_with_the_remedy_and_found_by_a_restart)
{
	g_autofree char *text = g_strnfill(1000, 'x');
	g_autoptr(GError) error = NULL;
	struct spool *spool = open_spool(0);
	guint64 first = 0;
	gint64 place;

	for (guint i = 0; i < 100; i++)
		append(spool, text);
	spool_close(spool);
	place = entry_page() + first_cell() + 4;
	spool = open_spool(0);
	/* The highest number of the first page of entries: behind its page number. */
	flip(place);
	tamper("UPDATE state SET bytes = bytes + 1");
	for (guint64 n = 0; n < 100 && !error; n++) {
		GPtrArray *events = spool_read(spool, n, 100, 1000, &first, &error);

		if (events)
			g_ptr_array_unref(events);
	}
	assert_error(error, SPOOL_ERROR_READ, "check the disk and restart");
	cr_assert_eq(status_of(spool).entries, 100);
	spool_close(spool);
	spool = open_spool(0);
	cr_assert(strstr(spool_mended(spool), "100 entries were saved"), "%s", spool_mended(spool));
	cr_assert_eq(status_of(spool).entries, 100);
	spool_close(spool);
}

Test(spool, only_one_process_has_it)
{
	struct spool *spool = open_spool(0);
	g_autoptr(GError) error = NULL;

	cr_assert_null(spool_open(directory, 0, &error));
	assert_error(error, SPOOL_ERROR_IN_USE, "in use");
	append(spool, "the first goes on");
	spool_close(spool);
	spool_close(open_spool(0));
}

Test(spool, the_file_is_for_its_owner_alone)
{
	static const char *const names[] = {"spool.db",	  "spool.db-wal",  "spool.db-shm",
					    "spool.lock", "spool.reserve", "spool.mark"};
	struct spool *spool;

	umask(0);
	spool = open_spool(0);
	append(spool, "one");
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(directory, names[i], NULL);
		struct stat st;
		cr_assert(stat(path, &st) == 0, "%s", path);
		cr_assert_eq(st.st_mode & 0777, 0600, "%s", path);
	}
	spool_close(spool);
}

Test(spool, a_newer_file_is_refused_and_left_alone)
{
	g_autoptr(GError) error = NULL;
	struct spool *spool = open_spool(0);

	append(spool, "one");
	spool_close(spool);
	tamper("PRAGMA user_version = 2");
	remove_file("spool.mark"); /* a newer one has its own, of which nothing is known here */
	cr_assert_null(spool_open(directory, 0, &error));
	assert_error(error, SPOOL_ERROR_VERSION, "newer");
	tamper("PRAGMA user_version = 1");
	spool = open_spool(0);
	cr_assert_eq(status_of(spool).entries, 1);
	spool_close(spool);
}

Test(spool, files_that_are_not_ours_are_refused)
{
	g_autofree char *path = db_path();
	g_autoptr(GError) error = NULL;

	tamper("CREATE TABLE mail (id)");
	cr_assert_null(spool_open(directory, 0, &error));
	assert_error(error, SPOOL_ERROR_OPEN, "not a mailtrace spool");
	g_clear_error(&error);
	g_autofree char *junk = g_strnfill(8192, 'x');
	cr_assert(g_file_set_contents(path, junk, -1, NULL));
	cr_assert_null(spool_open(directory, 0, &error));
	assert_error(error, SPOOL_ERROR_OPEN, "not a database");
	g_clear_error(&error);
	cr_assert_null(spool_open("/nonexistent", 0, &error));
	assert_error(error, SPOOL_ERROR_OPEN, "/nonexistent");
}

Test(spool, events_up_to_the_cap_are_taken)
{
	struct spool *spool = open_spool(0);
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES + 1, 'x');
	g_autoptr(GBytes) over = g_bytes_new(text, CAP_EVENT_BYTES + 1);
	g_autoptr(GBytes) at = g_bytes_new(text, CAP_EVENT_BYTES);
	g_autoptr(GBytes) under = g_bytes_new(text, CAP_EVENT_BYTES - 1);
	g_autoptr(GError) error = NULL;

	cr_assert(!spool_append(spool, over, NULL, &error));
	assert_error(error, SPOOL_ERROR_SIZE, "cap");
	cr_assert(spool_append(spool, at, NULL, NULL));
	cr_assert(spool_append(spool, under, NULL, NULL));
	cr_assert_eq(status_of(spool).entries, 2);
	spool_close(spool);
}

Test(spool, many_are_appended_in_order_with_one_commit)
{
	struct spool *spool = open_spool(0);
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autoptr(GPtrArray) found = NULL;
	guint64 commits = status_of(spool).commits, first = 0;

	cr_assert(spool_append_all(spool, events, NULL), "none at all");
	g_ptr_array_add(events, g_bytes_new_static("one", 3));
	g_ptr_array_add(events, g_bytes_new_static("two", 3));
	g_ptr_array_add(events, g_bytes_new_static("three", 5));
	cr_assert(spool_append_all(spool, events, NULL));
	cr_assert_eq(status_of(spool).commits, commits + 1);
	found = read_after(spool, 0, &first);
	cr_assert_eq(found->len, 3);
	assert_event(found, 0, "one");
	assert_event(found, 2, "three");
	spool_close(spool);
}

Test(spool, the_first_fault_of_many_is_told)
{
	struct spool *spool = open_spool(6);
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autoptr(GError) error = NULL;

	g_ptr_array_add(events, g_bytes_new_static("1234", 4));
	g_ptr_array_add(events, g_bytes_new_static("123456", 6));
	g_ptr_array_add(events, g_bytes_new_static("1234567", 7));
	cr_assert(!spool_append_all(spool, events, &error));
	assert_error(error, SPOOL_ERROR_FULL, "of 6 bytes");
	spool_close(spool);
}

Test(spool, a_full_spool_refuses_until_there_is_room)
{
	struct spool *spool = open_spool(10);
	g_autoptr(GBytes) event = g_bytes_new("123456", 6);
	g_autoptr(GError) error = NULL;
	guint64 n = 77;

	append(spool, "1234");
	append(spool, "123456");
	cr_assert(!spool_append(spool, event, &n, &error));
	assert_error(error, SPOOL_ERROR_FULL, "10 of 10 bytes");
	cr_assert_eq(n, 77, "untouched");
	cr_assert(status_of(spool).writable);
	cr_assert(spool_acknowledge(spool, 1, NULL));
	cr_assert(!spool_append(spool, event, NULL, NULL), "12 of 10");
	cr_assert(spool_refuse(spool, 2, "poison", NULL));
	cr_assert(!spool_append(spool, event, NULL, NULL), "dead letters take room too");
	spool_close(spool);
	spool = open_spool(12);
	cr_assert_eq(append(spool, "123456"), 3);
	spool_close(spool);
}

/* A full disk: no file of this process may grow beyond this. */
static void
limit_files(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

Test(spool, a_failing_disk_closes_it_to_writing_and_not_to_reading)
{
	struct spool *spool = open_spool(0);
	g_autofree char *text = g_strnfill(1024 * 1024, 'x');
	g_autoptr(GBytes) event = g_bytes_new(text, 1024 * 1024);
	g_autoptr(GError) error = NULL;
	guint64 first;

	append(spool, "one");
	limit_files(256 * 1024); /* write(2) then fails with EFBIG, which no room will mend */
	cr_assert(!spool_append(spool, event, NULL, &error));
	assert_error(error, SPOOL_ERROR_WRITE, "cannot write");
	g_clear_error(&error);
	limit_files(RLIM_INFINITY);
	cr_assert(!status_of(spool).writable);
	cr_assert(!spool_append(spool, event, NULL, &error), "a later success would prove nothing");
	assert_error(error, SPOOL_ERROR_WRITE, "closed");
	GPtrArray *events = read_after(spool, 0, &first);
	cr_assert_eq(events->len, 1);
	g_ptr_array_unref(events);
	spool_close(spool);
	spool = open_spool(0);
	append(spool, "a restart takes it up again");
	cr_assert_eq(status_of(spool).entries, 2);
	spool_close(spool);
}

Test(spool, an_administrator_who_holds_the_lock_delays_and_breaks_nothing)
{
	g_autofree char *path = db_path();
	struct spool *spool = open_spool(0);
	g_autoptr(GBytes) event = g_bytes_new("two", 3);
	g_autoptr(GError) error = NULL;
	sqlite3 *db;

	append(spool, "one");
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_assert(!spool_append(spool, event, NULL, &error));
	assert_error(error, SPOOL_ERROR_BUSY, "locked");
	sqlite3_close(db);
	append(spool, "two");
	cr_assert_eq(status_of(spool).entries, 2);
	spool_close(spool);
}

Test(spool, the_wake_descriptor_tells_of_appends_alone)
{
	struct spool *spool = open_spool(0);
	struct pollfd fd = {.fd = spool_wake_fd(spool), .events = POLLIN};
	guint64 count;

	cr_assert_eq(poll(&fd, 1, 0), 0);
	append(spool, "one");
	cr_assert_eq(poll(&fd, 1, 10000), 1);
	cr_assert_eq(read(fd.fd, &count, sizeof count), (gssize)sizeof count);
	cr_assert(spool_acknowledge(spool, 1, NULL));
	cr_assert_eq(poll(&fd, 1, 0), 0);
	spool_close(spool);
}

#define THREADS 16
#define EACH 50

static gpointer
append_many(gpointer data)
{
	for (guint i = 0; i < EACH; i++)
		append(data, "concurrent");
	return NULL;
}

Test(spool, waiting_sessions_share_a_commit)
{
	struct spool *spool = open_spool(0);
	GThread *threads[THREADS];
	struct spool_status status;

	for (guint i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("append", append_many, spool);
	for (guint i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	status = status_of(spool);
	cr_assert_eq(status.entries, THREADS * EACH);
	cr_assert_eq(status.last, THREADS * EACH);
	cr_assert_lt(status.commits, status.entries, "%" G_GUINT64_FORMAT " commits",
		     status.commits);
	spool_close(spool);
}

/* Appends and says each number on a pipe as soon as it has returned; acknowledges now and then. */
static void
append_until_killed(int out)
{
	struct spool *spool = spool_open(directory, 0, NULL);

	for (guint64 i = 0; spool; i++) {
		g_autoptr(GBytes) event = g_bytes_new(&i, sizeof i);
		guint64 n = 0;
		if (!spool_append(spool, event, &n, NULL) ||
		    write(out, &n, sizeof n) != (gssize)sizeof n)
			break;
	}
	_exit(1);
}

/* Lets a child append and kills it once it has said that many; returns the last number said. */
static guint64
kill_after(guint64 count)
{
	guint64 n = 0, said = 0;
	int fds[2], status;
	pid_t child;

	cr_assert(pipe2(fds, O_CLOEXEC) == 0);
	child = fork();
	if (child == 0)
		append_until_killed(fds[1]);
	close(fds[1]);
	for (guint64 i = 0; i < count && read(fds[0], &n, sizeof n) == (gssize)sizeof n; i++)
		said = n;
	cr_assert(kill(child, SIGKILL) == 0);
	while (read(fds[0], &n, sizeof n) == (gssize)sizeof n)
		said = n;
	close(fds[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status), "it ended by itself");
	return said;
}

Test(spool, every_number_that_was_returned_survives_a_kill_exactly_once)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20260101);

	for (int round = 0; round < 8; round++) {
		guint64 said = kill_after((guint64)g_rand_int_range(rand, 1, 200));
		struct spool *spool = open_spool(0);
		guint64 last = status_of(spool).last, first = 0, n = 0;

		cr_assert_geq(last, said);
		cr_assert_leq(last, said + 1, "one append was under way");
		while (n < last) {
			GPtrArray *events = read_after(spool, n, &first);
			cr_assert_eq(first, n + 1);
			n += events->len;
			g_ptr_array_unref(events);
		}
		cr_assert_eq(n, last);
		cr_assert_eq(status_of(spool).entries, last);
		spool_close(spool);
	}
}

Test(spool, survives_kill_between_append_and_ack)
{
	guint64 said = kill_after(20), first;
	struct spool *spool = open_spool(0);

	cr_assert(spool_acknowledge(spool, said / 2, NULL));
	g_ptr_array_unref(read_after(spool, 0, &first));
	cr_assert_eq(first, said / 2 + 1);
	cr_assert_eq(status_of(spool).entries, status_of(spool).last - said / 2);
	spool_close(spool);
}

Test(spool, the_file_shrinks_after_an_outage)
{
	g_autofree char *path = db_path();
	g_autofree char *text = g_strnfill(CAP_EVENT_BYTES, 'x');
	g_autoptr(GBytes) event = g_bytes_new(text, CAP_EVENT_BYTES);
	struct spool *spool = open_spool(0);
	struct stat full, kept;

	for (int i = 0; i < 40; i++)
		cr_assert(spool_append(spool, event, NULL, NULL));
	for (guint64 n = 1; n <= 40; n++)
		cr_assert(spool_acknowledge(spool, n, NULL));
	spool_close(spool);
	cr_assert(stat(path, &full) == 0);
	spool = open_spool(0);
	for (int i = 0; i < 40; i++) {
		guint64 n = append(spool, "x");
		cr_assert(spool_acknowledge(spool, n, NULL));
	}
	spool_close(spool);
	cr_assert(stat(path, &kept) == 0);
	cr_assert_lt(kept.st_size, 80 * 1024 * 1024, "%ld, then %ld", (long)full.st_size,
		     (long)kept.st_size);
}
