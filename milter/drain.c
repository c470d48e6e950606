/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "drain.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervision.h"

/* Returns a socket that listens at address, and nobody but us may connect to; or -1. */
static int
listen_privately(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t former;
	int bound;

	if (fd < 0)
		return -1;
	former = umask(0177);
	bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(former);
	if (bound == 0 && listen(fd, 1) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Puts a private socket in the listening one's place. */
static void
stop_accepting(struct drain *drain, const char *directory)
{
	struct sockaddr_un *address = &drain->private_address;
	gint length = g_snprintf(address->sun_path, sizeof(address->sun_path), "%s/stop-%d.sock",
				 directory, (int)getpid());
	int fd;

	address->sun_family = AF_UNIX;
	if (length >= (gint)sizeof(address->sun_path))
		return;
	fd = listen_privately(address);
	if (fd < 0)
		return;
	drain->former_listen_fd = fcntl(SUPERVISION_LISTEN_FD, F_DUPFD_CLOEXEC, 0);
	dup3(fd, SUPERVISION_LISTEN_FD, O_CLOEXEC);
	close(fd);
}

void
drain_begin(struct drain *drain, const char *directory)
{
	drain->until_us = g_get_monotonic_time() + SUPERVISION_DRAIN_MS * G_TIME_SPAN_MILLISECOND;
	stop_accepting(drain, directory);
}

gboolean
drain_is_begun(const struct drain *drain)
{
	return drain->until_us != 0;
}

gboolean
drain_is_over(const struct drain *drain)
{
	return g_get_monotonic_time() >= drain->until_us;
}

/* Connects and hangs up; should it fail, nobody is woken, and libmilter takes its time. */
static void
knock(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	(void)!connect(fd, address, length);
	close(fd);
}

/*
 * If libmilter's poll() still waits for the former socket, a connection to that one
 * wakes it, but it looks at the private one then: so both get one.
 */
void
drain_wake_libmilter(const struct drain *drain)
{
	struct sockaddr_storage former = {0};
	socklen_t length = sizeof(former);

	if (drain->former_listen_fd < 0 ||
	    getsockname(drain->former_listen_fd, (struct sockaddr *)&former, &length) != 0)
		return;
	knock((const struct sockaddr *)&drain->private_address, sizeof(drain->private_address));
	knock((const struct sockaddr *)&former, length);
}

void
drain_end(struct drain *drain)
{
	if (drain->former_listen_fd >= 0)
		unlink(drain->private_address.sun_path);
}
