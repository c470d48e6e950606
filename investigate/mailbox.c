/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptor.h"

#define CHUNK_BYTES 65536

/* One walk. */
struct walk {
	const struct mailbox_visitor *visitor;
	const char *decompress;
	guint64 position; /* bytes of files read before the present one */
	gboolean ended;	  /* a visitor said so */
};

/* The file that is being read. */
struct source {
	struct walk *walk;
	const char *path;
	int fd;		    /* where plain bytes come from */
	GPid pid;	    /* of the decompressor; 0 if there is none */
	guint64 size;	    /* of the file on disk */
	guint64 given;	    /* plain bytes so far */
	gint64 named_at_us; /* of a Maildir's file name, or 0 */
	gint64 changed_at_us;
	guint messages;
};

static gboolean
set_errno(GError **error, const char *what)
{
	g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_READ, "%s: %s", what, g_strerror(errno));
	return FALSE;
}

/* ---- one file ---- */

static const struct {
	const char *magic;
	gsize length;
} compressions[] = {
	{"\x1f\x8b", 2},	 /* gzip, RFC 1952 */
	{"\x28\xb5\x2f\xfd", 4}, /* zstd, RFC 8878 */
	{"\xfd"
	 "7zXZ\0",
	 6},	    /* xz */
	{"BZh", 3}, /* bzip2 */
};

/* Looks at the first bytes of a file or a pipe, and leaves them to be read. */
static ssize_t
peek(int fd, char *bytes, gsize length)
{
	ssize_t got = pread(fd, bytes, length, 0);
	int ends[2];

	if (got >= 0 || errno != ESPIPE || pipe2(ends, O_CLOEXEC) < 0)
		return got;
	got = tee(fd, ends[1], length, 0);
	if (got > 0)
		got = read(ends[0], bytes, length);
	close(ends[0]);
	close(ends[1]);
	return got;
}

static gboolean
is_compressed(int fd)
{
	char first[8] = {0};
	ssize_t got = peek(fd, first, sizeof(first));

	for (gsize i = 0; i < G_N_ELEMENTS(compressions); i++)
		if (got >= (ssize_t)compressions[i].length &&
		    memcmp(first, compressions[i].magic, compressions[i].length) == 0)
			return TRUE;
	return FALSE;
}

/* Puts the helper between the file and us; it gets the file as its standard input. */
static gboolean
start_decompressor(struct source *source, GError **error)
{
	const char *argv[] = {source->walk->decompress, NULL};
	int ends[2];
	gboolean started;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return set_errno(error, "pipe");
	started = g_spawn_async_with_fds(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
					 NULL, &source->pid, source->fd, ends[1], -1, error);
	close(ends[1]);
	if (!started) {
		close(ends[0]);
		source->pid = 0;
		return FALSE;
	}
	close(source->fd);
	source->fd = ends[0];
	return TRUE;
}

/* Waits for the helper; what it could not read is known by its exit status. */
static gboolean
end_decompressor(struct source *source, GError **error)
{
	int status = 0;
	GPid pid = source->pid;

	if (!pid)
		return TRUE;
	/* With our end closed, a helper that still writes ends too. */
	close(source->fd);
	source->fd = -1;
	source->pid = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_COMPRESSED,
		    "is damaged or not whole: it cannot be decompressed to its end");
	return FALSE;
}

static gboolean
on_message(const guint8 *bytes, gsize length, guint number, gint64 received_at_us, void *data)
{
	struct source *source = data;
	guint64 read_bytes = source->pid ? 0 : MIN(source->given, source->size);
	const struct mailbox_message message = {
		.path = source->path,
		.number = number,
		.bytes = bytes,
		.length = length,
		.received_at_us = received_at_us ? received_at_us : source->named_at_us,
		.changed_at_us = source->changed_at_us,
		.position = source->walk->position + read_bytes,
	};

	source->messages++;
	if (!source->walk->visitor->message(&message, source->walk->visitor->data))
		source->walk->ended = TRUE;
	return !source->walk->ended;
}

gboolean
mailbox_expands_too_far(guint64 size, guint64 given)
{
	return given > MAILBOX_EXPANSION_FREE && given / MAILBOX_EXPANSION > size;
}

/* A compressed file of some kilobytes must not become work for days. */
static gboolean
check_expansion(const struct source *source, GError **error)
{
	if (!source->pid || !mailbox_expands_too_far(source->size, source->given))
		return TRUE;
	g_set_error(error, MAILBOX_ERROR, MAILBOX_ERROR_LARGE,
		    "becomes more than %d times as large when decompressed", MAILBOX_EXPANSION);
	return FALSE;
}

static gboolean
read_source(struct source *source, struct mailbox_splitter *splitter, GError **error)
{
	guint8 chunk[CHUNK_BYTES];
	ssize_t got;

	while ((got = read(source->fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return set_errno(error, "cannot be read");
		source->given += (guint64)got;
		if (!check_expansion(source, error) ||
		    !mailbox_splitter_add(splitter, chunk, (gsize)got, error))
			return FALSE;
	}
	return end_decompressor(source, error) && mailbox_splitter_end(splitter, error);
}

static void
tell_trouble(struct walk *walk, const char *path, const GError *error)
{
	if (!walk->visitor->trouble(path, error, walk->visitor->data))
		walk->ended = TRUE;
}

/* Reads what is open in source->fd. */
static void
visit_source(struct source *source, gboolean single)
{
	struct mailbox_splitter *splitter = mailbox_splitter_new(single, on_message, source);
	g_autoptr(GError) error = NULL;
	gboolean ok = !is_compressed(source->fd) || start_decompressor(source, &error);

	if (ok && !read_source(source, splitter, &error) && error)
		ok = FALSE;
	if (!ok)
		tell_trouble(source->walk, source->path, error);
	end_decompressor(source, NULL);
	mailbox_splitter_free(splitter);
	source->walk->position += source->size;
}

/* A Maildir's file name begins with the second of delivery. */
static gint64
maildir_time(const char *name)
{
	char *end;
	guint64 seconds = g_ascii_strtoull(name, &end, 10);

	if (end - name < 9 || end - name > 11 || *end != '.')
		return 0;
	return (gint64)seconds * G_USEC_PER_SEC;
}

static void
visit_file(struct walk *walk, const char *path, gboolean in_maildir)
{
	struct source source = {.walk = walk, .path = path};
	g_autofree char *name = g_path_get_basename(path);
	g_autoptr(GError) error = NULL;
	struct stat info;

	source.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (source.fd < 0 || fstat(source.fd, &info) < 0) {
		set_errno(&error, "cannot be read");
		tell_trouble(walk, path, error);
	} else if (!S_ISREG(info.st_mode)) {
		g_set_error(&error, MAILBOX_ERROR, MAILBOX_ERROR_READ, "is no file");
		tell_trouble(walk, path, error);
	} else {
		source.size = (guint64)info.st_size;
		source.changed_at_us = (gint64)info.st_mtime * G_USEC_PER_SEC;
		source.named_at_us = in_maildir ? maildir_time(name) : 0;
		visit_source(&source, in_maildir);
	}
	if (source.fd >= 0)
		close(source.fd);
}

/* ---- folders ---- */

typedef void (*file_fn)(void *data, const char *path, gboolean in_maildir);

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
sorted_names(GDir *folder)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while ((name = g_dir_read_name(folder)))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	return names;
}

static gboolean
has_folder(const char *path, const char *name)
{
	g_autofree char *inner = g_build_filename(path, name, NULL);

	return g_file_test(inner, G_FILE_TEST_IS_DIR);
}

enum folder_kind { FOLDER_PLAIN, FOLDER_MAILDIR, FOLDER_OF_MESSAGES };

/* What a Maildir keeps beside cur and new is its program's, but for subfolders. */
static gboolean
is_wanted(enum folder_kind kind, const char *name, gboolean is_folder)
{
	if (kind == FOLDER_MAILDIR)
		return is_folder && strcmp(name, "tmp") != 0;
	if (kind == FOLDER_OF_MESSAGES)
		return !is_folder && name[0] != '.';
	return is_folder || name[0] != '.';
}

static gboolean each_file(const char *path, enum folder_kind kind, guint depth, file_fn file,
			  void *data);

static void
each_entry(const char *path, enum folder_kind kind, const char *name, guint depth, file_fn file,
	   void *data)
{
	g_autofree char *inner = g_build_filename(path, name, NULL);
	gboolean is_box = strcmp(name, "cur") == 0 || strcmp(name, "new") == 0;
	struct stat info;

	if (lstat(inner, &info) < 0 || !is_wanted(kind, name, S_ISDIR(info.st_mode)))
		return;
	if (S_ISREG(info.st_mode))
		file(data, inner, kind == FOLDER_OF_MESSAGES);
	else if (S_ISDIR(info.st_mode) && depth < MAILBOX_DEPTH)
		each_file(inner,
			  kind == FOLDER_MAILDIR && is_box ? FOLDER_OF_MESSAGES : FOLDER_PLAIN,
			  depth + 1, file, data);
}

/* Calls file for each file of a folder and those below.  Returns FALSE if it cannot be read. */
static gboolean
each_file(const char *path, enum folder_kind kind, guint depth, file_fn file, void *data)
{
	g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) names = NULL;

	if (!folder)
		return FALSE;
	if (kind == FOLDER_PLAIN && has_folder(path, "cur") && has_folder(path, "new"))
		kind = FOLDER_MAILDIR;
	names = sorted_names(folder);
	for (guint i = 0; i < names->len; i++)
		each_entry(path, kind, g_ptr_array_index(names, i), depth, file, data);
	return TRUE;
}

static void
visit_found(void *data, const char *path, gboolean in_maildir)
{
	struct walk *walk = data;

	if (!walk->ended)
		visit_file(walk, path, in_maildir);
}

/*
 * The decompressor maps its input, so a pipe goes into a nameless file first;
 * the disk is its bound.  Returns the file, or -1.
 */
static int
copy_of_pipe(int from, GError **error)
{
	int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	guint8 chunk[CHUNK_BYTES];
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0) {
		got = read(from, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			got = 1; /* again */
		else if (got > 0 && !descriptor_write(fd, chunk, (gsize)got))
			got = -1;
	}
	if (got == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	set_errno(error, "cannot be kept in the folder for temporary files");
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
visit_input(struct walk *walk)
{
	struct source source = {.walk = walk, .path = "-", .fd = STDIN_FILENO};
	g_autoptr(GError) error = NULL;
	struct stat info;

	if (fstat(STDIN_FILENO, &info) == 0 && !S_ISREG(info.st_mode) &&
	    is_compressed(STDIN_FILENO)) {
		source.fd = copy_of_pipe(STDIN_FILENO, &error);
		if (source.fd < 0) {
			tell_trouble(walk, source.path, error);
			return;
		}
	}
	/* What comes through a pipe was received by now; nothing better is known without a Date. */
	source.changed_at_us = g_get_real_time();
	if (fstat(source.fd, &info) == 0 && S_ISREG(info.st_mode))
		source.size = (guint64)info.st_size;
	visit_source(&source, FALSE);
	if (source.fd > STDERR_FILENO)
		close(source.fd);
}

gboolean
mailbox_walk(const char *path, const char *decompress, const struct mailbox_visitor *visitor)
{
	struct walk walk = {.visitor = visitor, .decompress = decompress};
	g_autoptr(GError) error = NULL;

	if (strcmp(path, "-") == 0) {
		visit_input(&walk);
	} else if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
		visit_file(&walk, path, FALSE);
	} else if (!each_file(path, FOLDER_PLAIN, 0, visit_found, &walk)) {
		set_errno(&error, "cannot be read");
		tell_trouble(&walk, path, error);
	}
	return !walk.ended;
}

static void
add_size(void *data, const char *path, gboolean in_maildir)
{
	struct stat info;

	if (stat(path, &info) == 0)
		*(guint64 *)data += (guint64)info.st_size;
}

guint64
mailbox_bytes(const char *path)
{
	guint64 bytes = 0;

	if (!each_file(path, FOLDER_PLAIN, 0, add_size, &bytes))
		add_size(&bytes, path, FALSE);
	return bytes;
}
