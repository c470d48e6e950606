/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervision.h - what the supervisor and the milter process say to each other.
 *
 * Packets on a SOCK_SEQPACKET socketpair: a kind, text, and for
 * SUPERVISION_SCANNER a descriptor.  The milter process finds its end at
 * SUPERVISION_FD and the listening socket, which stays the supervisor's, at
 * SUPERVISION_LISTEN_FD.  Both ends are ours; caps stand all the same.  The end
 * of the stream means stop.  Each end is used by one thread.
 */
#ifndef MAILTRACE_SUPERVISION_H
#define MAILTRACE_SUPERVISION_H

#include <glib.h>

#include "caps.h"

#define SUPERVISION_FD 3
#define SUPERVISION_LISTEN_FD 4

#define SUPERVISION_NAME_BYTES 4096 /* of the configuration file: PATH_MAX */
#define SUPERVISION_TEXT_BYTES (SUPERVISION_NAME_BYTES + CAP_CONFIG_BYTES)

#define SUPERVISION_ALIVE_MS 2000    /* between two signs of life */
#define SUPERVISION_SILENCE_MS 60000 /* without one: the process hangs */
#define SUPERVISION_DRAIN_MS 10000   /* for connections under way, at a stop */
#define SUPERVISION_FLUSH_MS 5000    /* for the publisher, at a stop */
#define SUPERVISION_STOP_MS 30000    /* for all of it; then the process is killed */

enum supervision_kind {
	/* to the milter process */
	SUPERVISION_CONFIG,  /* text: the file's name, NUL, its content */
	SUPERVISION_SCANNER, /* descriptor: control socket of a new scanner */
	SUPERVISION_STOP,    /* finish what is under way, and end */
	/* to the supervisor */
	SUPERVISION_READY,    /* connections are served */
	SUPERVISION_ALIVE,    /* and still are */
	SUPERVISION_RELOADED, /* the new configuration holds */
	SUPERVISION_REFUSED,  /* text: why it does not; the former one holds */
	SUPERVISION_FAILED,   /* text: why the process could not start */
	SUPERVISION_KINDS,
};

enum supervision_result {
	SUPERVISION_MESSAGE, /* there is one */
	SUPERVISION_NOTHING, /* nothing has come within the time */
	SUPERVISION_END,     /* the other end is closed, or does not keep to this */
};

struct supervision_message {
	enum supervision_kind kind;
	GBytes *text; /* never NULL */
	int fd;	      /* owned; -1 for none, or when this process had no room for one */
};

/*
 * Sends a packet.  text: length bytes, at most SUPERVISION_TEXT_BYTES; NULL for
 * none.  passed_fd: sent along, stays the caller's; -1 for none.  Returns FALSE
 * when the other end is gone.
 */
gboolean supervision_send(int fd, enum supervision_kind kind, const void *text, gsize length,
			  int passed_fd);

/*
 * Waits at most timeout_ms (-1: without end) for a packet.  ret_message is
 * filled for SUPERVISION_MESSAGE only; clear it with
 * supervision_message_clear().
 */
enum supervision_result supervision_receive(int fd, int timeout_ms,
					    struct supervision_message *ret_message);

/* Returns a message's text, made valid UTF-8; free with g_free(). */
char *supervision_message_text(const struct supervision_message *message);

/* Frees what a message owns, its descriptor included. */
void supervision_message_clear(struct supervision_message *message);
#endif
