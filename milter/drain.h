/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drain.h - the milter process's end: no new connections, those under way finished.
 *
 * libmilter has no call for it: smfi_stop() also ends connections at their next
 * command, and is heard when libmilter's poll() returns, maybe seconds later.  So the
 * listening socket is taken out of its hands.  One thread.
 */
#ifndef MAILTRACE_DRAIN_H
#define MAILTRACE_DRAIN_H

#include <sys/un.h>

#include <glib.h>

/* DRAIN_INIT until drain_begin(). */
struct drain {
	gint64 until_us;      /* when connections have had their time; 0 before it began */
	int former_listen_fd; /* the MTA's socket, while a private one is in its place; or -1 */
	struct sockaddr_un private_address;
};
#define DRAIN_INIT                     \
	{                              \
		.former_listen_fd = -1 \
	}

/*
 * Begins it, once: libmilter accepts no more connections, and new ones wait in the queue
 * of the socket that the supervisor keeps.  directory: for a private socket, until
 * drain_end().  Should that fail, connections are accepted on.
 */
void drain_begin(struct drain *drain, const char *directory);

/* Tells whether it began. */
gboolean drain_is_begun(const struct drain *drain);

/* Tells whether connections under way have had the time that they get. */
gboolean drain_is_over(const struct drain *drain);

/*
 * Has libmilter's poll() return, so that it finds that it is to stop; each leaves a
 * dead connection in the queue.  To no effect before drain_begin().
 */
void drain_wake_libmilter(const struct drain *drain);

/* Removes the private socket, if there is one. */
void drain_end(struct drain *drain);
#endif
