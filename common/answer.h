/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h - a worker's answer: a record as bounded bytes, checked on arrival.
 *
 * The worker has parsed an attacker's bytes and may have been taken over, so
 * answer_decode() treats what it says as hostile: size, structure, UTF-8, tree
 * shape and every cap of caps.h are checked before a record is believed.  The
 * form is a GVariant in normal form and native byte order; it never leaves the
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
/* Its message is for the log; whoever answered so is not to be asked again. */
#define ANSWER_ERROR (answer_error_quark())
GQuark answer_error_quark(void);

/*
 * Returns a record as bytes, of at most CAP_ANSWER_BYTES: files (last first,
 * their parents becoming FILE_INCOMPLETE), then URLs, then entries of the other
 * lists are left out until it fits, and "event-bytes" noted.  The record keeps
 * the caps and invariants that answer_decode() checks.  ticket: the
 * number that came with the message.  Unref with g_bytes_unref().
 */
GBytes *answer_encode(const struct record *record, guint64 ticket);

/*
 * Checks and reads an answer: lists, texts and raw bytes against caps.h
 * (Delivered-To and Authentication-Results: CAP_ADDRESSES fields), labels,
 * flags and variants as in record.h, the tree (files[0] alone has no parent,
 * parents come before their children, paths are distinct and not empty, at most
 * two nodes a level of CAP_NESTING), no digest on FILE_MULTIPART, the date
 * within the years 1 to 9999.  bytes: length hostile bytes.  ticket: that of
 * the message that was sent.  Returns NULL with an ANSWER_ERROR; else a record
 * to free with record_free().
 */
struct record *answer_decode(const void *bytes, gsize length, guint64 ticket, GError **error);
#endif
