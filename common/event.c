/* SPDX-License-Identifier: BSD-2-Clause */
#include "event.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define UUID_BYTES 16

static void
event_block_free(struct event_block *block)
{
	g_free(block->file);
	g_free(block);
}

struct event *
event_new(void)
{
	struct event *event = g_new0(struct event, 1);

	event->recipients = g_ptr_array_new_with_free_func((GDestroyNotify)envelope_address_free);
	event->record = record_new();
	event->blocks = g_ptr_array_new_with_free_func((GDestroyNotify)event_block_free);
	return event;
}

void
client_copy(struct client *to, const struct client *from)
{
	to->ip = g_strdup(from->ip);
	to->port = from->port;
	to->name = g_strdup(from->name);
	to->helo = g_strdup(from->helo);
	to->tls_version = g_strdup(from->tls_version);
	to->tls_cipher = g_strdup(from->tls_cipher);
	to->tls_bits = from->tls_bits;
	to->tls_subject = g_strdup(from->tls_subject);
	to->sasl_user = g_strdup(from->sasl_user);
	to->sasl_method = g_strdup(from->sasl_method);
	to->sasl_author = g_strdup(from->sasl_author);
}

void
client_clear(struct client *client)
{
	g_free(client->ip);
	g_free(client->name);
	g_free(client->helo);
	g_free(client->tls_version);
	g_free(client->tls_cipher);
	g_free(client->tls_subject);
	g_free(client->sasl_user);
	g_free(client->sasl_method);
	g_free(client->sasl_author);
}

void
event_free(struct event *event)
{
	if (event == NULL)
		return;
	g_free(event->event_id);
	g_free(event->parent_event);
	g_free(event->supplements);
	g_free(event->tenant);
	g_free(event->sensor);
	g_free(event->host);
	g_free(event->mta);
	g_free(event->queue_id);
	g_free(event->origin);
	client_clear(&event->client);
	envelope_address_free(event->sender);
	g_ptr_array_unref(event->recipients);
	record_free(event->record);
	g_free(event->unread);
	g_free(event->verdict_reason);
	g_ptr_array_unref(event->blocks);
	g_free(event);
}

/* The path between the outer angle brackets, or all of it where there are none. */
static char *
without_brackets(const char *typed)
{
	g_autofree char *path = g_strstrip(g_strdup(typed));
	gsize length = strlen(path);

	if (path[0] != '<')
		return g_steal_pointer(&path);
	if (path[length - 1] == '>')
		length--;
	return g_strndup(path + 1, length - 1);
}

/* RFC 5321 4.1.1.3: a source route is accepted, and ignored. */
static const char *
without_route(const char *path)
{
	const char *colon;

	if (path[0] != '@')
		return path;
	colon = strchr(path, ':');
	return colon != NULL ? colon + 1 : path;
}

struct envelope_address *
envelope_address_new(const char *typed)
{
	struct envelope_address *address = g_new0(struct envelope_address, 1);
	g_autofree char *path = without_brackets(typed);

	address->typed = g_strdup(typed);
	address->address = g_strdup(without_route(path));
	address->arguments = g_ptr_array_new_with_free_func(g_free);
	return address;
}

void
envelope_address_free(struct envelope_address *address)
{
	if (address == NULL)
		return;
	g_free(address->typed);
	g_free(address->address);
	g_ptr_array_unref(address->arguments);
	g_free(address);
}

const char *
direction_name(enum direction direction)
{
	static const char *const names[] = {"unknown", "inbound", "outbound", "internal"};

	g_assert((guint)direction < G_N_ELEMENTS(names));
	return names[direction];
}

void
event_add_block(struct event *event, guint32 number, enum block_mode mode, gboolean candidate,
		const char *file)
{
	struct event_block *block = g_new0(struct event_block, 1);

	block->number = number;
	block->mode = mode;
	block->candidate = candidate;
	block->file = g_strdup(file);
	g_ptr_array_add(event->blocks, block);
}

static const char *const block_mode_names[BLOCK_MODES] = {
	[BLOCK_OBSERVE] = "observe",
	[BLOCK_HOLD] = "hold",
	[BLOCK_DISCARD] = "discard",
	[BLOCK_REJECT] = "reject",
};

const char *
block_mode_name(enum block_mode mode)
{
	return (guint)mode < BLOCK_MODES ? block_mode_names[mode] : "observe";
}

gboolean
block_mode_parse(const char *name, enum block_mode *ret_mode)
{
	for (guint i = 0; i < BLOCK_MODES; i++) {
		if (g_strcmp0(name, block_mode_names[i]) == 0) {
			*ret_mode = (enum block_mode)i;
			return TRUE;
		}
	}
	return FALSE;
}

const char *
verdict_name(enum verdict verdict)
{
	static const char *const names[] = {"accept", "hold", "tempfail", "reject", "discard"};

	g_assert((guint)verdict < G_N_ELEMENTS(names));
	return names[verdict];
}

/* getrandom(2) gives up to 256 bytes whole once the pool is up; before that a signal may cut in. */
static void
random_bytes(guint8 *bytes, gsize length)
{
	ssize_t got;

	g_assert(length <= 256);
	do
		got = getrandom(bytes, length, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)length)
		g_error("getrandom: %s", g_strerror(errno));
}

/* Writes version and variant over the bytes (RFC 9562 4.1, 4.2) and formats them. */
static char *
uuid_text(guint8 bytes[UUID_BYTES], guint version)
{
	g_autofree char *hex = NULL;

	bytes[6] = (guint8)(version << 4 | (bytes[6] & 0x0f));
	bytes[8] = 0x80 | (bytes[8] & 0x3f);
	hex = hex_encode(bytes, UUID_BYTES);
	return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
			       hex + 20);
}

char *
event_id_new(gint64 time_us)
{
	guint8 bytes[UUID_BYTES];
	guint64 ms, fraction;

	g_assert(time_us >= 0);
	ms = (guint64)time_us / 1000;
	fraction = (guint64)time_us % 1000 * 4096 / 1000;
	random_bytes(bytes, sizeof(bytes));
	for (int i = 0; i < 6; i++)
		bytes[i] = (guint8)(ms >> (40 - 8 * i));
	bytes[6] = (guint8)(fraction >> 8);
	bytes[7] = (guint8)fraction;
	return uuid_text(bytes, 7);
}

char *
event_id_of(const void *bytes, gsize length)
{
	guint8 sha256[SHA256_BYTES];

	digest_sha256(bytes, length, sha256);
	return uuid_text(sha256, 8);
}

gboolean
event_id_is_valid(const char *text)
{
	if (strlen(text) != EVENT_ID_LENGTH)
		return FALSE;
	for (int i = 0; i < EVENT_ID_LENGTH; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return FALSE;
		} else if (!g_ascii_isxdigit(text[i]) || g_ascii_isupper(text[i])) {
			return FALSE;
		}
	}
	return TRUE;
}

gboolean
event_has_unread_files(const struct event *event)
{
	const GPtrArray *files = event->record->files;

	if (event->unread)
		return TRUE;
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = g_ptr_array_index(files, i);

		if (file->flags & FILE_INCOMPLETE ||
		    (file->flags & FILE_ENCRYPTED && !file->has_crc32))
			return TRUE;
	}
	return FALSE;
}
