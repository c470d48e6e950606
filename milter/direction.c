/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "direction.h"

#include <string.h>

/* How many of the recipients that were not refused are ours. */
struct tally {
	guint local;
	guint remote;
};

/*
 * Returns a domain as it is compared: in lower case, A-labels for U-labels
 * (RFC 5890), without the root's dot.
 */
static char *
domain_key(const char *domain)
{
	g_autofree char *bare = g_strdup(domain);
	gsize length = strlen(bare);
	char *ascii;

	if (length > 0 && bare[length - 1] == '.')
		bare[length - 1] = '\0';
	ascii = g_hostname_to_ascii(bare);
	if (!ascii)
		return g_ascii_strdown(bare, -1);
	for (char *at = ascii; *at; at++)
		*at = g_ascii_tolower(*at);
	return ascii;
}

/* pattern: "example.org", or ".example.org" for its subdomains too. */
static gboolean
domain_matches(const char *key, const char *pattern)
{
	gboolean below = pattern[0] == '.';
	g_autofree char *wanted = domain_key(below ? pattern + 1 : pattern);
	gsize key_length = strlen(key), wanted_length = strlen(wanted);

	if (strcmp(key, wanted) == 0)
		return TRUE;
	return below && key_length > wanted_length && g_str_has_suffix(key, wanted) &&
	       key[key_length - wanted_length - 1] == '.';
}

gboolean
direction_is_local(const struct settings *settings, const char *address)
{
	const char *at = strrchr(address, '@');
	g_autofree char *key = NULL;

	if (!at)
		return TRUE;
	key = domain_key(at + 1);
	for (gsize i = 0; settings->local_domains[i]; i++)
		if (domain_matches(key, settings->local_domains[i]))
			return TRUE;
	return FALSE;
}

static struct tally
count_recipients(const struct settings *settings, const struct event *event)
{
	struct tally tally = {0};

	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *recipient = event->recipients->pdata[i];

		if (recipient->refused)
			continue;
		if (direction_is_local(settings, recipient->address))
			tally.local++;
		else
			tally.remote++;
	}
	return tally;
}

static gboolean
is_submitted(const struct settings *settings, const struct client *client)
{
	if (client->sasl_user || !client->ip)
		return TRUE;
	return !network_list_contains(settings->backup_mx, client->ip) &&
	       network_list_contains(settings->local_networks, client->ip);
}

enum direction
direction_of(const struct settings *settings, const struct event *event, gboolean trusted_reentry)
{
	struct tally tally = count_recipients(settings, event);

	if (tally.local + tally.remote == 0)
		return DIRECTION_UNKNOWN;
	if (is_submitted(settings, &event->client))
		return tally.remote ? DIRECTION_OUTBOUND : DIRECTION_INTERNAL;
	if (network_list_contains(settings->backup_mx, event->client.ip))
		return DIRECTION_INBOUND;
	if (trusted_reentry && tally.remote == 0)
		return DIRECTION_INTERNAL;
	if (tally.local > 0)
		return DIRECTION_INBOUND;
	return trusted_reentry ? DIRECTION_OUTBOUND : DIRECTION_UNKNOWN;
}
