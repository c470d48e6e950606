/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sealed.h - bytes at rest that nobody reads or changes without the key.
 *
 * AES-256-GCM (NIST SP 800-38D) of libcrypto: a random nonce of 96 bits, the tag,
 * then the ciphertext.  A label is authenticated beside it, so that one sealed
 * text does not pass for another.  Any thread.
 */
#ifndef MAILTRACE_SEALED_H
#define MAILTRACE_SEALED_H

#include <glib.h>

#define SEALED_KEY_BYTES 32
#define SEALED_EXTRA_BYTES 28 /* of nonce and tag */

/*
 * Seals length bytes under a key.  label: NUL-terminated, not kept in it.  Returns
 * NULL if libcrypto fails, as without randomness; else unref with g_bytes_unref().
 */
GBytes *sealed_make(const guint8 key[SEALED_KEY_BYTES], const char *label, const void *bytes,
		    gsize length);

/*
 * Opens what sealed_make() made: length bytes, hostile.  Returns NULL if key or
 * label are others, or a bit was changed.
 */
GBytes *sealed_open(const guint8 key[SEALED_KEY_BYTES], const char *label, const void *bytes,
		    gsize length);
#endif
