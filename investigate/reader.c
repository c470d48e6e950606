/* SPDX-License-Identifier: BSD-2-Clause */
#include "reader.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "scanner_client.h"

#define READER_WORKERS 1 /* messages are read one after the other */

struct reader {
	struct scanner_client *client;
	GPid pid;
};

struct reader *
reader_open(const char *scanner_path, const struct settings *settings, GError **error)
{
	gboolean may_open = access(settings->scanner_passwords, R_OK) == 0;
	const struct scanner_options options = {
		.workers = READER_WORKERS,
		.temp_directory = settings->scanner_temp_directory,
		.database = settings->scanner_database,
		.passwords = may_open ? settings->scanner_passwords : NULL,
	};
	struct reader *reader;
	GPid pid;
	int control_fd = scanner_spawn(scanner_path, &options, &pid, error);

	if (control_fd < 0)
		return NULL;
	reader = g_new0(struct reader, 1);
	reader->pid = pid;
	reader->client = scanner_client_new();
	scanner_client_attach(reader->client, control_fd);
	return reader;
}

void
reader_close(struct reader *reader)
{
	if (!reader)
		return;
	scanner_client_free(reader->client);
	waitpid(reader->pid, NULL, 0);
	g_free(reader);
}

static gboolean
is_address(const void *recipient, const void *address)
{
	return g_ascii_strcasecmp(((const struct envelope_address *)recipient)->address, address) ==
	       0;
}

/* A To field that names somebody twice has still one recipient there. */
static void
add_recipient(struct event *event, const char *address)
{
	if (*address && event->recipients->len < CAP_RECIPIENTS &&
	    !g_ptr_array_find_with_equal_func(event->recipients, address, is_address, NULL))
		g_ptr_array_add(event->recipients, envelope_address_new(address));
}

static void
add_recipients_of_fields(struct event *event)
{
	const struct record *record = event->record;

	/* The topmost Delivered-To is the last delivery's: this mailbox.  X-Original-To, which a
	 * list's members share, comes after it. */
	if (record->delivered_to->len) {
		add_recipient(event, g_ptr_array_index(record->delivered_to, 0));
		return;
	}
	for (guint i = 0; i < record->to->len; i++) {
		const struct mail_address *to = g_ptr_array_index(record->to, i);

		add_recipient(event, to->address);
	}
}

static void
add_recipients(struct event *event, const struct reader_envelope *envelope)
{
	if (envelope->without_recipients)
		return;
	if (!envelope->recipients) {
		add_recipients_of_fields(event);
		return;
	}
	for (const char *const *recipient = envelope->recipients; *recipient; recipient++)
		add_recipient(event, *recipient);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns the id of tenant, content key and the set of recipients. */
static char *
import_id(const struct event *event)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	g_autoptr(GByteArray) content = g_byte_array_new();
	guint8 key[SHA256_BYTES];

	record_content_key(event->record, key);
	g_byte_array_append(content, key, sizeof(key));
	g_byte_array_append(content, (const guint8 *)event->tenant,
			    (guint)strlen(event->tenant) + 1);
	for (guint i = 0; i < event->recipients->len; i++) {
		const struct envelope_address *to = g_ptr_array_index(event->recipients, i);

		g_ptr_array_add(addresses, to->address);
	}
	g_ptr_array_sort(addresses, compare_texts);
	for (guint i = 0; i < addresses->len; i++) {
		const char *address = g_ptr_array_index(addresses, i);

		g_byte_array_append(content, (const guint8 *)address, (guint)strlen(address) + 1);
	}
	return event_id_of(content->data, content->len);
}

static gint64
receive_time(const struct record *record, const struct reader_envelope *envelope)
{
	if (envelope->received_at_us > 0)
		return envelope->received_at_us;
	return record->date_us > 0 ? record->date_us : envelope->fallback_us;
}

struct event *
reader_read(struct reader *reader, const void *bytes, gsize length,
	    const struct reader_envelope *envelope, GError **error)
{
	struct record *record =
		scanner_client_read(reader->client, -1, bytes, length, WORKER_TIMEOUT_MS, error);
	struct event *event;

	if (!record)
		return NULL;
	event = event_new();
	record_free(event->record);
	event->record = record;
	event->origin = g_strdup("import");
	event->tenant = g_strdup(envelope->tenant);
	event->sensor = g_strdup(envelope->sensor);
	event->received_at_us = receive_time(record, envelope);
	event->verdict = VERDICT_ACCEPT;
	add_recipients(event, envelope);
	event->event_id = import_id(event);
	return event;
}
