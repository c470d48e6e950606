/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte of a spool at rest flips, wherever it is: each page of each file, in
 * each state a spool can be in.  Then all records come through, or the damage
 * is told with its remedy; no record is half-read; and the spool goes on.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "spool.h"

#define PAGE 4096
#define HEAD 48		 /* of a page: each byte is flipped */
#define STEP 131	 /* between those behind it */
#define ROUNDS_MAX 20000 /* of reading: more is a publisher that never comes to an end */

/* The files that are damaged, and put back before each damage. */
static const char *const names[] = {"spool.db", "spool.db-wal", "spool.mark"};

/* How a spool is made. */
struct state {
	const char *name;
	guint entries;
	gsize bytes;	      /* of each */
	guint64 acknowledged; /* by the collector, and removed */
	guint64 refused;      /* a number, 0 for none */
	gboolean killed;      /* all since the spool was made is in the WAL */
	gboolean stored;      /* the collector has all of it, its last words were lost */
};

/* The collector as it would answer, and what it has. */
struct site {
	const struct state *state;
	char epoch[37];
	guint64 through;
	gboolean *received; /* of each entry of the state, from 1, and of the one appended later */
	guint told;	    /* damaged entries, each of which may be a record */
	gsize place;	    /* of the flip, for messages */
	const char *file;
};

/* What is there once a damaged file was replaced. */
static const char *const kept[] = {"spool.db.damaged", "spool.db.damaged-wal",
				   "spool.db.damaged-shm", "spool.db-shm"};

static gboolean lost_some; /* a flip took a record */

/* No power is cut here: tens of thousands of openings need not wait for a disk. */
int
fsync(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int
fdatasync(int fd)
{
	return fsync(fd);
}

static GBytes *
event_of(const struct state *state, guint number)
{
	g_autofree char *head = g_strdup_printf("event %u ", number);
	gsize size = MAX(state->bytes, strlen(head));
	char *text = g_malloc(size);

	memset(text, 'a' + number % 26, size);
	memcpy(text, head, strlen(head));
	return g_bytes_new_take(text, size);
}

/* ---- the spool before the damage ---- */

static void
fill(const struct state *state, int out)
{
	struct spool *spool = spool_open(directory, 0, NULL);

	cr_assert(spool);
	for (guint n = 1; n <= state->entries; n++) {
		g_autoptr(GBytes) event = event_of(state, n);

		cr_assert(spool_append(spool, event, NULL, NULL));
	}
	if (state->acknowledged)
		cr_assert(spool_acknowledge(spool, state->acknowledged, NULL));
	if (state->refused)
		cr_assert(spool_refuse(spool, state->refused, "poison", NULL));
	cr_assert_eq(write(out, spool_epoch(spool), 36), 36);
	if (state->killed)
		_exit(0);
	spool_close(spool);
	_exit(0);
}

/* Has another process make the spool, so that it can end as one that is killed does. */
static void
make_spool(const struct state *state, struct site *ret_site)
{
	int fds[2], status;
	pid_t child;

	*ret_site = (struct site){.state = state};
	cr_assert(pipe(fds) == 0);
	child = fork();
	if (child == 0)
		fill(state, fds[1]);
	close(fds[1]);
	cr_assert_eq(read(fds[0], ret_site->epoch, 36), 36);
	close(fds[0]);
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
	ret_site->through = state->stored ? state->entries : state->acknowledged;
	ret_site->received = g_new0(gboolean, state->entries + 2);
	for (guint64 n = 1; n <= ret_site->through; n++)
		ret_site->received[n] = TRUE;
	if (state->refused)
		ret_site->received[state->refused] = TRUE;
}

/* ---- what the publisher and the collector do with it ---- */

/* Nothing fails after the spool was opened: what was damaged has been mended by then. */
static void
assert_good(const struct site *site, gboolean good, GError **error)
{
	cr_assert(good, "%s: %s, byte %zu: %s", site->state->name, site->file, site->place,
		  *error ? (*error)->message : "no error");
	g_clear_error(error);
}

static void
take_event(struct site *site, GBytes *event)
{
	guint number = 0;
	g_autoptr(GBytes) expected = NULL;

	cr_assert(sscanf(g_bytes_get_data(event, NULL), "event %u ", &number) == 1 && number > 0 &&
			  number <= site->state->entries + 1,
		  "%s: %s, byte %zu: half-read", site->state->name, site->file, site->place);
	expected = event_of(site->state, number);
	cr_assert(g_bytes_equal(event, expected), "%s: %s, byte %zu: half-read", site->state->name,
		  site->file, site->place);
	site->received[number] = TRUE;
}

/* One batch.  FALSE: nothing more can be read. */
static gboolean
send_batch(struct site *site, struct spool *spool, guint64 *sent)
{
	g_autoptr(GError) error = NULL;
	guint64 first = 0;
	g_autoptr(GPtrArray) events = spool_read(spool, *sent, 100, 1 << 20, &first, &error);

	if (events) {
		for (guint i = 0; i < events->len; i++)
			take_event(site, events->pdata[i]);
		if (events->len > 0)
			*sent = first + events->len - 1;
		return events->len > 0;
	}
	assert_good(site, g_error_matches(error, SPOOL_ERROR, SPOOL_ERROR_DAMAGED), &error);
	*sent = first;
	site->told++;
	spool_refuse(spool, first, "damaged at rest", NULL);
	return TRUE;
}

static void
publish(struct site *site, struct spool *spool)
{
	struct spool_status status;
	GError *error = NULL;
	guint rounds = 0;
	guint64 sent;

	spool_status(spool, &status);
	if (strcmp(site->epoch, spool_epoch(spool)) != 0)
		site->through = 0;
	if (site->through > status.last || site->through < status.acknowledged) {
		assert_good(site, spool_renew_epoch(spool, &error), &error);
		site->through = 0;
	}
	memcpy(site->epoch, spool_epoch(spool), sizeof site->epoch);
	sent = site->through;
	while (send_batch(site, spool, &sent))
		cr_assert_lt(++rounds, ROUNDS_MAX, "%s: %s, byte %zu: no end", site->state->name,
			     site->file, site->place);
	site->through = sent;
	assert_good(site, spool_acknowledge(spool, sent, &error), &error);
}

/* How many records did not come. */
static guint
missing(const struct site *site)
{
	guint count = 0;

	for (guint n = 1; n <= site->state->entries + 1; n++)
		count += !site->received[n];
	return count;
}

/* The spool is opened, a message comes, and all is sent. */
static void
live_on(struct site *site)
{
	g_autoptr(GBytes) later = event_of(site->state, site->state->entries + 1);
	g_autoptr(GError) error = NULL;
	struct spool *spool = spool_open(directory, 0, &error);
	struct spool_status status;

	assert_good(site, spool != NULL, &error);
	assert_good(site, spool_append(spool, later, NULL, &error), &error);
	publish(site, spool);
	cr_assert(site->received[site->state->entries + 1], "%s: %s, byte %zu: it does not go on",
		  site->state->name, site->file, site->place);
	cr_assert_leq(missing(site), site->told, "%s: %s, byte %zu: %u lost, %u told",
		      site->state->name, site->file, site->place, missing(site), site->told);
	spool_status(spool, &status);
	cr_assert(status.entries == 0 && status.bytes == 0,
		  "%s: %s, byte %zu: %" G_GUINT64_FORMAT " entries are left", site->state->name,
		  site->file, site->place, status.entries);
	lost_some |= missing(site) > 0;
	spool_close(spool);
}

/* ---- the flips ---- */

struct content {
	char *bytes[G_N_ELEMENTS(names)];
	gsize size[G_N_ELEMENTS(names)];
};

static void
keep(struct content *ret_content)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(directory, names[i], NULL);

		ret_content->bytes[i] = NULL;
		if (!g_file_get_contents(path, &ret_content->bytes[i], &ret_content->size[i], NULL))
			ret_content->size[i] = 0;
	}
}

static void
put_back(const struct content *content)
{
	for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
		g_autofree char *path = g_build_filename(directory, kept[i], NULL);

		g_unlink(path);
	}
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(directory, names[i], NULL);
		FILE *file;

		if (!content->bytes[i]) {
			g_unlink(path);
			continue;
		}
		file = fopen(path, "wb");
		cr_assert(file);
		cr_assert_eq(fwrite(content->bytes[i], 1, content->size[i], file),
			     content->size[i]);
		fclose(file);
	}
}

static void
flip_and_live(const struct site *before, struct content *content, guint file, gsize place)
{
	struct site site = *before;
	gsize count = before->state->entries + 2;
	g_autofree gboolean *received = g_memdup2(before->received, count * sizeof *received);
	const char bit = (char)(1 << place % 8);

	site.received = received;
	site.file = names[file];
	site.place = place;
	content->bytes[file][place] ^= bit;
	put_back(content);
	live_on(&site);
	content->bytes[file][place] ^= bit;
}

/* The head of a page and what stands behind it, each byte; of the rest one now and then. */
static gsize
next_place(gsize place)
{
	return place % PAGE < HEAD ? place + 1 : MIN(place + STEP, (place / PAGE + 1) * PAGE);
}

static void
flip_everywhere(const struct state *state)
{
	struct content content;
	struct site site;

	make_spool(state, &site);
	keep(&content);
	for (guint file = 0; file < G_N_ELEMENTS(names); file++)
		for (gsize place = 0; place < content.size[file]; place = next_place(place))
			flip_and_live(&site, &content, file, place);
	g_free(site.received);
	for (guint file = 0; file < G_N_ELEMENTS(names); file++)
		g_free(content.bytes[file]);
}

TestSuite(spool_damage, .init = make_directory, .fini = remove_directory, .timeout = 600);

#define DAMAGED(name_, ...)                                                      \
	Test(spool_damage, name_)                                                \
	{                                                                        \
		static const struct state state = {.name = #name_, __VA_ARGS__}; \
		flip_everywhere(&state);                                         \
	}

DAMAGED(few_that_wait, .entries = 5, .bytes = 500)
DAMAGED(one_that_waits, .entries = 70, .bytes = 500, .acknowledged = 69)
DAMAGED(many_that_wait, .entries = 40, .bytes = 1000)
DAMAGED(none_that_waits, .entries = 20, .bytes = 1000, .acknowledged = 20)
DAMAGED(some_that_wait_and_free_pages, .entries = 40, .bytes = 1000, .acknowledged = 30,
	.refused = 35)
DAMAGED(large_ones, .entries = 3, .bytes = 20000, .acknowledged = 1)
DAMAGED(those_the_collector_has, .entries = 10, .bytes = 500, .stored = TRUE)
DAMAGED(in_the_log, .entries = 6, .bytes = 500, .acknowledged = 2, .killed = TRUE)
