/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "liveness.h"

#define PATIENCE_MS 200

/* A listening socket of loopback, at a free port. */
static int
listen_somewhere(int backlog)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

struct filter {
	int listen_fd;
	char answer;	  /* the command that it answers with; 0: hangs up */
	guint8 asked[17]; /* the offer that it got */
	guint8 last[5];	  /* and what came after its answer */
};

/* Serves one connection. */
static gpointer
serve_one(gpointer data)
{
	struct filter *filter = data;
	guint8 answer[17] = {0, 0, 0, 13};
	int fd = accept(filter->listen_fd, NULL, NULL);

	if (recv(fd, filter->asked, sizeof(filter->asked), MSG_WAITALL) > 0 && filter->answer) {
		answer[4] = (guint8)filter->answer;
		cr_expect_eq(send(fd, answer, sizeof(answer), MSG_NOSIGNAL), sizeof(answer));
		(void)!recv(fd, filter->last, sizeof(filter->last), MSG_WAITALL);
	}
	close(fd);
	return NULL;
}

static gboolean
ask(struct filter *filter)
{
	GThread *thread;
	gboolean serves;

	filter->listen_fd = listen_somewhere(5);
	thread = g_thread_new("filter", serve_one, filter);
	serves = liveness_ask(filter->listen_fd, 10 * PATIENCE_MS);
	g_thread_join(thread);
	close(filter->listen_fd);
	return serves;
}

Test(liveness, an_answered_offer_is_life_and_the_connection_is_quit)
{
	struct filter filter = {.answer = 'O'};
	static const guint8 quit[] = {0, 0, 0, 1, 'Q'};

	cr_assert(ask(&filter));
	cr_assert_eq(filter.asked[4], 'O');
	cr_assert_eq(filter.asked[8], 6, "version 6 of the protocol");
	cr_assert_eq(memcmp(filter.last, quit, sizeof(quit)), 0);
}

Test(liveness, another_answer_is_none)
{
	struct filter filter = {.answer = 't'};

	cr_assert_not(ask(&filter));
}

Test(liveness, a_filter_that_hangs_up_does_not_serve)
{
	struct filter filter = {.answer = 0};

	cr_assert_not(ask(&filter));
}

/* Connections wait in the kernel's queue, and nobody takes them. */
Test(liveness, a_filter_that_accepts_nobody_does_not_serve_and_is_not_waited_for)
{
	gint64 begun_us = g_get_monotonic_time();
	int fd = listen_somewhere(5);

	cr_assert_not(liveness_ask(fd, PATIENCE_MS));
	cr_assert_geq(g_get_monotonic_time() - begun_us, PATIENCE_MS * 900);
	cr_assert_lt(g_get_monotonic_time() - begun_us, 20 * PATIENCE_MS * 1000);
	close(fd);
}

Test(liveness, what_is_no_listening_socket_does_not_serve)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_not(liveness_ask(-1, PATIENCE_MS));
	cr_assert_not(liveness_ask(fd, PATIENCE_MS));
	close(fd);
}
