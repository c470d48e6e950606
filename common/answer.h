/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h - a worker's answer: a record as bounded bytes, checked on arrival.
 *
 * The worker has parsed an attacker's bytes and may have been taken over, so
 * answer_decode() treats what it says as hostile: size, structure, UTF-8, tree
 * shape and every cap of caps.h are checked before a record is believed.  The
 * form is a GVariant in normal form, little-endian; it never leaves the
 * machine and has no version beyond the program's own.  Pure; any thread.
 */
#ifndef MAILTRACE_ANSWER_H
#define MAILTRACE_ANSWER_H

#include <glib.h>

#include "record.h"

enum answer_error {
	ANSWER_ERROR_SIZE,    /* over CAP_ANSWER_BYTES */
	ANSWER_ERROR_FORM,    /* not a normal-form GVariant of our type */
	ANSWER_ERROR_TICKET,  /* answers another message */
	ANSWER_ERROR_CONTENT, /* a cap or an invariant of record.h is broken */
};
#define ANSWER_ERROR (answer_error_quark())
GQuark answer_error_quark(void);

/*
 * Returns a record as bytes, of at most CAP_ANSWER_BYTES: files (last first)
 * and URLs are left out until it fits, and "event-bytes" noted.  ticket: the
 * number that came with the message.  Unref with g_bytes_unref().
 */
GBytes *answer_encode(const struct record *record, guint64 ticket);

/*
 * Checks and reads an answer.  bytes: length hostile bytes.  ticket: that of
 * the message that was sent.  Returns NULL with an ANSWER_ERROR; else a record
 * to free with record_free().
 */
struct record *answer_decode(const void *bytes, gsize length, guint64 ticket, GError **error);
#endif
