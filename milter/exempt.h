/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exempt.h - a message of a client in exempt_networks: that it passed, and no more.
 *
 * The MTA's log has such a message like any other, so that an answer would call it
 * unseen.  What is recorded is its queue id alone, as a delivery (delivery.h): no
 * address, no header field, no file.  It takes the way of all records, through the
 * spool.  Knows nothing of libmilter.  Any thread.
 */
#ifndef MAILTRACE_EXEMPT_H
#define MAILTRACE_EXEMPT_H

#include "engine.h"

/*
 * Records and counts that a message passed by exemption, at its end.  host: the
 * MTA's name, or NULL; queue_id: as the MTA gave it, NULL or "" if it did not.  Where
 * the disk does not have it, it counts as unrecorded: nothing keeps it from passing.
 */
void exempt_message(struct engine *engine, const char *host, const char *queue_id);
#endif
