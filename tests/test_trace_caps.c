/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a message is followed through lines of logs that somebody may have made up. */
#include "caps.h"
#include "store_fixture.h"

#define HOST "mx1.site.example"
#define BOB "bob@s.example"

static struct store_fixture fixture;

static void
setup(void)
{
	store_fixture_init(&fixture);
}

static void
teardown(void)
{
	store_fixture_clear(&fixture);
}

TestSuite(trace_caps, .init = setup, .fini = teardown, .timeout = 240);

/* Stores a line of the log at AT(second), of bob alone; next may be NULL. */
static void
store_line(int second, enum delivery_kind kind, const char *queue_id, const char *next)
{
	g_autofree char *text = g_strdup_printf("%d %d %s", second, kind, queue_id);
	g_autofree char *id = event_id_of(text, strlen(text));
	g_autofree char *json_text = g_strdup_printf("{\"id\":\"%s\"}", id);
	g_autoptr(GBytes) json = g_bytes_new(json_text, strlen(json_text));
	const struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"log1",
		.log_host = (char *)HOST,
		.queue_id = (char *)queue_id,
		.time_us = AT(second),
		.kind = kind,
		.recipient = (char *)BOB,
		.next_queue_id = (char *)next,
	};
	GError *error = NULL;
	gboolean added = FALSE;

	expect_ok(store_add_delivery(fixture.store, &delivery, json, NULL, &added, &error), error);
	cr_assert(added);
}

/* Stores a message to bob under a queue id; returns its event's id. */
static char *
store_message(const char *queue_id)
{
	struct event *event = make_event(0);
	char *id = g_strdup(event->event_id);

	set_text(&event->queue_id, queue_id);
	set_text(&event->host, HOST);
	add_rcpt(event, "<" BOB ">");
	store_it(fixture.store, event);
	return id;
}

/* Returns the state of bob's copy where it went; "" if that is not known. */
static char *
final_of(const char *event_id)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) finals = store_finals(fixture.store, "a", event_id, BOB, &error);

	expect_ok(finals != NULL, error);
	return g_strdup(finals->len ? ((struct store_final *)finals->pdata[0])->state : "");
}

/* Returns bob's state as it was settled when the last line came. */
static char *
state_of(const char *queue_id)
{
	g_autofree char *words = g_strconcat("queue:", queue_id, NULL);
	g_autoptr(query_t) query = make_query("a", words);
	g_autoptr(GPtrArray) hits = ask_query(fixture.store, query);

	cr_assert_eq(hits->len, 1);
	return g_strdup(((struct store_hit *)hits->pdata[0])->state);
}

static void
in_one_step(gboolean (*step)(struct store *store, GError **error))
{
	GError *error = NULL;

	expect_ok(step(fixture.store, &error), error);
}

/* The last of its lines says where it went; those before it, that it waits. */
Test(trace_caps, lines_are_read_to_their_cap)
{
	g_autofree char *id = NULL;

	in_one_step(store_begin);
	store_line(CAP_TRACE_LINES + 9, DELIVERY_SENT, "Q", NULL);
	for (int i = 1; i < CAP_TRACE_LINES - 1; i++)
		store_line(i, DELIVERY_DEFERRED, "Q", NULL);
	id = store_message("Q");
	in_one_step(store_commit);
	for (int more = -1; more <= 1; more++) {
		g_autofree char *state = final_of(id);

		cr_expect_str_eq(state, more <= 0 ? "delivered" : "deferred", "%d: %s", more,
				 state);
		if (more < 1)
			store_line(CAP_TRACE_LINES + more, DELIVERY_DEFERRED, "Q", NULL);
	}
}

/* Hands the message over so many times, each to a queue id of its own, in one host. */
static void
hand_over(const char *name, int hand_overs)
{
	in_one_step(store_begin);
	for (int i = 0; i < hand_overs; i++) {
		g_autofree char *queue_id = g_strdup_printf("%s%d", name, i);
		g_autofree char *next = g_strdup_printf("%s%d", name, i + 1);

		store_line(i + 1, DELIVERY_SENT, queue_id, next);
	}
	in_one_step(store_commit);
}

Test(trace_caps, queues_are_followed_to_their_cap)
{
	for (int more = -1; more <= 1; more++) {
		g_autofree char *name = g_strdup_printf("Q%dN", more + 1);
		g_autofree char *first = g_strconcat(name, "0", NULL), *id = NULL, *state = NULL;
		g_autofree char *last = g_strdup_printf("%s%d", name, CAP_TRACE_QUEUES + more);

		hand_over(name, CAP_TRACE_QUEUES + more);
		store_line(CAP_TRACE_QUEUES + 9, DELIVERY_BOUNCED, last, NULL);
		id = store_message(first);
		state = final_of(id);
		cr_expect_str_eq(state, more <= 0 ? "bounced" : "delivered", "%d: %s", more, state);
	}
}

/* The line that comes last is of the end of the chain; the message is at its beginning. */
Test(trace_caps, hops_are_gone_back_to_their_cap)
{
	for (int more = -1; more <= 1; more++) {
		g_autofree char *name = g_strdup_printf("Q%dN", more + 1);
		g_autofree char *first = g_strconcat(name, "0", NULL), *id = NULL, *state = NULL;
		g_autofree char *last = g_strdup_printf("%s%d", name, CAP_TRACE_HOPS + more);

		hand_over(name, CAP_TRACE_HOPS + more);
		id = store_message(first);
		store_line(CAP_TRACE_HOPS + 9, DELIVERY_BOUNCED, last, NULL);
		state = state_of(first);
		cr_expect_str_eq(state, more <= 0 ? "bounced" : "delivered", "%d: %s", more, state);
	}
}
