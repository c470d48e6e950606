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

#define TRIES 3 /* showq(8) may miss a message that moves between queues, or show it twice */

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
	return subprocess_run((const char *const *)argv, queue_mta_environment,
			      queue_mta_deadline(), error);
}

/* ---- looking ---- */

/* What was seen of one id in one showing of the queue. */
struct seen {
	const char *queue_id;
	char *needle; /* as the id stands in a line */
	struct queue_entry *entry;
	guint times;
	gboolean unread; /* a line about it could not be read */
};

static void
see_line(struct seen *seen, const char *line, gsize length, gboolean whole)
{
	struct queue_entry *entry;

	/* Of a queue with 100,000 messages only our own line is parsed. */
	if (!g_strstr_len(line, (gssize)length, seen->needle))
		return;
	entry = whole ? queue_entry_parse(line, length) : NULL;
	if (!entry) {
		seen->unread = TRUE;
		return;
	}
	/* A text within a delay's reason is no id; a file in maildrop has no id yet. */
	if (strcmp(entry->queue_id, seen->queue_id) != 0 ||
	    strcmp(entry->queue_name, "maildrop") == 0) {
		queue_entry_free(entry);
		return;
	}
	queue_entry_free(seen->entry);
	seen->entry = entry;
	seen->times++;
}

static gboolean
see_queue(struct seen *seen, int fd, gint64 deadline_us)
{
	g_autoptr(line_reader_t) reader = line_reader_new(fd, CAP_QUEUE_LINE_BYTES);
	enum line_result result;
	const char *line;
	gsize length;

	while ((result = line_reader_next(reader, deadline_us, &line, &length)) == LINE_WHOLE ||
	       result == LINE_CUT)
		see_line(seen, line, length, result == LINE_WHOLE);
	return result == LINE_END;
}

static gboolean
look_once(const struct queue_site *site, struct seen *seen, GError **error)
{
	g_auto(GStrv) argv = command(site, "postqueue", "-j", NULL);
	struct subprocess *process = start(argv, error);
	gint64 deadline_us = queue_mta_deadline();
	gboolean all;

	if (!process)
		return FALSE;
	all = see_queue(seen, subprocess_output(process), deadline_us);
	if (!subprocess_end(process, deadline_us, error))
		return FALSE;
	if (all && (!seen->unread || seen->entry))
		return TRUE;
	g_set_error(error, QUEUE_MTA_ERROR, QUEUE_MTA_ERROR_LOOK,
		    "what postqueue shows of %s cannot be read", seen->queue_id);
	return FALSE;
}

static gboolean
look(const struct queue_site *site, const char *queue_id, struct queue_entry **ret_entry,
     GError **error)
{
	g_autofree char *needle = g_strdup_printf("\"%s\"", queue_id);
	struct seen seen = {.queue_id = queue_id, .needle = needle};
	gboolean looked = TRUE;

	for (guint i = 0; i < TRIES && looked && seen.times != 1; i++) {
		g_clear_pointer(&seen.entry, queue_entry_free);
		seen.times = 0;
		looked = look_once(site, &seen, error);
	}
	if (looked)
		*ret_entry = g_steal_pointer(&seen.entry);
	queue_entry_free(seen.entry);
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
