/* SPDX-License-Identifier: BSD-2-Clause */
#include "approvals.h"

#include <pwd.h>
#include <string.h>

#include "store_plans.h"

/* A question of whether a plan is approved for somebody. */
struct asking {
	guint uid;
	gboolean approved;
};

/* Returns TRUE if a user's name is of this uid, or of nobody whom the system knows. */
static gboolean
may_be(const char *user, guint uid)
{
	const struct passwd *entry = getpwnam(user);

	return !entry || entry->pw_uid == uid;
}

static gboolean
take_approval(const struct store_approval *approval, void *data)
{
	struct asking *asking = data;

	asking->approved = approval->uid != asking->uid &&
			   !(approval->user && may_be(approval->user, asking->uid));
	return !asking->approved;
}

gboolean
approvals_suffice(struct store *store, const struct settings *settings, const char *tenant,
		  const char *digest, guint uid, gboolean *ret_approved, GError **error)
{
	struct asking asking = {.uid = uid};

	if (!store_approval_each(store, tenant, digest, take_approval, &asking, error))
		return FALSE;
	*ret_approved = asking.approved;
	return TRUE;
}
