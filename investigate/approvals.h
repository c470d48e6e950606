/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * approvals.h - the second person: who approved a plan, and whether that counts.
 *
 * An approval is of a plan's digest, so that it is of that plan and no other.  It
 * counts for whoever is another person than the one who brought it and than the one
 * to whom its key belongs.  One thread.
 */
#ifndef MAILTRACE_APPROVALS_H
#define MAILTRACE_APPROVALS_H

#include "settings.h"
#include "store.h"

/*
 * Tells whether a plan was approved by another person than the user with this uid,
 * who wants to apply it.
 */
gboolean approvals_suffice(struct store *store, const struct settings *settings, const char *tenant,
			   const char *digest, guint uid, gboolean *ret_approved, GError **error);
#endif
