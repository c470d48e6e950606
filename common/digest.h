/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest.h - the three digests by which files are known: MD5, SHA-1, SHA-256.
 *
 * Owns libcrypto's message digests.  All three are taken in one pass, since
 * feeds of indicators still come in each of them.  Any thread; one digester
 * belongs to one thread at a time.
 */
#ifndef MAILTRACE_DIGEST_H
#define MAILTRACE_DIGEST_H

#include <glib.h>

#define MD5_BYTES 16
#define SHA1_BYTES 20
#define SHA256_BYTES 32
#define SHA256_HEX_LENGTH 64

/* The digests of one content. */
struct digests {
	guint8 md5[MD5_BYTES];
	guint8 sha1[SHA1_BYTES];
	guint8 sha256[SHA256_BYTES];
};

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 };

/* One digest of any of the three kinds, as found in a query or a list. */
struct digest {
	enum digest_kind kind;
	guint8 bytes[SHA256_BYTES]; /* the first digest_length(kind) are used */
};

struct digester;

/*
 * Loads the algorithms, so that later calls open no file; to be called once
 * before a sandbox is entered.  Returns FALSE if libcrypto lacks one of them.
 */
gboolean digest_preload(void);

/* Returns a new digester for a stream of bytes.  Free with digester_free(). */
struct digester *digester_new(void);

/* Adds length bytes, which may hold anything. */
void digester_add(struct digester *digester, const void *bytes, gsize length);

/* Writes the digests of all that was added; the digester then starts anew. */
void digester_finish(struct digester *digester, struct digests *ret_digests);

/* Forgets what was added; the digester starts anew. */
void digester_restart(struct digester *digester);

/* Makes digester one to which the same was added as to from: branches of one content. */
void digester_copy(struct digester *digester, const struct digester *from);

/* Frees a digester.  NULL is allowed. */
void digester_free(struct digester *digester);

/* Returns TRUE unless all digests are zero, as those of a content that is not known are. */
gboolean digests_are_known(const struct digests *digests);

/* Takes all three digests of one buffer. */
void digests_of(const void *bytes, gsize length, struct digests *ret_digests);

/*
 * Takes the SHA-256 of one buffer alone: MD5 costs more than the other two
 * together, and is only for what others look up by it, a mail's files.
 */
void digest_sha256(const void *bytes, gsize length, guint8 ret_sha256[SHA256_BYTES]);

/* Returns the length in bytes of a digest of this kind. */
gsize digest_length(enum digest_kind kind);

/*
 * Reads MD5, SHA-1 or SHA-256 in hexadecimal of either case (32, 40 or 64
 * digits, nothing else).  Returns FALSE, and leaves ret_digest untouched, when
 * hex is none of them.
 */
gboolean digest_from_hex(const char *hex, struct digest *ret_digest);

/* Returns bytes in lower-case hexadecimal; free with g_free(). */
char *hex_encode(const guint8 *bytes, gsize length);

/*
 * Reads exactly length bytes of hexadecimal.  Returns FALSE, with ret_bytes
 * untouched, when hex is of another length or has another character.
 */
gboolean hex_decode(const char *hex, guint8 *ret_bytes, gsize length);

typedef struct digester digester_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(digester_t, digester_free)
#endif
