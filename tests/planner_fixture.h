/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planner_fixture.h - a store with records, lines of MTAs and of mailboxes, and plans
 * made of them: what the tests of planning share.
 */
#ifndef MAILTRACE_PLANNER_FIXTURE_H
#define MAILTRACE_PLANNER_FIXTURE_H

#include "caps.h"
#include "ocsf.h"
#include "planner.h"
#include "store_fixture.h"

#define EVIL "the file that is asked for"
#define OTHER "another file"

static struct store_fixture fixture;
static const char *const ours[] = {"s.example", NULL};
static const char *const untouched[] = {"postmaster@", NULL};
static struct planner_options options;

static inline void
setup(void)
{
	store_fixture_init(&fixture);
	options = (struct planner_options){
		.local_domains = ours, .never_touch = untouched, .has_log = TRUE};
}

static inline void
teardown(void)
{
	store_fixture_clear(&fixture);
}

/* ---- what is in the store ---- */

/* Stores an event as a sensor sends it, since a plan reads it whole; frees it. */
static inline void
store_whole(struct event *event)
{
	g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	GError *error = NULL;
	gboolean added = FALSE;

	expect_ok(store_add_event(fixture.store, event, json, NULL, &added, &error), error);
	cr_assert(added);
	event_free(event);
}

/* A message of a queue id to recipients separated by blanks, with the evil file. */
static inline struct event *
mail(int second, const char *queue_id, const char *recipients)
{
	struct event *event = make_event(second);
	g_auto(GStrv) each = g_strsplit(recipients, " ", -1);
	g_autofree char *message_id = g_strdup_printf("<%s@origin.example>", queue_id);

	set_text(&event->host, "mx1");
	set_text(&event->queue_id, queue_id);
	set_text(&event->record->message_id, message_id);
	set_text(&event->record->subject, "invoice");
	add_file(event, "1", NULL, "whole")->flags = FILE_MULTIPART;
	add_file(event, "2", "evil.exe", EVIL)->parent = 0;
	for (guint i = 0; each[i]; i++) {
		g_autofree char *typed = g_strconcat("<", each[i], ">", NULL);

		add_rcpt(event, typed);
	}
	return event;
}

/* A line of the log of a queue id; recipient, original, next may be NULL. */
static inline void
line_of(const char *relay, guint recipients, int second, const char *queue_id,
	enum delivery_kind kind, const char *recipient, const char *original, const char *next)
{
	g_autofree char *text =
		g_strdup_printf("%d %s %d %s", second, queue_id, kind, recipient ? recipient : "-");
	g_autofree char *id = event_id_of(text, strlen(text));
	g_autoptr(GBytes) json = g_bytes_new(text, strlen(text));
	const struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)"mx1",
		.queue_id = (char *)queue_id,
		.time_us = AT(second),
		.kind = kind,
		.recipient = (char *)recipient,
		.original = (char *)original,
		.next_queue_id = (char *)next,
		.relay = (char *)relay,
		.recipients = recipients,
	};
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_delivery(fixture.store, &delivery, json, NULL, &added, &error), error);
}

static inline void
line(int second, const char *queue_id, enum delivery_kind kind, const char *recipient,
     const char *original, const char *next)
{
	line_of("relay.example", 0, second, queue_id, kind, recipient, original, next);
}

/* The message is active in the queue for so many. */
static inline void
queued(int second, const char *queue_id, guint recipients)
{
	line_of("relay.example", recipients, second, queue_id, DELIVERY_QUEUED, NULL, NULL, NULL);
}

/* What the mailbox's server logs: the MTA's line of an LMTP delivery has its session. */
static inline void
mailbox_line_from(int second, const char *session, enum delivery_kind kind, const char *from,
		  const char *folder, guint uid)
{
	g_autofree char *text = g_strdup_printf("%d %s %d %s", second, session, kind, folder);
	g_autofree char *id = event_id_of(text, strlen(text));
	g_autoptr(GBytes) json = g_bytes_new(text, strlen(text));
	const struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)"mx1",
		.queue_id = (char *)session,
		.time_us = AT(second),
		.kind = kind,
		.recipient = (char *)"bob@s.example",
		.relay = (char *)"pop3",
		.folder = (char *)folder,
		.from_folder = (char *)from,
		.storage_id = (char *)(kind == DELIVERY_STORED ? "1795.M1" : NULL),
		.message_id = (char *)"<Q1@origin.example>",
		.uid = uid,
	};
	GError *error = NULL;
	gboolean added;

	expect_ok(store_add_delivery(fixture.store, &delivery, json, NULL, &added, &error), error);
}

static inline void
mailbox_line(int second, const char *session, enum delivery_kind kind, const char *folder,
	     guint uid)
{
	mailbox_line_from(second, session, kind, NULL, folder, uid);
}

static inline void
copied_line(int second, const char *from, const char *folder, guint uid)
{
	mailbox_line_from(second, "iMaP", DELIVERY_COPIED, from, folder, uid);
}

/* ---- plans ---- */

static inline struct plan *
plan_words(const char *words, guint scope)
{
	g_autoptr(query_t) query = make_query("a", words);
	struct plan *plan = plan_new(PLAN_CONTAIN, "a");
	guint64 hits = 0;
	GError *error = NULL;

	query->with_refused = TRUE;
	plan->scope = scope;
	expect_ok(planner_fill(fixture.store, query, &options, plan, NULL, NULL, &hits, &error),
		  error);
	return plan;
}
#endif
