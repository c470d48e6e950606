/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "anchor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct anchor_file {
	char *path, *old_path;
	int fd;
	guint lines, most;
	struct anchor last;
	char word[ANCHOR_BYTES + 1]; /* of last; "" when there is none */
};

static gboolean
set_error(GError **error, const char *what, const char *path)
{
	int number = errno;

	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "cannot %s %s: %s", what,
		    path, g_strerror(number));
	return FALSE;
}

static void
note_last(struct anchor_file *file, const struct anchor *anchor)
{
	g_autofree char *word = anchor_format(anchor);

	file->last = *anchor;
	g_strlcpy(file->word, word, sizeof(file->word));
}

/* ---- the file ---- */

/* Takes what is there, and counts it; a line that a crash cut is passed over. */
static gboolean
read_lines(struct anchor_file *file, const char *path, guint *ret_lines, gboolean *ret_torn,
	   GError **error)
{
	g_autoptr(GMappedFile) mapped = g_mapped_file_new(path, FALSE, error);
	struct anchor anchor;
	const char *at, *end;
	gsize length;

	if (!mapped)
		return FALSE;
	length = g_mapped_file_get_length(mapped);
	at = length ? g_mapped_file_get_contents(mapped) : NULL;
	end = at + length;
	*ret_torn = length && end[-1] != '\n';
	*ret_lines = 0;
	while (at && (at = anchor_find(at, (gsize)(end - at), &anchor)) != NULL) {
		(*ret_lines)++;
		note_last(file, &anchor);
	}
	return TRUE;
}

static gboolean
open_fd(struct anchor_file *file, GError **error)
{
	file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	return file->fd >= 0 || set_error(error, "open", file->path);
}

static gboolean
append(struct anchor_file *file, const char *text, GError **error)
{
	gsize length = strlen(text);
	ssize_t written = TEMP_FAILURE_RETRY(write(file->fd, text, length));

	if (written >= 0 && (gsize)written < length)
		errno = ENOSPC;
	if (written != (ssize_t)length || fdatasync(file->fd) != 0)
		return set_error(error, "write", file->path);
	return TRUE;
}

/* The full file becomes the old one. */
static gboolean
turn_over(struct anchor_file *file, GError **error)
{
	if (file->lines < file->most)
		return TRUE;
	if (rename(file->path, file->old_path) != 0)
		return set_error(error, "rename", file->path);
	close(file->fd);
	file->lines = 0;
	return open_fd(file, error);
}

/* The old one may be missing; where the new one has no line yet, it has the last anchor. */
static gboolean
fill(struct anchor_file *file, GError **error)
{
	gboolean torn;
	guint lines;

	if (access(file->old_path, F_OK) == 0 &&
	    !read_lines(file, file->old_path, &lines, &torn, error))
		return FALSE;
	return open_fd(file, error) && read_lines(file, file->path, &file->lines, &torn, error) &&
	       (!torn || append(file, "\n", error));
}

struct anchor_file *
anchor_file_open(const char *directory, guint lines, GError **error)
{
	g_autoptr(anchor_file_t) file = g_new0(struct anchor_file, 1);

	file->fd = -1;
	file->most = lines;
	file->path = g_build_filename(directory, ANCHOR_FILE_NAME, NULL);
	file->old_path = g_strconcat(file->path, ".1", NULL);
	return fill(file, error) ? g_steal_pointer(&file) : NULL;
}

void
anchor_file_free(struct anchor_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	g_free(file->path);
	g_free(file->old_path);
	g_free(file);
}

const char *
anchor_file_last(const struct anchor_file *file)
{
	return file->word;
}

/* ---- keeping ---- */

static enum anchor_news
news_of(const struct anchor_file *file, const struct anchor *anchor)
{
	gboolean same_hash = memcmp(file->last.hash, anchor->hash, sizeof(anchor->hash)) == 0;

	if (!*file->word)
		return ANCHOR_FIRST;
	if (strcmp(file->last.chain, anchor->chain) != 0)
		return ANCHOR_ANOTHER;
	if (anchor->seq < file->last.seq || (anchor->seq == file->last.seq && !same_hash))
		return ANCHOR_BACK;
	return anchor->seq == file->last.seq && anchor->is_signed == file->last.is_signed
		       ? ANCHOR_SAME
		       : ANCHOR_ONWARD;
}

gboolean
anchor_file_keep(struct anchor_file *file, const void *bytes, gsize length, gint64 time_us,
		 enum anchor_news *ret_news, GError **error)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
	g_autofree char *when = time ? g_date_time_format(time, "%FT%TZ") : g_strdup("-");
	g_autofree char *line = NULL;
	struct anchor anchor;
	enum anchor_news news;

	if (!anchor_parse(bytes, length, &anchor)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it is no anchor");
		return FALSE;
	}
	news = news_of(file, &anchor);
	if (news != ANCHOR_SAME) {
		line = g_strdup_printf("%s %.*s\n", when, (int)length, (const char *)bytes);
		if (!turn_over(file, error) || !append(file, line, error))
			return FALSE;
		file->lines++;
		note_last(file, &anchor);
	}
	*ret_news = news;
	return TRUE;
}
