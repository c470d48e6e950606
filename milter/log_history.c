/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "log_name.h"

#define FILES_MAX 4096			  /* of a log: ten years of days */
#define EXPANSION_FREE (64 * 1024 * 1024) /* no trouble, however small the file was */

/* One old file. */
struct old_file {
	char *path;
	gboolean compressed;
	struct timespec changed;
};

struct log_history {
	char *decompress;
	GPtrArray *files; /* of struct old_file, the oldest first */
	guint next;

	/* The file being read. */
	int fd;	      /* -1: none */
	GPid pid;     /* of the helper; 0: none */
	guint64 size; /* as it stands on disk */
	guint64 given;
	guint64 offset; /* of rest */
	GString *rest;	/* bytes of a line that is not complete */
	gboolean skipping;
	guint64 oversized;
	char *trouble;
};

static void
old_file_free(void *data)
{
	struct old_file *file = data;

	g_free(file->path);
	g_free(file);
}

/* ---- finding them ---- */

static gint
compare_files(gconstpointer first, gconstpointer second)
{
	const struct old_file *a = *(const struct old_file *const *)first;
	const struct old_file *b = *(const struct old_file *const *)second;

	if (a->changed.tv_sec != b->changed.tv_sec)
		return a->changed.tv_sec < b->changed.tv_sec ? -1 : 1;
	if (a->changed.tv_nsec != b->changed.tv_nsec)
		return a->changed.tv_nsec < b->changed.tv_nsec ? -1 : 1;
	return strcmp(a->path, b->path);
}

static void
add_file(struct log_history *history, const char *folder, const char *name, gboolean compressed,
	 guint64 device, guint64 inode)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	struct old_file *file;
	struct stat status;

	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0 ||
	    (status.st_dev == device && status.st_ino == inode))
		return;
	file = g_new0(struct old_file, 1);
	file->path = g_steal_pointer(&path);
	file->compressed = compressed;
	file->changed = status.st_mtim;
	g_ptr_array_add(history->files, file);
}

struct log_history *
log_history_new(const char *path, guint64 device, guint64 inode, const char *decompress)
{
	struct log_history *history = g_new0(struct log_history, 1);
	g_autofree char *folder = g_path_get_dirname(path), *base = g_path_get_basename(path);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	const char *name;

	history->decompress = g_strdup(decompress);
	history->files = g_ptr_array_new_with_free_func(old_file_free);
	history->rest = g_string_new(NULL);
	history->fd = -1;
	while (directory != NULL && history->files->len < FILES_MAX &&
	       (name = g_dir_read_name(directory)) != NULL) {
		gboolean compressed;

		if (log_name_is_old(name, base, &compressed))
			add_file(history, folder, name, compressed, device, inode);
	}
	g_ptr_array_sort(history->files, compare_files);
	return history;
}

/* ---- one file ---- */

static const struct old_file *
current(const struct log_history *history)
{
	return g_ptr_array_index(history->files, history->next - 1);
}

static void
note_trouble(struct log_history *history)
{
	g_free(history->trouble);
	history->trouble = g_strdup(current(history)->path);
}

/* Ends the file; whole: it was read to its end. */
static void
close_file(struct log_history *history, gboolean whole)
{
	int status = 0;

	if (history->fd >= 0)
		close(history->fd); /* a helper that still writes ends, too */
	history->fd = -1;
	while (history->pid && waitpid(history->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (!whole || (history->pid && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)))
		note_trouble(history);
	history->pid = 0;
	g_string_truncate(history->rest, 0);
	history->offset = history->given = 0;
	history->skipping = FALSE;
}

/* Puts the helper between the file and us. */
static gboolean
start_helper(struct log_history *history)
{
	const char *argv[] = {history->decompress, NULL};
	int ends[2];
	gboolean started;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return FALSE;
	started = g_spawn_async_with_fds(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
					 NULL, &history->pid, history->fd, ends[1], -1, NULL);
	close(ends[1]);
	close(history->fd);
	history->fd = ends[0];
	if (!started)
		history->pid = 0;
	return started && fcntl(history->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* Opens the next file; FALSE if there is none. */
static gboolean
open_next(struct log_history *history)
{
	while (history->fd < 0 && history->next < history->files->len) {
		const struct old_file *file = g_ptr_array_index(history->files, history->next++);
		struct stat status;

		history->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (history->fd < 0) {
			note_trouble(history);
			continue;
		}
		history->size = fstat(history->fd, &status) == 0 ? (guint64)status.st_size : 0;
		if (file->compressed && !start_helper(history))
			close_file(history, FALSE);
	}
	return history->fd >= 0;
}

static void
take_line(struct log_history *history, gsize length, GPtrArray *lines)
{
	struct log_line *line;

	if (history->skipping || length > CAP_LOG_LINE_BYTES) {
		history->oversized += !history->skipping;
		history->skipping = FALSE;
		return;
	}
	line = log_line_new(history->rest->str, length, history->offset);
	line->before_us = (current(history)->changed.tv_sec + 1) * (gint64)G_USEC_PER_SEC;
	g_ptr_array_add(lines, line);
}

static void
drop(struct log_history *history, gsize length)
{
	g_string_erase(history->rest, 0, (gssize)length);
	history->offset += length;
}

/* Takes the complete lines of what was read; of one that is too long, only its end is awaited. */
static void
take_lines(struct log_history *history, GPtrArray *lines)
{
	const char *newline;

	while ((newline = memchr(history->rest->str, '\n', history->rest->len)) != NULL) {
		gsize length = (gsize)(newline - history->rest->str);

		take_line(history, length, lines);
		drop(history, length + 1);
	}
	if (history->rest->len > CAP_LOG_LINE_BYTES) {
		history->oversized += !history->skipping;
		history->skipping = TRUE;
		drop(history, history->rest->len);
	}
}

/* A compressed file of some kilobytes must not become work for days. */
static gboolean
expands_too_far(const struct log_history *history)
{
	return history->pid && history->given > EXPANSION_FREE &&
	       history->given / LOG_EXPANSION > history->size;
}

/* Reads on in the file; FALSE while the helper has nothing. */
static gboolean
read_chunk(struct log_history *history, GPtrArray *lines)
{
	char chunk[8192];
	ssize_t got = read(history->fd, chunk, sizeof(chunk));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return FALSE;
	if (got <= 0) {
		if (history->rest->len > 0)
			take_line(history, history->rest->len, lines);
		close_file(history, got == 0);
		return TRUE;
	}
	history->given += (guint64)got;
	g_string_append_len(history->rest, chunk, got);
	take_lines(history, lines);
	if (expands_too_far(history))
		close_file(history, FALSE);
	return TRUE;
}

int
log_history_fd(const struct log_history *history)
{
	return history->fd;
}

GPtrArray *
log_history_read(struct log_history *history, guint max_lines)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(log_line_free);

	while (lines->len < max_lines && open_next(history))
		if (!read_chunk(history, lines))
			break;
	if (lines->len == 0 && history->fd < 0)
		return NULL;
	return g_steal_pointer(&lines);
}

char *
log_history_trouble(struct log_history *history)
{
	return g_steal_pointer(&history->trouble);
}

guint64
log_history_oversized(const struct log_history *history)
{
	return history->oversized;
}

void
log_history_free(struct log_history *history)
{
	if (history == NULL)
		return;
	if (history->fd >= 0)
		close_file(history, TRUE);
	g_ptr_array_unref(history->files);
	g_string_free(history->rest, TRUE);
	g_free(history->decompress);
	g_free(history->trouble);
	g_free(history);
}
