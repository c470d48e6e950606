/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "scanner_queue.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "scanner_protocol.h"

/* The receiver's pause when there was no descriptor for a channel. */
#define LOST_PAUSE_US (100 * 1000)

/* A reader in the queue; lives on its stack. */
struct waiter {
	pthread_cond_t assigned;
	gboolean fresh; /* takes only a worker that has read nothing */
	gboolean asked; /* and a worker has been replaced to that end */
	struct scanner_channel *channel;
};

/*
 * Lock: everything below it.  GLib's own mutexes are built of futexes that
 * ThreadSanitizer cannot see, so these are pthread's.
 */
struct scanner_queue {
	pthread_mutex_t lock;
	GQueue waiters;	 /* of struct waiter, who is first served first */
	GQueue idle;	 /* of struct scanner_channel, last used first */
	guint64 scanner; /* scanners attached so far */
	int control_fd;	 /* of the present one, or -1 */
	guint64 replaced;
	pthread_t receiver; /* runs while control_fd is not -1; attach and free join it */
};

/* ---- channels; called with the lock held ---- */

static void
channel_free(struct scanner_channel *channel)
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
channel_is_sound(const struct scanner_channel *channel)
{
	struct pollfd polled = {.fd = channel->fd, .events = POLLIN};

	return poll(&polled, 1, 0) == 0;
}

/* Asks for another worker.  The request may be lost: the worker ends with its channel anyway. */
static void
give_up(struct scanner_queue *queue, struct scanner_channel *channel)
{
	struct scanner_control control = {SCANNER_CONTROL_REPLACE, channel->worker};

	if (channel->scanner == queue->scanner && queue->control_fd >= 0)
		(void)!send(queue->control_fd, &control, sizeof(control),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	queue->replaced++;
	channel_free(channel);
}

/* Workers that ended while idle are not waited upon. */
static void
drop_unsound(struct scanner_queue *queue)
{
	GList *next;

	for (GList *link = queue->idle.head; link != NULL; link = next) {
		struct scanner_channel *channel = link->data;

		next = link->next;
		if (channel_is_sound(channel))
			continue;
		g_queue_delete_link(&queue->idle, link);
		give_up(queue, channel);
	}
}

/* Returns the first idle channel that the waiter takes, out of the list, or NULL. */
static struct scanner_channel *
find_channel(struct scanner_queue *queue, const struct waiter *waiter)
{
	GList *next;

	for (GList *link = queue->idle.head; link != NULL; link = next) {
		struct scanner_channel *channel = link->data;

		next = link->next;
		if (waiter->fresh && channel->served > 0)
			continue;
		g_queue_delete_link(&queue->idle, link);
		if (channel_is_sound(channel))
			return channel;
		give_up(queue, channel);
	}
	return NULL;
}

/*
 * A waiter for a fresh worker, when only used ones are idle: one of them is
 * replaced in its name, once, so that it does not wait in vain.
 */
static void
ask_for_fresh(struct scanner_queue *queue, struct waiter *waiter)
{
	if (!waiter->fresh || waiter->asked || queue->idle.length == 0)
		return;
	waiter->asked = TRUE;
	give_up(queue, g_queue_pop_tail(&queue->idle));
}

/* Brings waiters and idle channels together. */
static void
dispatch(struct scanner_queue *queue)
{
	GList *next;

	for (GList *link = queue->waiters.head; link != NULL && queue->idle.length > 0;
	     link = next) {
		struct waiter *waiter = link->data;

		next = link->next;
		waiter->channel = find_channel(queue, waiter);
		if (waiter->channel == NULL) {
			ask_for_fresh(queue, waiter);
			continue;
		}
		g_queue_delete_link(&queue->waiters, link);
		pthread_cond_signal(&waiter->assigned);
	}
}

static void
drop_idle(struct scanner_queue *queue)
{
	struct scanner_channel *channel;

	while ((channel = g_queue_pop_head(&queue->idle)) != NULL)
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
enqueue(struct scanner_queue *queue, struct waiter *waiter, struct scanner_channel *failed)
{
	if (failed != NULL) {
		waiter->asked = failed->scanner == queue->scanner;
		g_queue_push_head(&queue->waiters, waiter);
		give_up(queue, failed);
	} else {
		g_queue_push_tail(&queue->waiters, waiter);
	}
	dispatch(queue);
}

struct scanner_channel *
scanner_queue_take(struct scanner_queue *queue, struct scanner_channel *failed, gint64 deadline_us)
{
	struct timespec until = {deadline_us / G_USEC_PER_SEC, deadline_us % G_USEC_PER_SEC * 1000};
	struct waiter waiter;
	int code = 0;

	waiter_init(&waiter, failed != NULL);
	pthread_mutex_lock(&queue->lock);
	enqueue(queue, &waiter, failed);
	while (waiter.channel == NULL && code == 0)
		code = pthread_cond_timedwait(&waiter.assigned, &queue->lock, &until);
	if (waiter.channel == NULL)
		g_queue_remove(&queue->waiters, &waiter);
	pthread_mutex_unlock(&queue->lock);
	pthread_cond_destroy(&waiter.assigned);
	return waiter.channel;
}

void
scanner_queue_give_back(struct scanner_queue *queue, struct scanner_channel *channel,
			gboolean trusted)
{
	channel->served++;
	pthread_mutex_lock(&queue->lock);
	if (!trusted || channel->served >= WORKER_MESSAGES) {
		give_up(queue, channel);
	} else if (channel->scanner != queue->scanner) {
		channel_free(channel);
	} else {
		g_queue_push_head(&queue->idle, channel);
		dispatch(queue);
	}
	pthread_mutex_unlock(&queue->lock);
}

/* ---- the scanner's end ---- */

struct receiver {
	struct scanner_queue *queue;
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
	struct scanner_queue *queue = receiver->queue;
	struct scanner_channel *channel = g_new0(struct scanner_channel, 1);

	channel->fd = fd;
	channel->worker = worker;
	channel->scanner = receiver->scanner;
	pthread_mutex_lock(&queue->lock);
	if (channel->scanner == queue->scanner) {
		drop_unsound(queue);
		g_queue_push_head(&queue->idle, channel);
		dispatch(queue);
	} else {
		channel_free(channel);
	}
	pthread_mutex_unlock(&queue->lock);
}

/*
 * Runs until the scanner ends, or detach() shuts the control socket down.  A
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
start_receiver(struct scanner_queue *queue, int control_fd)
{
	struct receiver *receiver = g_new(struct receiver, 1);
	sigset_t all, former;
	int code;

	*receiver = (struct receiver){queue, control_fd, queue->scanner};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	code = pthread_create(&queue->receiver, NULL, receive_channels, receiver);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (code != 0)
		g_free(receiver);
	return code == 0;
}

/* Parts from the present scanner; channels in use are closed when they are given back. */
static void
detach(struct scanner_queue *queue)
{
	int control_fd;

	pthread_mutex_lock(&queue->lock);
	control_fd = queue->control_fd;
	queue->control_fd = -1;
	queue->scanner++;
	drop_idle(queue);
	for (GList *link = queue->waiters.head; link != NULL; link = link->next)
		((struct waiter *)link->data)->asked = FALSE; /* the former scanner was asked */
	pthread_mutex_unlock(&queue->lock);
	if (control_fd < 0)
		return;
	shutdown(control_fd, SHUT_RDWR);
	pthread_join(queue->receiver, NULL);
	close(control_fd);
}

struct scanner_queue *
scanner_queue_new(void)
{
	struct scanner_queue *queue = g_new0(struct scanner_queue, 1);

	pthread_mutex_init(&queue->lock, NULL);
	g_queue_init(&queue->waiters);
	g_queue_init(&queue->idle);
	queue->control_fd = -1;
	return queue;
}

void
scanner_queue_attach(struct scanner_queue *queue, int control_fd)
{
	detach(queue);
	pthread_mutex_lock(&queue->lock);
	/* Without a thread the scanner is as good as dead: it ends, readers wait for another. */
	if (start_receiver(queue, control_fd))
		queue->control_fd = control_fd;
	else
		close(control_fd);
	pthread_mutex_unlock(&queue->lock);
}

guint64
scanner_queue_replaced(struct scanner_queue *queue)
{
	guint64 replaced;

	pthread_mutex_lock(&queue->lock);
	replaced = queue->replaced;
	pthread_mutex_unlock(&queue->lock);
	return replaced;
}

void
scanner_queue_free(struct scanner_queue *queue)
{
	g_assert(queue->waiters.length == 0);
	detach(queue);
	pthread_mutex_destroy(&queue->lock);
	g_free(queue);
}
