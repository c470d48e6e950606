/* SPDX-License-Identifier: BSD-2-Clause */
#include "domains.h"

#include <string.h>

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

gboolean
domain_matches(const char *domain, const char *pattern)
{
	gboolean below = pattern[0] == '.';
	g_autofree char *key = domain_key(domain);
	g_autofree char *wanted = domain_key(below ? pattern + 1 : pattern);
	gsize key_length = strlen(key), wanted_length = strlen(wanted);

	if (strcmp(key, wanted) == 0)
		return TRUE;
	return below && key_length > wanted_length && g_str_has_suffix(key, wanted) &&
	       key[key_length - wanted_length - 1] == '.';
}

gboolean
domains_match(const char *domain, const char *const *patterns)
{
	for (; *patterns; patterns++)
		if (domain_matches(domain, *patterns))
			return TRUE;
	return FALSE;
}

const char *
address_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at ? at + 1 : NULL;
}
