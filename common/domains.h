/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domains.h - whether an address is of one of a list of domains.
 *
 * Domains are compared in lower case, A-labels for U-labels (RFC 5890), without
 * the root's dot.  Pure; any thread.
 */
#ifndef MAILTRACE_DOMAINS_H
#define MAILTRACE_DOMAINS_H

#include <glib.h>

/* Returns TRUE if domain is pattern, "example.org", or for ".example.org" below it too. */
gboolean domain_matches(const char *domain, const char *pattern);

/* Returns TRUE if one of the patterns, NULL-terminated, matches the domain. */
gboolean domains_match(const char *domain, const char *const *patterns);

/* Returns an address's domain, behind its last '@', borrowed from it; NULL if it has none. */
const char *address_domain(const char *address);
#endif
