/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deny_list.h - what containment never touches: [containment] never_touch.
 *
 * An entry is an address ("root@example.org"), a local part of any domain
 * ("postmaster@"), a domain ("@example.org", and ".example.org" for those below it
 * too), or the name of a host or gateway ("mx1", which is matched as a domain is).
 * Held when a plan is made, so that people see it, and by the collector when it
 * is carried out, whatever a plan says.  Pure; any thread.
 */
#ifndef MAILTRACE_DENY_LIST_H
#define MAILTRACE_DENY_LIST_H

#include "plan.h"

/* Returns the entry that an address is under, borrowed, or NULL.  entries: NULL-terminated. */
const char *deny_list_address(const char *const *entries, const char *address);

/* Returns the entry that forbids a command by itself, borrowed, or NULL. */
const char *deny_list_command(const char *const *entries, const struct openc2_command *command);

/*
 * Tells what of a plan is forbidden: fills ret_denied, a table from the ids of
 * commands to entries, both borrowed.  A command is also forbidden by the
 * recipients whose copies it reaches.  What undoes is never forbidden.
 */
void deny_list_plan(const char *const *entries, const struct plan *plan, GHashTable *ret_denied);
#endif
