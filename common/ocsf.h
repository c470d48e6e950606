/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ocsf.h - an event as OCSF 1.8 email_activity (class 4009) in JSON, and back.
 *
 * The only file that knows the JSON form of an event; jansson's owner.  What
 * OCSF has no place for is under unmapped.mailtrace, documented in
 * mailtrace-event(7) with its version.  Pure functions: no I/O, any thread.
 */
#ifndef MAILTRACE_OCSF_H
#define MAILTRACE_OCSF_H

#include <glib.h>

#include "event.h"

#define OCSF_VERSION "1.8.0"
#define MAILTRACE_EVENT_VERSION 1 /* of unmapped.mailtrace */

enum ocsf_error {
	OCSF_ERROR_SYNTAX,  /* not JSON, nested too deep, or over the cap */
	OCSF_ERROR_CLASS,   /* not an email_activity of ours */
	OCSF_ERROR_FIELD,   /* a field is missing or of another type */
	OCSF_ERROR_VERSION, /* unmapped.mailtrace.version is newer than we read */
};
/* Nothing of the text is taken; its message is the reason that a dead letter keeps. */
#define OCSF_ERROR (ocsf_error_quark())
GQuark ocsf_error_quark(void);

/*
 * Writes an event as one line of JSON, without a line break; the order of its
 * members is fixed.  When it would be longer than max_bytes, files (deepest and
 * last first; their parents become "incomplete"), then URLs, then recipients'
 * arguments, then entries of header lists, the subject's raw bytes and OCSF's
 * copy of the recipients are left out until it fits, and the cap "event-bytes"
 * is noted in it.  Envelope recipients (at most CAP_RECIPIENTS) go last of all,
 * only where they alone are longer than max_bytes.  max_bytes: at least 1 MiB,
 * so that what is never left out fits.  Sizes and offsets above 2^53-1 are
 * written as that (RFC 8259 6).  Returns UTF-8 bytes without NUL at the end;
 * unref with g_bytes_unref().
 */
GBytes *ocsf_encode_event(const struct event *event, gsize max_bytes);

/*
 * Reads an event.  json: any bytes, at most CAP_EVENT_BYTES are looked at.
 * Returns NULL with an OCSF_ERROR on anything that this version could not have
 * written; unknown members are ignored, so that a newer sensor's minor
 * additions pass.  What is in OCSF's members and in unmapped.mailtrace both is
 * read from the latter; subject, Message-ID, size and URLs from "email".  Free
 * with event_free().
 */
struct event *ocsf_decode_event(const void *json, gsize length, GError **error);

/*
 * Stamps the identity that the bus has proved over the event's own belief.
 * Returns FALSE with OCSF_ERROR_FIELD if the event claims another sensor or
 * tenant than these; NULL or "" in the event is no claim.
 */
gboolean ocsf_stamp_identity(struct event *event, const char *sensor, const char *tenant,
			     GError **error);
#endif
