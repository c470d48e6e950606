/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"

struct message {
	struct engine *engine; /* borrowed */
	guint64 cap;
	const char *temp_directory; /* borrowed */
	enum message_state state;
	guint64 size;	    /* appended, kept or not */
	gboolean body;	    /* the empty line was appended */
	GByteArray *small;  /* while it fits CAP_INLINE_BYTES, else NULL */
	GString *line;	    /* of a header field; kept to save allocations */
	int fd;		    /* memfd or temporary file, -1 while small */
	gboolean is_memory; /* fd is a memfd */
	guint64 taken;	    /* bytes of memory taken from the engine */
	guint64 file_taken; /* bytes of file taken from the engine */
};

struct message *
message_new(struct engine *engine, guint64 cap, const char *temp_directory)
{
	struct message *message = g_new0(struct message, 1);

	message->engine = engine;
	message->cap = cap;
	message->temp_directory = temp_directory;
	message->small = g_byte_array_new();
	message->line = g_string_new(NULL);
	message->fd = -1;
	return message;
}

/* Lets go of what is kept. */
static void
drop(struct message *message)
{
	g_clear_pointer(&message->small, g_byte_array_unref);
	if (message->fd >= 0)
		close(message->fd);
	message->fd = -1;
	engine_give_bytes(message->engine, message->taken);
	engine_give_file_bytes(message->engine, message->file_taken);
	message->taken = 0;
	message->file_taken = 0;
}

static void
give_up(struct message *message, enum message_state state)
{
	drop(message);
	message->state = state;
}

/* Returns an unlinked file in directory, or -1. */
static int
open_unlinked(const char *directory)
{
	g_autofree char *template = NULL;
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	/* The file system knows no unnamed files (open(2)). */
	template = g_build_filename(directory, "message-XXXXXX", NULL);
	fd = mkostemp(template, O_CLOEXEC);
	if (fd >= 0)
		unlink(template);
	return fd;
}

static gboolean
copy_file(int from, int to)
{
	g_autofree guint8 *buffer = g_malloc(CAP_INLINE_BYTES);
	off_t offset = 0;

	for (;;) {
		ssize_t length = pread(from, buffer, CAP_INLINE_BYTES, offset);

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length == 0;
		if (!descriptor_write(to, buffer, (gsize)length))
			return FALSE;
		offset += length;
	}
}

/* Copies what is kept, in memory or in a memfd, to another descriptor. */
static gboolean
copy_kept(const struct message *message, int to)
{
	if (message->small)
		return descriptor_write(to, message->small->data, message->small->len);
	return copy_file(message->fd, to);
}

/* Keeps the message in fd from now on. */
static void
move_to(struct message *message, int fd, gboolean is_memory)
{
	g_clear_pointer(&message->small, g_byte_array_unref);
	if (message->fd >= 0)
		close(message->fd);
	message->fd = fd;
	message->is_memory = is_memory;
}

/* Moves the message out of memory; kept: its bytes so far. */
static gboolean
spill(struct message *message, guint64 kept)
{
	int fd;

	if (!engine_take_file_bytes(message->engine, kept, message->cap))
		return FALSE;
	message->file_taken = kept;
	fd = open_unlinked(message->temp_directory);
	if (fd < 0)
		return FALSE;
	if (!copy_kept(message, fd)) {
		close(fd);
		return FALSE;
	}
	move_to(message, fd, FALSE);
	engine_give_bytes(message->engine, message->taken);
	message->taken = 0;
	engine_count(message->engine, COUNT_SPILLED, 1);
	return TRUE;
}

/* Makes room for length bytes behind the kept ones, in memory or in a file. */
static gboolean
make_room(struct message *message, guint64 kept, gsize length)
{
	gboolean in_memory = message->small || message->is_memory;

	if (in_memory && engine_take_bytes(message->engine, length, message->cap)) {
		message->taken += length;
		return TRUE;
	}
	if (in_memory && !spill(message, kept))
		return FALSE;
	if (!engine_take_file_bytes(message->engine, length, message->cap))
		return FALSE;
	message->file_taken += length;
	return TRUE;
}

/* Moves the message from the array to a memfd. */
static gboolean
grow_up(struct message *message)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return FALSE;
	if (!copy_kept(message, fd)) {
		close(fd);
		return FALSE;
	}
	move_to(message, fd, TRUE);
	return TRUE;
}

static gboolean
keep(struct message *message, const void *bytes, gsize length)
{
	if (!make_room(message, message->size, length))
		return FALSE;
	if (message->small && message->small->len + length > CAP_INLINE_BYTES && !grow_up(message))
		return FALSE;
	if (!message->small)
		return descriptor_write(message->fd, bytes, length);
	g_byte_array_append(message->small, bytes, (guint)length);
	return TRUE;
}

static void
append(struct message *message, const void *bytes, gsize length)
{
	if (length == 0)
		return;
	if (message->state == MESSAGE_WHOLE) {
		if (length > CAP_MESSAGE_BYTES - message->size)
			give_up(message, MESSAGE_TOO_LARGE);
		else if (!keep(message, bytes, length))
			give_up(message, MESSAGE_NO_ROOM);
	}
	message->size += length;
}

/* Appends value with CR LF for each LF that has no CR yet. */
static void
append_folded(GString *line, const char *value)
{
	for (;;) {
		gsize length = strcspn(value, "\n");

		g_string_append_len(line, value, (gssize)length);
		if (!value[length])
			return;
		if (length == 0 || value[length - 1] != '\r')
			g_string_append_c(line, '\r');
		g_string_append_c(line, '\n');
		value += length + 1;
	}
}

void
message_add_header(struct message *message, const char *name, const char *value)
{
	g_string_assign(message->line, name);
	g_string_append_c(message->line, ':');
	append_folded(message->line, value);
	g_string_append(message->line, "\r\n");
	append(message, message->line->str, message->line->len);
}

void
message_end_header(struct message *message)
{
	if (!message->body)
		append(message, "\r\n", 2);
	message->body = TRUE;
}

void
message_add_body(struct message *message, const void *bytes, gsize length)
{
	append(message, bytes, length);
}

enum message_state
message_state(const struct message *message)
{
	return message->state;
}

gboolean
message_is_whole(const struct message *message)
{
	return message->state == MESSAGE_WHOLE;
}

guint64
message_size(const struct message *message)
{
	return message->size;
}

void
message_finish(struct message *message, int *ret_fd, const void **ret_bytes)
{
	g_assert(message->state == MESSAGE_WHOLE);
	if (message->fd >= 0 && message->is_memory)
		fcntl(message->fd, F_ADD_SEALS,
		      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	*ret_fd = message->fd;
	*ret_bytes = message->small ? message->small->data : NULL;
}

void
message_free(struct message *message)
{
	if (!message)
		return;
	drop(message);
	g_string_free(message->line, TRUE);
	g_free(message);
}
