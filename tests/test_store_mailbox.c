/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a copy in a mailbox, out of lines in any order. */
#include "digest.h"
#include "store_fixture.h"

#define QUEUE_ID "4Xyz12AbCdz9kL3"
#define SESSION "Wg/JF5j4CmuuXAAAg+zDdQ"
#define BOB "bob@s.example"
#define MID "<m1@x>"

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

TestSuite(store_mailbox, .init = setup, .fini = teardown, .timeout = 60);

/* A line of a mailbox at AT(second). */
struct line {
	int second;
	enum delivery_kind kind;
	const char *folder;
	guint uid, uid_last;
	const char *from, *detail, *session, *service, *message_id, *user; /* NULL: SESSION… */
};

static void
store_delivery(struct delivery *delivery, const char *name)
{
	g_autofree char *id = event_id_of(name, strlen(name));
	g_autoptr(GBytes) json = NULL;
	gboolean added;
	GError *error = NULL;

	delivery->event_id = id;
	delivery->tenant = (char *)"a";
	delivery->sensor = (char *)"mbox1-follow";
	delivery->log_host = (char *)"mx1";
	json = g_bytes_new(id, strlen(id));
	expect_ok(store_add_delivery(fixture.store, delivery, json, NULL, &added, &error), error);
	cr_assert(added);
}

static void
store_line(const struct line *line)
{
	g_autofree char *name =
		g_strdup_printf("%d %d %s %u %s", line->second, line->kind, line->folder, line->uid,
				line->session ? line->session : "");
	struct delivery delivery = {
		.queue_id = (char *)(line->session ? line->session : SESSION),
		.time_us = AT(line->second),
		.kind = line->kind,
		.recipient = (char *)(line->user ? line->user : "bob"),
		.relay = (char *)(line->service ? line->service : "imap"),
		.detail = (char *)line->detail,
		.folder = (char *)line->folder,
		.from_folder = (char *)line->from,
		.message_id = (char *)(line->message_id ? line->message_id : MID),
		.uid = line->uid,
		.uid_last = line->uid_last,
	};

	store_delivery(&delivery, name);
}

/* The MTA's line that handed the copy over. */
static void
store_sent(void)
{
	struct delivery delivery = {
		.queue_id = (char *)QUEUE_ID,
		.time_us = AT(2),
		.kind = DELIVERY_SENT,
		.recipient = (char *)BOB,
		.relay = (char *)"mbox1[private/dovecot-lmtp]",
		.next_queue_id = (char *)SESSION,
	};

	store_delivery(&delivery, "sent");
}

static char *
store_mail_to_bob(void)
{
	struct event *event = make_event(1);
	char *id = g_strdup(event->event_id);

	set_text(&event->queue_id, QUEUE_ID);
	add_rcpt(event, "<" BOB ">");
	store_it(fixture.store, event);
	return id;
}

/* "delivered in INBOX: seen 5, moved Trash 7" */
static char *
summary(const char *event_id)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) finals = store_finals(fixture.store, "a", event_id, BOB, &error);
	const struct store_final *final;
	GString *text = g_string_new(NULL);

	expect_ok(finals != NULL, error);
	cr_assert_eq(finals->len, 1);
	final = g_ptr_array_index(finals, 0);
	g_string_append_printf(text, "%s in %s:", final->state,
			       final->folder ? final->folder : "nothing");
	for (guint i = 0; i < final->acts->len; i++) {
		const struct store_act *act = g_ptr_array_index(final->acts, i);

		g_string_append_printf(text, "%s %s %s%s%d", i > 0 ? "," : "", act->what,
				       act->detail ? act->detail : "", act->detail ? " " : "",
				       (int)((act->at_us - AT(0)) / G_USEC_PER_SEC));
	}
	return g_string_free(text, FALSE);
}

/* Plays lines forwards and backwards, before and after the event and the MTA's line. */
static void
expect_story(const struct line *lines, gsize count, const char *expected)
{
	for (int order = 0; order < 4; order++) {
		g_autofree char *id = NULL, *got = NULL;

		store_fixture_clear(&fixture);
		store_fixture_init(&fixture);
		if (order < 2) {
			id = store_mail_to_bob();
			store_sent();
		}
		for (gsize i = 0; i < count; i++)
			store_line(&lines[order % 2 ? count - 1 - i : i]);
		if (order >= 2) {
			store_sent();
			id = store_mail_to_bob();
		}
		got = summary(id);
		cr_expect_str_eq(got, expected, "order %d: got '%s'", order, got);
	}
}

#define STORY(lines, expected) expect_story(lines, G_N_ELEMENTS(lines), expected)
#define STORED                                                    \
	{                                                         \
		3, DELIVERY_STORED, "INBOX", 7, .service = "lmtp" \
	}

Test(store_mailbox, a_copy_is_where_lmtp_put_it)
{
	static const struct line lines[] = {STORED,
					    {3, DELIVERY_STORED, "INBOX", 0, .service = "lmtp"}};

	STORY(lines, "delivered in INBOX:");
}

Test(store_mailbox, a_copy_that_was_left_is_a_move_and_the_last_one_is_deleted)
{
	static const struct line moved[] = {
		STORED,
		{5, DELIVERY_SEEN, "INBOX", 7},
		{6, DELIVERY_SEEN, "INBOX", 7},
		{7, DELIVERY_COPIED, "Trash", 1, .from = "INBOX"},
		{8, DELIVERY_EXPUNGED, "INBOX", 7},
	};
	static const struct line deleted[] = {
		STORED,
		{7, DELIVERY_COPIED, "Trash", 1, .from = "INBOX"},
		{8, DELIVERY_EXPUNGED, "Trash", 1},
		{9, DELIVERY_EXPUNGED, "INBOX", 7},
	};
	static const struct line emptied[] = {
		STORED,
		{7, DELIVERY_COPIED, "Old", 1, .from = "INBOX"},
		{8, DELIVERY_EXPUNGED, "INBOX", 7},
		{9, DELIVERY_EXPUNGED, "Old", 0},
	};

	STORY(moved, "delivered in Trash: seen 5, moved Trash 8");
	STORY(deleted, "delivered in nothing: copied Trash 7, deleted Trash 8, deleted INBOX 9");
	STORY(emptied, "delivered in nothing: moved Old 8, deleted Old 9");
}

Test(store_mailbox, what_was_done_with_another_is_not_told)
{
	static const struct line lines[] = {
		STORED,
		{5, DELIVERY_SEEN, "INBOX", 8},			     /* same Message-ID */
		{5, DELIVERY_SEEN, "Other", 7},			     /* another folder */
		{5, DELIVERY_SEEN, "INBOX", 7, .user = "carol"},     /* another user */
		{2, DELIVERY_SEEN, "INBOX", 7, .session = "before"}, /* before it came */
		{6, DELIVERY_FETCHED, "INBOX", 1, 6, .detail = "2"},
		{6, DELIVERY_FETCHED, "INBOX", 8, 9, .detail = "3"},
		{7, DELIVERY_COPIED, "Trash", 1, .from = "Other"},
	};

	STORY(lines, "delivered in INBOX:");
}

Test(store_mailbox, fetches_are_of_the_folder_while_it_was_there)
{
	static const struct line lines[] = {
		STORED,
		{4, DELIVERY_FETCHED, "INBOX", 1, G_MAXUINT32, .detail = "1"},
		{5, DELIVERY_FETCHED, "INBOX", 7, 7, .detail = "2"},
		{6, DELIVERY_FETCHED, "INBOX", 7, 7, .detail = "2", .session = "again"},
		{7, DELIVERY_COPIED, "Trash", 1, .from = "INBOX"},
		{8, DELIVERY_EXPUNGED, "INBOX", 7},
		{9, DELIVERY_FETCHED, "INBOX", 7, 7, .detail = "3"},
		{9, DELIVERY_FETCHED, "Trash", 1, 1, .detail = "4"},
	};

	STORY(lines, "delivered in Trash: fetched 1 4, fetched 2 5, moved Trash 8, fetched 4 9");
}

Test(store_mailbox, what_a_pop3_session_deleted_it_has_downloaded_as_far_as_it_says)
{
	static const struct line taken[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7, .service = "pop3", .session = "p"},
		{5, DELIVERY_DOWNLOADED, NULL, 0, .detail = "retr=2, del=2", .service = "pop3",
		 .session = "p"},
	};
	static const struct line perhaps[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7, .service = "pop3", .session = "p"},
		{5, DELIVERY_DOWNLOADED, NULL, 0, .detail = "retr=1, del=2", .service = "pop3",
		 .session = "p"},
	};
	static const struct line blind[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7, .service = "pop3", .session = "p"},
	};

	STORY(taken, "delivered in nothing: downloaded 5, deleted INBOX 5");
	STORY(perhaps, "delivered in nothing: downloaded perhaps: not all that were deleted were "
		       "taken 5, deleted INBOX 5");
	STORY(blind, "delivered in nothing: deleted INBOX 5");
}

Test(store_mailbox, without_a_uid_the_message_id_tells)
{
	static const struct line lines[] = {
		{3, DELIVERY_STORED, "INBOX", 0, .service = "lmtp"},
		{5, DELIVERY_SEEN, "INBOX", 4},
		{6, DELIVERY_SEEN, "INBOX", 4, .message_id = "<other@x>"},
		{7, DELIVERY_EXPUNGED, "INBOX", 4},
	};

	STORY(lines, "delivered in nothing: seen 5, deleted INBOX 7");
}

Test(store_mailbox, what_the_filter_did_is_a_state)
{
	static const struct line discarded[] = {
		{3, DELIVERY_DISCARDED, NULL, 0, .service = "lmtp"}};
	static const struct line forwarded[] = {
		{3, DELIVERY_FORWARDED, NULL, 0, .detail = "x@else", .service = "lmtp"}};
	static const struct line both[] = {
		STORED, {3, DELIVERY_FORWARDED, NULL, 0, .detail = "x@else", .service = "lmtp"}};

	STORY(discarded, "discarded in nothing:");
	expect_who(fixture.store, "a", "state:discarded", BOB);
	STORY(forwarded, "forwarded in nothing: forwarded x@else 3");
	expect_who(fixture.store, "a", "state:delivered", BOB);
	STORY(both, "delivered in INBOX: forwarded x@else 3");
}
