/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "caps.h"
#include "directory_fixture.h"
#include "kept.h"
#include "later.h"

#define ZIP "application/zip"
#define PROGRAM "application/vnd.microsoft.portable-executable"

/* An engine in a directory of its own, without a scanner. */
static struct {
	struct settings *settings;
	struct spool *spool;
	struct scanner_client *scanner;
	struct engine *engine;
	struct later *later;
} site;

static void
open_site(void)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	make_directory();
	text = g_strdup_printf("[site]\nsensor = mx1\n[spool]\ndirectory = %s\n"
			       "[milter]\ntemp_directory = %s\n",
			       directory, directory);
	site.settings = settings_parse("test.conf", text, strlen(text), &error);
	cr_assert(site.settings, "%s", error ? error->message : "");
	site.spool = spool_open(directory, 0, &error);
	cr_assert(site.spool, "%s", error ? error->message : "");
	site.scanner = scanner_client_new();
	site.engine = engine_new(site.settings, site.spool, site.scanner, &error);
	site.later = later_new(site.engine, directory, &error);
	cr_assert(site.later, "%s", error ? error->message : "");
}

static void
close_site(void)
{
	later_free(site.later);
	engine_free(site.engine);
	scanner_client_free(site.scanner);
	spool_close(site.spool);
	settings_unref(site.settings);
	remove_directory();
}

TestSuite(later, .init = open_site, .fini = close_site);

static struct message *
make_message(gsize bytes)
{
	struct message *message =
		message_new(site.engine, 64 * 1024 * 1024, site.settings->temp_directory);
	g_autofree char *body = NULL;

	message_add_header(message, "Subject", " s");
	message_end_header(message);
	body = g_strnfill(bytes - message_size(message), 'm');
	message_add_body(message, body, strlen(body));
	return message;
}

/*
 * A message's event.  type: of an archive in it with an encrypted member, or NULL for none;
 * method: the member's, or NULL.
 */
static struct event *
make_event(const char *type, const char *method)
{
	struct event *event = event_new();

	event->received_at_us = g_get_real_time();
	event->event_id = event_id_new(event->received_at_us);
	event->origin = g_strdup("milter");
	event->sender = envelope_address_new("<a@x>");
	g_ptr_array_add(event->recipients, envelope_address_new("<b@x>"));
	record_add_file(event->record, "1", -1)->detected_type = g_strdup(type);
	if (type) {
		struct file *member = record_add_file(event->record, "1!/a", 0);

		((struct file *)event->record->files->pdata[0])->flags = FILE_ENCRYPTED;
		member->flags = FILE_ENCRYPTED;
		member->method = g_strdup(method);
	}
	return event;
}

static gboolean
take_event(const struct event *event, gsize bytes)
{
	g_autoptr(message_t) message = make_message(bytes);

	return later_message(site.later, event, message);
}

static gboolean
take(const char *type, const char *method, gsize bytes)
{
	g_autoptr(event_t) event = make_event(type, method);

	return take_event(event, bytes);
}

/* Has all that was taken done, and returns how many are kept. */
static guint
kept_at_last(void)
{
	g_autoptr(kept_t) kept = NULL;

	later_start(site.later);
	g_clear_pointer(&site.later, later_free);
	kept = kept_open(directory, NULL);
	return kept_count(kept);
}

Test(later, keeps_messages_with_zips_that_a_password_would_open)
{
	cr_assert(take(ZIP, "zipcrypto+deflate", 100));
	cr_assert(take(ZIP, "aes-256+store", 100));
	cr_assert(take(ZIP, NULL, 100)); /* libzip has no such member, libarchive has */
	cr_assert(take(PROGRAM, NULL, 100));
	cr_assert_eq(kept_at_last(), 4);
}

Test(later, keeps_no_others)
{
	cr_assert(take(NULL, NULL, 100));
	cr_assert(take(ZIP, "unknown", 100));
	cr_assert(take("application/vnd.rar", NULL, 100));
	cr_assert(take("application/vnd.rar", "rar5", 100));
	cr_assert(take("application/x-7z-compressed", NULL, 100));
	cr_assert(take("application/x-7z-compressed", "7z", 100));
	cr_assert(take(PROGRAM, "rar4", 100));
	cr_assert(take(PROGRAM, "7z", 100));
	cr_assert_eq(kept_at_last(), 0);
}

Test(later, keeps_none_of_whose_members_all_could_be_read)
{
	g_autoptr(event_t) event = make_event(ZIP, "aes-256+store+opened");
	struct file *member = event->record->files->pdata[1];

	/* It is a zip itself, with an encrypted directory and so without members. */
	memset(member->digests.sha256, 1, SHA256_BYTES);
	cr_assert(take_event(event, 100));
	cr_assert_eq(kept_at_last(), 0);
}

Test(later, keeps_a_message_to_the_cap_and_none_beyond)
{
	for (gsize bytes = CAP_LOCKED_BYTES - 1; bytes <= CAP_LOCKED_BYTES + 1; bytes++)
		cr_assert(take(ZIP, "aes-256", bytes));
	cr_assert_eq(kept_at_last(), 2);
}

Test(later, takes_to_the_cap_and_passes_over_beyond)
{
	for (guint i = 1; i <= CAP_LATER_QUEUE + 1; i++)
		cr_expect_eq(take(ZIP, "aes-256", 100), i <= CAP_LATER_QUEUE, "%u", i);
	cr_assert_eq(kept_at_last(), CAP_LATER_QUEUE);
}

Test(later, does_nothing_where_there_is_none)
{
	g_autoptr(event_t) event = make_event(ZIP, "aes-256");
	g_autoptr(message_t) message = make_message(100);

	cr_assert(later_message(NULL, event, message));
}
