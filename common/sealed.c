/* SPDX-License-Identifier: BSD-2-Clause */
#include "sealed.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define NONCE_BYTES 12
#define TAG_BYTES 16

G_STATIC_ASSERT(SEALED_EXTRA_BYTES == NONCE_BYTES + TAG_BYTES);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

static gboolean
encrypt(const guint8 *key, const char *label, const void *bytes, int length, guint8 *ret_sealed)
{
	g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
	guint8 *text = ret_sealed + SEALED_EXTRA_BYTES;
	int done;

	return context && RAND_bytes(ret_sealed, NONCE_BYTES) == 1 &&
	       EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, ret_sealed) == 1 &&
	       EVP_EncryptUpdate(context, NULL, &done, (const guint8 *)label, (int)strlen(label)) ==
		       1 &&
	       EVP_EncryptUpdate(context, text, &done, bytes, length) == 1 &&
	       EVP_EncryptFinal_ex(context, text + done, &done) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
				   ret_sealed + NONCE_BYTES) == 1;
}

static gboolean
decrypt(const guint8 *key, const char *label, const guint8 *sealed, int length, guint8 *ret_bytes)
{
	g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
	int done;

	return context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
				   (void *)(sealed + NONCE_BYTES)) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &done, (const guint8 *)label, (int)strlen(label)) ==
		       1 &&
	       EVP_DecryptUpdate(context, ret_bytes, &done, sealed + SEALED_EXTRA_BYTES, length) ==
		       1 &&
	       EVP_DecryptFinal_ex(context, ret_bytes + done, &done) == 1;
}

GBytes *
sealed_make(const guint8 key[SEALED_KEY_BYTES], const char *label, const void *bytes, gsize length)
{
	g_autofree guint8 *sealed = NULL;

	if (length > G_MAXINT - SEALED_EXTRA_BYTES)
		return NULL;
	sealed = g_malloc(length + SEALED_EXTRA_BYTES);
	if (!encrypt(key, label, length ? bytes : "", (int)length, sealed))
		return NULL;
	return g_bytes_new_take(g_steal_pointer(&sealed), length + SEALED_EXTRA_BYTES);
}

GBytes *
sealed_open(const guint8 key[SEALED_KEY_BYTES], const char *label, const void *bytes, gsize length)
{
	g_autofree guint8 *open = NULL;

	if (length < SEALED_EXTRA_BYTES || length > G_MAXINT)
		return NULL;
	length -= SEALED_EXTRA_BYTES;
	open = g_malloc(length + 1);
	if (!decrypt(key, label, bytes, (int)length, open))
		return NULL;
	return g_bytes_new_take(g_steal_pointer(&open), length);
}
