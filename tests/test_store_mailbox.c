/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a copy in a mailbox, out of lines in any order. */
#include "caps.h"
#include "digest.h"
#include "store_fixture.h"
#include "store_logins.h"

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
	guint number, number_last;
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

/* Dovecot's export of events and its ends of sessions know none. */
static const char *
message_id_of(const struct line *line)
{
	if (line->number || line->kind == DELIVERY_FETCHED || line->kind == DELIVERY_RENAMED ||
	    !line->uid)
		return line->kind == DELIVERY_STORED || line->kind == DELIVERY_DISCARDED ? MID
											 : NULL;
	return line->message_id ? line->message_id : MID;
}

/* Of 192.0.2.1. */
static void
store_login(const struct line *line, const char *name)
{
	g_autofree char *id = event_id_of(name, strlen(name));
	const struct login login = {
		.event_id = id,
		.tenant = (char *)"a",
		.sensor = (char *)"mbox1-follow",
		.log_host = (char *)"mx1",
		.service = (char *)"pop3",
		.user = (char *)"bob",
		.client = (char *)"192.0.2.1",
		.session = (char *)line->session,
		.time_us = AT(line->second),
	};
	gboolean added;
	GError *error = NULL;

	expect_ok(store_add_login(fixture.store, &login, NULL, &added, &error), error);
}

static void
store_line(const struct line *line)
{
	g_autofree char *name =
		g_strdup_printf("%d %d %s %u %u %s", line->second, line->kind, line->folder,
				line->uid, line->number, line->session ? line->session : "");
	struct delivery delivery = {
		.queue_id = (char *)(line->session ? line->session : SESSION),
		.time_us = AT(line->second),
		.kind = line->kind,
		.recipient = (char *)(line->user ? line->user : "bob"),
		.relay = (char *)(line->service ? line->service : "imap"),
		.detail = (char *)line->detail,
		.folder = (char *)line->folder,
		.from_folder = (char *)line->from,
		.message_id = (char *)message_id_of(line),
		.uid = line->uid,
		.uid_last = line->uid_last,
		.number = line->number,
		.number_last = line->number_last,
	};

	if (line->kind == DELIVERY_LOGIN)
		store_login(line, name);
	else
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
	add_file(event, "2", "x.exe", "a program");
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

		g_string_append_printf(text, "%s %s%s %s%s%d", i > 0 ? "," : "",
				       act->perhaps ? "perhaps " : "", act->what,
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

#define POP3(second, kind, uid, ...)                                                       \
	{                                                                                  \
		second, kind, "INBOX", uid, .service = "pop3", .session = "p", __VA_ARGS__ \
	}
#define BY_NUMBER(second, first, last, part)                                        \
	{                                                                           \
		second, DELIVERY_FETCHED, "INBOX", .detail = part, .number = first, \
						   .number_last = last              \
	}
#define OPENED(second, uid, n)                                     \
	{                                                          \
		second, DELIVERY_OPENED, "INBOX", uid, .number = n \
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
	/* The server's processes write in any order. */
	static const struct line late[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7},
		OPENED(6, 7, 3),
		BY_NUMBER(7, 3, 3, "1"),
		POP3(8, DELIVERY_DOWNLOADED, 7, .number = 3),
		POP3(9, DELIVERY_OPENED, 8, .number = 4),
	};
	static const struct line long_after[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7},
		OPENED(66, 7, 3),
		BY_NUMBER(67, 3, 3, "1"),
	};

	STORY(lines, "delivered in Trash: fetched 1 4, fetched 2 5, moved Trash 8, fetched 4 9");
	STORY(late, "delivered in nothing: deleted INBOX 5, fetched 1 6, downloaded 8");
	STORY(long_after, "delivered in nothing: deleted INBOX 5");
}

#define LOGIN(second)                                                                  \
	{                                                                              \
		second, DELIVERY_LOGIN, NULL, 0, .detail = "192.0.2.1", .session = "p" \
	}

Test(store_mailbox, a_fetch_in_the_second_of_the_deletion_is_perhaps)
{
	static const struct line lines[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7},
		{5, DELIVERY_FETCHED, "INBOX", 1, DELIVERY_LAST, .detail = "1"},
	};
	g_autofree char *id = store_mail_to_bob(), *got = NULL;

	store_sent();
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		store_line(&lines[i]);
	got = summary(id);
	cr_expect_str_eq(got, "delivered in nothing: perhaps fetched 1 5, deleted INBOX 5", "%s",
			 got);
}

Test(store_mailbox, what_a_pop3_session_deleted_it_has_downloaded_as_far_as_it_says)
{
	static const struct line taken[] = {
		STORED,
		POP3(4, DELIVERY_DOWNLOADED, 7, .number = 2),
		POP3(5, DELIVERY_EXPUNGED, 7),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=2, top=0/0"),
	};
	static const struct line other[] = {
		STORED,
		POP3(4, DELIVERY_DOWNLOADED, 8, .number = 3),
		POP3(5, DELIVERY_EXPUNGED, 7),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=2, top=0/0"),
	};
	static const struct line perhaps[] = {
		STORED,
		POP3(5, DELIVERY_EXPUNGED, 7),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=2, del=2"),
	};
	static const struct line blind[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7, .service = "pop3", .session = "p"},
	};

	STORY(taken, "delivered in nothing: downloaded 4, deleted INBOX 5");
	STORY(other, "delivered in nothing: deleted INBOX 5");
	STORY(perhaps, "delivered in nothing: deleted INBOX 5, perhaps downloaded 6");
	STORY(blind, "delivered in nothing: deleted INBOX 5");
}

/* The session sees what was there at its login, and until it is gone. */
Test(store_mailbox, a_pop3_session_has_perhaps_taken_what_was_there)
{
	static const struct line kept[] = {
		STORED,
		LOGIN(4),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=0, top=0/0"),
	};
	static const struct line known[] = {
		STORED,
		POP3(5, DELIVERY_DOWNLOADED, 8),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=0, top=0/0"),
	};
	static const struct line one_more[] = {
		STORED,
		POP3(5, DELIVERY_DOWNLOADED, 8),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=2, del=0, top=0/0"),
	};
	static const struct line before[] = {
		LOGIN(1),
		STORED,
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=0, top=0/0"),
	};
	static const struct line after[] = {
		STORED,
		{5, DELIVERY_EXPUNGED, "INBOX", 7},
		LOGIN(6),
		POP3(7, DELIVERY_DOWNLOADED, 0, .detail = "retr=1, del=0, top=0/0"),
	};

	STORY(kept, "delivered in INBOX: perhaps downloaded 6");
	STORY(known, "delivered in INBOX:");
	STORY(one_more, "delivered in INBOX: perhaps downloaded 6");
	STORY(before, "delivered in INBOX:");
	STORY(after, "delivered in nothing: deleted INBOX 5");
}

/* TOP gives as many lines as it is asked for: nobody tells, but how many bytes all were. */
Test(store_mailbox, what_pop3s_top_looked_at_is_perhaps_downloaded)
{
	static const struct line told[] = {
		STORED,
		POP3(5, DELIVERY_OPENED, 7, .number = 2),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=0, del=0, top=1/100000"),
	};
	static const struct line other[] = {
		STORED,
		POP3(5, DELIVERY_OPENED, 8, .number = 3),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=0, del=0, top=1/100000"),
	};
	static const struct line untold[] = {
		STORED,
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=0, del=0, top=1/100000"),
	};
	static const struct line little[] = {
		STORED,
		POP3(5, DELIVERY_OPENED, 7, .number = 2),
		POP3(6, DELIVERY_DOWNLOADED, 0, .detail = "retr=0, del=0, top=1/3"),
	};

	STORY(told, "delivered in INBOX: perhaps downloaded 5");
	STORY(other, "delivered in INBOX:");
	STORY(untold, "delivered in INBOX: perhaps downloaded 6");
	STORY(little, "delivered in INBOX:");
}

/* A number is never above the UID, and "*" is the last message. */
Test(store_mailbox, a_fetch_by_numbers_is_perhaps_of_each_that_can_have_one)
{
	static const struct line lines[] = {
		STORED,
		BY_NUMBER(5, 7, 7, "1"),
		BY_NUMBER(6, 8, 9, "2"),
		BY_NUMBER(7, DELIVERY_LAST, DELIVERY_LAST, "3"),
		BY_NUMBER(8, 9, DELIVERY_LAST, "4"),
		BY_NUMBER(9, 1, 1, "headers"),
	};

	STORY(lines, "delivered in INBOX: perhaps fetched 1 5, perhaps fetched 3 7, perhaps "
		     "fetched 4 8");
}

Test(store_mailbox, a_session_that_tells_what_it_opened_leaves_no_doubt)
{
	static const struct line lines[] = {
		STORED,
		BY_NUMBER(4, 1, 1, "0"), /* not yet */
		OPENED(5, 7, 3),
		OPENED(6, 8, 4),
		BY_NUMBER(7, 3, 5, "1"),
		OPENED(8, 8, 4),
		BY_NUMBER(9, 4, 4, "2"),
		OPENED(10, 7, 3),
		{11, DELIVERY_FETCHED, "INBOX", 7, 7, .detail = "headers"},
		OPENED(12, 7, 3),
		BY_NUMBER(13, 8, DELIVERY_LAST, "last"),
	};
	static const struct line cut[] = {
		STORED,
		OPENED(5, 7, 3),
	};

	STORY(lines, "delivered in INBOX: perhaps fetched 0 4, fetched 1 5, fetched last 12");
	STORY(cut, "delivered in INBOX: perhaps fetched 5");
}

Test(store_mailbox, without_a_uid_each_fetch_of_the_folder_is_perhaps_of_it)
{
	static const struct line lines[] = {
		{3, DELIVERY_STORED, "INBOX", 0, .service = "lmtp"},
		{5, DELIVERY_FETCHED, "INBOX", 4, 4, .detail = "2"},
		{6, DELIVERY_FETCHED, "Other", 4, 4, .detail = "3"},
		POP3(7, DELIVERY_DOWNLOADED, 4, .number = 4),
	};

	STORY(lines, "delivered in INBOX: perhaps fetched 2 5, perhaps downloaded 7");
}

#define IMAP_LOGIN(second)                                                             \
	{                                                                              \
		second, DELIVERY_LOGIN, NULL, 0, .detail = "192.0.2.1", .session = "i" \
	}
#define IMAP_END(second, bodies)                                                               \
	{                                                                                      \
		second, DELIVERY_FETCHED, NULL, 0, .detail = "bodies=" #bodies, .session = "i" \
	}
#define IMAP_UIDS(second, first, last, parts)                                                   \
	{                                                                                       \
		second, DELIVERY_FETCHED, "INBOX", first, last, .detail = parts, .session = "i" \
	}

/* Without an export of events Dovecot still says how many bodies a session had. */
Test(store_mailbox, a_session_that_had_more_than_it_told_has_perhaps_fetched_it)
{
	static const struct line untold[] = {STORED, IMAP_END(5, 1)};
	static const struct line told[] = {STORED, IMAP_UIDS(4, 8, 9, "1 2.1"), IMAP_END(5, 4)};
	static const struct line more[] = {STORED, IMAP_UIDS(4, 8, 9, "1 2.1"), IMAP_END(5, 5)};
	static const struct line numbers[] = {
		STORED,
		{4, DELIVERY_FETCHED, "INBOX", .detail = "1", .number = 8, .number_last = 8,
		 .session = "i"},
		IMAP_END(5, 9),
	};
	static const struct line opened[] = {
		STORED,
		{4, DELIVERY_OPENED, "INBOX", 8, .number = 4, .session = "i"},
		IMAP_END(5, 9),
	};
	static const struct line before[] = {IMAP_LOGIN(1), IMAP_END(2, 9), STORED};
	static const struct line after[] = {
		STORED,
		{4, DELIVERY_EXPUNGED, "INBOX", 7},
		IMAP_LOGIN(5),
		IMAP_END(6, 9),
	};

	STORY(untold, "delivered in INBOX: perhaps fetched 5");
	STORY(told, "delivered in INBOX:");
	STORY(more, "delivered in INBOX: perhaps fetched 5");
	STORY(numbers, "delivered in INBOX:");
	STORY(opened, "delivered in INBOX:");
	STORY(before, "delivered in INBOX:");
	STORY(after, "delivered in nothing: deleted INBOX 4");
}

#define RENAMED(second, old, new)                          \
	{                                                  \
		second, DELIVERY_RENAMED, new, .from = old \
	}

Test(store_mailbox, a_copy_is_in_its_folder_whatever_that_is_called)
{
	static const struct line plain[] = {
		STORED,
		{4, DELIVERY_COPIED, "Old", 1, .from = "INBOX"},
		RENAMED(5, "Old", "New"),
		{6, DELIVERY_EXPUNGED, "INBOX", 7},
		{7, DELIVERY_FETCHED, "Old", 1, 1, .detail = "1"}, /* another folder by then */
		{8, DELIVERY_FETCHED, "New", 1, 1, .detail = "2"},
	};
	static const struct line deleted[] = {
		STORED,
		RENAMED(4, "INBOX", "A"),
		RENAMED(5, "A", "B"),
		{6, DELIVERY_EXPUNGED, "A"},
		{7, DELIVERY_EXPUNGED, "B"},
	};
	static const struct line below[] = {
		{3, DELIVERY_STORED, "A/in.it", 7, .service = "lmtp"},
		RENAMED(4, "A/in", "x"),
		RENAMED(5, "A/i", "x"),
		RENAMED(6, "A", "B.c"),
	};
	static const struct line dotted[] = {
		{3, DELIVERY_STORED, "A.in", 7, .service = "lmtp"},
		RENAMED(4, "A", "B/c"), /* "." is no separator here */
		RENAMED(5, "A", "B.c"),
	};

	STORY(plain, "delivered in New: renamed New 5, moved Old 6, fetched 2 8");
	STORY(deleted, "delivered in nothing: renamed A 4, renamed B 5, deleted B 7");
	STORY(below, "delivered in B.c/in.it: renamed B.c/in.it 6");
	STORY(dotted, "delivered in B.c.in: renamed B.c.in 5");
}

/* Plays renamings of the folder of a copy without Message-ID; returns where it is. */
static char *
folder_after(int renamings)
{
	struct delivery stored = {
		.queue_id = (char *)SESSION,
		.time_us = AT(3),
		.kind = DELIVERY_STORED,
		.recipient = (char *)"bob",
		.relay = (char *)"lmtp",
		.folder = (char *)"0",
		.uid = 7,
	};
	g_autofree char *id = store_mail_to_bob();

	store_sent();
	store_delivery(&stored, "stored");
	for (int i = 0; i < renamings; i++) {
		g_autofree char *from = g_strdup_printf("%d", i);
		g_autofree char *to = g_strdup_printf("%d", i + 1);
		const struct line line = RENAMED(4 + i, from, to);

		store_line(&line);
	}
	return summary(id);
}

Test(store_mailbox, a_copy_without_message_id_is_followed_through_the_names_of_its_folder)
{
	for (int names = CAP_FOLDER_NAMES - 1; names <= CAP_FOLDER_NAMES + 1; names++) {
		g_autofree char *got = NULL, *wanted = NULL;

		store_fixture_clear(&fixture);
		store_fixture_init(&fixture);
		got = folder_after(names);
		wanted = g_strdup_printf("delivered in %d:", MIN(names, CAP_FOLDER_NAMES));
		cr_expect(g_str_has_prefix(got, wanted), "%d: %s", names, got);
	}
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
