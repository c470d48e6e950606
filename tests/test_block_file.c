/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>

#include "block_file.h"

struct site {
	char *directory, *path;
	struct block_file *file;
};

static void
reopen(struct site *site)
{
	g_autoptr(GError) error = NULL;

	block_file_free(site->file);
	site->file = block_file_open(site->directory, &error);
	cr_assert_not_null(site->file, "%s", error ? error->message : "");
}

static void
site_init(struct site *site)
{
	site->directory = g_dir_make_tmp("mailtrace-blocks-XXXXXX", NULL);
	site->path = g_build_filename(site->directory, "blocks", NULL);
	site->file = NULL;
	reopen(site);
}

static void
site_clear(struct site *site)
{
	block_file_free(site->file);
	g_unlink(site->path);
	cr_expect_eq(g_rmdir(site->directory), 0, "files are left behind");
	g_free(site->path);
	g_free(site->directory);
}

static struct block_entry
entry_of(guint n)
{
	struct block_entry entry = {.key.kind = BLOCK_SHA256, .mode = BLOCK_REJECT, .number = n};

	memcpy(entry.key.bytes, &n, sizeof(n));
	return entry;
}

/* Tells the file that first to first + count - 1 are blocked, or no longer. */
static gboolean
tell(struct site *site, guint64 from, guint64 to, gboolean last, guint first, guint count,
     gboolean removed)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = NULL;
	struct block_chunk chunk;
	gboolean applied;

	block_chunk_init(&chunk);
	memset(chunk.list, 0x11, BLOCK_LIST_ID_BYTES);
	chunk.from = from;
	chunk.to = to;
	chunk.last = last;
	for (guint n = first; n < first + count; n++) {
		struct block_entry entry = entry_of(n);

		entry.removed = removed;
		g_array_append_val(chunk.entries, entry);
	}
	bytes = block_chunk_format(&chunk);
	block_chunk_clear(&chunk);
	applied = block_file_apply(site->file, g_bytes_get_data(bytes, NULL),
				   g_bytes_get_size(bytes), &error);
	cr_expect_eq(applied, error == NULL);
	return applied;
}

static gboolean
has(const struct site *site, guint n)
{
	struct block_entry entry = entry_of(n), found;

	return block_list_find(block_file_list(site->file), &entry.key, 1, &found) &&
	       found.number == n;
}

static guint64
version(const struct site *site)
{
	return block_file_state(site->file).version;
}

Test(block_file, new_file_is_empty_and_has_no_version)
{
	struct site site;

	site_init(&site);
	cr_assert_eq(version(&site), 0);
	cr_assert_eq(block_list_count(block_file_list(site.file)), 0);
	cr_assert_not(block_file_was_damaged(site.file));
	site_clear(&site);
}

Test(block_file, what_was_told_holds_after_a_restart)
{
	struct site site;

	site_init(&site);
	cr_assert(tell(&site, 0, 3, TRUE, 1, 3, FALSE));
	cr_assert(tell(&site, 3, 4, TRUE, 2, 1, TRUE));
	for (guint i = 0; i < 2; i++) {
		cr_assert(has(&site, 1) && !has(&site, 2) && has(&site, 3));
		cr_assert_eq(version(&site), 4);
		reopen(&site);
	}
	site_clear(&site);
}

Test(block_file, chunk_that_does_not_follow_is_passed_over)
{
	struct site site;

	site_init(&site);
	tell(&site, 0, 3, TRUE, 1, 3, FALSE);
	cr_assert(tell(&site, 5, 6, TRUE, 9, 1, FALSE));
	cr_assert(tell(&site, 1, 3, TRUE, 9, 1, FALSE));
	cr_assert_not(has(&site, 9));
	cr_assert_eq(version(&site), 3);
	cr_assert(block_file_apply(site.file, "garbage", 7, NULL));
	reopen(&site);
	cr_assert_not(has(&site, 9));
	site_clear(&site);
}

/* Else mail with a blocked file would pass while a sensor is brought up to date. */
Test(block_file, former_blocks_hold_until_a_copy_begun_anew_is_whole)
{
	struct site site;

	site_init(&site);
	tell(&site, 0, 3, TRUE, 1, 3, FALSE);
	tell(&site, 0, 2, FALSE, 20, 2, FALSE);
	cr_assert(has(&site, 1) && !has(&site, 20));
	cr_assert_eq(version(&site), 2, "the next chunk is asked for");
	tell(&site, 2, 4, TRUE, 22, 2, FALSE);
	cr_assert(!has(&site, 1) && has(&site, 20) && has(&site, 23));
	reopen(&site);
	cr_assert(!has(&site, 1) && has(&site, 20) && has(&site, 23));
	site_clear(&site);
}

Test(block_file, copy_that_was_not_whole_at_the_end_is_asked_for_anew)
{
	struct site site;

	site_init(&site);
	tell(&site, 0, 3, TRUE, 1, 3, FALSE);
	tell(&site, 0, 2, FALSE, 20, 2, FALSE);
	reopen(&site);
	cr_assert_eq(version(&site), 0);
	cr_assert(has(&site, 1), "what was whole holds meanwhile");
	tell(&site, 0, 5, TRUE, 30, 1, FALSE);
	cr_assert(has(&site, 30) && !has(&site, 1));
	site_clear(&site);
}

/* Any cut, as a crash may leave it: what is before it holds, and all is asked for again. */
Test(block_file, torn_file_keeps_what_is_whole_and_asks_for_all)
{
	g_autofree char *content = NULL;
	struct site site;
	gsize first, length;

	site_init(&site);
	tell(&site, 0, 2, TRUE, 1, 2, FALSE);
	g_file_get_contents(site.path, &content, &first, NULL);
	g_clear_pointer(&content, g_free);
	tell(&site, 2, 4, TRUE, 3, 2, FALSE);
	g_file_get_contents(site.path, &content, &length, NULL);
	for (gsize cut = first + 1; cut < length; cut++) {
		cr_assert(g_file_set_contents(site.path, content, (gssize)cut, NULL));
		reopen(&site);
		cr_assert(block_file_was_damaged(site.file));
		cr_assert(has(&site, 1) && has(&site, 2) && !has(&site, 3));
		cr_assert_eq(version(&site), 0);
		tell(&site, 0, 4, TRUE, 1, 4, FALSE);
		reopen(&site);
		cr_assert_not(block_file_was_damaged(site.file));
		cr_assert(has(&site, 4));
		cr_assert_eq(version(&site), 4);
	}
	site_clear(&site);
}

Test(block_file, every_flipped_byte_is_found)
{
	g_autofree char *content = NULL;
	struct site site;
	gsize length;

	site_init(&site);
	tell(&site, 0, 2, TRUE, 1, 2, FALSE);
	g_file_get_contents(site.path, &content, &length, NULL);
	for (gsize i = 0; i < length; i++) {
		content[i] ^= 0x40;
		cr_assert(g_file_set_contents(site.path, content, (gssize)length, NULL));
		content[i] ^= 0x40;
		reopen(&site);
		cr_assert(block_file_was_damaged(site.file), "byte %zu", i);
		cr_assert_eq(version(&site), 0);
	}
	site_clear(&site);
}

static gsize
size_of(const struct site *site)
{
	GStatBuf info;

	cr_assert_eq(g_stat(site->path, &info), 0);
	return (gsize)info.st_size;
}

Test(block_file, is_written_anew_when_most_of_it_is_past)
{
	struct site site;
	guint64 at = 2500;
	gsize largest = 0;

	site_init(&site);
	/* More entries than one chunk has, so that the copy is of several. */
	tell(&site, 0, 2000, FALSE, 0, 2000, FALSE);
	tell(&site, 2000, at, TRUE, 2000, 500, FALSE);
	for (guint i = 0; i < 60; i++, at += 1000) {
		tell(&site, at, at + 1000, TRUE, 5000, 1000, i % 2 == 1);
		largest = MAX(largest, size_of(&site));
	}
	cr_assert_lt(size_of(&site), largest);
	cr_assert_lt(largest, 2 * 1024 * 1024);
	for (guint i = 0; i < 2; i++) {
		cr_assert_eq(block_list_count(block_file_list(site.file)), 2500);
		cr_assert(has(&site, 0) && has(&site, 2499) && !has(&site, 5000));
		cr_assert_eq(version(&site), at);
		reopen(&site);
	}
	site_clear(&site);
}

/* The disk's refusal, as RLIMIT_FSIZE gives it: part of a chunk was written. */
Test(block_file, full_disk_changes_nothing_and_the_next_try_succeeds)
{
	struct rlimit former, limit;
	struct site site;

	site_init(&site);
	tell(&site, 0, 2, TRUE, 1, 2, FALSE);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &former);
	limit = former;
	limit.rlim_cur = size_of(&site) + 100;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_not(tell(&site, 2, 102, TRUE, 100, 100, FALSE));
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &former), 0);
	cr_assert_not(has(&site, 100));
	cr_assert_eq(version(&site), 2);
	cr_assert(tell(&site, 2, 102, TRUE, 100, 100, FALSE));
	reopen(&site);
	cr_assert_not(block_file_was_damaged(site.file));
	cr_assert(has(&site, 1) && has(&site, 199));
	site_clear(&site);
}

Test(block_file, directory_that_is_missing_is_named)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(block_file_open("/nonexistent/spool", &error));
	cr_assert_not_null(strstr(error->message, "/nonexistent/spool/blocks"));
}
