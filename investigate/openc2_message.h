/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openc2_message.h - a command and a consumer's answer, as OpenC2 travels over HTTPS.
 *
 * The body of the request, the media types, and what a body that came back means for
 * a command.  Knows no connection and no HTTP status.  What is read is hostile; the
 * caller has capped it at CAP_OPENC2_ANSWER_BYTES.  Pure; any thread.
 *
 * Source: OASIS, Specification for Transfer of OpenC2 Messages via HTTPS, version 1.1
 * CS01 (30 November 2021) sections 3.3 and 3.4, and version 1.0 CS01 (11 July 2019)
 * section 3.2; OpenC2 Language Specification 1.0, section 3.3.2 (responses).
 */
#ifndef MAILTRACE_OPENC2_MESSAGE_H
#define MAILTRACE_OPENC2_MESSAGE_H

#include <glib.h>

#include "openc2.h"
#include "settings.h"

/* Status codes of a response (language specification 3.3.2.2). */
enum {
	OPENC2_STATUS_PROCESSING = 102,
	OPENC2_STATUS_OK = 200,
	OPENC2_STATUS_BAD_REQUEST = 400,
	OPENC2_STATUS_UNAUTHORIZED = 401,
	OPENC2_STATUS_FORBIDDEN = 403,
	OPENC2_STATUS_NOT_FOUND = 404,
	OPENC2_STATUS_INTERNAL_ERROR = 500,
	OPENC2_STATUS_NOT_IMPLEMENTED = 501,
	OPENC2_STATUS_UNAVAILABLE = 503,
};

/* Returns the media type of a command, static. */
const char *openc2_message_command_type(enum openc2_transfer transfer);

/* Returns that of the response which is awaited, static: for Accept. */
const char *openc2_message_response_type(enum openc2_transfer transfer);

/* Returns whether the value of a Content-Type is one of OpenC2 1.0 in JSON, of either transfer. */
gboolean openc2_message_is_type(const char *type);

/*
 * Returns the body that carries a command.  request_id: its unique name.  created_ms:
 * since the epoch.  1.0 has room for neither.  Free with g_free().
 */
char *openc2_message_encode(const struct openc2_command *command, enum openc2_transfer transfer,
			    const char *request_id, gint64 created_ms);

/*
 * Reads the body of an answer to a command that was sent as request_id; with or
 * without a message around the response.  Returns its status, of the codes above, or
 * 0 with an OPENC2_ERROR for what is no answer to it.  *ret_response is what it means
 * for the command, with its own words for people; NULL while the status is
 * PROCESSING.  Free with openc2_response_free().
 */
guint openc2_message_decode(const struct openc2_command *command, const char *request_id,
			    const char *bytes, gsize length, struct openc2_response **ret_response,
			    GError **error);
#endif
