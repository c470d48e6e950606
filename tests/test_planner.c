/* SPDX-License-Identifier: BSD-2-Clause */
#include "planner_fixture.h"

TestSuite(planner, .init = setup, .fini = teardown, .timeout = 120);

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns "mailbox bob@s.example|queue Q1 of mx1|-x@else.example", sorted; '-' is beyond reach. */
static char *
told(const struct plan *plan)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < plan->commands->len; i++) {
		const struct openc2_command *command = plan->commands->pdata[i];

		if (command->role != OPENC2_GATEWAY)
			g_ptr_array_add(texts, openc2_command_target(command));
	}
	for (guint i = 0; i < plan->beyond->len; i++) {
		const struct plan_beyond *beyond = plan->beyond->pdata[i];

		g_ptr_array_add(texts,
				g_strconcat("-", beyond->address ? beyond->address : "", NULL));
	}
	g_ptr_array_sort(texts, compare_texts);
	g_ptr_array_add(texts, NULL);
	return g_strjoinv("|", (char **)texts->pdata);
}

#define expect_plan(words, wanted)                                                                \
	do {                                                                                      \
		g_autoptr(plan_t) plan_ = plan_words(words, PLAN_SCOPE_DEFAULT);                  \
		g_autofree char *got_ = told(plan_);                                              \
		cr_expect_str_eq(got_, wanted, "%s: got '%s', wanted '%s'", words, got_, wanted); \
	} while (0)

static const struct openc2_command *
command_of(const struct plan *plan, enum openc2_role role)
{
	for (guint i = 0; i < plan->commands->len; i++) {
		const struct openc2_command *command = plan->commands->pdata[i];

		if (command->role == role)
			return command;
	}
	return NULL;
}

Test(planner, a_delivered_copy_is_in_the_mailbox_of_its_final_address)
{
	store_whole(mail(1, "Q1", "team@s.example bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", "team@s.example", NULL);
	line(2, "Q1", DELIVERY_SENT, "carol@s.example", "team@s.example", NULL);
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, NULL);
	expect_plan("id:Q1@origin.example", "mailbox bob@s.example|mailbox carol@s.example");
}

Test(planner, a_command_tells_all_that_finds_the_copy)
{
	g_autofree char *sha256 = sha256_of(EVIL);
	g_autoptr(plan_t) plan = NULL;
	const struct openc2_command *command;
	const struct plan_recipient *recipient;

	store_whole(mail(1, "Q1", "team@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", "team@s.example", NULL);
	plan = plan_words(sha256, PLAN_SCOPE_DEFAULT);
	command = command_of(plan, OPENC2_MAILSTORE);
	cr_assert_not_null(command);
	cr_expect_eq(command->action, OPENC2_CONTAIN);
	cr_expect_str_eq(command->message->mailbox, "bob@s.example");
	cr_expect_str_eq(command->message->recipient, "team@s.example");
	cr_expect_str_eq(command->message->message_id, "<Q1@origin.example>");
	cr_expect_str_eq(command->message->sender, "sender@origin.example");
	cr_expect_str_eq(command->message->sha256[0], sha256);
	cr_expect_null(command->message->sha256[1]);
	cr_assert_eq(plan->recipients->len, 1);
	recipient = plan->recipients->pdata[0];
	cr_expect_str_eq(recipient->state, "delivered");
	cr_expect_str_eq(recipient->commands->pdata[0], command->command_id);
}

Test(planner, what_waits_is_held_once_for_all_recipients)
{
	g_autoptr(plan_t) plan = NULL;
	const struct openc2_command *command;

	store_whole(mail(1, "Q1", "bob@s.example carol@s.example"));
	line(2, "Q1", DELIVERY_QUEUED, NULL, NULL, NULL);
	line(3, "Q1", DELIVERY_DEFERRED, "bob@s.example", NULL, NULL);
	line(3, "Q1", DELIVERY_DEFERRED, "carol@s.example", NULL, NULL);
	expect_plan("queue:Q1", "queue Q1 of mx1");
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	command = command_of(plan, OPENC2_QUEUE);
	cr_expect_str_eq(command->message->gateway, "mx1");
	cr_expect_null(command->message->recipient, "it is for two");
	cr_expect_eq(plan->recipients->len, 2);
}

Test(planner, one_who_has_it_and_one_for_whom_it_waits)
{
	store_whole(mail(1, "Q1", "bob@s.example carol@s.example"));
	line(3, "Q1", DELIVERY_DEFERRED, "bob@s.example", NULL, NULL);
	line(3, "Q1", DELIVERY_SENT, "carol@s.example", NULL, NULL);
	expect_plan("queue:Q1", "mailbox carol@s.example|queue Q1 of mx1");
}

Test(planner, a_list_that_is_being_delivered_is_in_the_queue_too)
{
	store_whole(mail(1, "Q1", "team@s.example bob@s.example"));
	queued(2, "Q1", 4);
	line(3, "Q1", DELIVERY_SENT, "carol@s.example", "team@s.example", NULL);
	line(3, "Q1", DELIVERY_SENT, "bob@s.example", NULL, NULL);
	expect_plan("queue:Q1", "mailbox bob@s.example|mailbox carol@s.example|queue Q1 of mx1");
	expect_plan("to:bob", "mailbox bob@s.example");
	line(4, "Q1", DELIVERY_SENT, "dave@s.example", "team@s.example", NULL);
	line(4, "Q1", DELIVERY_BOUNCED, "eve@s.example", "team@s.example", NULL);
	expect_plan("queue:Q1", "-eve@s.example|mailbox bob@s.example|mailbox carol@s.example|"
				"mailbox dave@s.example");
}

Test(planner, a_list_that_has_left_the_queue_is_in_mailboxes_alone)
{
	store_whole(mail(1, "Q1", "team@s.example"));
	queued(2, "Q1", 3);
	line(3, "Q1", DELIVERY_SENT, "carol@s.example", "team@s.example", NULL);
	line(4, "Q1", DELIVERY_DONE, NULL, NULL, NULL);
	expect_plan("queue:Q1", "mailbox carol@s.example");
}

Test(planner, what_was_held_waits)
{
	struct event *event = mail(1, "Q1", "bob@s.example");

	event->verdict = VERDICT_HOLD;
	store_whole(event);
	store_whole(mail(2, "Q2", "bob@s.example"));
	line(3, "Q2", DELIVERY_HELD, "bob@s.example", NULL, NULL);
	options.has_log = FALSE;
	expect_plan("queue:Q1", "queue Q1 of mx1");
	expect_plan("queue:Q2", "queue Q2 of mx1");
}

Test(planner, what_no_log_tells_is_taken_for_delivered)
{
	store_whole(mail(1, "Q1", "bob@s.example x@else.example"));
	expect_plan("queue:Q1", "queue Q1 of mx1");
	options.has_log = FALSE;
	expect_plan("queue:Q1", "-x@else.example|mailbox bob@s.example");
}

Test(planner, copies_beyond_reach_are_told)
{
	struct event *rejected = mail(9, "Q2", "bob@s.example");

	rejected->verdict = VERDICT_REJECT;
	store_whole(rejected);
	store_whole(mail(1, "Q1", "team@s.example carol@s.example dave@s.example"));
	line(2, "Q1", DELIVERY_SENT, "x@else.example", "team@s.example", NULL);
	line(2, "Q1", DELIVERY_BOUNCED, "carol@s.example", NULL, NULL);
	line(2, "Q1", DELIVERY_SENT, "postmaster@s.example", "dave@s.example", NULL);
	expect_plan("queue:Q1", "-carol@s.example|-postmaster@s.example|-x@else.example");
	expect_plan("queue:Q2", "-bob@s.example");
}

Test(planner, why_a_copy_is_beyond_reach_is_told)
{
	static const struct {
		enum delivery_kind kind;
		const char *address, *why;
		enum plan_beyond_kind beyond;
	} cases[] = {
		{DELIVERY_BOUNCED, "carol@s.example", "bounced", PLAN_BEYOND_GONE},
		{DELIVERY_REFUSED, "carol@s.example", "refused", PLAN_BEYOND_GONE},
		{DELIVERY_SENT, "x@else.example", "sent on to relay.example", PLAN_BEYOND_REACH},
		{DELIVERY_SENT, "postmaster@s.example", "never touched: postmaster@",
		 PLAN_BEYOND_REACH},
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *queue_id = g_strdup_printf("Q%u", i);
		g_autofree char *words = g_strconcat("queue:", queue_id, NULL);
		g_autoptr(plan_t) plan = NULL;
		const struct plan_beyond *beyond;

		store_whole(mail(1 + (int)i, queue_id, "team@s.example"));
		line(9, queue_id, cases[i].kind, cases[i].address, "team@s.example", NULL);
		plan = plan_words(words, PLAN_SCOPE_DEFAULT);
		cr_assert_eq(plan->beyond->len, 1, "%s", cases[i].why);
		beyond = plan->beyond->pdata[0];
		cr_expect_str_eq(beyond->address, cases[i].address);
		cr_expect_eq(beyond->kind, cases[i].beyond, "%s", cases[i].why);
		cr_expect(strstr(beyond->why, cases[i].why) != NULL, "%s: %s", cases[i].why,
			  beyond->why);
	}
}

Test(planner, a_recipient_is_followed_through_our_own_hops)
{
	struct event *first = mail(1, "Q1", "team@s.example"), *second, *third;

	second = mail(2, "Q2", "team@s.example");
	set_text(&second->parent_event, first->event_id);
	third = mail(3, "Q3", "bob@s.example");
	set_text(&third->parent_event, first->event_id);
	store_whole(first);
	store_whole(second);
	store_whole(third);
	line(4, "Q1", DELIVERY_SENT, "team@s.example", NULL, "Q2");
	line(5, "Q2", DELIVERY_SENT, "bob@s.example", "team@s.example", NULL);
	line(6, "Q3", DELIVERY_DEFERRED, "bob@s.example", NULL, NULL);
	expect_plan("subject:invoice", "queue Q3 of mx1");
	line(7, "Q3", DELIVERY_SENT, "bob@s.example", NULL, NULL);
	expect_plan("subject:invoice", "mailbox bob@s.example");
}

Test(planner, only_the_recipients_that_were_asked_for_are_planned)
{
	store_whole(mail(1, "Q1", "bob@s.example carol@s.example"));
	line(3, "Q1", DELIVERY_SENT, "bob@s.example", NULL, NULL);
	line(3, "Q1", DELIVERY_SENT, "carol@s.example", NULL, NULL);
	expect_plan("to:carol", "mailbox carol@s.example");
}

Test(planner, what_is_out_of_the_scope_is_told)
{
	g_autoptr(plan_t) plan = NULL;
	g_autofree char *got = NULL;

	store_whole(mail(1, "Q1", "bob@s.example carol@s.example"));
	line(3, "Q1", DELIVERY_DEFERRED, "bob@s.example", NULL, NULL);
	line(3, "Q1", DELIVERY_SENT, "carol@s.example", NULL, NULL);
	plan = plan_words("queue:Q1", PLAN_QUEUE);
	got = told(plan);
	cr_expect_str_eq(got, "-carol@s.example|queue Q1 of mx1");
}

Test(planner, a_file_that_is_named_is_blocked_once_and_no_other)
{
	g_autofree char *sha256 = sha256_of(EVIL);
	g_autoptr(plan_t) by_hash = NULL;
	g_autoptr(plan_t) by_subject = NULL;
	const struct openc2_command *block;
	struct event *event = mail(1, "Q1", "bob@s.example");

	options.block_until_us = AT(100);
	add_file(event, "3", "other.txt", OTHER)->parent = 0;
	store_whole(event);
	store_whole(mail(2, "Q2", "carol@s.example"));
	by_hash = plan_words(sha256, PLAN_SCOPE_DEFAULT);
	block = command_of(by_hash, OPENC2_GATEWAY);
	cr_assert_not_null(block);
	cr_expect_eq(block->action, OPENC2_DENY);
	cr_expect_str_eq(block->file_hash, sha256);
	cr_expect_str_eq(block->file_name, "evil.exe");
	cr_expect_eq(block->stop_time_ms, AT(100) / 1000);
	cr_expect_eq(by_hash->commands->len, 3);
	by_subject = plan_words("subject:invoice", PLAN_SCOPE_DEFAULT);
	cr_expect_null(command_of(by_subject, OPENC2_GATEWAY));
}

Test(planner, a_message_is_known_by_its_files_when_none_was_asked)
{
	g_autofree char *evil = sha256_of(EVIL);
	g_autofree char *other = sha256_of(OTHER);
	struct event *event = mail(1, "Q1", "bob@s.example");
	g_autoptr(plan_t) plan = NULL;
	struct file *body;
	char **sha256;

	add_file(event, "3", "other.txt", OTHER)->parent = 0;
	body = add_file(event, "4", NULL, "text of the mail");
	body->flags = FILE_BODY;
	body->parent = 0;
	store_whole(event);
	plan = plan_words("subject:invoice", PLAN_SCOPE_DEFAULT);
	sha256 = ((struct openc2_command *)plan->commands->pdata[0])->message->sha256;
	cr_assert_eq(g_strv_length(sha256), 2);
	cr_expect_str_eq(sha256[0], evil);
	cr_expect_str_eq(sha256[1], other);
}

Test(planner, the_log_of_the_mailbox_tells_where_the_copy_is)
{
	const struct openc2_command *command;
	g_autoptr(plan_t) plan = NULL;

	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "Lists", 7);
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	command = command_of(plan, OPENC2_MAILSTORE);
	cr_assert(command);
	cr_expect_str_eq(command->message->folder, "Lists");
	cr_expect_str_eq(command->message->storage_id, "1795.M1");
	cr_expect_eq(plan->beyond->len, 0);
}

Test(planner, the_folder_is_that_of_the_delivery_though_its_user_moved_it)
{
	const struct openc2_command *command;
	g_autoptr(plan_t) plan = NULL;

	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "INBOX", 7);
	copied_line(3, "INBOX", "Work", 1);
	mailbox_line(4, "iMaP", DELIVERY_EXPUNGED, "INBOX", 7);
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	command = command_of(plan, OPENC2_MAILSTORE);
	cr_assert(command);
	cr_expect_str_eq(command->message->folder, "INBOX");
}

Test(planner, what_left_the_mailbox_is_beyond_reach)
{
	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_STORED, "INBOX", 7);
	mailbox_line(3, "pOpS", DELIVERY_DOWNLOADED, "INBOX", 7);
	expect_plan("queue:Q1", "-bob@s.example|mailbox bob@s.example");
}

Test(planner, what_the_users_filter_dropped_is_nowhere)
{
	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_SENT, "bob@s.example", NULL, "kLmN");
	mailbox_line(2, "kLmN", DELIVERY_DISCARDED, NULL, 0);
	expect_plan("queue:Q1", "-bob@s.example");
}

Test(planner, what_goes_on_under_another_queue_id_is_followed)
{
	/* requeued, and then delivered; and one that an alias of local(8) sends on */
	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_REQUEUED, NULL, NULL, "Q2");
	line(3, "Q2", DELIVERY_SENT, "bob@s.example", NULL, NULL);
	expect_plan("queue:Q1", "mailbox bob@s.example");
	store_whole(mail(10, "Q5", "carol@s.example"));
	line_of("local", 0, 11, "Q5", DELIVERY_SENT, "carol@s.example", NULL, "Q6");
	line(12, "Q6", DELIVERY_SENT, "dave@s.example", NULL, NULL);
	line(12, "Q6", DELIVERY_DEFERRED, "erin@s.example", NULL, NULL);
	line(12, "Q6", DELIVERY_SENT, "x@else.example", NULL, NULL);
	expect_plan("queue:Q5", "-x@else.example|mailbox dave@s.example|queue Q6 of mx1");
}

Test(planner, what_was_deleted_from_the_queue_is_gone)
{
	store_whole(mail(1, "Q1", "bob@s.example"));
	line(2, "Q1", DELIVERY_DEFERRED, "bob@s.example", NULL, NULL);
	line(3, "Q1", DELIVERY_DELETED, NULL, NULL, NULL);
	expect_plan("queue:Q1", "-bob@s.example");
}

Test(planner, devices_are_contained_when_named)
{
	static const char *const devices[] = {"pc-017", NULL};
	g_autoptr(plan_t) plan = NULL;

	options.devices = devices;
	store_whole(mail(1, "Q1", "bob@s.example"));
	plan = plan_words("queue:Q1", PLAN_DEVICE);
	cr_assert_not_null(command_of(plan, OPENC2_ENDPOINT));
	cr_expect_str_eq(command_of(plan, OPENC2_ENDPOINT)->hostname, "pc-017");
}

Test(planner, an_alias_of_hundreds_is_expanded)
{
	struct event *event = mail(1, "Q1", "team@s.example");

	g_autoptr(plan_t) plan = NULL;

	store_whole(event);
	cr_assert(store_begin(fixture.store, NULL));
	for (int i = 0; i < 500; i++) {
		g_autofree char *user = g_strdup_printf("u%d@s.example", i);

		line(2, "Q1", DELIVERY_SENT, user, "team@s.example", NULL);
	}
	cr_assert(store_commit(fixture.store, NULL));
	plan = plan_words("queue:Q1", PLAN_SCOPE_DEFAULT);
	cr_expect_eq(plan->commands->len, 500);
}
