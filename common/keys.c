/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "key_file.h"

#define NAME_MAX_LENGTH 64
#define SITE_KEY_HEX_LENGTH (SITE_KEY_BYTES * 2)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

GQuark
keys_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-keys-error");
}

/* ---- files ---- */

char *
secret_text_read(const char *path, gsize *ret_size, GError **error)
{
	key_text text = {0};

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return NULL;
	*ret_size = text.length;
	return text.bytes;
}

/* Parses "NAME = Z85" into the field of its name. */
static gboolean
parse_pair_line(char *line, const char *path, guint number, struct key_pair *pair, GError **error)
{
	guint8 bytes[CURVE_KEY_BYTES];
	char *value = strchr(line, '=');
	char *field = NULL;
	gboolean ok;

	if (!value)
		return key_file_wrong_line(error, path, number,
					   "not \"public-key = …\" or \"secret-key = …\"");
	*value++ = '\0';
	g_strstrip(line);
	g_strstrip(value);
	if (g_str_equal(line, "public-key"))
		field = pair->public_key;
	else if (g_str_equal(line, "secret-key"))
		field = pair->secret_key;
	if (!field)
		return key_file_wrong_line(error, path, number,
					   "neither public-key nor secret-key");
	ok = z85_decode(value, bytes);
	OPENSSL_cleanse(bytes, sizeof bytes);
	if (!ok)
		return key_file_wrong_line(error, path, number,
					   "not a key of 40 characters of Z85");
	memcpy(field, value, KEY_Z85_LENGTH + 1);
	return TRUE;
}

static gboolean
parse_pair(char *text, const char *path, struct key_pair *pair, GError **error)
{
	guint number = 0;
	char *line;

	while ((line = key_file_next_line(&text, &number)))
		if (!parse_pair_line(line, path, number, pair, error))
			return FALSE;
	return TRUE;
}

/* ---- key pairs ---- */

/* Fills the public half from the secret one: Curve25519 times the base point (RFC 7748). */
static gboolean
derive_public(const char *secret_key, char ret_public[KEY_Z85_LENGTH + 1])
{
	guint8 secret[CURVE_KEY_BYTES], public[CURVE_KEY_BYTES];
	gsize length = sizeof public;
	g_autoptr(EVP_PKEY) key = NULL;

	if (!z85_decode(secret_key, secret))
		return FALSE;
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, sizeof secret);
	OPENSSL_cleanse(secret, sizeof secret);
	if (!key || EVP_PKEY_get_raw_public_key(key, public, &length) != 1)
		return FALSE;
	z85_encode(public, ret_public);
	return TRUE;
}

gboolean
key_pair_generate(struct key_pair *ret_pair, GError **error)
{
	guint8 secret[CURVE_KEY_BYTES];
	struct key_pair pair = {0};
	gboolean ok = RAND_priv_bytes(secret, sizeof secret) == 1;

	if (ok) {
		z85_encode(secret, pair.secret_key);
		ok = derive_public(pair.secret_key, pair.public_key);
	}
	OPENSSL_cleanse(secret, sizeof secret);
	if (!ok) {
		key_pair_clear(&pair);
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ,
			    "cannot make a key: libcrypto has no randomness or no X25519");
		return FALSE;
	}
	*ret_pair = pair;
	key_pair_clear(&pair);
	return TRUE;
}

/* A public half that belongs to another secret would only ever fail a handshake, silently. */
static gboolean
pair_complete(struct key_pair *pair, const char *path, GError **error)
{
	char derived[KEY_Z85_LENGTH + 1];

	if (!pair->secret_key[0]) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: has no secret-key", path);
		return FALSE;
	}
	if (!derive_public(pair->secret_key, derived)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ, "%s: libcrypto has no X25519",
			    path);
		return FALSE;
	}
	if (pair->public_key[0] && !g_str_equal(pair->public_key, derived)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
			    "%s: public-key does not belong to secret-key", path);
		return FALSE;
	}
	memcpy(pair->public_key, derived, sizeof derived);
	return TRUE;
}

gboolean
key_pair_read(const char *path, struct key_pair *ret_pair, GError **error)
{
	g_auto(key_text) text = {0};
	struct key_pair pair = {0};
	gboolean ok;

	ok = key_file_read(path, KEY_SECRET_REFUSED, &text, error) &&
	     parse_pair(text.bytes, path, &pair, error) && pair_complete(&pair, path, error);
	if (ok)
		*ret_pair = pair;
	key_pair_clear(&pair);
	return ok;
}

gboolean
key_pair_write(const char *directory, const char *name, const struct key_pair *pair, GError **error)
{
	g_autofree char *key_path = g_strdup_printf("%s/%s.key", directory, name);
	g_autofree char *pub_path = g_strdup_printf("%s/%s.pub", directory, name);
	g_autofree char *public_text = g_strdup_printf(
		"# mailtrace: public key of %s\npublic-key = %s\n", name, pair->public_key);
	g_auto(key_text) secret = {0};

	if (!key_name_is_valid(name)) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
			    "\"%s\" is no name: 1 to 64 of A-Z a-z 0-9 . _ -, first a letter or "
			    "digit",
			    name);
		return FALSE;
	}
	secret.bytes = g_strdup_printf("# mailtrace: key pair of %s; keep it secret\n"
				       "public-key = %s\nsecret-key = %s\n",
				       name, pair->public_key, pair->secret_key);
	secret.length = strlen(secret.bytes);
	if (!key_file_create(key_path, secret.bytes, 0600, error))
		return FALSE;
	if (key_file_create(pub_path, public_text, 0644, error))
		return TRUE;
	unlink(key_path);
	return FALSE;
}

void
key_pair_clear(struct key_pair *pair)
{
	OPENSSL_cleanse(pair, sizeof *pair);
}

/* A NAME.key is secret even when only its public half is asked for. */
gboolean
public_key_read(const char *path, char ret_key[KEY_Z85_LENGTH + 1], GError **error)
{
	gboolean secret = g_str_has_suffix(path, ".key");
	g_auto(key_text) text = {0};
	struct key_pair pair = {0};
	gboolean ok;

	ok = key_file_read(path, secret ? KEY_SECRET_REFUSED : KEY_PUBLIC_REFUSED, &text, error) &&
	     parse_pair(text.bytes, path, &pair, error);
	if (ok && pair.secret_key[0])
		ok = pair_complete(&pair, path, error);
	if (ok && !pair.public_key[0]) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: has no public-key", path);
		ok = FALSE;
	}
	if (ok)
		memcpy(ret_key, pair.public_key, sizeof pair.public_key);
	key_pair_clear(&pair);
	return ok;
}

/* ---- the site's key ---- */

/* Reads exactly SITE_KEY_BYTES in hexadecimal, without a copy left behind on the heap. */
static gboolean
site_key_parse(const char *hex, guint8 ret_key[SITE_KEY_BYTES])
{
	if (strlen(hex) != SITE_KEY_HEX_LENGTH ||
	    strspn(hex, "0123456789abcdefABCDEF") != SITE_KEY_HEX_LENGTH)
		return FALSE;
	for (guint i = 0; i < SITE_KEY_BYTES; i++)
		ret_key[i] = (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 |
				      g_ascii_xdigit_value(hex[2 * i + 1]));
	return TRUE;
}

gboolean
site_key_read(const char *path, guint8 ret_key[SITE_KEY_BYTES], GError **error)
{
	g_auto(key_text) text = {0};
	guint number = 0;
	char *cursor;
	char *line;

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return FALSE;
	cursor = text.bytes;
	line = key_file_next_line(&cursor, &number);
	if (line && !key_file_next_line(&cursor, &number) && site_key_parse(line, ret_key))
		return TRUE;
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM,
		    "%s: not one line of %d hexadecimal digits; make one with mailtrace keygen",
		    path, SITE_KEY_HEX_LENGTH);
	return FALSE;
}

gboolean
site_key_write(const char *path, GError **error)
{
	static const char digits[] = "0123456789abcdef";
	g_auto(key_text) text = {g_malloc0(SITE_KEY_HEX_LENGTH + 2), SITE_KEY_HEX_LENGTH + 2};
	guint8 key[SITE_KEY_BYTES];

	if (RAND_priv_bytes(key, sizeof key) != 1) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ,
			    "cannot make %s: libcrypto has no randomness", path);
		return FALSE;
	}
	for (guint i = 0; i < SITE_KEY_BYTES; i++) {
		text.bytes[2 * i] = digits[key[i] >> 4];
		text.bytes[2 * i + 1] = digits[key[i] & 15];
	}
	text.bytes[SITE_KEY_HEX_LENGTH] = '\n';
	OPENSSL_cleanse(key, sizeof key);
	return key_file_create(path, text.bytes, 0600, error);
}

/* ---- secrets of others ---- */

char *
secret_read(const char *path, GError **error)
{
	g_auto(key_text) text = {0};
	guint number = 0;
	char *cursor;
	char *line;

	if (!key_file_read(path, KEY_SECRET_REFUSED, &text, error))
		return NULL;
	cursor = text.bytes;
	line = key_file_next_line(&cursor, &number);
	if (line && !key_file_next_line(&cursor, &number) && strlen(line) <= SECRET_MAX_BYTES)
		return g_strdup(line);
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: not one line of 1 to %d bytes", path,
		    SECRET_MAX_BYTES);
	return NULL;
}

void
secret_free(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	g_free(secret);
}

gboolean
key_name_is_valid(const char *name)
{
	gsize length = strlen(name);

	if (length == 0 || length > NAME_MAX_LENGTH || !g_ascii_isalnum(name[0]))
		return FALSE;
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isalnum(name[i]) && !strchr("._-", name[i]))
			return FALSE;
	return TRUE;
}
