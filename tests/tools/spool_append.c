/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool_append DIRECTORY COUNT [THREADS] - appends COUNT events in each of
 * THREADS threads and writes each number to standard output as soon as it has
 * it; with THREADS 0 in one thread, acknowledging each event; at the end "appends per second,
 * commits" to standard error.
 */
#include "config.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool.h"

#define EVENT_BYTES 3000 /* of a typical message with two files */

struct work {
	struct spool *spool;
	guint count;
	gboolean acknowledge;
};

static gpointer
append_all(gpointer data)
{
	const struct work *work = data;
	g_autofree char *text = g_strnfill(EVENT_BYTES, 'x');
	g_autoptr(GBytes) event = g_bytes_new(text, EVENT_BYTES);

	for (guint i = 0; i < work->count; i++) {
		g_autofree char *line = NULL;
		guint64 n;

		if (!spool_append(work->spool, event, &n, NULL))
			return GINT_TO_POINTER(TRUE);
		line = g_strdup_printf("%" G_GUINT64_FORMAT "\n", n);
		if (write(STDOUT_FILENO, line, strlen(line)) < 0)
			return GINT_TO_POINTER(TRUE);
		if (work->acknowledge && !spool_acknowledge(work->spool, n, NULL))
			return GINT_TO_POINTER(TRUE);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	struct spool *spool = argc >= 3 ? spool_open(argv[1], 0, &error) : NULL;
	guint threads = argc > 3 ? (guint)atoi(argv[3]) : 1;
	struct work work = {spool, argc >= 3 ? (guint)atoi(argv[2]) : 0, threads == 0};
	g_autofree GThread **running = g_new0(GThread *, threads + 1);
	gint64 start = g_get_monotonic_time();
	struct spool_status status;
	gboolean failed = FALSE;

	if (!spool) {
		fprintf(stderr, "spool_append: %s\n", error ? error->message : "usage");
		return 2;
	}
	for (guint i = 0; i < MAX(threads, 1); i++)
		running[i] = g_thread_new("append", append_all, &work);
	for (guint i = 0; i < MAX(threads, 1); i++)
		failed |= g_thread_join(running[i]) != NULL;
	spool_status(spool, &status);
	fprintf(stderr, "%.0f appends/s, %" G_GUINT64_FORMAT " commits\n",
		(double)status.last * 1e6 / (double)(g_get_monotonic_time() - start),
		status.commits);
	spool_close(spool);
	return failed;
}
