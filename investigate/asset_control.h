/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asset_control.h - assets, as the collector's control socket takes them (control.h).
 *
 * "asset-import" (tenant, arguments, case, reason, assets: an array of at most
 * ASSETS_AT_ONCE objects with address, device (absent: shared), from_us, until_us (absent:
 * for good)) puts them, and "asset-remove" (addresses: an array of strings) takes those of
 * addresses away; each with its entry in the journal, in one transaction.  Answers have
 * "changed".  What a request has is checked as if nobody had before.
 */
#ifndef MAILTRACE_ASSET_CONTROL_H
#define MAILTRACE_ASSET_CONTROL_H

#include "control.h"

#define ASSETS_AT_ONCE 1000 /* so that nothing that comes meanwhile waits for long */

/* Serves "asset-import" and "asset-remove"; FALSE with an error to refuse, and nothing is done. */
gboolean asset_control_serve(struct store *store, const struct control_caller *caller,
			     const json_t *request, json_t *answer, GError **error);
#endif
