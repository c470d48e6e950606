/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "supervision.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "text.h"

union rights {
	struct cmsghdr header; /* for alignment */
	char space[CMSG_SPACE(sizeof(int))];
};

gboolean
supervision_send(int fd, enum supervision_kind kind, const void *text, gsize length, int passed_fd)
{
	guint8 code = (guint8)kind;
	struct iovec parts[2] = {{&code, 1}, {(void *)text, length}};
	union rights rights = {0};
	struct msghdr packet = {.msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1};

	g_assert(length <= SUPERVISION_TEXT_BYTES);
	if (passed_fd >= 0) {
		packet.msg_control = rights.space;
		packet.msg_controllen = sizeof(rights.space);
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&rights.header), &passed_fd, sizeof(int));
	}
	return TEMP_FAILURE_RETRY(sendmsg(fd, &packet, MSG_NOSIGNAL)) >= 0;
}

static int
received_fd(struct msghdr *packet)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(packet);
	int fd;

	if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
	    rights->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(rights), sizeof(int));
	return fd;
}

/*
 * An end that was closed with packets unread makes the next call at ours fail
 * once with ECONNRESET (unix(7)); what it said before is still to be read.
 */
static ssize_t
receive_packet(int fd, struct msghdr *packet)
{
	ssize_t length = TEMP_FAILURE_RETRY(recvmsg(fd, packet, MSG_CMSG_CLOEXEC));

	if (length < 0 && errno == ECONNRESET)
		length = TEMP_FAILURE_RETRY(recvmsg(fd, packet, MSG_CMSG_CLOEXEC));
	return length;
}

/* Reads the packet that is there. */
static enum supervision_result
read_packet(int fd, struct supervision_message *ret_message)
{
	g_autofree guint8 *buffer = g_malloc(1 + SUPERVISION_TEXT_BYTES);
	struct iovec part = {buffer, 1 + SUPERVISION_TEXT_BYTES};
	union rights rights = {0};
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = rights.space,
		.msg_controllen = sizeof(rights.space),
	};
	ssize_t length = receive_packet(fd, &packet);
	int passed_fd;

	if (length <= 0)
		return SUPERVISION_END;
	passed_fd = received_fd(&packet);
	/* MSG_CTRUNC says only that there was no room for a descriptor: see the header. */
	if ((packet.msg_flags & MSG_TRUNC) || buffer[0] >= SUPERVISION_KINDS) {
		if (passed_fd >= 0)
			close(passed_fd);
		return SUPERVISION_END;
	}
	ret_message->kind = buffer[0];
	ret_message->text = g_bytes_new(buffer + 1, (gsize)length - 1);
	ret_message->fd = passed_fd;
	return SUPERVISION_MESSAGE;
}

enum supervision_result
supervision_receive(int fd, int timeout_ms, struct supervision_message *ret_message)
{
	struct pollfd waited = {.fd = fd, .events = POLLIN};
	int ready = poll(&waited, 1, timeout_ms);

	if (ready == 0 || (ready < 0 && errno == EINTR))
		return SUPERVISION_NOTHING;
	if (ready < 0)
		return SUPERVISION_END;
	return read_packet(fd, ret_message);
}

char *
supervision_message_text(const struct supervision_message *message)
{
	gsize length;
	const void *bytes = g_bytes_get_data(message->text, &length);

	return text_from_bytes(bytes ? bytes : "", length, SUPERVISION_TEXT_BYTES, NULL);
}

void
supervision_message_clear(struct supervision_message *message)
{
	g_clear_pointer(&message->text, g_bytes_unref);
	if (message->fd >= 0)
		close(message->fd);
	message->fd = -1;
}
