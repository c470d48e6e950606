/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner_client.h - has messages read by the sandboxed workers.
 *
 * The near side of the scanner process, shared by the milter process and by
 * the command line's helpers.  The scanner hands over one channel (a
 * SOCK_SEQPACKET socket) a worker through its control socket; a caller takes a
 * free channel, sends a message, waits for the answer and gives the channel
 * back.  A channel whose worker timed out, died, answered wrongly, met a cap
 * or has served WORKER_MESSAGES is closed and the scanner told to replace the
 * worker, so that one that was taken over lies about few messages.
 *
 * Any number of threads may call scanner_client_read(); they queue for
 * workers in order.  Never parses message bytes.
 */
#ifndef MAILTRACE_SCANNER_CLIENT_H
#define MAILTRACE_SCANNER_CLIENT_H

#include <glib.h>

#include "record.h"

struct scanner_client;

enum scanner_error {
	SCANNER_ERROR_BUSY,    /* no worker became free in time */
	SCANNER_ERROR_TIMEOUT, /* the worker did not answer in time */
	SCANNER_ERROR_DIED,    /* the worker or the scanner ended */
	SCANNER_ERROR_ANSWER,  /* the answer was refused (answer.h says why) */
	SCANNER_ERROR_MESSAGE, /* over CAP_MESSAGE_BYTES, or no memory file could be made for it */
};
/* The message was not read; its bytes are as they were. */
#define SCANNER_ERROR (scanner_error_quark())
GQuark scanner_error_quark(void);

/* Counters since scanner_client_new(). */
struct scanner_counters {
	guint64 read;	  /* messages that were read */
	guint64 retried;  /* read only by a second worker */
	guint64 failed;	  /* not read */
	guint64 replaced; /* workers given up, WORKER_MESSAGES included */
};

/* Returns a client without a scanner: reads wait for one.  Free with scanner_client_free(). */
struct scanner_client *scanner_client_new(void);

/*
 * Uses a (new) scanner.  control_fd: our end of a SOCK_SEQPACKET socketpair
 * whose other end is the scanner's; owned from here on.  Messages in the hands
 * of the former scanner's workers are finished there.  Starts a thread that
 * takes the workers' channels as they come, with all signals blocked; so no
 * fork() after this.  One thread attaches at a time.
 */
void scanner_client_attach(struct scanner_client *client, int control_fd);

/*
 * Has one message read.  message_fd: a file that can be mapped (memfd or
 * unlinked file), or -1 when the message is in bytes; borrowed.  bytes, length:
 * the message, when message_fd is -1; else length is the file's size.
 * timeout_ms: for all of it, the retry in a fresh worker included; the first
 * attempt gets half of what is left when a worker takes it.  A fresh worker is
 * one that has read nothing yet.  While there is no scanner, or it has died,
 * the call waits for scanner_client_attach() until its time is over.  Returns
 * NULL with a SCANNER_ERROR after the retry failed too, telling how the last
 * attempt failed; else a record to free with record_free().
 */
struct record *scanner_client_read(struct scanner_client *client, int message_fd, const void *bytes,
				   gsize length, guint timeout_ms, GError **error);

/* Copies the counters. */
void scanner_client_counters(struct scanner_client *client, struct scanner_counters *ret_counters);

/*
 * Closes all channels and the control socket, which ends the scanner, and
 * frees the client; no read may be under way.  NULL is allowed.
 */
void scanner_client_free(struct scanner_client *client);

/* How a scanner is to work; texts may be NULL, and are then not given. */
struct scanner_options {
	guint workers;		    /* 1 to 256 */
	const char *temp_directory; /* on tmpfs, for the engine's files; none: it opens nothing */
	const char *database;	    /* of signatures; none: nothing is matched */
	const char *passwords;	    /* file of them, for encrypted zips (password_list.h) */
};

/* Fills in the arguments of a scanner, a NULL-terminated list for g_strfreev(). */
char **scanner_arguments(const char *path, const struct scanner_options *options);

/*
 * Starts a scanner program of our own (the command line's way).  path: of the
 * program, without search.  Returns the control socket to
 * give to scanner_client_attach(), or -1 with a G_FILE_ERROR if path cannot be
 * run.  *ret_pid: the child, for waitpid() once the client is freed; it ends
 * with the control socket.  Any thread.
 */
int scanner_spawn(const char *path, const struct scanner_options *options, GPid *ret_pid,
		  GError **error);
#endif
