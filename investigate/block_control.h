/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_control.h - what the collector does for `mailtrace block`.
 *
 * Operations of the control socket (control.h).  A change and its entry in the
 * journal are one transaction; then the sensors are told.
 *
 *  - "block-add": tenant, mode, expires_us (0: never), arguments, case, reason,
 *    and blocks: at most BLOCK_CONTROL_BLOCKS of {"hashes": [HEX…], "name": TEXT}
 *    or {"crc32": N, "size": N, "name": TEXT}.  The answer has added, changed,
 *    version, and may_ask: whether the caller may know who has the file already.
 *  - "block-remove": tenant, arguments, case, reason, and what: texts as
 *    `mailtrace block list` shows them.  The answer has removed, missing (the first
 *    of them that no block is of, or null) and version.
 *  - "block-force": tenant, version.  The answer has sensors: of {"sensor": NAME,
 *    "current": BOOLEAN}.
 */
#ifndef MAILTRACE_BLOCK_CONTROL_H
#define MAILTRACE_BLOCK_CONTROL_H

#include "block_feed.h"
#include "control.h"

#define BLOCK_CONTROL_BLOCKS 1000 /* of one request */
#define BLOCK_CONTROL_HASHES 16	  /* of one block: the forms of one file */

/* What the operations work on; all borrowed. */
struct block_control {
	struct store *store;
	struct block_feed *feed;
	const char *const *expected; /* names of sensors, NULL-terminated */
};

/* "block-add"; as struct control_operation, on a struct block_control. */
gboolean block_control_add(const struct block_control *blocks, const struct control_caller *caller,
			   const json_t *request, json_t *answer, GError **error);

/* "block-remove", likewise. */
gboolean block_control_remove(const struct block_control *blocks,
			      const struct control_caller *caller, const json_t *request,
			      json_t *answer, GError **error);

/* "block-force", likewise. */
gboolean block_control_force(const struct block_control *blocks, const json_t *request,
			     json_t *answer, GError **error);
#endif
