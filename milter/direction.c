/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "direction.h"

#include "domains.h"

/* How many of the recipients that were not refused are ours. */
struct tally {
	guint local;
	guint remote;
};

gboolean
direction_is_local(const struct settings *settings, const char *address)
{
	const char *domain = address_domain(address);

	return !domain || domains_match(domain, (const char *const *)settings->local_domains);
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
