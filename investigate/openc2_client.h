/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openc2_client.h - an OpenC2 consumer, reached by HTTPS.
 *
 * Sends each command by a POST of its own and waits until the consumer is done with
 * it.  Keeps no state: a command that is given again, after an interruption or a
 * broken connection, is sent again under the same command_id, by which the consumer
 * must know it.  What it answers is taken as it is: nothing is looked at again.  One
 * that answers nothing is unreachable, and one whose answer is none has failed; both
 * may be tried again.
 *
 * Secrets (the token, the key of the certificate) are in files, and in no message.
 *
 * Source: as for openc2_message.h.
 */
#ifndef MAILTRACE_OPENC2_CLIENT_H
#define MAILTRACE_OPENC2_CLIENT_H

#include <glib.h>

#include "openc2.h"
#include "settings.h"

struct openc2_client;

enum openc2_client_error {
	OPENC2_CLIENT_ERROR_CONFIG, /* [openc2] lacks something, or it is wrong */
};
/* Its message names the setting or the file. */
#define OPENC2_CLIENT_ERROR (openc2_client_error_quark())
GQuark openc2_client_error_quark(void);

/*
 * Returns a client by [openc2]; reads its files, and refuses secrets that others may
 * read.  Returns NULL with an OPENC2_CLIENT_ERROR or KEYS_ERROR that names what to do.
 * Free with openc2_client_free(), when no command is under way.
 */
struct openc2_client *openc2_client_new(const struct settings *settings, GError **error);

/*
 * Has a command carried out, within its time.  Any thread, several at once.  Returns
 * its response, never NULL; free with openc2_response_free().
 */
struct openc2_response *openc2_client_carry_out(struct openc2_client *client,
						const struct openc2_command *command);

/* Closes connections; the token is cleared.  NULL is allowed. */
void openc2_client_free(struct openc2_client *client);

typedef struct openc2_client openc2_client_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(openc2_client_t, openc2_client_free)
#endif
