/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scanner_stress - many threads read through one client while its scanner is
 * replaced again and again.
 *
 * usage: scanner_stress SCANNER WORKERS THREADS MESSAGES SWAPS [FILE]
 *
 * Each thread reads MESSAGES, of FILE or a small mail of its own, by turns in
 * the packet and as a memory file.  Meant to be run under ThreadSanitizer too,
 * which does not work inside Criterion.  Prints one line of figures; exit
 * status 0 if every message was read and every scanner ended in order.
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "digest.h"
#include "scanner_client.h"

#define READ_MS 60000
#define MAIL "Subject: stress\r\nMessage-ID: <1@example.com>\r\n\r\nbody\r\n"

struct stress {
	struct scanner_client *client;
	const char *scanner;
	guint workers;
	guint messages;
	const char *bytes;
	gsize length;
	int fd; /* the same as a memory file */
	guint8 expected[SHA256_BYTES];
	guint read;	  /* atomic */
	guint failed;	  /* atomic */
	GArray *scanners; /* of GPid */
};

static void
read_one(struct stress *stress, gboolean by_file)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(record_t) record =
		scanner_client_read(stress->client, by_file ? stress->fd : -1, stress->bytes,
				    stress->length, READ_MS, &error);

	if (record != NULL && memcmp(record->sha256, stress->expected, SHA256_BYTES) == 0) {
		g_atomic_int_inc(&stress->read);
		return;
	}
	g_atomic_int_inc(&stress->failed);
	fprintf(stderr, "not read: %s\n", error != NULL ? error->message : "another digest");
}

static void *
read_all(void *data)
{
	struct stress *stress = data;

	for (guint i = 0; i < stress->messages; i++)
		read_one(stress, i % 2 == 1);
	return NULL;
}

static gboolean
attach_scanner(struct stress *stress)
{
	g_autoptr(GError) error = NULL;
	GPid pid;
	int control =
		scanner_spawn(stress->scanner,
			      &(struct scanner_options){.workers = stress->workers}, &pid, &error);

	if (control < 0) {
		fprintf(stderr, "%s\n", error->message);
		return FALSE;
	}
	g_array_append_val(stress->scanners, pid);
	scanner_client_attach(stress->client, control);
	return TRUE;
}

static guint
messages_done(struct stress *stress)
{
	return (guint)g_atomic_int_get(&stress->read) + (guint)g_atomic_int_get(&stress->failed);
}

/* Replaces the scanner after equal shares of all messages. */
static gboolean
swap_scanners(struct stress *stress, guint threads, guint swaps)
{
	for (guint i = 1; i <= swaps; i++) {
		guint goal = (guint)((guint64)threads * stress->messages * i / (swaps + 1));

		while (messages_done(stress) < goal)
			poll(NULL, 0, 1);
		if (!attach_scanner(stress))
			return FALSE;
	}
	return TRUE;
}

static gboolean
run(struct stress *stress, guint threads, guint swaps)
{
	g_autofree pthread_t *ids = g_new(pthread_t, threads);
	gboolean done;

	for (guint i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, read_all, stress) != 0)
			return FALSE;
	done = swap_scanners(stress, threads, swaps);
	for (guint i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return done && stress->failed == 0;
}

static gboolean
scanners_ended(const struct stress *stress)
{
	gboolean in_order = TRUE;

	for (guint i = 0; i < stress->scanners->len; i++) {
		GPid pid = g_array_index(stress->scanners, GPid, i);
		int status;

		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			continue;
		fprintf(stderr, "a scanner ended with %#x\n", (unsigned)status);
		in_order = FALSE;
	}
	return in_order;
}

static gboolean
load_message(struct stress *stress, const char *path)
{
	char *bytes = NULL;

	if (path != NULL && !g_file_get_contents(path, &bytes, &stress->length, NULL))
		return FALSE;
	if (path == NULL)
		stress->length = strlen(MAIL);
	stress->bytes = bytes != NULL ? bytes : g_strdup(MAIL);
	digest_sha256(stress->bytes, stress->length, stress->expected);
	stress->fd = memfd_create("stress", MFD_CLOEXEC);
	return stress->fd >= 0 &&
	       write(stress->fd, stress->bytes, stress->length) == (ssize_t)stress->length;
}

static void
print_figures(const struct stress *stress, gint64 took_us)
{
	struct scanner_counters counters;

	scanner_client_counters(stress->client, &counters);
	printf("read=%u failed=%u retried=%u replaced=%u per_second=%.0f\n", (guint)counters.read,
	       (guint)counters.failed, (guint)counters.retried, (guint)counters.replaced,
	       (double)counters.read * G_USEC_PER_SEC / (double)MAX(took_us, 1));
}

int
main(int argc, char **argv)
{
	struct stress stress = {0};
	gint64 start;
	gboolean good;

	if (argc < 6 || !load_message(&stress, argv[6])) {
		fprintf(stderr, "usage: scanner_stress SCANNER WORKERS THREADS MESSAGES SWAPS"
				" [FILE]\n");
		return 2;
	}
	stress.client = scanner_client_new();
	stress.scanner = argv[1];
	stress.workers = (guint)strtoul(argv[2], NULL, 10);
	stress.messages = (guint)strtoul(argv[4], NULL, 10);
	stress.scanners = g_array_new(FALSE, FALSE, sizeof(GPid));
	good = attach_scanner(&stress);
	start = g_get_monotonic_time();
	good = good &&
	       run(&stress, (guint)strtoul(argv[3], NULL, 10), (guint)strtoul(argv[5], NULL, 10));
	print_figures(&stress, g_get_monotonic_time() - start);
	scanner_client_free(stress.client);
	good = scanners_ended(&stress) && good;
	g_array_free(stress.scanners, TRUE);
	g_free((char *)stress.bytes);
	close(stress.fd);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
