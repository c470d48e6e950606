/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assets_csv.h - assets out of a CSV file: a list of a site's own, or Kea's leases.
 *
 * The first line names the columns, in any order; others than these are let be:
 *
 * | file      | columns                                                           |
 * | a list    | address, device; from and until, empty or not there for "always"  |
 * | Kea's     | address, hwaddr (of IPv6 also duid), valid_lifetime, expire, hostname, state |
 *
 * The device "nat" is none: several share the address.  A time is RFC 3339, or
 * YYYY-MM-DD, local midnight.  A lease of Kea is from expire - valid_lifetime to expire
 * (seconds since 1970); one that is not assigned (state) or was given back
 * (valid_lifetime 0) is left out.  Its device is named as lease_names.h says, by hostname and
 * hwaddr, or duid.
 *
 * Fields are those of RFC 4180, without line breaks in them; lines end with LF or CRLF;
 * empty ones, and those that begin with "#", are let be.  Pure; any thread.
 */
#ifndef MAILTRACE_ASSETS_CSV_H
#define MAILTRACE_ASSETS_CSV_H

#include <glib.h>

#include "store_assets.h"

enum assets_error {
	ASSETS_ERROR_LINE, /* message names the line */
	ASSETS_ERROR_SIZE, /* over CAP_ASSETS_BYTES */
};
/* Nothing of the file is taken; of assets_isc.h too. */
#define ASSETS_ERROR (assets_error_quark())
GQuark assets_error_quark(void);

/*
 * Reads all of a file's text, of any content.  Returns an array of struct store_asset *, for
 * g_ptr_array_unref(), in the file's order; or NULL with an ASSETS_ERROR at the first line that
 * is wrong.
 */
GPtrArray *assets_csv_read(const char *text, gsize length, GError **error);

/* Frees an asset that owns its device.  NULL is allowed. */
void asset_free(void *asset);

/* Whether a text can be a device's name: UTF-8, printable, 1 to CAP_DEVICE_BYTES. */
gboolean asset_device_is_valid(const char *device);
#endif
