/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glib.h>
#include <string.h>

#include "direction.h"

/* Documentation networks (RFC 5737, RFC 3849). */
#define CONFIG                                                        \
	"[site]\n"                                                    \
	"local_domains = example.org; .example.net; xn--r8jz45g.jp\n" \
	"local_networks = 192.0.2.0/24; 2001:db8::/32\n"              \
	"backup_mx = 192.0.2.25\n"                                    \
	"trusted_hops = 198.51.100.7\n"

#define INSIDE "192.0.2.1"
#define BACKUP "192.0.2.25"
#define OUTSIDE "203.0.113.5"
#define HOP "198.51.100.7"

static struct settings *
settings_of(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("test.conf", text, strlen(text), &error);

	cr_assert(settings, "%s", error ? error->message : "");
	return settings;
}

struct row {
	char ip[32]; /* "" for none */
	char sasl_user[16];
	char recipients[96]; /* separated by blanks; '!' before a refused one */
	gboolean reentry;
	enum direction direction;
};

ParameterizedTestParameters(direction, each_row_of_the_truth_table)
{
	static struct row rows[] = {
		/* submitted by us: SASL, local network, no client address */
		{OUTSIDE, "taro", "a@example.org", FALSE, DIRECTION_INTERNAL},
		{OUTSIDE, "taro", "a@example.org b@example.com", FALSE, DIRECTION_OUTBOUND},
		{OUTSIDE, "taro", "b@example.com", FALSE, DIRECTION_OUTBOUND},
		{INSIDE, "", "a@example.org", FALSE, DIRECTION_INTERNAL},
		{INSIDE, "", "a@example.org b@example.com", FALSE, DIRECTION_OUTBOUND},
		{"2001:db8::1", "", "b@example.com", FALSE, DIRECTION_OUTBOUND},
		{"::ffff:192.0.2.1", "", "a@example.org", FALSE, DIRECTION_INTERNAL},
		{"", "", "root", FALSE, DIRECTION_INTERNAL},
		{"", "", "b@example.com", FALSE, DIRECTION_OUTBOUND},
		/* a backup MX of ours, which is in the local networks too */
		{BACKUP, "", "a@example.org", FALSE, DIRECTION_INBOUND},
		{BACKUP, "", "b@example.com", FALSE, DIRECTION_INBOUND},
		{BACKUP, "", "a@example.org", TRUE, DIRECTION_INBOUND},
		{BACKUP, "relay", "b@example.com", FALSE, DIRECTION_OUTBOUND},
		/* from outside */
		{OUTSIDE, "", "a@example.org", FALSE, DIRECTION_INBOUND},
		{OUTSIDE, "", "a@example.org b@example.com", FALSE, DIRECTION_INBOUND},
		{OUTSIDE, "", "b@example.com", FALSE, DIRECTION_UNKNOWN},
		/* a list of ours re-enters */
		{HOP, "", "a@example.org", TRUE, DIRECTION_INTERNAL},
		{HOP, "", "a@example.org b@example.com", TRUE, DIRECTION_INBOUND},
		{HOP, "", "b@example.com", TRUE, DIRECTION_OUTBOUND},
		/* a trusted hop without a stamp of ours is a stranger like others */
		{HOP, "", "a@example.org", FALSE, DIRECTION_INBOUND},
		{HOP, "", "b@example.com", FALSE, DIRECTION_UNKNOWN},
		/* refused recipients are not asked */
		{INSIDE, "", "a@example.org !b@example.com", FALSE, DIRECTION_INTERNAL},
		{OUTSIDE, "", "!a@example.org b@example.com", FALSE, DIRECTION_UNKNOWN},
		{INSIDE, "", "!a@example.org", FALSE, DIRECTION_UNKNOWN},
		{INSIDE, "", "", FALSE, DIRECTION_UNKNOWN},
	};

	return cr_make_param_array(struct row, rows, G_N_ELEMENTS(rows));
}

static void
add_recipients(struct event *event, const char *recipients)
{
	g_auto(GStrv) list = g_strsplit(recipients, " ", -1);

	for (gsize i = 0; list[i]; i++) {
		gboolean refused = *list[i] == '!';
		struct envelope_address *address = envelope_address_new(list[i] + refused);

		address->refused = refused;
		if (*list[i])
			g_ptr_array_add(event->recipients, address);
		else
			envelope_address_free(address);
	}
}

static enum direction
direction_of_row(const struct row *row, const char *sender)
{
	struct settings *settings = settings_of(CONFIG);
	g_autoptr(event_t) event = event_new();
	enum direction direction;

	event->sender = envelope_address_new(sender);
	event->client.ip = *row->ip ? g_strdup(row->ip) : NULL;
	event->client.sasl_user = *row->sasl_user ? g_strdup(row->sasl_user) : NULL;
	add_recipients(event, row->recipients);
	direction = direction_of(settings, event, row->reentry);
	settings_unref(settings);
	return direction;
}

/* The sender is an attacker's to choose: a local one, a strange one and none change nothing. */
ParameterizedTest(struct row *row, direction, each_row_of_the_truth_table)
{
	static const char *const senders[] = {"<x@example.org>", "<x@example.com>", "<>"};

	for (gsize i = 0; i < G_N_ELEMENTS(senders); i++)
		cr_assert_eq(direction_of_row(row, senders[i]), row->direction,
			     "%s from \"%s\" sasl \"%s\" to \"%s\"", senders[i], row->ip,
			     row->sasl_user, row->recipients);
}

struct address_row {
	char address[64];
	gboolean local;
};

ParameterizedTestParameters(direction, local_addresses)
{
	static struct address_row rows[] = {
		{"a@example.org", TRUE},
		{"a@EXAMPLE.ORG", TRUE},
		{"a@example.org.", TRUE},
		{"\"a@b\"@example.org", TRUE},
		{"postmaster", TRUE},
		{"a@sub.example.org", FALSE},
		{"a@badexample.org", FALSE},
		{"a@example.org.evil.example", FALSE},
		{"a@example.net", TRUE},
		{"a@deep.sub.example.net", TRUE},
		{"a@notexample.net", FALSE},
		{"a@例え.jp", TRUE},
		{"a@xn--r8jz45g.jp", TRUE},
		{"a@[192.0.2.1]", FALSE},
		{"a@", FALSE},
	};

	return cr_make_param_array(struct address_row, rows, G_N_ELEMENTS(rows));
}

ParameterizedTest(struct address_row *row, direction, local_addresses)
{
	struct settings *settings = settings_of(CONFIG);

	cr_assert_eq(direction_is_local(settings, row->address), row->local, "%s", row->address);
	settings_unref(settings);
}

Test(direction, without_local_domains_nothing_but_bare_names_is_local)
{
	struct settings *settings = settings_of("[site]\nlocal_domains =\n");

	cr_assert_not(direction_is_local(settings, "a@example.org"));
	cr_assert_not(direction_is_local(settings, "a@"));
	cr_assert(direction_is_local(settings, "root"));
	settings_unref(settings);
}
