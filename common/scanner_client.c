/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "scanner_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "scanner_exchange.h"
#include "scanner_protocol.h"

/* The receiver's pause when there was no descriptor for a channel. */
#define LOST_PAUSE_US (100 * 1000)

/* The way to one worker; belongs to one reader, or to the list of idle ones. */
struct channel {
	int fd;
	guint32 worker;
	guint64 scanner; /* which scanner's it is: channels of a former one are not kept */
	guint served;
};

/* A reader in the queue; lives on its stack. */
struct waiter {
	pthread_cond_t assigned;
	gboolean fresh; /* takes only a worker that has read nothing */
	gboolean asked; /* and a worker has been replaced to that end */
	struct channel *channel;
};

/*
 * Lock: everything below it.  GLib's own mutexes are built of futexes that
 * ThreadSanitizer cannot see, so these are pthread's.
 */
struct scanner_client {
	pthread_mutex_t lock;
	GQueue waiters;	 /* of struct waiter, who is first served first */
	GQueue idle;	 /* of struct channel, last used first */
	guint64 scanner; /* scanners attached so far */
	int control_fd;	 /* of the present one, or -1 */
	guint64 last_ticket;
	struct scanner_counters counters;
	pthread_t receiver; /* runs while control_fd is not -1; attach and free join it */
};

G_DEFINE_QUARK(mailtrace_scanner_error, scanner_error)

/* ---- channels; called with the lock held ---- */

static void
channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	close(channel->fd);
	g_free(channel);
}

/*
 * A worker that waits for a message says nothing: if there is something to be
 * read, its end among it, the channel is of no use.
 */
static gboolean
channel_is_sound(const struct channel *channel)
{
	struct pollfd polled = {.fd = channel->fd, .events = POLLIN};

	return poll(&polled, 1, 0) == 0;
}

/* Asks for another worker.  The request may be lost: the worker ends with its channel anyway. */
static void
give_up(struct scanner_client *client, struct channel *channel)
{
	struct scanner_control control = {SCANNER_CONTROL_REPLACE, channel->worker};

	if (channel->scanner == client->scanner && client->control_fd >= 0)
		(void)!send(client->control_fd, &control, sizeof(control),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	client->counters.replaced++;
	channel_free(channel);
}

/* Workers that ended while idle are not waited upon. */
static void
drop_unsound(struct scanner_client *client)
{
	GList *next;

	for (GList *link = client->idle.head; link != NULL; link = next) {
		struct channel *channel = link->data;

		next = link->next;
		if (channel_is_sound(channel))
			continue;
		g_queue_delete_link(&client->idle, link);
		give_up(client, channel);
	}
}

/* Returns the first idle channel that the waiter takes, out of the list, or NULL. */
static struct channel *
find_channel(struct scanner_client *client, const struct waiter *waiter)
{
	GList *next;

	for (GList *link = client->idle.head; link != NULL; link = next) {
		struct channel *channel = link->data;

		next = link->next;
		if (waiter->fresh && channel->served > 0)
			continue;
		g_queue_delete_link(&client->idle, link);
		if (channel_is_sound(channel))
			return channel;
		give_up(client, channel);
	}
	return NULL;
}

/*
 * A waiter for a fresh worker, when only used ones are idle: one of them is
 * replaced in its name, once, so that it does not wait in vain.
 */
static void
ask_for_fresh(struct scanner_client *client, struct waiter *waiter)
{
	if (!waiter->fresh || waiter->asked || client->idle.length == 0)
		return;
	waiter->asked = TRUE;
	give_up(client, g_queue_pop_tail(&client->idle));
}

/* Brings waiters and idle channels together. */
static void
dispatch(struct scanner_client *client)
{
	GList *next;

	for (GList *link = client->waiters.head; link != NULL && client->idle.length > 0;
	     link = next) {
		struct waiter *waiter = link->data;

		next = link->next;
		waiter->channel = find_channel(client, waiter);
		if (waiter->channel == NULL) {
			ask_for_fresh(client, waiter);
			continue;
		}
		g_queue_delete_link(&client->waiters, link);
		pthread_cond_signal(&waiter->assigned);
	}
}

static void
drop_idle(struct scanner_client *client)
{
	struct channel *channel;

	while ((channel = g_queue_pop_head(&client->idle)) != NULL)
		channel_free(channel);
}

/* ---- taking a channel and giving it back ---- */

static void
waiter_init(struct waiter *waiter, gboolean fresh)
{
	pthread_condattr_t monotonic;

	*waiter = (struct waiter){.fresh = fresh};
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&waiter->assigned, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/*
 * Who tries again has waited before and goes first.  That it is in the queue
 * before its failed channel is given up makes sure that nobody takes the
 * fresh worker away that comes for it.
 */
static void
enqueue(struct scanner_client *client, struct waiter *waiter, struct channel *failed)
{
	if (failed != NULL) {
		waiter->asked = failed->scanner == client->scanner;
		g_queue_push_head(&client->waiters, waiter);
		give_up(client, failed);
	} else {
		g_queue_push_tail(&client->waiters, waiter);
	}
	dispatch(client);
}

/*
 * Waits in the queue until the deadline.  failed: the channel of the attempt
 * before, which is given up for a fresh one, or NULL.  Returns NULL when the
 * deadline has passed.
 */
static struct channel *
take_channel(struct scanner_client *client, struct channel *failed, gint64 deadline_us)
{
	struct timespec until = {deadline_us / G_USEC_PER_SEC, deadline_us % G_USEC_PER_SEC * 1000};
	struct waiter waiter;
	int code = 0;

	waiter_init(&waiter, failed != NULL);
	pthread_mutex_lock(&client->lock);
	enqueue(client, &waiter, failed);
	while (waiter.channel == NULL && code == 0)
		code = pthread_cond_timedwait(&waiter.assigned, &client->lock, &until);
	if (waiter.channel == NULL)
		g_queue_remove(&client->waiters, &waiter);
	pthread_mutex_unlock(&client->lock);
	pthread_cond_destroy(&waiter.assigned);
	return waiter.channel;
}

static void
give_back(struct scanner_client *client, struct channel *channel, gboolean trusted)
{
	channel->served++;
	pthread_mutex_lock(&client->lock);
	if (!trusted || channel->served >= WORKER_MESSAGES) {
		give_up(client, channel);
	} else if (channel->scanner != client->scanner) {
		channel_free(channel);
	} else {
		g_queue_push_head(&client->idle, channel);
		dispatch(client);
	}
	pthread_mutex_unlock(&client->lock);
}

/* What hostile mail is full of: who has read it is not asked again. */
static gboolean
is_ordinary(const struct record *record)
{
	if (record->caps->len > 0)
		return FALSE;
	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = g_ptr_array_index(record->files, i);

		if ((file->flags & FILE_ENCRYPTED) != 0)
			return FALSE;
	}
	return TRUE;
}

/* ---- reading ---- */

static guint64
next_ticket(struct scanner_client *client)
{
	guint64 ticket;

	pthread_mutex_lock(&client->lock);
	ticket = ++client->last_ticket;
	pthread_mutex_unlock(&client->lock);
	return ticket;
}

/*
 * One attempt.  failed: the channel of the first, when this is the second; it
 * is given up.  A first one leaves half of the time for the second.  On
 * failure *ret_failed is the channel, to be given up, or untouched if there
 * was none.
 */
static struct record *
attempt(struct scanner_client *client, const struct scanner_message *message,
	struct channel *failed, struct channel **ret_failed, GError **error)
{
	struct scanner_message own = *message;
	struct channel *channel = take_channel(client, failed, message->deadline_us);
	struct record *record;

	if (channel == NULL) {
		g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_BUSY,
			    "no worker became free in time");
		return NULL;
	}
	if (failed == NULL)
		own.deadline_us -= (own.deadline_us - g_get_monotonic_time()) / 2;
	own.ticket = next_ticket(client);
	record = scanner_exchange(channel->fd, &own, error);
	if (record == NULL)
		*ret_failed = channel;
	else
		give_back(client, channel, is_ordinary(record));
	return record;
}

/* The second attempt, after first, which it takes over. */
static struct record *
attempt_again(struct scanner_client *client, const struct scanner_message *message,
	      struct channel *failed, GError *first, GError **error)
{
	g_autoptr(GError) second = NULL;
	struct channel *failed_again = NULL;
	struct record *record = attempt(client, message, failed, &failed_again, &second);

	if (failed_again != NULL)
		give_back(client, failed_again, FALSE);
	/* That there was no second worker tells less than how the first one failed. */
	if (record != NULL)
		g_error_free(first);
	else if (failed_again == NULL)
		g_propagate_error(error, first);
	else {
		g_error_free(first);
		g_propagate_error(error, g_steal_pointer(&second));
	}
	return record;
}

static struct record *
attempt_twice(struct scanner_client *client, const struct scanner_message *message,
	      gboolean *ret_again, GError **error)
{
	GError *first = NULL;
	struct channel *failed = NULL;
	struct record *record = attempt(client, message, NULL, &failed, &first);

	if (record != NULL)
		return record;
	if (failed == NULL) {
		g_propagate_error(error, first);
		return NULL;
	}
	*ret_again = TRUE;
	return attempt_again(client, message, failed, first, error);
}

static gboolean
write_whole(int fd, const guint8 *bytes, gsize length)
{
	while (length > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, bytes, length));

		if (n <= 0)
			return FALSE;
		bytes += n;
		length -= n;
	}
	return TRUE;
}

/* Puts bytes too many for a packet into a memory file.  Returns -1 with SCANNER_ERROR_MESSAGE. */
static int
to_memory_file(const void *bytes, gsize length, GError **error)
{
	int fd = memfd_create("mailtrace-message", MFD_CLOEXEC);

	if (fd >= 0 && write_whole(fd, bytes, length))
		return fd;
	g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_MESSAGE,
		    "no memory file for a message of %" G_GSIZE_FORMAT " bytes: %s", length,
		    g_strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct record *
read_request(struct scanner_client *client, const struct scanner_message *message,
	     gboolean *ret_again, GError **error)
{
	struct scanner_message mapped = *message;
	struct record *record;

	if (message->length > CAP_MESSAGE_BYTES) {
		g_set_error(error, SCANNER_ERROR, SCANNER_ERROR_MESSAGE,
			    "the message has %" G_GSIZE_FORMAT " bytes, more than are read",
			    message->length);
		return NULL;
	}
	if (message->length == 0)
		mapped.fd = -1; /* there is nothing to map */
	if (mapped.fd >= 0 || message->length <= CAP_INLINE_BYTES)
		return attempt_twice(client, &mapped, ret_again, error);
	mapped.fd = to_memory_file(message->bytes, message->length, error);
	if (mapped.fd < 0)
		return NULL;
	record = attempt_twice(client, &mapped, ret_again, error);
	close(mapped.fd);
	return record;
}

struct record *
scanner_client_read(struct scanner_client *client, int message_fd, const void *bytes, gsize length,
		    guint timeout_ms, GError **error)
{
	struct scanner_message message = {
		.fd = message_fd,
		.bytes = bytes,
		.length = length,
		.deadline_us = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND,
	};
	gboolean again = FALSE;
	struct record *record = read_request(client, &message, &again, error);

	pthread_mutex_lock(&client->lock);
	if (record == NULL)
		client->counters.failed++;
	else if (again)
		client->counters.retried++;
	if (record != NULL)
		client->counters.read++;
	pthread_mutex_unlock(&client->lock);
	return record;
}

/* ---- the scanner's end ---- */

struct receiver {
	struct scanner_client *client;
	int control_fd;
	guint64 scanner;
};

/*
 * Receives a worker's number and channel.  FALSE when the scanner ended.
 * *ret_fd: -1 when this process had no descriptor left for it (recvmsg(2)).
 */
static gboolean
receive_channel(int control_fd, guint32 *ret_worker, int *ret_fd)
{
	struct scanner_control control;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary;
	struct iovec part = {&control, sizeof(control)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	ssize_t n = TEMP_FAILURE_RETRY(recvmsg(control_fd, &header, MSG_CMSG_CLOEXEC));
	struct cmsghdr *rights = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
	int fd = -1;

	if (n != sizeof(control))
		return FALSE;
	if (rights != NULL && rights->cmsg_type == SCM_RIGHTS &&
	    rights->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
	*ret_worker = control.worker;
	*ret_fd = fd;
	return TRUE;
}

static void
add_channel(const struct receiver *receiver, int fd, guint32 worker)
{
	struct scanner_client *client = receiver->client;
	struct channel *channel = g_new0(struct channel, 1);

	channel->fd = fd;
	channel->worker = worker;
	channel->scanner = receiver->scanner;
	pthread_mutex_lock(&client->lock);
	if (channel->scanner == client->scanner) {
		drop_unsound(client);
		g_queue_push_head(&client->idle, channel);
		dispatch(client);
	} else {
		channel_free(channel);
	}
	pthread_mutex_unlock(&client->lock);
}

/*
 * Runs until the scanner ends, or the client shuts the control socket down.  A
 * worker whose channel was lost ends by itself, and the scanner makes another:
 * after a while, since this process may still be without descriptors then.
 */
static void *
receive_channels(void *data)
{
	g_autofree struct receiver *receiver = data;
	guint32 worker = 0;
	int fd = -1;

	while (receive_channel(receiver->control_fd, &worker, &fd)) {
		if (fd >= 0)
			add_channel(receiver, fd, worker);
		else
			g_usleep(LOST_PAUSE_US);
	}
	return NULL;
}

/* Signals are for the program's own threads. */
static gboolean
start_receiver(struct scanner_client *client, int control_fd)
{
	struct receiver *receiver = g_new(struct receiver, 1);
	sigset_t all, former;
	int code;

	*receiver = (struct receiver){client, control_fd, client->scanner};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	code = pthread_create(&client->receiver, NULL, receive_channels, receiver);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (code != 0)
		g_free(receiver);
	return code == 0;
}

/* Parts from the present scanner; channels in use are closed when they are given back. */
static void
detach(struct scanner_client *client)
{
	int control_fd;

	pthread_mutex_lock(&client->lock);
	control_fd = client->control_fd;
	client->control_fd = -1;
	client->scanner++;
	drop_idle(client);
	for (GList *link = client->waiters.head; link != NULL; link = link->next)
		((struct waiter *)link->data)->asked = FALSE; /* the former scanner was asked */
	pthread_mutex_unlock(&client->lock);
	if (control_fd < 0)
		return;
	shutdown(control_fd, SHUT_RDWR);
	pthread_join(client->receiver, NULL);
	close(control_fd);
}

struct scanner_client *
scanner_client_new(void)
{
	struct scanner_client *client = g_new0(struct scanner_client, 1);

	pthread_mutex_init(&client->lock, NULL);
	g_queue_init(&client->waiters);
	g_queue_init(&client->idle);
	client->control_fd = -1;
	return client;
}

void
scanner_client_attach(struct scanner_client *client, int control_fd)
{
	detach(client);
	pthread_mutex_lock(&client->lock);
	/* Without a thread the scanner is as good as dead: it ends, readers wait for another. */
	if (start_receiver(client, control_fd))
		client->control_fd = control_fd;
	else
		close(control_fd);
	pthread_mutex_unlock(&client->lock);
}

void
scanner_client_counters(struct scanner_client *client, struct scanner_counters *ret_counters)
{
	pthread_mutex_lock(&client->lock);
	*ret_counters = client->counters;
	pthread_mutex_unlock(&client->lock);
}

void
scanner_client_free(struct scanner_client *client)
{
	if (client == NULL)
		return;
	g_assert(client->waiters.length == 0);
	detach(client);
	pthread_mutex_destroy(&client->lock);
	g_free(client);
}
