/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_text.h - an event for people: envelope, headers, tree of files.
 *
 * Writes through out_note(), which makes everything harmless for a terminal;
 * nothing for JSON and CSV.  One thread.
 */
#ifndef MAILTRACE_EVENT_TEXT_H
#define MAILTRACE_EVENT_TEXT_H

#include "event.h"
#include "out.h"

/* Writes all that is known of an event, one fact a line. */
void event_text(struct out *out, const struct event *event);
#endif
