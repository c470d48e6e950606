/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dead_letter_control.h - what the collector does for `mailtrace dead-letters`.
 *
 * Operations of the control socket (control.h); what they do and their entry in
 * the journal are one transaction.
 *
 *  - "dead-letter-replay": tenant, arguments, case, reason, and ids: at most
 *    DEAD_LETTER_IDS numbers, as the list shows them.  The answer has replayed, and
 *    refused: of {"id": N, "reason": TEXT}, the reason why it cannot be read now.
 *  - "dead-letter-drop", likewise.  The answer has dropped.
 *
 * An id that is no letter of the tenant's is passed over.
 */
#ifndef MAILTRACE_DEAD_LETTER_CONTROL_H
#define MAILTRACE_DEAD_LETTER_CONTROL_H

#include "control.h"
#include "store.h"

#define DEAD_LETTER_IDS 100 /* of one request: their reasons fit into an answer */

/* Called for each event that was read after all; json: borrowed. */
typedef void (*dead_letter_stored_fn)(const char *tenant, const char *sensor, GBytes *json,
				      void *data);

/* "dead-letter-replay"; stored is called once all is on disk. */
gboolean dead_letter_replay(struct store *store, const struct control_caller *caller,
			    const json_t *request, json_t *answer, dead_letter_stored_fn stored,
			    void *data, GError **error);

/* "dead-letter-drop". */
gboolean dead_letter_drop(struct store *store, const struct control_caller *caller,
			  const json_t *request, json_t *answer, GError **error);
#endif
