/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * erasure.h - a person's addresses, found in and taken out of records.
 *
 * An address is found wherever it stands: as an address, in a log line, a subject,
 * the name of a file, a link (also with "%40"), in any case of letters, with its
 * domain in Unicode or as IDNA, and where a whole text has its search key
 * (text.h).  It is not found as the end or the beginning of a longer one:
 * "ann@example.org" is neither in "joann@example.org" nor in "ann@example.organic".
 * What stands in for it is an address of erased.invalid (RFC 2606), one for each
 * address and message, which nobody can trace back.
 *
 * Knows no store; one thread.
 */
#ifndef MAILTRACE_ERASURE_H
#define MAILTRACE_ERASURE_H

#include <glib.h>

#include "store_erase.h"

#define ERASURE_ADDRESSES 16	  /* of one request: a person's, with aliases */
#define ERASURE_ADDRESS_BYTES 320 /* RFC 5321 4.5.3.1: 64 and 255, and the at sign */

enum erasure_error {
	ERASURE_ERROR_ADDRESS, /* no address, or too many */
};
/* Its message is one line, for whoever asks for the erasure. */
#define ERASURE_ERROR (erasure_error_quark())
GQuark erasure_error_quark(void);

struct erasure;

/*
 * Makes an erasure of addresses, "local@domain" in UTF-8, NULL-terminated.  NULL with
 * an ERASURE_ERROR.  Free with erasure_free().
 */
struct erasure *erasure_new(const char *const *addresses, gint64 now_us, GError **error);

/* Frees it.  NULL is allowed. */
void erasure_free(struct erasure *erasure);

/* Returns it as the store wants it; borrowed. */
const struct store_eraser *erasure_eraser(const struct erasure *erasure);

/*
 * Returns what the journal has of the addresses, a JSON array of "sha256:" and the
 * SHA-256 of each one's search key: who knows an address can tell that it was
 * erased, and nobody else.  Free with free().
 */
char *erasure_arguments(const struct erasure *erasure);

/*
 * Returns a text without the addresses, to be freed with g_free(); NULL if it has
 * none.  scope: ERASE_SCOPE_BYTES.
 */
char *erasure_text(const struct erasure *erasure, const char *text, const guint8 *scope);

/*
 * Returns a record, an event or a delivery in JSON, without the addresses and what
 * says them otherwise: the display name beside an address, bytes as sent.  It has
 * unmapped.mailtrace.erased_us then.  NULL if it has none of them.
 */
GBytes *erasure_record(const struct erasure *erasure, GBytes *json, const guint8 *scope);

typedef struct erasure erasure_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(erasure_t, erasure_free)
#endif
