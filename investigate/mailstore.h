/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailstore.h - what to do with one message in one user's mailbox.
 *
 * Carries out CONTAIN, RESTORE and COPY of a message in a Dovecot: looks, acts,
 * and looks again.  Its only state is what the server has, so a command that was
 * interrupted, or is carried out twice, goes on where the mailbox stands.  A
 * message leaves its folder for the quarantine and nothing is ever deleted.
 *
 * Any thread; any number of commands at once, each over a connection of its own.
 */
#ifndef MAILTRACE_MAILSTORE_H
#define MAILTRACE_MAILSTORE_H

#include <glib.h>

#include "actuator.h"
#include "openc2.h"
#include "reader.h"
#include "settings.h"

struct mailstore;

enum mailstore_error {
	MAILSTORE_ERROR_CONFIG, /* [mailstore] lacks something, or it is wrong */
};
/* Its message is one line, for the administrator. */
#define MAILSTORE_ERROR (mailstore_error_quark())
GQuark mailstore_error_quark(void);

/*
 * Reads the keys that the settings name.  reader: borrowed, outlives the mail
 * store.  http_init() must have been called.  Returns NULL with a
 * MAILSTORE_ERROR or KEYS_ERROR.  Free with mailstore_free().
 */
struct mailstore *mailstore_new(const struct settings *settings, struct reader *reader,
				GError **error);

/*
 * Carries out a command whose role is OPENC2_MAILSTORE, within the timeout of
 * the settings.  Never fails: the response says how it ended.  Free with
 * openc2_response_free().
 */
struct openc2_response *mailstore_carry_out(struct mailstore *mailstore,
					    const struct actuator_options *options,
					    const struct openc2_command *command);

/* Closes its connections and clears its keys.  NULL is allowed. */
void mailstore_free(struct mailstore *mailstore);

typedef struct mailstore mailstore_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mailstore_t, mailstore_free)
#endif
