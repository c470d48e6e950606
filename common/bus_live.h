/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_live.h - the collector's live stream: what readers may subscribe to, and its end
 * when one of them may no longer.  It belongs to the thread of its collector.
 */
#ifndef MAILTRACE_BUS_LIVE_H
#define MAILTRACE_BUS_LIVE_H

#include "bus_zap.h"

struct bus_live;

/*
 * Binds the stream at endpoint with pair's secret key, both copied.  Readers are
 * those whom zap (borrowed) lets in.  NULL with a BUS_ERROR.
 */
struct bus_live *bus_live_new(struct bus_context *context, const char *endpoint,
			      const struct key_pair *pair, const struct bus_zap *zap,
			      GError **error);

/* Returns the endpoint as bound, with its port. */
const char *bus_live_endpoint(const struct bus_live *live);

/* Ends the connections of all readers; bus_live_restore() lets them come again. */
void bus_live_interrupt(struct bus_live *live);

/* Binds the stream anew after an interruption, once that is possible. */
void bus_live_restore(struct bus_live *live);

/* What to wait for until bus_live_vet() has something to do; NULL while interrupted. */
struct bus_socket *bus_live_socket(struct bus_live *live);

/* Returns for how long one may wait, of timeout_ms, before bus_live_restore() is due. */
guint bus_live_timeout(const struct bus_live *live, guint timeout_ms);

/* Answers one request to subscribe or to end that, if there is one. */
void bus_live_vet(struct bus_live *live);

/* Publishes an event under "tenant/sensor"; lost to slow readers, and while interrupted. */
void bus_live_publish(struct bus_live *live, const char *tenant, const char *sensor, GBytes *event);

/* Unbinds and closes.  NULL is allowed. */
void bus_live_free(struct bus_live *live);
#endif
