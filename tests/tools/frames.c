/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames - an end of the bus that speaks bytes: what stands on the standard input is
 * sent as it is, and what comes is printed, so that recorded messages of another
 * version can be played to this one.
 *
 * usage: frames connect ENDPOINT KEY SERVER.pub   (as a sensor)
 *        frames bind ENDPOINT KEY                 (as a collector, to whom came last)
 *
 * A message is a line of frames in hexadecimal with blanks between them, "-" for an
 * empty one.  It ends with its input.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "keys.h"

#define PEER_BYTES 256

struct end {
	void *context, *socket;
	gboolean is_collector;
	char peer[PEER_BYTES]; /* routing id of who came last */
	int peer_bytes;
};

static gboolean
open_end(struct end *end, int argc, char **argv, GError **error)
{
	char server_key[KEY_Z85_LENGTH + 1];
	struct key_pair pair;
	int zero = 0, one = 1;

	end->is_collector = strcmp(argv[1], "bind") == 0;
	if (argc != (end->is_collector ? 4 : 5) || !key_pair_read(argv[3], &pair, error) ||
	    (!end->is_collector && !public_key_read(argv[4], server_key, error)))
		return FALSE;
	end->context = zmq_ctx_new();
	end->socket = zmq_socket(end->context, end->is_collector ? ZMQ_ROUTER : ZMQ_DEALER);
	zmq_setsockopt(end->socket, ZMQ_LINGER, &zero, sizeof(zero));
	zmq_setsockopt(end->socket, ZMQ_CURVE_SECRETKEY, pair.secret_key, KEY_Z85_LENGTH + 1);
	zmq_setsockopt(end->socket, ZMQ_CURVE_PUBLICKEY, pair.public_key, KEY_Z85_LENGTH + 1);
	key_pair_clear(&pair);
	if (end->is_collector) {
		zmq_setsockopt(end->socket, ZMQ_CURVE_SERVER, &one, sizeof(one));
		return zmq_bind(end->socket, argv[2]) == 0;
	}
	zmq_setsockopt(end->socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_Z85_LENGTH + 1);
	return zmq_connect(end->socket, argv[2]) == 0;
}

static void
print_frame(const guint8 *bytes, gsize length, gboolean first)
{
	if (!first)
		putchar(' ');
	if (!length)
		putchar('-');
	for (gsize i = 0; i < length; i++)
		printf("%02x", bytes[i]);
}

static gboolean
has_more(void *socket)
{
	int more = 0;
	size_t size = sizeof(more);

	zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
	return more != 0;
}

static void
take_message(struct end *end)
{
	gboolean more = TRUE, first = TRUE;

	if (end->is_collector) {
		end->peer_bytes = zmq_recv(end->socket, end->peer, sizeof(end->peer), 0);
		more = has_more(end->socket);
	}
	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, end->socket, 0) < 0)
			return;
		print_frame(zmq_msg_data(&frame), zmq_msg_size(&frame), first);
		zmq_msg_close(&frame);
		first = FALSE;
		more = has_more(end->socket);
	}
	putchar('\n');
	fflush(stdout);
}

static void
send_line(struct end *end, char *line)
{
	g_auto(GStrv) words = g_strsplit(g_strstrip(line), " ", -1);

	if (end->is_collector)
		zmq_send(end->socket, end->peer, (size_t)end->peer_bytes, ZMQ_SNDMORE);
	for (guint i = 0; words[i]; i++) {
		gsize bytes = strcmp(words[i], "-") == 0 ? 0 : strlen(words[i]) / 2;
		g_autofree guint8 *frame = g_malloc(bytes + 1);

		for (gsize at = 0; at < bytes; at++)
			frame[at] = (guint8)(g_ascii_xdigit_value(words[i][2 * at]) << 4 |
					     g_ascii_xdigit_value(words[i][2 * at + 1]));
		zmq_send(end->socket, frame, bytes, words[i + 1] ? ZMQ_SNDMORE : 0);
	}
}

static void
talk(struct end *end)
{
	g_autofree char *line = NULL;
	size_t room = 0;

	/* Unbuffered, so that the poll sees all that is left to read. */
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		zmq_pollitem_t items[] = {{end->socket, 0, ZMQ_POLLIN, 0},
					  {NULL, STDIN_FILENO, ZMQ_POLLIN, 0}};

		if (zmq_poll(items, G_N_ELEMENTS(items), -1) < 0)
			return;
		if (items[0].revents)
			take_message(end);
		if (!items[1].revents)
			continue;
		if (getline(&line, &room, stdin) <= 0)
			return;
		send_line(end, line);
	}
}

int
main(int argc, char **argv)
{
	struct end end = {0};
	g_autoptr(GError) error = NULL;

	if (argc < 4 || !open_end(&end, argc, argv, &error)) {
		fprintf(stderr, "frames: %s\n", error ? error->message : "wrong usage");
		return 2;
	}
	talk(&end);
	zmq_close(end.socket);
	zmq_ctx_term(end.context);
	return 0;
}
