/* SPDX-License-Identifier: BSD-2-Clause */
#include "signing_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#include "key_file.h"
#include "keys.h"

struct signing_key {
	EVP_PKEY *pkey;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

void
signing_key_free(struct signing_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	g_free(key);
}

/* Takes over pkey, which is NULL when it could not be read or made. */
static struct signing_key *
key_of(EVP_PKEY *pkey, const char *what, GError **error)
{
	struct signing_key *key;

	if (pkey && EVP_PKEY_id(pkey) == EVP_PKEY_ED25519) {
		key = g_new0(struct signing_key, 1);
		key->pkey = pkey;
		return key;
	}
	EVP_PKEY_free(pkey);
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s", what);
	return NULL;
}

struct signing_key *
signing_key_generate(GError **error)
{
	return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
		      "cannot make an Ed25519 key: libcrypto gives none", error);
}

/* A key with a passphrase is none: nobody is there to be asked for it. */
static int
no_passphrase(char *buffer, int size, int writing, void *data)
{
	return -1;
}

static EVP_PKEY *
parse_secret(BIO *bio)
{
	return PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
}

static EVP_PKEY *
parse_public(BIO *bio)
{
	return PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
}

static struct signing_key *
read_key(const char *path, mode_t refused, EVP_PKEY *(*parse)(BIO *bio), const char *remedy,
	 GError **error)
{
	g_autofree char *what = g_strdup_printf("%s: %s", path, remedy);
	g_auto(key_text) text = {0};
	g_autoptr(BIO) bio = NULL;

	if (!key_file_read(path, refused, &text, error))
		return NULL;
	bio = BIO_new_mem_buf(text.bytes, -1);
	return key_of(bio ? parse(bio) : NULL, what, error);
}

struct signing_key *
signing_key_read(const char *path, GError **error)
{
	return read_key(path, KEY_SECRET_REFUSED, parse_secret,
			"no secret Ed25519 key in PEM without a passphrase; make one with "
			"mailtrace keygen --type journal",
			error);
}

struct signing_key *
signing_key_read_public(const char *path, GError **error)
{
	return read_key(path, KEY_PUBLIC_REFUSED, parse_public,
			"no public Ed25519 key in PEM; give the .pub of mailtrace keygen --type "
			"journal",
			error);
}

/* The secret in text stays in memory of libcrypto's own, which it wipes when it is freed. */
static gboolean
write_pem(const char *path, BIO *bio, gboolean formed, mode_t mode, GError **error)
{
	g_auto(key_text) text = {0};
	char *bytes = NULL;
	long length = formed ? BIO_get_mem_data(bio, &bytes) : 0;

	if (length <= 0) {
		g_set_error(error, KEYS_ERROR, KEYS_ERROR_FORM, "%s: libcrypto cannot write it",
			    path);
		return FALSE;
	}
	text = (key_text){g_strndup(bytes, (gsize)length), (gsize)length};
	return key_file_create(path, text.bytes, mode, error);
}

gboolean
signing_key_write(const struct signing_key *key, const char *directory, const char *name,
		  GError **error)
{
	g_autofree char *secret_path = g_strdup_printf("%s/%s.key", directory, name);
	g_autofree char *public_path = g_strdup_printf("%s/%s.pub", directory, name);
	g_autoptr(BIO) secret = BIO_new(BIO_s_secmem());
	g_autoptr(BIO) public = BIO_new(BIO_s_mem());
	gboolean formed = secret && public &&
			  PEM_write_bio_PrivateKey(secret, key->pkey, NULL, NULL, 0, NULL, NULL) &&
			  PEM_write_bio_PUBKEY(public, key->pkey);

	if (!write_pem(secret_path, secret, formed, 0600, error))
		return FALSE;
	if (write_pem(public_path, public, formed, 0644, error))
		return TRUE;
	unlink(secret_path);
	return FALSE;
}

gboolean
signing_key_sign(const struct signing_key *key, const void *bytes, gsize length,
		 guint8 ret_signature[SIGNATURE_BYTES])
{
	g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
	size_t signed_bytes = SIGNATURE_BYTES;

	return context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestSign(context, ret_signature, &signed_bytes, bytes, length) == 1 &&
	       signed_bytes == SIGNATURE_BYTES;
}

gboolean
signing_key_verify(const struct signing_key *key, const void *bytes, gsize length,
		   const guint8 signature[SIGNATURE_BYTES])
{
	g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();

	return context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(context, signature, SIGNATURE_BYTES, bytes, length) == 1;
}
