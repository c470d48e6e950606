/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Postfix's queue: postqueue(1) shows it, postsuper(1) changes it, postcat(1) shows a
 * message.  Each has success as its status when there was nothing to do.
 */
#include "queue_mta.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "line_reader.h"
#include "subprocess.h"

#define TRIES 2	       /* showq(8) may miss a message that moves between queues, or show it twice */
#define HEAD_BYTES 256 /* of a line, where queue and id are */
#define ARGUMENTS 8

/* Fills in argv: a program of Postfix's with its configuration, then what follows. */
static void
set_command(char **argv, const struct queue_site *site, const char *program)
{
	*argv++ = g_build_filename(site->programs, program, NULL);
	if (site->config) {
		*argv++ = g_strdup("-c");
		*argv++ = g_strdup(site->config);
	}
	*argv = NULL;
}

/* Returns an argument list; free with g_strfreev(). */
static char **command(const struct queue_site *site, const char *program,
		      ...) G_GNUC_NULL_TERMINATED;

static char **
command(const struct queue_site *site, const char *program, ...)
{
	char **argv = g_new0(char *, ARGUMENTS + 1);
	const char *argument;
	va_list list;
	guint count;

	set_command(argv, site, program);
	count = g_strv_length(argv);
	va_start(list, program);
	while ((argument = va_arg(list, const char *))) {
		g_assert(count < ARGUMENTS);
		argv[count++] = g_strdup(argument);
	}
	va_end(list);
	return argv;
}

static struct subprocess *
start(char **argv, GError **error)
{
	return subprocess_start((const char *const *)argv, queue_mta_environment, NULL, error);
}

static gboolean
run(char **argv, GError **error)
{
	return subprocess_run((const char *const *)argv, queue_mta_environment, NULL,
			      queue_mta_deadline(), error);
}

/* ---- looking ---- */

/* What was seen of one id in one showing of the queue. */
struct seen {
	struct queue_entry *entry;
	guint times;
};

/* What is looked for. */
struct search {
	GHashTable *places; /* id -> struct seen */
	gboolean unread;    /* a line that may be about one of them could not be read */
};

static struct search *
search_new(const char *const *queue_ids, gsize count)
{
	struct search *search = g_new0(struct search, 1);

	search->places = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	for (gsize i = 0; i < count; i++)
		g_hash_table_insert(search->places, (char *)queue_ids[i], g_new0(struct seen, 1));
	return search;
}

static void
search_free(struct search *search)
{
	GHashTableIter iter;
	gpointer seen;

	g_hash_table_iter_init(&iter, search->places);
	while (g_hash_table_iter_next(&iter, NULL, &seen))
		queue_entry_free(((struct seen *)seen)->entry);
	g_hash_table_unref(search->places);
	g_free(search);
}

/* Of a queue with 100,000 messages only the lines about ours are parsed: postqueue writes the id
 * near the beginning.  A line of another form is parsed. */
static gboolean
may_be_wanted(const struct search *search, const char *line, gsize length)
{
	static const char member[] = "\"queue_id\": \"";
	const char *id = g_strstr_len(line, (gssize)MIN(length, HEAD_BYTES), member);
	const char *end = id ? strchr(id + strlen(member), '"') : NULL;
	g_autofree char *queue_id = NULL;

	if (!end)
		return TRUE;
	id += strlen(member);
	queue_id = g_strndup(id, (gsize)(end - id));
	return g_hash_table_contains(search->places, queue_id);
}

static void
see_line(struct search *search, const char *line, gsize length, gboolean whole)
{
	g_autoptr(queue_entry_t) entry = NULL;
	struct seen *seen;

	if (!may_be_wanted(search, line, length))
		return;
	entry = whole ? queue_entry_parse(line, length) : NULL;
	if (!entry) {
		search->unread = TRUE;
		return;
	}
	seen = g_hash_table_lookup(search->places, entry->queue_id);
	/* A file in maildrop has no id yet, but a name like one. */
	if (!seen || strcmp(entry->queue_name, "maildrop") == 0)
		return;
	queue_entry_free(seen->entry);
	seen->entry = g_steal_pointer(&entry);
	seen->times++;
}

static gboolean
see_queue(struct search *search, int fd, gint64 deadline_us)
{
	g_autoptr(line_reader_t) reader = line_reader_new(fd, CAP_QUEUE_LINE_BYTES);
	enum line_result result;
	const char *line;
	gsize length;

	while ((result = line_reader_next(reader, deadline_us, &line, &length)) == LINE_WHOLE ||
	       result == LINE_CUT)
		see_line(search, line, length, result == LINE_WHOLE);
	return result == LINE_END;
}

static gboolean
look_once(const struct queue_site *site, struct search *search, GError **error)
{
	g_auto(GStrv) argv = command(site, "postqueue", "-j", NULL);
	struct subprocess *process = start(argv, error);
	gint64 deadline_us = queue_mta_deadline();
	gboolean all;

	if (!process)
		return FALSE;
	all = see_queue(search, subprocess_output(process), deadline_us);
	if (!subprocess_end(process, deadline_us, error))
		return FALSE;
	if (all && !search->unread)
		return TRUE;
	g_set_error(error, QUEUE_MTA_ERROR, QUEUE_MTA_ERROR_LOOK,
		    "what postqueue shows cannot be read");
	return FALSE;
}

/* Whether each was seen just once. */
static gboolean
is_clear(const struct search *search)
{
	GHashTableIter iter;
	gpointer seen;

	g_hash_table_iter_init(&iter, search->places);
	while (g_hash_table_iter_next(&iter, NULL, &seen))
		if (((struct seen *)seen)->times != 1)
			return FALSE;
	return TRUE;
}

static gboolean
look(const struct queue_site *site, const char *const *queue_ids, gsize count,
     struct queue_entry **ret_entries, GError **error)
{
	gboolean looked = TRUE, clear = FALSE;

	for (guint i = 0; i < TRIES && looked && !clear; i++) {
		struct search *search = search_new(queue_ids, count);

		looked = look_once(site, search, error);
		clear = is_clear(search);
		for (gsize j = 0; j < count && looked && (clear || i == TRIES - 1); j++) {
			struct seen *seen = g_hash_table_lookup(search->places, queue_ids[j]);

			ret_entries[j] = g_steal_pointer(&seen->entry);
		}
		search_free(search);
	}
	return looked;
}

/* ---- acting ---- */

static gboolean
act(const struct queue_site *site, enum queue_verb verb, const char *queue_id, const char *reason,
    GError **error)
{
	/* Not -r: that would give it another id, and have its aliases expanded again. */
	const char *option = verb == QUEUE_HOLD ? "-h" : verb == QUEUE_RELEASE ? "-H" : "-d";
	g_auto(GStrv) argv = command(site, "postsuper", option, queue_id,
				     verb == QUEUE_DELETE ? "hold" : NULL, NULL);
	g_auto(GStrv) hurry = NULL;

	if (!run(argv, error))
		return FALSE;
	if (verb != QUEUE_RELEASE)
		return TRUE;
	/* Released mail waits in "deferred" for the next scan: deliver it now.  If that cannot be
	 * asked for, the scan will come. */
	hurry = command(site, "postqueue", "-i", queue_id, NULL);
	run(hurry, NULL);
	return TRUE;
}

/* ---- copying ---- */

static gboolean
hand_on(int from, int to)
{
	char bytes[65536];
	ssize_t got;

	while ((got = read(from, bytes, sizeof(bytes))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return FALSE;
		for (ssize_t put, at = 0; at < got; at += put) {
			put = write(to, bytes + at, (size_t)(got - at));
			if (put <= 0)
				return FALSE;
		}
	}
	return TRUE;
}

static gboolean
copy(const struct queue_site *site, const char *queue_id, int fd, GError **error)
{
	g_auto(GStrv) argv = command(site, "postcat", "-bhq", queue_id, NULL);
	struct subprocess *process = start(argv, error);
	gboolean whole;

	if (!process)
		return FALSE;
	whole = hand_on(subprocess_output(process), fd);
	if (!subprocess_end(process, queue_mta_deadline(), error))
		return FALSE;
	if (!whole)
		g_set_error(error, QUEUE_MTA_ERROR, QUEUE_MTA_ERROR_COPY, "cannot copy %s: %s",
			    queue_id, g_strerror(errno));
	return whole;
}

const struct queue_mta queue_mta_postfix = {
	.name = "postfix",
	.programs = "/usr/sbin",
	/* smtpd(8) makes the queue file at the first recipient that it takes. */
	.window = {.before_s = 60, .after_s = 1800},
	.look = look,
	.act = act,
	.copy = copy,
};
