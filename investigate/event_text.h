/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_text.h - an event for people: envelope, headers, tree of files, and
 * what became of it.
 *
 * Writes through out_note(), which makes everything harmless for a terminal;
 * nothing for JSON and CSV.  One thread.
 */
#ifndef MAILTRACE_EVENT_TEXT_H
#define MAILTRACE_EVENT_TEXT_H

#include "delivery.h"
#include "event.h"
#include "out.h"

/* Writes all that is known of an event, one fact a line. */
void event_text(struct out *out, const struct event *event);

/*
 * Returns a delivery as one line for out_note(): time as the output writes it,
 * host and queue id, what happened, to whom, the next hop and what it said.
 * Free with g_free().
 */
char *delivery_line(struct out *out, const struct delivery *delivery);
#endif
