/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * approvals.h - the second person: who approved a plan, and whether that counts.
 *
 * An approval is an Ed25519 signature over a plan's tenant and digest, so that it is
 * of that plan and no other.  The keys are listed in [containment] approval_keys, a
 * file of lines "NAME FILE [USER]": FILE is a public key in PEM, by absolute path or
 * beside the list.  An approval counts for whoever is another person than the one
 * who brought it and than the one to whom its key belongs, as long as the key is
 * listed.  One thread.
 */
#ifndef MAILTRACE_APPROVALS_H
#define MAILTRACE_APPROVALS_H

#include "settings.h"
#include "signing_key.h"
#include "store.h"

enum approvals_error {
	APPROVALS_ERROR_LIST,	   /* the list or a key of it cannot be read */
	APPROVALS_ERROR_KEY,	   /* no key of this name, or not this user's */
	APPROVALS_ERROR_SIGNATURE, /* it is not the key's, of this plan */
};
/* Its message is one line, for whoever approves or applies. */
#define APPROVALS_ERROR (approvals_error_quark())
GQuark approvals_error_quark(void);

/* A key of the list. */
struct approval_key {
	char *name;
	char *user;	   /* to whom it belongs; NULL: nobody in particular */
	char *fingerprint; /* SHA-256 of its file, lower-case hex */
	struct signing_key *key;
};

/* Frees what a key owns. */
void approval_key_clear(struct approval_key *key);

/* Signs a plan's digest.  FALSE with APPROVALS_ERROR_SIGNATURE. */
gboolean approvals_sign(const struct signing_key *key, const char *tenant, const char *digest,
			guint8 ret_signature[SIGNATURE_BYTES], GError **error);

/*
 * Checks that a signature, hexadecimal and hostile, is of a key of the list for this
 * plan, brought by the user with this uid; fills in the key.  FALSE with an error.
 */
gboolean approvals_check(const struct settings *settings, const char *tenant, const char *digest,
			 const char *name, const char *signature, guint uid,
			 struct approval_key *ret_key, GError **error);

/*
 * Tells whether a plan was approved by another person than the user with this uid,
 * who wants to apply it.  Approvals of keys that are not listed any more count for
 * nothing.
 */
gboolean approvals_suffice(struct store *store, const struct settings *settings, const char *tenant,
			   const char *digest, guint uid, gboolean *ret_approved, GError **error);
#endif
