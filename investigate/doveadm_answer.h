/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doveadm_answer.h - what a doveadm HTTP API answers, read.
 *
 * The only parser of a mail store's bytes: JSON as hostile as any, capped before
 * it is given here, each member of the type and form that it must have.  Pure;
 * any thread.
 */
#ifndef MAILTRACE_DOVEADM_ANSWER_H
#define MAILTRACE_DOVEADM_ANSWER_H

#include <glib.h>

#include "doveadm_client.h"
#include "json.h"

#define DOVEADM_TAG "mailtrace" /* of each request, and of its answer */

/*
 * Returns the rows of [["doveadmResponse", rows, tag]], borrowed from *ret_root,
 * which is to be freed in either case; NULL with a DOVEADM_ERROR.
 */
const json_t *doveadm_read_rows(const char *json, gsize length, json_t **ret_root, GError **error);

/*
 * Reads the answer to a fetch of messages, as doveadm_find() asks for them.
 * json: length bytes, hostile.  Returns as doveadm_find() does.
 */
GPtrArray *doveadm_read_mails(const char *json, gsize length, GError **error);

#endif
