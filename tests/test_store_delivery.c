/* SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "digest.h"
#include "store_fixture.h"
#include "store_internal.h"
#include "store_schema.h"

#define QUEUE_ID "4Xyz12AbCdz9kL3"
#define HOST "mx1.site.example"
#define BOB "bob@s.example"
#define CAROL "carol@s.example"
#define TEAM "team@s.example"
#define ELSE "x@else.example"
#define NEXT_ID "4Xyz12BbCfzKr1"  /* under which a message goes on */
#define THIRD_ID "4Xyz12CcDgzKr1" /* and then */
#define TO_NEXT .next = NEXT_ID
#define FORWARDED .next = NEXT_ID, .relay = "local"
#define BELOW .queue_id = NEXT_ID

static struct store_fixture fixture;
static const char *tenant = "a"; /* each play of a rule has its own */

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

TestSuite(store_delivery, .init = setup, .fini = teardown, .timeout = 120);

/* ---- lines and messages ---- */

/* A line of the log at AT(second); recipient and original may be NULL. */
struct line {
	int second;
	enum delivery_kind kind;
	const char *recipient, *original;
	guint recipients;
	const char *queue_id, *host; /* NULL: QUEUE_ID, HOST */
	const char *next, *relay;
};

static struct delivery
delivery_of(const struct line *line, char *id)
{
	return (struct delivery){
		.event_id = id,
		.tenant = (char *)tenant,
		.sensor = (char *)"log1",
		.log_host = (char *)(line->host ? line->host : HOST),
		.queue_id = (char *)(line->queue_id ? line->queue_id : QUEUE_ID),
		.time_us = AT(line->second),
		.kind = line->kind,
		.recipient = (char *)line->recipient,
		.original = (char *)line->original,
		.recipients = line->recipients,
		.next_queue_id = (char *)line->next,
		.relay = (char *)line->relay,
	};
}

/* Stores a delivery with an id of its content, as the follower makes them. */
static gboolean
store_delivery(const struct delivery *delivery)
{
	g_autofree char *text = g_strdup_printf("{\"id\":\"%s\"}", delivery->event_id);
	g_autoptr(GBytes) json = g_bytes_new(text, strlen(text));
	GError *error = NULL;
	gboolean added = FALSE;

	expect_ok(store_add_delivery(fixture.store, delivery, json, NULL, &added, &error), error);
	return added;
}

static gboolean
store_line(const struct line *line)
{
	g_autofree char *text = g_strdup_printf(
		"%d %d %s %s %s %s %s", line->second, line->kind,
		line->recipient ? line->recipient : "-", line->original ? line->original : "-",
		line->queue_id ? line->queue_id : "-", line->host ? line->host : "-",
		line->next ? line->next : "-");
	g_autofree char *id = event_id_of(text, strlen(text));
	struct delivery delivery = delivery_of(line, id);

	return store_delivery(&delivery);
}

/* A message of QUEUE_ID at AT(second), to recipients separated by blanks, not yet stored. */
static struct event *
queued_event(int second, const char *recipients)
{
	struct event *event = make_event(second);
	g_auto(GStrv) each = g_strsplit(recipients, " ", -1);

	set_text(&event->tenant, tenant);
	set_text(&event->queue_id, QUEUE_ID);
	set_text(&event->host, HOST);
	for (guint i = 0; each[i]; i++) {
		g_autofree char *typed = g_strconcat("<", each[i], "@s.example>", NULL);

		add_rcpt(event, typed);
	}
	return event;
}

/* ---- answers ---- */

/* Returns "bob=delivered carol=rejected", refused ones too; local parts alone. */
static char *
states_of(const char *words)
{
	g_autoptr(query_t) query = make_query(tenant, words);
	g_autoptr(GPtrArray) hits = NULL;
	GString *joined = g_string_new(NULL);

	query->with_refused = TRUE;
	hits = ask_query(fixture.store, query);
	for (guint i = 0; i < hits->len; i++) {
		const struct store_hit *hit = g_ptr_array_index(hits, i);
		g_autofree char *local = g_strndup(hit->recipient, strcspn(hit->recipient, "@"));

		g_string_append_printf(joined, "%s%s=%s", i > 0 ? " " : "", local, hit->state);
	}
	return g_string_free(joined, FALSE);
}

#define expect_states(words, expected)                                                      \
	do {                                                                                \
		g_autofree char *got_ = states_of(words);                                   \
		cr_expect_str_eq(got_, expected, "%s: got '%s', expected '%s'", name, got_, \
				 expected);                                                 \
	} while (0)

static guint64
messages(void)
{
	g_autoptr(query_t) query = query_new(tenant);
	struct store_coverage coverage;
	guint64 count;
	GError *error = NULL;

	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	count = coverage.messages;
	store_coverage_clear(&coverage);
	return count;
}

Test(store_delivery, a_follower_is_no_sensor_of_an_answer)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	g_autoptr(query_t) query = query_new(tenant);
	struct store_coverage coverage;
	GError *error = NULL;

	store_it(fixture.store, queued_event(1, "bob"));
	store_line(&line);
	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	cr_assert_eq(coverage.sensors->len, 1);
	cr_expect_str_eq(g_ptr_array_index(coverage.sensors, 0), "mx1");
	store_coverage_clear(&coverage);
}

static void
start_anew(void)
{
	store_fixture_clear(&fixture);
	store_fixture_init(&fixture);
}

/* ---- the rules, in every order ---- */

#define LINES 6

struct rule {
	const char *name;
	const char *recipients; /* of the envelope */
	enum verdict verdict;
	struct line lines[LINES]; /* ends at second 0 */
	const char *states;
	guint64 messages;
};

static const struct rule rules[] = {
	{"accepted by the MTA",
	 "bob",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1}},
	 "bob=accepted",
	 1},
	{"delivered", "bob", 0, {{2, DELIVERY_SENT, BOB}}, "bob=delivered", 1},
	{"one of two",
	 "bob carol",
	 0,
	 {{2, DELIVERY_SENT, BOB}},
	 "bob=delivered carol=accepted",
	 1},
	{"written otherwise", "bob", 0, {{2, DELIVERY_SENT, "Bob@S.EXAMPLE"}}, "bob=delivered", 1},
	{"of nobody", "bob", 0, {{2, DELIVERY_SENT, ELSE}}, "bob=accepted", 1},
	{"deferred", "bob", 0, {{2, DELIVERY_DEFERRED, BOB}}, "bob=deferred", 1},
	{"deferred, then delivered",
	 "bob",
	 0,
	 {{2, DELIVERY_DEFERRED, BOB}, {9, DELIVERY_SENT, BOB}},
	 "bob=delivered",
	 1},
	{"deferred, then bounced",
	 "bob",
	 0,
	 {{2, DELIVERY_DEFERRED, BOB}, {9, DELIVERY_BOUNCED, BOB}},
	 "bob=bounced",
	 1},
	{"an alias", "team", 0, {{2, DELIVERY_SENT, BOB, TEAM}}, "team=delivered", 1},
	{"an alias of a recipient",
	 "team bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, TEAM}},
	 "team=delivered bob=delivered",
	 1},
	{"delivered outdoes the rest",
	 "team",
	 0,
	 {{2, DELIVERY_BOUNCED, BOB, TEAM},
	  {3, DELIVERY_SENT, CAROL, TEAM},
	  {4, DELIVERY_DEFERRED, ELSE, TEAM}},
	 "team=delivered",
	 1},
	{"deferred outdoes bounced",
	 "team",
	 0,
	 {{2, DELIVERY_DEFERRED, BOB, TEAM}, {3, DELIVERY_BOUNCED, CAROL, TEAM}},
	 "team=deferred",
	 1},
	{"held", "bob carol", 0, {{2, DELIVERY_HELD}}, "bob=held carol=held", 1},
	{"held at a recipient",
	 "bob carol",
	 0,
	 {{2, DELIVERY_HELD, BOB}},
	 "bob=held carol=held",
	 1},
	{"held and released",
	 "bob",
	 0,
	 {{2, DELIVERY_HELD}, {3, DELIVERY_QUEUED, .recipients = 1}},
	 "bob=accepted",
	 1},
	{"held by an operator",
	 "bob",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1}, {3, DELIVERY_HELD}},
	 "bob=held",
	 1},
	{"held after it was deferred",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2},
	  {3, DELIVERY_DEFERRED, BOB},
	  {3, DELIVERY_SENT, CAROL},
	  {5, DELIVERY_HELD}},
	 "bob=held carol=delivered",
	 1},
	{"deferred after it was released",
	 "bob",
	 0,
	 {{2, DELIVERY_HELD}, {5, DELIVERY_DEFERRED, BOB}},
	 "bob=deferred",
	 1},
	{"held by us", "bob", VERDICT_HOLD, {{2, DELIVERY_SENT, ELSE}}, "bob=held", 1},
	{"held by us and released",
	 "bob",
	 VERDICT_HOLD,
	 {{2, DELIVERY_QUEUED, .recipients = 1}},
	 "bob=accepted",
	 1},
	{"refused as a whole",
	 "bob carol",
	 0,
	 {{2, DELIVERY_REFUSED}},
	 "bob=rejected carol=rejected",
	 0},
	{"refused to one",
	 "bob carol",
	 0,
	 {{2, DELIVERY_REFUSED, CAROL}},
	 "bob=accepted carol=rejected",
	 1},
	{"a refusal of another message",
	 "bob carol",
	 0,
	 {{2, DELIVERY_REFUSED}, {3, DELIVERY_SENT, BOB}},
	 "bob=delivered carol=accepted",
	 1},
	{"refused by us", "bob", VERDICT_REJECT, {{2, DELIVERY_REFUSED}}, "bob=rejected", 0},
	{"one of whom no line spoke",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1}, {3, DELIVERY_SENT, BOB}, {4, DELIVERY_DONE}},
	 "bob=delivered carol=rejected",
	 1},
	{"not before the end",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1}, {3, DELIVERY_SENT, BOB}},
	 "bob=delivered carol=accepted",
	 1},
	{"not when the log began later",
	 "bob carol",
	 0,
	 {{3, DELIVERY_SENT, BOB}, {4, DELIVERY_DONE}},
	 "bob=delivered carol=accepted",
	 1},
	{"not when a line was lost",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2}, {3, DELIVERY_SENT, BOB}, {4, DELIVERY_DONE}},
	 "bob=delivered carol=accepted",
	 1},
	{"not when she may go by another name",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2},
	  {3, DELIVERY_SENT, BOB},
	  {3, DELIVERY_SENT, ELSE},
	  {4, DELIVERY_DONE}},
	 "bob=delivered carol=accepted",
	 1},
	{"not when the queue does not tell how many",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED}, {3, DELIVERY_SENT, BOB}, {4, DELIVERY_DONE}},
	 "bob=delivered carol=accepted",
	 1},
	{"not when it was deleted",
	 "bob carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2}, {4, DELIVERY_DONE}},
	 "bob=accepted carol=accepted",
	 1},
	{"not without any line",
	 "bob",
	 0,
	 {{2, DELIVERY_QUEUED}, {4, DELIVERY_DONE}},
	 "bob=accepted",
	 1},
	{"not when more speak than there were",
	 "bob carol team",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1},
	  {3, DELIVERY_SENT, BOB},
	  {3, DELIVERY_SENT, CAROL},
	  {4, DELIVERY_DONE}},
	 "bob=delivered carol=delivered team=accepted",
	 1},
	{"an alias of local and one of whom no line spoke",
	 "team carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 1},
	  {3, DELIVERY_SENT, BOB, TEAM},
	  {3, DELIVERY_BOUNCED, ELSE, TEAM},
	  {4, DELIVERY_DONE}},
	 "team=delivered carol=rejected",
	 1},
	{"not when an alias makes up for a line that was lost",
	 "team carol",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2},
	  {3, DELIVERY_SENT, BOB, TEAM},
	  {3, DELIVERY_BOUNCED, ELSE, TEAM},
	  {4, DELIVERY_DONE}},
	 "team=delivered carol=accepted",
	 1},
	{"deferred, held, released",
	 "bob",
	 0,
	 {{3, DELIVERY_DEFERRED, BOB}, {4, DELIVERY_HELD}, {5, DELIVERY_QUEUED, .recipients = 1}},
	 "bob=deferred",
	 1},
	{"a queue that shrinks as it is tried again",
	 "bob carol team",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 2},
	  {3, DELIVERY_SENT, BOB},
	  {3, DELIVERY_DEFERRED, CAROL},
	  {6, DELIVERY_QUEUED, .recipients = 1},
	  {7, DELIVERY_SENT, CAROL},
	  {8, DELIVERY_DONE}},
	 "bob=delivered carol=delivered team=rejected",
	 1},
	{"held, released",
	 "bob",
	 0,
	 {{2, DELIVERY_HELD}, {3, DELIVERY_RELEASED}},
	 "bob=released",
	 1},
	{"released and held again",
	 "bob",
	 0,
	 {{2, DELIVERY_HELD}, {3, DELIVERY_RELEASED}, {4, DELIVERY_HELD}},
	 "bob=held",
	 1},
	{"held by us, released", "bob", VERDICT_HOLD, {{3, DELIVERY_RELEASED}}, "bob=released", 1},
	{"deleted",
	 "bob carol team",
	 0,
	 {{2, DELIVERY_QUEUED, .recipients = 3},
	  {3, DELIVERY_SENT, BOB},
	  {3, DELIVERY_DEFERRED, CAROL},
	  {4, DELIVERY_DELETED}},
	 "bob=delivered carol=deleted team=deleted",
	 1},
	{"expired",
	 "bob carol team",
	 0,
	 {{3, DELIVERY_SENT, BOB},
	  {3, DELIVERY_DEFERRED, CAROL},
	  {3, DELIVERY_BOUNCED, TEAM},
	  {4, DELIVERY_EXPIRED},
	  {4, DELIVERY_DONE}},
	 "bob=delivered carol=expired team=bounced",
	 1},
	{"forwarded, and nothing is known of it",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, FORWARDED}},
	 "bob=delivered",
	 1},
	{"forwarded, and on its way",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, FORWARDED}, {2, DELIVERY_QUEUED, BELOW, .recipients = 1}},
	 "bob=accepted",
	 1},
	{"forwarded to another address",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, FORWARDED},
	  {2, DELIVERY_QUEUED, BELOW, .recipients = 1},
	  {4, DELIVERY_BOUNCED, ELSE, BELOW},
	  {5, DELIVERY_DONE}},
	 "bob=bounced",
	 1},
	{"a forward of an alias",
	 "team",
	 0,
	 {{2, DELIVERY_BOUNCED, CAROL, TEAM},
	  {2, DELIVERY_SENT, BOB, TEAM, FORWARDED},
	  {4, DELIVERY_DEFERRED, ELSE, BOB, BELOW}},
	 "team=deferred",
	 1},
	{"queued as, deferred there",
	 "bob carol",
	 0,
	 {{2, DELIVERY_SENT, BOB, TO_NEXT, .relay = "mx9"},
	  {2, DELIVERY_SENT, CAROL, TO_NEXT, .relay = "mx9"},
	  {2, DELIVERY_QUEUED, BELOW, .host = "mx9"},
	  {4, DELIVERY_DEFERRED, BOB, BELOW, .host = "mx9"}},
	 "bob=deferred carol=accepted",
	 1},
	{"queued as, and only others are spoken of there",
	 "bob carol",
	 0,
	 {{2, DELIVERY_SENT, BOB, TO_NEXT, .relay = "mx9"},
	  {2, DELIVERY_SENT, CAROL, TO_NEXT, .relay = "mx9"},
	  {4, DELIVERY_DEFERRED, BOB, BELOW, .host = "mx9"}},
	 "bob=deferred carol=delivered",
	 1},
	{"queued as an id of another message",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, TO_NEXT, .relay = "evil"},
	  {4, DELIVERY_BOUNCED, CAROL, BELOW},
	  {5, DELIVERY_DONE, BELOW}},
	 "bob=delivered",
	 1},
	{"queued as its own id",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, .next = QUEUE_ID}, {3, DELIVERY_DONE}},
	 "bob=delivered",
	 1},
	{"through three queues",
	 "bob",
	 0,
	 {{2, DELIVERY_SENT, BOB, FORWARDED},
	  {3, DELIVERY_SENT, ELSE, BELOW, .next = THIRD_ID, .relay = "mx9"},
	  {4, DELIVERY_BOUNCED, ELSE, .queue_id = THIRD_ID, .host = "mx9"}},
	 "bob=bounced",
	 1},
	{"requeued",
	 "bob carol",
	 0,
	 {{2, DELIVERY_DEFERRED, BOB},
	  {3, DELIVERY_REQUEUED, TO_NEXT},
	  {4, DELIVERY_SENT, BOB, BELOW},
	  {4, DELIVERY_BOUNCED, CAROL, BELOW}},
	 "bob=delivered carol=bounced",
	 1},
	{"requeued and held",
	 "bob carol",
	 0,
	 {{2, DELIVERY_DEFERRED, BOB}, {3, DELIVERY_REQUEUED, TO_NEXT}, {4, DELIVERY_HELD, BELOW}},
	 "bob=held carol=held",
	 1},
	{"requeued twice",
	 "bob",
	 0,
	 {{3, DELIVERY_REQUEUED, TO_NEXT},
	  {4, DELIVERY_REQUEUED, BELOW, .next = THIRD_ID},
	  {5, DELIVERY_SENT, BOB, .queue_id = THIRD_ID}},
	 "bob=delivered",
	 1},
	{"an alias of an alias, as Sendmail tells it",
	 "team carol",
	 0,
	 {{2, DELIVERY_ALIASED, "nest", TEAM},
	  {2, DELIVERY_ALIASED, "bob", "nest"},
	  {2, DELIVERY_ALIASED, ELSE, "nest"},
	  {3, DELIVERY_BOUNCED, "bob"},
	  {3, DELIVERY_DEFERRED, ELSE}},
	 "team=deferred carol=accepted",
	 1},
	{"an alias that stands for itself",
	 "team",
	 0,
	 {{2, DELIVERY_ALIASED, "nest", TEAM},
	  {2, DELIVERY_ALIASED, TEAM, "nest"},
	  {3, DELIVERY_SENT, TEAM}},
	 "team=delivered",
	 1},
	{"back from a filter that does not tell",
	 "team carol",
	 0,
	 {{2, DELIVERY_REQUEUED, TO_NEXT},
	  {3, DELIVERY_SENT, BOB, TEAM},
	  {3, DELIVERY_SENT, CAROL},
	  {4, DELIVERY_DEFERRED, BOB, BELOW}},
	 "team=deferred carol=delivered",
	 1},
};

static guint
count_lines(const struct rule *rule)
{
	guint count = 0;

	while (count < LINES && rule->lines[count].second)
		count++;
	return count;
}

/* An order of a rule's lines: from one of them on, round, forwards or backwards. */
struct order {
	guint event_at, first; /* the event comes before that many lines */
	gboolean backwards;
};

static void
play(const struct rule *rule, const struct order *order)
{
	guint count = count_lines(rule);

	for (guint i = 0; i <= count; i++) {
		guint n = (i + order->first) % count;

		if (i == order->event_at) {
			struct event *event = queued_event(1, rule->recipients);

			event->verdict = rule->verdict;
			store_it(fixture.store, event);
		}
		if (i < count)
			cr_expect(store_line(&rule->lines[order->backwards ? count - 1 - n : n]));
	}
}

static void
expect_rule(const struct rule *rule, const struct order *order)
{
	g_autofree char *name =
		g_strdup_printf("%s (event at %u, from %u, %s)", rule->name, order->event_at,
				order->first, order->backwards ? "backwards" : "forwards");

	tenant = name;
	play(rule, order);
	expect_states("queue:" QUEUE_ID, rule->states);
	cr_expect_eq(messages(), rule->messages, "%s", name);
	tenant = "a";
}

static void
expect_rule_in_every_order(const struct rule *rule)
{
	guint count = count_lines(rule);
	GError *error = NULL;

	expect_ok(store_begin(fixture.store, &error), error);
	for (guint i = 0; i < 2 * count * (count + 1); i++) {
		const struct order order = {i / 2 / count, i / 2 % count, i % 2};

		expect_rule(rule, &order);
	}
	expect_ok(store_commit(fixture.store, &error), error);
}

Test(store_delivery, the_order_of_lines_and_event_changes_nothing)
{
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		expect_rule_in_every_order(&rules[i]);
}

Test(store_delivery, what_is_sent_twice_is_kept_once)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	const char *name = "twice";

	store_it(fixture.store, queued_event(1, "bob"));
	cr_expect(store_line(&line));
	cr_expect_not(store_line(&line));
	expect_states("queue:" QUEUE_ID, "bob=delivered");
}

Test(store_delivery, a_phantom_is_left_out_unless_it_is_asked_for)
{
	const struct line line = {2, DELIVERY_REFUSED};

	g_free(store_mail(fixture.store, 1, "<bob@s.example>", "a.js", "x"));
	store_it(fixture.store, queued_event(1, "carol"));
	cr_expect_eq(messages(), 2);
	store_line(&line);
	cr_expect_eq(messages(), 1);
	expect_who(fixture.store, "a", "to:@s.example", "bob@s.example");
	expect_who(fixture.store, "a", "to:@s.example state:rejected", "carol@s.example");
	expect_who(fixture.store, "a", "to:@s.example state:accepted", "bob@s.example");
}

Test(store_delivery, a_state_can_be_asked_for)
{
	static const struct line lines[] = {{2, DELIVERY_SENT, BOB},
					    {2, DELIVERY_BOUNCED, CAROL},
					    {2, DELIVERY_DEFERRED, TEAM}};

	store_it(fixture.store, queued_event(1, "bob carol team dave"));
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	expect_who(fixture.store, "a", "state:delivered", BOB);
	expect_who(fixture.store, "a", "state:bounced", CAROL);
	expect_who(fixture.store, "a", "state:deferred", TEAM);
	expect_who(fixture.store, "a", "state:accepted", "dave@s.example");
}

/* ---- which event a line is of ---- */

static void
expect_joined(const char *what, int line_second, const char *host, const char *expected)
{
	const struct line line = {line_second, DELIVERY_SENT, BOB, .host = host};
	const char *name = what;

	store_line(&line);
	expect_states("to:" BOB, expected);
	start_anew();
}

/* Two events with one queue id, at these seconds. */
static void
reuse(int first, int second)
{
	store_it(fixture.store, queued_event(first, "bob"));
	store_it(fixture.store, queued_event(second, "bob"));
}

Test(store_delivery, a_reused_queue_id_is_of_the_newest_message_before_the_line)
{
	reuse(100, 100000);
	expect_joined("the first", 101, NULL, "bob=delivered bob=accepted");
	reuse(100000, 100);
	expect_joined("the first, stored last", 101, NULL, "bob=delivered bob=accepted");
	reuse(100, 100000);
	expect_joined("the second", 100001, NULL, "bob=accepted bob=delivered");
	reuse(100, 100000);
	expect_joined("a clock that is behind", 99970, NULL, "bob=accepted bob=delivered");
	store_it(fixture.store, queued_event(50000, "bob"));
	expect_joined("another time zone", 50000 - 9 * 3600, NULL, "bob=delivered");
}

Test(store_delivery, a_line_of_two_days_before_is_of_another_message_if_its_id_may_repeat)
{
	const struct line line = {200000 - 48 * 3600, DELIVERY_SENT, BOB,
				  .queue_id = "E3C21A743AC"};
	struct event *event = queued_event(200000, "bob");
	const char *name = "a short id";

	set_text(&event->queue_id, line.queue_id);
	store_it(fixture.store, event);
	store_line(&line);
	expect_states("to:" BOB, "bob=accepted");
	start_anew();
	store_it(fixture.store, queued_event(200000, "bob"));
	expect_joined("a clock that is days ahead", line.second, NULL, "bob=delivered");
}

Test(store_delivery, a_message_that_comes_late_takes_over_its_lines)
{
	const struct line line = {1001, DELIVERY_SENT, BOB};
	const char *name = "late";

	store_it(fixture.store, queued_event(100, "bob"));
	store_line(&line);
	expect_states("to:" BOB, "bob=delivered");
	store_it(fixture.store, queued_event(1000, "bob"));
	expect_states("to:" BOB, "bob=accepted bob=delivered");
}

Test(store_delivery, the_host_tells_two_machines_with_one_queue_id_apart)
{
	static const struct {
		const char *log_host, *states;
	} cases[] = {
		{"mx1.site.example", "bob=delivered bob=accepted"},
		{"mx1", "bob=delivered bob=accepted"},
		{"MX2", "bob=accepted bob=delivered"},
		{"m", "bob=accepted bob=delivered"},
		{"", "bob=accepted bob=delivered"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct event *other = queued_event(11, "bob");

		set_text(&other->host, "mx2.site.example");
		store_it(fixture.store, queued_event(10, "bob"));
		store_it(fixture.store, other);
		expect_joined(cases[i].log_host, 12, cases[i].log_host, cases[i].states);
	}
}

Test(store_delivery, an_event_without_host_fits_every_log)
{
	struct event *event = queued_event(10, "bob");

	g_clear_pointer(&event->host, g_free);
	store_it(fixture.store, event);
	expect_joined("no host", 11, "other", "bob=delivered");
}

Test(store_delivery, neither_another_tenant_nor_an_import_has_the_line)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	struct event *other = queued_event(1, "bob");
	struct event *import = queued_event(1, "bob");
	const char *name = "other tenant, import";

	set_text(&other->tenant, "b");
	set_text(&import->origin, "import");
	store_it(fixture.store, other);
	store_it(fixture.store, import);
	store_line(&line);
	expect_states("to:" BOB, "bob=accepted");
	expect_who(fixture.store, "b", "state:delivered", "");
}

/* ---- chains ---- */

static struct event *
later_hop(int second, const char *parent, const char *queue_id)
{
	struct event *event = queued_event(second, "bob");

	set_text(&event->parent_event, parent);
	set_text(&event->queue_id, queue_id);
	return event;
}

Test(store_delivery, a_state_follows_the_message_through_a_content_filter)
{
	static const struct line to_filter = {2, DELIVERY_SENT, BOB};
	static const struct line to_mailbox = {4, DELIVERY_DEFERRED, BOB, .queue_id = "NEXT"};
	struct event *first = queued_event(1, "bob");
	g_autofree char *id = g_strdup(first->event_id);
	const char *name = "chain";

	store_it(fixture.store, first);
	store_line(&to_filter);
	expect_states("to:" BOB, "bob=delivered");
	store_line(&to_mailbox);
	store_it(fixture.store, later_hop(3, id, "NEXT"));
	expect_states("to:" BOB, "bob=deferred");
	cr_expect_eq(messages(), 1);
}

Test(store_delivery, a_chain_counts_while_one_of_its_hops_was_not_refused)
{
	static const struct line refused_first = {2, DELIVERY_REFUSED};
	static const struct line refused_next = {3, DELIVERY_REFUSED, .queue_id = "NEXT"};
	struct event *first = queued_event(1, "bob");
	struct event *next = later_hop(2, first->event_id, "NEXT");

	store_it(fixture.store, next);
	store_it(fixture.store, first);
	cr_expect_eq(messages(), 1);
	store_line(&refused_next);
	cr_expect_eq(messages(), 1, "the first hop has it still");
	store_line(&refused_first);
	cr_expect_eq(messages(), 0);
}

/* ---- what is kept ---- */

static gboolean
collect_delivery(const struct delivery *delivery, GBytes *json, void *data)
{
	GString *text = data;

	g_string_append_printf(
		text, "%d %s>%s %s %s %s %s %s|", delivery->kind,
		delivery->original ? delivery->original : "",
		delivery->recipient ? delivery->recipient : "", delivery->dsn ? delivery->dsn : "",
		delivery->relay ? delivery->relay : "", delivery->detail ? delivery->detail : "",
		delivery->next_queue_id ? delivery->next_queue_id : "", delivery->log_host);
	cr_expect(strstr(g_bytes_get_data(json, NULL), delivery->event_id) != NULL);
	return delivery->kind != DELIVERY_DONE;
}

static char *
history_of(const char *whose, const char *id)
{
	GString *text = g_string_new(NULL);
	GError *error = NULL;

	expect_ok(store_deliveries(fixture.store, whose, id, collect_delivery, text, &error),
		  error);
	return g_string_free(text, FALSE);
}

Test(store_delivery, all_lines_are_given_again_in_the_order_of_time)
{
	static const struct line done = {9, DELIVERY_DONE}, after = {10, DELIVERY_HELD};
	const struct line sent = {4, DELIVERY_SENT, BOB, TEAM};
	g_autofree char *delivery_id = event_id_of("sent", 4);
	struct delivery delivery = delivery_of(&sent, delivery_id);
	struct event *event = queued_event(1, "team");
	g_autofree char *id = g_strdup(event->event_id);
	g_autofree char *history = NULL, *others = NULL;

	delivery.dsn = (char *)"2.0.0";
	delivery.relay = (char *)"local";
	delivery.detail = (char *)"delivered to mailbox";
	delivery.next_queue_id = (char *)"NEXT";
	store_line(&done);
	store_it(fixture.store, event);
	store_line(&after);
	store_delivery(&delivery);
	history = history_of("a", id);
	others = history_of("b", id);
	cr_expect_str_eq(history, "3 team@s.example>bob@s.example 2.0.0 local delivered to mailbox"
				  " NEXT mx1.site.example|6 >     mx1.site.example|");
	cr_expect_str_eq(others, "");
}

Test(store_delivery, a_sequence_goes_on_with_deliveries)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	const struct store_sequence sequence = {"0190f3c2-0000-4000-8000-000000000001", 1};
	g_autofree char *id = event_id_of("x", 1);
	struct delivery delivery = delivery_of(&line, id);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	guint64 through = 0;
	gboolean added;
	GError *error = NULL;

	expect_ok(store_add_delivery(fixture.store, &delivery, json, &sequence, &added, &error),
		  error);
	expect_ok(store_sequence_through(fixture.store, "log1", sequence.epoch, &through, &error),
		  error);
	cr_expect_eq(through, 1);
}

Test(store_delivery, a_delivery_that_says_not_of_what_is_refused)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	g_autofree char *id = event_id_of("x", 1);
	g_autoptr(GBytes) json = g_bytes_new_static("{}", 2);
	struct delivery whole = delivery_of(&line, id);
	char **needed[] = {&whole.event_id, &whole.tenant, &whole.sensor, &whole.queue_id};
	gboolean added = 77;

	for (gsize i = 0; i < G_N_ELEMENTS(needed); i++) {
		char *value = *needed[i];
		GError *error = NULL;

		*needed[i] = NULL;
		cr_expect_not(
			store_add_delivery(fixture.store, &whole, json, NULL, &added, &error));
		cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_EVENT));
		cr_expect_eq(added, 77);
		g_clear_error(&error);
		*needed[i] = value;
	}
}

static void
run_sql(const char *script)
{
	sqlite3 *handle;
	char *message = NULL;

	cr_assert_eq(sqlite3_open(fixture.path, &handle), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(handle, script, NULL, NULL, &message), SQLITE_OK, "%s", message);
	sqlite3_close(handle);
}

Test(store_delivery, a_changed_delivery_is_found)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	struct event *event = queued_event(1, "bob");
	g_autofree char *id = g_strdup(event->event_id);
	g_autoptr(GString) text = g_string_new(NULL);
	guint64 bad = 77;
	GError *error = NULL;

	store_it(fixture.store, event);
	store_line(&line);
	expect_ok(store_verify(fixture.store, NULL, NULL, NULL, NULL, &bad, &error), error);
	cr_expect_eq(bad, 0);
	run_sql("UPDATE deliveries SET json=zeroblob(length(json))");
	expect_ok(store_verify(fixture.store, NULL, NULL, NULL, NULL, &bad, &error), error);
	cr_expect_eq(bad, 1);
	cr_expect_not(store_deliveries(fixture.store, "a", id, collect_delivery, text, &error));
	cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_DAMAGED));
	g_clear_error(&error);
}

Test(store_delivery, what_we_did_to_a_mailbox_is_known_better_than_by_the_log)
{
	const struct line line = {2, DELIVERY_SENT, BOB};
	const char *name = "retracted";

	store_it(fixture.store, queued_event(1, "bob"));
	run_sql("UPDATE recipients SET state=7");
	store_line(&line);
	expect_states("to:" BOB, "bob=retracted");
}

/* ---- many, and older stores ---- */

Test(store_delivery, a_message_to_thousands_is_settled_line_by_line)
{
	enum { MANY = 3000 };
	struct event *event = queued_event(1, "bob");
	gint64 begin_us;
	GError *error = NULL;

	for (int i = 0; i < MANY; i++) {
		g_autofree char *typed = g_strdup_printf("<u%d@s.example>", i);

		add_rcpt(event, typed);
	}
	expect_ok(store_begin(fixture.store, &error), error);
	store_it(fixture.store, event);
	begin_us = g_get_monotonic_time();
	for (int i = 0; i < MANY; i++) {
		g_autofree char *recipient = g_strdup_printf("u%d@s.example", i);
		const struct line line = {2, DELIVERY_SENT, recipient};

		store_line(&line);
	}
	/* Work that grew with the square would take minutes. */
	cr_expect_lt(g_get_monotonic_time() - begin_us, 20 * G_USEC_PER_SEC);
	expect_ok(store_commit(fixture.store, &error), error);
	expect_who(fixture.store, "a", "state:accepted", BOB);
}

static char *
digest_of_step(gsize step)
{
	gsize count;
	const char *text = store_schema_steps(&count)[step];

	return sha256_of(text);
}

Test(store_delivery, the_schema_of_version_1_is_what_was_released)
{
	g_autofree char *digest = digest_of_step(0);

	cr_expect_str_eq(digest, "f4762201d1c09b61084eba22767ff406c1ca48d58a92174c2bd8de0c42654a0e",
			 "a released step never changes; add one");
}

/* A store as version 1 wrote it: one message to bob, accepted and counted. */
static void
make_version_1(void)
{
	gsize count;
	const char *const *steps = store_schema_steps(&count);
	GError *error = NULL;
	struct sql *sql;

	g_clear_pointer(&fixture.store, store_close);
	g_unlink(fixture.path);
	sql = sql_open(fixture.path, TRUE, &error);
	expect_ok(sql != NULL, error);
	expect_ok(store_schema_upgrade(sql, steps, 1, &error), error);
	sql_close(sql);
	run_sql("INSERT INTO tenants VALUES (1, 'a');"
		"INSERT INTO sensors (id, tenant, name) VALUES (1, 1, 'mx1');"
		"INSERT INTO events (id, tenant, event_id, sensor, received_at_us, counted, unread,"
		" origin, direction, verdict, queue_id, digest) VALUES (1, 1,"
		" x'018bcfe571187abc8def0123456789ab', 1, 1700000001000000, 1, 0, 0, 1, 0,"
		" '" QUEUE_ID "', zeroblob(32));"
		"INSERT INTO event_json VALUES (1, 0, x'7b7d');"
		"INSERT INTO hours VALUES (1, 1700000001/3600, 1, 0);"
		"INSERT INTO texts VALUES (1, 1, 4, 0, '" BOB "', NULL, 0);"
		"INSERT INTO recipients VALUES (1, 0, 1, 1, 0);");
}

Test(store_delivery, a_store_of_version_1_is_taken_along)
{
	static const struct line line = {2, DELIVERY_REFUSED};
	const char *name = "version 1";
	struct store_status status;
	GError *error = NULL;
	gsize newest;

	store_schema_steps(&newest);
	make_version_1();
	fixture.store = open_store(fixture.url, STORE_WRITE);
	expect_ok(store_status(fixture.store, NULL, &status, &error), error);
	cr_expect_eq(status.schema, (int)newest);
	store_status_clear(&status);
	expect_states("queue:" QUEUE_ID, "bob=accepted");
	cr_expect_eq(messages(), 1);
	store_line(&line);
	expect_states("queue:" QUEUE_ID, "bob=rejected");
	cr_expect_eq(messages(), 0);
}

/* ---- where copies went ---- */

/* Returns "bob@… delivered 4, …": each final address, its state, and the second of it. */
static char *
finals_of(const char *event_id, const char *recipient)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) finals =
		store_finals(fixture.store, tenant, event_id, recipient, &error);
	GString *joined = g_string_new(NULL);

	expect_ok(finals != NULL, error);
	for (guint i = 0; i < finals->len; i++) {
		const struct store_final *final = g_ptr_array_index(finals, i);

		g_string_append_printf(joined, "%s%s %s %d", i > 0 ? ", " : "", final->address,
				       final->state,
				       (int)((final->at_us - AT(0)) / G_USEC_PER_SEC));
	}
	return g_string_free(joined, FALSE);
}

#define expect_finals(id, recipient, expected)                      \
	do {                                                        \
		g_autofree char *got_ = finals_of(id, recipient);   \
		cr_expect_str_eq(got_, expected, "got '%s'", got_); \
	} while (0)

Test(store_delivery, each_final_address_has_its_state)
{
	static const struct line lines[] = {
		{2, DELIVERY_SENT, BOB, TEAM, FORWARDED},
		{3, DELIVERY_BOUNCED, CAROL, TEAM},
		{4, DELIVERY_DEFERRED, ELSE, BOB, BELOW},
		{9, DELIVERY_SENT, ELSE, BOB, BELOW},
	};
	struct event *event = queued_event(1, "team carol");
	g_autofree char *id = g_strdup(event->event_id);

	store_it(fixture.store, event);
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	expect_finals(id, TEAM, ELSE " delivered 9, " CAROL " bounced 3");
	expect_finals(id, "Team@S.example", ELSE " delivered 9, " CAROL " bounced 3");
	expect_finals(id, CAROL, CAROL " bounced 3");
	expect_finals(id, BOB, "");
	expect_finals("2f0a0000-0000-7000-8000-000000000000", BOB, "");
	expect_finals("no id", BOB, "");
}

Test(store_delivery, the_finals_of_a_chain_are_those_of_its_newest_hop)
{
	static const struct line lines[] = {
		{2, DELIVERY_SENT, BOB, .relay = "filter"},
		{5, DELIVERY_DEFERRED, BOB, BELOW},
	};
	struct event *first = queued_event(1, "bob"), *second = queued_event(3, "bob");
	g_autofree char *id = g_strdup(first->event_id);

	set_text(&second->queue_id, NEXT_ID);
	set_text(&second->parent_event, id);
	store_it(fixture.store, first);
	store_it(fixture.store, second);
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	expect_finals(id, BOB, BOB " deferred 5");
}

Test(store_delivery, a_short_queue_id_that_is_used_again_is_another_message)
{
	const char *name = "short";
	static const struct line lines[] = {
		{-500, DELIVERY_BOUNCED, BOB, .queue_id = "3F2A1B0C9D"},
		{-499, DELIVERY_DONE, .queue_id = "3F2A1B0C9D"},
		{2, DELIVERY_SENT, BOB, .next = "3F2A1B0C9D", .relay = "local"},
		{3, DELIVERY_SENT, ELSE, BOB, .queue_id = "3F2A1B0C9D"},
		{4, DELIVERY_DONE, .queue_id = "3F2A1B0C9D"},
		{500, DELIVERY_BOUNCED, CAROL, BOB, .queue_id = "3F2A1B0C9D"},
		{501, DELIVERY_DONE, .queue_id = "3F2A1B0C9D"},
	};
	struct event *event = queued_event(1, "bob");
	g_autofree char *id = g_strdup(event->event_id);

	store_it(fixture.store, event);
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	expect_finals(id, BOB, ELSE " delivered 3");
	expect_states("queue:" QUEUE_ID, "bob=delivered");
}

/* Takes the queue id of each delivery. */
static gboolean
take_queue_id(const struct delivery *delivery, GBytes *json, void *data)
{
	g_string_append_printf(data, "%s %s;", delivery->queue_id,
			       delivery_kind_name(delivery->kind));
	return TRUE;
}

Test(store_delivery, the_history_goes_on_under_the_next_queue_id)
{
	static const struct line lines[] = {
		{2, DELIVERY_SENT, BOB, FORWARDED},
		{3, DELIVERY_SENT, CAROL, .next = THIRD_ID, .relay = "mx9"},
		{3, DELIVERY_SENT, ELSE, BOB, BELOW},
		{4, DELIVERY_SENT, CAROL, .queue_id = THIRD_ID, .host = "mx9"},
		{4, DELIVERY_SENT, TEAM, .queue_id = THIRD_ID, .host = "mx9"},
		{5, DELIVERY_DONE, BELOW},
	};
	struct event *event = queued_event(1, "bob carol");
	g_autofree char *id = g_strdup(event->event_id);
	g_autoptr(GString) history = g_string_new(NULL);
	GError *error = NULL;

	store_it(fixture.store, event);
	for (gsize i = G_N_ELEMENTS(lines); i > 0; i--)
		store_line(&lines[i - 1]);
	expect_ok(store_deliveries(fixture.store, tenant, id, take_queue_id, history, &error),
		  error);
	cr_expect_str_eq(history->str,
			 QUEUE_ID " sent;" NEXT_ID " sent;" QUEUE_ID " sent;" THIRD_ID
				  " sent;" NEXT_ID " done;",
			 "%s", history->str);
}
