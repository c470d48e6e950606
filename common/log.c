/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "text.h"

#define LINE_BYTES 8192 /* syslog receivers cut at 8 KB (RFC 5424 6.1 asks for 2 KB at least) */

/*
 * The program's one log.  It is the only mutable state of the process that
 * hangs from no object: whoever logs has no object in common but the program.
 */
static struct {
	GMutex lock;
	const char *program;
	enum log_target target;
	gboolean journal;   /* stderr is the journal's: priorities are written as <N> */
	GHashTable *limits; /* char *event, static -> struct log_limit * */
	gint64 swept_at_us; /* when held-back counts were last looked through */
} logger;

static int
syslog_priority(enum log_level level)
{
	static const int priorities[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_NOTICE] = LOG_NOTICE,
		[LOG_LEVEL_INFO] = LOG_INFO,
	};

	return priorities[level];
}

/* sd-daemon(3): JOURNAL_STREAM is inherited, so it counts only if it names our stderr. */
static gboolean
stderr_is_journal(void)
{
	const char *stream = g_getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void
log_open(const char *program, enum log_target target)
{
	g_mutex_lock(&logger.lock);
	logger.program = program;
	logger.target = target;
	logger.journal = stderr_is_journal();
	if (target == LOG_TARGET_SYSLOG)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
	g_mutex_unlock(&logger.lock);
}

gboolean
log_limit_take(struct log_limit *limit, gint64 now_us, guint64 *ret_held)
{
	*ret_held = 0;
	if (limit->written == 0 ||
	    now_us - limit->since_us >= LOG_WINDOW_MS * G_GINT64_CONSTANT(1000)) {
		*ret_held = limit->held;
		*limit = (struct log_limit){.since_us = now_us, .written = 1};
		return TRUE;
	}
	if (limit->written < LOG_BURST) {
		limit->written++;
		return TRUE;
	}
	limit->held++;
	return FALSE;
}

/* Whole lines in one write, so that those of several processes do not mix. */
static void
write_stderr(enum log_level level, const char *text)
{
	g_autoptr(GString) line = g_string_new(NULL);
	ssize_t written;

	if (logger.journal)
		g_string_printf(line, "<%d>%s\n", syslog_priority(level), text);
	else
		g_string_printf(line, "%s[%d]: %s\n", logger.program ? logger.program : "mailtrace",
				(int)getpid(), text);
	written = write(STDERR_FILENO, line->str, line->len);
	(void)written; /* there is nobody left to tell */
}

static void
write_line(enum log_level level, GString *line)
{
	g_string_truncate(line, MIN(line->len, LINE_BYTES));
	if (logger.target == LOG_TARGET_SYSLOG)
		syslog(LOG_MAIL | syslog_priority(level), "%s", line->str);
	else
		write_stderr(level, line->str);
}

static void
write_held(const char *event, guint64 held)
{
	g_autoptr(GString) line = g_string_new(NULL);

	g_string_printf(line, "log-held-back event=%s lines=%" G_GUINT64_FORMAT, event, held);
	write_line(LOG_LEVEL_NOTICE, line);
}

/* Tells of lines held back whose window is over, so that the last ones are not kept silent. */
static void
sweep(gint64 now_us, gint64 window_us)
{
	GHashTableIter iter;
	gpointer event, value;

	logger.swept_at_us = now_us;
	g_hash_table_iter_init(&iter, logger.limits);
	while (g_hash_table_iter_next(&iter, &event, &value)) {
		struct log_limit *limit = value;

		if (limit->held == 0 || now_us - limit->since_us < window_us)
			continue;
		write_held(event, limit->held);
		*limit = (struct log_limit){0};
	}
}

static gboolean
may_write(const char *event)
{
	const gint64 window_us = LOG_WINDOW_MS * G_GINT64_CONSTANT(1000);
	gint64 now_us = g_get_monotonic_time();
	struct log_limit *limit;
	guint64 held;
	gboolean may;

	if (!logger.limits)
		logger.limits = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	if (now_us - logger.swept_at_us >= window_us)
		sweep(now_us, window_us);
	limit = g_hash_table_lookup(logger.limits, event);
	if (!limit) {
		limit = g_new0(struct log_limit, 1);
		g_hash_table_insert(logger.limits, (gpointer)event, limit);
	}
	may = log_limit_take(limit, now_us, &held);
	if (held > 0)
		write_held(event, held);
	return may;
}

void
log_event(enum log_level level, const char *event, ...)
{
	g_autoptr(GString) line = g_string_new(event);
	const char *key, *value;
	va_list pairs;

	va_start(pairs, event);
	while ((key = va_arg(pairs, const char *))) {
		g_autofree char *safe = NULL;

		value = va_arg(pairs, const char *);
		if (!value)
			continue;
		safe = text_for_log(value);
		g_string_append_printf(line, " %s=%s", key, safe);
	}
	va_end(pairs);

	g_mutex_lock(&logger.lock);
	if (level == LOG_LEVEL_INFO || may_write(event))
		write_line(level, line);
	g_mutex_unlock(&logger.lock);
}

void
log_flush(void)
{
	g_mutex_lock(&logger.lock);
	if (logger.limits)
		sweep(g_get_monotonic_time(), 0);
	g_mutex_unlock(&logger.lock);
}
