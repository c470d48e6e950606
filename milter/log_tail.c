/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "log_name.h"

#define CHUNK_BYTES (64 * 1024) /* read at once: eight lines of the longest */
#define SIBLINGS_MAX 4096	/* files looked at for the rest of a log */

struct log_tail {
	char *path;
	int inotify_fd;
	int watch;
	int fd; /* -1 while there is no file */
	guint64 device, inode;
	guint64 offset;
	guint8 before[LOG_BEFORE_BYTES]; /* the bytes before offset, the last before_length */
	guint before_length;
	gboolean skipping; /* in a line that is passed over */
	gboolean is_last;  /* the successor was seen, and this file is read once more */
	guint64 gaps, oversized;
};

/* ---- places ---- */

void
log_tail_position(const struct log_tail *tail, struct log_position *ret_position)
{
	ret_position->device = tail->device;
	ret_position->inode = tail->inode;
	ret_position->offset = tail->offset;
	ret_position->before_length = tail->before_length;
	digest_sha256(tail->before, tail->before_length, ret_position->digest);
}

char *
log_position_format(const struct log_position *position)
{
	g_autofree char *digest = hex_encode(position->digest, SHA256_BYTES);

	return g_strdup_printf("mailtrace-follow 1\nfile %" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT
			       "\noffset %" G_GUINT64_FORMAT "\nbefore %u %s\n",
			       position->device, position->inode, position->offset,
			       position->before_length, digest);
}

gboolean
log_position_parse(const char *text, struct log_position *ret_position)
{
	struct log_position position;
	char digest[2 * SHA256_BYTES + 1];
	g_autofree char *again = NULL;

	if (sscanf(text,
		   "mailtrace-follow 1 file %" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT
		   " offset %" G_GUINT64_FORMAT " before %u %64s",
		   &position.device, &position.inode, &position.offset, &position.before_length,
		   digest) != 5 ||
	    !hex_decode(digest, position.digest, SHA256_BYTES) ||
	    position.before_length > MIN(position.offset, LOG_BEFORE_BYTES) ||
	    position.offset > G_MAXINT64)
		return FALSE;
	again = log_position_format(&position);
	if (strcmp(again, text) != 0)
		return FALSE;
	*ret_position = position;
	return TRUE;
}

/* Reads the length bytes before offset; FALSE if the file has not so many. */
static gboolean
read_before(int fd, guint64 offset, guint8 *ret_before, guint length)
{
	return pread(fd, ret_before, length, (off_t)(offset - length)) == (ssize_t)length;
}

static gboolean
is_at(int fd, const struct log_position *position)
{
	guint8 before[LOG_BEFORE_BYTES], digest[SHA256_BYTES];
	struct stat status;

	if (fstat(fd, &status) != 0 || (guint64)status.st_size < position->offset)
		return FALSE;
	/* Nothing was read of it: it is the same file, or nothing tells. */
	if (position->before_length == 0)
		return status.st_dev == position->device && status.st_ino == position->inode;
	if (!read_before(fd, position->offset, before, position->before_length))
		return FALSE;
	digest_sha256(before, position->before_length, digest);
	return memcmp(digest, position->digest, SHA256_BYTES) == 0;
}

/* ---- files ---- */

/* Opens a regular file; a FIFO would block, and has no place to come back to. */
static int
open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	close(fd);
	return -1;
}

/* Goes on at a place of a file, which becomes the tail's. */
static void
use_file(struct log_tail *tail, int fd, guint64 offset)
{
	struct stat status = {0};

	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = fd;
	if (fd >= 0)
		fstat(fd, &status);
	tail->device = status.st_dev;
	tail->inode = status.st_ino;
	tail->offset = offset;
	tail->before_length = (guint)MIN(offset, LOG_BEFORE_BYTES);
	if (!read_before(fd, offset, tail->before, tail->before_length))
		tail->before_length = 0;
	tail->skipping = tail->before_length > 0 && tail->before[tail->before_length - 1] != '\n';
	tail->is_last = FALSE;
	if (tail->inotify_fd >= 0) {
		if (tail->watch >= 0)
			inotify_rm_watch(tail->inotify_fd, tail->watch);
		tail->watch =
			inotify_add_watch(tail->inotify_fd, tail->path, IN_MODIFY | IN_MOVE_SELF);
	}
}

typedef gboolean (*file_fn)(int fd, void *data);

/* Gives each of the log's files, the log itself first, to a function until one is taken. */
static int
find_file(const struct log_tail *tail, file_fn is_it, void *data)
{
	g_autofree char *folder = g_path_get_dirname(tail->path);
	g_autofree char *base = g_path_get_basename(tail->path);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	int fd = open_regular(tail->path);
	const char *name;

	for (int seen = 0; seen < SIBLINGS_MAX; seen++) {
		g_autofree char *path = NULL;
		gboolean compressed;

		if (fd >= 0 && is_it(fd, data))
			return fd;
		if (fd >= 0)
			close(fd);
		fd = -1;
		name = directory != NULL ? g_dir_read_name(directory) : NULL;
		if (name == NULL)
			return -1;
		if (!log_name_is_old(name, base, &compressed) || compressed)
			continue;
		path = g_build_filename(folder, name, NULL);
		fd = open_regular(path);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static gboolean
has_position(int fd, void *data)
{
	return is_at(fd, data);
}

/* What is looked for: the oldest file that is younger than one. */
struct younger {
	guint64 device, inode;
	struct timespec than;
	struct timespec best;
	guint64 best_inode;
};

static gboolean
is_before(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec != other->tv_sec ? one->tv_sec < other->tv_sec
					    : one->tv_nsec < other->tv_nsec;
}

/* Looks at all, and so takes none. */
static gboolean
note_younger(int fd, void *data)
{
	struct younger *younger = data;
	struct stat status;

	if (fstat(fd, &status) != 0 || status.st_size == 0 ||
	    (status.st_dev == younger->device && status.st_ino == younger->inode) ||
	    !is_before(&younger->than, &status.st_mtim))
		return FALSE;
	if (younger->best_inode != 0 && !is_before(&status.st_mtim, &younger->best))
		return FALSE;
	younger->best = status.st_mtim;
	younger->best_inode = status.st_ino;
	return FALSE;
}

static gboolean
has_inode(int fd, void *data)
{
	const struct younger *younger = data;
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_ino == younger->best_inode;
}

/* Opens what the writer went on with after this file; -1 if it did not yet. */
static int
open_successor(const struct log_tail *tail)
{
	struct younger younger = {.device = tail->device, .inode = tail->inode};
	struct stat status;
	int fd;

	if (fstat(tail->fd, &status) != 0)
		return -1;
	younger.than = status.st_mtim;
	find_file(tail, note_younger, &younger);
	if (younger.best_inode != 0)
		return find_file(tail, has_inode, &younger);
	/* One that is not younger by the file system's clock can be the log itself alone. */
	fd = open_regular(tail->path);
	if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Whether a compressed file of the log was written between two times. */
static gboolean
has_compressed(const struct log_tail *tail, const struct timespec *after,
	       const struct timespec *before)
{
	g_autofree char *folder = g_path_get_dirname(tail->path);
	g_autofree char *base = g_path_get_basename(tail->path);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	const char *name;

	for (int seen = 0; directory != NULL && seen < SIBLINGS_MAX; seen++) {
		g_autofree char *path = NULL;
		struct stat status;
		gboolean compressed;

		name = g_dir_read_name(directory);
		if (name == NULL)
			break;
		if (!log_name_is_old(name, base, &compressed) || !compressed)
			continue;
		path = g_build_filename(folder, name, NULL);
		if (stat(path, &status) == 0 && is_before(after, &status.st_mtim) &&
		    is_before(&status.st_mtim, before))
			return TRUE;
	}
	return FALSE;
}

/*
 * Whether the writer wrote a file between this one and its successor that was compressed
 * before it was read.  One that is made of this file keeps its time.
 */
static gboolean
passes_over(const struct log_tail *tail, int successor)
{
	struct stat from, to;

	return fstat(tail->fd, &from) == 0 && fstat(successor, &to) == 0 &&
	       has_compressed(tail, &from.st_mtim, &to.st_mtim);
}

/* Whether the file is still the one that is under the log's name. */
static gboolean
is_current(const struct log_tail *tail)
{
	struct stat status;

	return stat(tail->path, &status) == 0 && status.st_dev == tail->device &&
	       status.st_ino == tail->inode;
}

/* Opens the log at its beginning or end; all of one that comes later is new. */
static void
open_log(struct log_tail *tail, gboolean at_end)
{
	int fd = open_regular(tail->path);
	struct stat status = {0};

	if (fd < 0)
		return;
	if (at_end)
		fstat(fd, &status);
	use_file(tail, fd, (guint64)status.st_size);
}

/* Goes to where it stood, in whatever file that is now; else to the log's beginning. */
static void
resume(struct log_tail *tail, struct log_position *position)
{
	int fd = find_file(tail, has_position, position);

	if (fd >= 0) {
		use_file(tail, fd, position->offset);
		return;
	}
	tail->gaps++;
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = -1;
	open_log(tail, FALSE);
}

/* Whether what was read is still before the place: nothing was cut off. */
static gboolean
is_intact(const struct log_tail *tail)
{
	guint8 before[LOG_BEFORE_BYTES];
	struct stat status;

	return fstat(tail->fd, &status) == 0 && (guint64)status.st_size >= tail->offset &&
	       read_before(tail->fd, tail->offset, before, tail->before_length) &&
	       memcmp(before, tail->before, tail->before_length) == 0;
}

/* ---- lines ---- */

/* Moves the place behind bytes that were read from it. */
static void
consume(struct log_tail *tail, const char *bytes, gsize length)
{
	gsize added = MIN(length, LOG_BEFORE_BYTES);
	gsize kept = MIN(tail->before_length, LOG_BEFORE_BYTES - added);

	memmove(tail->before, tail->before + tail->before_length - kept, kept);
	memcpy(tail->before + kept, bytes + length - added, added);
	tail->before_length = (guint)(kept + added);
	tail->offset += length;
}

static void
add_line(struct log_tail *tail, const char *bytes, gsize length, GPtrArray *lines)
{
	if (tail->skipping || length > CAP_LOG_LINE_BYTES) {
		tail->oversized += !tail->skipping;
		tail->skipping = FALSE;
		return;
	}
	g_ptr_array_add(lines, log_line_new(bytes, length, tail->offset));
}

/* Takes the complete lines of a chunk.  Returns FALSE if there was none. */
static gboolean
take_lines(struct log_tail *tail, const char *chunk, gsize length, GPtrArray *lines)
{
	const char *at = chunk, *end = chunk + length, *newline;

	while (at < end && (newline = memchr(at, '\n', (gsize)(end - at))) != NULL) {
		add_line(tail, at, (gsize)(newline - at), lines);
		consume(tail, at, (gsize)(newline + 1 - at));
		at = newline + 1;
	}
	if ((gsize)(end - at) > CAP_LOG_LINE_BYTES) {
		tail->oversized += !tail->skipping;
		tail->skipping = TRUE;
		consume(tail, at, (gsize)(end - at));
		return TRUE;
	}
	return at > chunk;
}

/* Reads on in the file.  Returns FALSE at its end, or before a line that is not complete. */
static gboolean
read_chunk(struct log_tail *tail, GPtrArray *lines)
{
	g_autofree char *chunk = g_malloc(CHUNK_BYTES);
	ssize_t got = pread(tail->fd, chunk, CHUNK_BYTES, (off_t)tail->offset);

	return got > 0 && take_lines(tail, chunk, (gsize)got, lines);
}

/* What a file ends with is a line, line break or not, when nobody writes it any more. */
static void
take_rest(struct log_tail *tail, GPtrArray *lines)
{
	char rest[CAP_LOG_LINE_BYTES];
	ssize_t got = pread(tail->fd, rest, sizeof(rest), (off_t)tail->offset);

	if (got <= 0)
		return;
	add_line(tail, rest, (gsize)got, lines);
	consume(tail, rest, (gsize)got);
}

/*
 * At a file's end.  Returns TRUE if there is more to read: the file's last
 * words after its successor was seen, or the successor.
 */
static gboolean
move_on(struct log_tail *tail, GPtrArray *lines)
{
	int fd;

	if (is_current(tail))
		return FALSE;
	fd = open_successor(tail);
	if (fd < 0)
		return FALSE;
	if (!tail->is_last) {
		close(fd);
		tail->is_last = TRUE;
		return TRUE;
	}
	take_rest(tail, lines);
	if (passes_over(tail, fd))
		tail->gaps++;
	use_file(tail, fd, 0);
	return TRUE;
}

GPtrArray *
log_tail_read(struct log_tail *tail, guint max_lines)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(log_line_free);
	char events[4096];

	while (tail->inotify_fd >= 0 && read(tail->inotify_fd, events, sizeof(events)) > 0)
		continue;
	if (tail->fd < 0)
		open_log(tail, FALSE);
	while (tail->fd >= 0 && lines->len < max_lines) {
		if (!is_intact(tail)) {
			struct log_position position;

			log_tail_position(tail, &position);
			resume(tail, &position);
			continue;
		}
		if (!read_chunk(tail, lines) && !move_on(tail, lines))
			break;
	}
	return lines;
}

/* ---- life ---- */

struct log_tail *
log_tail_new(const char *path, const struct log_position *position, gboolean from_end)
{
	struct log_tail *tail = g_new0(struct log_tail, 1);

	tail->path = g_strdup(path);
	tail->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	tail->watch = -1;
	tail->fd = -1;
	if (position != NULL) {
		struct log_position there = *position;

		resume(tail, &there);
		return tail;
	}
	open_log(tail, from_end);
	return tail;
}

int
log_tail_fd(const struct log_tail *tail)
{
	return tail->inotify_fd;
}

guint64
log_tail_gaps(const struct log_tail *tail)
{
	return tail->gaps;
}

guint64
log_tail_oversized(const struct log_tail *tail)
{
	return tail->oversized;
}

void
log_tail_free(struct log_tail *tail)
{
	if (tail == NULL)
		return;
	if (tail->fd >= 0)
		close(tail->fd);
	if (tail->inotify_fd >= 0)
		close(tail->inotify_fd);
	g_free(tail->path);
	g_free(tail);
}
