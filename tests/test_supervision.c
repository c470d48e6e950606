/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervision.h"

static int ends[2];

static void
set_up(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void
tear_down(void)
{
	close(ends[0]);
	close(ends[1]);
}

TestSuite(supervision, .init = set_up, .fini = tear_down);

/* Sends length bytes of text and expects them on the other side. */
static void
check_text(gsize length)
{
	struct supervision_message message = {.fd = -1};
	g_autofree char *text = g_strnfill(length, 'x');

	cr_assert(supervision_send(ends[0], SUPERVISION_CONFIG, text, length, -1));
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	cr_assert_eq(message.kind, SUPERVISION_CONFIG);
	cr_assert_eq(message.fd, -1);
	cr_assert_eq(g_bytes_get_size(message.text), length);
	cr_assert_eq(memcmp(g_bytes_get_data(message.text, NULL), text, length), 0);
	supervision_message_clear(&message);
}

Test(supervision, carries_text_up_to_its_cap)
{
	check_text(1);
	check_text(SUPERVISION_TEXT_BYTES - 1);
	check_text(SUPERVISION_TEXT_BYTES);
}

Test(supervision, carries_a_kind_alone)
{
	struct supervision_message message = {.fd = -1};

	cr_assert(supervision_send(ends[0], SUPERVISION_STOP, NULL, 0, -1));
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	cr_assert_eq(message.kind, SUPERVISION_STOP);
	cr_assert_eq(g_bytes_get_size(message.text), 0);
	supervision_message_clear(&message);
}

Test(supervision, carries_a_descriptor_that_is_not_inherited)
{
	struct supervision_message message = {.fd = -1};
	int pipe_ends[2];
	char byte = 0;
	int passed;

	cr_assert_eq(pipe(pipe_ends), 0);
	cr_assert(supervision_send(ends[0], SUPERVISION_SCANNER, NULL, 0, pipe_ends[1]));
	close(pipe_ends[1]);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	passed = message.fd;
	cr_assert_geq(passed, 0);
	cr_assert(fcntl(passed, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(write(passed, "!", 1), 1);
	cr_assert_eq(read(pipe_ends[0], &byte, 1), 1);
	supervision_message_clear(&message);
	cr_assert_eq(fcntl(passed, F_GETFD), -1, "closed with the message");
	close(pipe_ends[0]);
}

/* Else the milter process would take it for the end of its supervisor, and stop. */
Test(supervision, a_descriptor_that_there_is_no_room_for_is_not_the_end)
{
	struct supervision_message message = {.fd = -1};
	struct rlimit limit, none = {.rlim_cur = 1}; /* poll() wants one */

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	cr_assert(supervision_send(ends[0], SUPERVISION_SCANNER, NULL, 0, STDERR_FILENO));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(message.kind, SUPERVISION_SCANNER);
	cr_assert_eq(message.fd, -1);
	supervision_message_clear(&message);
}

Test(supervision, tells_nothing_from_the_end)
{
	struct supervision_message message = {.fd = -1};

	cr_assert_eq(supervision_receive(ends[1], 0, &message), SUPERVISION_NOTHING);
	cr_assert_eq(supervision_receive(ends[1], 20, &message), SUPERVISION_NOTHING);
	shutdown(ends[0], SHUT_RDWR);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_END);
	cr_assert_not(supervision_send(ends[1], SUPERVISION_ALIVE, NULL, 0, -1));
}

/* As a process does that fails to start while it is being given a scanner. */
Test(supervision, the_last_words_of_an_end_that_left_packets_unread_are_heard)
{
	struct supervision_message message = {.fd = -1};

	cr_assert(supervision_send(ends[1], SUPERVISION_STOP, NULL, 0, -1));
	cr_assert(supervision_send(ends[0], SUPERVISION_FAILED, "why", 3, -1));
	close(ends[0]);
	ends[0] = -1;
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	cr_assert_eq(message.kind, SUPERVISION_FAILED);
	supervision_message_clear(&message);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_END);
}

Test(supervision, takes_what_is_not_of_the_protocol_for_the_end)
{
	struct supervision_message message = {.fd = -1};
	char wrong = SUPERVISION_KINDS;
	g_autofree char *large = g_malloc0(SUPERVISION_TEXT_BYTES + 2);

	cr_assert_eq(send(ends[0], &wrong, 1, 0), 1);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_END);
	cr_assert_eq(send(ends[0], large, SUPERVISION_TEXT_BYTES + 2, 0),
		     SUPERVISION_TEXT_BYTES + 2);
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_END);
	cr_assert_null(message.text, "untouched");
}

Test(supervision, text_is_made_valid)
{
	struct supervision_message message = {.fd = -1};
	g_autofree char *text = NULL;

	cr_assert(supervision_send(ends[0], SUPERVISION_REFUSED, "a\xff\0b", 4, -1));
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	text = supervision_message_text(&message);
	cr_assert_str_eq(text, "a\\xff\\x00b");
	supervision_message_clear(&message);
}
