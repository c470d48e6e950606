/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"
#include "digest.h"

#define LENGTH_BYTES 4
#define FRAME_BYTES (LENGTH_BYTES + SHA256_BYTES) /* around a chunk */
#define CHUNK_BYTES_MAX 65536
#define ENTRY_BYTES 32		  /* of a chunk */
#define SLACK_BYTES (1024 * 1024) /* below this the file is not worth writing anew */
#define GROWTH 4		  /* times its content, before it is written anew */

struct block_file {
	char *path;
	int fd;
	guint64 bytes; /* of whole chunks on disk */
	struct block_list *list;
	struct block_list *pending; /* a copy that was begun anew and is not complete, or NULL */
	struct block_state state;
	gboolean complete; /* the last chunk was the newest there was */
	gboolean damaged;
};

static gboolean
set_error(GError **error, const char *what, const char *path)
{
	int number = errno;

	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "cannot %s %s: %s", what,
		    path, g_strerror(number));
	return FALSE;
}

/* ---- in force ---- */

static void
take_entries(struct block_list *list, const GArray *entries)
{
	for (guint i = 0; i < entries->len; i++)
		block_list_set(list, &g_array_index(entries, struct block_entry, i));
}

/* Puts a chunk into force, which is on disk. */
static void
take_chunk(struct block_file *file, const struct block_chunk *chunk)
{
	if (chunk->from == 0) {
		block_list_free(file->pending);
		file->pending = block_list_new();
	}
	take_entries(file->pending ? file->pending : file->list, chunk->entries);
	if (file->pending && chunk->last)
		block_list_replace(file->list, g_steal_pointer(&file->pending));
	memcpy(file->state.list, chunk->list, BLOCK_LIST_ID_BYTES);
	file->state.version = chunk->to;
	file->complete = chunk->last;
}

/* ---- the file ---- */

/* Writes a chunk in its frame, in one call: what is torn is at the end. */
static gboolean
write_chunk(int fd, const void *bytes, gsize length)
{
	g_autoptr(GByteArray) frame = g_byte_array_sized_new((guint)(FRAME_BYTES + length));
	guint32 length_be = GUINT32_TO_BE((guint32)length);
	guint8 digest[SHA256_BYTES];

	digest_sha256(bytes, length, digest);
	g_byte_array_append(frame, (const guint8 *)&length_be, LENGTH_BYTES);
	g_byte_array_append(frame, bytes, (guint)length);
	g_byte_array_append(frame, digest, sizeof(digest));
	return descriptor_write(fd, frame->data, frame->len);
}

/* Takes the chunk at the start of length bytes.  Returns its bytes, or 0 if it is not whole. */
static gsize
replay_chunk(struct block_file *file, const guint8 *bytes, gsize length)
{
	guint8 digest[SHA256_BYTES];
	struct block_chunk chunk;
	guint32 chunk_bytes;

	if (length < FRAME_BYTES)
		return 0;
	memcpy(&chunk_bytes, bytes, LENGTH_BYTES);
	chunk_bytes = GUINT32_FROM_BE(chunk_bytes);
	if (chunk_bytes > CHUNK_BYTES_MAX || chunk_bytes > length - FRAME_BYTES)
		return 0;
	digest_sha256(bytes + LENGTH_BYTES, chunk_bytes, digest);
	if (memcmp(digest, bytes + LENGTH_BYTES + chunk_bytes, sizeof(digest)) != 0 ||
	    block_chunk_parse(bytes + LENGTH_BYTES, chunk_bytes, &chunk))
		return 0;
	take_chunk(file, &chunk);
	block_chunk_clear(&chunk);
	return FRAME_BYTES + chunk_bytes;
}

/* Reads the file into the list, and cuts off what is not whole. */
static gboolean
replay(struct block_file *file, GError **error)
{
	g_autoptr(GMappedFile) map = g_mapped_file_new_from_fd(file->fd, FALSE, error);
	const guint8 *bytes;
	gsize length, read = 1;

	if (!map)
		return FALSE;
	bytes = (const guint8 *)g_mapped_file_get_contents(map);
	length = g_mapped_file_get_length(map);
	while (file->bytes < length && read > 0) {
		read = replay_chunk(file, bytes + file->bytes, length - file->bytes);
		file->bytes += read;
	}
	file->damaged = file->bytes < length;
	/* A part of a copy says nothing of the rest: the collector sends all again. */
	if (file->damaged || !file->complete)
		file->state = (struct block_state){0};
	if (file->damaged && ftruncate(file->fd, (off_t)file->bytes) != 0)
		return set_error(error, "mend", file->path);
	return TRUE;
}

/* ---- written anew ---- */

/* A copy on its way into a new file. */
struct rewriting {
	struct block_file *file;
	int fd;
	guint64 bytes;
	guint64 written; /* entries */
	guint64 total;
	struct block_chunk chunk;
};

/* Intermediate versions stand for nothing: only the last chunk's is ever believed. */
static gboolean
rewrite_chunk(struct rewriting *rewriting)
{
	struct block_chunk *chunk = &rewriting->chunk;
	const struct block_state *state = &rewriting->file->state;
	g_autoptr(GBytes) bytes = NULL;

	chunk->last = rewriting->written == rewriting->total;
	chunk->to = chunk->last ? state->version : MIN(chunk->from + 1, state->version);
	memcpy(chunk->list, state->list, BLOCK_LIST_ID_BYTES);
	bytes = block_chunk_format(chunk);
	rewriting->bytes += FRAME_BYTES + g_bytes_get_size(bytes);
	g_array_set_size(chunk->entries, 0);
	chunk->from = chunk->to;
	return write_chunk(rewriting->fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static gboolean
rewrite_entry(const struct block_entry *entry, void *data)
{
	struct rewriting *rewriting = data;

	g_array_append_val(rewriting->chunk.entries, *entry);
	rewriting->written++;
	if (rewriting->chunk.entries->len < BLOCK_CHUNK_ENTRIES ||
	    rewriting->written == rewriting->total)
		return TRUE;
	return rewrite_chunk(rewriting);
}

static gboolean
sync_directory(const char *path)
{
	g_autofree char *directory = g_path_get_dirname(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gboolean synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return synced;
}

/* Writes the list into fd, which takes the file's place. */
static gboolean
rewrite_into(struct rewriting *rewriting, const char *path)
{
	struct block_file *file = rewriting->file;

	return block_list_each(file->list, rewrite_entry, rewriting) && rewrite_chunk(rewriting) &&
	       fdatasync(rewriting->fd) == 0 && rename(path, file->path) == 0 &&
	       sync_directory(file->path);
}

/*
 * Writes the file anew when most of it is of entries that have changed since.
 * Should it fail, the file that is there is as good, only longer.
 */
static void
rewrite_if_grown(struct block_file *file)
{
	guint64 content = block_list_count(file->list) * ENTRY_BYTES;
	g_autofree char *path = g_strconcat(file->path, ".new", NULL);
	struct rewriting rewriting = {.file = file, .total = block_list_count(file->list)};

	if (!file->complete || file->pending || file->bytes < SLACK_BYTES + GROWTH * content)
		return;
	rewriting.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (rewriting.fd < 0)
		return;
	block_chunk_init(&rewriting.chunk);
	if (rewrite_into(&rewriting, path)) {
		close(file->fd);
		file->fd = rewriting.fd;
		file->bytes = rewriting.bytes;
	} else {
		close(rewriting.fd);
		unlink(path);
	}
	block_chunk_clear(&rewriting.chunk);
}

/* ---- life ---- */

struct block_file *
block_file_open(const char *directory, GError **error)
{
	g_autoptr(block_file_t) file = g_new0(struct block_file, 1);

	file->path = g_build_filename(directory, "blocks", NULL);
	file->list = block_list_new();
	file->fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0) {
		set_error(error, "open", file->path);
		return NULL;
	}
	if (!replay(file, error))
		return NULL;
	rewrite_if_grown(file);
	return g_steal_pointer(&file);
}

struct block_list *
block_file_list(struct block_file *file)
{
	return file->list;
}

struct block_state
block_file_state(const struct block_file *file)
{
	return file->state;
}

gboolean
block_file_was_damaged(const struct block_file *file)
{
	return file->damaged;
}

gboolean
block_file_apply(struct block_file *file, const void *bytes, gsize length, GError **error)
{
	struct block_chunk chunk;

	if (length > CHUNK_BYTES_MAX || block_chunk_parse(bytes, length, &chunk))
		return TRUE;
	if (block_state_takes(&file->state, &chunk)) {
		if (!write_chunk(file->fd, bytes, length) || fdatasync(file->fd) != 0) {
			set_error(error, "write", file->path);
			/* What was written of it would be in the way of the next one. */
			if (ftruncate(file->fd, (off_t)file->bytes) != 0)
				file->state = (struct block_state){0};
			block_chunk_clear(&chunk);
			return FALSE;
		}
		file->bytes += FRAME_BYTES + length;
		take_chunk(file, &chunk);
		rewrite_if_grown(file);
	}
	block_chunk_clear(&chunk);
	return TRUE;
}

void
block_file_free(struct block_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	block_list_free(file->pending);
	block_list_free(file->list);
	g_free(file->path);
	g_free(file);
}
