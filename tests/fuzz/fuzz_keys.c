/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes are a file of keys or of passwords, or are refused with a reason.  The first
 * byte says of what kind.
 */
#include "config.h"

#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authorized_keys.h"
#include "caps.h"
#include "keys.h"
#include "password_list.h"
#include "signing_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gboolean
read_pair(const char *path, GError **error)
{
	struct key_pair pair;

	if (!key_pair_read(path, &pair, error))
		return FALSE;
	if (strlen(pair.secret_key) != KEY_Z85_LENGTH)
		g_error("a secret key of another length was taken");
	key_pair_clear(&pair);
	return TRUE;
}

static gboolean
read_public(const char *path, GError **error)
{
	char key[KEY_Z85_LENGTH + 1];

	if (!public_key_read(path, key, error))
		return FALSE;
	if (strlen(key) != KEY_Z85_LENGTH)
		g_error("a public key of another length was taken");
	return TRUE;
}

static gboolean
read_site_key(const char *path, GError **error)
{
	guint8 key[SITE_KEY_BYTES];

	return site_key_read(path, key, error);
}

static gboolean
read_secret(const char *path, GError **error)
{
	char *secret = secret_read(path, error);
	gboolean taken = secret != NULL;

	if (taken && (!*secret || strlen(secret) > SECRET_MAX_BYTES || strchr(secret, '\n')))
		g_error("a secret that is no line was taken");
	secret_free(secret);
	return taken;
}

static gboolean
read_authorized(const char *path, GError **error)
{
	struct authorized_keys *keys = authorized_keys_read(path, error);
	gboolean taken = keys != NULL;
	const struct authorized_key *key;

	for (gsize i = 0; keys && (key = authorized_keys_nth(keys, i)); i++)
		if (!key_name_is_valid(key->name) || !key_name_is_valid(key->tenant) ||
		    !key->roles || authorized_keys_find_name(keys, key->name) != key ||
		    authorized_keys_find(keys, key->public_key) != key)
			g_error("a key of authorized_keys is not found again");
	authorized_keys_free(keys);
	return taken;
}

static gboolean
read_passwords(const char *path, GError **error)
{
	char **list = password_list_read(path, error);
	gboolean taken = list != NULL;

	if (taken && g_strv_length(list) > CAP_PASSWORDS)
		g_error("more passwords than may be were taken");
	for (guint i = 0; taken && list[i]; i++)
		if (!*list[i] || strlen(list[i]) > CAP_PASSWORD_BYTES ||
		    !g_utf8_validate(list[i], -1, NULL))
			g_error("what is no password was taken");
	password_list_free(list);
	return taken;
}

static gboolean
read_signing(const char *path, GError **error)
{
	g_autoptr(signing_key_t) key = signing_key_read(path, error);

	return key != NULL;
}

static gboolean
read_verifying(const char *path, GError **error)
{
	g_autoptr(signing_key_t) key = signing_key_read_public(path, error);

	return key != NULL;
}

static gboolean (*const kinds[])(const char *path, GError **error) = {
	read_pair,	 read_public,	 read_site_key, read_secret,
	read_authorized, read_passwords, read_signing,	read_verifying,
};

/* A regular file in memory, whose path lasts as long as the descriptor. */
static int
file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("keys", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) != 0 || write(fd, data, size) != (ssize_t)size)
		g_error("cannot make a file: %s", g_strerror(errno));
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	gboolean taken;
	int fd;

	if (size < 1)
		return 0;
	fd = file_of(data + 1, size - 1);
	path = g_strdup_printf("/proc/self/fd/%d", fd);
	taken = kinds[data[0] % G_N_ELEMENTS(kinds)](path, &error);
	if (taken == (error != NULL))
		g_error("it is neither taken nor refused");
	close(fd);
	return 0;
}
