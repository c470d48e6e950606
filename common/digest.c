/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* What is fed to one digest before the next has its turn: it stays in the cache. */
#define SLICE_BYTES (16 * 1024)

#define DIGEST_KINDS 3

struct digester {
	EVP_MD_CTX *contexts[DIGEST_KINDS]; /* by enum digest_kind */
};

static const EVP_MD *
algorithm_of(enum digest_kind kind)
{
	switch (kind) {
	case DIGEST_MD5:
		return EVP_md5();
	case DIGEST_SHA1:
		return EVP_sha1();
	case DIGEST_SHA256:
		return EVP_sha256();
	}
	g_assert_not_reached();
}

gboolean
digest_preload(void)
{
	/* The configuration is read and the providers are loaded at the first use. */
	for (int i = 0; i < DIGEST_KINDS; i++) {
		guint8 bytes[EVP_MAX_MD_SIZE];

		if (EVP_Digest("", 0, bytes, NULL, algorithm_of(i), NULL) != 1)
			return FALSE;
	}
	return TRUE;
}

/* libcrypto fails here only where an algorithm is missing, which digest_preload() tells. */
static void
check(int result)
{
	if (result != 1)
		g_error("libcrypto has no MD5, SHA-1 or SHA-256");
}

struct digester *
digester_new(void)
{
	struct digester *digester = g_new0(struct digester, 1);

	for (int i = 0; i < DIGEST_KINDS; i++) {
		digester->contexts[i] = EVP_MD_CTX_new();
		check(digester->contexts[i] != NULL);
		check(EVP_DigestInit_ex(digester->contexts[i], algorithm_of(i), NULL));
	}
	return digester;
}

void
digester_add(struct digester *digester, const void *bytes, gsize length)
{
	const guint8 *at = bytes;

	while (length > 0) {
		gsize slice = MIN(length, SLICE_BYTES);

		for (int i = 0; i < DIGEST_KINDS; i++)
			check(EVP_DigestUpdate(digester->contexts[i], at, slice));
		at += slice;
		length -= slice;
	}
}

void
digester_finish(struct digester *digester, struct digests *ret_digests)
{
	guint8 *outputs[DIGEST_KINDS] = {ret_digests->md5, ret_digests->sha1, ret_digests->sha256};

	for (int i = 0; i < DIGEST_KINDS; i++) {
		check(EVP_DigestFinal_ex(digester->contexts[i], outputs[i], NULL));
		check(EVP_DigestInit_ex(digester->contexts[i], NULL, NULL));
	}
}

void
digester_restart(struct digester *digester)
{
	for (int i = 0; i < DIGEST_KINDS; i++)
		check(EVP_DigestInit_ex(digester->contexts[i], NULL, NULL));
}

void
digester_copy(struct digester *digester, const struct digester *from)
{
	for (int i = 0; i < DIGEST_KINDS; i++)
		check(EVP_MD_CTX_copy_ex(digester->contexts[i], from->contexts[i]));
}

gboolean
digests_are_known(const struct digests *digests)
{
	static const struct digests none;

	return memcmp(digests, &none, sizeof(none)) != 0;
}

void
digester_free(struct digester *digester)
{
	if (digester == NULL)
		return;
	for (int i = 0; i < DIGEST_KINDS; i++)
		EVP_MD_CTX_free(digester->contexts[i]);
	g_free(digester);
}

void
digests_of(const void *bytes, gsize length, struct digests *ret_digests)
{
	g_autoptr(digester_t) digester = digester_new();

	digester_add(digester, bytes, length);
	digester_finish(digester, ret_digests);
}

void
digest_sha256(const void *bytes, gsize length, guint8 ret_sha256[SHA256_BYTES])
{
	check(EVP_Digest(bytes, length, ret_sha256, NULL, EVP_sha256(), NULL));
}

gsize
digest_length(enum digest_kind kind)
{
	static const gsize lengths[DIGEST_KINDS] = {MD5_BYTES, SHA1_BYTES, SHA256_BYTES};

	g_assert((guint)kind < DIGEST_KINDS);
	return lengths[kind];
}

gboolean
digest_from_hex(const char *hex, struct digest *ret_digest)
{
	for (int i = 0; i < DIGEST_KINDS; i++) {
		struct digest digest = {.kind = i};

		if (!hex_decode(hex, digest.bytes, digest_length(i)))
			continue;
		*ret_digest = digest;
		return TRUE;
	}
	return FALSE;
}

char *
hex_encode(const guint8 *bytes, gsize length)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = g_malloc(2 * length + 1);

	for (gsize i = 0; i < length; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * length] = '\0';
	return hex;
}

gboolean
hex_decode(const char *hex, guint8 *ret_bytes, gsize length)
{
	if (strlen(hex) != 2 * length)
		return FALSE;
	for (gsize i = 0; i < 2 * length; i++)
		if (!g_ascii_isxdigit(hex[i]))
			return FALSE;
	for (gsize i = 0; i < length; i++) {
		int high = g_ascii_xdigit_value(hex[2 * i]);
		int low = g_ascii_xdigit_value(hex[2 * i + 1]);

		ret_bytes[i] = (guint8)(high << 4 | low);
	}
	return TRUE;
}
