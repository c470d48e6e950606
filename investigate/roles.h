/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roles.h - who may have what done by the collector.
 *
 * The configuration's [roles] gives users (by name or number) and groups ("@name")
 * roles.  With none given, everybody who may open the control socket has all of
 * them.  Otherwise:
 *
 *   analyst        asks, and plans
 *   approver       asks, plans, approves, applies, undoes, blocks, and holds messages back
 *                  from expiry
 *   auditor        reads the journal
 *   administrator  blocks, applies, undoes, holds, imports, tends dead letters, copies the
 *                  store, takes records away, and says who may connect
 *
 * root is an administrator too, and nothing else unless it is named: it may
 * become any user, but then the journal says which.  An operation without a row
 * here is nobody's.  Asks the system for users and groups, which may be slow.
 */
#ifndef MAILTRACE_ROLES_H
#define MAILTRACE_ROLES_H

#include <glib.h>

#include "settings.h"

/* Returns TRUE if the configuration gives anybody a role. */
gboolean roles_are_set(const struct settings *settings);

/*
 * Returns TRUE if a user may have an operation done: the name of one of the
 * control socket's, or the verb of an entry that "audit" writes.
 */
gboolean roles_may(const struct settings *settings, guint uid, const char *operation);

/* Returns the roles of which one is needed, "approver or administrator"; static.  For messages. */
const char *roles_needed(const char *operation);
#endif
