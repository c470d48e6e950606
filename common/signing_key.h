/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signing_key.h - the Ed25519 keys (RFC 8032) under which journals are signed.
 *
 * Files in PEM, as openssl(1) makes and reads them: NAME.key, the secret key in
 * PKCS #8 (mode 0600 or 0640), and NAME.pub, the public one.  Errors are those
 * of keys.h.  Any thread, one at a time a key.
 */
#ifndef MAILTRACE_SIGNING_KEY_H
#define MAILTRACE_SIGNING_KEY_H

#include <glib.h>

#define SIGNATURE_BYTES 64

/* A public key, with or without its secret. */
struct signing_key;

/* Makes a new pair.  NULL with a KEYS_ERROR if there is no randomness. */
struct signing_key *signing_key_generate(GError **error);

/* Reads NAME.key.  Refuses a file that others may read. */
struct signing_key *signing_key_read(const char *path, GError **error);

/* Reads NAME.pub: a key that verifies, and cannot sign. */
struct signing_key *signing_key_read_public(const char *path, GError **error);

/* Writes directory/name.key (0600) and directory/name.pub (0644), never over existing ones. */
gboolean signing_key_write(const struct signing_key *key, const char *directory, const char *name,
			   GError **error);

/* Signs length bytes; key has its secret.  FALSE if libcrypto fails. */
gboolean signing_key_sign(const struct signing_key *key, const void *bytes, gsize length,
			  guint8 ret_signature[SIGNATURE_BYTES]);

/* Returns TRUE if the signature is the key's, of these bytes. */
gboolean signing_key_verify(const struct signing_key *key, const void *bytes, gsize length,
			    const guint8 signature[SIGNATURE_BYTES]);

/* Frees a key, the secret wiped.  NULL is allowed. */
void signing_key_free(struct signing_key *key);

typedef struct signing_key signing_key_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(signing_key_t, signing_key_free)
#endif
