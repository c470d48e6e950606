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

/* What was asked, as far as it decides whether a "nobody" can be signed. */
struct coverage_question {
	gint64 since_us;       /* 0: the beginning */
	gint64 until_us;       /* 0: now */
	gint64 asked_us;       /* when */
	gint64 max_offset_us;  /* of a clock */
	gboolean has_expected; /* the configuration names sensors */
	gboolean needs_files;  /* a message whose files were not read might be an answer */
	gboolean nobody;       /* nothing was found */
};

/*
 * Returns why the answer may lack recipients, a clause each, to be freed with
 * g_ptr_array_unref(); none if it is complete: all expected sensors are complete
 * until the end of the time asked (STORE_LAG_US aside for "now"), no gap is in it,
 * its beginning, where one was named, has not expired, nothing that matters is
 * unread or was erased, and no clock is off.  That a milter was down does not count
 * where the MTA's log shows that nothing passed meanwhile, nor what the site exempts.
 */
GPtrArray *coverage_warnings(struct out *out, const struct store_coverage *coverage,
			     const struct coverage_question *question);

/* Returns what a gap says, a clause for people.  Free with g_free(). */
char *coverage_gap_text(struct out *out, const struct store_gap *gap);

/* Writes the coverage of an answer. */
void coverage_write(struct out *out, const struct store_coverage *coverage,
		    const struct coverage_question *question);
#endif
