/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "message.h"

#define PLENTY (1024 * 1024 * 1024)

static struct engine *engine;
static char *directory;

static void
set_up(void)
{
	const char text[] = "[site]\nsensor = mx1\n";
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("test.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	engine = engine_new(settings, NULL, NULL, &error);
	cr_assert(engine, "%s", error ? error->message : "");
	settings_unref(settings);
	directory = g_dir_make_tmp("test-message-XXXXXX", NULL);
}

/* Whatever a test did, its message has given back all it took. */
static void
tear_down(void)
{
	cr_expect(engine_take_bytes(engine, PLENTY, PLENTY), "memory was given back");
	cr_expect(engine_take_file_bytes(engine, 4ULL * PLENTY, PLENTY), "files were given back");
	engine_free(engine);
	cr_expect_eq(g_rmdir(directory), 0, "nothing is left in the folder of temporary files");
	g_free(directory);
}

TestSuite(message, .init = set_up, .fini = tear_down);

/* Returns the bytes of a finished message. */
static GString *
contents(struct message *message, int *ret_fd)
{
	GString *text = g_string_new(NULL);
	const void *bytes = NULL;
	int fd = -1;

	message_finish(message, &fd, &bytes);
	if (fd < 0) {
		g_string_append_len(text, bytes, (gssize)message_size(message));
	} else {
		g_string_set_size(text, message_size(message) + 1);
		text->len = (gsize)pread(fd, text->str, text->allocated_len - 1, 0);
	}
	*ret_fd = fd;
	return text;
}

static void
assert_contents(struct message *message, const void *expected, gsize length)
{
	int fd;
	GString *text = contents(message, &fd);

	cr_assert_eq(text->len, length, "%zu bytes", text->len);
	cr_assert_eq(memcmp(text->str, expected, length), 0);
	g_string_free(text, TRUE);
}

Test(message, keeps_leading_blanks_and_gives_folding_cr_lf)
{
	g_autoptr(message_t) message = message_new(engine, PLENTY, directory);
	const char expected[] = "Subject: two\r\n\tlines\r\n"
				"X:none\r\n"
				"Y:  many \r\n"
				"Z:\r\n"
				"A: kept\r\n as it is\r\n"
				"\r\n"
				"body\n";

	message_add_header(message, "Subject", " two\n\tlines");
	message_add_header(message, "X", "none");
	message_add_header(message, "Y", "  many ");
	message_add_header(message, "Z", "");
	message_add_header(message, "A", " kept\r\n as it is");
	message_end_header(message);
	message_add_body(message, "body\n", 5);
	assert_contents(message, expected, strlen(expected));
}

Test(message, ends_its_header_once)
{
	g_autoptr(message_t) message = message_new(engine, PLENTY, directory);

	message_add_header(message, "A", " b");
	message_end_header(message);
	message_end_header(message);
	assert_contents(message, "A: b\r\n\r\n", 8);
}

Test(message, body_may_hold_anything)
{
	g_autoptr(message_t) message = message_new(engine, PLENTY, directory);

	message_end_header(message);
	message_add_body(message, "a\0b\r\nc\nd\xff", 9);
	assert_contents(message, "\r\na\0b\r\nc\nd\xff", 11);
}

/* Adds length bytes, each telling its place, in pieces of piece bytes. */
static void
add_counted(struct message *message, GByteArray *expected, gsize length, gsize piece)
{
	g_autofree guint8 *bytes = g_malloc(length);

	for (gsize i = 0; i < length; i++)
		bytes[i] = (guint8)((i * 2654435761u) >> 7);
	for (gsize at = 0; at < length; at += piece)
		message_add_body(message, bytes + at, MIN(piece, length - at));
	g_byte_array_append(expected, bytes, (guint)length);
}

static void
check_size(gsize length, gsize piece, guint64 cap, gboolean in_descriptor)
{
	g_autoptr(message_t) message = message_new(engine, cap, directory);
	g_autoptr(GByteArray) expected = g_byte_array_new();
	GString *text;
	int fd;

	add_counted(message, expected, length, piece);
	cr_assert(message_is_whole(message));
	cr_assert_eq(message_size(message), length);
	text = contents(message, &fd);
	cr_assert_eq(fd >= 0, in_descriptor, "%zu", length);
	cr_assert_eq(text->len, length);
	cr_assert_eq(memcmp(text->str, expected->data, length), 0);
	g_string_free(text, TRUE);
}

Test(message, moves_to_a_memfd_above_the_inline_cap_and_loses_nothing)
{
	check_size(CAP_INLINE_BYTES - 1, 1000, PLENTY, FALSE);
	check_size(CAP_INLINE_BYTES, 1000, PLENTY, FALSE);
	check_size(CAP_INLINE_BYTES + 1, 1000, PLENTY, TRUE);
	check_size(CAP_INLINE_BYTES + 1, CAP_INLINE_BYTES + 1, PLENTY, TRUE);
	check_size(3 * CAP_INLINE_BYTES, 65535, PLENTY, TRUE);
}

Test(message, memfd_is_sealed_against_change)
{
	g_autoptr(message_t) message = message_new(engine, PLENTY, directory);
	g_autoptr(GByteArray) expected = g_byte_array_new();
	const void *bytes;
	int fd = -1;

	add_counted(message, expected, 2 * CAP_INLINE_BYTES, 65535);
	message_finish(message, &fd, &bytes);
	cr_assert_eq(ftruncate(fd, 0), -1);
	cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
	cr_assert_eq(errno, EPERM);
}

/* Of 200,000 bytes 150,000 fit the cap: the rest, and those, are in a file. */
Test(message, spills_to_an_unlinked_file_above_the_cap_in_flight)
{
	struct stat status;
	g_autoptr(message_t) message = message_new(engine, 150000, directory);
	g_autoptr(GByteArray) expected = g_byte_array_new();
	int fd;
	GString *text;

	add_counted(message, expected, 200000, 10000);
	text = contents(message, &fd);
	cr_assert_eq(fstat(fd, &status), 0);
	cr_assert_eq(status.st_nlink, 0);
	cr_assert_eq(status.st_size, 200000);
	cr_assert_eq(memcmp(text->str, expected->data, 200000), 0);
	cr_assert_eq(engine_counted(engine, COUNT_SPILLED), 1);
	cr_assert(engine_take_bytes(engine, 150000, 150000), "the memory is free again");
	engine_give_bytes(engine, 150000);
	g_string_free(text, TRUE);
}

Test(message, small_one_spills_when_others_hold_all_memory)
{
	cr_assert(engine_take_bytes(engine, 1000, 1000));
	check_size(500, 100, 1000, TRUE);
	engine_give_bytes(engine, 1000);
}

Test(message, finds_no_room_above_four_times_the_cap_and_takes_none)
{
	g_autoptr(message_t) message = message_new(engine, 1000, directory);
	g_autoptr(GByteArray) expected = g_byte_array_new();

	add_counted(message, expected, ENGINE_FILE_FACTOR * 1000, 100);
	cr_assert(message_is_whole(message));
	message_add_body(message, "x", 1);
	cr_assert_eq(message_state(message), MESSAGE_NO_ROOM);
	cr_assert_eq(message_size(message), ENGINE_FILE_FACTOR * 1000 + 1);
	cr_assert(engine_take_file_bytes(engine, ENGINE_FILE_FACTOR * 1000, 1000), "let go of");
	engine_give_file_bytes(engine, ENGINE_FILE_FACTOR * 1000);
	message_add_header(message, "A", " b");
	cr_assert_eq(message_size(message), ENGINE_FILE_FACTOR * 1000 + 7, "still counted");
}

Test(message, finds_no_room_where_the_folder_is_missing)
{
	g_autoptr(message_t) message = message_new(engine, 10, "/nonexistent/mailtrace");

	message_add_body(message, "0123456789", 10);
	cr_assert(message_is_whole(message));
	message_add_body(message, "x", 1);
	cr_assert_eq(message_state(message), MESSAGE_NO_ROOM);
}

/* A limit on the size of files stands for the full disk: write() comes up short, then fails. */
Test(message, finds_no_room_when_the_disk_fills_up)
{
	g_autoptr(message_t) message = message_new(engine, 1000, directory);
	const struct rlimit small = {1500, 1500};
	g_autoptr(GByteArray) expected = g_byte_array_new();

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	add_counted(message, expected, 1500, 100);
	cr_assert(message_is_whole(message));
	message_add_body(message, "x", 1);
	cr_assert_eq(message_state(message), MESSAGE_NO_ROOM);
}

Test(message, too_large_a_message_is_counted_and_not_kept)
{
	g_autoptr(message_t) message = message_new(engine, PLENTY, directory);

	message_add_body(message, "x", 1);
	message_add_body(message, directory, (gsize)CAP_MESSAGE_BYTES);
	cr_assert_eq(message_state(message), MESSAGE_TOO_LARGE);
	cr_assert_eq(message_size(message), CAP_MESSAGE_BYTES + 1);
}
