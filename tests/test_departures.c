/* SPDX-License-Identifier: BSD-2-Clause */
#include "departures.h"
#include "planner_fixture.h"
#include "store_plans.h"

TestSuite(departures, .init = setup, .fini = teardown, .timeout = 120);

#define POP3 "was downloaded by POP3"
#define BY_USER "was forwarded by its user"

/* A message in bob's mailbox, and the plan for it. */
static struct plan *
plan_for_bob(void)
{
	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "INBOX", 7);
	return plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
}

static const char *
command_id(const struct plan *plan)
{
	cr_assert_eq(plan->commands->len, 1);
	return ((struct openc2_command *)plan->commands->pdata[0])->command_id;
}

/* Returns "kind recipient address why" of those of a plan's one command, a line each. */
static char *
known(const struct plan *plan)
{
	GError *error = NULL;
	g_autoptr(departures_t) departures = departures_read(fixture.store, plan, &error);
	g_autoptr(GString) text = g_string_new(NULL);
	const GPtrArray *entries;

	expect_ok(departures != NULL, error);
	entries = departures_of(departures, command_id(plan));
	cr_expect_eq(departures_all(departures)->len, entries ? entries->len : 0);
	for (guint i = 0; entries && i < entries->len; i++) {
		const struct plan_beyond *entry = entries->pdata[i];

		g_string_append_printf(text, "%s%s %s %s %s", i ? "|" : "",
				       plan_beyond_name(entry->kind), entry->recipient,
				       entry->address, entry->why);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

#define expect_known(plan, wanted)                                                     \
	do {                                                                           \
		g_autofree char *got_ = known(plan);                                   \
		cr_expect_str_eq(got_, wanted, "got '%s', wanted '%s'", got_, wanted); \
	} while (0)

Test(departures, what_left_after_the_plan_was_made_is_known)
{
	g_autoptr(plan_t) plan = plan_for_bob();

	expect_known(plan, "");
	mailbox_line(3, "pOpS", DELIVERY_SEEN, "INBOX", 7);
	mailbox_line(4, "pOpS", DELIVERY_COPIED, "INBOX", 7);
	expect_known(plan, "");
	mailbox_line(5, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	expect_known(plan, "downloaded bob@s.example bob@s.example " POP3);
	mailbox_line(6, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	mailbox_line(7, "iMaP", DELIVERY_FORWARDED, "INBOX", 7);
	expect_known(plan, "downloaded bob@s.example bob@s.example " POP3
			   "|forwarded bob@s.example bob@s.example " BY_USER);
}

Test(departures, what_left_before_is_known_too_and_is_that_of_the_plan)
{
	g_autoptr(plan_t) plan = NULL;
	const struct plan_beyond *beyond;

	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "INBOX", 7);
	mailbox_line(3, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	expect_known(plan, "downloaded bob@s.example bob@s.example " POP3);
	cr_assert_eq(plan->beyond->len, 1);
	beyond = plan->beyond->pdata[0];
	cr_expect_eq(beyond->kind, PLAN_BEYOND_DOWNLOADED);
	cr_expect(plan_beyond_is_left(beyond));
}

Test(departures, a_copy_that_others_have_is_told_for_each_recipient)
{
	g_autoptr(plan_t) plan = NULL;

	store_whole(mail(1, "Q1", "team@s.example bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", "team@s.example", "kLmN");
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "INBOX", 7);
	mailbox_line(3, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	expect_known(plan, "downloaded team@s.example bob@s.example " POP3
			   "|downloaded bob@s.example bob@s.example " POP3);
}

/* Returns "outcome text" as it is told of an actuator's answer. */
static char *
told(const struct departures *departures, const char *id, enum openc2_outcome outcome,
     gboolean with_copy)
{
	g_autoptr(openc2_response_t) response = openc2_response_new(id, outcome, "said");
	g_autofree char *text = NULL;

	if (with_copy)
		g_ptr_array_add(response->copies, openc2_copy_new());
	text = departures_text(departures, response);
	return g_strdup_printf("%s %s",
			       openc2_outcome_name(departures_outcome(departures, response)), text);
}

Test(departures, what_is_gone_and_was_downloaded_is_downloaded)
{
	static const struct {
		enum openc2_outcome outcome;
		gboolean with_copy;
		const char *wanted;
	} rows[] = {
		{OPENC2_NOT_FOUND, FALSE, "downloaded said; " POP3},
		{OPENC2_ALREADY, FALSE, "downloaded said; " POP3},
		{OPENC2_ALREADY, TRUE, "already-gone said; " POP3},
		{OPENC2_DONE, TRUE, "done said; " POP3},
		{OPENC2_MOVED_BY_USER, TRUE, "moved-by-user said; " POP3},
		{OPENC2_UNREACHABLE, FALSE, "unreachable said; " POP3},
	};
	g_autoptr(plan_t) plan = plan_for_bob();
	g_autoptr(departures_t) departures = NULL;
	g_autofree char *other = NULL;

	mailbox_line(5, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	departures = departures_read(fixture.store, plan, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got =
			told(departures, command_id(plan), rows[i].outcome, rows[i].with_copy);

		cr_expect_str_eq(got, rows[i].wanted, "%s", got);
	}
	other = told(departures, "01234567-89ab-4cde-8f01-23456789abcd", OPENC2_NOT_FOUND, FALSE);
	cr_expect_str_eq(other, "not-found said");
}

Test(departures, what_a_session_took_of_what_it_deleted_may_be_perhaps)
{
	struct store_act act = {.what = "downloaded", .perhaps = TRUE};

	cr_expect_str_eq(departure_why(&act), "was perhaps downloaded by POP3");
	cr_expect_eq(departure_kind(&act), PLAN_BEYOND_DOWNLOADED);
}

static gboolean
take_state(const struct store_hit *hit, void *data)
{
	char **state = data;

	g_free(*state);
	*state = g_strdup(hit->state);
	return TRUE;
}

static char *
state_of(const char *words)
{
	g_autoptr(query_t) query = make_query("a", words);
	GError *error = NULL;
	char *state = NULL;

	expect_ok(store_who(fixture.store, query, take_state, &state, NULL, NULL, NULL, &error),
		  error);
	return state ? state : g_strdup("nobody");
}

#define expect_state(words, wanted)                                                    \
	do {                                                                           \
		g_autofree char *got_ = state_of(words);                               \
		cr_expect_str_eq(got_, wanted, "%s: %s, not %s", words, got_, wanted); \
	} while (0)

/* Has the plan's one command settled, as the collector does. */
static void
settle(struct plan *plan)
{
	struct store_plan stored = {.plan_id = plan->plan_id,
				    .digest = (char *)"d",
				    .created_by = (char *)"x",
				    .begun_by = (char *)"x"};
	struct store_command command = {.command_id = (char *)command_id(plan),
					.role = OPENC2_MAILSTORE,
					.json = (char *)"{}"};
	const struct plan_recipient *recipient = plan->recipients->pdata[0];

	cr_assert(store_begin(fixture.store, NULL));
	cr_assert(store_plan_add(fixture.store, "a", &stored, NULL));
	command.plan = stored.number;
	cr_assert(store_command_add(fixture.store, "a", &command, NULL));
	cr_assert(store_plan_recipient(fixture.store, stored.number, recipient->event_id,
				       recipient->recipient, &command.number, 1, NULL));
	command.outcome = OPENC2_DONE;
	command.settled = TRUE;
	cr_assert(store_command_answer(fixture.store, "a", &command, NULL));
	cr_assert(store_commit(fixture.store, NULL));
}

Test(departures, what_was_downloaded_is_not_retracted_however_late_the_log_tells)
{
	g_autoptr(plan_t) plan = plan_for_bob();

	settle(plan);
	expect_state("queue:Q1", "retracted");
	expect_state("queue:Q1 state:retracted", "retracted");
	mailbox_line(5, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	expect_state("queue:Q1", "delivered");
	expect_state("queue:Q1 state:delivered", "delivered");
	expect_state("queue:Q1 state:retracted", "nobody");
}
