/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect_control.h - what the collector does for whoever comes over its control
 * socket: the table of operations, each handed to the module that it is of.
 *
 * The thread of the collector.
 */
#ifndef MAILTRACE_COLLECT_CONTROL_H
#define MAILTRACE_COLLECT_CONTROL_H

#include "block_feed.h"
#include "bus.h"
#include "control.h"
#include "retention.h"
#include "settings.h"
#include "store.h"

/* What the operations work on; all borrowed. */
struct collect_control {
	struct store *store;
	struct bus_collector *bus; /* publishes what is read after all */
	struct block_feed *blocks;
	struct retention *retention;
	const struct settings *settings; /* those in force: a reload changes it */
	gboolean (*reload)(void *data, GError **error);
	void *data; /* of reload */
};

/* For control_server_new(), with a struct collect_control as data. */
extern const struct control_handlers collect_control_handlers;
#endif
