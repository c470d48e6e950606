/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys.h - the site's keys: CURVE key pairs, the key under which message ids are
 * stamped, and secrets of others.  Who may connect: authorized_keys.h.
 *
 * Files, one value a line, comments with '#':
 *   NAME.key      "secret-key = Z85" (mode 0600 or 0640), also "public-key = Z85"
 *   NAME.pub      "public-key = Z85"
 *   site.key      64 hexadecimal digits
 *   others' keys  one line (mode 0600 or 0640)
 * Secrets are cleared from memory when freed, and never printed.  Keys are
 * Curve25519 (libzmq's CURVE; made here with libcrypto so that the command
 * line does not link libzmq), in Z85 (ZeroMQ RFC 32).  Any thread.
 */
#ifndef MAILTRACE_KEYS_H
#define MAILTRACE_KEYS_H

#include <glib.h>

#include "z85.h"

#define SITE_KEY_BYTES 32
#define SECRET_MAX_BYTES 1024

enum keys_error {
	KEYS_ERROR_READ,   /* missing, unreadable, or readable by others */
	KEYS_ERROR_FORM,   /* not a key file of this kind; message names the line */
	KEYS_ERROR_EXISTS, /* would overwrite a key, or a name is taken */
};
/* Its message names the file and is for whoever keeps the key; it never has a secret in it. */
#define KEYS_ERROR (keys_error_quark())
GQuark keys_error_quark(void);

struct key_pair {
	char public_key[KEY_Z85_LENGTH + 1];
	char secret_key[KEY_Z85_LENGTH + 1];
};

/* Makes a new pair.  Returns FALSE with a KEYS_ERROR if there is no randomness. */
gboolean key_pair_generate(struct key_pair *ret_pair, GError **error);

/* Reads NAME.key.  Refuses a file that others may read. */
gboolean key_pair_read(const char *path, struct key_pair *ret_pair, GError **error);

/* Writes directory/name.key (0600) and directory/name.pub (0644), never over existing ones. */
gboolean key_pair_write(const char *directory, const char *name, const struct key_pair *pair,
			GError **error);

/* Clears the secret. */
void key_pair_clear(struct key_pair *pair);

/* Reads NAME.pub, or a NAME.key's public half, into ret_key. */
gboolean public_key_read(const char *path, char ret_key[KEY_Z85_LENGTH + 1], GError **error);

/*
 * Reads a file of secrets as a text, NUL-terminated, of at most CAP_KEYS_BYTES.
 * Refuses a file that others may read.  *ret_size: of its memory, to be wiped
 * before g_free().  Returns NULL with a KEYS_ERROR.
 */
char *secret_text_read(const char *path, gsize *ret_size, GError **error);

/* Reads site.key.  Refuses a file that others may read. */
gboolean site_key_read(const char *path, guint8 ret_key[SITE_KEY_BYTES], GError **error);

/* Writes a new random site.key (0600), never over an existing one. */
gboolean site_key_write(const char *path, GError **error);

/*
 * Reads a file of one line that is a secret, such as another server's API key; of
 * at most SECRET_MAX_BYTES.  Refuses a file that others may read.  Free with
 * secret_free().
 */
char *secret_read(const char *path, GError **error);

/* Clears and frees a secret.  NULL is allowed. */
void secret_free(char *secret);

/* Returns TRUE for a name of a sensor or tenant: 1 to 64 of [A-Za-z0-9._-], first a letter or
 * digit. */
gboolean key_name_is_valid(const char *name);
#endif
