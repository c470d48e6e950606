/* SPDX-License-Identifier: BSD-2-Clause */
#include "generate.h"

#include <string.h>

#include "network.h"

static gboolean
chance(GRand *rand)
{
	return g_rand_int_range(rand, 0, 2) == 0;
}

static char *
word(GRand *rand)
{
	static const char *const words[] = {
		"invoice",
		"請求書",
		"e\xcc\x81t\xc3\xa9",
		"👨‍👩‍👧",
		"\x1b[31m",
		"\"q\\u\"",
		"a\tb\nc",
		"שלום",
		"",
		"\\xff",
	};
	int pick = g_rand_int_range(rand, 0, G_N_ELEMENTS(words) + 1);

	if (pick < (int)G_N_ELEMENTS(words))
		return g_strdup(words[pick]);
	return g_strdup_printf("w%u", g_rand_int(rand));
}

static char *
word_or_null(GRand *rand)
{
	return chance(rand) ? word(rand) : NULL;
}

static char *
address_text(GRand *rand)
{
	static const char *const addresses[] = {
		"root",
		"user@localhost",
		"",
		"山田@例え.jp",
		"a@sender.example",
		"\"q q\"@b.example",
		"u+tag@mail.example.org",
	};
	int pick = g_rand_int_range(rand, 0, G_N_ELEMENTS(addresses) + 1);

	if (pick < (int)G_N_ELEMENTS(addresses))
		return g_strdup(addresses[pick]);
	return g_strdup_printf("u%u@example.org", g_rand_int_range(rand, 0, 1000));
}

static GBytes *
raw_or_null(GRand *rand)
{
	guint8 bytes[24];
	gsize length = (gsize)g_rand_int_range(rand, 0, sizeof(bytes) + 1);

	if (chance(rand))
		return NULL;
	for (gsize i = 0; i < length; i++)
		bytes[i] = (guint8)g_rand_int(rand);
	return g_bytes_new(bytes, length);
}

static guint64
number(GRand *rand)
{
	return (guint64)g_rand_int(rand) >> g_rand_int_range(rand, 0, 32);
}

static void
random_digests(GRand *rand, struct digests *ret_digests)
{
	guint32 seed = g_rand_int(rand);

	digests_of(&seed, sizeof(seed), ret_digests);
}

static void
random_sha256(GRand *rand, guint8 ret_sha256[SHA256_BYTES])
{
	guint32 seed = g_rand_int(rand);

	digest_sha256(&seed, sizeof(seed), ret_sha256);
}

static void
add_addresses(GRand *rand, GPtrArray *array)
{
	for (int n = g_rand_int_range(rand, 0, 4); n > 0; n--) {
		g_autofree char *display = word_or_null(rand), *address = address_text(rand);

		mail_address_add(array, display, address);
	}
}

static void
add_words(GRand *rand, GPtrArray *array)
{
	for (int n = g_rand_int_range(rand, 0, 3); n > 0; n--)
		g_ptr_array_add(array, word(rand));
}

static void
fill_file_texts(GRand *rand, struct file *file)
{
	static const char *const readings[] = {"filename", "name", "rfc2047", "rfc2231"};

	for (int n = g_rand_int_range(rand, 0, 4); n > 0; n--) {
		g_autofree char *text = word(rand);
		g_autoptr(GBytes) raw = raw_or_null(rand);

		file_add_name(file, text, readings[n], raw);
	}
	file->declared_type = chance(rand) ? g_strdup("application/zip") : word_or_null(rand);
	file->detected_type = word_or_null(rand);
	file->disposition = chance(rand) ? g_strdup("attachment") : NULL;
	file->content_id = word_or_null(rand);
	file->encoding = chance(rand) ? g_strdup("base64") : NULL;
	file->method = chance(rand) ? g_strdup("AES-256") : NULL;
	if (chance(rand))
		g_ptr_array_add(file->readings, g_strdup("last-boundary"));
	add_words(rand, file->malware);
}

static void
fill_file(GRand *rand, struct file *file)
{
	struct digests digests;

	fill_file_texts(rand, file);
	file->flags = g_rand_int(rand) & ((1u << FILE_FLAG_COUNT) - 1);
	file->size = number(rand);
	if ((file->flags & FILE_MULTIPART) == 0)
		random_digests(rand, &file->digests);
	for (int kind = VARIANT_EXACT + 1; kind < VARIANT_KIND_COUNT; kind++) {
		if (chance(rand))
			continue;
		random_digests(rand, &digests);
		file_add_variant(file, kind, number(rand), &digests);
	}
	file->has_crc32 = chance(rand);
	file->crc32 = file->has_crc32 ? g_rand_int(rand) : 0;
}

static void
add_files(GRand *rand, struct record *record)
{
	int count = g_rand_int_range(rand, 0, 8);

	for (int i = 0; i < count; i++) {
		int parent = i == 0 ? -1 : g_rand_int_range(rand, 0, i);
		g_autofree char *path = NULL;

		if (parent >= 0 && chance(rand)) {
			const struct file *above = g_ptr_array_index(record->files, parent);

			path = g_strdup_printf("%s!/dir/%d.js", above->path, i);
		} else {
			path = g_strdup_printf("%d.1", i + 1);
		}
		fill_file(rand, record_add_file(record, path, parent));
	}
}

struct record *
generate_record(GRand *rand)
{
	static const char *const caps[] = {"parts", "urls", "names"};
	struct record *record = record_new();

	record->message_id = chance(rand) ? g_strdup("<1@b.example>") : word_or_null(rand);
	record->subject = word_or_null(rand);
	record->subject_raw = raw_or_null(rand);
	record->date = chance(rand) ? g_strdup("Mon, 23 Nov 2026 04:00:00 +0900") : NULL;
	record->date_us = chance(rand) ? (gint64)number(rand) * 1000003 - 1000000000 : 0;
	add_addresses(rand, record->from);
	add_addresses(rand, record->to);
	add_addresses(rand, record->cc);
	add_addresses(rand, record->reply_to);
	add_words(rand, record->delivered_to);
	add_words(rand, record->authentication_results);
	record->list_id = word_or_null(rand);
	record->scanner = word_or_null(rand);
	for (int n = g_rand_int_range(rand, 0, 3); n > 0; n--)
		g_ptr_array_add(record->urls, g_strdup_printf("https://x%d.example/?q=%%00\"", n));
	add_files(rand, record);
	for (int n = g_rand_int_range(rand, 0, 3); n > 0; n--)
		record_add_anomaly(record, "duplicate-header", number(rand));
	for (int n = g_rand_int_range(rand, 0, 4) - 1; n >= 0; n--)
		record_note_cap(record, caps[n]);
	record->size = number(rand) >> 2; /* CAP_MESSAGE_BYTES */
	random_sha256(rand, record->sha256);
	return record;
}

static struct envelope_address *
generate_envelope_address(GRand *rand)
{
	g_autofree char *text = address_text(rand);
	g_autofree char *typed = g_strdup_printf(chance(rand) ? "<%s>" : "<@r.example:%s>", text);
	struct envelope_address *address = envelope_address_new(typed);

	if (chance(rand))
		g_ptr_array_add(address->arguments, g_strdup("NOTIFY=SUCCESS,FAILURE"));
	if (chance(rand))
		g_ptr_array_add(address->arguments, word(rand));
	address->refused = chance(rand);
	return address;
}

static void
fill_client(GRand *rand, struct client *client)
{
	client->ip = chance(rand) ? g_strdup("2001:db8::25") : NULL;
	client->port = chance(rand) ? (guint)g_rand_int_range(rand, 1, 65536) : 0;
	client->name = chance(rand) ? g_strdup("mx.sender.example") : NULL;
	client->helo = word_or_null(rand);
	if (chance(rand)) {
		client->tls_version = g_strdup("TLSv1.3");
		client->tls_cipher = g_strdup("TLS_AES_256_GCM_SHA384");
		client->tls_bits = 256;
		client->tls_subject = word_or_null(rand);
	}
	if (chance(rand)) {
		client->sasl_user = word(rand);
		client->sasl_method = g_strdup("PLAIN");
		client->sasl_author = word_or_null(rand);
	}
}

struct event *
generate_event(GRand *rand)
{
	struct event *event = event_new();

	record_free(event->record);
	event->record = generate_record(rand);
	event->received_at_us = 1795383398231000 + (gint64)number(rand);
	event->event_id = event_id_of(&event->received_at_us, sizeof(event->received_at_us));
	event->parent_event = chance(rand) ? event_id_of("parent", 6) : NULL;
	event->supplements = event->parent_event && chance(rand) ? event_id_of("earlier", 7) : NULL;
	event->tenant = chance(rand) ? g_strdup("example") : NULL;
	event->sensor = chance(rand) ? g_strdup("mx1") : NULL;
	event->host = chance(rand) ? g_strdup("mx1.example.org") : NULL;
	event->mta = word_or_null(rand);
	event->queue_id = chance(rand) ? g_strdup("4Xyz12AbCdzKq") : NULL;
	event->origin = g_strdup(chance(rand) ? "milter" : "import");
	event->direction = (enum direction)g_rand_int_range(rand, 0, DIRECTION_INTERNAL + 1);
	fill_client(rand, &event->client);
	event->sender = chance(rand) ? generate_envelope_address(rand) : NULL;
	for (int n = g_rand_int_range(rand, 0, 5); n > 0; n--)
		g_ptr_array_add(event->recipients, generate_envelope_address(rand));
	event->unread = word_or_null(rand);
	event->verdict = (enum verdict)g_rand_int_range(rand, 0, VERDICT_DISCARD + 1);
	event->verdict_reason = word_or_null(rand);
	for (int n = chance(rand) ? g_rand_int_range(rand, 0, 3) : 0; n > 0; n--)
		event_add_block(event, g_rand_int(rand),
				(enum block_mode)g_rand_int_range(rand, 0, BLOCK_MODES),
				chance(rand), "2!/a.js");
	return event;
}

/* ---- writing out ---- */

struct delivery *
generate_delivery(GRand *rand)
{
	struct delivery *delivery = delivery_new();

	delivery->kind = (enum delivery_kind)g_rand_int_range(rand, 0, DELIVERY_KIND_COUNT);
	delivery->event_id = event_id_of(&delivery->kind, sizeof(delivery->kind));
	delivery->tenant = word_or_null(rand);
	delivery->sensor = word_or_null(rand);
	delivery->log_host = g_strdup_printf("mx%u", g_rand_int_range(rand, 0, 9));
	delivery->queue_id = g_strdup_printf("4Xyz%09uz", g_rand_int(rand));
	delivery->time_us = (gint64)1700000000 * G_USEC_PER_SEC + g_rand_int(rand);
	delivery->recipient = address_text(rand);
	delivery->original =
		chance(rand) || delivery->kind == DELIVERY_ALIASED ? address_text(rand) : NULL;
	delivery->dsn = word_or_null(rand);
	delivery->relay = word_or_null(rand);
	delivery->detail = word_or_null(rand);
	delivery->next_queue_id =
		delivery->kind == DELIVERY_REQUEUED ? g_strdup("4Xyz1z") : word_or_null(rand);
	delivery->folder = word_or_null(rand);
	delivery->from_folder = word_or_null(rand);
	delivery->storage_id = word_or_null(rand);
	delivery->message_id = word_or_null(rand);
	delivery->uid = chance(rand) ? g_rand_int(rand) : 0;
	delivery->uid_last = chance(rand) ? g_rand_int(rand) : 0;
	delivery->number = chance(rand) ? g_rand_int(rand) : 0;
	delivery->number_last = chance(rand) ? g_rand_int(rand) : 0;
	delivery->recipients = chance(rand) ? (guint)g_rand_int_range(rand, 1, 1000) : 0;
	if (delivery->kind == DELIVERY_QUEUED || delivery->kind == DELIVERY_DONE)
		g_clear_pointer(&delivery->recipient, g_free);
	return delivery;
}

struct login *
generate_login(GRand *rand)
{
	struct login *login = login_new();
	guint8 ip[NETWORK_IP_BYTES] = {[10] = 0xff, [11] = 0xff};

	login->time_us = (gint64)1700000000 * G_USEC_PER_SEC + g_rand_int(rand);
	login->event_id = event_id_of(&login->time_us, sizeof(login->time_us));
	login->tenant = word_or_null(rand);
	login->sensor = word_or_null(rand);
	login->log_host = g_strdup_printf("mbox%u", g_rand_int_range(rand, 0, 9));
	login->service = g_strdup(chance(rand) ? "imap" : "submission");
	login->user = address_text(rand);
	if (*login->user == '\0') {
		g_free(login->user);
		login->user = g_strdup("bob");
	}
	for (gsize i = chance(rand) ? 0 : 12; i < NETWORK_IP_BYTES; i++)
		ip[i] = (guint8)g_rand_int_range(rand, 0, 256);
	login->client = network_ip_text(ip);
	login->session = chance(rand) ? g_strdup("yWPEJ1hheJR/AAAB") : NULL;
	login->method = chance(rand) ? g_strdup("PLAIN") : NULL;
	return login;
}

static void
dump_text(GString *dump, const char *name, const char *text)
{
	g_autofree char *escaped = text != NULL ? g_strescape(text, NULL) : NULL;

	if (escaped != NULL)
		g_string_append_printf(dump, "%s=\"%s\"\n", name, escaped);
	else
		g_string_append_printf(dump, "%s absent\n", name);
}

static void
dump_number(GString *dump, const char *name, gint64 value)
{
	g_string_append_printf(dump, "%s=%" G_GINT64_FORMAT "\n", name, value);
}

static void
dump_bytes(GString *dump, const char *name, const void *bytes, gsize length)
{
	g_autofree char *hex = hex_encode(bytes, length);

	dump_text(dump, name, hex);
}

static void
dump_raw(GString *dump, const char *name, GBytes *raw)
{
	if (raw != NULL)
		dump_bytes(dump, name, g_bytes_get_data(raw, NULL), g_bytes_get_size(raw));
	else
		dump_text(dump, name, NULL);
}

static void
dump_texts(GString *dump, const char *name, const GPtrArray *texts)
{
	dump_number(dump, name, texts->len);
	for (guint i = 0; i < texts->len; i++)
		dump_text(dump, name, g_ptr_array_index(texts, i));
}

static void
dump_addresses(GString *dump, const char *name, const GPtrArray *addresses)
{
	dump_number(dump, name, addresses->len);
	for (guint i = 0; i < addresses->len; i++) {
		const struct mail_address *address = g_ptr_array_index(addresses, i);

		dump_text(dump, "display", address->display);
		dump_text(dump, "address", address->address);
	}
}

static void
dump_file_lists(GString *dump, const struct file *file)
{
	for (guint i = 0; i < file->names->len; i++) {
		const struct file_name *name = g_ptr_array_index(file->names, i);

		dump_text(dump, "name", name->text);
		dump_raw(dump, "raw", name->raw);
		dump_text(dump, "reading", name->reading);
	}
	for (guint i = 0; i < file->variants->len; i++) {
		const struct variant *variant = &g_array_index(file->variants, struct variant, i);

		dump_text(dump, "variant", variant_kind_name(variant->kind));
		dump_number(dump, "size", (gint64)variant->size);
		dump_bytes(dump, "digests", &variant->digests, sizeof(variant->digests));
	}
	dump_texts(dump, "readings", file->readings);
	dump_texts(dump, "malware", file->malware);
}

static void
dump_file(GString *dump, const struct file *file)
{
	dump_text(dump, "path", file->path);
	dump_number(dump, "parent", file->parent);
	dump_text(dump, "declared_type", file->declared_type);
	dump_text(dump, "detected_type", file->detected_type);
	dump_text(dump, "disposition", file->disposition);
	dump_text(dump, "content_id", file->content_id);
	dump_text(dump, "encoding", file->encoding);
	dump_number(dump, "size", (gint64)file->size);
	dump_number(dump, "flags", file->flags);
	dump_bytes(dump, "digests", &file->digests, sizeof(file->digests));
	dump_number(dump, "crc32", file->has_crc32 ? (gint64)file->crc32 : -1);
	dump_text(dump, "method", file->method);
	dump_file_lists(dump, file);
}

static void
dump_record_into(GString *dump, const struct record *record)
{
	dump_text(dump, "message_id", record->message_id);
	dump_text(dump, "subject", record->subject);
	dump_raw(dump, "subject_raw", record->subject_raw);
	dump_text(dump, "date", record->date);
	dump_number(dump, "date_us", record->date_us);
	dump_addresses(dump, "from", record->from);
	dump_addresses(dump, "to", record->to);
	dump_addresses(dump, "cc", record->cc);
	dump_addresses(dump, "reply_to", record->reply_to);
	dump_texts(dump, "delivered_to", record->delivered_to);
	dump_texts(dump, "authentication_results", record->authentication_results);
	dump_text(dump, "list_id", record->list_id);
	dump_text(dump, "scanner", record->scanner);
	dump_texts(dump, "urls", record->urls);
	for (guint i = 0; i < record->files->len; i++)
		dump_file(dump, g_ptr_array_index(record->files, i));
	for (guint i = 0; i < record->anomalies->len; i++) {
		const struct anomaly *anomaly = g_ptr_array_index(record->anomalies, i);

		dump_text(dump, "anomaly", anomaly->name);
		dump_number(dump, "offset", (gint64)anomaly->offset);
	}
	dump_texts(dump, "caps", record->caps);
	dump_number(dump, "size", (gint64)record->size);
	dump_bytes(dump, "sha256", record->sha256, sizeof(record->sha256));
}

char *
dump_record(const struct record *record)
{
	GString *dump = g_string_new(NULL);

	dump_record_into(dump, record);
	return g_string_free(dump, FALSE);
}

static void
dump_envelope_address(GString *dump, const char *name, const struct envelope_address *address)
{
	if (address == NULL) {
		dump_text(dump, name, NULL);
		return;
	}
	dump_text(dump, name, address->typed);
	dump_text(dump, "address", address->address);
	dump_texts(dump, "arguments", address->arguments);
	dump_number(dump, "refused", address->refused);
}

static void
dump_client(GString *dump, const struct client *client)
{
	dump_text(dump, "ip", client->ip);
	dump_number(dump, "port", client->port);
	dump_text(dump, "client name", client->name);
	dump_text(dump, "helo", client->helo);
	dump_text(dump, "tls_version", client->tls_version);
	dump_text(dump, "tls_cipher", client->tls_cipher);
	dump_number(dump, "tls_bits", client->tls_bits);
	dump_text(dump, "tls_subject", client->tls_subject);
	dump_text(dump, "sasl_user", client->sasl_user);
	dump_text(dump, "sasl_method", client->sasl_method);
	dump_text(dump, "sasl_author", client->sasl_author);
}

char *
dump_event(const struct event *event)
{
	GString *dump = g_string_new(NULL);

	dump_text(dump, "event_id", event->event_id);
	dump_text(dump, "parent_event", event->parent_event);
	dump_text(dump, "supplements", event->supplements);
	dump_text(dump, "tenant", event->tenant);
	dump_text(dump, "sensor", event->sensor);
	dump_text(dump, "host", event->host);
	dump_text(dump, "mta", event->mta);
	dump_text(dump, "queue_id", event->queue_id);
	dump_text(dump, "origin", event->origin);
	dump_number(dump, "received_at_us", event->received_at_us);
	dump_text(dump, "direction", direction_name(event->direction));
	dump_client(dump, &event->client);
	dump_envelope_address(dump, "sender", event->sender);
	for (guint i = 0; i < event->recipients->len; i++)
		dump_envelope_address(dump, "recipient", g_ptr_array_index(event->recipients, i));
	dump_record_into(dump, event->record);
	dump_text(dump, "unread", event->unread);
	dump_text(dump, "verdict", verdict_name(event->verdict));
	dump_text(dump, "verdict_reason", event->verdict_reason);
	for (guint i = 0; i < event->blocks->len; i++) {
		const struct event_block *block = g_ptr_array_index(event->blocks, i);

		dump_number(dump, "block", block->number);
		dump_text(dump, block_mode_name(block->mode), block->file);
		dump_number(dump, "candidate", block->candidate);
	}
	return g_string_free(dump, FALSE);
}

char *
dump_delivery(const struct delivery *delivery)
{
	GString *dump = g_string_new(NULL);

	dump_text(dump, "event_id", delivery->event_id);
	dump_text(dump, "tenant", delivery->tenant);
	dump_text(dump, "sensor", delivery->sensor);
	dump_text(dump, "log_host", delivery->log_host);
	dump_text(dump, "queue_id", delivery->queue_id);
	dump_number(dump, "time_us", delivery->time_us);
	dump_text(dump, "kind", delivery_kind_name(delivery->kind));
	dump_text(dump, "recipient", delivery->recipient);
	dump_text(dump, "original", delivery->original);
	dump_text(dump, "dsn", delivery->dsn);
	dump_text(dump, "relay", delivery->relay);
	dump_text(dump, "detail", delivery->detail);
	dump_text(dump, "next_queue_id", delivery->next_queue_id);
	dump_number(dump, "recipients", delivery->recipients);
	dump_text(dump, "folder", delivery->folder);
	dump_text(dump, "from_folder", delivery->from_folder);
	dump_text(dump, "storage_id", delivery->storage_id);
	dump_text(dump, "message_id", delivery->message_id);
	dump_number(dump, "uid", delivery->uid);
	dump_number(dump, "uid_last", delivery->uid_last);
	dump_number(dump, "number", delivery->number);
	dump_number(dump, "number_last", delivery->number_last);
	return g_string_free(dump, FALSE);
}
