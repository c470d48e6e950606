/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * authorized_keys.h - the list of who may connect, in a file: one a line,
 * "NAME PUBLIC-KEY TENANT ROLE[,ROLE]", comments with '#'; roles: publish, subscribe,
 * command.  Errors are those of keys.h.  Any thread; the file is changed under a lock.
 */
#ifndef MAILTRACE_AUTHORIZED_KEYS_H
#define MAILTRACE_AUTHORIZED_KEYS_H

#include "keys.h"

enum key_role { ROLE_PUBLISH = 1 << 0, ROLE_SUBSCRIBE = 1 << 1, ROLE_COMMAND = 1 << 2 };

/* One line of authorized_keys. */
struct authorized_key {
	char *name; /* the sensor's, and its ZAP User-Id */
	char public_key[KEY_Z85_LENGTH + 1];
	char *tenant;
	guint roles; /* of enum key_role */
};

struct authorized_keys;

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
#endif
