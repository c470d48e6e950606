/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ocsf_login.h - a login as OCSF 1.8 authentication (class 3002), activity 1 (Logon).
 *
 * As ocsf_delivery.h for deliveries: user, service, session and both endpoints are in
 * OCSF's places where they conform, and all of it under unmapped.mailtrace.login, from
 * which it is read.  Pure; any thread.
 */
#ifndef MAILTRACE_OCSF_LOGIN_H
#define MAILTRACE_OCSF_LOGIN_H

#include <glib.h>

#include "login.h"

/* Writes a login as one line of JSON, UTF-8, no NUL at the end.  Unref with g_bytes_unref(). */
GBytes *ocsf_encode_login(const struct login *login);

/*
 * Reads a login of at most CAP_LOGIN_BYTES; strict on types, tolerant of unknown members,
 * as ocsf_decode_event().  Host, service, user and client are always there, the client is
 * written as login.h says, whichever form it came in, and no word is longer than there.
 * NULL with an OCSF_ERROR (ocsf.h); OCSF_ERROR_CLASS if it is no authentication of
 * activity 1.  Free with login_free().
 */
struct login *ocsf_decode_login(const void *json, gsize length, GError **error);

/* ocsf_stamp_identity() for a login. */
gboolean ocsf_stamp_login(struct login *login, const char *sensor, const char *tenant,
			  GError **error);
#endif
