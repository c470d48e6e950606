/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direction.h - which way a message goes, by this truth table:
 *
 *  submitted by us?          | sender local | recipients    | direction
 *  --------------------------+--------------+---------------+----------
 *  yes (SASL, local network, | any          | all local     | internal
 *   or no client address)    | any          | one not local | outbound
 *  no, a backup MX of ours   | any          | any           | inbound
 *  no, and a list of ours    | any          | all local     | internal
 *   re-enters (trusted hop)  |              |               |
 *  no                        | any          | one local     | inbound
 *  no, and a list of ours    | any          | none local    | outbound
 *   re-enters (trusted hop)  |              |               |
 *  no                        | any          | none local    | unknown
 *
 * A backup MX is asked before local networks, since it is in them as a rule.
 * "Local" is a domain of local_domains; a bare local part is local.  The
 * sender is an attacker's to choose and so decides nothing; it is in the table
 * to say so.  Recipients that were refused are not asked; a message that has no
 * others is unknown.  Pure; any thread.
 */
#ifndef MAILTRACE_DIRECTION_H
#define MAILTRACE_DIRECTION_H

#include <glib.h>

#include "event.h"
#include "settings.h"

/*
 * Returns the direction of an event whose client and recipients are filled.
 * trusted_reentry: it carries an X-Mailtrace-Id of ours that verifies, from a
 * trusted hop.
 */
enum direction direction_of(const struct settings *settings, const struct event *event,
			    gboolean trusted_reentry);

/* Returns TRUE if the address's domain is one of the site's. */
gboolean direction_is_local(const struct settings *settings, const char *address);
#endif
