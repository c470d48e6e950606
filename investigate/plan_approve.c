/* SPDX-License-Identifier: BSD-2-Clause */
/* What the collector does for `mailtrace approve`. */
#include "approvals.h"
#include "digest.h"
#include "plan_change.h"

static gboolean
keep_approval(struct plan_change *change, const struct approval_key *key, const char *digest,
	      const char *signature, GError **error)
{
	const char *arguments = json_get_text(change->request, "arguments");
	const struct store_approval approval = {
		.digest = (char *)digest,
		.name = key->name,
		.fingerprint = key->fingerprint,
		.user = key->user,
		.uid = change->caller->uid,
		.actor = (char *)change->caller->actor,
		.time_us = change->caller->time_us,
		.signature = (char *)signature,
	};
	gboolean is_new = FALSE;

	if (!store_approval_add(change->plans->store, change->tenant, &approval, &is_new, error) ||
	    !plan_change_audit(change, "approve", arguments ? arguments : "[]", -1, error))
		return FALSE;
	json_object_set_new(change->answer, "new", json_boolean(is_new));
	return TRUE;
}

static gboolean
apply_approve(struct plan_change *change, GError **error)
{
	const char *digest = json_get_text(change->request, "digest");
	const char *name = json_get_text(change->request, "name");
	const char *signature = json_get_text(change->request, "signature");
	struct approval_key key;
	guint8 sha256[SHA256_BYTES];
	gboolean done;

	if (!digest || !name || !signature || !hex_decode(digest, sha256, sizeof(sha256)))
		return plan_change_refuse(error, "approve needs digest, name and signature");
	if (!approvals_check(change->plans->settings, change->tenant, digest, name, signature,
			     change->caller->uid, &key, error))
		return FALSE;
	done = keep_approval(change, &key, digest, signature, error);
	approval_key_clear(&key);
	return done;
}

gboolean
plan_control_approve(const struct plan_control *plans, const struct control_caller *caller,
		     const json_t *request, json_t *answer, GError **error)
{
	struct plan_change change = {
		.plans = plans, .caller = caller, .request = request, .answer = answer};

	return plan_change_run(&change, apply_approve, error);
}
