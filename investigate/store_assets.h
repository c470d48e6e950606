/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_assets.h - which device had which address when.
 *
 * Part of the store (store.h): the same thread and transactions.  An asset is a period
 * in which a device had an address: for good, as in a list of assets, or a lease of DHCP.
 * An address that several share, behind NAT or a proxy, is one too, of no device.
 *
 * store_device_at() never guesses: two devices that had the address at the time, or one
 * of which it was just before or after, are "ambiguous", since clocks differ; and where one
 * is known to differ by more, so is a device that did not have it all that while.
 */
#ifndef MAILTRACE_STORE_ASSETS_H
#define MAILTRACE_STORE_ASSETS_H

#include "network.h"
#include "store.h"

/* How far the clocks of a mail server and of who gives out addresses may be apart. */
#define ASSET_SKEW_US (5 * (gint64)G_USEC_PER_SEC)
#define ASSET_UNTIL_OPEN G_MAXINT64

/* A period; text is UTF-8. */
struct store_asset {
	guint8 ip[NETWORK_IP_BYTES]; /* as network_ip() makes them */
	const char *device; /* its name, at most CAP_DEVICE_BYTES; NULL: shared by several */
	gint64 from_us;	    /* inclusive; 0: always */
	gint64 until_us;    /* exclusive; ASSET_UNTIL_OPEN: for good */
};

/* Returns the name of a certainty ("known", "ambiguous", "unknown"), static. */
const char *device_certainty_name(enum device_certainty certainty);

/*
 * Decides whose the address was in the second that begins at_us, by all assets of the
 * address, in any order.  off_us: by how much the clock that told the time was off, either
 * way, as far as that is more than ASSET_SKEW_US; 0: by no more.  *ret_device: the name, borrowed
 * from them, if it is known; else NULL.  Names are compared without regard to ASCII case.  Pure.
 */
enum device_certainty device_decide(const struct store_asset *assets, gsize count, gint64 at_us,
				    gint64 off_us, const char **ret_device);

/* The same by what the store has, of followers' clocks, too.  *ret_device: for g_free(). */
gboolean store_device_at(struct store *store, const char *tenant, const guint8 ip[NETWORK_IP_BYTES],
			 gint64 at_us, enum device_certainty *ret_certainty, char **ret_device,
			 GError **error);

/*
 * Puts an asset.  One of the same device and address from the same time is replaced: the
 * newer word on when it ends counts.  *ret_changed: FALSE if it was there as it is.
 */
gboolean store_asset_put(struct store *store, const char *tenant, const struct store_asset *asset,
			 gboolean *ret_changed, GError **error);

/* Takes all assets of an address away.  *ret_count: how many there were. */
gboolean store_asset_remove(struct store *store, const char *tenant,
			    const guint8 ip[NETWORK_IP_BYTES], guint64 *ret_count, GError **error);

/* Called for each asset, borrowed; FALSE stops. */
typedef gboolean (*store_asset_fn)(const struct store_asset *asset, void *data);

/* Tells a tenant's assets by address and time.  ip: of this address alone; NULL for all. */
gboolean store_assets(struct store *store, const char *tenant, const guint8 *ip,
		      store_asset_fn each, void *data, GError **error);
#endif
