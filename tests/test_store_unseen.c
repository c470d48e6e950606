/* SPDX-License-Identifier: BSD-2-Clause */
/* Which messages of the MTA's log passed unseen, by how they came into its queue. */
#include "caps.h"
#include "store_fixture.h"
#include "store_internal.h"

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

TestSuite(store_unseen, .init = setup, .fini = teardown, .timeout = 60);

/* A line of the log of a host (NULL: mx1) at AT(second). */
struct line {
	int second;
	enum delivery_kind kind;
	const char *queue_id, *next, *host, *to;
};

static void
store_line(const struct line *line)
{
	g_autofree char *name = g_strdup_printf("%d %d %s %s", line->second, line->kind,
						line->queue_id, line->host ? line->host : "");
	g_autofree char *id = event_id_of(name, strlen(name));
	g_autoptr(GBytes) json = g_bytes_new(id, strlen(id));
	struct delivery delivery = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"mx1-follow",
		.log_host = (char *)(line->host ? line->host : "mx1"),
		.queue_id = (char *)line->queue_id,
		.next_queue_id = (char *)line->next,
		.time_us = AT(line->second),
		.kind = line->kind,
	};
	gboolean added;
	GError *error = NULL;

	if (line->kind == DELIVERY_SENT || line->kind == DELIVERY_BOUNCED)
		delivery.recipient = (char *)(line->to ? line->to : "bob@s.example");
	expect_ok(store_add_delivery(fixture.store, &delivery, json, NULL, &added, &error), error);
	cr_assert(added);
}

static void
store_recorded(const char *queue_id)
{
	struct event *event = make_event(1);

	set_text(&event->queue_id, queue_id);
	add_rcpt(event, "<bob@s.example>");
	store_it(fixture.store, event);
}

/* The queue ids that are told, with a blank behind each. */
static char *
unseen(void)
{
	g_autoptr(sql_stmt_t) rows = store_unseen_rows(fixture.store, 1, 0, G_MAXINT64);
	GString *text = g_string_new(NULL);
	GError *error = NULL;
	int more;

	while ((more = sql_next(rows, &error)) > 0)
		g_string_append_printf(text, "%s ", sql_text(rows, 2));
	expect_ok(more == 0, error);
	return g_string_free(text, FALSE);
}

static void
expect_unseen(const struct line *lines, gsize count, const char *expected)
{
	g_autofree char *got = NULL;

	store_fixture_clear(&fixture);
	store_fixture_init(&fixture);
	store_recorded("RECORDED");
	for (gsize i = 0; i < count; i++)
		store_line(&lines[i]);
	got = unseen();
	cr_expect_str_eq(got, expected, "%s", got);
}

/* The same, with each mark in its place and after all. */
static void
expect_unseen_in_any_order(const struct line *lines, gsize count, const char *expected)
{
	for (gsize late = 0; late < count; late++) {
		g_autofree struct line *other = g_memdup2(lines, count * sizeof(*lines));

		/* The milter's word may come before or after all of the log. */
		if (lines[late].kind != DELIVERY_EXEMPT)
			continue;
		expect_unseen(lines, count, expected);
		memmove(other + late, other + late + 1, (count - late - 1) * sizeof(*other));
		other[count - 1] = lines[late];
		expect_unseen(other, count, expected);
	}
}

#define UNSEEN_LATE(lines, expected) \
	expect_unseen_in_any_order(lines, G_N_ELEMENTS(lines), expected)
#define UNSEEN(lines, expected) expect_unseen(lines, G_N_ELEMENTS(lines), expected)

Test(store_unseen, what_is_queued_anew_was_seen_if_its_former_number_was_recorded)
{
	static const struct line seen[] = {
		{2, DELIVERY_QUEUED, "RECORDED"}, {3, DELIVERY_REQUEUED, "RECORDED", "NEW1"},
		{3, DELIVERY_QUEUED, "NEW1"},	  {4, DELIVERY_REQUEUED, "NEW1", "NEW2"},
		{4, DELIVERY_QUEUED, "NEW2"},	  {90, DELIVERY_QUEUED, "NEW2"}, /* tried again */
	};
	static const struct line never[] = {
		{2, DELIVERY_QUEUED, "OTHER"},
		{3, DELIVERY_REQUEUED, "OTHER", "NEW1"},
		{3, DELIVERY_QUEUED, "NEW1"},
	};

	UNSEEN(seen, "");
	UNSEEN(never, "OTHER NEW1 ");
}

Test(store_unseen, a_number_that_is_used_again_is_of_another_message)
{
	static const struct line again[] = {
		{3, DELIVERY_REQUEUED, "RECORDED", "NEW1"},
		{3, DELIVERY_QUEUED, "NEW1"},
		{5, DELIVERY_DONE, "NEW1"},
		{9, DELIVERY_QUEUED, "NEW1"},
	};
	static const struct line elsewhere[] = {
		{3, DELIVERY_REQUEUED, "RECORDED", "NEW1"},
		{3, DELIVERY_QUEUED, "NEW1", .host = "mx2"},
	};
	static const struct line later[] = {
		{3, DELIVERY_QUEUED, "NEW1"},
		{4, DELIVERY_REQUEUED, "RECORDED", "NEW1"},
	};

	UNSEEN(again, "NEW1 ");
	UNSEEN(elsewhere, "NEW1 ");
	UNSEEN(later, "NEW1 ");
}

Test(store_unseen, what_a_recorded_hop_sent_on_was_seen_through_those_that_record_nothing)
{
	static const struct line lines[] = {
		{2, DELIVERY_SENT, "RECORDED", "FILTER"},
		{2, DELIVERY_QUEUED, "FILTER", .host = "mx2"},
		{3, DELIVERY_SENT, "FILTER", "BACK", .host = "mx2"},
		{3, DELIVERY_QUEUED, "BACK", .host = "mx3"},
	};

	UNSEEN(lines, "");
}

Test(store_unseen, what_is_exempt_is_not_unseen_under_the_numbers_that_it_goes_on_under)
{
	static const struct line lines[] = {
		{2, DELIVERY_EXEMPT, "FREE", .host = "mx1.s.example"},
		{2, DELIVERY_QUEUED, "FREE"},
		{3, DELIVERY_REQUEUED, "FREE", "NEW1"},
		{3, DELIVERY_QUEUED, "NEW1"},
		{4, DELIVERY_SENT, "NEW1", "BACK"},
		{4, DELIVERY_QUEUED, "BACK", .host = "mx2"},
		{90, DELIVERY_QUEUED, "NEW1"}, /* tried again */
		{5, DELIVERY_QUEUED, "OTHER"},
	};

	UNSEEN_LATE(lines, "OTHER ");
}

Test(store_unseen, what_is_exempt_takes_no_other_message_of_its_number_with_it)
{
	static const struct line again[] = {
		{2, DELIVERY_EXEMPT, "FREE", .host = "mx1.s.example"},
		{2, DELIVERY_QUEUED, "FREE"},
		{5, DELIVERY_DONE, "FREE"},
		{9, DELIVERY_QUEUED, "FREE"},
	};
	static const struct line elsewhere[] = {
		{2, DELIVERY_EXEMPT, "FREE", .host = "mx1.s.example"},
		{2, DELIVERY_QUEUED, "FREE", .host = "mx2"},
	};
	static const struct line far_before[] = {
		{2, DELIVERY_QUEUED, "FREE"},
		{90, DELIVERY_EXEMPT, "FREE", .host = "mx1.s.example"},
	};
	static const struct line long_id[] = {
		{2, DELIVERY_EXEMPT, "4XyzzT0Q1zz", .host = "mail.s.example"},
		{2, DELIVERY_QUEUED, "4XyzzT0Q1zz", .host = "mx2"},
	};

	UNSEEN_LATE(again, "FREE ");
	UNSEEN_LATE(elsewhere, "FREE ");
	UNSEEN_LATE(far_before, "FREE ");
	UNSEEN_LATE(long_id, "");
}

/* A mark is of no event, whichever of them comes first. */
Test(store_unseen, a_recorded_message_of_the_number_of_an_exempt_one_has_its_own_lines)
{
	for (int first = 0; first <= 1; first++) {
		gint64 joined = -1;
		GError *error = NULL;

		store_fixture_clear(&fixture);
		store_fixture_init(&fixture);
		if (first)
			store_recorded("RECORDED");
		store_line(&(struct line){2, DELIVERY_EXEMPT, "RECORDED"});
		if (!first)
			store_recorded("RECORDED");
		expect_ok(sql_number(sql_bind(fixture.store->sql,
					      "SELECT count(event) FROM deliveries", ""),
				     0, &joined, &error),
			  error);
		cr_expect_eq(joined, 0);
	}
}

Test(store_unseen, coverage_counts_what_is_exempt_in_the_time_asked)
{
	static const struct line lines[] = {
		{2, DELIVERY_EXEMPT, "A"},
		{5, DELIVERY_EXEMPT, "B"},
		{9, DELIVERY_EXEMPT, "C"},
	};
	g_autoptr(query_t) query = query_new("a");
	struct store_coverage coverage;
	const struct store_gap *gap;
	GError *error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	query->since_us = AT(5);
	query->until_us = AT(10);
	expect_ok(store_coverage(fixture.store, query, NULL, &coverage, &error), error);
	cr_expect_eq(coverage.exempt, 2);
	cr_expect_eq(coverage.messages, 0);
	cr_assert_eq(coverage.gaps->len, 1);
	gap = g_ptr_array_index(coverage.gaps, 0);
	cr_expect_str_eq(gap->reason, "exempt");
	cr_expect_eq(gap->messages, 2);
	cr_expect(gap->from_us == AT(5) && gap->to_us == AT(9));
	store_coverage_clear(&coverage);
}

Test(store_unseen, what_was_refused_was_not_received_and_takes_no_other_of_its_number_with_it)
{
	static const struct line refused[] = {
		{2, DELIVERY_QUEUED, "PHANTOM"},
		{3, DELIVERY_REFUSED, "PHANTOM"},
	};
	static const struct line elsewhere[] = {
		{2, DELIVERY_QUEUED, "PHANTOM"},
		{3, DELIVERY_REFUSED, "PHANTOM", .host = "mx2"},
	};
	static const struct line again[] = {
		{2, DELIVERY_REFUSED, "PHANTOM"},
		{2 + 3600, DELIVERY_QUEUED, "PHANTOM"},
	};

	UNSEEN(refused, "");
	UNSEEN(elsewhere, "PHANTOM ");
	UNSEEN(again, "PHANTOM ");
}

/* A next hop that says the number of another message of ours, to have it taken for seen. */
Test(store_unseen, a_next_hop_that_claims_a_number_takes_nothing_with_it)
{
	static const struct line claimed[] = {
		{2, DELIVERY_QUEUED, "PASSED"},
		{2, DELIVERY_SENT, "PASSED", .to = "carol@s.example"},
		{3, DELIVERY_SENT, "RECORDED", "PASSED", .to = "me@evil.example"},
	};
	static const struct line one_of_two[] = {
		{2, DELIVERY_SENT, "RECORDED", "FILTER", .to = "Bob@s.example"},
		{2, DELIVERY_QUEUED, "FILTER", .host = "mx2"},
		{3, DELIVERY_BOUNCED, "FILTER", .host = "mx2", .to = "carol@s.example"},
		{3, DELIVERY_SENT, "FILTER", .host = "mx2", .to = "bob@s.example"},
	};

	UNSEEN(claimed, "PASSED ");
	UNSEEN(one_of_two, "");
}

/* Queued anew that often, from RECORDED to the last, which is tried to be delivered. */
static void
queue_anew(int hops)
{
	for (int i = 0; i < hops; i++) {
		g_autofree char *former = i ? g_strdup_printf("Q%d", i) : g_strdup("RECORDED");
		g_autofree char *next = g_strdup_printf("Q%d", i + 1);

		store_line(&(struct line){3, DELIVERY_REQUEUED, former, next});
		if (i == hops - 1)
			store_line(&(struct line){3, DELIVERY_QUEUED, next});
	}
}

Test(store_unseen, a_message_is_followed_back_so_far)
{
	for (int hops = CAP_TRACE_HOPS - 1; hops <= CAP_TRACE_HOPS + 1; hops++) {
		g_autofree char *got = NULL;

		store_fixture_clear(&fixture);
		store_fixture_init(&fixture);
		store_recorded("RECORDED");
		queue_anew(hops);
		got = unseen();
		cr_expect_eq(*got == '\0', hops <= CAP_TRACE_HOPS, "%d: %s", hops, got);
	}
}

/* Numbers that hand over to each other in a circle end. */
Test(store_unseen, a_circle_ends)
{
	static const struct line lines[] = {
		{2, DELIVERY_QUEUED, "A"},
		{2, DELIVERY_SENT, "A", "B"},
		{2, DELIVERY_QUEUED, "B"},
		{2, DELIVERY_SENT, "B", "A"},
	};

	UNSEEN(lines, "A B ");
}
