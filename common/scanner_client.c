/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "scanner_client.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"
#include "scanner_exchange.h"
#include "scanner_protocol.h"
#include "scanner_queue.h"

/* Lock: everything below it; pthread's, as in scanner_queue.c. */
struct scanner_client {
	struct scanner_queue *queue;
	pthread_mutex_t lock;
	guint64 last_ticket;
	struct scanner_counters counters; /* but for those of the queue */
};

G_DEFINE_QUARK(mailtrace_scanner_error, scanner_error)

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
	struct scanner_channel *failed, struct scanner_channel **ret_failed, GError **error)
{
	struct scanner_message own = *message;
	struct scanner_channel *channel =
		scanner_queue_take(client->queue, failed, message->deadline_us);
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
		scanner_queue_give_back(client->queue, channel, is_ordinary(record));
	return record;
}

/* The second attempt, after first, which it takes over. */
static struct record *
attempt_again(struct scanner_client *client, const struct scanner_message *message,
	      struct scanner_channel *failed, GError *first, GError **error)
{
	g_autoptr(GError) second = NULL;
	struct scanner_channel *failed_again = NULL;
	struct record *record = attempt(client, message, failed, &failed_again, &second);

	if (failed_again != NULL)
		scanner_queue_give_back(client->queue, failed_again, FALSE);
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
	struct scanner_channel *failed = NULL;
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

/* Puts bytes too many for a packet into a memory file.  Returns -1 with SCANNER_ERROR_MESSAGE. */
static int
to_memory_file(const void *bytes, gsize length, GError **error)
{
	int fd = memfd_create("mailtrace-message", MFD_CLOEXEC);

	if (fd >= 0 && descriptor_write(fd, bytes, length))
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

struct scanner_client *
scanner_client_new(void)
{
	struct scanner_client *client = g_new0(struct scanner_client, 1);

	pthread_mutex_init(&client->lock, NULL);
	client->queue = scanner_queue_new();
	return client;
}

void
scanner_client_attach(struct scanner_client *client, int control_fd)
{
	scanner_queue_attach(client->queue, control_fd);
}

void
scanner_client_counters(struct scanner_client *client, struct scanner_counters *ret_counters)
{
	pthread_mutex_lock(&client->lock);
	*ret_counters = client->counters;
	pthread_mutex_unlock(&client->lock);
	ret_counters->replaced = scanner_queue_replaced(client->queue);
}

void
scanner_client_free(struct scanner_client *client)
{
	if (client == NULL)
		return;
	scanner_queue_free(client->queue);
	pthread_mutex_destroy(&client->lock);
	g_free(client);
}
