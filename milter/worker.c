/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "caps.h"
#include "mime.h"
#include "sandbox.h"
#include "scan.h"
#include "scanner_protocol.h"

struct worker {
	int channel_fd;
	guint served;
	timer_t cpu_timer; /* its signal is SIGPROF */
	guint8 *packet;	   /* CAP_INLINE_BYTES, wiped after each message */
};

/* A message as it came; bytes are the worker's packet or a mapping. */
struct incoming {
	struct scanner_request request;
	const void *bytes;
	gsize packet_bytes; /* to wipe */
};

/* ---- what libraries say ---- */

static gboolean
is_message_field(const GLogField *field)
{
	return strcmp(field->key, "MESSAGE") == 0 && field->length < 0;
}

/*
 * GLib's own writer looks at terminals and at the journal, which the sandbox
 * forbids.  Warnings are dropped, since a message can provoke any number of
 * them; the last words of a worker that aborts are kept.
 */
static GLogWriterOutput
write_last_words(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
	if ((level & (G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL)) == 0)
		return G_LOG_WRITER_HANDLED;
	for (gsize i = 0; i < n_fields; i++) {
		if (!is_message_field(&fields[i]))
			continue;
		if (write(STDERR_FILENO, fields[i].value, strlen(fields[i].value)) < 0 ||
		    write(STDERR_FILENO, "\n", 1) < 0)
			break;
	}
	return G_LOG_WRITER_HANDLED;
}

/* ---- limits of one message ---- */

/*
 * Makes the timer of a message's seconds.  Of the process's own clock, not ITIMER_PROF, which
 * counts ticks and on a shared machine ends a message a tenth too early.
 */
static gboolean
make_cpu_timer(timer_t *ret_timer)
{
	struct sigevent alarm = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};

	return timer_create(CLOCK_PROCESS_CPUTIME_ID, &alarm, ret_timer) == 0;
}

/* Sets the time that the next message may use; 0 stops the clock. */
static void
set_cpu_timer(const struct worker *worker, guint seconds)
{
	struct itimerspec most = {.it_value = {.tv_sec = seconds}};

	if (timer_settime(worker->cpu_timer, 0, &most, NULL) != 0)
		_exit(EXIT_FAILURE);
}

static gboolean
is_worn_out(const struct worker *worker)
{
	struct timespec used;

	if (worker->served >= WORKER_MESSAGES)
		return TRUE;
	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0 ||
	       used.tv_sec >= SANDBOX_CPU_SECONDS / 2;
}

/* ---- receiving ---- */

/* Returns the first descriptor that came along, or -1. */
static int
passed_fd(struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	int fd;

	if (control == NULL || control->cmsg_level != SOL_SOCKET ||
	    control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

/* Maps a message's file, which is then closed. */
static gboolean
map_message(struct incoming *message, int fd)
{
	void *bytes;

	if (fd < 0)
		return FALSE;
	bytes = mmap(NULL, message->request.length, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return FALSE;
	message->bytes = bytes;
	return TRUE;
}

static gboolean
accept_message(struct worker *worker, struct incoming *message, gsize packet_bytes, int fd)
{
	guint64 length = message->request.length;

	message->packet_bytes = packet_bytes;
	if (message->request.form == SCANNER_MAPPED)
		return packet_bytes == 0 && length > 0 && length <= CAP_MESSAGE_BYTES &&
		       map_message(message, fd);
	message->bytes = worker->packet;
	return message->request.form == SCANNER_INLINE && fd < 0 && length == packet_bytes;
}

/*
 * Waits for a message.  FALSE at the channel's end, and for what the client
 * would never send, which nobody can mend here.
 */
static gboolean
receive_message(struct worker *worker, struct incoming *ret_message)
{
	struct incoming message = {0};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec parts[] = {
		{&message.request, sizeof(message.request)},
		{worker->packet, CAP_INLINE_BYTES},
	};
	struct msghdr header = {
		.msg_iov = parts,
		.msg_iovlen = G_N_ELEMENTS(parts),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(worker->channel_fd, &header, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(message.request) || (header.msg_flags & MSG_TRUNC) != 0)
		return FALSE;
	if (!accept_message(worker, &message, n - sizeof(message.request), passed_fd(&header)))
		return FALSE;
	*ret_message = message;
	return TRUE;
}

/* ---- answering ---- */

static gboolean
send_piece(int fd, struct scanner_piece *piece, const guint8 *bytes, gsize n)
{
	struct iovec parts[] = {{piece, sizeof(*piece)}, {(void *)bytes, n}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};
	ssize_t sent;

	do
		sent = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)(sizeof(*piece) + n);
}

static gboolean
send_answer(int fd, guint64 ticket, GBytes *answer)
{
	gsize length;
	const guint8 *bytes = g_bytes_get_data(answer, &length);
	struct scanner_piece piece = {.ticket = ticket, .length = length};

	while (piece.offset < length) {
		gsize n = MIN(SCANNER_PIECE_BYTES, length - piece.offset);

		if (!send_piece(fd, &piece, bytes + piece.offset, n))
			return FALSE;
		piece.offset += n;
	}
	return TRUE;
}

/* Nothing of one message is left for the next to be read from. */
static void
forget_message(struct worker *worker, struct incoming *message)
{
	if (message->bytes != worker->packet)
		munmap((void *)message->bytes, message->request.length);
	explicit_bzero(worker->packet, message->packet_bytes);
}

static gboolean
serve_message(struct worker *worker)
{
	struct incoming message;
	g_autoptr(record_t) record = NULL;
	g_autoptr(GBytes) answer = NULL;

	if (!receive_message(worker, &message))
		return FALSE;
	set_cpu_timer(worker, WORKER_CPU_SECONDS);
	record = mime_read(message.bytes, message.request.length);
	answer = answer_encode(record, message.request.ticket);
	set_cpu_timer(worker, 0);
	forget_message(worker, &message);
	worker->served++;
	return send_answer(worker->channel_fd, message.request.ticket, answer);
}

/* Returns the folder for the sandbox, or -1; above the channel's number. */
static int
open_folder(const char *path)
{
	return path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
}

/*
 * Lets the engine use the folder.  Descriptors 0 and 1, which are free, are taken
 * first: libclamav takes a file that it opens as 0 for none, and loses what is in
 * it.
 */
static void
give_folder(int temp_fd, const char *temp_path)
{
	int fd;

	do
		fd = openat(temp_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && fd < STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	scan_use_folder(temp_path);
}

void
worker_run(int channel_fd, const char *temp_path)
{
	struct worker worker = {.channel_fd = channel_fd};
	int temp_fd = open_folder(temp_path);
	struct sandbox_walls walls;
	g_autoptr(GError) error = NULL;

	worker.packet = g_malloc(CAP_INLINE_BYTES);
	g_log_set_writer_func(write_last_words, NULL, NULL);
	/* Inside the sandbox none can be made. */
	if (!make_cpu_timer(&worker.cpu_timer)) {
		dprintf(STDERR_FILENO, "scanner: no timer: %s\n", g_strerror(errno));
		_exit(WORKER_EXIT_SANDBOX);
	}
	if (!sandbox_enter(channel_fd, temp_fd, &walls, &error)) {
		dprintf(STDERR_FILENO, "scanner: no sandbox: %s\n", error->message);
		_exit(WORKER_EXIT_SANDBOX);
	}
	/* Without Landlock the folder is not granted. */
	if (temp_fd >= 0 && walls.landlock_abi > 0)
		give_folder(temp_fd, temp_path);
	while (serve_message(&worker) && !is_worn_out(&worker))
		continue;
	_exit(EXIT_SUCCESS);
}
