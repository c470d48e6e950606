/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c - fills a store with made-up mail, and times questions to it.
 *
 * usage: store fill PATH MESSAGES BATCH   (prints messages a second)
 *        store hash N                     (prints the SHA-256 of message N's first file)
 *        store ask PATH TIMES WORD…       (prints microseconds of each asking, open to close)
 *
 * Mail as a site sees it: 1.3 recipients, 1.5 files of unique content beside a
 * text and an HTML body with their variants, three links of which two are the
 * newsletter's own, subjects in English and Japanese, JSON of some 4 KB.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "ocsf.h"
#include "store.h"

#define FIRST_US ((gint64)1767225600 * G_USEC_PER_SEC) /* 2026-01-01 */
#define APART_US ((gint64)20 * G_USEC_PER_SEC)
#define MAILBOXES 5000
#define SENDERS 40000

static const char *const words[] = {
	"Invoice",  "report",	"meeting", "schedule", "Re:",	  "weekly",  "delivery",
	"payment",  "reminder", "update",  "contract", "account", "project", "notes",
	"請求書",   "会議",	"資料",	   "送付",     "の件",	  "ご案内",  "見積もり",
	"お知らせ", "東京",	"支払い",  "確認",     "納品書",  "採用",    "議事録",
};
static const char *const extensions[] = {"pdf", "docx", "xlsx", "zip", "png", "js", "txt"};

/* A number from a message's own sequence, so that message n is the same in every run. */
static guint64
mix(guint64 n, guint64 salt)
{
	guint64 x = n * 0x9e3779b97f4a7c15 + salt * 0xbf58476d1ce4e5b9;

	x ^= x >> 30;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void
fill_digests(struct digests *digests, guint64 n, guint64 salt)
{
	guint64 seed[2] = {n, salt};

	digests_of(seed, sizeof(seed), digests);
}

static char *
make_subject(guint64 n)
{
	GString *subject = g_string_new(NULL);
	guint count = 3 + mix(n, 1) % 4;

	for (guint i = 0; i < count; i++)
		g_string_append_printf(subject, "%s ", words[mix(n, 10 + i) % G_N_ELEMENTS(words)]);
	g_string_append_printf(subject, "%u", (guint)(mix(n, 2) % 100000));
	return g_string_free(subject, FALSE);
}

static void
add_body(struct event *event, guint64 n, guint salt, const char *path, const char *type)
{
	struct file *file = record_add_file(event->record, path, 0);

	file->flags = FILE_BODY;
	file->declared_type = g_strdup(type);
	file->encoding = g_strdup("quoted-printable");
	file->size = 2000 + mix(n, salt) % 8000;
	fill_digests(&file->digests, n, salt);
	for (int kind = VARIANT_LF; kind < VARIANT_KIND_COUNT; kind++) {
		struct variant variant = {.kind = kind, .size = file->size - kind};

		fill_digests(&variant.digests, n, salt + 100 * kind);
		g_array_append_val(file->variants, variant);
	}
}

static void
add_attachment(struct event *event, guint64 n, guint i)
{
	g_autofree char *path = g_strdup_printf("%u", i + 2);
	g_autofree char *name =
		g_strdup_printf("%s_%u.%s", words[mix(n, 40 + i) % G_N_ELEMENTS(words)],
				(guint)(mix(n, 50 + i) % 200000), extensions[mix(n, 60 + i) % 7]);
	struct file *file = record_add_file(event->record, path, 0);

	file->declared_type = g_strdup("application/octet-stream");
	file->disposition = g_strdup("attachment");
	file->encoding = g_strdup("base64");
	file->size = 1000 + mix(n, 70 + i) % 2000000;
	file_add_name(file, name, "filename", NULL);
	fill_digests(&file->digests, n, 1000 + i);
}

static void
add_links(struct event *event, guint64 n)
{
	GPtrArray *urls = event->record->urls;
	guint sender = mix(n, 3) % SENDERS;

	g_ptr_array_add(urls, g_strdup_printf("https://www.site%u.example/", sender));
	g_ptr_array_add(urls, g_strdup_printf("https://www.site%u.example/unsubscribe", sender));
	g_ptr_array_add(urls,
			g_strdup_printf("https://click.site%u.example/t/%016" G_GINT64_MODIFIER "x",
					sender, mix(n, 4)));
}

static struct event *
make_event(guint64 n)
{
	struct event *event = event_new();
	g_autofree char *sender =
		g_strdup_printf("<news%u@site%u.example>", (guint)(mix(n, 3) % SENDERS),
				(guint)(mix(n, 3) % SENDERS));
	guint rcpts = mix(n, 5) % 10 < 8 ? 1 : 2 + mix(n, 6) % 2;

	event->received_at_us = FIRST_US + (gint64)n * APART_US;
	event->event_id = event_id_new(event->received_at_us);
	event->tenant = g_strdup("default");
	event->sensor = g_strdup(n % 2 ? "mx1" : "mx2");
	event->origin = g_strdup("milter");
	event->queue_id = g_strdup_printf("4%012" G_GINT64_MODIFIER "X", mix(n, 7) >> 16);
	event->direction = DIRECTION_INBOUND;
	event->client.ip =
		g_strdup_printf("198.51.%u.%u", (guint)(mix(n, 8) % 256), (guint)(mix(n, 9) % 256));
	event->sender = envelope_address_new(sender);
	for (guint i = 0; i < rcpts; i++) {
		g_autofree char *rcpt = g_strdup_printf("<user%u@corp.example>",
							(guint)(mix(n, 20 + i) % MAILBOXES));

		g_ptr_array_add(event->recipients, envelope_address_new(rcpt));
	}
	event->record->subject = make_subject(n);
	event->record->message_id =
		g_strdup_printf("<%016" G_GINT64_MODIFIER "x@mail.example>", mix(n, 11));
	event->record->size = 50000;
	mail_address_add(event->record->from, "News", event->sender->address);
	record_add_file(event->record, "", -1)->flags = FILE_MULTIPART;
	add_body(event, n, 2000, "1.1", "text/plain");
	add_body(event, n, 3000, "1.2", "text/html");
	for (guint i = 0; i < 1 + n % 2; i++)
		add_attachment(event, n, i);
	add_links(event, n);
	return event;
}

static void
check(gboolean ok, GError *error)
{
	if (ok)
		return;
	g_printerr("%s\n", error ? error->message : "failed");
	exit(2);
}

static int
fill(const char *path, guint64 messages, guint64 batch)
{
	g_autofree char *url = g_strconcat("sqlite:", path, NULL);
	GError *error = NULL;
	g_autoptr(store_t) store = store_open(url, STORE_WRITE, &error);
	gint64 in_store_us = 0, start_us = g_get_monotonic_time(), json_bytes = 0;

	check(store != NULL, error);
	for (guint64 n = 0; n < messages; n++) {
		g_autoptr(event_t) event = make_event(n);
		g_autoptr(GBytes) json = ocsf_encode_event(event, 4 * 1024 * 1024);
		gint64 before_us = g_get_monotonic_time();
		gboolean added;

		json_bytes += g_bytes_get_size(json);
		if (n % batch == 0)
			check(store_begin(store, &error), error);
		check(store_add_event(store, event, json, NULL, &added, &error), error);
		if (n % batch == batch - 1 || n == messages - 1)
			check(store_commit(store, &error), error);
		in_store_us += g_get_monotonic_time() - before_us;
		if ((n + 1) % 100000 == 0)
			g_printerr("%" G_GUINT64_FORMAT " messages, %.0f a second in the store\n",
				   n + 1, (n + 1) * 1e6 / in_store_us);
	}
	g_print("messages=%" G_GUINT64_FORMAT " batch=%" G_GUINT64_FORMAT
		" store_per_second=%.0f with_making=%.0f json_bytes_each=%.0f\n",
		messages, batch, messages * 1e6 / in_store_us,
		messages * 1e6 / (g_get_monotonic_time() - start_us),
		(double)json_bytes / messages);
	return 0;
}

static gboolean
count_hit(const struct store_hit *hit, void *data)
{
	return TRUE;
}

static int
ask(const char *path, int times, char **terms)
{
	g_autofree char *url = g_strconcat("sqlite:", path, NULL);

	for (int i = 0; i < times; i++) {
		gint64 start_us = g_get_monotonic_time();
		GError *error = NULL;
		g_autoptr(store_t) store = store_open(url, STORE_READ, &error);
		g_autoptr(query_t) query = query_new("default");
		struct store_coverage coverage;
		guint64 hits = 0;

		check(store != NULL, error);
		for (char **term = terms; *term; term++)
			check(query_add(query, *term, FALSE, &error), error);
		check(store_who(store, query, count_hit, NULL, NULL, NULL, &hits, &error), error);
		check(store_coverage(store, query, NULL, &coverage, &error), error);
		g_print("us=%" G_GINT64_FORMAT " hits=%" G_GUINT64_FORMAT
			" messages=%" G_GUINT64_FORMAT "\n",
			g_get_monotonic_time() - start_us, hits, coverage.messages);
		store_coverage_clear(&coverage);
	}
	return 0;
}

static int
print_hash(guint64 n)
{
	struct digests digests;
	g_autofree char *hex = NULL;

	fill_digests(&digests, n, 1000);
	hex = hex_encode(digests.sha256, SHA256_BYTES);
	g_print("%s\n", hex);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], g_ascii_strtoull(argv[3], NULL, 10),
			    MAX(1, g_ascii_strtoull(argv[4], NULL, 10)));
	if (argc == 3 && strcmp(argv[1], "hash") == 0)
		return print_hash(g_ascii_strtoull(argv[2], NULL, 10));
	if (argc >= 5 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], atoi(argv[3]), argv + 4);
	g_printerr("usage: store fill PATH MESSAGES BATCH | hash N | ask PATH TIMES WORD...\n");
	return 2;
}
