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
	int full = (int)(CLAMP(share, 0.0, 1.0) * BAR_COLUMNS);
	gint64 now = g_get_monotonic_time();

	if (!progress->shown || now < progress->next_us)
		return;
	progress->next_us = now + INTERVAL_US;
	progress->drawn = TRUE;
	fputs("\r[", stderr);
	for (int i = 0; i < BAR_COLUMNS; i++)
		putc(i < full ? '#' : '.', stderr);
	if (share < 0)
		fprintf(stderr, "] %s\033[K", what);
	else
		fprintf(stderr, "] %3d%% %s\033[K", (int)(CLAMP(share, 0.0, 1.0) * 100), what);
	fflush(stderr);
}

void
progress_end(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = FALSE;
}
