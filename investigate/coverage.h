/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coverage.h - what an answer did not see, said at its end.
 *
 * For programs the last line of JSON, for people some sentences, so that a
 * "nobody" can be signed or is known not to be one.  One thread.
 */
#ifndef MAILTRACE_COVERAGE_H
#define MAILTRACE_COVERAGE_H

#include "out.h"
#include "store.h"

/* Writes the coverage of the time from since_us (0: the beginning) to until_us (0: now). */
void coverage_write(struct out *out, const struct store_coverage *coverage, gint64 since_us,
		    gint64 until_us);
#endif
