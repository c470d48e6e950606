/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lease_names.h - what the devices of a file of leases are called.
 *
 * A client says itself what its host is called, so that one can take another's name.
 * A name that two hardware addresses of the file gave themselves is nobody's, and these
 * addresses are the names; a client without one has its hardware address.  One thread.
 */
#ifndef MAILTRACE_LEASE_NAMES_H
#define MAILTRACE_LEASE_NAMES_H

#include <glib.h>

#include "store_assets.h"

struct lease_names;

/* Returns an empty set.  Free with lease_names_free(). */
struct lease_names *lease_names_new(void);

/* Frees a set.  NULL is allowed. */
void lease_names_free(struct lease_names *names);

/*
 * Notes the client of a lease: its asset, borrowed until lease_names_settle(), its host name
 * ("" for none) and its hardware address, both valid names of devices (assets_csv.h).
 */
void lease_names_add(struct lease_names *names, struct store_asset *asset, const char *host,
		     const char *hardware);

/* Gives each asset that was added its device, for g_free(). */
void lease_names_settle(struct lease_names *names);

typedef struct lease_names lease_names_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lease_names_t, lease_names_free)
#endif
