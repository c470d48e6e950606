/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys.h - the site's keys: CURVE key pairs, the list of who may connect, and
 * the key under which message ids are stamped.
 *
 * Files, one value a line, comments with '#':
 *   NAME.key      "secret-key = Z85" (mode 0600 or 0640), also "public-key = Z85"
 *   NAME.pub      "public-key = Z85"
 *   authorized_keys: "NAME PUBLIC-KEY TENANT ROLE[,ROLE]", roles: publish,
 *                 subscribe, command
 *   site.key      64 hexadecimal digits
 *   others' keys  one line (mode 0600 or 0640)
 * Secrets are cleared from memory when freed, and never printed.  Keys are
 * Curve25519 (libzmq's CURVE; made here with libcrypto so that the command
 * line does not link libzmq), in Z85 (ZeroMQ RFC 32).  Any thread.
 */
#ifndef MAILTRACE_KEYS_H
#define MAILTRACE_KEYS_H

#include <glib.h>

#define KEY_Z85_LENGTH 40
#define SITE_KEY_BYTES 32
#define SECRET_MAX_BYTES 1024

enum keys_error {
	KEYS_ERROR_READ,   /* missing, unreadable, or readable by others */
	KEYS_ERROR_FORM,   /* not a key file of this kind; message names the line */
	KEYS_ERROR_EXISTS, /* would overwrite a key, or a name is taken */
};
#define KEYS_ERROR (keys_error_quark())
GQuark keys_error_quark(void);

struct key_pair {
	char public_key[KEY_Z85_LENGTH + 1];
	char secret_key[KEY_Z85_LENGTH + 1];
};

enum key_role { ROLE_PUBLISH = 1 << 0, ROLE_SUBSCRIBE = 1 << 1, ROLE_COMMAND = 1 << 2 };

/* One line of authorized_keys. */
struct authorized_key {
	char *name; /* the sensor's, and its ZAP User-Id */
	char public_key[KEY_Z85_LENGTH + 1];
	char *tenant;
	guint roles; /* of enum key_role */
};

struct authorized_keys;

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

/*
 * Reads authorized_keys.  A missing file is an empty list; a wrong line is an
 * error that names it.  Free with authorized_keys_free().
 */
struct authorized_keys *authorized_keys_read(const char *path, GError **error);

/* Returns the entry with this public key (Z85), borrowed, or NULL. */
const struct authorized_key *authorized_keys_find(const struct authorized_keys *keys,
						  const char *public_key);

/* Returns the entry with this name, borrowed, or NULL. */
const struct authorized_key *authorized_keys_find_name(const struct authorized_keys *keys,
						       const char *name);

/* Returns the entry at a position of the file's order, borrowed, or NULL past the last. */
const struct authorized_key *authorized_keys_nth(const struct authorized_keys *keys, gsize index);

/*
 * Adds a line to the file (made if missing, replaced atomically, synced).
 * Fails with KEYS_ERROR_EXISTS if name or key is there already.
 */
gboolean authorized_keys_add(const char *path, const struct authorized_key *key, GError **error);

/* Removes the line with this name.  *ret_removed tells whether there was one. */
gboolean authorized_keys_remove(const char *path, const char *name, gboolean *ret_removed,
				GError **error);

/* Frees a list.  NULL is allowed. */
void authorized_keys_free(struct authorized_keys *keys);

/* Returns TRUE for a name of a sensor or tenant: 1 to 64 of [A-Za-z0-9._-], first a letter or
 * digit. */
gboolean key_name_is_valid(const char *name);
#endif
