/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ocsf_delivery.h - a delivery as OCSF 1.8 email_activity, activity 4 (Trace).
 *
 * As ocsf.h for events: message_trace_uid is "host/queue id", to[] the one
 * recipient where it conforms, status_code the DSN, status_detail the text;
 * what OCSF has no place for is under unmapped.mailtrace.delivery.  Pure; any
 * thread.
 */
#ifndef MAILTRACE_OCSF_DELIVERY_H
#define MAILTRACE_OCSF_DELIVERY_H

#include <glib.h>

#include "delivery.h"

/* Writes a delivery as one line of JSON, UTF-8, no NUL at the end.  Unref with g_bytes_unref(). */
GBytes *ocsf_encode_delivery(const struct delivery *delivery);

/*
 * Reads a delivery of at most CAP_DELIVERY_BYTES; strict on types, tolerant of
 * unknown members, as ocsf_decode_event().  Log host and queue id are never
 * empty; SENT, DEFERRED, BOUNCED, ALIASED and all of a mailbox have a recipient, ALIASED an
 * original, REQUEUED a next queue id. Returns NULL with an OCSF_ERROR (ocsf.h); OCSF_ERROR_CLASS if
 * it is an email_activity of another activity.  Free with delivery_free().
 */
struct delivery *ocsf_decode_delivery(const void *json, gsize length, GError **error);

/*
 * Tells which of the three decoders is for the JSON of an event of ours: 2 for a
 * message (ocsf_decode_event(); outbound ones, activity 1, too), 4 for a
 * delivery, 1 for a login (ocsf_login.h); 0 if it is none.  What is longer than CAP_DELIVERY_BYTES
 * is not looked at and taken for a message, so that no long event is parsed twice.
 */
int ocsf_activity(const void *json, gsize length);

/* ocsf_stamp_identity() for a delivery. */
gboolean ocsf_stamp_delivery(struct delivery *delivery, const char *sensor, const char *tenant,
			     GError **error);
#endif
