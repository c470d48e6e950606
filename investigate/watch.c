/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch - the helper of `mailtrace watch`: reads the live stream, writes each
 * event's JSON as a line to the standard output.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "keys.h"

#define EXIT_CONFIG 2
#define WAIT_MS 500

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
	ended = 1;
}

/* Returns TRUE once nobody reads our output any more. */
static gboolean
is_unread(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLNVAL));
}

static gboolean
write_event(GBytes *event)
{
	gsize length;
	const char *json = g_bytes_get_data(event, &length);

	return fwrite(json, 1, length, stdout) == length && putchar('\n') == '\n' &&
	       fflush(stdout) == 0;
}

static int
stream(struct bus_watch *watch)
{
	while (!ended && !is_unread()) {
		g_autoptr(GBytes) event = bus_watch_next(watch, WAIT_MS);

		if (event && !write_event(event))
			return ended || errno == EPIPE ? 0 : EXIT_CONFIG;
		if (!event && bus_watch_denied(watch)) {
			fputs("mailtrace watch: the collector does not let this key in; see "
			      "mailtrace sensor add --role subscribe\n",
			      stderr);
			return EXIT_CONFIG;
		}
	}
	return 0;
}

static struct bus_watch *
open_watch(char **argv, GError **error)
{
	char server_key[KEY_Z85_LENGTH + 1];
	struct bus_watch *watch;
	struct key_pair pair;

	if (!public_key_read(argv[3], server_key, error) || !key_pair_read(argv[2], &pair, error))
		return NULL;
	watch = bus_watch_new(argv[1], &pair, server_key, argv[4], error);
	key_pair_clear(&pair);
	return watch;
}

int
main(int argc, char **argv)
{
	struct sigaction end = {.sa_handler = on_signal};
	struct bus_watch *watch;
	g_autoptr(GError) error = NULL;
	int status;

	if (argc != 5) {
		fputs("usage: watch ENDPOINT KEY SERVER.pub TENANT; started by `mailtrace watch`\n",
		      stderr);
		return EXIT_CONFIG;
	}
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	watch = open_watch(argv, &error);
	if (!watch) {
		fprintf(stderr, "mailtrace watch: %s\n", error->message);
		return EXIT_CONFIG;
	}
	status = stream(watch);
	bus_watch_free(watch);
	return status;
}
