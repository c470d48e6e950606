/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.h - a line on stderr that tells how far a long command is.
 *
 * Only when stderr is a terminal and --quiet was not given; at most ten times
 * a second.  One thread.
 */
#ifndef MAILTRACE_PROGRESS_H
#define MAILTRACE_PROGRESS_H

#include <glib.h>

struct progress {
	gboolean shown;
	gint64 next_us;
	gboolean drawn;
};

/* Prepares a progress line. */
void progress_init(struct progress *progress, gboolean quiet);

/* Draws it: share from 0 to 1, or below 0 if not known; what: "1,204 messages". */
void progress_draw(struct progress *progress, double share, const char *what);

/* Wipes it. */
void progress_end(struct progress *progress);
#endif
