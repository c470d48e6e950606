/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beat.h - the counters of a heartbeat, which are JSON, as numbers.
 *
 * mailtrace-event(7) has their names.  What is missing, no number or out of
 * range is not said.  Pure; any thread.
 */
#ifndef MAILTRACE_BEAT_H
#define MAILTRACE_BEAT_H

#include "store.h"

/*
 * Fills a beat but for its epoch and last.  counters: from a sensor, UTF-8 of at
 * most 4 KB, borrowed by the beat; text that is no object says nothing.  now_us: when it came;
 * a sensor that is complete until later is complete until then.
 */
void beat_read(const char *counters, gint64 now_us, struct store_beat *ret_beat);

/* Returns one number of the counters (NULL allowed), or fallback. */
gint64 beat_number(const char *counters, const char *name, gint64 fallback);
#endif
