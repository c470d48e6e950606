/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "liveness.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * Packets of the milter protocol: length, command, data; big-endian.  All that
 * version 6 has is offered, so that the filter misses nothing.
 */
static const guint8 offer[] = {0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0x00, 0x1f, 0xff, 0xff};
#define ANSWER_BYTES 4096 /* ours has some hundred: actions, steps, names of macros */
static const guint8 quit[] = {0, 0, 0, 1, 'Q'};

/* Sends and receives on fd, and its connect(), take no longer than this. */
static gboolean
limit_time(int fd, guint timeout_ms)
{
	const struct timeval limit = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0;
}

/* Reads exactly length bytes. */
static gboolean
read_all(int fd, guint8 *ret_bytes, gsize length)
{
	return TEMP_FAILURE_RETRY(recv(fd, ret_bytes, length, MSG_WAITALL)) == (ssize_t)length;
}

/* The answer is read to its end, lest our close() be a reset that overtakes the QUIT. */
static gboolean
negotiate(int fd)
{
	guint8 head[5], rest[ANSWER_BYTES];
	gsize length;

	if (send(fd, offer, sizeof(offer), MSG_NOSIGNAL) != sizeof(offer) ||
	    !read_all(fd, head, sizeof(head)) || head[4] != 'O')
		return FALSE;
	length = (gsize)head[0] << 24 | (gsize)head[1] << 16 | (gsize)head[2] << 8 | head[3];
	return length > 1 && length - 1 <= sizeof(rest) && read_all(fd, rest, length - 1) &&
	       send(fd, quit, sizeof(quit), MSG_NOSIGNAL) == sizeof(quit);
}

gboolean
liveness_ask(int listen_fd, guint timeout_ms)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	gboolean serves;
	int fd;

	if (getsockname(listen_fd, (struct sockaddr *)&address, &length) != 0)
		return FALSE;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return FALSE;
	serves = limit_time(fd, timeout_ms) &&
		 connect(fd, (const struct sockaddr *)&address, length) == 0 && negotiate(fd);
	close(fd);
	return serves;
}
