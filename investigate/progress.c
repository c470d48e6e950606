/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_COLUMNS 30
#define INTERVAL_US (G_USEC_PER_SEC / 10)

void
progress_init(struct progress *progress, gboolean quiet)
{
	*progress = (struct progress){.shown = !quiet && isatty(STDERR_FILENO)};
}

void
progress_draw(struct progress *progress, double share, const char *what)
{
	double known = CLAMP(share, 0.0, 1.0);
	int full = (int)(known * BAR_COLUMNS);
	gint64 now = g_get_monotonic_time();
	g_autofree char *done = g_strnfill((gsize)full, '#');
	g_autofree char *rest = g_strnfill((gsize)(BAR_COLUMNS - full), '.');

	if (!progress->shown || now < progress->next_us)
		return;
	progress->next_us = now + INTERVAL_US;
	progress->drawn = TRUE;
	if (share < 0)
		fprintf(stderr, "\r[%s%s] %s\033[K", done, rest, what);
	else
		fprintf(stderr, "\r[%s%s] %3d%% %s\033[K", done, rest, (int)(known * 100), what);
}

void
progress_end(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = FALSE;
}
