/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "scanner_exchange.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "answer.h"
#include "caps.h"
#include "scanner_client.h"
#include "scanner_protocol.h"

/* Waits until fd is ready.  FALSE with SCANNER_ERROR_TIMEOUT when the deadline has passed. */
static gboolean
wait_ready(int fd, short events, gint64 deadline_us, GError **error)
{
	struct pollfd polled = {.fd = fd, .events = events};
	int n;

	do {
		gint64 left_us = deadline_us - g_get_monotonic_time();

		n = left_us <= 0 ? 0 : poll(&polled, 1, (int)MIN(left_us / 1000 + 1, G_MAXINT));
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return TRUE;
	g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_TIMEOUT,
		    "the worker did not answer in time");
	return FALSE;
}

static gboolean
fail_died(GError **error)
{
	g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_DIED, "the worker ended");
	return FALSE;
}

static gboolean
fail_answer(GError **error, const char *why)
{
	g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_ANSWER,
		    "the worker's answer was refused: %s", why);
	return FALSE;
}

static void
attach_rights(struct msghdr *header, int fd)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(header);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
}

static gboolean
send_request(int channel_fd, const struct scanner_message *message, GError **error)
{
	struct scanner_request head = {
		.ticket = message->ticket,
		.length = message->length,
		.form = message->fd >= 0 ? SCANNER_MAPPED : SCANNER_INLINE,
	};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary = {0};
	struct iovec parts[] = {{&head, sizeof(head)}, {(void *)message->bytes, message->length}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};
	ssize_t n;

	if (message->fd >= 0) {
		header.msg_iovlen = 1;
		header.msg_control = &ancillary;
		header.msg_controllen = sizeof(ancillary);
		attach_rights(&header, message->fd);
	}
	do {
		if (!wait_ready(channel_fd, POLLOUT, message->deadline_us, error))
			return FALSE;
		n = sendmsg(channel_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	return n >= 0 ? TRUE : fail_died(error);
}

/* Checks one packet of n bytes against what has come so far; adds it to answer. */
static gboolean
add_piece(const guint8 *packet, gsize n, guint64 ticket, GByteArray *answer, GError **error)
{
	struct scanner_piece piece;

	if (n < sizeof(piece) || n > SCANNER_PACKET_BYTES)
		return fail_answer(error, "a packet has the wrong size");
	memcpy(&piece, packet, sizeof(piece));
	n -= sizeof(piece);
	if (piece.ticket != ticket)
		return fail_answer(error, "it answers another message");
	if (piece.length == 0 || piece.length > CAP_ANSWER_BYTES)
		return fail_answer(error, "it is empty or too long");
	if (piece.offset != answer->len || piece.offset >= piece.length ||
	    n != MIN(SCANNER_PIECE_BYTES, piece.length - piece.offset))
		return fail_answer(error, "its pieces do not fit together");
	g_byte_array_append(answer, packet + sizeof(piece), (guint)n);
	return TRUE;
}

/* The length that the last piece in packet told. */
static guint64
told_length(const guint8 *packet)
{
	struct scanner_piece piece;

	memcpy(&piece, packet, sizeof(piece));
	return piece.length;
}

/*
 * Receives a whole answer.  recv() without room for ancillary data makes the
 * kernel drop descriptors that a worker might send.
 */
static gboolean
receive_answer(int channel_fd, const struct scanner_message *message, GByteArray *answer,
	       GError **error)
{
	g_autofree guint8 *packet = g_malloc(SCANNER_PACKET_BYTES);
	guint64 length = 0;

	do {
		ssize_t n;

		if (!wait_ready(channel_fd, POLLIN, message->deadline_us, error))
			return FALSE;
		n = recv(channel_fd, packet, SCANNER_PACKET_BYTES, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return fail_died(error);
		if (!add_piece(packet, n, message->ticket, answer, error))
			return FALSE;
		if (length != 0 && told_length(packet) != length)
			return fail_answer(error, "its length changes");
		length = told_length(packet);
	} while (answer->len < length || length == 0);
	return TRUE;
}

struct record *
scanner_exchange(int channel_fd, const struct scanner_message *message, GError **error)
{
	g_autoptr(GByteArray) answer = g_byte_array_new();
	g_autoptr(GError) refused = NULL;
	struct record *record;

	if (!send_request(channel_fd, message, error) ||
	    !receive_answer(channel_fd, message, answer, error))
		return NULL;
	record = answer_decode(answer->data, answer->len, message->ticket, &refused);
	if (record == NULL)
		fail_answer(error, refused->message);
	return record;
}
