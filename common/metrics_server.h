/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics_server.h - metrics over HTTP, on loopback only.
 *
 * libmicrohttpd's owner.  One thread of its own, which never waits for the
 * program: a scraper that hangs, or many, cost a few connections of the
 * server's and nothing else.  GET and HEAD of /metrics; nothing is read but the
 * request's head.
 */
#ifndef MAILTRACE_METRICS_SERVER_H
#define MAILTRACE_METRICS_SERVER_H

#include <glib.h>

struct metrics_server;

/* Returns the text to serve (metrics_end()).  Called by the server's thread. */
typedef char *(*metrics_text_fn)(void *data);

/*
 * Starts to serve.  address: "127.0.0.1:PORT" or "[::1]:PORT" (the settings have
 * checked it), or "", for which NULL is returned without an error.  data
 * outlives the server.  NULL with a G_IO_ERROR if it cannot listen.
 */
struct metrics_server *metrics_server_start(const char *address, metrics_text_fn text, void *data,
					    GError **error);

/* Ends it.  NULL is allowed. */
void metrics_server_stop(struct metrics_server *server);
#endif
