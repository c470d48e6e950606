/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "network.h"

static struct network_list *
parse(const char *text, GError **error)
{
	g_auto(GStrv) items = g_strsplit(text, " ", -1);

	return network_list_parse((const char *const *)items, error);
}

static gboolean
contains(const char *networks, const char *ip)
{
	g_autoptr(GError) error = NULL;
	struct network_list *list = parse(networks, &error);
	gboolean found;

	cr_assert_not_null(list, "%s: %s", networks, error ? error->message : "");
	found = network_list_contains(list, ip);
	network_list_free(list);
	return found;
}

static void
refused(const char *networks, const char *why)
{
	g_autoptr(GError) error = NULL;
	struct network_list *list = parse(networks, &error);

	cr_assert_null(list, "%s was taken", networks);
	cr_assert(g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE));
	cr_assert(strstr(error->message, why), "%s: %s", networks, error->message);
}

Test(network, an_empty_list_contains_nothing)
{
	const char *const none[] = {NULL};
	struct network_list *list = network_list_parse(none, NULL);

	cr_assert_not_null(list);
	cr_assert_not(network_list_contains(list, "192.0.2.1"));
	cr_assert_not(network_list_contains(list, "::"));
	network_list_free(list);
}

Test(network, edges_of_an_ipv4_network)
{
	cr_assert(contains("192.0.2.0/24", "192.0.2.0"));
	cr_assert(contains("192.0.2.0/24", "192.0.2.255"));
	cr_assert_not(contains("192.0.2.0/24", "192.0.1.255"));
	cr_assert_not(contains("192.0.2.0/24", "192.0.3.0"));
}

Test(network, edges_within_an_octet)
{
	cr_assert(contains("10.1.2.128/29", "10.1.2.135"));
	cr_assert_not(contains("10.1.2.128/29", "10.1.2.136"));
	cr_assert_not(contains("10.1.2.128/29", "10.1.2.127"));
	cr_assert(contains("172.16.0.0/12", "172.31.255.255"));
	cr_assert_not(contains("172.16.0.0/12", "172.32.0.0"));
}

Test(network, edges_of_an_ipv6_network)
{
	cr_assert(contains("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"));
	cr_assert_not(contains("2001:db8::/33", "2001:db8:8000::"));
	cr_assert_not(contains("2001:db8::/33", "2001:db7:ffff::"));
}

Test(network, an_address_without_prefix_is_one_host)
{
	cr_assert(contains("192.0.2.7", "192.0.2.7"));
	cr_assert_not(contains("192.0.2.7", "192.0.2.6"));
	cr_assert(contains("::1", "::1"));
	cr_assert_not(contains("::1", "::2"));
}

Test(network, a_prefix_of_zero_is_one_whole_family)
{
	cr_assert(contains("0.0.0.0/0", "203.0.113.9"));
	cr_assert_not(contains("0.0.0.0/0", "2001:db8::1"));
	cr_assert(contains("::/0", "2001:db8::1"));
}

Test(network, a_mapped_address_is_the_ipv4_address_it_means)
{
	cr_assert(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
	cr_assert(contains("192.0.2.0/24", "::ffff:c000:0201"));
	cr_assert(contains("::ffff:192.0.2.0/120", "192.0.2.1"));
	cr_assert_not(contains("192.0.2.0/24", "::192.0.2.1"));
}

Test(network, any_network_of_several_counts)
{
	cr_assert(contains("192.0.2.0/24 2001:db8::/32 198.51.100.7", "198.51.100.7"));
	cr_assert(contains("192.0.2.0/24 2001:db8::/32 198.51.100.7", "2001:db8::7"));
	cr_assert_not(contains("192.0.2.0/24 2001:db8::/32", "198.51.100.7"));
}

Test(network, what_is_no_address_is_in_no_network)
{
	static const char *const wrong[] = {
		"",	      "unknown",     "192.0.2",	     "192.0.2.1 ", "192.0.2.1.2",
		"0300.0.2.1", "2001:db8::g", "fe80::1%eth0", "IPv6:::1"};

	cr_assert_not(contains("0.0.0.0/0 ::/0", NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_not(contains("0.0.0.0/0 ::/0", wrong[i]), "%s", wrong[i]);
}

Test(network, an_item_that_is_no_network_is_named)
{
	refused("192.0.2.0/24 example.org", "\"example.org\"");
	refused(" ", "\"\"");
	refused("/8", "\"/8\"");
	refused("192.0.2.0/", "prefix");
	refused("192.0.2.0/33", "0 to 32");
	refused("192.0.2.0/-1", "prefix");
	refused("192.0.2.0/24/24", "prefix");
	refused("2001:db8::/129", "0 to 128");
	refused("192.0.2.1/24", "host bits");
	refused("2001:db8::1/64", "host bits");
	refused("192.0.2.129/25", "host bits");
}

Test(network, freeing_nothing_is_allowed)
{
	network_list_free(NULL);
}
