/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"
#define HANDOVER_STEP_MS 200 /* between looks whether the former processes have ended */

G_DEFINE_QUARK(mailtrace_listener_error, listener_error)

static gboolean
fail(GError **error, enum listener_error code, const char *what, const char *why)
{
	g_set_error(error, LISTENER_ERROR, code, "%s: %s", what, why);
	return FALSE;
}

static gboolean
fill_unix(const char *path, struct sockaddr_un *ret_address, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(error, LISTENER_ERROR_ADDRESS, path, "longer than a socket may be");
	strcpy(address.sun_path, path);
	*ret_address = address;
	return TRUE;
}

/* Returns the error of a connection, 0 for none. */
static int
try_connection(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failure = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		failure = errno;
	close(fd);
	return failure;
}

/*
 * Waits until nobody listens.  The processes of a supervisor that was killed
 * finish what is under way before they end, and whoever starts the next one
 * need not know of them.
 */
static gboolean
wait_unheard(const struct sockaddr_un *address)
{
	gint64 until_us = g_get_monotonic_time() + LISTENER_HANDOVER_MS * G_TIME_SPAN_MILLISECOND;
	int failure;

	while ((failure = try_connection(address)) != ECONNREFUSED) {
		if ((failure != 0 && failure != EAGAIN) || g_get_monotonic_time() >= until_us)
			return FALSE;
		g_usleep(HANDOVER_STEP_MS * 1000);
	}
	return TRUE;
}

/* Removes a socket that was left behind; another's, or another kind of file, stays. */
static gboolean
remove_stale(const struct sockaddr_un *address, GError **error)
{
	const char *path = address->sun_path;
	struct stat status;

	if (lstat(path, &status) != 0)
		return errno == ENOENT ||
		       fail(error, LISTENER_ERROR_ADDRESS, path, g_strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return fail(error, LISTENER_ERROR_ADDRESS, path, "is there and is no socket");
	if (!wait_unheard(address))
		return fail(error, LISTENER_ERROR_ADDRESS, path,
			    "another process listens there; stop it first");
	if (unlink(path) != 0)
		return fail(error, LISTENER_ERROR_ADDRESS, path, g_strerror(errno));
	return TRUE;
}

static gboolean
give_to_group(const char *path, const char *name, GError **error)
{
	const struct group *group;

	if (!*name)
		return TRUE;
	group = getgrnam(name);
	if (!group)
		return fail(error, LISTENER_ERROR_GROUP, name, "socket_group: no such group");
	if (lchown(path, (uid_t)-1, group->gr_gid) != 0)
		return fail(error, LISTENER_ERROR_GROUP, name, g_strerror(errno));
	return TRUE;
}

/*
 * Nobody can connect before listen(): so mode and group come first.  We may be
 * root, and the directory another's, who may put something else in the place
 * of the socket at any moment: no link is followed.
 */
static gboolean
listen_unix(int fd, const struct sockaddr_un *address, const struct settings *settings,
	    GError **error)
{
	const char *path = address->sun_path;
	mode_t former = umask(0777 & ~settings->socket_mode);
	int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(former);
	if (bound != 0)
		return fail(error, LISTENER_ERROR_ADDRESS, path, g_strerror(errno));
	if (give_to_group(path, settings->socket_group, error)) {
		if (fchmodat(AT_FDCWD, path, settings->socket_mode, AT_SYMLINK_NOFOLLOW) == 0 &&
		    listen(fd, (int)settings->backlog) == 0)
			return TRUE;
		fail(error, LISTENER_ERROR_SYSTEM, path, g_strerror(errno));
	}
	unlink(path);
	return FALSE;
}

static int
open_unix(const char *path, const struct settings *settings, GError **error)
{
	struct sockaddr_un address;
	int fd;

	if (!fill_unix(path, &address, error) || !remove_stale(&address, error))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fail(error, LISTENER_ERROR_SYSTEM, path, g_strerror(errno));
		return -1;
	}
	if (listen_unix(fd, &address, settings, error))
		return fd;
	close(fd);
	return -1;
}

/* Returns a listening socket at one of the addresses that a name has, or -1 with errno. */
static int
listen_inet(const struct addrinfo *addresses, guint backlog)
{
	const int on = 1;

	for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
		int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int kept;

		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, (int)backlog) == 0)
			return fd;
		kept = errno;
		close(fd);
		errno = kept;
	}
	return -1;
}

/* As listen_inet(); waits for an address in use as wait_unheard() does. */
static int
wait_inet(const struct addrinfo *addresses, guint backlog)
{
	gint64 until_us = g_get_monotonic_time() + LISTENER_HANDOVER_MS * G_TIME_SPAN_MILLISECOND;
	int fd;

	while ((fd = listen_inet(addresses, backlog)) < 0 && errno == EADDRINUSE &&
	       g_get_monotonic_time() < until_us)
		g_usleep(HANDOVER_STEP_MS * 1000);
	return fd;
}

/* address: "inet:port@host" or "inet6:port@host". */
static int
open_inet(const char *address, guint backlog, GError **error)
{
	gboolean is_ipv6 = g_str_has_prefix(address, "inet6:");
	g_auto(GStrv) parts = g_strsplit(strchr(address, ':') + 1, "@", 2);
	const struct addrinfo hints = {
		.ai_family = is_ipv6 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *found = NULL;
	int failure, fd;

	failure = getaddrinfo(parts[0] ? parts[1] : NULL, parts[0], &hints, &found);
	if (failure) {
		fail(error, LISTENER_ERROR_ADDRESS, address, gai_strerror(failure));
		return -1;
	}
	fd = wait_inet(found, backlog);
	if (fd < 0)
		fail(error, LISTENER_ERROR_ADDRESS, address, g_strerror(errno));
	freeaddrinfo(found);
	return fd;
}

int
listener_open(const struct settings *settings, GError **error)
{
	const char *address = settings->socket;

	if (g_str_has_prefix(address, UNIX_PREFIX))
		return open_unix(address + strlen(UNIX_PREFIX), settings, error);
	if (g_str_has_prefix(address, "inet:") || g_str_has_prefix(address, "inet6:"))
		return open_inet(address, settings->backlog, error);
	fail(error, LISTENER_ERROR_ADDRESS, address, "neither unix:, inet: nor inet6:");
	return -1;
}

void
listener_close(int fd, const struct settings *settings)
{
	close(fd);
	if (g_str_has_prefix(settings->socket, UNIX_PREFIX))
		unlink(settings->socket + strlen(UNIX_PREFIX));
}
