/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "assets_csv.h"
#include "assets_isc.h"
#include "caps.h"

/* "192.0.2.5 pc1 0 -; …": times in seconds, "-" for good; or the error's message. */
static char *
read_text(const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) assets = assets_isc_is(text, strlen(text))
					      ? assets_isc_read(text, strlen(text), &error)
					      : assets_csv_read(text, strlen(text), &error);
	GString *said = g_string_new(NULL);

	if (!assets)
		g_string_append(said, error->message);
	for (guint i = 0; assets && i < assets->len; i++) {
		const struct store_asset *asset = assets->pdata[i];
		g_autofree char *ip = network_ip_text(asset->ip);
		g_autofree char *until =
			asset->until_us == ASSET_UNTIL_OPEN
				? g_strdup("-")
				: g_strdup_printf("%" G_GINT64_FORMAT,
						  asset->until_us / (gint64)G_USEC_PER_SEC);

		g_string_append_printf(said, "%s%s %s %" G_GINT64_FORMAT " %s", i ? "; " : "", ip,
				       asset->device ? asset->device : "(nat)",
				       asset->from_us / (gint64)G_USEC_PER_SEC, until);
	}
	return g_string_free(said, FALSE);
}

static void
expect(const char *text, const char *said)
{
	g_autofree char *is = read_text(text);

	cr_expect_str_eq(is, said, "%s\n%s", is, text);
}

Test(assets_csv, a_list_of_ones_own_is_read)
{
	expect("address,device\n192.0.2.5,pc1\n", "192.0.2.5 pc1 0 -");
	expect("\xef\xbb\xbf"
	       "Device , ADDRESS\r\n\r\n# the first floor\r\n\"pc \"\"1\"\"\" , "
	       "2001:DB8::5\r\n",
	       "2001:db8::5 pc \"1\" 0 -");
	expect("address,device,from,until\n"
	       "192.0.2.5,pc1,2026-11-28T10:00:00Z,2026-11-28T12:00:00+01:00\n"
	       "192.0.2.5,pc2,2026-11-28T11:00:00Z,\n"
	       "::ffff:192.0.2.6,pc3,,2026-11-28T11:00:00Z\n"
	       "192.0.2.7,NAT,,",
	       "192.0.2.5 pc1 1795860000 1795863600; 192.0.2.5 pc2 1795863600 -; "
	       "192.0.2.6 pc3 0 1795863600; 192.0.2.7 (nat) 0 -");
	expect("address,owner,device\n192.0.2.5,\"Bob, the first\",pc1\n", "192.0.2.5 pc1 0 -");
}

/* A night in which an hour comes twice: what may be two times is the wider period. */
Test(assets_csv, times_without_zone_are_of_the_machines_and_never_too_short)
{
	g_setenv("TZ", "Europe/Berlin", TRUE);
	expect("address,device,from,until\n"
	       "192.0.2.5,pc1,2026-10-25T02:30:00,2026-10-25T04:00:00\n"
	       "192.0.2.5,pc2,2026-10-25T01:00:00,2026-10-25T02:30:00\n"
	       "192.0.2.5,pc3,2026-10-25T02:30:00+02:00,2026-10-25T02:30:00+01:00\n"
	       "192.0.2.5,pc4,2026-10-25,2026-10-26\n",
	       "192.0.2.5 pc1 1792888200 1792897200; 192.0.2.5 pc2 1792882800 1792891800; "
	       "192.0.2.5 pc3 1792888200 1792891800; 192.0.2.5 pc4 1792879200 1792969200");
}

#define KEA                                                                                    \
	"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname," \
	"state,user_context,pool_id\n"

Test(assets_csv, leases_of_kea_are_read)
{
	expect(KEA "192.0.2.5,02:00:5e:00:53:01,01:02,3600,1795863600,1,1,1,pc1,0,,0\n"
		   "192.0.2.6,02:00:5e:00:53:02,,3600,1795863600,1,0,0,,0,,0\n"
		   "192.0.2.5,02:00:5e:00:53:01,01:02,0,1795861000,1,1,1,pc1,0,,0\n"
		   "192.0.2.8,02:00:5e:00:53:09,,3600,1795863600,1,0,0,pc9,1,,0\n"
		   "192.0.2.8,02:00:5e:00:53:09,,3600,1795863600,1,0,0,pc9,2,,0\n",
	       "192.0.2.5 pc1 1795860000 1795863600; "
	       "192.0.2.6 02:00:5e:00:53:02 1795860000 1795863600");
	expect("address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,"
	       "prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context\n"
	       "2001:db8::5,00:01:00:01,3600,1795863600,1,1800,0,1,128,1,1,,,0,\n",
	       "2001:db8::5 00:01:00:01 1795860000 1795863600");
}

/* A client says what it is called: nobody becomes another by it. */
Test(assets_csv, a_host_name_that_two_have_is_nobodys)
{
	expect(KEA "192.0.2.5,02:00:5e:00:53:01,,3600,1795863600,1,1,1,pc1,0,,0\n"
		   "192.0.2.6,02:00:5e:00:53:66,,3600,1795863600,1,1,1,PC1,0,,0\n"
		   "192.0.2.5,02:00:5e:00:53:01,,3600,1795870000,1,1,1,pc1,0,,0\n"
		   "192.0.2.7,02:00:5e:00:53:03,,3600,1795863600,1,1,1,pc3,0,,0\n",
	       "192.0.2.5 02:00:5e:00:53:01 1795860000 1795863600; "
	       "192.0.2.6 02:00:5e:00:53:66 1795860000 1795863600; "
	       "192.0.2.5 02:00:5e:00:53:01 1795866400 1795870000; "
	       "192.0.2.7 pc3 1795860000 1795863600");
}

Test(assets_csv, what_is_wrong_is_told_with_its_line)
{
	static const char *const rows[][2] = {
		{"", "line 0: there is nothing in it"},
		{"# nothing\n\n", "line 2: there is nothing in it"},
		{"192.0.2.5,pc1\n",
		 "line 1: it has to name the columns: address,device,from,until, or those of Kea"},
		{"address,device\n192.0.2.5,pc1\n192.0.2.555,pc2\n",
		 "line 3: address is no IPv4 or IPv6 address"},
		{"address,device\n192.0.2.0/24,pc2\n",
		 "line 2: address is no IPv4 or IPv6 address"},
		{"address,device,start,end\n",
		 "line 1: the ends of a period are called from and until"},
		{"address,device,owner,Device\n", "line 1: it names a column twice"},
		{"address,device\n192.0.2.5\n",
		 "line 2: a device has a name, of at most 253 bytes, or nat"},
		{"address,device\n192.0.2.5,p\x01\n",
		 "line 2: a device has a name, of at most 253 bytes, or nat"},
		{"address,device\n192.0.2.5,\xff\n",
		 "line 2: a device has a name, of at most 253 bytes, or nat"},
		{"address,device\n192.0.2.5,\"pc1\n", "line 2: is no line of CSV"},
		{"address,device\n192.0.2.5,\"pc1\"x\n", "line 2: is no line of CSV"},
		{"address,device,from\n192.0.2.5,pc1,yesterday\n",
		 "line 2: a time is written 2026-11-28T10:00:00Z or 2026-11-28"},
		{"address,device,from\n192.0.2.5,pc1,7d\n",
		 "line 2: a time is written 2026-11-28T10:00:00Z or 2026-11-28"},
		{"address,device,from,until\n192.0.2.5,pc1,2026-11-28T10:00:00Z,"
		 "2026-11-28T10:00:00Z\n",
		 "line 2: it ends before it begins"},
		{KEA "192.0.2.5,02:00:5e:00:53:01,,x,1795863600,1,1,1,pc1,0,,0\n",
		 "line 2: valid_lifetime or expire is no number of seconds"},
		{KEA "192.0.2.5,,,3600,1795863600,1,1,1,pc1,0,,0\n",
		 "line 2: a lease needs hwaddr or duid, and a host name of at most 253 bytes"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		expect(rows[i][0], rows[i][1]);
}

Test(assets_csv, bytes_that_are_no_text_are_refused)
{
	static const char text[] = "address,device\n192.0.2.5,p\0c\n";
	g_autoptr(GError) error = NULL;

	cr_assert_null(assets_csv_read(text, sizeof(text) - 1, &error));
	cr_assert(g_error_matches(error, ASSETS_ERROR, ASSETS_ERROR_LINE));
}

Test(assets_csv, caps_of_a_name_and_of_the_file)
{
	static const char head[] = "address,device\n192.0.2.5,pc1\n#";

	for (int over = -1; over <= 1; over++) {
		g_autofree char *name = g_strnfill((gsize)(CAP_DEVICE_BYTES + over), 'd');
		g_autofree char *line = g_strconcat("address,device\n192.0.2.5,", name, NULL);
		g_autofree char *fill =
			g_strnfill((gsize)(CAP_ASSETS_BYTES + over) - strlen(head), 'x');
		g_autofree char *file = g_strconcat(head, fill, NULL);
		g_autoptr(GPtrArray) named = assets_csv_read(line, strlen(line), NULL);
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) whole = assets_csv_read(file, strlen(file), &error);

		cr_expect_eq(named != NULL, over <= 0, "%d", over);
		cr_expect_eq(whole != NULL, over <= 0, "%d", over);
		cr_expect(whole || g_error_matches(error, ASSETS_ERROR, ASSETS_ERROR_SIZE));
	}
}

/* ---- dhcpd.leases(5) ---- */

#define ISC                                                                             \
	"# The format of this file is documented in the dhcpd.leases(5) manual page.\n" \
	"# This lease file was written by isc-dhcp-4.4.3-P1\n\n"                        \
	"# authoring-byte-order entry is generated, DO NOT DELETE\n"                    \
	"authoring-byte-order little-endian;\n\n"
#define STARTS "  starts 6 2026/11/28 10:00:00;\n"
#define ENDS "  ends 6 2026/11/28 11:00:00;\n"
#define HARDWARE "  hardware ethernet 02:00:5e:00:53:01;\n"

Test(assets_isc, leases_of_dhcpd_are_read)
{
	expect(ISC "lease 192.0.2.5 {\n" STARTS ENDS
		   "  tstp 6 2026/11/28 11:00:00;\n  cltt 6 2026/11/28 10:00:00;\n"
		   "  binding state active;\n  next binding state free;\n"
		   "  rewind binding state free;\n" HARDWARE
		   "  uid \"\\001\\002\\000^\\000S\\001\";\n  client-hostname \"pc1\";\n}\n"
		   "server-duid \"\\000\\001\";\n"
		   "lease 192.0.2.6 {\n  starts epoch 1795860000; # Sat Nov 28 10:00:00 2026\n"
		   "  ends never;\n  hardware ethernet 02:00:5e:00:53:02;\n}\n",
	       "192.0.2.5 pc1 1795860000 1795863600; 192.0.2.6 02:00:5e:00:53:02 1795860000 -");
}

/* Given back early: the later word stands behind, and counts in the store. */
Test(assets_isc, leases_that_are_nobodys_are_left_out)
{
	expect("lease 192.0.2.5 {\n" STARTS ENDS HARDWARE "}\n"
	       "lease 192.0.2.5 {\n" STARTS
	       "  ends 6 2026/11/28 10:30:00;\n  binding state free;\n" HARDWARE "}\n"
	       "lease 192.0.2.6 {\n" STARTS ENDS "  binding state abandoned;\n" HARDWARE "}\n"
	       "lease 192.0.2.7 {\n" STARTS ENDS "}\n"
	       "lease 192.0.2.8 {\n" ENDS "  starts 6 2026/11/28 11:00:00;\n" HARDWARE "}\n",
	       "192.0.2.5 02:00:5e:00:53:01 1795860000 1795863600; "
	       "192.0.2.5 02:00:5e:00:53:01 1795860000 1795861800");
}

Test(assets_isc, a_host_name_that_two_have_or_that_is_escaped_is_nobodys)
{
	expect("lease 192.0.2.5 {\n" STARTS ENDS HARDWARE "  client-hostname \"pc1\";\n}\n"
	       "lease 192.0.2.6 {\n" STARTS ENDS "  hardware ethernet 02:00:5e:00:53:66;\n"
	       "  client-hostname \"Pc1\";\n}\n"
	       "lease 192.0.2.7 {\n" STARTS ENDS "  hardware ethernet 02:00:5e:00:53:03;\n"
	       "  client-hostname \"a\\\"b\";\n}\n",
	       "192.0.2.5 02:00:5e:00:53:01 1795860000 1795863600; "
	       "192.0.2.6 02:00:5e:00:53:66 1795860000 1795863600; "
	       "192.0.2.7 02:00:5e:00:53:03 1795860000 1795863600");
}

Test(assets_isc, what_is_wrong_is_told_with_its_line)
{
	static const char *const rows[][2] = {
		{"lease pc1 {\n}\n", "line 1: is no lease of an address"},
		{"lease 192.0.2.5 {\n" STARTS, "line 2: the lease has no end"},
		{"lease 192.0.2.5 {\nlease 192.0.2.6 {\n",
		 "line 2: the lease before it has no end"},
		{"lease 192.0.2.5 {\n" STARTS HARDWARE "}\n",
		 "line 4: the lease says not when it starts and ends"},
		{"lease 192.0.2.5 {\n  starts 6 2026/13/28 10:00:00;\n}\n",
		 "line 2: a time is written 4 2026/11/26 10:00:00, epoch N, or never"},
		{"lease 192.0.2.5 {\n  ends tomorrow;\n}\n",
		 "line 2: a time is written 4 2026/11/26 10:00:00, epoch N, or never"},
		{"lease 192.0.2.5 {\n  uid \"\xff\";\n}\n", "line 2: is no text"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		expect(rows[i][0], rows[i][1]);
}

Test(assets_isc, caps_of_the_file)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *file = g_strnfill((gsize)(CAP_ASSETS_BYTES + over), '#');
		g_autoptr(GPtrArray) assets = assets_isc_read(file, strlen(file), NULL);

		cr_expect_eq(assets != NULL, over <= 0, "%d", over);
	}
}
