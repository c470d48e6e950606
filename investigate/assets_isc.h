/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assets_isc.h - assets out of the leases of ISC's dhcpd, dhcpd.leases(5), for IPv4.
 *
 * A lease is what stands between "lease ADDRESS {" and "}", a statement a line, as dhcpd
 * writes it: from "starts" to "ends", in UTC or "epoch" seconds, or "never".  Its device
 * is named as lease_names.h says, by "client-hostname" and "hardware".  The file is a
 * journal: of a lease that is there again from the same time, the later word on when it
 * ended counts, as store_asset_put() has it.  One that is abandoned, or has no hardware
 * address, is nobody's.  Whatever else the file has is let be.  Pure; any thread.
 */
#ifndef MAILTRACE_ASSETS_ISC_H
#define MAILTRACE_ASSETS_ISC_H

#include <glib.h>

/* Whether a text is such a file: its first line that is no comment says so. */
gboolean assets_isc_is(const char *text, gsize length);

/* assets_csv_read() of such a file. */
GPtrArray *assets_isc_read(const char *text, gsize length, GError **error);
#endif
