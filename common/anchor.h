/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anchor.h - where the journal stood at a moment, in one word.
 *
 * An anchor is kept where who can write the store cannot: in the syslog and by
 * the sensors.  Whatever the journal says later, it must have an entry with this
 * number and this hash.
 *
 *   mja1.CHAIN.SEQ.TIME.HASH.SIGNATURE
 *
 * CHAIN is the chain's UUID, SEQ the number of its last entry, TIME when this
 * was, in microseconds UTC, HASH that entry's SHA-256 in hexadecimal, SIGNATURE
 * an Ed25519 signature, in base64url (RFC 4648 5) without padding, of what stands
 * before its dot; or "-" where the site has no key for it.  At most ANCHOR_BYTES
 * long, so that a log does not cut it and a frame takes it.  Pure; any thread.
 */
#ifndef MAILTRACE_ANCHOR_H
#define MAILTRACE_ANCHOR_H

#include <glib.h>

#include "digest.h"
#include "event.h"
#include "signing_key.h"

#define ANCHOR_BYTES 240
#define ANCHOR_PREFIX "mja1."
#define ANCHOR_TOPIC "anchor" /* of TELL and HAVE, on the bus */

struct anchor {
	char chain[EVENT_ID_LENGTH + 1];
	gint64 seq, time_us; /* from 1 on; from 0 on */
	guint8 hash[SHA256_BYTES];
	gboolean is_signed;
	guint8 signature[SIGNATURE_BYTES]; /* of is_signed */
};

/* Fills in the signature.  FALSE if libcrypto fails. */
gboolean anchor_sign(struct anchor *anchor, const struct signing_key *key);

/* Returns the word.  Free with g_free(). */
char *anchor_format(const struct anchor *anchor);

/* Reads a word of length bytes, hostile.  FALSE, ret_anchor untouched, if it is none. */
gboolean anchor_parse(const char *text, gsize length, struct anchor *ret_anchor);

/* Returns TRUE if it is signed, and by this key. */
gboolean anchor_verify(const struct anchor *anchor, const struct signing_key *key);

/*
 * Finds the next anchor in length bytes of any text, such as a log.  Returns
 * where to look on, or NULL when there is none.
 */
const char *anchor_find(const char *text, gsize length, struct anchor *ret_anchor);
#endif
