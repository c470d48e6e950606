/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_fixture.h - what the store's tests share: a store in a directory of
 * its own, events made by hand, and answers as lists.
 */
#ifndef MAILTRACE_STORE_FIXTURE_H
#define MAILTRACE_STORE_FIXTURE_H

#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "store.h"

#define AT(seconds) ((gint64)1700000000 * G_USEC_PER_SEC + (gint64)(seconds)*G_USEC_PER_SEC)

/* A store in a directory that store_fixture_clear() removes. */
struct store_fixture {
	char *directory, *path, *url;
	struct store *store;
};

/* A macro, so that the call is made before error is looked at. */
#define expect_ok(call, error)                                                     \
	do {                                                                       \
		gboolean ok_ = (call);                                             \
		cr_assert(ok_ && !(error), "%s",                                   \
			  (error) ? (error)->message : "failed without an error"); \
	} while (0)

static inline struct store *
open_store(const char *url, enum store_mode mode)
{
	GError *error = NULL;
	struct store *store = store_open(url, mode, &error);

	expect_ok(store != NULL, error);
	return store;
}

static inline void
store_fixture_init(struct store_fixture *fixture)
{
	fixture->directory = g_dir_make_tmp("mailtrace-store-XXXXXX", NULL);
	fixture->path = g_build_filename(fixture->directory, "store.db", NULL);
	fixture->url = g_strconcat("sqlite:", fixture->path, NULL);
	fixture->store = open_store(fixture->url, STORE_WRITE);
}

static inline void
store_fixture_clear(struct store_fixture *fixture)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};

	store_close(fixture->store);
	for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = g_strconcat(fixture->path, suffixes[i], NULL);

		g_unlink(path);
	}
	cr_expect_eq(g_rmdir(fixture->directory), 0, "the store left files behind");
	g_free(fixture->directory);
	g_free(fixture->path);
	g_free(fixture->url);
}

/* An accepted message at AT(second) of tenant "a" and sensor "mx1", without recipients or files. */
static inline struct event *
make_event(int second)
{
	struct event *event = event_new();

	event->event_id = event_id_new(AT(second));
	event->tenant = g_strdup("a");
	event->sensor = g_strdup("mx1");
	event->origin = g_strdup("milter");
	event->received_at_us = AT(second);
	event->direction = DIRECTION_INBOUND;
	event->sender = envelope_address_new("<sender@origin.example>");
	return event;
}

static inline void
set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

static inline struct envelope_address *
add_rcpt(struct event *event, const char *typed)
{
	struct envelope_address *address = envelope_address_new(typed);

	g_ptr_array_add(event->recipients, address);
	return address;
}

/* A file with this content and name (NULL for none), at path. */
static inline struct file *
add_file(struct event *event, const char *path, const char *name, const char *content)
{
	struct file *file = record_add_file(event->record, path, -1);

	file->size = strlen(content);
	digests_of(content, strlen(content), &file->digests);
	if (name)
		file_add_name(file, name, "filename", NULL);
	return file;
}

static inline void
add_variant(struct file *file, enum variant_kind kind, const char *content)
{
	struct variant variant = {.kind = kind, .size = strlen(content)};

	digests_of(content, strlen(content), &variant.digests);
	g_array_append_val(file->variants, variant);
}

/* Stores and frees an event; returns whether it was new. */
static inline gboolean
store_it(struct store *store, struct event *event)
{
	g_autoptr(GBytes) json = NULL;
	g_autoptr(event_t) owned G_GNUC_UNUSED = event;
	g_autofree char *text = g_strdup_printf("{\"id\":\"%s\",\"tenant\":\"%s\"}",
						event->event_id, event->tenant);
	GError *error = NULL;
	gboolean added = FALSE;

	json = g_bytes_new(text, strlen(text));
	expect_ok(store_add_event(store, event, json, NULL, &added, &error), error);
	return added;
}

/* A message to one recipient with one file "2", stored; returns its id, to free. */
static inline char *
store_mail(struct store *store, int second, const char *rcpt, const char *name, const char *content)
{
	struct event *event = make_event(second);
	char *id = g_strdup(event->event_id);

	add_rcpt(event, rcpt);
	add_file(event, "2", name, content);
	store_it(store, event);
	return id;
}

static inline char *
sha256_of(const char *content)
{
	struct digests digests;

	digests_of(content, strlen(content), &digests);
	return hex_encode(digests.sha256, SHA256_BYTES);
}

static inline gboolean
collect_hit(const struct store_hit *hit, void *data)
{
	struct store_hit *copy = g_new0(struct store_hit, 1);

	copy->received_at_us = hit->received_at_us;
	copy->recipient = g_strdup(hit->recipient);
	copy->state = g_strdup(hit->state);
	copy->match = g_strdup(hit->match);
	copy->variant = g_strdup(hit->variant);
	copy->file = g_strdup(hit->file);
	copy->name = g_strdup(hit->name);
	copy->sha256 = g_strdup(hit->sha256);
	copy->subject = g_strdup(hit->subject);
	copy->from = g_strdup(hit->from);
	copy->message_id = g_strdup(hit->message_id);
	copy->queue_id = g_strdup(hit->queue_id);
	copy->sensor = g_strdup(hit->sensor);
	copy->event_id = g_strdup(hit->event_id);
	copy->cursor = g_strdup(hit->cursor);
	g_ptr_array_add(data, copy);
	return TRUE;
}

static inline void
hit_free(void *data)
{
	struct store_hit *hit = data;
	char *owned[] = {hit->recipient, hit->state,  hit->match,    hit->variant, hit->file,
			 hit->name,	 hit->sha256, hit->subject,  hit->from,	   hit->message_id,
			 hit->queue_id,	 hit->sensor, hit->event_id, hit->cursor};

	for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
		g_free(owned[i]);
	g_free(hit);
}

/* Asks; returns the hits, to unref. */
static inline GPtrArray *
ask_query(struct store *store, const struct query *query)
{
	GPtrArray *hits = g_ptr_array_new_with_free_func(hit_free);
	GError *error = NULL;
	guint64 count = 0;

	expect_ok(store_who(store, query, collect_hit, hits, NULL, NULL, &count, &error), error);
	cr_expect_eq(count, hits->len);
	return hits;
}

/* Makes a question of a tenant with words separated by blanks. */
static inline struct query *
make_query(const char *tenant, const char *words)
{
	struct query *query = query_new(tenant);
	g_auto(GStrv) each = g_strsplit(words, " ", -1);
	GError *error = NULL;

	for (guint i = 0; each[i]; i++) {
		if (*each[i])
			expect_ok(query_add(query, each[i], FALSE, &error), error);
	}
	return query;
}

/* Asks a tenant's question; returns "recipient recipient…" in the order given, to free. */
static inline char *
who(struct store *store, const char *tenant, const char *words)
{
	g_autoptr(query_t) query = make_query(tenant, words);
	g_autoptr(GPtrArray) hits = ask_query(store, query);
	GString *joined = g_string_new(NULL);

	for (guint i = 0; i < hits->len; i++) {
		const struct store_hit *hit = g_ptr_array_index(hits, i);

		g_string_append_printf(joined, "%s%s", i > 0 ? " " : "", hit->recipient);
	}
	return g_string_free(joined, FALSE);
}

#define expect_who(store, tenant, words, expected)                                           \
	do {                                                                                 \
		g_autofree char *got_ = who(store, tenant, words);                           \
		cr_expect_str_eq(got_, expected, "%s: got '%s', expected '%s'", words, got_, \
				 expected);                                                  \
	} while (0)
#endif
