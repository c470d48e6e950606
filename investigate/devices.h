/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices.h - from logins to devices: from which of them a user, or a copy of a message,
 * was reached.
 *
 * Each login is asked for the device that had its address in that second (store_assets.h),
 * so that a lease that changed hands between two of them gives two devices.  Knows no SQL.
 * The store's thread.
 */
#ifndef MAILTRACE_DEVICES_H
#define MAILTRACE_DEVICES_H

#include "store_assets.h"
#include "store_logins.h"

/* Logins of one user, from one address that was one device's, to one service. */
struct device_use {
	enum device_certainty certainty;
	char *device; /* NULL unless it is known */
	char *user, *address, *service, *sensor;
	gint64 first_us, last_us; /* in whole seconds */
	guint64 count; /* of logins; 0: of a session that began before what was asked for */
};

/* Frees a use.  NULL is allowed. */
void device_use_free(void *use);

/* Returns the device's name, or "ambiguous", or "unknown": for people; borrowed. */
const char *device_use_name(enum device_certainty certainty, const char *device);

/*
 * Adds the uses of a stretch of logins to uses (of struct device_use), one for each run of
 * logins with one device.
 */
gboolean devices_of_login(struct store *store, const char *tenant, const struct store_login *login,
			  GPtrArray *uses, GError **error);

/*
 * Fills in final->devices, of struct device_use: from where the mailbox was used over IMAP
 * or POP3 since the copy was delivered, by its logins and by the acts, whose sessions may
 * have begun before; one for each device, address and service.  And the device of each act.  The
 * mailbox is that of final->user, and of final->address.
 */
gboolean devices_of_final(struct store *store, const char *tenant, struct store_final *final,
			  GError **error);
#endif
