/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * liveness.h - asks whether a milter serves: connects as an MTA does, and waits
 * for its side of the negotiation.  Any thread.
 */
#ifndef MAILTRACE_LIVENESS_H
#define MAILTRACE_LIVENESS_H

#include <glib.h>

/*
 * Returns TRUE if who listens at listen_fd (a socket of any family, bound;
 * borrowed) answers an offer of the milter protocol (mfdef.h, SMFIC_OPTNEG)
 * within timeout_ms for each step.  FALSE says no more than that: a full queue
 * of waiting connections looks alike.
 */
gboolean liveness_ask(int listen_fd, guint timeout_ms);
#endif
