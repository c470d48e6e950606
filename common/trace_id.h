/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_id.h - X-Mailtrace-Id: "<event id>; s=<sensor>; m=<16 hex of a MAC>".
 *
 * The stamp that joins the copies of one message across our own hops.  The MAC
 * is HMAC-SHA-256 under the site's key over "event id NUL sensor", cut to 64
 * bits: enough against forgery by mail, which can be tried only online.  Pure;
 * any thread.
 */
#ifndef MAILTRACE_TRACE_ID_H
#define MAILTRACE_TRACE_ID_H

#include <glib.h>

#include "event.h"
#include "keys.h"

#define TRACE_ID_HEADER "X-Mailtrace-Id"

enum trace_id_kind {
	TRACE_ID_VALID,	  /* the MAC verifies under our site's key */
	TRACE_ID_FORGED,  /* claims one of our sensors, and does not verify */
	TRACE_ID_FOREIGN, /* another site's, or not of this form: leave it alone */
};

/* Returns the field's value for an event.  Free with g_free(). */
char *trace_id_make(const guint8 key[SITE_KEY_BYTES], const char *event_id, const char *sensor);

/*
 * Judges a field's value.  value: NUL-terminated, hostile, raw bytes; surrounding
 * white space is ignored.  own_sensors: NULL-terminated names that are ours.
 * ret_event_id: filled for TRACE_ID_VALID only; may be NULL.
 */
enum trace_id_kind trace_id_judge(const guint8 key[SITE_KEY_BYTES], const char *value,
				  const char *const *own_sensors,
				  char ret_event_id[EVENT_ID_LENGTH + 1]);
#endif
