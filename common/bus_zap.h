/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_zap.h - who is let in to the collector's sockets, and who is who there.
 *
 * The ZAP handler (ZeroMQ RFC 27): libzmq asks it for each new connection, and it
 * admits keys of authorized_keys with the role for the domain.  Nobody is let in while
 * bus_zap_answer() is not called.  It belongs to the thread of its collector.
 */
#ifndef MAILTRACE_BUS_ZAP_H
#define MAILTRACE_BUS_ZAP_H

#include "bus_socket.h"

struct bus_zap;

/* Starts the handler, which must be there before a server socket is.  keys: owned, but on error. */
struct bus_zap *bus_zap_new(struct bus_context *context, struct authorized_keys *keys,
			    GError **error);

/* What to wait for until bus_zap_answer() has something to do. */
struct bus_socket *bus_zap_socket(struct bus_zap *zap);

/* Answers one request, if there is one. */
void bus_zap_answer(struct bus_zap *zap);

/*
 * Replaces the list of keys, which it owns from here on.  Returns TRUE if a reader of
 * the live stream that was let in may no longer read what it could; then all
 * readers are forgotten, and their connections must be ended.
 */
gboolean bus_zap_set_keys(struct bus_zap *zap, struct authorized_keys *keys);

/*
 * Returns the entry of the connection that a message came over, or NULL when its key
 * was taken away, given to another, or lacks role.  Until the next bus_zap_set_keys().
 */
const struct authorized_key *bus_zap_entry(const struct bus_zap *zap,
					   const struct bus_received *received, guint role);

/* Returns TRUE if there is a sensor or reader of that name. */
gboolean bus_zap_knows(const struct bus_zap *zap, const char *name);

/* Ends the handler, after the server sockets.  NULL is allowed. */
void bus_zap_free(struct bus_zap *zap);
#endif
